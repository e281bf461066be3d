"""What Keras does with learners: ``compile``, ``fit``, ``evaluate`` and ``predict``."""

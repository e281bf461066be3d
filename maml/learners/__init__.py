"""Meta-learners, each a Keras model behind ``encode`` and ``decode``; and how they are saved."""

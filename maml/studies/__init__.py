"""Studies: many trainings, and what they say together.

* :mod:`maml.studies.memorization`: measures against memorization on sinusoids (Yin et al. 2020);
* :mod:`maml.studies.robustness`: how well the learners learn sinusoids, and how far a task may
  drift from those of training before adaptation fails;
* :mod:`maml.studies.fewshot`: few-shot classification of images, with labels that can be memorized
  and with labels that cannot.

Each is a command, ``python -m maml.studies.NAME --help``, whose trainings run in parallel, and
which goes on where it was stopped.
"""

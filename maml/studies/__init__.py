"""Studies: what is compared, as data. The routine is in :mod:`maml.experiments.study`.

* :mod:`maml.studies.memorization`: regularizers on memorizable sinusoids (Yin et al. 2020);
* :mod:`maml.studies.robustness`: how well learners fit sinusoids, and how far a task may shift
  from the meta-training tasks before adaptation fails;
* :mod:`maml.studies.fewshot`: few-shot classification of images, with labels that can be memorized
  and with labels that cannot;
* :mod:`maml.studies.threshold`: how many training tasks it takes until learners stop memorizing
  them (Raventos et al. 2023);
* :mod:`maml.studies.image_threshold`: the same of random projections of images (Kirsch et al.
  2022);
* :mod:`maml.studies.ambiguity`: whether densities hold all that fits an ambiguous support set.

Each is a command, ``python -m maml.studies.NAME --help``, whose trainings run in parallel, and
which goes on where it was stopped.
"""

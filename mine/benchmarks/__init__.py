"""Joint distributions whose mutual information is known: to test estimators against the truth.

A :class:`Task` draws pairs and knows their information in nats. Factories make tasks of any size
from a few families, and :data:`TASKS` holds fourteen of them, small enough for neural estimators.
:data:`GAUSSIANS` differ in dimensions and nats. :class:`LinearGaussian` is the same for conditional
information, and :data:`CONDITIONAL` holds five of them.

Most tasks rest on one fact: information does not change under one-to-one maps of x and of y, so a
normal distribution, whose information is known, can be made heavy-tailed, bimodal or twisted.

References: Czyz et al. 2023, "Beyond Normal" (arXiv 2306.11078), whose parameters are followed;
Arellano-Valle et al. 2013, "Shannon Entropy and Mutual Information for Multivariate Skew-Elliptical
Distributions".
"""

from mine.benchmarks.additive import additive_noise
from mine.benchmarks.conditional import LinearGaussian, linear_gaussian
from mine.benchmarks.maps import (
    asinh,
    bimodal,
    half_cube,
    normal_cdf,
    spiral,
    swiss_roll,
    transformed,
    wiggly,
)
from mine.benchmarks.normal import (
    MAX_NATS_PER_FEATURE,
    bivariate_normal,
    dense,
    gaussian,
    multinormal,
    sparse,
    student,
)
from mine.benchmarks.task import Task

__all__ = [
    "CONDITIONAL",
    "GAUSSIANS",
    "MAX_NATS_PER_FEATURE",
    "TASKS",
    "LinearGaussian",
    "Task",
    "additive_noise",
    "asinh",
    "bimodal",
    "bivariate_normal",
    "dense",
    "gaussian",
    "half_cube",
    "linear_gaussian",
    "multinormal",
    "normal_cdf",
    "sparse",
    "spiral",
    "student",
    "swiss_roll",
    "transformed",
    "wiggly",
]

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        bivariate_normal(0.75),
        gaussian(5, 2.0),
        dense(3, 3, 0.5),
        sparse(5, 5, 2, 0.8),
        student(1, 1, 1),
        student(2, 2, 2),
        half_cube(sparse(3, 3, 2, 0.8)),
        asinh(student(1, 1, 1)),
        wiggly(bivariate_normal(0.75)),
        swiss_roll(0.75),
        spiral(sparse(3, 3, 2, 0.8)),
        additive_noise(0.1),
        additive_noise(0.75),
        bimodal(0.75),
    )
}
"""Fourteen tasks, name -> :class:`Task`."""

GAUSSIANS: dict[str, Task] = {
    f"gaussian-{dim}x{dim}-{nats:g}": gaussian(dim, nats)
    for dim, nats in ((1, 0.5), (1, 2), (5, 2), (20, 2), (5, 5), (20, 5), (5, 10), (20, 10))
}
"""Normal tasks from easy to hopeless, name -> :class:`Task`."""

CONDITIONAL: dict[str, LinearGaussian] = {
    f"linear-gaussian-5-{nats:g}": linear_gaussian(5, nats) for nats in (0, 0.25, 1, 2, 3)
}
"""Conditional problems in five dimensions, name -> :class:`LinearGaussian`; in the first, y does
not depend on d at all."""

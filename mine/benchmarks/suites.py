"""Suites of tasks of known information, and their estimators, for ``python -m mine.benchmarks``."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mine.benchmarks import CONDITIONAL, GAUSSIANS, TASKS
from mine.bound_names import BOUNDS
from mine.estimators.mutual_information import CLASSICAL, estimate

DRAWS = 64
"""Draws of y at each x, for the estimators that use the model."""

MAX_PLUG_IN_SAMPLES = 500
"""Largest number of x over which the plug-in bounds are averaged."""


class SuiteEstimate(NamedTuple):
    """One estimate: nats, (low, high) and warnings."""

    nats: float
    interval: tuple[float, float]
    warnings: tuple[str, ...] = ()


class Suite(NamedTuple):
    """Tasks, name -> what has ``nats``, ``dimensions`` and ``sample(n, seed)``, and estimators.

    An estimator takes (task, samples, seed of the samples, seed of its own) and gives
    :class:`SuiteEstimate`; those in ``default_estimators`` run unless others are named.
    """

    tasks: dict
    estimators: dict[str, Callable]
    default_estimators: tuple[str, ...]


def _estimate(bound, task, samples, sample_seed, seed) -> SuiteEstimate:
    found = estimate(*task.sample(samples, sample_seed), bound=bound, seed=seed, progress=False)
    return SuiteEstimate(found.nats, found.interval, found.warnings)


def _direct(knows_model, task, samples, sample_seed, seed) -> SuiteEstimate:
    from mine.estimators.conditional import direct  # Here, since it loads TensorFlow.

    y, d, x = task.sample(samples, sample_seed)
    others, _ = task.redraw(x, DRAWS, sample_seed + 1)
    log_prob = task.log_prob if knows_model else None
    found = direct(y, d, x, others, log_prob=log_prob, seed=seed, progress=False)
    return SuiteEstimate(found.nats, found.interval, found.warnings)


def _plug_in(task, samples, sample_seed, seed) -> SuiteEstimate:
    """The middle of the sandwich, with the sandwich itself for its interval."""
    import tensorflow as tf  # Here, since the other estimators need none.

    from mine.tractable import plug_in

    _, _, x = task.sample(min(samples, MAX_PLUG_IN_SAMPLES), sample_seed)
    y, d = (np.moveaxis(value, 1, 0) for value in task.redraw(x, DRAWS, sample_seed + 1))
    sandwich = plug_in(task.log_prob(y[:, np.newaxis], d[np.newaxis], x))
    lower, upper = (float(tf.reduce_mean(bound)) for bound in sandwich)
    return SuiteEstimate((lower + upper) / 2, (lower, upper))


ESTIMATORS = {bound: functools.partial(_estimate, bound) for bound in (*BOUNDS, *CLASSICAL)}

CONDITIONAL_ESTIMATORS = ESTIMATORS | {
    "direct": functools.partial(_direct, False),
    "likelihood": functools.partial(_direct, True),
    "plug-in": _plug_in,
}

DEFAULT_ESTIMATORS = ("mine", "js", "infonce", "ksg", "gaussian")

SUITES = {
    "standard": Suite(TASKS, ESTIMATORS, DEFAULT_ESTIMATORS),
    "gaussians": Suite(GAUSSIANS, ESTIMATORS, ("mine", "js", "ksg", "gaussian")),
    "conditional": Suite(
        CONDITIONAL, CONDITIONAL_ESTIMATORS, ("mine", "direct", "likelihood", "plug-in")
    ),
}
"""Suites by name."""

"""What ``python -m mine.benchmarks`` runs: suites of tasks of known information, with
estimators."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mine.benchmarks import CONDITIONAL, GAUSSIANS, TASKS
from mine.estimators.conditional import direct
from mine.estimators.mutual_information import CLASSICAL, estimate
from mine.objective import NAMES
from mine.tractable import plug_in

DRAWS = 64
"""Draws of y at each x, for the estimators that ask the model for them."""

SANDWICHES = 500
"""At how many x, at most, the plug-in bounds are averaged."""


class Found(NamedTuple):
    """One estimate: nats, (low, high) and warnings."""

    nats: float
    interval: tuple[float, float]
    warnings: tuple[str, ...] = ()


class Suite(NamedTuple):
    """Tasks, name -> what has ``nats``, ``dimensions`` and ``sample(n, seed)``, and estimators.

    An estimator takes (task, samples, seed of the samples, seed of its own) and gives
    :class:`Found`; those in ``usual`` are run unless others are asked for.
    """

    tasks: dict
    estimators: dict[str, Callable]
    usual: tuple[str, ...]


def _library(bound, task, samples, sample_seed, seed) -> Found:
    found = estimate(
        *task.sample(samples, sample_seed),
        bound=bound,
        seed=seed,
        second_opinions=False,
        progress=False,
    )
    return Found(found.nats, found.interval, found.warnings)


def _direct(knows_model, task, samples, sample_seed, seed) -> Found:
    y, d, x = task.sample(samples, sample_seed)
    others, _ = task.redraw(x, DRAWS, sample_seed + 1)
    log_prob = task.log_prob if knows_model else None
    found = direct(y, d, x, others, log_prob=log_prob, seed=seed, progress=False)
    return Found(found.nats, found.interval, found.warnings)


def _plug_in(task, samples, sample_seed, seed) -> Found:
    """The middle of the sandwich, with the sandwich itself for its interval."""
    _, _, x = task.sample(min(samples, SANDWICHES), sample_seed)
    y, d = (np.moveaxis(value, 1, 0) for value in task.redraw(x, DRAWS, sample_seed + 1))
    sandwich = plug_in(task.log_prob(y[:, np.newaxis], d[np.newaxis], x))
    lower, upper = (float(tf.reduce_mean(bound)) for bound in sandwich)
    return Found((lower + upper) / 2, (lower, upper))


LIBRARY = {bound: functools.partial(_library, bound) for bound in (*NAMES, *CLASSICAL)}

CONDITIONALS = LIBRARY | {
    "direct": functools.partial(_direct, False),
    "likelihood": functools.partial(_direct, True),
    "plug-in": _plug_in,
}

USUAL = ("mine", "js", "infonce", "ksg", "gaussian")

SUITES = {
    "standard": Suite(TASKS, LIBRARY, USUAL),
    "gaussians": Suite(GAUSSIANS, LIBRARY, ("mine", "js", "ksg", "gaussian")),
    "conditional": Suite(CONDITIONAL, CONDITIONALS, ("mine", "direct", "likelihood", "plug-in")),
}
"""Suites by name."""

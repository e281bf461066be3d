"""Mutual information of answers and the condition they were given under, in NumPy.

As :func:`mine.plug_in` and :func:`mine.plug_in_categories` compute them in TensorFlow: a test
compares them. The bounds are InfoNCE and the leave-one-out bound of Poole et al. 2019 (arXiv
1905.06922), with the likelihood as critic.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, xlogy


class Bounds(NamedTuple):
    """Lower and upper bound of an information, in nats, [...]."""

    lower: np.ndarray
    upper: np.ndarray


def gaussian(mean: np.ndarray, std: np.ndarray, rng: np.random.Generator) -> Bounds:
    """Bounds of I(y; d) for y ~ N(mean_d, std_d^2), independent in its coordinates.

    Args:
        mean: of each of N conditions d, [N, ..., dim].
        std: broadcasts against ``mean``; positive.
        rng: of one draw of y for each condition.

    Returns:
        Bounds [...]; the lower one is at most log N nats.
    """
    std = np.broadcast_to(std, mean.shape)
    y = mean + std * rng.standard_normal(mean.shape)
    # First axis the sample, second the condition; constants cancel.
    z = (y[:, np.newaxis] - mean[np.newaxis]) / std[np.newaxis]
    log_prob = np.sum(-0.5 * z**2 - np.log(std)[np.newaxis], axis=-1)
    n = len(mean)
    own = np.stack([log_prob[i, i] for i in range(n)])
    others = log_prob.copy()
    others[np.arange(n), np.arange(n)] = -np.inf
    lower = own - (logsumexp(log_prob, axis=1) - math.log(n))
    upper = own - (logsumexp(others, axis=1) - math.log(n - 1))
    return Bounds(lower.mean(0), upper.mean(0))


def categorical(probabilities: np.ndarray) -> Bounds:
    """Bounds of I(y; d) for classes, the expectation over y in closed form.

    Args:
        probabilities: under each of N conditions d, [N, ..., classes].

    Returns:
        Bounds [...]. The lower one is exact for the N conditions at hand.
    """
    n = len(probabilities)

    def entropy(p):
        return -np.sum(xlogy(p, p), axis=-1)

    lower = entropy(probabilities.mean(0)) - entropy(probabilities).mean(0)
    rest = (probabilities.sum(0) - probabilities) / (n - 1)
    # Where the others give a class no probability the bound is infinite; 1e-12 caps it.
    cross = -np.sum(xlogy(probabilities, np.maximum(rest, 1e-12)), axis=-1)
    return Bounds(lower, (cross - entropy(probabilities)).mean(0))

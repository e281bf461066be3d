"""Whether predictive densities are right: likelihood, coverage of intervals, calibration."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from maml.diagnostics.intervals import Resampling
from maml.distributions.base import Distribution
from maml.distributions.categorical import Categorical
from mine.reporting import mean_interval

COVERED = 0.9
"""The probability of the intervals whose coverage is scored."""

LEVELS = np.arange(1, 10) / 10
"""Probabilities of the intervals behind the calibration error."""

BINS = 15
"""Of confidences, as Guo et al. 2017 have them."""

INTERVAL_LEVEL, CONFIDENCE, CORRECT = PLACES = ("interval_level", "confidence", "correct")
"""Scores of single queries that mean little by themselves: calibration is read from all of them."""


def density_scores(prediction: Distribution, y) -> dict[str, tf.Tensor]:
    """Scores of a predictive density at the true labels.

    Args:
        prediction: with batch axes [tasks, queries].
        y: labels [tasks, queries, dim].

    Returns:
        ``nll``: -log q(y) in nats, [tasks, queries]. Of classes also ``confidence``, the
        probability of the most probable class, and ``correct``, 1 where it is the label, else 0. Of
        numbers, where the distribution defines it, ``interval_level``, the probability of the
        central interval whose end is y, [tasks, queries * dim].
    """
    scores = {"nll": -prediction.log_prob(y)}
    if isinstance(prediction, Categorical):
        probabilities = prediction.mean()
        hit = tf.argmax(probabilities, axis=-1) == tf.argmax(y, axis=-1)
        scores[CONFIDENCE] = tf.reduce_max(probabilities, axis=-1)
        scores[CORRECT] = tf.cast(hit, probabilities.dtype)
        return scores
    level = prediction.interval_level(y)
    if level is not None:
        scores[INTERVAL_LEVEL] = tf.reshape(level, [tf.shape(level)[0], -1])
    return scores


def calibration(scores: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    r"""Coverage and calibration of the densities of a split.

    * ``coverage_90``: share of labels within the central interval of probability 90 %.
    * ``calibration_error`` of numbers: :math:`\frac19 \sum_p |\hat c_p - p|`, with
      :math:`\hat c_p` the share of labels within the central interval of probability p = 0.1, ...,
      0.9 (the levels of Kuleshov et al. 2018, arXiv 1807.00263, section 3.5).
    * ``calibration_error`` of classes: the expected calibration error :math:`\sum_b \frac{n_b}{n}
      |\mathrm{accuracy}_b - \mathrm{confidence}_b|` over 15 bins of the confidence (Guo et al.
      2017, arXiv 1706.04599, eq. 3).

    A calibration error is a mean of absolute values, so that few queries raise it.

    Args:
        scores: of :func:`density_scores`, each [tasks, ...].

    Returns:
        Each ``mean`` and ``ci95``, half the 95 % interval over tasks; nothing without a density.
    """
    if INTERVAL_LEVEL in scores:
        levels = _by_task(scores[INTERVAL_LEVEL])
        within = (levels[..., np.newaxis] <= LEVELS).mean(axis=1)
        return {
            "coverage_90": mean_interval((levels <= COVERED).mean(axis=1)),
            "calibration_error": _absolute(within - LEVELS, np.mean),
        }
    if CONFIDENCE in scores:
        confidence, correct = _by_task(scores[CONFIDENCE]), _by_task(scores[CORRECT])
        place = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1)
        own = place[..., np.newaxis] == np.arange(BINS)
        gaps = ((correct - confidence)[..., np.newaxis] * own).mean(axis=1)
        return {"calibration_error": _absolute(gaps, np.sum)}
    return {}


def _by_task(values: np.ndarray) -> np.ndarray:
    """[tasks, ...] -> [tasks, n], in double precision."""
    return np.asarray(values, np.float64).reshape(len(values), -1)


def _absolute(gaps: np.ndarray, total) -> dict[str, float]:
    """The total of absolute mean gaps [tasks, bins], and its interval by resampled tasks."""
    means = Resampling(np.random.default_rng(0)).means(gaps)
    errors = total(np.abs(means), axis=-1)
    spread = errors[1:].std() if len(gaps) > 1 else float("nan")
    return {"mean": float(errors[0]), "ci95": float(1.96 * spread)}

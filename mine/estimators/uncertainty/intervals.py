"""From scores of held-out pairs to nats, an interval, and warnings."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mine.bounds import effective_sample_size, info_nce_ceiling
from mine.objective import read
from mine.reporting.tables import counted

REPLICATES = 100
"""Resamplings of the held-out scores from which the interval is made."""

MIN_EFFECTIVE_NEGATIVES = 30.0
"""Effective number of negatives below which a value is too noisy to trust."""


class Scores(NamedTuple):
    """Scores of held-out pairs ``joint`` [n] and of their negatives ``marginal`` [k, n].

    For InfoNCE ``joint`` holds each pair's term of the bound, and ``marginal`` is None.
    """

    joint: tf.Tensor
    marginal: tf.Tensor | None


def value(bound: str, scores: Scores) -> tf.Tensor:
    """The information that ``bound`` reads from ``scores``, in nats, []."""
    if scores.marginal is None:
        return tf.reduce_mean(scores.joint)
    return read(bound, scores.joint, scores.marginal)


@tf.function(reduce_retracing=True, autograph=False)
def replicates(bound: str, scores: Scores, seed) -> tf.Tensor:
    """Values on resampled pairs and derangements, [REPLICATES].

    A derangement pairs each held-out sample with another's y. A replicate draws pairs with
    replacement, each with its own negatives, and derangements with replacement: so no sample meets
    itself, as it could if samples were resampled first and then deranged.

    Args:
        bound: one of ``mine.bound_names.BOUNDS``.
        scores: of held-out pairs.
        seed: stateless seed [2].
    """

    def one(index):
        n = tf.shape(scores.joint)[0]
        key = tf.random.experimental.stateless_fold_in(seed, index)
        rows = tf.random.stateless_uniform([n], key, 0, n, tf.int32)
        joint = tf.gather(scores.joint, rows)
        if scores.marginal is None:
            return value(bound, Scores(joint, None))
        k = tf.shape(scores.marginal)[0]
        key = tf.random.experimental.stateless_fold_in(key, 1)
        drawn = tf.random.stateless_uniform([k], key, 0, k, tf.int32)
        marginal = tf.gather(tf.gather(scores.marginal, drawn), rows, axis=1)
        return value(bound, Scores(joint, marginal))

    return tf.map_fn(one, tf.range(REPLICATES), fn_output_signature=tf.float32)


def interval(nats: float, spread: np.ndarray) -> tuple[float, float]:
    """95 % interval, symmetric about ``nats``, from replicates [REPLICATES]."""
    width = 1.96 * float(np.std(spread, ddof=1))
    return nats - width, nats + width


def warnings(
    bound: str, nats: float, n: int, scores: Sequence[Scores], batch_size: int
) -> list[str]:
    """Reasons to doubt an estimate, each a sentence.

    Args:
        bound: one of ``mine.bound_names.BOUNDS``.
        nats: the estimate.
        n: how many samples there are.
        scores: of the held-out pairs of each fold.
        batch_size: B of InfoNCE.
    """
    found = []
    if bound == "smile":
        found.append(
            "SMILE is not a bound, since it clips the normalizer: the value can be too high."
        )
    if bound == "infonce":
        ceiling = info_nce_ceiling(batch_size)
        if nats > ceiling - 0.5:
            found.append(
                f"InfoNCE with batches of {batch_size} is at most {ceiling:.2f} nats, and the "
                "value is near that: use a larger batch_size, or bound='js'."
            )
        return found
    if nats > math.log(n) - 2:
        found.append(
            f"With {n} samples no bound is reliable near log n = {math.log(n):.1f} nats, and the "
            "value is near that: the information may be larger."
        )
    effective = min(float(effective_sample_size(fold.marginal)) for fold in scores)
    if effective < MIN_EFFECTIVE_NEGATIVES and bound != "smile":
        found.append(
            f"The normalizer E[exp T] rests on {counted(round(effective), 'effective negative')}: "
            "the value is noisy and can be too high; use more samples."
        )
    return found

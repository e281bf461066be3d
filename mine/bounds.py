"""Variational bounds on mutual information, as pure functions of critic scores.

A critic ``T(x, y)`` scores pairs. *Joint* scores come from pairs drawn together, *marginal* scores
from pairs drawn apart (negatives). Every bound returns a :class:`Bound` with two different numbers:
``surrogate`` is what an optimizer ascends, ``nats`` is the estimate of the information. They agree
for Donsker-Varadhan only; a training loss is not an estimate.

References: Belghazi et al. 2018 (MINE, arXiv 1801.04062); Nowozin et al. 2016 (f-GAN, arXiv
1606.00709); Poole et al. 2019 (arXiv 1905.06922).
"""

import math
from typing import NamedTuple

import tensorflow as tf


class Bound(NamedTuple):
    """What a bound gives: ``surrogate`` [] to ascend, ``nats`` [] to report."""

    surrogate: tf.Tensor
    nats: tf.Tensor


class Normalizer(NamedTuple):
    """State of the running estimate of E[exp T] that MINE divides its gradient by.

    Both fields are scalars in log space. ``log_sum`` is the log of the exponentially weighted sum
    of the batch means seen so far, ``log_weight`` the log of the weights' sum. Their difference is
    free of start-up bias: after one batch it *is* that batch's log-mean-exp.
    """

    log_sum: tf.Tensor
    log_weight: tf.Tensor

    @classmethod
    def initial(cls, dtype=tf.float32) -> "Normalizer":
        """The state before the first batch: nothing seen, weight zero."""
        empty = tf.constant(-math.inf, dtype)
        return cls(empty, empty)

    def update(self, log_mean: tf.Tensor, rate: float) -> "Normalizer":
        """Takes in one batch's log E[exp T] with weight ``rate``, in (0, 1]."""
        if not 0 < rate <= 1:
            raise ValueError(f"The rate of the running normaliser must be in (0, 1], not {rate}.")
        keep, take = math.log1p(-rate) if rate < 1 else -math.inf, math.log(rate)
        return Normalizer(
            _log_add(self.log_sum + keep, tf.stop_gradient(log_mean) + take),
            _log_add(self.log_weight + keep, tf.constant(take, self.log_weight.dtype)),
        )

    @property
    def log_value(self) -> tf.Tensor:
        """The log of the running mean of exp T, free of start-up bias."""
        return self.log_sum - self.log_weight


def _log_add(a, b):
    """log(exp a + exp b) that survives a = -inf (tf.reduce_logsumexp gives no NaN there)."""
    return tf.reduce_logsumexp(tf.stack([a, b]), axis=0)


def log_mean_exp(scores, axis=None) -> tf.Tensor:
    """log mean exp of ``scores`` over ``axis`` (all axes by default), in log space."""
    scores = tf.convert_to_tensor(scores)
    total = tf.reduce_logsumexp(scores, axis=axis)
    count = tf.size(scores) / tf.maximum(tf.size(total), 1)
    return total - tf.math.log(tf.cast(count, scores.dtype))


def donsker_varadhan(joint, marginal) -> Bound:
    """Donsker-Varadhan: E[T] - log E'[exp T] (MINE paper, eq. 4).

    Args:
        joint: scores of pairs drawn together, any shape.
        marginal: scores of negatives, any shape.
    """
    nats = tf.reduce_mean(joint) - log_mean_exp(marginal)
    return Bound(nats, nats)


def mine(joint, marginal, normalizer: Normalizer, rate: float = 0.01) -> tuple[Bound, Normalizer]:
    """MINE: the Donsker-Varadhan bound with its gradient's bias corrected (MINE paper, eq. 12).

    The gradient of log E'[exp T] is E'[exp T dT] / E'[exp T]; estimated on a mini-batch it is
    biased, so the denominator is replaced by a running mean over batches.

    Args:
        joint: scores of pairs drawn together, any shape.
        marginal: scores of negatives, any shape.
        normalizer: the running mean so far; :meth:`Normalizer.initial` at the start.
        rate: weight of the newest batch in the running mean.

    Returns:
        The bound, and the state of the running mean after this batch.
    """
    log_mean = log_mean_exp(marginal)
    normalizer = normalizer.update(log_mean, rate)
    # exp is safe: the running mean holds this batch with a weight of at least `rate`.
    surrogate = tf.reduce_mean(joint) - tf.exp(log_mean - normalizer.log_value)
    return Bound(surrogate, tf.reduce_mean(joint) - log_mean), normalizer


def jensen_shannon(joint, marginal) -> Bound:
    """Ascends the Jensen-Shannon divergence (f-GAN, table 2), which no outlier can blow up.

    Its best critic is the log density ratio, the same as Donsker-Varadhan's, so the information is
    read off by Donsker-Varadhan; the surrogate itself is not in nats of information.

    Args:
        joint: scores of pairs drawn together, any shape.
        marginal: scores of negatives, any shape.
    """
    surrogate = -tf.reduce_mean(tf.nn.softplus(-joint)) - tf.reduce_mean(tf.nn.softplus(marginal))
    return Bound(surrogate, donsker_varadhan(joint, marginal).nats)


def effective_sample_size(marginal) -> tf.Tensor:
    """How many negatives carry E'[exp T]: (sum w)^2 / sum w^2 with w = exp T, in [1, n].

    Near 1, one negative decides the value and no estimate that uses exp T can be trusted.
    """
    marginal = tf.reshape(marginal, [-1])
    return tf.exp(2 * tf.reduce_logsumexp(marginal) - tf.reduce_logsumexp(2 * marginal))

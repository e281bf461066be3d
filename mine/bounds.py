"""Variational bounds on mutual information, as pure functions of critic scores.

A critic ``T(x, y)`` scores pairs. *Joint* scores come from pairs drawn together, *marginal* scores
from pairs drawn apart (negatives). Every bound returns a :class:`Bound` with two different numbers:
``surrogate`` is what an optimizer ascends, ``nats`` is the estimate of the information. For some
bounds they are one number, for others not: a training loss is not an estimate.

========================== =================== ================ ==================================
function                   ascends             reads            best critic, r = p(x, y) / p(x)p(y)
========================== =================== ================ ==================================
:func:`donsker_varadhan`   Donsker-Varadhan    the same         log r + any constant
:func:`mine`               its gradient,       Donsker-Varadhan log r + any constant
                           bias corrected
:func:`nwj`                NWJ (MINE-f)        the same         log r + 1
:func:`jensen_shannon`     Jensen-Shannon      Donsker-Varadhan log r
:func:`smile`              (nothing)           SMILE, not a     log r
                                               bound
:func:`info_nce`           InfoNCE             the same, at     log r + any function of x
                                               most log B
========================== =================== ================ ==================================

References: Belghazi et al. 2018 (MINE, arXiv 1801.04062); Nowozin et al. 2016 (f-GAN, arXiv
1606.00709); van den Oord et al. 2018 (InfoNCE, arXiv 1807.03748); Poole et al. 2019 (arXiv
1905.06922); Song & Ermon 2020 (SMILE, arXiv 1910.06222).
"""

import math
from typing import NamedTuple

import tensorflow as tf

LINEAR_FROM = 70.0
"""Exponent from which :func:`nwj` replaces exp by its tangent: float32 ends at exp(88)."""


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

    def update(self, log_mean: tf.Tensor, momentum: float) -> "Normalizer":
        """Takes in one batch's log E[exp T] with weight ``1 - momentum``, momentum in [0, 1)."""
        check_momentum(momentum)
        keep, take = math.log(momentum) if momentum > 0 else -math.inf, math.log1p(-momentum)
        return Normalizer(
            _log_add(self.log_sum + keep, tf.stop_gradient(log_mean) + take),
            _log_add(self.log_weight + keep, tf.constant(take, self.log_weight.dtype)),
        )

    @property
    def log_value(self) -> tf.Tensor:
        """The log of the running mean of exp T, free of start-up bias."""
        return self.log_sum - self.log_weight


def check_momentum(momentum: float) -> None:
    """Checks the momentum of a running mean.

    Raises:
        ValueError: it is not in [0, 1).
    """
    if not 0 <= momentum < 1:
        raise ValueError(
            f"Invalid value for `momentum`: expected a number in [0, 1); received {momentum!r}."
        )


def _log_add(a, b):
    """log(exp a + exp b), for a = -inf too; few operations, as it runs at every step."""
    return tf.maximum(a, b) + tf.math.log1p(tf.exp(-tf.abs(a - b)))


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


def mine(
    joint, marginal, normalizer: Normalizer, momentum: float = 0.99
) -> tuple[Bound, Normalizer]:
    """MINE: the Donsker-Varadhan bound with its gradient's bias corrected (MINE paper, eq. 12).

    The gradient of log E'[exp T] is E'[exp T dT] / E'[exp T]; estimated on a mini-batch it is
    biased, so the denominator is replaced by a running mean over batches.

    Args:
        joint: scores of pairs drawn together, any shape.
        marginal: scores of negatives, any shape.
        normalizer: the running mean so far; :meth:`Normalizer.initial` at the start.
        momentum: weight of the past batches in the running mean, in [0, 1).

    Returns:
        The bound, and the state of the running mean after this batch.
    """
    log_mean = log_mean_exp(marginal)
    normalizer = normalizer.update(log_mean, momentum)
    # exp is safe: the running mean holds this batch with a weight of at least 1 - momentum.
    surrogate = tf.reduce_mean(joint) - tf.exp(log_mean - normalizer.log_value)
    return Bound(surrogate, tf.reduce_mean(joint) - log_mean), normalizer


def nwj(joint, marginal) -> Bound:
    """NWJ, also MINE-f or f-GAN KL: E[T] - E'[exp(T - 1)] (MINE paper, eq. 8).

    Linear in the expectation over negatives, so a lower bound on every batch, with a larger
    variance. Its best critic is one plus the log density ratio. Beyond ``LINEAR_FROM`` nats
    exp is continued by its tangent, which keeps value and gradient finite.

    Args:
        joint: scores of pairs drawn together, any shape.
        marginal: scores of negatives, any shape.
    """
    shifted = tf.convert_to_tensor(marginal) - 1
    bent = tf.minimum(shifted, LINEAR_FROM)
    weights = tf.exp(bent) * (1 + shifted - bent)
    nats = tf.reduce_mean(joint) - tf.reduce_mean(weights)
    return Bound(nats, nats)


def jensen_shannon(joint, marginal) -> Bound:
    """Ascends the Jensen-Shannon divergence (f-GAN, table 2), which is robust to outliers.

    Its best critic is the log density ratio, the same as Donsker-Varadhan's, so the information is
    read off by Donsker-Varadhan; the surrogate itself is not in nats of information.

    Args:
        joint: scores of pairs drawn together, any shape.
        marginal: scores of negatives, any shape.
    """
    surrogate = -tf.reduce_mean(tf.nn.softplus(-joint)) - tf.reduce_mean(tf.nn.softplus(marginal))
    return Bound(surrogate, donsker_varadhan(joint, marginal).nats)


def smile(joint, marginal, clip: float = 5.0) -> tf.Tensor:
    """SMILE's value: Donsker-Varadhan with the negatives' scores clipped (Song & Ermon 2020).

    A value only, and **not a bound**: clipping lowers the normalizer, so it can exceed the
    information. It is not an objective; train the critic by :func:`jensen_shannon`, as its authors
    do.

    Args:
        joint: scores of pairs drawn together, any shape.
        marginal: scores of negatives, any shape.
        clip: largest absolute score of a negative, in nats (tau in the paper, arXiv 1910.06222).

    Returns:
        Nats, [].
    """
    return tf.reduce_mean(joint) - log_mean_exp(tf.clip_by_value(marginal, -clip, clip))


def info_nce(scores) -> Bound:
    """InfoNCE: how well each x picks its own y out of a batch (van den Oord et al. 2018).

    E[T(x, y) - log mean over y' of exp T(x, y')], the batch's own pair included in the mean, so
    the value cannot exceed :func:`info_nce_ceiling`. Its critic is free up to any function of x:
    only this bound can read it, and Donsker-Varadhan of the same scores means nothing.

    Args:
        scores: of all pairs [B, B], the pairs drawn together on the diagonal.

    Raises:
        ValueError: ``scores`` is not square.
    """
    scores = tf.convert_to_tensor(scores)
    if scores.shape.rank != 2 or scores.shape[0] != scores.shape[1]:
        raise ValueError(
            "Invalid shape of `scores`: expected [B, B], the scores of all pairs; received "
            f"{list(scores.shape)}."
        )
    nats = tf.reduce_mean(tf.linalg.diag_part(scores) - log_mean_exp(scores, axis=1))
    return Bound(nats, nats)


def info_nce_ceiling(batch_size: int) -> float:
    """The largest value of :func:`info_nce`, log B nats."""
    return math.log(batch_size)


def split_pairs(scores) -> tuple[tf.Tensor, tf.Tensor]:
    """Scores of all pairs [B, B] -> joint [B] and marginal [B (B - 1)], without the diagonal.

    Raises:
        ValueError: ``scores`` is not square, or of a single pair.
    """
    scores = tf.convert_to_tensor(scores)
    size = scores.shape[0]
    if scores.shape.rank != 2 or size != scores.shape[1] or size < 2:
        raise ValueError(
            "Invalid shape of `scores`: expected [B, B] with B >= 2, the scores of all pairs; "
            f"received {list(scores.shape)}."
        )
    # Without its first entry, the flat matrix has the diagonal in every (B + 1)-th place.
    rest = tf.reshape(tf.reshape(scores, [-1])[1:], [size - 1, size + 1])[:, :-1]
    return tf.linalg.diag_part(scores), tf.reshape(rest, [-1])


def effective_sample_size(marginal) -> tf.Tensor:
    """How many negatives carry E'[exp T]: (sum w)^2 / sum w^2 with w = exp T, in [1, n].

    Near 1, one negative dominates the value, and estimates that use exp T are unreliable.
    """
    marginal = tf.reshape(marginal, [-1])
    return tf.exp(2 * tf.reduce_logsumexp(marginal) - tf.reduce_logsumexp(2 * marginal))

"""Bounds on the information of a model whose likelihood is known: nothing is trained.

References: Poole et al. 2019 (arXiv 1905.06922), InfoNCE and the leave-one-out bound, with the
tractable conditional in place of a critic.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from mine.bounds import log_mean_exp


class Sandwich(NamedTuple):
    """Lower and upper bound of one information, in nats, [...]."""

    lower: tf.Tensor
    upper: tf.Tensor


def plug_in(log_prob) -> Sandwich:
    """Sandwiches I(y; d | x) between two averages of the likelihood itself.

    With y_n drawn from q(y | x, d_n), the marginal q(y_n | x) is estimated by the mean over all
    d_m (a lower bound of the information, at most log N nats) and over all but d_n (an upper
    bound). Both bounds hold in expectation, for any N >= 2.

    Args:
        log_prob: log q(y_n | x, d_m), [N, N, ...]: first axis the sample, second the condition.

    Returns:
        :class:`Sandwich` of shape [...].

    Raises:
        ValueError: the first two axes differ, or are shorter than 2.
    """
    log_prob = tf.convert_to_tensor(log_prob)
    n, m = log_prob.shape[0], log_prob.shape[1]
    if n != m or n is None or n < 2:
        raise ValueError(
            "Invalid shape of `log_prob`: expected [n, n, ...] with n >= 2; received "
            f"{list(log_prob.shape)}."
        )
    mask_shape = [n, n] + [1] * (log_prob.shape.rank - 2)
    own = tf.reshape(tf.eye(n, dtype=log_prob.dtype), mask_shape)
    joint = tf.reduce_sum(tf.where(own > 0, log_prob, 0), axis=1)
    others = tf.where(own > 0, tf.constant(-math.inf, log_prob.dtype), log_prob)
    lower = joint - log_mean_exp(log_prob, axis=1)
    upper = joint - (tf.reduce_logsumexp(others, axis=1) - math.log(n - 1))
    return Sandwich(tf.reduce_mean(lower, 0), tf.reduce_mean(upper, 0))


def categorical(log_prob) -> tf.Tensor:
    """Exact I(y; d | x) for categories and d uniform over M conditions, in nats.

    The entropy of the mean minus the mean of the entropies (Jensen-Shannon divergence of the M
    predictions).

    Args:
        log_prob: normalized log-probabilities [M, ..., classes].

    Returns:
        [...], in [0, log M].
    """
    log_prob = tf.convert_to_tensor(log_prob)

    def entropy(logs):
        return -tf.reduce_sum(tf.math.multiply_no_nan(logs, tf.exp(logs)), axis=-1)

    mixture = log_mean_exp(log_prob, axis=0)
    return entropy(mixture) - tf.reduce_mean(entropy(log_prob), axis=0)


def plug_in_categories(log_prob) -> Sandwich:
    """:func:`plug_in` for categories: its expectation over y, in closed form.

    The lower bound is :func:`categorical`, exact for the N conditions at hand; where they are drawn
    from more, the information over all of them lies between the two in expectation.

    Args:
        log_prob: normalized log q(y | x, d_n), [N, ..., classes].

    Returns:
        :class:`Sandwich` of shape [...].

    Raises:
        ValueError: there are fewer than two conditions.
    """
    log_prob = tf.convert_to_tensor(log_prob)
    n = log_prob.shape[0]
    if n is None or n < 2:
        raise ValueError(
            "Invalid shape of `log_prob`: expected [n, ..., classes] with n >= 2 conditions; "
            f"received {list(log_prob.shape)}."
        )
    others = tf.stack(
        [log_mean_exp(tf.concat([log_prob[:i], log_prob[i + 1 :]], 0), axis=0) for i in range(n)]
    )
    upper = tf.reduce_sum(tf.math.multiply_no_nan(log_prob - others, tf.exp(log_prob)), axis=-1)
    return Sandwich(categorical(log_prob), tf.reduce_mean(upper, axis=0))

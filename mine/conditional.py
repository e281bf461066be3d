"""Conditional information I(y; d | x), four ways.

================== ============================================ ================================
function           what it needs                                what it gives
================== ============================================ ================================
:func:`chain_rule` samples of y, d, x                           a difference of two lower bounds:
                                                                no bound itself
:func:`direct`     a model that draws y for any d               a lower bound, by a critic
:func:`plug_in`    the model's likelihood                       a lower and an upper bound, with
                                                                nothing to train
:func:`categorical` probabilities of classes                    the exact value for the conditions
                                                                given; with more of them, bounds:
                                                                :func:`plug_in_categories`
================== ============================================ ================================

References: Poole et al. 2019 (arXiv 1905.06922), eq. 9 and 10 with the tractable conditional in
place of a critic; Mukherjee et al. 2020 (CCMI, arXiv 1906.01824) for the chain rule.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mine import samples
from mine.bounds import log_mean_exp
from mine.critics import Concatenated, Likelihood
from mine.crossfit import cross_fit
from mine.estimator import MINE, Estimate, summarize
from mine.options import Options
from mine.training import Pairs


def chain_rule(y, d, x, **options) -> Estimate:
    """I(y; d | x) = I(y; (d, x)) - I(y; x), from samples alone.

    Both terms are lower bounds, so their difference is no bound: what the first misses makes it too
    low, what the second misses makes it too high.

    Args:
        y: samples [n] or [n, dim_y].
        d: [n] or [n, dim_d].
        x: what to condition on, [n] or [n, dim_x].
        **options: the fields of :class:`mine.Options`.

    Returns:
        The estimate. Its interval adds the variances of the two terms; its curves are those of the
        first term, then those of the second.

    Raises:
        ValueError: as :class:`mine.MINE`.
    """
    checked = samples.check(y=y, d=d, x=x)
    y, d, x = checked["y"], checked["d"], checked["x"]
    both = MINE(**options).fit(y, np.concatenate([d, x], axis=-1)).estimate()
    without = MINE(**options).fit(y, x).estimate()
    nats = both.nats - without.nats
    width = math.hypot(both.nats - both.interval[0], without.nats - without.interval[0])
    return dataclasses.replace(
        both,
        nats=nats,
        interval=(nats - width, nats + width),
        ceiling=None,
        curves=both.curves + without.curves,
        warnings=tuple(dict.fromkeys(both.warnings + without.warnings)),
    )


def direct(y, d, x, others, log_prob: Callable | None = None, hidden=None, **options) -> Estimate:
    """I(y; d | x) by a critic of (d, x, y) against negatives that the model itself makes.

    A negative is a y' that the model drew at the *same* x from another d', so critic and bound see
    p(y | x, d) against p(y | x): the expectation over d' at fixed x. Nothing is subtracted, so the
    value is a lower bound as in :mod:`mine.bounds`.

    Args:
        y: drawn from q(y | x, d), [n] or [n, dim_y].
        d: [n] or [n, dim_d].
        x: [n] or [n, dim_x].
        others: [n, k, dim_y], k draws y' from q(y | x, d') for each x, with d' from p(d | x).
            Draws are cheap: above two nats 64 of them steady the value. A training step uses 64
            with ``log_prob`` and 16 without, unless ``negatives`` says otherwise.
        log_prob: ``log_prob(y, d, x)`` gives the model's log q(y | x, d) of TensorFlow tensors
            [..., features] whose leading axes broadcast. With it the critic is
            :class:`mine.Likelihood`, which learns the marginal only, and nothing is preprocessed;
            without, :class:`mine.Concatenated`.
        hidden: units of the critic's hidden layers; None for the default.
        **options: the fields of :class:`mine.Options` but ``critic``; not bound="infonce".

    Raises:
        ValueError: as :class:`mine.MINE`, or ``others`` does not fit ``y``.
    """
    checked = samples.check(y=y, d=d, x=x)
    others = np.asarray(others, np.float64)
    if any(value.ndim == 3 for value in checked.values()):
        raise ValueError("direct takes vectors, [n] or [n, features], not sets.")
    n, dim_y = checked["y"].shape
    if others.ndim != 3 or others.shape[0] != n or others.shape[2] != dim_y:
        raise ValueError(f"others must be [{n}, k, {dim_y}], not {list(others.shape)}.")
    if not np.isfinite(others).all():
        raise ValueError("others holds NaN or infinite values.")
    if not others.shape[1]:
        raise ValueError("others holds no draws: give at least one for each pair.")
    if options.get("bound") == "infonce" or options.get("negatives") == "all":
        raise ValueError("direct has its own negatives: use another bound, and a number of them.")
    if "critic" in options:
        raise ValueError("direct chooses its critic by log_prob: it takes hidden=, no critic=.")
    # With the likelihood a small marginal is all there is to learn.
    negatives = min(16 if log_prob is None else 64, others.shape[1])
    options = Options(**{"negatives": negatives} | options)
    kind = "none" if log_prob is not None else options.preprocess
    maps = {name: samples.Preprocessor(kind).fit(value) for name, value in checked.items()}
    ready = {name: samples.single(name, maps[name](value)) for name, value in checked.items()}
    negatives = np.moveaxis(samples.single("others", maps["y"](others)), 1, 0)
    pairs = Pairs((ready["d"], ready["x"]), ready["y"], tuple(negatives))

    def build(seed):
        if log_prob is None:
            return Concatenated(hidden, seed=seed)
        return _Anchored(log_prob, Likelihood(hidden or (32,), seed=seed))

    # The critic sees all inputs at once, so their dimensions add up.
    features = sum(value.shape[-1] for value in ready.values())
    fits = cross_fit(build, pairs, options.resolve(features))
    return summarize(fits, fits.scores, options.seed)


class _Anchored(keras.layers.Layer):
    """The likelihood critic as one of (d, x, y)."""

    def __init__(self, log_prob, critic):
        super().__init__()
        self.log_prob, self.critic = log_prob, critic

    def call(self, inputs, training=False):
        d, x, y = inputs
        return self.critic(self.log_prob(y, d, x), [y, x], training=training)


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
        raise ValueError(f"plug_in needs log_prob[n, n, ...] with n >= 2, not {log_prob.shape}.")
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
        log_prob: normalised log-probabilities [M, ..., classes].

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
        log_prob: normalised log q(y | x, d_n), [N, ..., classes].

    Returns:
        :class:`Sandwich` of shape [...].

    Raises:
        ValueError: there are fewer than two conditions.
    """
    log_prob = tf.convert_to_tensor(log_prob)
    n = log_prob.shape[0]
    if n is None or n < 2:
        raise ValueError(f"plug_in_categories needs two conditions or more, not {n}.")
    others = tf.stack(
        [log_mean_exp(tf.concat([log_prob[:i], log_prob[i + 1 :]], 0), axis=0) for i in range(n)]
    )
    upper = tf.reduce_sum(tf.math.multiply_no_nan(log_prob - others, tf.exp(log_prob)), axis=-1)
    return Sandwich(categorical(log_prob), tf.reduce_mean(upper, axis=0))

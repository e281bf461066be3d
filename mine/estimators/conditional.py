"""Conditional information I(y; d | x), four ways.

=================== =========================================== ================================
function            what it needs                               what it gives
=================== =========================================== ================================
:func:`chain_rule`  samples of y, d, x                          a difference of two lower bounds,
                                                                which is not a bound
:func:`direct`      a model that draws y for any d              a lower bound, by a critic
:func:`plug_in`     the model's likelihood                      a lower and an upper bound,
                                                                without training
:func:`categorical` probabilities of classes                    the exact value for the conditions
                                                                given; with more of them, bounds:
                                                                :func:`plug_in_categories`
=================== =========================================== ================================

References: Poole et al. 2019 (arXiv 1905.06922), InfoNCE and the leave-one-out bound, with the
tractable conditional in place of a critic; Mukherjee et al. 2020 (CCMI, arXiv 1906.01824) for the
chain rule.
"""

import math
from collections.abc import Callable

import keras
import numpy as np

from mine.critics import Concatenated, Likelihood
from mine.estimators import preprocessing
from mine.estimators.conversion import to_float64
from mine.estimators.cross_fitting import cross_fit
from mine.estimators.neural import MINE, summarize
from mine.estimators.options import Options
from mine.estimators.result import Estimate
from mine.estimators.training import Pairs


def chain_rule(y, d, x, **options) -> Estimate:
    """I(y; d | x) = I(y; (d, x)) - I(y; x), from samples alone.

    Both terms are lower bounds, so their difference is not a bound: it is too low by the gap of the
    first, and too high by the gap of the second.

    Args:
        y: samples [n] or [n, dim_y].
        d: [n] or [n, dim_d].
        x: what to condition on, [n] or [n, dim_x].
        **options: the fields of :class:`mine.Options`.

    Returns:
        The estimate. Its bound's interval adds the variances of the two terms. That of the
        information says nothing, since the difference is no bound: :func:`mine.estimate` measures
        it against nearest neighbours. The curves are those of the first term, then those of the
        second.

    Raises:
        ValueError: as :class:`mine.MINE`.
    """
    checked = preprocessing.check(y=y, d=d, x=x)
    y, d, x = checked["y"], checked["d"], checked["x"]
    both = MINE(**options).fit(y, np.concatenate([d, x], axis=-1)).estimate()
    without = MINE(**options).fit(y, x).estimate()
    nats = both.bound_nats - without.bound_nats
    width = math.hypot(*(term.bound_interval[1] - term.bound_nats for term in (both, without)))
    return Estimate(
        nats,
        (min(0.0, nats), math.inf),
        both.bound,
        both.samples,
        nats,
        (nats - width, nats + width),
        curves=both.curves + without.curves,
        warnings=tuple(dict.fromkeys(both.warnings + without.warnings)),
    )


def direct(y, d, x, others, log_prob: Callable | None = None, hidden=None, **options) -> Estimate:
    """I(y; d | x) by a critic of (d, x, y) against negatives that the model itself makes.

    A negative is a y' that the model drew at the *same* x from another d', so critic and bound see
    p(y | x, d) against p(y | x): the expectation over d' at fixed x. So the value
    is a lower bound as in :mod:`mine.bounds`.

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
    checked = preprocessing.check(y=y, d=d, x=x)
    others = to_float64("others", others)
    if any(value.ndim == 3 for value in checked.values()):
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in checked.items())
        raise ValueError(
            f"Invalid shape of samples: expected [n] or [n, features]; received {shapes}."
        )
    n, dim_y = checked["y"].shape
    if others.ndim != 3 or others.shape[0] != n or others.shape[2] != dim_y:
        raise ValueError(
            f"Invalid shape of `others`: expected [{n}, k, {dim_y}]; received {list(others.shape)}."
        )
    if not others.shape[1]:
        raise ValueError(
            "Invalid shape of `others`: expected at least one draw for each pair; received "
            f"{list(others.shape)}."
        )
    for name, refused in (("bound", "infonce"), ("negatives", "all")):
        if options.get(name) == refused:
            raise ValueError(
                f"Invalid value for `{name}`: expected one that does not compare all pairs of a "
                f"batch, since `others` holds the negatives; received {refused!r}."
            )
    if "critic" in options:
        raise ValueError(
            "Invalid argument `critic`: expected none, since `log_prob` decides on the critic; "
            f"received {options['critic']!r}; use `hidden` to size it."
        )
    # With the likelihood only a small marginal is learned.
    negatives = min(16 if log_prob is None else 64, others.shape[1])
    options = Options.of(**{"negatives": negatives} | options)
    kind = "none" if log_prob is not None else options.preprocess
    maps = {name: preprocessing.Preprocessor(kind).fit(value) for name, value in checked.items()}
    ready = {name: preprocessing.single(name, maps[name](value)) for name, value in checked.items()}
    negatives = np.moveaxis(preprocessing.single("others", maps["y"](others)), 1, 0)
    pairs = Pairs((ready["d"], ready["x"]), ready["y"], tuple(negatives))

    def build(seed):
        if log_prob is None:
            return Concatenated(hidden, seed=seed)
        return _LikelihoodCritic(log_prob, Likelihood(hidden or (32,), seed=seed))

    # The critic sees all inputs at once, so their dimensions add up.
    features = sum(value.shape[-1] for value in ready.values())
    fits = cross_fit(build, pairs, options.resolve(features))
    return summarize(fits, fits.scores, options.seed)


class _LikelihoodCritic(keras.layers.Layer):
    """The likelihood critic as one of (d, x, y)."""

    def __init__(self, log_prob, critic):
        super().__init__()
        self.log_prob, self.critic = log_prob, critic

    def call(self, inputs, training=False):
        d, x, y = inputs
        return self.critic(self.log_prob(y, d, x), [y, x], training=training)

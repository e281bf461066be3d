"""What nearest neighbours lack of the information: measured on samples like those given.

Samples of known information are drawn that are like those given: as many, with normal scores of the
same correlations, and as much information as is asked for, by a Student's t copula of as few
degrees of freedom as that takes (none, a normal copula, where correlation explains all of it). What
nearest neighbours lack of it is what they lack of the information of the given samples; but at
least what they gain on those by twice as many samples, since what they lack falls no faster than
the number of samples grows.

References: Arellano-Valle et al. 2013 (information of Student's t); Efron & Tibshirani 1993, ch. 10
(bias by simulation at the estimate); Gourieroux, Monfort & Renault 1993 (indirect inference: the
information at which simulated samples give what was found).
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize, special

from mine.estimators import classical
from mine.estimators.preprocessing import MIN_SAMPLES, Preprocessor

BUDGET = 300_000
"""Samples times the square of dimensions for nearest neighbours: a fraction of a second."""

MIN_COPIES = 10
"""Samples for each that differs from all before, from which on they are labels: counted, in effect,
so that simulated numbers say nothing of them."""

MAX_PARTS = 3
"""Parts of the samples, of that size each, for nearest neighbours."""

FEWEST, MOST = 0.05, 1e4
"""Degrees of freedom between Student's t of very heavy tails and the normal distribution."""


class Neighbours(NamedTuple):
    """What nearest neighbours say, all in nats.

    Attributes:
        nats: what they find, KSG.
        error: its standard error over samples.
        lacking: what they lack of the information, not negative.
    """

    nats: float
    error: float
    lacking: float


def measure(x, y, z=None, nats: float = 0.0, seed: int = 0) -> Neighbours:
    """Nearest neighbours on samples, and what they lack at the information that they point to.

    Args:
        x: [n, dim_x], any numbers; they are ranked.
        y: [n, dim_y].
        z: [n, dim_z], what to condition on; None for I(x; y).
        nats: the information as far as it is known, to begin with.
        seed: of the simulated samples.
    """
    arrays = [_independent(_ranked(part)) for part in (x, y, z) if part is not None]
    dims = [array.shape[1] for array in arrays]
    affordable = max(MIN_SAMPLES, BUDGET // sum(dims) ** 2)
    # The samples may be a time series: take them evenly.
    step = -(-len(arrays[0]) // affordable)
    parts = [[array[i::step] for array in arrays] for i in range(min(step, MAX_PARTS))]
    found = [classical.ksg(*part) for part in parts]
    mean = float(np.mean([of.nats for of in found]))
    error = math.hypot(*(of.error for of in found)) / len(found)

    distinct = [len(np.unique(part, axis=0)) for part in (np.hstack(arrays), *arrays)]
    if MIN_COPIES * distinct[0] <= len(arrays[0]):
        # The bias of counted frequencies, at most (Miller 1955).
        bias = sum(distinct) / (2 * len(arrays[0]))
        return Neighbours(mean, math.hypot(error, bias), 0.0)

    def lacking(value, salt):
        return _lacking(parts[0], value, np.random.default_rng([seed, salt]))

    # The information that is what is found and what is lacking at it: a step of the secant method.
    first = max(mean, nats, 0.0)
    at_first = lacking(first, 0)
    second = max(mean + at_first, 0.0)
    at_second = lacking(second, 1)
    slope = 0.0
    if abs(second - first) > 0.1:
        slope = float(np.clip((at_second - at_first) / (second - first), -1, 0.5))
        value = at_second + slope * (mean + at_second - second) / (1 - slope)
    else:
        value = (at_first + at_second) / 2
    halves = [classical.ksg(*(array[i::2] for array in parts[0])).nats for i in range(2)]
    gain = found[0].nats - float(np.mean(halves))
    return Neighbours(mean, error, max(float(value), gain, 0.0))


def _ranked(values):
    return Preprocessor("rank").fit(values)(values)


def _independent(values):
    """The columns that are no sums of others, which tell no more."""
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    triangle, order = linalg.qr(scaled, mode="r", pivoting=True)
    lengths = np.abs(np.diag(triangle))
    return values[:, np.sort(order[: int((lengths > 1e-9 * lengths[0]).sum())])]


def _lacking(arrays, nats, rng) -> float:
    """What nearest neighbours lack on simulated samples like these, of ``nats``."""
    n, dims = len(arrays[0]), [array.shape[1] for array in arrays]
    size = sum(dims)
    place = np.split(np.arange(size), np.cumsum(dims)[:-1])
    # Shrunk: x and y may share columns, and correlations of many columns are partly chance.
    shrinkage = min(1.0, 1e-6 + size / n)
    scale = (1 - shrinkage) * np.corrcoef(np.hstack(arrays), rowvar=False)
    scale += shrinkage * np.eye(size)
    x, y, *z = place
    z = z[0] if z else np.arange(0)
    # I(x; y | z) is a sum of four entropies, with these signs.
    blocks = [(1, np.r_[x, z]), (1, np.r_[y, z]), (-1, np.r_[x, y, z]), (-1, z)]
    linear = sum(sign * np.linalg.slogdet(scale[np.ix_(of, of)])[1] for sign, of in blocks) / 2
    df = degrees_of_freedom(nats - linear, [(sign, len(of)) for sign, of in blocks])
    samples = rng.standard_normal((n, size)) @ np.linalg.cholesky(scale).T
    samples /= np.sqrt(np.maximum(rng.chisquare(df, (n, 1)) / df, 1e-300))

    def log_density(of):  # Less the determinants, which are in ``linear``.
        values, k = samples[:, of], len(of)
        square = (values * np.linalg.solve(scale[np.ix_(of, of)], values.T).T).sum(axis=1)
        log_gammas = special.gammaln((df + k) / 2) - special.gammaln(df / 2)
        return log_gammas - (df + k) / 2 * np.log1p(square / df)

    # Of these samples: so their sampling error, which nearest neighbours share, cancels.
    own = linear - float(np.mean(sum(sign * log_density(of) for sign, of in blocks)))
    return own - classical.ksg(*(_ranked(samples[:, of]) for of in place)).nats


def degrees_of_freedom(nats: float, blocks) -> float:
    """Those of Student's t whose information is ``nats`` more than that of its correlations.

    Args:
        nats: at least 0; for less, the result is ``MOST``.
        blocks: (sign, dimensions) of the entropies whose sum is the information.
    """

    def more(logarithm):
        df = math.exp(logarithm)

        def entropy(k):
            half, a = df / 2, (df + k) / 2
            log_gammas = special.gammaln(half) - special.gammaln(a)
            return log_gammas + a * (special.digamma(a) - special.digamma(half))

        return sum(sign * entropy(k) for sign, k in blocks) - nats

    few, many = math.log(FEWEST), math.log(MOST)
    if more(many) >= 0:
        return MOST
    return math.exp(optimize.brentq(more, few, many)) if more(few) > 0 else FEWEST

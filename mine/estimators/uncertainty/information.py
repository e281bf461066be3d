"""From a bound to the information: an estimate, and an interval, of the information itself.

A critic's bound b has a sampling error s, and lacks d >= 0 of the information. How much it lacks
shows against nearest neighbours, which err in another way: their value, corrected by what they lack
of simulated samples (:mod:`mine.estimators.uncertainty.simulation`), is b + d up to an error u:

    prior       d ~ half-Cauchy with the scale of what critics lack where they succeed
    likelihood  corrected neighbours - b ~ N(d, u^2)
    u^2 = (error over samples)^2 + (share of the correction)^2

The estimate is b + the median of d. Its 95 % interval adds the squares of 1.96 s and of the
distance to the 2.5 % or 97.5 % quantile of d; above also that of the neighbours' distance from the
bound, since where a critic misses something, neighbours may miss more. A prior with a heavy tail
lets neighbours speak where they are exact, in few dimensions, and leaves the bound as it is where
they are not.

The prior has no mass at 0, where the information may be: the lower end is therefore no higher than
the higher of two that need no prior, that of the bound and that of neighbours without correction.

**At least.** No upper end is given, and the lower one is the bound's own, where neighbours exceed
the bound by so much that both may miss what there is, where most of their value is correction, and
above log n - 2 nats, where no method can tell (McAllester & Stratos 2020, arXiv 1811.04251).

Reference: Gelman 2006, "Prior distributions for variance parameters", for the half-Cauchy prior.
"""

import dataclasses
import math

import numpy as np

from mine.estimators.result import Estimate
from mine.estimators.uncertainty.simulation import Neighbours

CRITIC_SCALE = 2.0
"""Nats times the square root of the number of samples that a critic lacks where it succeeds: the
median of the prior."""

CORRECTION_SHARE = 0.15
"""Standard error of the correction of nearest neighbours, as a share of it."""

MAX_DISTANCE = 0.1
"""Nats above the bound's interval at which the critic has missed a structure."""

MAX_CORRECTION_SHARE = 0.5
"""Share of the corrected value that may be correction."""

LOG_N_MARGIN = 2.0
"""Nats below log n from which on no method is reliable."""

NEIGHBOURS_SPREAD = 1.3
"""Standard deviation of nearest neighbours over samples, over the one that takes their terms for
independent: 1.25 for 1,000 pairs of independent normal numbers."""

_GRID = (np.arange(2000) + 0.5) / 2000  # Probabilities: points of equal prior weight.


def lacked(distance: float, error: float, scale: float, bounded: bool) -> tuple:
    """The 2.5, 50 and 97.5 % quantiles of what a bound lacks of the information, in nats.

    Args:
        distance: of corrected nearest neighbours above the bound.
        error: standard error of the distance.
        scale: median of the prior.
        bounded: whether it cannot be negative, since the estimate is a lower bound; otherwise the
            prior is symmetric.
    """
    angle = np.pi / 2 * _GRID if bounded else np.pi * (_GRID - 0.5)
    points = scale * np.tan(angle)
    log_weights = -(((points - distance) / error) ** 2) / 2
    total = np.cumsum(np.exp(log_weights - log_weights.max()))
    places = np.searchsorted(total, total[-1] * np.array([0.025, 0.5, 0.975]))
    low, middle, high = points[places]
    return float(low), float(middle), float(high)


def complete(found: Estimate, neighbours: Neighbours, bounded: bool = True) -> Estimate:
    """``found`` with the estimate and the interval of the information in place of "at least".

    Args:
        found: an estimate whose ``nats`` are ``bound_nats``.
        neighbours: what nearest neighbours say of the same samples.
        bounded: whether it is a lower bound, up to its sampling error.
    """
    bound, (bound_low, bound_high) = found.bound_nats, found.bound_interval
    corrected = neighbours.nats + neighbours.lacking
    distance = corrected - bound
    error = math.hypot(neighbours.error, CORRECTION_SHARE * neighbours.lacking)
    scale = CRITIC_SCALE / math.sqrt(found.samples)
    low, middle, high = lacked(distance, max(error, 1e-6), scale, bounded)
    nats = bound + middle
    without_prior = max(bound_low, neighbours.nats - 1.96 * NEIGHBOURS_SPREAD * neighbours.error)
    ends = [
        min(nats - math.hypot(bound - bound_low, middle - low), without_prior),
        nats + math.hypot(bound_high - bound, high - middle, max(distance, 0.0)),
    ]
    reason = _no_upper_end(found, neighbours)
    if reason:
        ends = [min(bound_low, nats), math.inf]
    return dataclasses.replace(
        found,
        nats=nats,
        # Information is not negative; an estimate of it may be, and its interval holds it.
        interval=(min(max(ends[0], 0.0), nats), max(ends[1], 0.0)),
        warnings=(*found.warnings, *([reason] if reason else [])),
    )


def _no_upper_end(found: Estimate, neighbours: Neighbours) -> str | None:
    """Why the information may be much larger, a sentence; None if it may not."""
    corrected = neighbours.nats + neighbours.lacking
    most = max(corrected, found.bound_nats)
    low, high = found.bound_interval
    if most > math.log(found.samples) - LOG_N_MARGIN:
        why = f"with {found.samples} samples no method is reliable near log n"
    elif corrected > high + MAX_DISTANCE + (high - low) / 2:
        why = f"nearest neighbours point to {corrected:.2f} nats, more than was found"
    elif neighbours.lacking > MAX_CORRECTION_SHARE * max(corrected, MAX_DISTANCE):
        why = "most of what nearest neighbours point to is correction"
    else:
        return None
    return f"The interval has no upper end: {why}; the information may be larger."

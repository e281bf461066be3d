"""Estimates without training, as a second opinion: nearest neighbours, and a normal fit.

References: Kraskov, Stoegbauer & Grassberger 2004, "Estimating mutual information" (KSG, arXiv
cond-mat/0305641); Frenzel & Pompe 2007 (its conditional form); Gao, Kannan, Oh & Viswanath 2017
(samples that are equal, arXiv 1709.06212); Cover & Thomas 2006, ch. 8 (normal).
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg, special
from scipy.spatial import KDTree


class Classical(NamedTuple):
    """``nats`` and their standard error over samples, both floats."""

    nats: float
    error: float


def ksg(x, y, z=None, neighbours: int = 5) -> Classical:
    """Nearest neighbours: KSG eq. 8, and with ``z`` its conditional form (Frenzel & Pompe eq. 8).

    With e the distance of the k-th neighbour in the joint space, by the largest coordinate, and n
    the samples nearer than e, the sample itself included: psi(n_xyz) + <psi(n_z) - psi(n_xz) -
    psi(n_yz)>, where without z, n_z is the number of samples. Among numbers n_xyz is k. Where
    several samples are at distance e, as among rounded numbers, it is less, and where copies of the
    sample are at distance 0 it is their number: so labels, counts and mixtures of them with numbers
    need no other estimator (as in Gao et al. 2017, who count copies). Accurate in up to three
    dimensions and a few nats; too low beyond.

    Args:
        x: [n, dim_x]; coordinates should be of like scale.
        y: [n, dim_y].
        z: [n, dim_z], what to condition on; None for I(x; y).
        neighbours: k, the number of neighbours.

    Returns:
        The estimate. Its error takes the samples' terms for independent, which share neighbours:
        of 95 % intervals at 600 samples 82 to 96 in 100 hold the information, by distribution.
    """
    n = len(x)
    joint = np.concatenate([x, y] if z is None else [x, y, z], axis=1)
    distances = KDTree(joint).query(joint, neighbours + 1, p=np.inf, workers=-1)[0]
    # Nearer than the least positive number are the copies of a sample, all of them.
    radius = np.maximum(distances[:, -1], np.finfo(np.float64).tiny)
    nearer = (distances < radius[:, np.newaxis]).sum(axis=1)
    copied = nearer > neighbours
    nearer[copied] = _nearer(joint, radius, copied)

    def psi(*margin):
        return special.digamma(_nearer(np.concatenate(margin, axis=1), radius))

    if z is None:
        terms = special.digamma(nearer) + special.digamma(n) - psi(x) - psi(y)
    else:
        terms = special.digamma(nearer) + psi(z) - psi(x, z) - psi(y, z)
    return _mean(terms)


def _nearer(points, radius, of=slice(None)) -> np.ndarray:
    """How many points are nearer than ``radius`` [n] to each point ``of`` them, itself included."""
    centres, radius = points[of], radius[of]
    if points.shape[1] > 1:
        tree, upto = KDTree(points), np.nextafter(radius, 0)
        return tree.query_ball_point(centres, upto, p=np.inf, workers=-1, return_length=True)
    centres = centres[:, 0]
    # Differences are compared, as in the joint space: centre + radius is rounded, so that it would
    # be decided by chance whether the neighbour that the radius comes from is nearer than itself.
    known = np.append(np.sort(points[:, 0]), np.inf)
    return _first(known, lambda value: value - centres >= radius) - _first(
        known, lambda value: centres - value < radius
    )


def _first(known, holds) -> np.ndarray:
    """The first of sorted values for which ``holds``, as for all that follow, by bisection."""
    low, high = 0, len(known) - 1
    for _ in range(len(known).bit_length()):
        middle = (low + high) // 2
        there = holds(known[middle])
        low, high = np.where(there, low, middle + 1), np.where(there, middle, high)
    return high


def gaussian(x, y, z=None) -> Classical:
    """The information of a normal distribution with the samples' covariance: closed form.

    I(x; y | z) = -<log(1 - r^2)> / 2 summed over the canonical correlations r of what is left of x
    and y after linear regression on z. It sees linear dependence only.

    Args:
        x: [n, dim_x].
        y: [n, dim_y].
        z: [n, dim_z], what to condition on; None for I(x; y).

    Returns:
        The estimate, and its standard error: that of the mean pointwise information, and what the
        fit finds where there is none, 1 / 2n of a chi-square of as many degrees of freedom as there
        are pairs of coordinates.
    """
    n = len(x)
    x, y = _standard(x), _standard(y)
    if z is not None:
        known = _basis(_standard(z))
        x, y = x - known @ (known.T @ x), y - known @ (known.T @ y)
    x, y = _basis(x), _basis(y)
    left, r, right = np.linalg.svd(x.T @ y, full_matrices=False)
    x, y = np.sqrt(n) * x @ left, np.sqrt(n) * y @ right.T
    # The information of a copy is large, but finite.
    rest = np.maximum(1 - r**2, 1e-12)
    pairs = -np.log(rest) / 2 - (r**2 * (x**2 + y**2) - 2 * r * x * y) / (2 * rest)
    found, free = _mean(pairs.sum(axis=1)), x.shape[1] * y.shape[1]
    by_chance = np.sqrt(free**2 / 4 + free / 2) / n
    return found._replace(error=float(np.hypot(found.error, by_chance)))


def _standard(values):
    values = values / np.abs(values).max(axis=0)  # Squares of 1e200 overflow.
    return (values - values.mean(axis=0)) / values.std(axis=0)


def _basis(values):
    """An orthonormal basis of standardised columns: copies, sums and constants add nothing."""
    basis, lengths, _ = linalg.svd(values, full_matrices=False)
    n = len(values)
    return basis[:, lengths > n * np.finfo(np.float64).eps * np.sqrt(values.size)]


def _mean(terms) -> Classical:
    return Classical(float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(len(terms))))

"""Estimates without training, as a second opinion: nearest neighbours, and a normal fit.

References: Kraskov, Stoegbauer & Grassberger 2004, "Estimating mutual information" (KSG, arXiv
cond-mat/0305641); Frenzel & Pompe 2007 (its conditional form); Cover & Thomas 2006, ch. 8 (normal).
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

    With k neighbours in the joint space at the largest-coordinate distance e, and n(e) the points
    nearer than e in a margin: psi(k) + <psi(n_z) - psi(n_xz) - psi(n_yz)>, where without z, n_z is
    n. Accurate in up to three dimensions and a few nats; too low beyond.

    Args:
        x: [n, dim_x]; coordinates should be of like scale.
        y: [n, dim_y].
        z: [n, dim_z], what to condition on; None for I(x; y).
        neighbours: k, the number of neighbours.

    Returns:
        The estimate. Its error takes the samples' terms for independent.
    """
    n = len(x)
    parts = [x, y] if z is None else [x, y, z]
    joint = np.concatenate(parts, axis=1)
    distance = KDTree(joint).query(joint, neighbours + 1, p=np.inf, workers=-1)[0][:, -1]
    # Copies of a sample are at distance zero: all of them are its neighbours (Gao et al. 2017).
    copies = distance == 0
    k = np.full(n, float(neighbours))
    if copies.any():
        k[copies] = _count(joint, np.zeros(n))[copies] - 1
    # Strictly nearer than the k-th neighbour, and for copies at distance zero.
    radius = np.where(copies, 0.0, np.nextafter(distance, 0))

    def psi(*margin):
        return special.digamma(_count(np.concatenate(margin, axis=1), radius))

    if z is None:
        terms = special.digamma(k) + special.digamma(n) - psi(x) - psi(y)
    else:
        terms = special.digamma(k) + psi(z) - psi(x, z) - psi(y, z)
    return _mean(terms)


def _count(points, radius) -> np.ndarray:
    """Points within ``radius`` [n] of each point, itself included."""
    if points.shape[1] == 1:
        known = np.sort(points[:, 0])
        upto = np.searchsorted(known, points[:, 0] + radius, "right")
        return upto - np.searchsorted(known, points[:, 0] - radius, "left")
    tree = KDTree(points)
    return tree.query_ball_point(points, radius, p=np.inf, workers=-1, return_length=True)


def gaussian(x, y, z=None) -> Classical:
    """The information of a normal distribution with the samples' covariance: closed form.

    I(x; y | z) = (log det S_xz + log det S_yz - log det S_z - log det S_xyz) / 2. It sees linear
    dependence only.

    Args:
        x: [n, dim_x].
        y: [n, dim_y].
        z: [n, dim_z], what to condition on; None for I(x; y).

    Returns:
        The estimate, and the standard error of the mean pointwise information.
    """
    z = np.zeros((len(x), 0)) if z is None else z

    def log_density(*parts):
        # Up to constants, which cancel in the sum below.
        values = np.concatenate(parts, axis=1)
        if not values.shape[1]:
            return np.zeros(len(values))
        values = values / np.abs(values).max(axis=0)  # Squares of 1e200 overflow.
        values = (values - values.mean(axis=0)) / values.std(axis=0)
        covariance = values.T @ values / len(values)
        variances, axes = linalg.eigh(covariance)
        # A direction without variance is a copy of others: its information is large, but finite.
        variances = np.maximum(variances, variances[-1] * 1e-12)
        return -0.5 * (np.log(variances).sum() + ((values @ axes) ** 2 / variances).sum(axis=1))

    return _mean(log_density(x, y, z) + log_density(z) - log_density(x, z) - log_density(y, z))


def _mean(terms) -> Classical:
    return Classical(float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(len(terms))))

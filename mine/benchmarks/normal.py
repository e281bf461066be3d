"""Normal and Student-t tasks: information in closed form."""

import dataclasses
import math

import numpy as np
from scipy import special

from mine.benchmarks.task import BEYOND_NORMAL, Task, positive
from mine.reporting.tables import counted

MAX_NATS_PER_FEATURE = 15
"""Largest information of a pair of features: 1 - rho^2, here 1e-13, has three digits left."""


def multinormal(covariance, dim_x: int) -> Task:
    """Jointly normal x and y: I = (log det S_x + log det S_y - log det S) / 2.

    Args:
        covariance: S of x and y side by side, [dim_x + dim_y, dim_x + dim_y].
        dim_x: how many of its rows are x.

    Raises:
        ValueError: ``covariance`` is not one, or leaves no row for x or y.
    """
    covariance, factor = _covariance(covariance, dim_x)

    def log_det(matrix):
        return float(np.linalg.slogdet(matrix)[1])

    def draw(n, rng):
        both = rng.standard_normal((n, len(factor))) @ factor.T
        return both[:, :dim_x], both[:, dim_x:]

    dim_y = len(factor) - dim_x
    margins = log_det(covariance[:dim_x, :dim_x]) + log_det(covariance[dim_x:, dim_x:])
    nats = (margins - log_det(covariance)) / 2
    source = "log-determinants of the covariance, Cover & Thomas, chapter 8"
    return Task(f"normal-{dim_x}x{dim_y}", dim_x, dim_y, nats, source, draw)


def bivariate_normal(rho: float) -> Task:
    """Normal x and y with correlation ``rho``: I = -log(1 - rho^2) / 2.

    Args:
        rho: correlation, inside (-1, 1).

    Raises:
        ValueError: ``rho`` is outside.
    """
    source = f"{BEYOND_NORMAL}: bivariate normal"
    return dataclasses.replace(dense(1, 1, rho), name="normal-1x1", source=source)


def dense(dim_x: int, dim_y: int, rho: float) -> Task:
    """Normal x and y all of whose features, within x and y too, are correlated by ``rho``.

    Only the sums of x and of y are dependent: I = -log(1 - r^2) / 2 with their correlation r.

    Args:
        dim_x: features of x.
        dim_y: features of y.
        rho: correlation, inside (-1 / (dim_x + dim_y - 1), 1).

    Raises:
        ValueError: no distribution has these parameters.
    """
    size = positive("dim_x", dim_x) + positive("dim_y", dim_y)
    task = multinormal((1 - rho) * np.eye(size) + rho, dim_x)
    source = f"{BEYOND_NORMAL}: multivariate normal with dense interactions"
    return dataclasses.replace(task, name=f"dense-{dim_x}x{dim_y}", source=source)


def sparse(dim_x: int, dim_y: int, pairs: int, rho: float) -> Task:
    """Normal x and y where only x_i and y_i for i < ``pairs`` are correlated.

    I = -pairs * log(1 - rho^2) / 2. A latent variable of weight 2 in both, besides unit noise, as
    in the paper, is ``rho = 0.8``.

    Args:
        dim_x: features of x.
        dim_y: features of y.
        pairs: how many pairs are correlated, at most the smaller dimension.
        rho: their correlation, inside (-1, 1).

    Raises:
        ValueError: no distribution has these parameters.
    """
    size = positive("dim_x", dim_x) + positive("dim_y", dim_y)
    if not 0 <= pairs <= min(dim_x, dim_y):
        raise ValueError(
            f"Invalid value for `pairs`: expected an integer in [0, {min(dim_x, dim_y)}]; received "
            f"{pairs}."
        )
    correlation = np.eye(size)
    x = np.arange(pairs)
    correlation[x, dim_x + x] = correlation[dim_x + x, x] = rho
    task = multinormal(correlation, dim_x)
    source = f"{BEYOND_NORMAL}: multivariate normal with sparse interactions (2-pair)"
    return dataclasses.replace(task, name=f"sparse-{dim_x}x{dim_y}", source=source)


def gaussian(dim: int, nats: float) -> Task:
    """Normal x and y of a given information, shared equally by ``dim`` correlated pairs.

    rho = sqrt(1 - exp(-2 nats / dim)) in each pair.

    Args:
        dim: features of x, and of y.
        nats: total information, from 0 to :data:`MAX_NATS_PER_FEATURE` for each pair.

    Raises:
        ValueError: ``dim`` or ``nats`` is out of range.
    """
    positive("dim", dim)
    if not 0 <= nats <= MAX_NATS_PER_FEATURE * dim:
        raise ValueError(
            f"Invalid value for `nats`: expected a number in [0, {MAX_NATS_PER_FEATURE * dim}] for "
            f"dim={dim}; received {nats}."
        )
    task = sparse(dim, dim, dim, math.sqrt(-math.expm1(-2 * nats / dim)))
    source = "Belghazi et al. 2018 (MINE, arXiv 1801.04062), experiments: multivariate Gaussians"
    return dataclasses.replace(task, name=f"gaussian-{dim}x{dim}", nats=float(nats), source=source)


def student(dim_x: int, dim_y: int, df: float, dispersion=None) -> Task:
    """Student-t x and y: heavy tails, and information even where nothing is correlated.

    x and y are jointly normal with covariance ``dispersion``, divided by one and the same
    sqrt(chi^2 / df). I is that of the normal plus c(df, dim_x, dim_y), the sum of the entropies of
    x and y minus the joint one. With h = df / 2 and a(k) = h + k / 2 each entropy is, but for terms
    that cancel, -log Gamma(a) + log Gamma(h) + a (psi(a) - psi(h)).

    Args:
        dim_x: features of x.
        dim_y: features of y.
        df: degrees of freedom, any positive number; 1 is Cauchy.
        dispersion: [dim_x + dim_y, dim_x + dim_y]; the identity by default, as in the paper.

    Raises:
        ValueError: ``df`` is not positive and finite, or ``dispersion`` is not a
            covariance of that size.
    """
    size = positive("dim_x", dim_x) + positive("dim_y", dim_y)
    if not 0 < df < math.inf:
        raise ValueError(
            f"Invalid value for `df`: expected a positive, finite number; received {df}."
        )
    normal = multinormal(np.eye(size) if dispersion is None else dispersion, dim_x)
    if normal.dim_y != dim_y:
        raise ValueError(
            f"Invalid shape of `dispersion`: expected [{size}, {size}] for {dim_x} + {dim_y} "
            f"features; received {list(np.shape(dispersion))}."
        )

    def entropy(k):
        half, a = df / 2, (df + k) / 2
        log_gammas = special.gammaln(half) - special.gammaln(a)
        return log_gammas + a * (special.digamma(a) - special.digamma(half))

    def draw(n, rng):
        x, y = normal.draw(n, rng)
        scale = np.sqrt(rng.chisquare(df, (n, 1)) / df)
        return x / scale, y / scale

    correction = entropy(dim_x) + entropy(dim_y) - entropy(size)
    return Task(
        f"student-{dim_x}x{dim_y}-df{df:g}",
        dim_x,
        dim_y,
        float(normal.nats + correction),
        f"{BEYOND_NORMAL}: Student-t; Arellano-Valle et al. 2013, entropy of the multivariate t",
        draw,
    )


def _covariance(matrix, dim_x):
    """The matrix as float64 and its Cholesky factor, checked."""
    matrix = np.asarray(matrix, np.float64)
    size = len(matrix) if matrix.ndim else 0
    if matrix.shape != (size, size) or not np.allclose(matrix, matrix.T):
        raise ValueError(
            "Invalid value for `covariance`: expected a square, symmetric matrix; received one of "
            f"shape {list(matrix.shape)}."
        )
    if not 0 < dim_x < size:
        raise ValueError(
            f"Invalid value for `dim_x`: expected an integer in [1, {size - 1}] for a covariance "
            f"of {counted(size, 'row')}; received {dim_x}."
        )
    try:
        return matrix, np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise ValueError(
            "Invalid value for `covariance`: expected a positive definite matrix; received one "
            "that is not."
        ) from None

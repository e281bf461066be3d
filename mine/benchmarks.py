"""Joint distributions whose mutual information is known: to test estimators against the truth.

A :class:`Task` draws pairs and knows their information in nats. Factories make tasks of any size
from a few families, and :data:`TASKS` holds fourteen of them, small enough for neural estimators.
:class:`LinearGaussian` is the same for conditional information. Only numpy and scipy are needed.

Most tasks rest on one fact: information does not change under one-to-one maps of x and of y, so a
normal distribution, whose information is known, can be made heavy-tailed, bimodal or twisted.

References: Czyz et al. 2023, "Beyond Normal" (arXiv 2306.11078), whose parameters are followed;
Arellano-Valle et al. 2013, "Shannon Entropy and Mutual Information for Multivariate Skew-Elliptical
Distributions".
"""

import dataclasses
import math
import operator
from collections.abc import Callable

import numpy as np
from scipy import special

BEYOND_NORMAL = "Czyz et al. 2023 (arXiv 2306.11078)"

MOST_NATS = 15
"""Most information of a pair of features: 1 - rho^2, here 1e-13, has three digits left."""

Map = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Task:
    """A joint distribution of x and y, and its mutual information.

    Attributes:
        name: letters, digits, dots and hyphens.
        dim_x: features of x.
        dim_y: features of y.
        nats: the true I(x; y).
        source: where the truth and the parameters stand.
        draw: ``draw(n, rng)`` gives x [n, dim_x] and y [n, dim_y]; use :meth:`sample`.
    """

    name: str
    dim_x: int
    dim_y: int
    nats: float
    source: str
    draw: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]] = dataclasses.field(
        repr=False
    )

    def sample(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws ``n`` independent pairs: x [n, dim_x] and y [n, dim_y], float64.

        Args:
            n: how many, at least 1.
            seed: an integer; the same one gives the same pairs.

        Raises:
            ValueError: ``n`` is less than 1, or ``seed`` is negative.
        """
        return self.draw(_positive("n", n), _generator(seed))


# -- normal and Student-t -------------------------------------------------------------------------


def multinormal(covariance, dim_x: int) -> Task:
    """Jointly normal x and y: I = (log det S_x + log det S_y - log det S) / 2.

    Args:
        covariance: S of x and y side by side, [dim_x + dim_y, dim_x + dim_y].
        dim_x: how many of its rows are x.

    Raises:
        ValueError: ``covariance`` is none, or leaves no row for x or y.
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

    Only the sums of x and of y tell of each other: I = -log(1 - r^2) / 2 with their correlation r.

    Args:
        dim_x: features of x.
        dim_y: features of y.
        rho: correlation, inside (-1 / (dim_x + dim_y - 1), 1).

    Raises:
        ValueError: there is no such distribution.
    """
    size = _positive("dim_x", dim_x) + _positive("dim_y", dim_y)
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
        ValueError: there is no such distribution.
    """
    size = _positive("dim_x", dim_x) + _positive("dim_y", dim_y)
    if not 0 <= pairs <= min(dim_x, dim_y):
        raise ValueError(f"pairs must be in 0..{min(dim_x, dim_y)}, not {pairs}.")
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
        nats: total information, from 0 to :data:`MOST_NATS` for each pair.

    Raises:
        ValueError: ``dim`` or ``nats`` is out of range.
    """
    _positive("dim", dim)
    if not 0 <= nats <= MOST_NATS * dim:
        raise ValueError(f"nats must be in [0, {MOST_NATS * dim}] for dim {dim}, not {nats}.")
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
        ValueError: ``df`` is not positive and finite, or ``dispersion`` no covariance of that size.
    """
    size = _positive("dim_x", dim_x) + _positive("dim_y", dim_y)
    if not 0 < df < math.inf:
        raise ValueError(f"df must be positive and finite, not {df}.")
    normal = multinormal(np.eye(size) if dispersion is None else dispersion, dim_x)
    if normal.dim_y != dim_y:
        raise ValueError(f"dispersion must be [{size}, {size}] for {dim_x} + {dim_y} features.")

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


# -- one-to-one maps ------------------------------------------------------------------------------


def transformed(task: Task, name: str, map_x: Map, map_y: Map, source: str) -> Task:
    """A task seen through one-to-one maps of x and of y, which leave the information as it is.

    Args:
        task: the task to map.
        name: put before the task's own.
        map_x: [n, dim_x] -> [n, any], one-to-one; this cannot be checked.
        map_y: [n, dim_y] -> [n, any], one-to-one.
        source: of the maps.
    """

    def draw(n, rng):
        x, y = task.draw(n, rng)
        return map_x(x), map_y(y)

    x, y = draw(1, _generator(0))
    return Task(f"{name}-{task.name}", x.shape[1], y.shape[1], task.nats, source, draw)


def half_cube(task: Task) -> Task:
    """Features t become t sqrt|t|: longer tails."""

    def stretch(t):
        return t * np.sqrt(np.abs(t))

    source = f"{BEYOND_NORMAL}, figure 1: half-cube map"
    return transformed(task, "half-cube", stretch, stretch, source)


def asinh(task: Task) -> Task:
    """Features t become asinh(t): shorter tails, for Student-t."""
    return transformed(task, "asinh", np.arcsinh, np.arcsinh, f"{BEYOND_NORMAL}: asinh map")


def normal_cdf(task: Task) -> Task:
    """Features t become Phi(t): uniform on (0, 1), if they were standard normal."""
    source = f"{BEYOND_NORMAL}, figure 1: normal CDF"
    return transformed(task, "normal-cdf", special.ndtr, special.ndtr, source)


def wiggly(task: Task) -> Task:
    """Features are stretched and squeezed by turns: t plus sines too weak to make it fall."""

    def wiggle_x(t):
        return t + 0.4 * np.sin(t) + 0.2 * np.sin(1.7 * t + 1) + 0.03 * np.sin(3.3 * t - 2.5)

    def wiggle_y(t):
        return (
            t - 0.4 * np.sin(0.4 * t) + 0.17 * np.sin(1.3 * t + 3.5) + 0.02 * np.sin(4.3 * t - 2.5)
        )

    return transformed(task, "wiggly", wiggle_x, wiggle_y, f"{BEYOND_NORMAL}: wiggly map")


def spiral(task: Task, speed: float = 1.0) -> Task:
    """Turns x and y by angles that grow with their squared norms, so that lines become spirals.

    x turns by ``speed / dim_x * |x|^2`` in the plane of its first two features, y likewise of its
    last two. A rotation keeps the norm, so turning back undoes it.

    Args:
        task: with at least two features of x and of y.
        speed: radians for a squared norm that is one per feature.

    Raises:
        ValueError: x or y has one feature only.
    """
    if min(task.dim_x, task.dim_y) < 2:
        raise ValueError(f"spiral needs at least 2 features of x and of y; {task.name} has fewer.")

    def turn(t, first, second):
        angle = speed / t.shape[1] * np.sum(t**2, axis=1)
        a, b = t[:, first], t[:, second]
        turned = t.copy()
        turned[:, first] = np.cos(angle) * a - np.sin(angle) * b
        turned[:, second] = np.sin(angle) * a + np.cos(angle) * b
        return turned

    source = f"{BEYOND_NORMAL}: spiral diffeomorphism"
    return transformed(task, "spiral", lambda x: turn(x, 0, 1), lambda y: turn(y, -2, -1), source)


def swiss_roll(rho: float) -> Task:
    """Rolls a uniform x up in the plane: x [n, 2], y [n, 1] uniform, normal copula of ``rho``.

    x = (t cos t, t sin t) / 21 with t = 3 pi (1 + 2 u) / 2 and u uniform. Dimensions differ and x
    fills a curve only, so x has no density.

    Args:
        rho: correlation of the normal variables beneath, inside (-1, 1).

    Raises:
        ValueError: ``rho`` is outside.
    """

    def roll(x):
        t = 1.5 * np.pi * (1 + 2 * special.ndtr(x))
        return np.concatenate([t * np.cos(t), t * np.sin(t)], axis=1) / 21

    source = f"{BEYOND_NORMAL}, figure 1: Swiss roll embedding"
    task = transformed(bivariate_normal(rho), "swiss-roll", roll, special.ndtr, source)
    return dataclasses.replace(task, name="swiss-roll-2x1")


def bimodal(rho: float) -> Task:
    """Two modes in x and in y: normal copula of ``rho``, mixtures of two normals as margins.

    x is 0.3 N(0, 1) + 0.7 N(5, 1), y is 0.5 N(-1, 1) + 0.5 N(3, 1).

    Args:
        rho: correlation of the normal variables beneath, inside (-1, 1).

    Raises:
        ValueError: ``rho`` is outside.
    """
    task = transformed(
        bivariate_normal(rho),
        "bimodal",
        lambda x: _to_mixture(x, weights=(0.3, 0.7), means=(0.0, 5.0)),
        lambda y: _to_mixture(y, weights=(0.5, 0.5), means=(-1.0, 3.0)),
        f"{BEYOND_NORMAL}, figure 1: inverse CDF of a mixture of two normals",
    )
    return dataclasses.replace(task, name="bimodal-1x1")


def _to_mixture(normal, weights, means):
    """The increasing map that makes standard normal features a mixture of unit normals.

    Solves F(t) = Phi(z) by bisection, F the mixture's CDF.
    """
    target = special.ndtr(normal)
    # F lies between the CDFs of its outermost components, and so does its inverse.
    low, high = normal + min(means), normal + max(means)
    for _ in range(60):  # 2^-60 of the bracket: below the rounding of float64.
        middle = (low + high) / 2
        cdf = sum(w * special.ndtr(middle - m) for w, m in zip(weights, means, strict=True))
        low, high = np.where(cdf < target, middle, low), np.where(cdf < target, high, middle)
    return (low + high) / 2


# -- without a normal beneath ---------------------------------------------------------------------


def additive_noise(epsilon: float) -> Task:
    """x uniform on (0, 1), y = x + e with e uniform on (-epsilon, epsilon).

    The density of y is a trapezoid. Its entropy less log(2 epsilon), that of e, is I = epsilon -
    log(2 epsilon) for epsilon <= 1/2, and 1 / (4 epsilon) beyond.

    Args:
        epsilon: half the width of the noise, positive and finite.

    Raises:
        ValueError: it is not.
    """
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon must be positive and finite, not {epsilon}.")

    def draw(n, rng):
        x = rng.uniform(size=(n, 1))
        return x, x + rng.uniform(-epsilon, epsilon, (n, 1))

    nats = epsilon - math.log(2 * epsilon) if epsilon <= 0.5 else 1 / (4 * epsilon)
    source = f"{BEYOND_NORMAL}: uniform margins and additive noise"
    return Task(f"additive-{epsilon:g}", 1, 1, nats, source, draw)


# -- conditional information ----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class LinearGaussian:
    """y = x + d + sigma e with x, d and e standard normal and independent, ``dim`` features each.

    I(y; d | x) = dim / 2 log(1 + 1 / sigma^2). An estimator that ignores x finds I(y; d), the
    smaller dim / 2 log(1 + 1 / (1 + sigma^2)).

    Attributes:
        dim: features.
        sigma: standard deviation of the noise.

    Raises:
        ValueError: ``dim`` is less than 1, or ``sigma`` not positive and finite.
    """

    dim: int
    sigma: float

    def __post_init__(self):
        _positive("dim", self.dim)
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma must be positive and finite, not {self.sigma}.")

    @property
    def nats(self) -> float:
        """The true I(y; d | x)."""
        return self.dim / 2 * math.log1p(self.sigma**-2)

    def sample(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws ``n`` independent triples: y, d and x, each [n, dim], float64.

        Args:
            n: how many, at least 1.
            seed: an integer; the same one gives the same triples.

        Raises:
            ValueError: ``n`` is less than 1, or ``seed`` is negative.
        """
        shape = (3, _positive("n", n), self.dim)
        x, d, noise = _generator(seed).standard_normal(shape)
        return x + d + self.sigma * noise, d, x

    def log_prob(self, y, d, x) -> np.ndarray:
        """log p(y | d, x) of arrays [..., dim] that broadcast against each other: [...]."""
        error = (np.asarray(y) - d - x) / self.sigma
        log_scale = self.dim * math.log(self.sigma * math.sqrt(2 * math.pi))
        return -0.5 * np.sum(error**2, axis=-1) - log_scale


def linear_gaussian(dim: int, nats: float) -> LinearGaussian:
    """The :class:`LinearGaussian` whose I(y; d | x) is ``nats``.

    Args:
        dim: features, at least 1.
        nats: above 0, up to :data:`MOST_NATS` for each feature.

    Raises:
        ValueError: ``dim`` or ``nats`` is out of range.
    """
    _positive("dim", dim)
    if not 0 < nats <= MOST_NATS * dim:
        raise ValueError(f"nats must be in (0, {MOST_NATS * dim}] for dim {dim}, not {nats}.")
    return LinearGaussian(dim, math.expm1(2 * nats / dim) ** -0.5)


# -- helpers --------------------------------------------------------------------------------------


def _generator(seed):
    # operator.index refuses None, of which numpy would make a seed that differs each time.
    return np.random.default_rng(operator.index(seed))


def _positive(name, value):
    if operator.index(value) < 1:
        raise ValueError(f"{name} must be at least 1, not {value}.")
    return value


def _covariance(matrix, dim_x):
    """The matrix as float64 and its Cholesky factor, once it is sure to be a covariance."""
    matrix = np.asarray(matrix, np.float64)
    size = len(matrix) if matrix.ndim else 0
    if matrix.shape != (size, size) or not np.allclose(matrix, matrix.T):
        raise ValueError(
            f"The covariance must be a square, symmetric matrix of numbers, not {matrix.shape}."
        )
    if not 0 < dim_x < size:
        raise ValueError(f"dim_x must be in 1..{size - 1} for {size} rows, not {dim_x}.")
    try:
        return matrix, np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise ValueError("This is no covariance: it is not positive definite.") from None


# -- the registry ----------------------------------------------------------------------------------

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        bivariate_normal(0.75),
        gaussian(5, 2.0),
        dense(3, 3, 0.5),
        sparse(5, 5, 2, 0.8),
        student(1, 1, 1),
        student(2, 2, 2),
        half_cube(sparse(3, 3, 2, 0.8)),
        asinh(student(1, 1, 1)),
        wiggly(bivariate_normal(0.75)),
        swiss_roll(0.75),
        spiral(sparse(3, 3, 2, 0.8)),
        additive_noise(0.1),
        additive_noise(0.75),
        bimodal(0.75),
    )
}
"""Fourteen tasks, name -> :class:`Task`."""

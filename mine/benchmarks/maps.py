"""Tasks seen through one-to-one maps of x and of y, which leave their information as it is."""

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy import special

from mine.benchmarks.normal import bivariate_normal
from mine.benchmarks.task import BEYOND_NORMAL, Task, generator

Map = Callable[[np.ndarray], np.ndarray]


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

    x, y = draw(1, generator(0))
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
        raise ValueError(
            "Invalid value for `task`: expected at least 2 features of x and of y; received "
            f"{task.name} with {task.dimensions}."
        )

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

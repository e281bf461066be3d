"""Conditional information in closed form: the linear-Gaussian problem."""

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

from mine.benchmarks.normal import MAX_NATS_PER_FEATURE
from mine.benchmarks.task import generator, positive


@dataclasses.dataclass(frozen=True)
class LinearGaussian:
    """y = x + weight d + sigma e; x, d, e independent and standard normal, ``dim`` features each.

    I(y; d | x) = dim / 2 log(1 + (weight / sigma)^2), by the entropies of normal y given x,
    and given x and d. An estimator that ignores x finds I(y; d), which is smaller.

    Attributes:
        dim: features.
        sigma: standard deviation of the noise.
        weight: weight of d; 0 for a y that ignores d.

    Raises:
        ValueError: ``dim`` is less than 1, ``sigma`` not positive and finite, or ``weight`` not
            finite.
    """

    dim: int
    sigma: float
    weight: float = 1.0

    def __post_init__(self):
        positive("dim", self.dim)
        if not 0 < self.sigma < math.inf:
            raise ValueError(
                "Invalid value for `sigma`: expected a positive, finite number; received "
                f"{self.sigma}."
            )
        if not math.isfinite(self.weight):
            raise ValueError(
                f"Invalid value for `weight`: expected a finite number; received {self.weight}."
            )

    @property
    def nats(self) -> float:
        """The true I(y; d | x)."""
        return self.dim / 2 * math.log1p((self.weight / self.sigma) ** 2)

    @property
    def dimensions(self) -> str:
        """Features of y, d and x, for tables."""
        return f"{self.dim} x {self.dim} given {self.dim}"

    def sample(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws ``n`` independent triples: y, d and x, each [n, dim], float64.

        Args:
            n: how many, at least 1.
            seed: an integer; the same one gives the same triples.

        Raises:
            ValueError: ``n`` is less than 1, or ``seed`` is negative.
        """
        shape = (3, positive("n", n), self.dim)
        x, d, noise = generator(seed).standard_normal(shape)
        return x + self.weight * d + self.sigma * noise, d, x

    def redraw(self, x, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws others at the same x, as :func:`mine.direct` and :func:`mine.plug_in` need them.

        Args:
            x: [n, dim].
            draws: how many for each x, at least 1.
            seed: an integer, not that of ``x`` itself.

        Returns:
            y' and the d' it was drawn from, each [n, draws, dim].

        Raises:
            ValueError: ``draws`` is less than 1, or ``seed`` is negative.
        """
        shape = (2, len(x), positive("draws", draws), self.dim)
        d, noise = generator(seed).standard_normal(shape)
        return np.asarray(x)[:, np.newaxis] + self.weight * d + self.sigma * noise, d

    def log_prob(self, y, d, x) -> "tf.Tensor":
        """log p(y | d, x) of arrays or tensors [..., dim] whose leading axes broadcast: [...]."""
        import tensorflow as tf  # Here, since the other methods need none.

        error = (y - self.weight * d - x) / self.sigma
        log_scale = self.dim * math.log(self.sigma * math.sqrt(2 * math.pi))
        return -0.5 * tf.reduce_sum(error**2, axis=-1) - log_scale


def linear_gaussian(dim: int, nats: float) -> LinearGaussian:
    """The :class:`LinearGaussian` whose I(y; d | x) is ``nats``.

    Args:
        dim: features, at least 1.
        nats: from 0, where y ignores d, up to :data:`MAX_NATS_PER_FEATURE` for each feature.

    Raises:
        ValueError: ``dim`` or ``nats`` is out of range.
    """
    positive("dim", dim)
    if not 0 <= nats <= MAX_NATS_PER_FEATURE * dim:
        raise ValueError(
            f"Invalid value for `nats`: expected a number in [0, {MAX_NATS_PER_FEATURE * dim}] for "
            f"dim={dim}; received {nats}."
        )
    if nats == 0:
        return LinearGaussian(dim, sigma=1.0, weight=0.0)
    return LinearGaussian(dim, math.expm1(2 * nats / dim) ** -0.5)

"""A joint distribution of known information."""

import dataclasses
import operator
from collections.abc import Callable

import numpy as np

BEYOND_NORMAL = "Czyz et al. 2023 (arXiv 2306.11078)"


@dataclasses.dataclass(frozen=True)
class Task:
    """A joint distribution of x and y, and its mutual information.

    Attributes:
        name: letters, digits, dots and hyphens.
        dim_x: features of x.
        dim_y: features of y.
        nats: the true I(x; y).
        source: publication of the parameters and of the true value.
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

    @property
    def dimensions(self) -> str:
        """Features of x and of y, for tables."""
        return f"{self.dim_x} x {self.dim_y}"

    def sample(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws ``n`` independent pairs: x [n, dim_x] and y [n, dim_y], float64.

        Args:
            n: how many, at least 1.
            seed: an integer; the same one gives the same pairs.

        Raises:
            ValueError: ``n`` is less than 1, or ``seed`` is negative.
        """
        return self.draw(positive("n", n), generator(seed))


def generator(seed: int) -> np.random.Generator:
    """The generator of a seed, which must be an integer."""
    # operator.index refuses None, of which numpy would make a seed that differs each time.
    return np.random.default_rng(operator.index(seed))


def positive(name: str, value: int) -> int:
    """``value``, if it is an integer of at least 1.

    Raises:
        ValueError: it is less.
    """
    if operator.index(value) < 1:
        raise ValueError(f"Invalid value for `{name}`: expected at least 1; received {value}.")
    return value

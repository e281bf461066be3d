"""Checks samples, and maps each coordinate monotonically before estimation."""

import numpy as np
from scipy import special

MIN_SAMPLES = 100
"""Least number of samples: with fewer, intervals are wider than most values."""

MAX_MAGNITUDE = 1e18
"""Largest value of a critic's input: its square is still a float32."""

PREPROCESSES = ("rank", "standard", "none")


def check(**arrays) -> dict[str, np.ndarray]:
    """Checks samples, and returns them as float64 arrays.

    Args:
        **arrays: by name, each [n], [n, features] or, for sets, [n, elements, features]. ``z`` is
            left out if it is None.

    Returns:
        By name, [n, features] or [n, elements, features].

    Raises:
        ValueError: they differ in length, are fewer than ``MIN_SAMPLES``, hold anything but finite
            numbers, or have a constant column.
    """
    if arrays.get("z", 0) is None:
        arrays.pop("z")
    checked = {name: _numbers(name, value) for name, value in arrays.items()}
    lengths = {name: len(value) for name, value in checked.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(
            f"Invalid number of samples: expected the same in all arrays; received {sizes}."
        )
    if min(lengths.values()) < MIN_SAMPLES:
        raise ValueError(
            f"Too few samples: expected at least {MIN_SAMPLES}; received {min(lengths.values())}."
        )
    for name, value in checked.items():
        _vary(name, value)
    return checked


def _numbers(name, value) -> np.ndarray:
    if value is None:
        raise ValueError(f"Missing argument `{name}`: expected an array; received None.")
    value = np.asarray(value)
    if value.dtype.kind not in "biuf":
        raise ValueError(
            f"Invalid type of `{name}`: expected real numbers; received {value.dtype} values."
        )
    if value.ndim not in (1, 2, 3) or 0 in value.shape[1:]:
        raise ValueError(
            f"Invalid shape of `{name}`: expected [n], [n, features] or [n, elements, features]; "
            f"received {list(value.shape)}."
        )
    value = value.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(value).all(axis=tuple(range(1, value.ndim))))
    if len(bad):
        raise ValueError(
            f"Invalid value for `{name}`: expected finite numbers; received NaN or infinite values "
            f"in {len(bad)} of {len(value)} samples, the first in sample {bad[0]}; remove them."
        )
    return value[:, np.newaxis] if value.ndim == 1 else value


def _vary(name, value):
    flat = value.reshape(-1, value.shape[-1])
    constant = np.flatnonzero(flat.min(axis=0) == flat.max(axis=0))
    if len(constant):
        raise ValueError(
            f"Invalid value for `{name}`: expected columns that vary; received column "
            f"{constant[0]}, which is {flat[0, constant[0]]:g} in every sample; remove it."
        )


def single(name: str, values: np.ndarray) -> np.ndarray:
    """``values`` as float32, which critics work in.

    Raises:
        ValueError: a value is too large.
    """
    if np.abs(values).max() > MAX_MAGNITUDE:
        raise ValueError(
            f"Invalid value for `{name}`: expected magnitudes up to {MAX_MAGNITUDE:g} for "
            f"training; received {np.abs(values).max():g}; use preprocess='rank' or 'standard'."
        )
    return values.astype(np.float32)


class Preprocessor:
    """A monotone map of each coordinate, fit once; information does not change under it.

    * "rank": normal scores, :math:`\\Phi^{-1}((r - 1/2) / n)` of the mid-rank r; ties stay ties. It
      makes heavy tails and odd scales harmless.
    * "standard": zero mean, unit standard deviation.
    * "none": as it is.

    Args:
        kind: one of ``PREPROCESSES``.

    Raises:
        ValueError: ``kind`` is invalid.
    """

    def __init__(self, kind: str = "rank"):
        if kind not in PREPROCESSES:
            raise ValueError(
                f"Invalid value for `preprocess`: expected one of {', '.join(PREPROCESSES)}; "
                f"received {kind!r}."
            )
        self.kind = kind
        self.table = np.zeros((0, 0))

    def fit(self, values: np.ndarray) -> "Preprocessor":
        """Learns the map of each coordinate from ``values`` [..., features]."""
        flat = values.reshape(-1, values.shape[-1])
        if self.kind == "rank":
            self.table = np.sort(flat, axis=0)
        elif self.kind == "standard":
            # Scaled first, since the square of 1e200 overflows.
            scale = np.abs(flat).max(axis=0)
            unit = flat / scale
            self.table = np.stack([unit.mean(axis=0) * scale, unit.std(axis=0) * scale])
        return self

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Maps ``values`` [..., features], float64; "rank" clamps to the fitted range."""
        if self.kind == "none":
            return values
        if self.kind == "standard":
            mean, deviation = self.table
            return (values - mean) / np.where(deviation > 0, deviation, 1.0)
        flat, n = values.reshape(-1, values.shape[-1]), len(self.table)
        ranks = np.empty_like(flat)
        for column, (sought, known) in enumerate(zip(flat.T, self.table.T, strict=True)):
            below = np.searchsorted(known, sought, "left")
            upto = np.searchsorted(known, sought, "right")
            ranks[:, column] = (below + upto) / 2
        return special.ndtri(np.clip(ranks, 0.5, n - 0.5) / n).reshape(values.shape)

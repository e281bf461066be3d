"""Checks samples, and maps each coordinate monotonically before estimation."""

import itertools

import numpy as np
from scipy import special

from mine.estimators.conversion import to_float64

MIN_SAMPLES = 100
"""Least number of samples: with fewer, intervals are wider than most values."""

MAX_MAGNITUDE = 1e18
"""Largest value of a critic's input: its square is still a float32."""

MAX_ROUNDING = 1e-3
"""Largest rounding error of a critic's input, as a share of the column's standard deviation."""

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
            numbers, have a constant column, share a column of ids, or are tables of the same rows
            in another order.
    """
    if arrays.get("z", 0) is None:
        arrays.pop("z")
    _same_order(arrays)
    checked = {name: _samples(name, value) for name, value in arrays.items()}
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
    _share_no_ids(checked)
    return checked


def _same_order(arrays):
    """Refuses tables of pandas whose rows have the same labels, but at other places."""
    indexes = {name: getattr(value, "index", None) for name, value in arrays.items()}
    tables = [(name, index) for name, index in indexes.items() if hasattr(index, "equals")]
    for (name, one), (other_name, other) in itertools.combinations(tables, 2):
        if not one.equals(other) and len(one) == len(other) and set(one) == set(other):
            raise ValueError(
                f"Invalid order of `{other_name}`: expected samples in the order of `{name}`; "
                f"received the same index in another order; use {other_name}.loc[{name}.index]."
            )


def _samples(name, value) -> np.ndarray:
    value = to_float64(name, value)
    if value.ndim not in (1, 2, 3) or 0 in value.shape[1:]:
        raise ValueError(
            f"Invalid shape of `{name}`: expected [n], [n, features] or [n, elements, features]; "
            f"received {list(value.shape)}."
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


def _share_no_ids(checked):
    """Refuses an index, or ids, in two arrays: they would share it, and nothing else counts."""
    found = [
        (name, column, values - values[0])
        for name, value in checked.items()
        if value.ndim == 2
        for column, values in enumerate(value.T)
        if _are_ids(values)
    ]
    for (name, column, one), (other_name, other_column, other) in itertools.combinations(found, 2):
        if name != other_name and np.array_equal(one, other):
            raise ValueError(
                f"Invalid value for `{other_name}`: expected other columns than those of `{name}`; "
                f"received column {other_column}, whole numbers that differ in every sample, as an "
                f"index or ids do, and by which it is as column {column} of `{name}`; remove it."
            )


def column_warnings(x, y) -> list[str]:
    """A sentence for each column that numbers the samples in order, or is in ``x`` and ``y``.

    A number tells the samples apart, so that whatever changes along their order depends on it, and
    the information of numbers with themselves is infinite.

    Args:
        x: samples as :func:`check` takes them.
        y: the same.
    """
    x, y = _samples("x", x), _samples("y", y)
    found, seen = [], {}
    for name, values in (("x", x), ("y", y)):
        for column, of in enumerate(values.T if values.ndim == 2 else ()):
            if numbers_samples(of):
                found.append(
                    f"Column {column} of `{name}` numbers the samples, {of[0]:.0f}, {of[1]:.0f}, "
                    f"{of[2]:.0f}, ..., as the index of a table does: leave it out unless their "
                    "order is meant."
                )
            if name == "x":
                seen[of.tobytes()] = column
            elif of.tobytes() in seen and len(np.unique(of)) > len(of) / 2:
                found.append(
                    f"Column {column} of `y` is column {seen[of.tobytes()]} of `x`: the "
                    "information of numbers with themselves is infinite; leave it out of one."
                )
    return found


def numbers_samples(values: np.ndarray) -> bool:
    """Whether values, one a sample, are consecutive whole numbers in order."""
    values = np.asarray(values)
    if values.ndim != 1 or len(values) < MIN_SAMPLES or values[0] != np.floor(values[0]):
        return False
    return bool((np.diff(values) == 1).all())


def _are_ids(values) -> bool:
    """Whether these are whole numbers that differ from sample to sample."""
    if not (values[:MIN_SAMPLES] == np.floor(values[:MIN_SAMPLES])).all():
        return False
    return (values == np.floor(values)).all() and len(np.unique(values)) == len(values)


def single(name: str, values: np.ndarray) -> np.ndarray:
    """``values`` as float32, which critics work in.

    Raises:
        ValueError: a value is too large, or the differences of a column are too small.
    """
    if np.abs(values).max() > MAX_MAGNITUDE:
        raise ValueError(
            f"Invalid value for `{name}`: expected magnitudes up to {MAX_MAGNITUDE:g} for "
            f"training; received {np.abs(values).max():g}; use preprocess='rank' or 'standard'."
        )
    rounded = values.astype(np.float32)
    flat, error = (part.reshape(-1, part.shape[-1]) for part in (values, values - rounded))
    spread = flat.std(axis=0)
    lost = np.flatnonzero((np.abs(error).max(axis=0) > MAX_ROUNDING * spread) & (spread > 0))
    if len(lost):
        column = lost[0]
        raise ValueError(
            f"Invalid value for `{name}`: expected differences that float32, which critics work "
            f"in, can tell; received column {column}, which varies by {spread[column]:.3g} about "
            f"{flat[:, column].mean():.6g}; use preprocess='rank' or 'standard'."
        )
    return rounded


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

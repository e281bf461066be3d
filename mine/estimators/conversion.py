"""From anything that holds numbers to a float64 array; what float64 cannot hold is refused."""

import numpy as np

from mine.reporting.tables import counted
from mine.reporting.words import reason

REMEDIES = {
    "M": "give the time since a date, such as (t - t.min()) / np.timedelta64(1, 's')",
    "m": "divide it by a unit, such as np.timedelta64(1, 's')",
    "c": "give real and imaginary parts as two columns",
    "O": "convert it, such as by .to_numpy(float) or .toarray()",
    "U": "give numbers, and for categories one number each, or a column of 0 and 1 each",
    "S": "give numbers, and for categories one number each, or a column of 0 and 1 each",
}
"""What to do with an array that holds no real numbers, by ``dtype.kind``."""


def to_float64(name: str, value) -> np.ndarray:
    """``value`` as an array of float64.

    Args:
        name: of the argument, for messages.
        value: an array, a table or nested lists of real numbers or booleans.

    Raises:
        ValueError: it holds something else, masked values, NaN or infinite ones, or integers of
            which float64 makes equal ones.
    """
    if value is None:
        raise ValueError(f"Missing argument `{name}`: expected an array; received None.")
    kind = type(value).__name__
    try:
        if isinstance(value, list | tuple) and any(map(np.ma.isMaskedArray, value)):
            value = np.ma.array(value)  # np.asarray would drop the masks.
        given = np.asarray(value)
    # Rows of different lengths; and classes of other libraries say by these that they are no array.
    except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
        raise ValueError(
            f"Invalid value for `{name}`: expected an array of real numbers; received a {kind} "
            f"that is not one ({reason(error)})."
        ) from error
    if np.ma.isMaskedArray(value) and np.ma.is_masked(value):
        mask = np.atleast_1d(np.ma.getmaskarray(value))
        hidden = np.flatnonzero(mask.any(axis=tuple(range(1, mask.ndim))))
        raise ValueError(
            f"Invalid value for `{name}`: expected known values; received masked ones in "
            f"{len(hidden)} of {counted(len(mask), 'sample')}, the first in sample "
            f"{hidden[0]}; remove these samples from all arrays."
        )
    if given.dtype.kind not in "biuf":
        text = given.dtype.kind == "O" and any(isinstance(one, str) for one in given.flat)
        remedy = REMEDIES.get("U" if text else given.dtype.kind, "convert them to float64")
        raise ValueError(
            f"Invalid type of `{name}`: expected real numbers; received "
            f"{'text' if text else given.dtype} values ({kind}); {remedy}."
        )
    with np.errstate(over="ignore"):
        found = given.astype(np.float64)
    rows = np.isfinite(found).all(axis=tuple(range(1, found.ndim)))
    bad = np.flatnonzero(~rows)
    if len(bad):
        raise ValueError(
            f"Invalid value for `{name}`: expected finite numbers; received NaN or infinite values "
            f"in {len(bad)} of {counted(rows.size, 'sample')}, the first in sample "
            f"{bad[0]}; remove them."
        )
    if given.dtype.itemsize > found.dtype.itemsize or (
        given.dtype.kind in "iu" and np.abs(found).max(initial=0) > 2**53
    ):
        _keep_distinct(name, given, found)
    return found


def _keep_distinct(name, given, found):
    """Refuses columns of which samples that differ are equal as float64."""
    width = given.shape[-1] if given.ndim > 1 else 1
    for column, (before, after) in enumerate(
        zip(given.reshape(-1, width).T, found.reshape(-1, width).T, strict=True)
    ):
        distinct, kept = len(np.unique(before)), len(np.unique(after))
        if kept < distinct:
            raise ValueError(
                f"Invalid value for `{name}`: expected numbers that float64 can tell; received "
                f"column {column}, whose {distinct} different {given.dtype} values become {kept}; "
                f"subtract a constant first, such as {name} - {name}.min()."
            )

"""Sizes that no machine like this one can hold, refused before anything is made."""

import math
import os
import pathlib
import shutil

GENEROUS = 2.0
"""Times the machine's memory: estimates are rough, and what may just fit is not refused."""


def memory() -> float:
    """Bytes of memory of this machine."""
    return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")


def disk(folder: os.PathLike | str) -> float:
    """Free bytes of the disk of a folder, which may be absent."""
    path = pathlib.Path(folder).absolute()
    there = next(of for of in (path, *path.parents) if of.exists())
    return float(shutil.disk_usage(there).free)


def require(name: str, value: object, needed: float, there: float | None = None) -> None:
    """Refuses an option whose value needs far more than there is.

    Args:
        name: of the option.
        value: of the option.
        needed: bytes, at least; an estimate.
        there: bytes; the machine's memory if None.

    Raises:
        ValueError: it needs more than :data:`GENEROUS` times what is there.
    """
    what = "disk space" if there is not None else "memory"
    remedy = "use a smaller one" + (", or free some space" if there is not None else "")
    there = memory() if there is None else there
    if needed > GENEROUS * there:
        raise ValueError(
            f"Invalid value for `{name}`: expected one that fits this machine; received {value}, "
            f"which needs about {size(needed)} of {what}; there are {size(there)}; {remedy}."
        )


def size(count: float) -> str:
    """A number of bytes, such as "1.5 GB"."""
    units = ("bytes", "KB", "MB", "GB", "TB", "PB")
    power = min(len(units) - 1, int(math.log10(max(count, 1)) / 3))
    return f"{count / 1000**power:,.3g} {units[power]}"

"""Pictures, written in one step, in colours for all readers."""

import io
import pathlib
from collections.abc import Sequence

import numpy as np

from mine.reporting.files import write

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")
"""Colours of lines, also for colour-blind readers (Tol 2021, "bright")."""


def picture(figure, path: pathlib.Path, **options) -> None:
    """Writes a figure of matplotlib as PNG in one step; ``options`` are of its ``savefig``."""
    content = io.BytesIO()
    figure.savefig(content, format="png", **({"dpi": 110} | options))
    write(content.getvalue(), pathlib.Path(path))


def new_axes(columns: int = 1, rows: int = 1, size: tuple[float, float] = (6, 4)):
    """A figure of its own, which pyplot does not know, and its axes, [rows, columns].

    Args:
        columns: of axes.
        rows: of axes.
        size: width and height of each, in inches.
    """
    import matplotlib.figure  # Here, since it takes a fifth of a second.

    width, height = size
    figure = matplotlib.figure.Figure((width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def marker_of(values: Sequence[float]) -> str:
    """The marker of a line: a dot where the line alone would not be seen, else none.

    Args:
        values: of the line; what is not finite leaves a gap.
    """
    finite = np.isfinite(np.asarray(values, float))
    return "" if (finite[1:] & finite[:-1]).any() else "."


def current_axes(ax=None):
    """``ax``, or pyplot's current axes if it is None, which notebooks show."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.gca()

"""Pictures, written in one step, in colours for all readers."""

import io
import pathlib

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


def current_axes(ax=None):
    """``ax``, or pyplot's current axes if it is None, which notebooks show."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.gca()

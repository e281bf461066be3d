"""Pictures: written in one step, in colours that everybody can tell apart."""

import io
import pathlib

from mine.reporting.files import write

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")
"""Of lines that must be told apart, by the colour-blind too (Tol 2021, "bright")."""


def picture(figure, path: pathlib.Path, **options) -> None:
    """Writes a figure of matplotlib as PNG in one step; ``options`` are of its ``savefig``."""
    content = io.BytesIO()
    figure.savefig(content, format="png", **({"dpi": 110} | options))
    write(content.getvalue(), pathlib.Path(path))

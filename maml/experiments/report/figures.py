"""Pictures inside a page: data URIs, scaled down until all have room."""

import base64
import io
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from mine.reporting.inputs.image_reader import ImageError, read_image

WIDTHS = (1600, 1100, 760, 520, 360)
"""Widths that pictures are scaled down to, in pixels, until all have room."""

COLOURS = 256
"""Of a picture in a page, which halves its size."""

CAPTIONS = {
    "confusion": "Confusion matrix",
    "curves": "Learning curves",
    "diagnosis": "Information and error of each run",
    "draws": "Draws from predictive densities",
    "episodes": "Episodes and predictions",
    "error": "Error under task shift",
    "fits": "Predicted functions",
    "information": "Information and error of each run",
    "inner_steps": "Errors by inner steps",
    "paths": "Paths of policies before and after adaptation",
    "predictions": "Predictions",
    "returns": "Returns",
    "shapes": "Errors on other shapes",
    "shots": "Errors by shots",
    "solved": "Tasks solved under task shift",
    "sweep": "Strengths that were tried",
    "threshold": "Distance to memorizer and to ridge regression",
}
"""What the names of pictures of a study begin with -> their captions."""

OF_RUNS = {"diagnosis": "Skills of the memorization report"} | {
    name: CAPTIONS[name]
    for name in ("predictions", "fits", "episodes", "confusion", "paths", "curves")
}
"""Names of pictures in the folder of a run -> their captions."""


class Picture(NamedTuple):
    """A file that a page shows; the caption is its text for those who do not see it, too."""

    caption: str
    path: pathlib.Path


class Figure(NamedTuple):
    """A picture as it stands in a page.

    Attributes:
        caption: of the picture.
        uri: its content as a data URI; empty where it is not shown.
        width: in pixels.
        height: in pixels.
        problem: why it is not shown, a sentence.
    """

    caption: str
    uri: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""


def caption_of(path: pathlib.Path) -> str:
    """What a picture is called, by the name of its file: "Learning curves: cnp_5"."""
    known = [name for name in CAPTIONS if f"{path.stem}_".startswith(f"{name}_")]
    if not known:
        return path.stem
    name = max(known, key=len)
    rest = path.stem.removeprefix(name).strip("_")
    return f"{CAPTIONS[name]}: {rest}" if rest else CAPTIONS[name]


def of_run(folder: os.PathLike | str) -> list[Picture]:
    """The pictures that a run has drawn."""
    pictures = [
        Picture(caption, pathlib.Path(folder) / f"{name}.png") for name, caption in OF_RUNS.items()
    ]
    return [picture for picture in pictures if picture.path.exists()]


def states(folder: pathlib.Path) -> dict[pathlib.Path, tuple[int, int]]:
    """The state of a folder's pictures, from which later ones can be recognized."""
    found = {path: path.stat() for path in sorted(folder.glob("*.png"))}
    return {path: (of.st_ino, of.st_mtime_ns) for path, of in found.items()}


def drawn_since(folder: pathlib.Path, before: dict) -> list[Picture]:
    """The pictures of a folder that were drawn after its :func:`states` were ``before``."""
    new = [path for path, of in states(folder).items() if before.get(path) != of]
    return [Picture(caption_of(path), path) for path in new]


def embed(pictures: Sequence[Picture], room: int) -> list[Figure]:
    """The pictures as figures of a page, scaled down until they have room.

    Args:
        pictures: the first are those that matter most. What cannot be read is not shown.
        room: for the data URIs of all of them, in bytes. The last are left out where the narrowest
            of :data:`WIDTHS` does not give them room.
    """
    found: list[Image.Image | ImageError] = [_read(picture.path) for picture in pictures]
    uris: list[str] = []
    for width in WIDTHS:
        found = [of if isinstance(of, ImageError) else _scaled(of, width) for of in found]
        uris = ["" if isinstance(of, ImageError) else _uri(of) for of in found]
        if sum(map(len, uris)) <= room:
            break
    figures = []
    for picture, image, uri in zip(pictures, found, uris, strict=True):
        if isinstance(image, ImageError):
            figures.append(Figure(picture.caption, problem=f"{picture.path.name} {image}."))
        elif len(uri) > room:
            problem = f"{picture.path} has no room in this page."
            figures.append(Figure(picture.caption, problem=problem))
        else:
            room -= len(uri)
            figures.append(Figure(picture.caption, uri, *image.size))
    return figures


def _read(path: pathlib.Path) -> Image.Image | ImageError:
    try:
        return _scaled(read_image(path), WIDTHS[0])
    except ImageError as error:
        return error


def _scaled(image: Image.Image, width: int) -> Image.Image:
    if image.width <= width and image.height <= 2 * width:
        return image
    smaller = image.copy()
    smaller.thumbnail((width, 2 * width))
    return smaller


def _uri(image: Image.Image) -> str:
    content = io.BytesIO()
    image.quantize(COLOURS).save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"

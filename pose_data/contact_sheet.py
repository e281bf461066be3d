"""A contact sheet: images of many objects, one row per object, in as many columns as fit."""

import math
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pose_data import records

_LABEL_WIDTH = 120
_TEXT_HEIGHT = 14
_MAX_RATIO = 3
"""Of height and width; a longer sheet is wrapped into columns, as a newspaper is."""

Row = tuple[str, Sequence[np.ndarray], Sequence[str]]


def contact_sheet(rows: Sequence[Row], tile_size: int = 96) -> Image.Image:
    """Lays images out in labelled rows, in columns of rows where there are many.

    Args:
        rows: per row its label, its images (uint8 `[H, W]` or `[H, W, 3]`) and a caption for each.
        tile_size: width and height each image is scaled to, pixels.

    Returns:
        The sheet, in RGB, about three times as high as wide at most.

    Raises:
        ValueError: ``rows`` is empty, or a row has not one caption per image.
    """
    if not rows:
        raise ValueError("Invalid value for `rows`: expected at least one row; received none.")
    tiles = max(len(images) for _, images, _ in rows)
    width, row_height = _LABEL_WIDTH + tiles * tile_size, tile_size + _TEXT_HEIGHT
    columns = math.ceil(math.sqrt(len(rows) * row_height / (_MAX_RATIO * width)))
    per_column = math.ceil(len(rows) / columns)
    sheet = Image.new("RGB", (columns * width, per_column * row_height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for number, (label, images, captions) in enumerate(rows):
        start, top = number // per_column * width, number % per_column * row_height
        draw.text((start + 4, top + tile_size // 2), label, fill="black", font=font)
        for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
            left = start + _LABEL_WIDTH + place * tile_size
            tile = Image.fromarray(image).convert("RGB")
            sheet.paste(tile.resize((tile_size, tile_size), Image.Resampling.LANCZOS), (left, top))
            draw.text((left + 4, top + tile_size), caption, fill="black", font=font)
    return sheet


def rendered_rows(
    rotate_dir: pathlib.Path | str, names: Sequence[str], columns: int = 8, max_rows: int = 80
) -> list[Row]:
    """Picks images of rendered objects: those with angles nearest to equal steps round the circle.

    Args:
        rotate_dir: the folder of `<class>/<object>/`.
        names: "class/object" of the objects to show.
        columns: images per object, at most.
        max_rows: of more objects an even selection is shown.

    Returns:
        Rows for `contact_sheet`, captioned with the label angles in degrees.

    Raises:
        RecordError: an image that is shown cannot be read.
    """
    names = sorted(names)
    shown = np.linspace(0, len(names) - 1, min(max_rows, len(names))).astype(int)
    targets = np.arange(columns) * 2 * np.pi / columns
    rows = []
    for name in (names[i] for i in shown):
        folder = pathlib.Path(rotate_dir) / name
        angles = np.array([label[3] for label in records.read_labels(folder)])
        gaps = np.abs(np.angle(np.exp(1j * (angles - targets[:, None]))))
        nearest = list(dict.fromkeys(gaps.argmin(axis=1).tolist()))
        images = [np.array(records.read_image(folder / f"{i}.png")) for i in nearest]
        rows.append((name, images, [f"{np.degrees(angles[i]):.0f}°" for i in nearest]))
    return rows

"""A contact sheet: images of many objects, one row per object."""

import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pose_data import records

_LABEL_WIDTH = 120
_TEXT_HEIGHT = 14

Row = tuple[str, Sequence[np.ndarray], Sequence[str]]


def contact_sheet(rows: Sequence[Row], tile_size: int = 96) -> Image.Image:
    """Lays images out in labelled rows.

    Args:
        rows: per row its label, its images (uint8 `[H, W]` or `[H, W, 3]`) and a caption for each.
        tile_size: width and height each image is scaled to, pixels.

    Returns:
        The sheet, in RGB.

    Raises:
        ValueError: ``rows`` is empty, or a row has not one caption per image.
    """
    if not rows:
        raise ValueError("Invalid value for `rows`: expected at least one row; received none.")
    columns = max(len(images) for _, images, _ in rows)
    row_height = tile_size + _TEXT_HEIGHT
    size = (_LABEL_WIDTH + columns * tile_size, len(rows) * row_height)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for row, (label, images, captions) in enumerate(rows):
        top = row * row_height
        draw.text((4, top + tile_size // 2), label, fill="black", font=font)
        for column, (image, caption) in enumerate(zip(images, captions, strict=True)):
            left = _LABEL_WIDTH + column * tile_size
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
        images = [np.array(Image.open(folder / f"{i}.png")) for i in nearest]
        rows.append((name, images, [f"{np.degrees(angles[i]):.0f}°" for i in nearest]))
    return rows

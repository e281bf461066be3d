"""The one reader of images, for every command: upright, on white, 8 bits, or one reason why not."""

import contextlib
import os
import pathlib
import stat
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin, UnidentifiedImageError

from mine.reporting.inputs import png, sixteen_bits
from mine.reporting.words import reason

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm"),
)
"""Endings of the names of images that are read."""

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What a file may be, whatever its name. Others of Pillow start programs, such as Ghostscript."""

MAX_PIXELS, MAX_SIDE = 89_000_000, 65_535
"""Of an image: a quarter of a gigabyte in colour, and the longest side of a JPEG."""

_FOREIGN = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
"""Folders that systems put beside data; some hold small copies of the images."""

Source = str | os.PathLike | Callable[[], BinaryIO]

HIDDEN = "hidden or of the system"
"""Why such files and folders are left out."""


class ImageError(ValueError):
    """An image that cannot be read; the message is the reason, without the file's name."""


def is_hidden(name: str) -> bool:
    """Whether a path, below a folder of images, is of a hidden file or in a hidden folder."""
    return any(part[0] == "." or part in _FOREIGN for part in pathlib.PurePath(name).parts)


def why_no_image(name: str) -> str | None:
    """Why a file of this name, a path below a folder of images, is left out; None if it is not."""
    if is_hidden(name):
        return HIDDEN
    if pathlib.PurePath(name).suffix.lower() not in SUFFIXES:
        return f"of other kinds than {' '.join(SUFFIXES)}"
    return None


def read_image(source: Source) -> Image.Image:
    """Reads an image as a viewer shows it.

    It is turned as its EXIF data say, transparent pixels are white, of 16 bits the 8 highest that
    are used are kept (:mod:`mine.reporting.inputs.sixteen_bits`), and of several frames the first.

    Args:
        source: path, or what opens a file, which is closed.

    Returns:
        The image, in the mode "L" (grey) or "RGB".

    Raises:
        ImageError: the file is damaged, no image, no regular file, or too large, or its numbers
            have no known range.
    """
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(_open(source))
            image = stack.enter_context(Image.open(file, formats=_FORMATS))
            _check_size(image.size)
            declared = sixteen_bits.declared_bits(file) if image.format == "PNG" else None
            seen = _as_seen(image, declared)
            if image.format == "PNG" and not png.has_all_rows(file):
                raise ImageError("is not a readable image (it ends before its last row)")
            return seen
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(
            f"is not a readable image (its content is none of {', '.join(_FORMATS)})"
        ) from error
    # Decoders meet damage with errors of any kind: of struct, zlib, zipfile, TypeError, IndexError.
    except Exception as error:
        why = getattr(error, "strerror", None) or reason(error)
        raise ImageError(f"is not a readable image ({why})") from error


def check_contrast(image: Image.Image) -> None:
    """Refuses an image in which nothing can be seen.

    Raises:
        ImageError: all of its pixels are of one colour.
    """
    pixels = np.asarray(image)
    if (pixels == pixels[0, 0]).all():
        raise ImageError("has no contrast: all of its pixels are of one colour")


def _open(source: Source) -> BinaryIO:
    if callable(source):
        return source()
    if not stat.S_ISREG(os.stat(source).st_mode):
        raise ImageError("is not a regular file: put an image in its place")  # A pipe would wait.
    return open(source, "rb")


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise ImageError(
            f"is {width} x {height} pixels, where 1 to {MAX_SIDE:,} a side and {MAX_PIXELS:,} in "
            "all are read: save it in another size"
        )


def _as_seen(opened: ImageFile.ImageFile, declared: int | None) -> Image.Image:
    """An open image upright, on white, in 8 bits; ``declared`` is how many the file says it has."""
    image: Image.Image = opened
    packed = opened.tile[0].args if opened.tile else None
    packed = packed[0] if isinstance(packed, tuple) else packed
    tags = dict(opened.tag_v2) if isinstance(opened, TiffImagePlugin.TiffImageFile) else None
    image.load()
    _unpack_transparency(image, packed)
    # A viewer shows an image whose EXIF data are damaged as it is; Pillow meets them with errors of
    # any kind, some only as it writes what is left of them, when the image was turned.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F" or (image.mode == "I" and tags is not None):
        raise ImageError("has numbers of an unknown range as pixels: save it in 8 or 16 bits")
    if image.mode.startswith("I"):
        return _highest_bits(image, tags or {}, declared)
    if ";16" in str(packed) and sixteen_bits.is_narrow(np.asarray(image.convert("RGB"))):
        raise ImageError("uses the lowest 12 of its 16 bits alone, almost black: save it in 8 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _unpack_transparency(image: Image.Image, packed: str | None) -> None:
    """Has the transparent colour of a PNG in units of the pixels, where Pillow has it of the file.

    Args:
        image: which is loaded.
        packed: how Pillow calls the pixels of the file.
    """
    colour = image.info.get("transparency")
    if isinstance(colour, int) and packed in ("L;2", "L;4"):
        image.info["transparency"] = colour * {"L;2": 85, "L;4": 17}[packed]
    elif isinstance(colour, tuple) and packed == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in colour)


def _highest_bits(image: Image.Image, tags: dict, declared: int | None) -> Image.Image:
    """A grey image of up to 16 bits in 8, its transparent colour white.

    Args:
        image: which is loaded.
        tags: of TIFF, which may have fewer bits than 16, and white as 0.
        declared: bits that a PNG says its values have.
    """
    pixels = np.asarray(image)
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
    clear = image.info.get("transparency")
    hidden = pixels == clear if isinstance(clear, int) else np.zeros(pixels.shape, bool)
    grey = sixteen_bits.to_8_bits(np.where(hidden, 0, pixels), bits, declared)
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
        grey = 255 - grey
    grey[hidden] = 255
    return Image.fromarray(grey)

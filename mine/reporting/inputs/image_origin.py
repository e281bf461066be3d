"""Which render an image stems from, so that one that was put in its place is noticed.

A program that renders keeps the checksum of each file; an image that was made small of such a file
holds the file's checksum, and one of its own pixels.
"""

import hashlib
import pathlib

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mine.reporting.checksums import file_sha256

_SOURCE, _PIXELS = "render_sha256", "pixels_sha256"


def small_info(source: pathlib.Path, image: Image.Image) -> PngInfo:
    """What is saved with a grey image that is made of another.

    Args:
        source: the file that it is made of, which may be such an image itself.
        image: the new one, which is saved without loss.

    Raises:
        OSError: the source cannot be read.
    """
    info = PngInfo()
    info.add_text(_SOURCE, origin(source))
    info.add_text(_PIXELS, _of_pixels(image))
    return info


def origin(path: pathlib.Path) -> str:
    """The checksum of the file that an image was rendered to.

    Args:
        path: of the render, or of an image that :func:`small_info` describes.

    Returns:
        That of the file itself, if it is no such image or its pixels were changed.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            source, pixels = image.info.get(_SOURCE), image.info.get(_PIXELS)
            if source and pixels == _of_pixels(image):
                return str(source)
    # Decoders meet damage with errors of any kind; the reader of images says which.
    except Exception:
        return file_sha256(path)
    return file_sha256(path)


def _of_pixels(image: Image.Image) -> str:
    pixels = np.asarray(image)
    return hashlib.sha256(
        f"{pixels.dtype.str} {pixels.shape}".encode() + pixels.tobytes()
    ).hexdigest()

"""Images of more than 8 bits a value in 8, by the bits that their values use.

Cameras and microscopes save 12 bits in files of 16. Where the values are in the lowest bits, the 8
highest of the file are all but black: then those of the values are taken.
"""

import warnings
from typing import BinaryIO

import numpy as np

from mine.reporting.inputs import png

NARROW = (8, 12)
"""Bits that values are taken to have if all of them fit, where a file does not say it. Values of 10
or 14 bits are none of them: they cannot be told from a dark image."""


def to_8_bits(pixels: np.ndarray, bits: int, declared: int | None = None) -> np.ndarray:
    """The highest bits of grey values, those that they use.

    Args:
        pixels: integers [H, W].
        bits: of a value in the file.
        declared: bits that the file says its values have (PNG's chunk sBIT); None if it does not.

    Returns:
        uint8 [H, W].

    Warns:
        UserWarning: the values use fewer bits than the file has, and it does not say so.
    """
    most = int(pixels.max(initial=0))
    if bits == 16 and declared is not None and declared < bits:
        # By the standard values are spread over all bits; those that are not fit the declared.
        bits = declared if most < 1 << declared else bits
    elif bits == 16 and 0 < most < 1 << NARROW[-1]:
        bits = next(of for of in NARROW if most < 1 << of)
        warnings.warn(
            f"An image of 16 bits is read as one of {bits}, since all of its values are below "
            f"{1 << bits:,}; save it in 8 bits to have it read otherwise.",
            stacklevel=2,
        )
    # Of fewer than 8 the largest value is white.
    shifted = pixels >> (bits - 8) if bits >= 8 else pixels * 255 // ((1 << bits) - 1)
    return shifted.clip(0, 255).astype(np.uint8)


def is_narrow(highest: np.ndarray) -> bool:
    """Whether colours of 16 bits, of which these are the 8 highest, use the lowest 12 alone."""
    return 0 < int(highest.max(initial=0)) < 1 << (NARROW[-1] - 8)


def declared_bits(file: BinaryIO) -> int | None:
    """Bits that a grey PNG file says its values have, by its chunk sBIT; None if it does not.

    Args:
        file: whose signature was checked. It is left at another place.
    """
    for kind, length in png.chunks(file):
        if kind == b"sBIT" and length in (1, 2):
            return file.read(1)[0] or None
        if kind in (b"PLTE", b"IDAT", b"IEND"):  # It stands before these.
            return None
    return None

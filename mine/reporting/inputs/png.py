"""What Pillow does not report of a PNG file: its chunks, and whether all of its rows are there.

Source: W3C, Portable Network Graphics, third edition (www.w3.org/TR/png-3).
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Type of colour -> values of a pixel."""

_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
           (0, 1, 1, 2))  # fmt: skip
"""Of an interlaced image: first column and row, and their distances (section 8.1)."""


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk; the file is left at its content, which need not be read.

    Args:
        file: whose signature was checked. It is left at another place.
    """
    at = 8
    file.seek(at)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield kind, length
        at += 12 + length
        file.seek(at)


def has_all_rows(file: BinaryIO) -> bool:
    """Whether the compressed data of a PNG file hold every row of its image.

    Pillow takes those that are missing for black.

    Args:
        file: that Pillow could read. It is left at another place.
    """
    unpack, wanted, found = zlib.decompressobj(), 0, 0
    for kind, length in chunks(file):
        if kind == b"IHDR":
            width, height, bits, colour, *_, interlaced = struct.unpack(">2I5B", file.read(13))
            passes = _PASSES if interlaced else ((0, 0, 1, 1),)
            parts = [(-((x - width) // dx), -((y - height) // dy)) for x, y, dx, dy in passes]
            # Each row begins with a byte for its filter.
            row_bits = bits * _CHANNELS[colour]
            wanted = sum(
                rows * (1 + -(-columns * row_bits // 8)) for columns, rows in parts if columns
            )
        if kind == b"IDAT":
            found += len(unpack.decompress(file.read(length), max(1, wanted - found)))
        if found >= wanted:
            return True
    return False

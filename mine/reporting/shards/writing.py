"""Writes images into ``.npy`` files, block by block, without holding more than one block."""

import contextlib
import hashlib
import itertools
import os
import pathlib
import re
from collections.abc import Collection, Iterable
from typing import BinaryIO

import numpy as np

from mine.reporting.checksums import file_sha256
from mine.reporting.files import replacing

MOST_FILES = 256
"""Readers keep every file open; a process may have 1,024 open by default."""

_OWN_NAMES = re.compile(r"(\d{5}|labels)\.[0-9a-f]{16}\.npy|\.(\d{5}|labels)\.npy\..*\.tmp.*")


def write_shards(
    blocks: Iterable[np.ndarray],
    folder: pathlib.Path,
    num_files: int,
    num_blocks: int,
    stacked: bool = False,
) -> dict:
    """Writes blocks of images, in turn, into the files of a folder.

    Every block has its own checksum, so that readers need not read all of them before they start.
    Files are named by their content: until the index is written, those of an earlier writing are as
    they were.

    Args:
        blocks: uint8 [images, ...], all of one shape; the last one may hold fewer images.
        folder: to write to; it exists.
        num_files: over which the blocks are spread evenly; fewer where there are fewer blocks.
        num_blocks: how many blocks come, at most.
        stacked: whether the arrays of the files are [blocks, images, ...] and not [images, ...].

    Returns:
        The index, as :class:`mine.reporting.shards.reading.Shards` takes it, for JSON.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    blocks, per_file = iter(blocks), -(-num_blocks // num_files)
    files: list[str] = []
    checksums: list[str] = []
    images = 0
    shape: tuple[int, ...] = ()
    for number in range(num_files):
        first = next(blocks, None)
        if first is None:
            break
        shape = shape or first.shape
        own: list[str] = []

        def final(stem=f"{number:05d}", own=own, shape=shape) -> pathlib.Path:
            content = repr((shape, stacked, own))
            return folder / _named(stem, hashlib.sha256(content.encode()).hexdigest())

        row, count = shape if stacked else shape[1:], 0
        path = folder / f"{number:05d}.npy"
        with replacing(path, place=final) as temporary, temporary.open("wb") as file:
            _write_header(file, 0, row)
            for block in itertools.chain([first], itertools.islice(blocks, per_file - 1)):
                content = np.ascontiguousarray(block).data
                file.write(content)
                own.append(hashlib.sha256(content).hexdigest())
                count += len(block)
            file.seek(0)
            _write_header(file, len(own) if stacked else count, row)
        files.append(final().name)
        checksums += own
        images += count
    return {
        "files": files,
        "num_images": images,
        "image_shape": list(shape[1:]),
        "images_per_block": shape[0] if shape else 0,
        "blocks_per_file": per_file,
        "sha256": checksums,
    }


def _write_header(file: BinaryIO, rows: int, shape: tuple[int, ...]) -> None:
    # NumPy leaves space for the number of rows to grow, so a later header is as long.
    header = {"descr": "|u1", "fortran_order": False, "shape": (rows, *shape)}
    np.lib.format.write_array_header_1_0(file, header)


def write_labels(labels: np.ndarray, folder: pathlib.Path) -> tuple[str, str]:
    """Writes an array into a folder of shards, in a file that is named by its content.

    Args:
        labels: of numbers, of any shape.
        folder: to write to; it exists.

    Returns:
        The name of the file, and its checksum.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    checksum = ""

    def final() -> pathlib.Path:
        return folder / _named("labels", checksum)

    with replacing(folder / "labels.npy", place=final) as temporary:
        with temporary.open("wb") as file:
            np.save(file, labels, allow_pickle=False)
        checksum = file_sha256(temporary)
    return final().name, checksum


def _named(stem: str, checksum: str) -> str:
    return f"{stem}.{checksum[:16]}.npy"


def remove_others(folder: pathlib.Path, kept: Collection[str]) -> None:
    """Removes what other writings left in a folder, and the folder if it is empty.

    Args:
        folder: of shards; it need not exist.
        kept: names of files that stay. Files that this module did not write stay too.
    """
    with contextlib.suppress(OSError):  # Of another user, or gone: not ours to remove.
        for path in list(folder.iterdir()):
            if _OWN_NAMES.fullmatch(path.name) and path.name not in kept:
                path.unlink()
        os.rmdir(folder)

"""Reads single images of the files of :mod:`mine.reporting.shards.writing`, by their number."""

import hashlib
import math
import os
import pathlib
import re
import weakref
from typing import BinaryIO

import numpy as np

from mine.reporting.words import reason

_NAME = re.compile(r"\d{5}\.[0-9a-f]{16}\.npy")


class ShardError(ValueError):
    """A file of images is missing, damaged, or of another set."""


class Shards:
    """Images in files, numbered over all of them.

    At the start, files, their headers and sizes are looked at. A block is compared with its
    checksum when the first of its images is read: to read tens of gigabytes at every start would
    take minutes.

    Images are read by ``pread`` and not mapped into memory: a file that is cut or a disk that fails
    while it is read is then an error in a sentence, not the end of the process, and what the system
    keeps of the files is not counted as memory of the process.

    Args:
        folder: of the files.
        index: of :func:`mine.reporting.shards.writing.write_shards`.
        remedy: what to do about damage, for messages.

    Attributes:
        num_images: how many there are.
        image_shape: of one.
        checksums: of blocks, in their order.

    Raises:
        ShardError: the index is damaged, or a file is missing, damaged or of another set.
    """

    def __init__(self, folder: os.PathLike | str, index: object, remedy: str):
        self._folder, self._remedy = pathlib.Path(folder), remedy
        if not isinstance(index, dict) or not _is_whole(index):
            raise ShardError(
                f"Invalid index of the files in {folder}: expected what was written with them; "
                f"received a damaged one; {remedy}."
            )
        self.num_images: int = index["num_images"]
        self.image_shape: tuple[int, ...] = tuple(index["image_shape"])
        self.checksums: list[str] = index["sha256"]
        self._names: list[str] = index["files"]
        self._per_block: int = index["images_per_block"]
        self._per_file: int = index["blocks_per_file"] * self._per_block
        self._bytes = math.prod(self.image_shape)
        self._checked = np.zeros(len(self.checksums), bool)
        self._files: list[tuple[int, int]] = []  # Descriptor, and where its images start.
        weakref.finalize(self, _close, self._files)
        for number in range(len(self._names)):
            self._open(number)

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """Images by their numbers.

        Args:
            numbers: whole numbers, 0 to ``num_images - 1``, [count].

        Returns:
            uint8 [count, \\*image_shape].

        Raises:
            ShardError: the content of a file is not that of its checksum, or cannot be read.
        """
        for block in np.unique(numbers // self._per_block).tolist():
            if not self._checked[block]:
                self._check(block)
        images = np.empty((len(numbers), *self.image_shape), np.uint8)
        for image, number in zip(images, numbers.tolist(), strict=True):
            self._read_into(image, number)
        return images

    def _check(self, block: int) -> None:
        first = block * self._per_block
        content = np.empty((self._size(first, self._per_block), *self.image_shape), np.uint8)
        self._read_into(content, first)
        if hashlib.sha256(content.data).hexdigest() != self.checksums[block]:
            last = first + len(content) - 1
            raise ShardError(
                f"Invalid file {self._path(first)}: expected images {first} to {last} with the "
                f"checksum in the index; received others; {self._remedy}."
            )
        self._checked[block] = True

    def _read_into(self, images: np.ndarray, first: int) -> None:
        """Fills an array with images of one file in a row."""
        number, position = divmod(first, self._per_file)
        handle, start = self._files[number]
        content, start = images.data.cast("B"), start + position * self._bytes
        why = "the file is shorter than at the start"
        try:
            while content and (count := os.preadv(handle, [content], start)):
                content, start = content[count:], start + count
        except OSError as error:
            why = os.strerror(error.errno or 0)
        if content:
            raise ShardError(f"Cannot read {self._path(first)}: {why}; {self._remedy}.")

    def _open(self, number: int) -> None:
        path = self._folder / self._names[number]
        images = self._size(number * self._per_file, self._per_file)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise ShardError(
                f"Cannot read {path}: {os.strerror(error.errno or 0)}; expected a file of "
                f"{images} images; {self._remedy}."
            ) from error
        self._files.append((handle, 0))
        try:
            with open(handle, "rb", closefd=False) as file:
                shape, start = _shape(file), file.tell()
            size = os.fstat(handle).st_size - start
            if shape[-len(self.image_shape) :] != self.image_shape or not (
                size == math.prod(shape) == images * self._bytes
            ):
                raise ValueError(f"{size:,} bytes, as the shape {list(shape)}")
        except (ValueError, OSError) as error:
            raise ShardError(
                f"Invalid file {path}: expected {images} images {list(self.image_shape)}; "
                f"received {reason(error)}; {self._remedy}."
            ) from error
        self._files[-1] = handle, start

    def _size(self, first: int, most: int) -> int:
        """How many images there are from one on, at most ``most``."""
        return max(0, min(most, self.num_images - first))

    def _path(self, number: int) -> pathlib.Path:
        return self._folder / self._names[number // self._per_file]


def _close(files: list[tuple[int, int]]) -> None:
    for handle, _ in files:
        os.close(handle)


def _shape(file: BinaryIO) -> tuple[int, ...]:
    """The shape in the header of an ``.npy`` file of bytes; ValueError if it has another."""
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("another version of the .npy format")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    # Damage shows as errors of tokenize, ast, struct, memory or NumPy.
    except Exception as error:
        raise ValueError(f"a damaged header ({reason(error)})") from error
    if is_fortran or dtype != np.uint8:
        raise ValueError(f"an array of {dtype}" + " in Fortran order" * is_fortran)
    return shape


def _is_whole(index: dict) -> bool:
    """Whether an index holds what one must hold, and its numbers fit together."""

    def are(name: str, kind: type) -> bool:
        values = index.get(name)
        return isinstance(values, list) and all(type(value) is kind for value in values)

    if not (are("files", str) and are("image_shape", int) and are("sha256", str)):
        return False
    given = [index.get(name) for name in ("num_images", "images_per_block", "blocks_per_file")]
    counts = [count for count in given if type(count) is int and count > 0]
    if len(counts) < len(given) or not index["image_shape"] or min(index["image_shape"]) < 1:
        return False
    images, per_block, per_file = counts
    blocks = -(-images // per_block)
    return (
        all(map(_NAME.fullmatch, index["files"]))
        and len(index["sha256"]) == blocks
        and len(index["files"]) == -(-blocks // per_file)
    )

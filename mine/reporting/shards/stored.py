"""Stands for an array of images that are read when they are needed."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mine.reporting.shards.reading import Shards

Change = Callable[[np.ndarray], np.ndarray]
"""A change of images [count, ...], each by itself, such as cropping."""


_AT_ONCE = 2**18
"""Bytes that are read and changed together: in the processor's cache, a third of the time."""


class _Part(NamedTuple):
    shards: Shards
    changes: tuple[Change, ...]

    def read(self, numbers: np.ndarray) -> np.ndarray:
        images = self.shards.read(numbers)
        for change in self.changes:
            images = change(images)
        return images


class StoredImages:
    """An array of images of :class:`~mine.reporting.shards.reading.Shards`, without its content.

    It can be indexed, changed and joined as arrays can; :meth:`read` gives the content.

    Attributes:
        shape: of the array.
        dtype: uint8.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, parts: Sequence[_Part], image_shape: tuple[int, ...], numbers: np.ndarray):
        self._parts, self._image_shape, self._numbers = tuple(parts), image_shape, numbers
        self._ends = np.cumsum([part.shards.num_images for part in parts])

    @classmethod
    def of(cls, shards: Shards, leading: tuple[int, ...]) -> "StoredImages":
        """All images of some files, in order, as an array [\\*leading, \\*image_shape]."""
        numbers = np.arange(shards.num_images).reshape(leading)
        return cls([_Part(shards, ())], shards.image_shape, numbers)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return (*self._numbers.shape, *self._image_shape)

    @property
    def ndim(self) -> int:
        """The number of axes of the array."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of values of the array."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, key) -> "StoredImages":
        """Some of the images; ``key`` is as NumPy's, of the axes before those of an image."""
        return StoredImages(self._parts, self._image_shape, np.asarray(self._numbers[key]))

    def __iter__(self) -> Iterator["StoredImages"]:
        return (self[number] for number in range(len(self)))

    def read(self) -> np.ndarray:
        """The content, uint8 [\\*shape].

        Raises:
            mine.reporting.shards.reading.ShardError: a file is damaged.
        """
        flat = self._numbers.ravel()
        part_of = np.searchsorted(self._ends, flat, side="right")
        images = np.empty((len(flat), *self._image_shape), np.uint8)
        for number in np.unique(part_of).tolist():
            part, own = self._parts[number], np.flatnonzero(part_of == number)
            first = self._ends[number] - part.shards.num_images
            count = max(1, _AT_ONCE // math.prod(part.shards.image_shape))
            for start in range(0, len(own), count):
                some = own[start : start + count]
                images[some] = part.read(flat[some] - first)
        return images.reshape(self.shape)

    def changed(self, change: Change) -> "StoredImages":
        """The images after a change, which they undergo when they are read."""
        parts = [part._replace(changes=(*part.changes, change)) for part in self._parts]
        # Of an image that there is not, to know the shape, and to refuse now what cannot be.
        shape = change(np.zeros((1, *self._image_shape), np.uint8)).shape[1:]
        return StoredImages(parts, shape, self._numbers)

    @staticmethod
    def joined(arrays: "Sequence[StoredImages]") -> "StoredImages":
        """Arrays of images of one size in a row."""
        before, numbers = 0, []
        for array in arrays:
            numbers.append(array._numbers + before)
            before += int(array._ends[-1])
        parts = [part for array in arrays for part in array._parts]
        return StoredImages(parts, arrays[0]._image_shape, np.concatenate(numbers))


Images = np.ndarray | StoredImages


def changed(images: Images, change: Change) -> Images:
    """Images after a change that each undergoes by itself; of stored ones, when they are read.

    Args:
        images: uint8 [count, ...]; of stored ones there may be more axes before an image's.
        change: of images [count, ...].
    """
    return images.changed(change) if isinstance(images, StoredImages) else change(images)


def joined(parts: Sequence[Images]) -> Images:
    """Arrays of images of one size, all of them in memory or all of them stored, in a row.

    Raises:
        ValueError: some are in memory and some are stored.
    """
    stored = [part for part in parts if isinstance(part, StoredImages)]
    in_memory = [part for part in parts if not isinstance(part, StoredImages)]
    if stored and in_memory:
        raise ValueError(
            "Invalid images: expected all of them in memory or all of them in shards; received "
            "both; write both sets with --shards, or both without."
        )
    return StoredImages.joined(stored) if stored else np.concatenate(in_memory)

"""Reads the images of a set, and makes them small: into memory, or into a folder of shards."""

import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from maml.tasks.image_file import ImageFile, save_folder
from maml.tasks.image_listing import place_of
from mine.reporting.inputs import image_reader
from mine.reporting.inputs.skipped import Skipped
from mine.reporting.processes.workers import in_order, threads
from mine.reporting.progress import ProgressBar
from mine.reporting.tables import counted
from mine.reporting.words import printable

SPLITS = ("train", "validation", "test")


class Source(NamedTuple):
    """What is to be prepared.

    Attributes:
        images: name of a class -> for each of its images what it is called, and its path or what
            opens it.
        splits: name of a split -> for each class one of :data:`SPLITS`.
        size: side of the prepared images, in pixels.
        mode: of Pillow: "L" for grey, "RGB" for colour.
        skipped: what was left out.
        published: whether it is a known data set, which is prepared whole or not at all.
    """

    images: dict[str, dict[str, image_reader.Source]]
    splits: dict[str, dict[str, str]]
    size: int
    mode: str
    skipped: Skipped
    published: bool


def check_whole(skipped: Skipped) -> None:
    """Refuses a published data set of which a file is damaged: its scores would be of another.

    Raises:
        ValueError: one is; the message names it.
    """
    if skipped.num_damaged():
        first, more = skipped.lines()[0], skipped.num_damaged() - 1
        rest = (
            f", and {counted(more, 'more file')} {'is' if more == 1 else 'are'} damaged"
            if more
            else ""
        )
        raise ValueError(
            f"{first}{rest}: a published data "
            "set is prepared whole or not at all; get these files anew."
        )


def prepare(source: Source, workers: int, verbose: bool = True) -> ImageFile:
    """Reads and shrinks all images, in threads: Pillow works outside of Python's lock.

    Args:
        source: of one of :data:`SOURCES`. Its ``skipped`` takes the images that cannot be read;
            classes without any other are left out.
        workers: number of threads.
        verbose: whether to show progress.

    Raises:
        ValueError: no image can be read, or one of a published data set cannot.
    """
    images = np.empty([_count(source), source.size, source.size, len(source.mode)], np.uint8)
    classes: list[int] = []
    for image in _small_images(source, workers, verbose, classes):
        images[len(classes) - 1] = image
    return ImageFile(images[: len(classes)], *_described(source, classes))


def prepare_folder(
    source: Source, folder: pathlib.Path, shards: int, workers: int, verbose: bool = True
) -> ImageFile:
    """As :func:`prepare`, into a folder of shards, without holding all images in memory.

    Args:
        source: as there.
        folder: to write to, made if need be.
        shards: number of files.
        workers: number of threads.
        verbose: whether to show progress.

    Raises:
        ValueError: as there.
        OSError: the folder cannot be written to, or the disk is full.
    """
    classes: list[int] = []
    images = _small_images(source, workers, verbose, classes)
    return save_folder(images, folder, shards, _count(source), lambda: _described(source, classes))


def _count(source: Source) -> int:
    return sum(map(len, source.images.values()))


def _small_images(
    source: Source, workers: int, verbose: bool, classes: list[int]
) -> Iterator[np.ndarray]:
    """Yields each image that can be read, and appends the number of its class before."""

    def small(item):
        _, _, opened = item
        try:
            image = image_reader.read_image(opened).convert(source.mode)
            image_reader.check_contrast(image)
        except image_reader.ImageError as error:
            return str(error)
        shape = (source.size, source.size)
        return np.asarray(image.resize(shape, Image.Resampling.LANCZOS))

    items = [
        (index, place_of(f"{name}/{file}", opened), opened)
        for index, (name, of_class) in enumerate(source.images.items())
        for file, opened in sorted(of_class.items())
    ]
    with threads(workers) as pool:
        read = in_order(pool, small, items, ahead=8 * workers)
        done = ProgressBar(read, total=len(items), unit=" images", disable=not verbose)
        for (index, name, _), image in zip(items, done, strict=True):
            if isinstance(image, str):
                source.skipped.damage(name, image)
            else:
                classes.append(index)
                yield image.reshape(source.size, source.size, -1)


def _described(
    source: Source, classes: list[int]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Names, counts and splits of the classes of which images were read."""
    if source.published:
        check_whole(source.skipped)
    if not classes:
        raise ValueError(f"None of the images can be read: {source.skipped.lines()[0]}.")
    there, counts = np.unique(classes, return_counts=True)
    names = list(source.images)
    splits = {
        split: np.array([SPLITS.index(of[names[index]]) for index in there])
        for split, of in source.splits.items()
    }
    return np.array([printable(names[index]) for index in there]), counts, splits

"""Images of classes -> one compact file that training reads.

    python -m maml.tasks.prepare --dataset=omniglot --source=omniglot --output=omniglot.npz
    python -m maml.tasks.prepare --dataset=miniimagenet --source=miniimagenet --output=mini.npz
    python -m maml.tasks.prepare --dataset=folder --source=FOLDER --output=mine.npz

Omniglot (Lake et al. 2015): the folder that holds ``images_background`` and ``images_evaluation``,
unpacked or as the original two zips, or both merged, ``<Alphabet>/characterNN/*.png``.
mini-ImageNet (Vinyals et al. 2016, in the split of Ravi and Larochelle 2017): ``images/`` with
``train.csv``, ``val.csv`` and ``test.csv`` beside it. Any folder of folders of images, one for each
class; of them ``train``, ``val`` and ``test`` may be on top, else 64, 16 and 20 % of the classes
become the three splits, by chance.
"""

import collections
import csv
import functools
import importlib.resources
import os
import pathlib
import sys
import zipfile
from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple

import numpy as np
from absl import flags
from PIL import Image

from maml.tasks.image_file import ImageFile
from mine import reporting
from mine.reporting import commands
from mine.reporting.progress import ProgressBar
from mine.reporting.workers import threads

DRAWINGS = 20
"""Of each character of Omniglot."""

SPLITS = ("train", "validation", "test")

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


class Source(NamedTuple):
    """What is to be prepared.

    Attributes:
        images: name of a class -> for each of its images what it is called, and what opens it.
        splits: name of a split -> for each class one of :data:`SPLITS`.
        size: side of the prepared images, in pixels.
        mode: of Pillow: "L" for grey, "RGB" for colour.
    """

    images: dict[str, dict[str, Callable[[], BinaryIO]]]
    splits: dict[str, dict[str, str]]
    size: int
    mode: str


def omniglot(folder: pathlib.Path) -> Source:
    """Omniglot, 28 x 28 and grey.

    Its splits are ``characters``, 1,200 of the 1,623 characters (100 of them for validation) and
    the rest, as is the custom since Santoro et al. 2016, and ``alphabets``, those of the background
    set (5 of its 30 for validation) and those of the evaluation set.

    Raises:
        ValueError: a character or a drawing is missing, or there is one more.
    """
    listed = importlib.resources.files("maml.tasks").joinpath("omniglot.csv").read_text()
    rows = {row["character"]: row for row in csv.DictReader(listed.splitlines())}
    images = collections.defaultdict(dict)
    for name, opened in _files(folder):
        *_, drawing = parts = name.split("/")
        character = "/".join(parts[-3:-1])
        if character not in rows:
            raise ValueError(f"{folder} holds {name}, which is no drawing of Omniglot: remove it.")
        images[character][drawing] = opened
    for character in rows:
        found = len(images.get(character, ()))
        if found != DRAWINGS:
            raise ValueError(
                f"{folder} holds {found} drawings of {character}, where there should be "
                f"{DRAWINGS}: unpack the original archives anew."
            )
    splits = {
        split: {character: row[split] for character, row in rows.items()}
        for split in ("characters", "alphabets")
    }
    return Source({name: images[name] for name in rows}, splits, 28, "L")


def miniimagenet(folder: pathlib.Path) -> Source:
    """mini-ImageNet, 84 x 84 in colour, in the split of its three tables.

    Raises:
        ValueError: a table or an image is missing, an image is in no table, or a class in two.
    """
    there = {
        path.name: functools.partial(path.open, "rb") for path in (folder / "images").glob("[!.]*")
    }
    images, split = collections.defaultdict(dict), {}
    for table, name in zip(("train", "val", "test"), SPLITS, strict=True):
        path = folder / f"{table}.csv"
        if not path.is_file():
            raise ValueError(f"{path} is missing: it says which images are for {name}.")
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if not {"filename", "label"} <= set(row):
                    raise ValueError(f"{path} needs the columns filename and label.")
                if row["filename"] not in there:
                    raise ValueError(
                        f"{folder / 'images' / row['filename']} is missing, which {path.name} "
                        "names."
                    )
                images[row["label"]][row["filename"]] = there.pop(row["filename"])
                _belongs(row["label"], split.setdefault(row["label"], name), name, folder)
    if there:
        raise ValueError(f"{folder / 'images' / min(there)} is in no table: remove it.")
    return Source(dict(sorted(images.items())), {"classes": split}, 84, "RGB")


def any_folder(folder: pathlib.Path) -> Source:
    """A folder of class folders, 84 x 84 in colour.

    Raises:
        ValueError: there is no class, a class without images, or one in two of the folders train,
            val and test.
    """
    tops = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
    images, split = collections.defaultdict(dict), {}
    for name, opened in _files(folder):
        *path, file = name.split("/")
        if not path:
            raise ValueError(f"{folder / name} is in no folder of a class: move it into one.")
        images["/".join(path)][file] = opened
        if path[0] in tops and len(path) > 1:
            split["/".join(path)] = tops[path[0]]
    if split and len(split) < len(images):
        other = next(name for name in images if name not in split)
        raise ValueError(f"{folder / other} is in none of the folders train, val and test.")
    belong = {}
    for name, part in split.items():
        _, label = name.split("/", 1)
        _belongs(label, belong.setdefault(label, part), part, folder)
    names = sorted(images)
    if not split:
        order = np.random.default_rng(0).permutation(len(names))
        ends = np.cumsum(_sizes(len(names)))[:-1]
        for part, numbers in zip(SPLITS, np.split(order, ends), strict=True):
            split |= {names[number]: part for number in numbers}
    return Source({name: images[name] for name in names}, {"classes": split}, 84, "RGB")


def _sizes(classes: int) -> tuple[int, int, int]:
    """How many classes of a folder are for training, for validation and for test."""
    first, second = round(0.64 * classes), round(0.8 * classes)
    return first, second - first, classes - second


def classes_for(ways: int) -> int:
    """With this number of classes or more a folder, split by chance, has ``ways`` in each split."""
    # By rounding 27 classes may be enough for 5 ways where 29 are not.
    few = range(7 * (ways + 1))
    return 1 + max(classes for classes in few if min(_sizes(classes)) < ways)


def _belongs(label: str, part: str, other: str, folder: pathlib.Path) -> None:
    """Refuses a class in two splits: one would be tested on what was trained on."""
    if part != other:
        raise ValueError(
            f"{folder} has the class {label} for {part} and for {other}: put all of its images "
            "into one of them."
        )


SOURCES = {"omniglot": omniglot, "miniimagenet": miniimagenet, "folder": any_folder}


def _files(folder: pathlib.Path) -> Iterable[tuple[str, Callable[[], BinaryIO]]]:
    """The images in a folder and in the zips there: names below it, in order, and what opens one.

    Raises:
        ValueError: there is none, or a zip is damaged.
    """
    paths = (
        pathlib.Path(top, name)
        for top, _, names in os.walk(folder, followlinks=True)
        for name in names
    )
    found = {
        path.relative_to(folder).as_posix(): functools.partial(path.open, "rb")
        for path in paths
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    }
    for path in folder.glob("*.zip"):
        if (folder / path.stem).is_dir():
            continue  # Unpacked already.
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is damaged ({error}): get it anew.") from error
        for name in archive.namelist():
            hidden = name.startswith("__MACOSX") or name.split("/")[-1].startswith(".")
            if pathlib.PurePosixPath(name).suffix.lower() in SUFFIXES and not hidden:
                found[name] = functools.partial(archive.open, name)
    if not found:
        raise ValueError(f"{folder} holds no images.")
    return sorted(found.items())


def prepare(source: Source, workers: int, verbose: bool = True) -> ImageFile:
    """Reads and shrinks all images, in threads: Pillow works outside of Python's lock.

    Args:
        source: of one of :data:`SOURCES`.
        workers: number of threads.
        verbose: whether to show progress.

    Raises:
        ValueError: an image is cut short or none.
    """

    def small(item):
        name, opened = item
        try:
            with opened() as file, Image.open(file) as image:
                image = image.convert(source.mode)
                shape = (source.size, source.size)
                return np.asarray(image.resize(shape, Image.Resampling.LANCZOS))
        except (OSError, SyntaxError, zipfile.BadZipFile, Image.DecompressionBombError) as error:
            raise ValueError(f"{name} is no whole image ({error}): get it anew.") from error

    items = [
        (f"{name}/{file}", opened)
        for name, of_class in source.images.items()
        for file, opened in sorted(of_class.items())
    ]
    channels = len(source.mode)
    images = np.empty([len(items), source.size, source.size, channels], np.uint8)
    with threads(workers) as pool:
        done = ProgressBar(
            pool.map(small, items), total=len(items), unit=" images", disable=not verbose
        )
        for index, image in enumerate(done):
            images[index] = image.reshape(images.shape[1:])
    splits = {
        split: np.array([SPLITS.index(of[name]) for name in source.images])
        for split, of in source.splits.items()
    }
    counts = np.array([len(of_class) for of_class in source.images.values()])
    return ImageFile(images, np.array(list(source.images)), counts, splits)


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_enum("dataset", None, list(SOURCES), "What is in the folder.", required=True)
    flags.DEFINE_string("source", None, "The folder.", required=True)
    flags.DEFINE_string("output", None, "The file to write, .npz.", required=True)
    flags.DEFINE_integer("workers", os.cpu_count(), "Threads.", lower_bound=1)


def main():
    source, output = pathlib.Path(flags.FLAGS.source), pathlib.Path(flags.FLAGS.output)
    if not source.is_dir():
        sys.exit(f"Error: there is no folder {source}: name that of the images by --source.")
    if output.suffix != ".npz" or not output.parent.is_dir():
        sys.exit(f"Error: --output={output} must end in .npz and lie in a folder that is there.")
    with reporting.claim(output.parent, output.name):
        try:
            found = prepare(SOURCES[flags.FLAGS.dataset](source), flags.FLAGS.workers)
        except ValueError as error:
            sys.exit(f"Error: {error}")
        found.save(output)
    print(
        f"{len(found.images)} images of {len(found.names)} classes, {found.images.shape[1:]}, in "
        f"{output}, {output.stat().st_size / 1e6:.0f} MB; SHA-256 {found.checksum()[:16]}"
    )


def cli() -> None:
    """The command ``maml-prepare``."""
    define_flags()
    commands.run(main)


if __name__ == "__main__":
    cli()

"""Images of classes -> one compact file that training reads.

    python -m maml.tasks.prepare --dataset=omniglot --source=omniglot --output=omniglot.npz
    python -m maml.tasks.prepare --dataset=miniimagenet --source=miniimagenet --output=mini.npz
    python -m maml.tasks.prepare --dataset=folder --source=FOLDER --output=mine.npz
    python -m maml.tasks.prepare --dataset=folder --source=FOLDER --output=mine --shards=16

Omniglot (Lake et al. 2015): the folder that holds ``images_background`` and ``images_evaluation``,
unpacked or as the original two zips, or both merged, ``<Alphabet>/characterNN/*.png``.
mini-ImageNet (Vinyals et al. 2016, in the split of Ravi and Larochelle 2017): ``images/`` with
``train.csv``, ``val.csv`` and ``test.csv`` beside it. Any folder of folders of images, one for each
class; of them ``train``, ``val`` and ``test`` may be on top, else 64, 16 and 20 % of the classes
become the three splits, by chance.

Images are read as a viewer shows them, transparent pixels white. Hidden files, other kinds of files
and links to folders that are read already are left out and counted. A file of a folder that cannot
be used (damaged, locked, without contrast) is named with the reason and left out; the others are
written, and the exit code is 1. Omniglot and mini-ImageNet are written whole or not at all.

With --shards, for sets larger than memory, the output is a folder of .npy files, from which
training reads what it draws.
"""

import collections
import csv
import importlib.resources
import os
import pathlib
import sys
from collections.abc import Iterable

import numpy as np
from absl import flags

from maml.tasks.image_file import INDEX
from maml.tasks.image_listing import list_images, place_of
from maml.tasks.image_sets.reading import (
    SPLITS,
    Source,
    check_whole,
    prepare,
    prepare_folder,
)
from mine import reporting
from mine.reporting import commands
from mine.reporting.inputs.skipped import Skipped
from mine.reporting.shards.writing import MOST_FILES
from mine.reporting.tables import counted, read_csv

DRAWINGS = 20
"""Of each character of Omniglot."""


def omniglot(folder: pathlib.Path, skipped: Skipped | None = None) -> Source:
    """Omniglot, 28 x 28 and grey.

    Its splits are ``characters``, 1,200 of the 1,623 characters (100 of them for validation) and
    the rest, as is the custom since Santoro et al. 2016, and ``alphabets``, those of the background
    set (5 of its 30 for validation) and those of the evaluation set.

    Args:
        folder: of the data set.
        skipped: takes what is left out; new if None.

    Raises:
        ValueError: a character or a drawing is missing or damaged, or there is one more.
    """
    skipped = skipped or Skipped()
    listed = importlib.resources.files("maml.tasks").joinpath("omniglot.csv").read_text()
    rows = {row["character"]: row for row in csv.DictReader(listed.splitlines())}
    images = collections.defaultdict(dict)
    for name, opened in list_images(folder, skipped).items():
        *_, drawing = parts = name.split("/")
        character = "/".join(parts[-3:-1])
        if character not in rows:
            place = place_of(name, opened)
            raise ValueError(f"{folder} holds {place}, which is no drawing of Omniglot: remove it.")
        images[character][drawing] = opened
    check_whole(skipped)
    for character in rows:
        found = len(images.get(character, ()))
        if found != DRAWINGS:
            raise ValueError(
                f"{folder} holds {counted(found, 'drawing')} of {character}, where there should be "
                f"{DRAWINGS}: unpack the original archives anew."
            )
    splits = {
        split: {character: row[split] for character, row in rows.items()}
        for split in ("characters", "alphabets")
    }
    return Source({name: images[name] for name in rows}, splits, 28, "L", skipped, True)


def miniimagenet(folder: pathlib.Path, skipped: Skipped | None = None) -> Source:
    """mini-ImageNet, 84 x 84 in colour, in the split of its three tables.

    Args:
        folder: of the data set.
        skipped: takes what is left out; new if None.

    Raises:
        ValueError: a table or an image is missing or damaged, an image is in no table or in two
            lines, or a class in two tables.
    """
    skipped, tables = skipped or Skipped(), {}
    for table, name in zip(("train", "val", "test"), SPLITS, strict=True):
        path = folder / f"{table}.csv"
        if not path.is_file():
            raise ValueError(f"{path} is missing: it says which images are for {name}.")
        tables[name] = path, read_csv(path, ("filename", "label"))
    there = list_images(folder / "images", skipped)
    check_whole(skipped)
    images, split, named = collections.defaultdict(dict), {}, set()
    for name, (path, rows) in tables.items():
        for number, row in enumerate(rows, start=2):
            file, label = row["filename"], row["label"]
            if not file or not label:
                raise ValueError(f"{path}, line {number}: needs a filename and a label.")
            if file in named:
                raise ValueError(f"{path}, line {number}: {file} has a line already.")
            if file not in there:
                raise ValueError(f"{folder / 'images' / file} is missing, which {path.name} names.")
            named.add(file)
            images[label][file] = there.pop(file)
            _belongs(label, split.setdefault(label, name), name, folder)
    if there:
        place = place_of(min(there), there[min(there)])
        raise ValueError(f"{folder / 'images' / place} is in no table: remove it.")
    return Source(dict(sorted(images.items())), {"classes": split}, 84, "RGB", skipped, True)


def any_folder(folder: pathlib.Path, skipped: Skipped | None = None) -> Source:
    """A folder of class folders, 84 x 84 in colour.

    Args:
        folder: of the classes, or of train, val and test.
        skipped: takes what is left out; new if None.

    Raises:
        ValueError: there is no class, or one in none or in two of the folders train, val and test,
            if there are any.
    """
    skipped = skipped or Skipped()
    tops = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
    images, split = collections.defaultdict(dict), {}
    for name, opened in list_images(folder, skipped).items():
        *path, file = name.split("/")
        images["/".join(path)][file] = opened
        if len(path) > 1 and path[0] in tops:
            split["/".join(path)] = tops[path[0]]
    for name in ("", *tops) if split else ("",):
        for file, opened in images.pop(name, {}).items():
            place = place_of(pathlib.PurePosixPath(name, file).as_posix(), opened)
            skipped.damage(place, "is in no folder of a class: move it into one")
    if not images:
        raise ValueError(f"{folder} has no class folders with images: {skipped.lines()[0]}.")
    _check_depth(images, tops, folder)
    if split and len(split) < len(images):
        other = next(name for name in images if name not in split)
        file, opened = next(iter(images[other].items()))
        place = place_of(f"{other}/{file}", opened)
        raise ValueError(f"{folder / place} is in none of the folders train, val and test.")
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
    return Source(
        {name: images[name] for name in names}, {"classes": split}, 84, "RGB", skipped, False
    )


def _check_depth(names: Iterable[str], tops: Iterable[str], folder: pathlib.Path) -> None:
    """Refuses train, val and test below the top: each class would count once for each of them."""
    below = collections.defaultdict(set)
    for name in names:
        parts = name.split("/")
        for place, part in enumerate(parts[1:-1], 1):
            if part in tops:
                below["/".join(parts[:place])].add(part)
    for place, found in below.items():
        if len(found) > 1:
            raise ValueError(
                f"{folder} has {' and '.join(sorted(found))} in {place}, where they are taken for "
                f"classes: give {folder / place} as the folder."
            )


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


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_enum("dataset", None, list(SOURCES), "What is in the folder.", required=True)
    flags.DEFINE_string("source", None, "The folder.", required=True)
    flags.DEFINE_string(
        "output", None, "The file to write, .npz, or with --shards the folder.", required=True
    )
    flags.DEFINE_integer(
        "shards",
        0,
        "Files of a folder, from which training reads what it draws: for sets larger than memory. "
        "0: one file, .npz, that is read as a whole",
        0,
        MOST_FILES,
    )
    flags.DEFINE_integer("workers", os.cpu_count(), "Threads.", lower_bound=1)


def main():
    source, output = pathlib.Path(flags.FLAGS.source), pathlib.Path(flags.FLAGS.output)
    shards, workers = flags.FLAGS.shards, flags.FLAGS.workers
    if not source.is_dir():
        sys.exit(f"Error: there is no folder {source}: name that of the images by --source.")
    _check_output(output, shards)
    skipped = Skipped()
    with reporting.claim(output.parent, output.name):
        try:
            found = SOURCES[flags.FLAGS.dataset](source, skipped)
            if shards:
                found = prepare_folder(found, output, shards, workers)
            else:
                found = prepare(found, workers)
        except ValueError as error:
            sys.exit("\n".join([*skipped.lines(), f"Error: {error}"]))
        except OSError as error:
            sys.exit("\n".join([*skipped.lines(), f"Error: {commands.sentence(error)}"]))
        if not shards:
            found.save(output)
    files = output.iterdir() if shards else [output]
    size = sum(path.stat().st_size for path in files)
    print(
        f"{counted(len(found.images), 'image')} of {counted(len(found.names), 'class')}, "
        f"{found.images.shape[1:]}, in {output}, {size / 1e6:.0f} MB; "
        f"SHA-256 {found.checksum()[:16]}"
    )
    skipped.report("file", f"left out of {output}")


def _check_output(output: pathlib.Path, shards: int) -> None:
    """Refuses what cannot be written, or holds other files, in a sentence."""
    if shards:
        free = not output.exists() or (output.is_dir() and not any(output.iterdir()))
        fit = output.suffix != ".npz" and (free or (output / INDEX).exists())
        expected = "a new folder, or one of shards to replace"
    else:
        fit = output.suffix == ".npz" and not output.is_dir()
        expected = "a file that ends in .npz"
    if not fit or not output.parent.is_dir():
        sys.exit(
            f"Error: Invalid value for --output: expected {expected}, in a folder that is there; "
            f"received {output}."
        )


def cli() -> None:
    """The command ``maml-prepare``."""
    define_flags()
    commands.run(main)


if __name__ == "__main__":
    cli()

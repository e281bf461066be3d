"""Gathers images and labels into train_data.pkl and val_data.pkl, split by object.

    python -m pose_data.data_gen --data_dir=data/rotate_resize
    python -m pose_data.data_gen --data_dir=data/rotate_resize --shards=16

Each pickle is [images, labels]: a list over objects of lists of uint8 [H, W], and a list over
objects of lists of [x, y, angle], each scaled to [0, 1]. split.json says which object is where, and
holds checksums, by which readers refuse files that do not belong together.

With --shards, for sets larger than memory, folders train_data/ and val_data/ take the place of the
pickles: images as .npy files, uint8 [objects, images, H, W], and labels [objects, images, 3].
Training reads from them what it draws.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from absl import flags

from mine import reporting
from mine.reporting import commands
from mine.reporting.flag_words import define_seed
from mine.reporting.processes.workers import in_order, threads
from mine.reporting.progress import ProgressBar
from mine.reporting.shards import writing
from mine.reporting.tables import counted
from pose_data import pickles, records
from pose_data.cad import variants

FLAGS = flags.FLAGS

# A label (x, y, angle) is stored as (label - offset) / scale.
LABEL_OFFSET = np.array([0.0, -1.0, 0.0])
LABEL_SCALE = np.array([1.0, 2.0, 2 * np.pi])


@dataclasses.dataclass(frozen=True)
class ObjectData:
    """One object's images and labels.

    Attributes:
        name: "class/object".
        images: uint8 `[H, W]` each, in the order of the image numbers.
        labels: `[x, y, angle]` each, scaled to [0, 1].
        manifest: settings that the renderer wrote; None for images of another renderer.
    """

    name: str
    images: list[np.ndarray]
    labels: list[list[float]]
    manifest: dict | None


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string(
        "data_dir", None, "Folder of grey images, <class>/<object>/*.png, and labels."
    )
    flags.DEFINE_string("output_dir", ".", "Folder to write the pickles and split.json to.")
    flags.DEFINE_integer("num_val", 15, "Objects held out; two or more.", 1)
    define_shards()
    define_seed("Seed of the split.", 1)
    flags.mark_flag_as_required("data_dir")


def define_shards() -> None:
    """Defines the flag of the files that take the place of pickles."""
    flags.DEFINE_integer(
        "shards",
        0,
        "Files for the images of each split, in folders train_data/ and val_data/ in place of the "
        "pickles, from which training reads what it draws: for sets larger than memory. 0: pickles",
        0,
        writing.MOST_FILES,
    )


def split(names: Sequence[str], num_val: int, seed: int) -> tuple[list[str], list[str]]:
    """Chooses the held-out objects: those whose names hash lowest with the seed.

    So the split does not depend on the order of `names`, and one object more or less moves at most
    one other.

    Returns:
        Training and held-out names, each sorted.

    Raises:
        RecordError: as of :func:`pose_data.records.check_num_val`.
    """
    records.check_num_val(names, num_val)
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    return sorted(order[num_val:]), sorted(order[:num_val])


def related(summary: dict) -> list[str]:
    """Held-out objects that share their model with a training object: their errors are too small.

    Args:
        summary: of :func:`generate`.

    Returns:
        Objects of `val` with the model of an object of `train`, or a variant of it.
    """
    meshes = summary["mesh_sha256"]
    models = {variants.sources(name)[0] for name in summary["train"]}
    shapes = {meshes.get(name) for name in summary["train"]} - {None}
    return [
        name
        for name in summary["val"]
        if variants.sources(name)[0] in models or meshes.get(name) in shapes
    ]


def read_object(folder: pathlib.Path) -> ObjectData:
    """Reads the images and labels of one object.

    Raises:
        RecordError: images or labels are missing, broken, replaced, or of different sizes.
        pose_data.pickles.PickleError: the label file cannot be read.
    """
    paths = records.image_files(folder)
    records.check_images(paths)
    labels = records.read_labels(folder)
    if len(labels) != len(paths):
        raise records.RecordError(
            f"Invalid folder {folder}: expected a label for each image; received "
            f"{counted(len(paths), 'image')} and {counted(len(labels), 'label')}; render it again."
        )
    images = []
    for path in paths:
        image = records.read_image(path)
        if image.mode != "L":
            raise records.RecordError(
                f"Invalid image {path}: expected a grey one; received one in colour or with "
                "transparency; run resize_images.py first."
            )
        pixels = np.array(image)
        if images and pixels.shape != images[0].shape:
            raise records.RecordError(
                f"Invalid image {path}: expected the size of 0.png, {images[0].shape}; received "
                f"{pixels.shape}; run resize_images.py."
            )
        images.append(pixels)
    scaled = (np.array(labels, dtype=np.float64)[:, 1:] - LABEL_OFFSET) / LABEL_SCALE
    name = f"{folder.parent.name}/{folder.name}"
    return ObjectData(name, images, scaled.tolist(), records.read_manifest(folder))


def check_alike(data: ObjectData, first: ObjectData) -> None:
    """Raises RecordError, naming an object, unless both have the same count, size and settings."""
    # Angle 0 must have one meaning; seeds may differ.
    traits: dict[str, Callable[[ObjectData], object]] = {
        "images": lambda data: len(data.images),
        "pixels (height, width)": lambda data: data.images[0].shape,
        "for --canonical": lambda data: (data.manifest or {}).get("canonical"),
    }
    for what, trait in traits.items():
        if trait(data) != trait(first):
            raise records.RecordError(
                f"Invalid object {data.name}: expected {trait(first)} {what}, as of "
                f"{first.name}; received {trait(data)}; render and resize all objects with the "
                "same flags."
            )


def generate(
    data_dir: pathlib.Path | str,
    output_dir: pathlib.Path | str = ".",
    *,
    num_val: int = 15,
    seed: int = 1,
    shards: int = 0,
    progress: Callable = lambda results, total: results,
) -> dict:
    """Writes `train_data.pkl`, `val_data.pkl` and `split.json`, in place of those of another run.

    Args:
        data_dir: folder of `<class>/<object>/`.
        output_dir: folder to write to, made if need be.
        num_val: objects held out.
        seed: of the split.
        shards: number of files for the images of each split, in folders `train_data` and `val_data`
            in place of the pickles; 0 for pickles. With files, one object after the other is read.
        progress: wraps the iterator over objects; called with it and their number.

    Returns:
        What `split.json` holds: `train` and `val`, lists of "class/object" in the order of the
        pickles, and the settings; `canonical_yaw`, radians by object, and `mesh_sha256`, the
        checksum of its triangles, where they are known; `sha256`, checksums of the files; with
        `shards` a table of that name, which describes both folders.

    Raises:
        RecordError: the data are incomplete, unlike, or too few.
        pose_data.pickles.PickleError: a label file cannot be read.
        OSError: `output_dir` cannot be written to.
    """
    folders = {f"{of.parent.name}/{of.name}": of for of in records.object_folders(data_dir)}
    train, val = split(list(folders), num_val, seed)
    output_dir = pathlib.Path(output_dir)
    is_new = not output_dir.exists()
    output_dir.mkdir(parents=True, exist_ok=True)
    summary: dict = {"train": train, "val": val, "seed": seed, "num_val": num_val}
    with threads(os.cpu_count()) as pool:
        order = [folders[name] for name in (*train, *val)]
        read = in_order(pool, read_object, order, ahead=2 * (os.cpu_count() or 1))
        objects = _noted(progress(read, len(order)), summary)
        # Of one iterator: those of the second come after those of the first.
        parts = {
            f"{name}_data": itertools.islice(objects, len(summary[name])) for name in records.SPLITS
        }
        try:
            if shards:
                written = _write_shards(parts, output_dir, summary, shards)
            else:
                written = _write_pickles(parts, output_dir, summary)
            next(objects, None)  # There is none; a progress bar ends by that.
            return written
        finally:
            _remove_unlisted(output_dir)
            if is_new and not any(output_dir.iterdir()):
                output_dir.rmdir()


def _noted(objects: Iterable[ObjectData], summary: dict) -> Iterator[ObjectData]:
    """Passes objects on if they are alike, and notes in the summary what is known of them."""
    first = None
    for data in objects:
        if first is None:
            first = data
            summary |= {
                "num_images": len(data.images),
                "image_shape": list(data.images[0].shape),
                "canonical": (data.manifest or {}).get("canonical"),
                "canonical_yaw": {},
                "mesh_sha256": {},
            }
        check_alike(data, first)
        for key in ("canonical_yaw", "mesh_sha256") if data.manifest else ():
            summary[key][data.name] = data.manifest.get(key)
        yield data


def _write_pickles(
    parts: dict[str, Iterable[ObjectData]], output_dir: pathlib.Path, summary: dict
) -> dict:
    with contextlib.ExitStack() as stack:
        checksums = {}
        for name, objects in parts.items():
            chosen = list(objects)
            content = [[data.images for data in chosen], [data.labels for data in chosen]]
            file = f"{name}.pkl"
            temporary = stack.enter_context(reporting.replacing(output_dir / file))
            pickles.write(content, temporary)
            checksums[file] = reporting.file_sha256(temporary)
        summary = records.sealed(summary, checksums)
        # Before the pickles take their places: whatever is cut, readers meet one split or none.
        reporting.write(json.dumps(summary, indent=1).encode(), output_dir / records.SPLIT)
    return summary


def _write_shards(
    parts: dict[str, Iterable[ObjectData]], output_dir: pathlib.Path, summary: dict, shards: int
) -> dict:
    tables, checksums = {}, {}
    for name, objects in parts.items():
        labels: list[np.ndarray] = []

        def images(objects=objects, labels=labels):
            for data in objects:
                labels.append(np.array(data.labels))
                yield np.stack(data.images)

        folder = output_dir / name
        folder.mkdir(exist_ok=True)
        number = len(summary[name.removesuffix("_data")])
        index = writing.write_shards(images(), folder, shards, number, stacked=True)
        file, checksum = writing.write_labels(np.stack(labels), folder)
        tables[name] = index | {records.LABELS: file}
        checksums[f"{name}/{file}"] = checksum
    # Files that are described by split.json before are as they were until this is written.
    summary = records.sealed(summary | {records.SHARDS: tables}, checksums)
    reporting.write(json.dumps(summary, indent=1).encode(), output_dir / records.SPLIT)
    for name in parts:
        (output_dir / f"{name}.pkl").unlink(missing_ok=True)
    return summary


def _remove_unlisted(output_dir: pathlib.Path) -> None:
    """Removes the shards that `split.json` does not name: of another run, or of one that failed."""
    path = output_dir / records.SPLIT
    try:
        tables = records.read_split(path).get(records.SHARDS, {}) if path.exists() else {}
    except records.RecordError:  # What it named is not known.
        return
    for name in records.SPLITS:
        table = tables.get(f"{name}_data", {})
        kept = [*table.get("files", ()), table.get(records.LABELS)]
        writing.remove_others(output_dir / f"{name}_data", kept)


def run(
    data_dir: pathlib.Path | str,
    output_dir: pathlib.Path | str,
    num_val: int,
    seed: int,
    shards: int = 0,
) -> None:
    """Writes the files as the command does; the arguments are its flags.

    Raises:
        SystemExit: with a sentence, if the data are unfit.
    """
    try:
        summary = generate(
            data_dir,
            output_dir,
            num_val=num_val,
            seed=seed,
            shards=shards,
            progress=lambda results, total: ProgressBar(results, total=total, unit=" objects"),
        )
    except (records.RecordError, pickles.PickleError) as error:
        sys.exit(f"Error: {error}")
    train, val = (records.data_path(output_dir, name).name for name in records.SPLITS)
    print(
        f"{output_dir}: {counted(len(summary['train']), 'object')} in {train}, "
        f"{len(summary['val'])} in {val}, {counted(summary['num_images'], 'image')} each."
    )
    if known := related(summary):
        print(
            f"Warning: {counted(len(known), 'object')} of {val}, such as {known[0]}, with "
            f"the model of an object of {train}, or a variant of it: errors are lower there "
            "than on new objects. Remove copies, and render variants into a folder of their own."
        )


def main() -> None:
    """Writes the pickles or shards, and prints their contents."""
    run(FLAGS.data_dir, FLAGS.output_dir, FLAGS.num_val, FLAGS.seed, FLAGS.shards)


def cli() -> None:
    """The command ``pose-data-gen``."""
    define_flags()
    commands.run(main, ["output_dir"])


if __name__ == "__main__":
    cli()

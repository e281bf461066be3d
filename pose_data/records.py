"""One rendered object's folder: its images, its labels, its manifest."""

import json
import math
import pathlib
import reprlib
from collections.abc import Sequence

from PIL import Image

from mine import reporting
from mine.reporting.inputs import image_origin, image_reader
from mine.reporting.tables import counted
from pose_data import pickles
from pose_data.cad import variants

MANIFEST, SPLIT, SHA256 = "manifest.json", "split.json", "sha256"
LEAST_FILE = 500  # Bytes of an image or a model, at least.
PNG_LEVEL = 1  # Of compression: half the time of the default 6, files a third larger.
SPLITS = ("train", "val")
SHARDS, LABELS = "shards", "labels"  # Of split.json.
LABEL_SHA256, IMAGE_SHA256 = "label_sha256", "image_sha256"
SLACK = 1e-6  # Of labels, for the rounding of single precision.
_PNG_END = b"IEND\xaeB`\x82"


class RecordError(ValueError):
    """A folder of images is incomplete or has other content."""


def object_folders(rotate_dir: pathlib.Path | str) -> list[pathlib.Path]:
    """Lists the folders `<rotate_dir>/<class>/<object>`, sorted.

    Raises:
        RecordError: no such folder exists.
    """
    rotate_dir = pathlib.Path(rotate_dir)
    folders = sorted(p for p in rotate_dir.glob("[!.]*/[!.]*") if p.is_dir())
    if not folders:
        raise RecordError(
            f"Invalid folder {rotate_dir}: expected folders <class>/<object>/ of images; received "
            "none; give <data_dir>/rotate of mujoco_render.py."
        )
    return folders


def check_num_val(names: Sequence[str], num_val: int) -> None:
    """Refuses a number of held-out objects with which no learner can be trained and scored.

    Args:
        names: "class/object" of all objects.
        num_val: objects to hold out.

    Raises:
        RecordError: fewer than two objects are held out or left. One may be in a folder of variants
            (see :mod:`pose_data.vary_cad`), which are trained on beside objects that are scored.
    """
    least = 1 if all(len(variants.sources(name)) > 1 for name in names) else 2
    reason = "and scores with mismatched support sets need two held-out objects"
    if len(names) < 2 * least:
        raise RecordError(
            f"Invalid number of objects: expected {2 * least} or more, since training needs two, "
            f"{reason}; received {len(names)}. Add CAD models, such as variants of vary_cad.py."
        )
    most = len(names) - least
    if not least <= num_val <= most:
        allowed = f"{least} to {most}" if most > least else f"{least}"
        raise RecordError(
            f"Invalid value for --num_val: expected {allowed} of {counted(len(names), 'object')}, "
            f"since training needs two, {reason}; received {num_val}. Use "
            f"--num_val={max(least, len(names) // 4)}."
        )


def read_image(path: pathlib.Path) -> Image.Image:
    """A rendered image, as :func:`mine.reporting.inputs.image_reader.read_image` reads it.

    Raises:
        RecordError: it cannot be read.
    """
    try:
        return image_reader.read_image(path)
    except image_reader.ImageError as error:
        raise RecordError(f"Cannot read {path}: it {error}; render it again.") from error


def image_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Lists `0.png`, `1.png`, ... in the order of their numbers.

    Raises:
        RecordError: an image is missing, or is not named by a number.
    """
    files = list(folder.glob("[!.]*.png"))
    if not files:
        raise RecordError(
            f"Invalid folder {folder}: expected images; received none; render it again or "
            "remove it."
        )
    odd = [path.name for path in files if not path.stem.isdecimal()]
    if odd:
        raise RecordError(
            f"Invalid folder {folder}: expected images that are named by numbers; received "
            f"{odd[0]}; remove it."
        )
    files.sort(key=lambda path: int(path.stem))
    for i, path in enumerate(files):
        if int(path.stem) != i:
            raise RecordError(
                f"Invalid folder {folder}: expected images 0.png to {len(files) - 1}.png; received "
                f"none named {i}.png; render it again."
            )
    return files


def check_images(paths: Sequence[pathlib.Path]) -> None:
    """Refuses an image that is neither the one that was rendered nor made from it.

    Objects without checksums, of older versions or other renderers, are read as they are.

    Args:
        paths: of all images of an object, as of :func:`image_files`.

    Raises:
        RecordError: an image was put in place of another, there is one more or less, or the
            checksums or the rest of the manifest are damaged.
    """
    folder = paths[0].parent
    expected = _whole_manifest(folder).get(IMAGE_SHA256)
    if expected is None:
        return
    if not isinstance(expected, list) or len(expected) != len(paths):
        number = (
            counted(len(expected), "image") if isinstance(expected, list) else "a list of images"
        )
        raise RecordError(
            f"Invalid folder {folder}: expected {number}, whose checksums are in {MANIFEST}; "
            f"received {len(paths)}; render it again."
        )
    for path, checksum in zip(paths, expected, strict=True):
        if checksum != reporting.file_sha256(path) and checksum != image_origin.origin(path):
            raise RecordError(
                f"Invalid image {path}: expected the one whose checksum is in {MANIFEST}, or one "
                "that resize_images.py made of it; received another; render it again, or take "
                f"{IMAGE_SHA256!r} out of {MANIFEST} to have images read as they are."
            )


def _whole_manifest(folder: pathlib.Path) -> dict:
    """The manifest of a rendered object, empty if there is none; RecordError if it is damaged."""
    manifest = read_manifest(folder)
    if manifest is None and not (folder / MANIFEST).exists():
        return {}
    kinds = {"mesh_sha256": str, "canonical": str, "canonical_yaw": (int, float)}
    if manifest is None or not all(
        isinstance(manifest[key], kind) for key, kind in kinds.items() if key in manifest
    ):
        raise RecordError(
            f"Invalid file {folder / MANIFEST}: expected what mujoco_render.py wrote; received a "
            "damaged file; render the object again."
        )
    return manifest


def read_labels(folder: pathlib.Path) -> list[list[float]]:
    """Reads the label file, any file with "label" in its name.

    Returns:
        A list of `[i, x, y, angle]`; x in [0, 1] and y in [-1, 1], metres, and an angle in [0, 2
        pi], radians.

    Raises:
        RecordError: the file is missing, holds another list, or is not the one that was rendered.
        pose_data.pickles.PickleError: the file is not a readable pickle of numbers.
    """
    files = label_files(folder)
    if not files:
        raise RecordError(
            f"Invalid folder {folder}: expected a label file; received none; render it again or "
            "remove it."
        )
    if len(files) > 1:
        raise RecordError(
            f"Invalid folder {folder}: expected one label file; received {files[0].name} and "
            f"{files[1].name}; remove all but one."
        )
    expected = (read_manifest(folder) or {}).get(LABEL_SHA256)
    labels = pickles.load(files[0])
    if expected is not None and reporting.file_sha256(files[0]) != expected:
        raise RecordError(
            f"Invalid label file {files[0]}: expected the content whose checksum is in {MANIFEST}; "
            "received another; render it again."
        )
    limits = ((0, 1), (-1, 1), (0, 2 * math.pi))
    for i, label in enumerate(labels if isinstance(labels, list) else [None]):
        numbers = isinstance(label, list) and all(isinstance(v, (int, float)) for v in label)
        if not numbers or len(label) != 4 or label[0] != i:
            raise RecordError(
                f"Invalid label file {files[0]}: expected a list of [i, x, y, angle]; received "
                f"{reprlib.repr(label)} as label {i}; render it again."
            )
        for name, value, (low, high) in zip(("x", "y", "angle"), label[1:], limits, strict=True):
            if not low - SLACK <= value <= high + SLACK:
                raise RecordError(
                    f"Invalid label file {files[0]}: expected {name} in [{low:g}, {high:g}]; "
                    f"received {value!r} of image {i}; render it again."
                )
    return labels


def read_manifest(folder: pathlib.Path) -> dict | None:
    """Returns the manifest of a rendered object, None if it is missing or unreadable."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return manifest if isinstance(manifest, dict) else None


def sealed(summary: dict, files: dict[str, str]) -> dict:
    """What `split.json` holds: a summary, and the checksums by which :func:`read_split` checks it.

    Args:
        summary: ``train`` and ``val``, names of objects, and more.
        files: name of a file beside it -> its checksum.
    """
    return summary | {SHA256: {**files, SPLIT: reporting.json_sha256(summary)}}


def read_split(path: pathlib.Path) -> dict:
    """Reads the file in which `data_gen` describes its pickles.

    Returns:
        ``train`` and ``val``, the names of their objects, and perhaps more: ``mesh_sha256``, of the
        CAD models by object; ``sha256``, of files of the folder, of which older ones have none; and
        ``shards``, for folders in place of pickles, by name what is in them.

    Raises:
        RecordError: the file has other content, or was changed.
        OSError: the file cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = [*content["train"], *content["val"]]
        tables = [content.get("mesh_sha256", {}), content.get(SHA256, {})]
        whole = isinstance(content["train"], list) and isinstance(content["val"], list)
        whole = whole and all(isinstance(name, str) for name in names)
        for table in tables:
            whole = whole and all(of is None or isinstance(of, str) for of in table.values())
        shards = content.get(SHARDS, {}).values()
        whole = whole and all(
            isinstance(of["files"], list) and isinstance(of[LABELS], str) for of in shards
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise RecordError(
            f"Invalid file {path}: expected a {SPLIT} of data_gen.py; received another file; make "
            "it again."
        )
    checksum = content.get(SHA256, {}).get(SPLIT)
    rest = {name: of for name, of in content.items() if name != SHA256}
    if checksum is not None and reporting.json_sha256(rest) != checksum:
        raise RecordError(
            f"Invalid file {path}: expected what data_gen.py wrote; received a changed file; make "
            f"it again, or take {SHA256!r} out of it to have it read as it is."
        )
    return content


def data_path(data_dir: pathlib.Path | str, split: str) -> pathlib.Path:
    """Where the objects of a split are: the pickle of a folder, or the folder of shards in it.

    Args:
        data_dir: of the files of `data_gen`.
        split: one of :data:`SPLITS`.

    Raises:
        RecordError: the `split.json` is damaged.
    """
    data_dir = pathlib.Path(data_dir)
    manifest, name = data_dir / SPLIT, f"{split}_data"
    pickle = data_dir / f"{name}.pkl"
    if manifest.exists():
        return data_dir / name if name in read_split(manifest).get(SHARDS, {}) else pickle
    return data_dir / name if (data_dir / name).is_dir() and not pickle.exists() else pickle


def check_beside_split(path: pathlib.Path) -> None:
    """Refuses a pickle that was not written together with the `split.json` beside it.

    A run of `data_gen` that is killed between its files leaves files of two splits. A `split.json`
    without checksums, of an older version, is taken for the pickle's own.

    Raises:
        RecordError: the content of the pickle is not that of its checksum.
        OSError: a file cannot be read.
    """
    manifest = path.with_name(SPLIT)
    content = read_split(manifest) if manifest.exists() else {}
    if content.get(SHARDS):
        raise RecordError(
            f"Invalid file {path}: expected one that was written together with {SPLIT}, which "
            f"describes {' and '.join(f'{name}/' for name in content[SHARDS])}; received a file "
            f"of another split; read {path.with_suffix('')} instead."
        )
    checksum = content.get(SHA256, {}).get(path.name)
    if checksum is not None and reporting.file_sha256(path) != checksum:
        raise RecordError(
            f"Invalid file {path}: expected the content whose checksum is in {SPLIT}; received "
            "another, as if it were damaged or written for another split; make both again by "
            "data_gen.py."
        )


def label_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The label files of an object's folder, sorted; whole folders have one."""
    return sorted(path for path in folder.glob("[!.]*") if "label" in path.name)


def is_complete(folder: pathlib.Path, manifest: dict) -> bool:
    """Whether `folder` holds this manifest, one label file and all images, without damage."""
    there = read_manifest(folder) or {}
    label_checksum = there.pop(LABEL_SHA256, None)
    checksums = there.pop(IMAGE_SHA256, None)
    labels = label_files(folder)
    if there != manifest or len(labels) != 1:
        return False
    if label_checksum is not None and reporting.file_sha256(labels[0]) != label_checksum:
        return False
    files = [folder / f"{i}.png" for i in range(manifest["num_images"])]
    if not all(path.is_file() and path.read_bytes().endswith(_PNG_END) for path in files):
        return False
    return checksums is None or checksums == list(map(reporting.file_sha256, files))

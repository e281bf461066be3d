"""One rendered object's folder: its images, its labels, its manifest."""

import json
import pathlib

from pose_data import pickles

MANIFEST, SPLIT = "manifest.json", "split.json"
PNG_LEVEL = 1  # Of compression: half the time of the default 6, files a third larger.
_PNG_END = b"IEND\xaeB`\x82"


class RecordError(ValueError):
    """A folder of images that is not as it should be; the message names it and the remedy."""


def object_folders(rotate_dir: pathlib.Path | str) -> list[pathlib.Path]:
    """Lists the folders `<rotate_dir>/<class>/<object>`, sorted.

    Raises:
        RecordError: there is none.
    """
    rotate_dir = pathlib.Path(rotate_dir)
    folders = sorted(p for p in rotate_dir.glob("[!.]*/[!.]*") if p.is_dir())
    if not folders:
        raise RecordError(
            f"{rotate_dir} holds no <class>/<object>/ folder of images; mujoco_render.py writes "
            "them to <data_dir>/rotate."
        )
    return folders


def image_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Lists `0.png`, `1.png`, ... in the order of their numbers.

    Raises:
        RecordError: there is no image, one is missing, or one is not named by a number.
    """
    files = list(folder.glob("[!.]*.png"))
    if not files:
        raise RecordError(f"{folder} holds no images: render it again or remove it.")
    odd = [path.name for path in files if not path.stem.isdecimal()]
    if odd:
        raise RecordError(f"{folder / odd[0]} is not named by a number: remove it.")
    files.sort(key=lambda path: int(path.stem))
    for i, path in enumerate(files):
        if int(path.stem) != i:
            raise RecordError(
                f"{folder} holds {len(files)} images but no {i}.png: render it again."
            )
    return files


def read_labels(folder: pathlib.Path) -> list[list[float]]:
    """Reads the label file, any file with "label" in its name.

    Returns:
        A list of `[i, x, y, angle]`; metres and radians.

    Raises:
        RecordError: there is none, or it is no such list.
        pose_data.pickles.PickleError: it is no readable pickle of numbers.
    """
    files = sorted(path for path in folder.glob("[!.]*") if "label" in path.name)
    if not files:
        raise RecordError(f"{folder} holds no label file: render it again or remove it.")
    labels = pickles.load(files[0])
    for i, label in enumerate(labels if isinstance(labels, list) else [None]):
        numbers = isinstance(label, list) and all(isinstance(v, (int, float)) for v in label)
        if not numbers or len(label) != 4 or label[0] != i:
            raise RecordError(f"{files[0]} is not a list of [i, x, y, angle]: render it again.")
    return labels


def read_manifest(folder: pathlib.Path) -> dict | None:
    """Returns the manifest of a rendered object, None where there is none or it is unreadable."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def read_split(path: pathlib.Path) -> dict:
    """Reads what `data_gen` wrote down of its pickles.

    Returns:
        ``train`` and ``val``, the names of their objects, and perhaps more.

    Raises:
        RecordError: it is no such file.
        OSError: it cannot be read.
    """
    try:
        content = json.loads(path.read_text())
        whole = all(isinstance(name, str) for name in [*content["train"], *content["val"]])
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise RecordError(f"{path} is not a {SPLIT} of data_gen.py: make it anew.")
    return content


def is_complete(folder: pathlib.Path, manifest: dict) -> bool:
    """Whether `folder` holds that very manifest, a label file, and all its images to their end."""
    if read_manifest(folder) != manifest or not any(folder.glob("label*")):
        return False
    files = [folder / f"{i}.png" for i in range(manifest["num_images"])]
    return all(path.is_file() and path.read_bytes().endswith(_PNG_END) for path in files)

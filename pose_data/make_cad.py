"""Makes a set of CAD models for users who have none, in the layout of PASCAL3D+.

    python -m pose_data.make_cad --CAD_dir=CAD --num_per_class=40

writes CAD/<class>/<NN>.off, NN from 01: the classes in `shapes`, each object with proportions and
parts of its own. As in PASCAL3D+, z is up and all objects face -y in the files; mujoco_render.py
can give each a random yaw. Object NN of a class depends on the seed alone, so a set can be enlarged
later: its objects are kept. The same command resumes a stopped run.
"""

import functools
import json
import pathlib
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import trimesh
from absl import flags

from mine import reporting
from mine.reporting import commands
from mine.reporting.flag_words import define_seed
from mine.reporting.processes import resources
from mine.reporting.progress import ProgressBar
from mine.reporting.tables import counted
from pose_data import records
from pose_data.shapes.classes import CLASSES

FLAGS = flags.FLAGS

MANIFEST = "make_cad.json"
# Raise by one when a shape changes: one set must not mix objects of two generators.
VERSION = 1


def make_object(name: str, number: int, seed: int = 0) -> trimesh.Trimesh:
    """Samples one object.

    Args:
        name: its class, a key of `shapes.CLASSES`.
        number: which object of the class, from 1; the name of its file.
        seed: which set of objects, 0 or greater.

    Returns:
        The mesh in metres, z up, facing -y, the middle of its bounding box's bottom at the origin.

    Raises:
        ValueError: ``name`` is not a class.
    """
    _check_classes([name])
    # A checksum, since Python's own hash of a string changes from one run to the next.
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
    mesh = CLASSES[name](rng)
    mesh.vertices = mesh.vertices[:, [1, 0, 2]] * (1, -1, 1)  # A turn from +x to -y.
    middle = mesh.bounds.mean(axis=0)
    mesh.apply_translation((-middle[0], -middle[1], -mesh.bounds[0, 2]))
    return mesh


def make_set(
    cad_dir: pathlib.Path,
    num_per_class: int = 6,
    classes: Sequence[str] | None = None,
    seed: int = 0,
    progress: Callable[[list], Iterable] = iter,
) -> tuple[int, int]:
    """Writes the objects that a folder lacks, and a manifest of the settings.

    Args:
        cad_dir: the folder. It is made if absent, and enlarged if it holds a part of this set.
        num_per_class: objects in each class.
        classes: keys of `shapes.CLASSES`; all of them by default.
        seed: which set of objects, 0 or greater.
        progress: wraps the list of objects to write, as tqdm does.

    Returns:
        Number of objects written, 0 if the set was complete, and of objects in the set.

    Raises:
        ValueError: one of ``classes`` is not a class, or the disk has no space for the set.
        FileExistsError: the folder holds other files, which are kept.
        OSError: the folder cannot be written to.
    """
    cad_dir = pathlib.Path(cad_dir)
    classes = list(dict.fromkeys(CLASSES if classes is None else classes))
    _check_classes(classes)
    settings = {
        "version": VERSION,
        "seed": seed,
        "num_per_class": num_per_class,
        "classes": classes,
    }
    _check_folder(cad_dir, settings)
    needed = num_per_class * len(classes) * records.LEAST_FILE
    resources.require("num_per_class", num_per_class, needed, resources.disk(cad_dir))
    missing = [
        (path, name, number)
        for name in classes
        for number in range(1, num_per_class + 1)
        if not (path := cad_dir / name / f"{number:02d}.off").exists()
    ]
    cad_dir.mkdir(parents=True, exist_ok=True)
    # The manifest comes first, so that the next run recognizes and resumes a stopped one.
    reporting.write((json.dumps(settings, indent=2) + "\n").encode(), cad_dir / MANIFEST)
    for path, name, number in progress(missing):
        path.parent.mkdir(exist_ok=True)
        mesh = make_object(name, number, seed)
        reporting.write(mesh.export(file_type="off", digits=5).encode(), path)
    return len(missing), num_per_class * len(classes)


def _check_classes(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in CLASSES]
    if unknown or not names:
        raise ValueError(
            f"Invalid value for `classes`: expected names among {', '.join(CLASSES)}; received "
            f"{', '.join(unknown) or 'none'}."
        )


def _check_folder(cad_dir: pathlib.Path, settings: dict) -> None:
    """Raises FileExistsError unless the folder is free or holds a part of the wanted set."""
    if cad_dir.exists() and not cad_dir.is_dir():
        raise FileExistsError(
            f"Invalid value for `CAD_dir`: expected a folder; received {cad_dir}, which is a file."
        )
    remedy = "choose another --CAD_dir, or remove this one."
    manifest = cad_dir / MANIFEST
    if manifest.is_file():
        try:
            made = json.loads(manifest.read_bytes())
            same = all(made[key] == settings[key] for key in ("version", "seed"))
            part = made["num_per_class"] <= settings["num_per_class"]
            part = part and set(made["classes"]) <= set(settings["classes"])
        except (ValueError, KeyError, TypeError) as error:
            raise FileExistsError(
                f"Cannot read {manifest}: expected the settings of a set; received a damaged file "
                f"({error}); {remedy}"
            ) from error
        if not (same and part):
            raise FileExistsError(
                f"Invalid value for `CAD_dir`: expected an empty folder or a part of this set; "
                f"received {cad_dir}, whose {MANIFEST} describes a larger or different set; "
                f"{remedy}"
            )
    elif cad_dir.exists() and any(not path.name.startswith(".") for path in cad_dir.iterdir()):
        raise FileExistsError(
            f"Invalid value for `CAD_dir`: expected an empty folder or a part of this set; "
            f"received {cad_dir}, which holds other files; {remedy}"
        )


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("CAD_dir", None, "Folder to write <class>/<NN>.off into.")
    flags.DEFINE_integer("num_per_class", 6, "Objects in each class.", 1)
    flags.DEFINE_list("classes", list(CLASSES), "Classes, comma-separated; default: all.")
    define_seed("Seed of the shapes.")
    flags.mark_flag_as_required("CAD_dir")


def run(cad_dir: pathlib.Path | str, num_per_class: int, classes: Sequence[str], seed: int) -> None:
    """Makes the missing objects as the command does; arguments as of :func:`make_set`."""
    bar = functools.partial(ProgressBar, unit=" objects", delay=2)
    try:
        written, wanted = make_set(cad_dir, num_per_class, classes, seed, bar)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    print(f"{cad_dir}: {counted(written, 'object')} written, {wanted - written} kept.")


def main() -> None:
    """Makes the missing objects."""
    run(FLAGS.CAD_dir, FLAGS.num_per_class, FLAGS.classes, FLAGS.seed)


def cli() -> None:
    """The command ``pose-make-cad``."""
    define_flags()
    commands.run(main, ["CAD_dir"])


if __name__ == "__main__":
    cli()

"""Makes a set of CAD models for users who have none, laid out as PASCAL3D+ is.

    python -m pose_data.make_cad --CAD_dir=CAD --num_per_class=40

writes CAD/<class>/<NN>.off, NN from 01. As in PASCAL3D+, z is up and every object of every class
faces -y, so the yaw that makes the tasks differ is the renderer's to draw. Objects stand on z = 0
over the origin, in metres. Object NN of a class depends on the seed alone, not on how many others
are made, so a set can be enlarged later: what is there stays, byte for byte.
"""

import json
import os
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh
from absl import app, flags

from pose_data.shapes import CLASSES

MANIFEST = "make_cad.json"
# To be raised when a shape changes, since one set must not mix objects of two generators.
VERSION = 1


def make_object(name: str, number: int, seed: int = 0) -> trimesh.Trimesh:
    """Samples one object.

    Args:
      name: a key of `shapes.CLASSES`.
      number: which object of the class, from 1; the name of its file.
      seed: a set of objects, 0 or greater.

    Returns:
      The mesh in metres, z up, front towards -y, its bounding box centred over the origin and
      standing on z = 0.

    Raises:
      ValueError: the class is not known.
    """
    _check_classes([name])
    # A checksum, since Python's own hash of a string changes from one run to the next.
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
    mesh = CLASSES[name](rng)
    mesh.vertices = mesh.vertices[:, [1, 0, 2]] * (1, -1, 1)  # from front +x to front -y
    centre = mesh.bounds.mean(axis=0)
    mesh.apply_translation((-centre[0], -centre[1], -mesh.bounds[0, 2]))
    return mesh


def make_set(cad_dir: str | os.PathLike, num_per_class: int = 6,
             classes: Sequence[str] | None = None, seed: int = 0) -> int:
    """Writes the objects that are missing from a folder, and a manifest of the settings.

    Args:
      cad_dir: the folder; made if absent, enlarged if it holds a smaller set of the same seed.
      num_per_class: objects in each class.
      classes: names from `shapes.CLASSES`; all of them if omitted.
      seed: a set of objects, 0 or greater.

    Returns:
      The number of files written; 0 if the set was complete.

    Raises:
      ValueError: a class is not known.
      FileExistsError: the folder holds something else, which is left as it is.
    """
    cad_dir = Path(cad_dir)
    classes = list(dict.fromkeys(classes or CLASSES))
    _check_classes(classes)
    wanted = {"version": VERSION, "seed": seed, "num_per_class": num_per_class, "classes": classes}
    _check_folder(cad_dir, wanted)
    missing = [(name, number) for name in classes for number in range(1, num_per_class + 1)
               if not _file(cad_dir, name, number).exists()]
    cad_dir.mkdir(parents=True, exist_ok=True)
    # The manifest comes first: an interrupted run is then recognised, and resumed, by the next.
    _write(cad_dir / MANIFEST, json.dumps(wanted, indent=2) + "\n")
    begin = time.monotonic()
    for done, (name, number) in enumerate(missing, start=1):
        path = _file(cad_dir, name, number)
        path.parent.mkdir(exist_ok=True)
        _write(path, make_object(name, number, seed).export(file_type="off", digits=5))
        if time.monotonic() - begin > 2 and (done % 20 == 0 or done == len(missing)):
            print(f"\rmade {done} of {len(missing)} objects", end="", file=sys.stderr, flush=True)
    if time.monotonic() - begin > 2:
        print(file=sys.stderr)
    return len(missing)


def _file(cad_dir: Path, name: str, number: int) -> Path:
    return cad_dir / name / f"{number:02d}.off"


def _write(path: Path, text: str) -> None:
    """Writes under a temporary name first, so that a file with the final name is always whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.replace(path)


def _check_classes(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in CLASSES]
    if unknown:
        raise ValueError(f"No class is called {', '.join(unknown)}: "
                         f"the classes are {', '.join(CLASSES)}.")


def _check_folder(cad_dir: Path, wanted: dict) -> None:
    """Raises FileExistsError unless the folder is free or a part of the wanted set."""
    remedy = "name another folder with --CAD_dir, or remove this one."
    if cad_dir.exists() and not cad_dir.is_dir():
        raise FileExistsError(f"{cad_dir} is a file: name a folder with --CAD_dir.")
    manifest = cad_dir / MANIFEST
    if manifest.exists():
        made = json.loads(manifest.read_text())
        same = all(made[key] == wanted[key] for key in ("version", "seed"))
        smaller = (made["num_per_class"] <= wanted["num_per_class"]
                   and set(made["classes"]) <= set(wanted["classes"]))
        if not (same and smaller):
            raise FileExistsError(
                f"{cad_dir} holds a set made with other settings ({MANIFEST} says which), of which "
                f"the wanted one is no enlargement: {remedy}")
    elif cad_dir.is_dir() and any(not path.name.startswith(".") for path in cad_dir.iterdir()):
        raise FileExistsError(f"{cad_dir} holds files that make_cad did not make: {remedy}")


def define_flags() -> None:
    """Defines the flags of this program; called only when it runs as one."""
    flags.DEFINE_string("CAD_dir", None, "The folder to write <class>/<NN>.off into.")
    flags.DEFINE_integer("num_per_class", 6, "Objects in each class.", lower_bound=1)
    flags.DEFINE_list("classes", None, f"Classes to make, all by default: {', '.join(CLASSES)}.")
    flags.DEFINE_integer("seed", 0, "Another seed gives other objects.", lower_bound=0)
    flags.mark_flag_as_required("CAD_dir")


def main(argv: Sequence[str]) -> None:
    """Makes the set the flags describe, or stops with one sentence that names the remedy."""
    if len(argv) > 1:
        sys.exit(f"make_cad takes flags only, not {argv[1]}: see --help.")
    args = flags.FLAGS
    try:
        written = make_set(args.CAD_dir, args.num_per_class, args.classes, args.seed)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    kinds = len(args.classes or CLASSES)
    print(f"{args.CAD_dir}: {args.num_per_class} objects in each of {kinds} classes, "
          f"{written} of them new.")


if __name__ == "__main__":
    define_flags()
    app.run(main)

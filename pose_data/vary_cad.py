"""Makes more objects of CAD models: longer, lower, leaning, wider in front than behind.

    python -m pose_data.vary_cad --CAD_dir=CAD --output_dir=CAD_varied --split=data/split.json

CAD/<class>/<name>.{stl,off,obj,ply} becomes CAD_varied/<class>/<name>~1.stl, ~2 and so on. Variant
number n of an object depends on its name and the seed alone. Models that cannot be read are named
with the reason, the others are varied, and the command ends with exit code 1.
"""

import pathlib
import sys
import zlib
from collections.abc import Iterator

import numpy as np
from absl import flags

from mine import reporting
from mine.reporting import commands
from mine.reporting.flag_words import define_seed
from mine.reporting.processes import resources
from mine.reporting.tables import counted
from pose_data import progress, records
from pose_data.cad import meshes
from pose_data.cad.variants import variant

FLAGS = flags.FLAGS


def vary(triangles: np.ndarray, rng: np.random.Generator, strength: float = 0.3) -> np.ndarray:
    r"""Changes the proportions of a shape; the left stays the mirror image of the right.

    With coordinates in :math:`[-1, 1]` of the bounding box, x to the side, y to the front or back,
    z up, each becomes :math:`s_i e^{\sum_{j \ne i} a_{ij} u_j} u_i`, so that its size changes along
    y and z (tapering; Barr 1984, doi 10.1145/964965.808573), and y + c z takes the place of y.
    :math:`\log s_i`, :math:`a_{ij}` and c are uniform up to ``strength``, but for
    :math:`a_{ix} = 0`.

    Args:
        triangles: corners, ``[F, 3, 3]``, z up and facing y or -y, any unit and place.
        rng: what draws.
        strength: 0 changes nothing.

    Returns:
        Corners, float32 ``[F, 3, 3]``, their bounding box's middle at the origin.
    """
    corners = triangles.reshape(-1, 3).astype(np.float64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    half = (high - low) / 2
    unit = (corners - (low + high) / 2) / np.where(half > 0, half, 1)
    taper = rng.uniform(-strength, strength, (3, 3))
    np.fill_diagonal(taper, 0)
    taper[:, 0] = 0
    varied = unit * np.exp(unit @ taper.T)
    varied[:, 1] += rng.uniform(-strength, strength) * unit[:, 2]
    varied *= half * np.exp(rng.uniform(-strength, strength, 3))
    varied -= (varied.min(axis=0) + varied.max(axis=0)) / 2
    return varied.reshape(triangles.shape).astype(np.float32)


def vary_all(
    objects: list[meshes.CadObject], output_dir: pathlib.Path, variants: int, seed: int
) -> Iterator[tuple[pathlib.Path, bool, str | None]]:
    """Writes the variants of one object after the other, and continues after a failure.

    Yields:
        The source, whether its variants were written, and why they could not be, or None.
    """
    for cad in objects:
        try:
            triangles = meshes.read_triangles(cad.path)
            (output_dir / cad.category).mkdir(parents=True, exist_ok=True)
            for number in range(variants, 0, -1):  # If any name is too long, the first one is.
                rng = np.random.default_rng([seed, zlib.crc32(str(cad).encode()), number])
                content = meshes.stl_bytes(vary(triangles, rng))
                reporting.write(content, output_dir / _file(cad, number))
        except meshes.MeshError as error:
            yield cad.path, False, error.reason
        except OSError as error:
            yield cad.path, False, f"cannot be written: {error.strerror or error}"
        else:
            yield cad.path, True, None


def trained_on(objects: list[meshes.CadObject], split: pathlib.Path) -> list[meshes.CadObject]:
    """The objects that a ``split.json`` of `data_gen` has in ``train``.

    Raises:
        ValueError: the file is not of `data_gen`, or has none of the objects.
        OSError: the file cannot be read.
    """
    names = set(records.read_split(split)["train"])
    found = [cad for cad in objects if str(cad) in names]
    if not found:
        raise ValueError(
            f"Invalid value for --split: expected a file whose training objects are models of "
            f"--CAD_dir; received {split}, which has none of them."
        )
    return found


def check_folder(output_dir: pathlib.Path, objects: list[meshes.CadObject], variants: int) -> None:
    """Refuses a folder that holds other files than this run writes, since all are rendered.

    Raises:
        FileExistsError: the folder holds another file.
    """
    wanted = {_file(cad, number) for cad in objects for number in range(1, variants + 1)}
    found = {path.relative_to(output_dir) for path in output_dir.glob("[!.]*/[!.]*")}
    if found - wanted:
        raise FileExistsError(
            f"Invalid value for --output_dir: expected a folder without other files; received "
            f"{output_dir}, which holds {min(found - wanted)}; choose another folder, or remove "
            "this one."
        )


def _file(cad: meshes.CadObject, number: int) -> pathlib.Path:
    """Path of a variant, below the folder of all."""
    return pathlib.Path(f"{variant(str(cad), number)}.stl")


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("CAD_dir", None, "Folder of CAD models, <class>/<name>.{stl,off,obj,ply}.")
    flags.DEFINE_string("output_dir", None, "Folder to write <class>/<name>~<n>.stl into.")
    flags.DEFINE_integer("variants", 8, "Variants of each model.", 1)
    flags.DEFINE_string(
        "split", None, "A split.json, to vary its training objects only; default: all models."
    )
    define_seed("Seed of the variants.")
    flags.mark_flags_as_required(["CAD_dir", "output_dir"])


def main() -> None:
    """Varies all models, and exits with 1 if one failed."""
    output_dir = pathlib.Path(FLAGS.output_dir)
    try:
        objects = meshes.find_objects(FLAGS.CAD_dir)
        if FLAGS.split:
            objects = trained_on(objects, pathlib.Path(FLAGS.split))
        needed = len(objects) * FLAGS.variants * records.LEAST_FILE
        resources.require("variants", FLAGS.variants, needed, resources.disk(output_dir))
        check_folder(output_dir, objects, FLAGS.variants)
        results = vary_all(objects, output_dir, FLAGS.variants, FLAGS.seed)
        varied, failed = progress.tally(results, len(objects), "models")
    except ValueError as error:
        sys.exit(f"Error: {error}")
    print(
        f"{output_dir}: {counted(FLAGS.variants, 'variant')} of each of "
        f"{counted(varied, 'model')}, {failed} failed."
    )
    if failed:
        sys.exit(
            f"Error: could not vary {failed} of {counted(len(objects), 'model')}: see "
            "above why; mend or remove what is named there, and run the same command again."
        )


def cli() -> None:
    """The command ``pose-vary-cad``."""
    define_flags()
    commands.run(main, ["output_dir"])


if __name__ == "__main__":
    cli()

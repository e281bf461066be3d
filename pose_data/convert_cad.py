"""Converts CAD models to binary STL, the form MuJoCo reads, each beside its source.

    python convert_cad.py --CAD_dir=CAD

CAD/<class>/<name>.{off,obj,ply} becomes CAD/<class>/<name>.stl. What is up to date is left alone.
"""

import pathlib
import sys
from collections.abc import Iterator

from absl import app, flags

from pose_data import files, meshes, progress

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines this script's flags."""
    flags.DEFINE_string("CAD_dir", None, "Folder of CAD models, <class>/<name>.{off,obj,ply}.")
    flags.mark_flag_as_required("CAD_dir")


def convert(source: pathlib.Path) -> bool:
    """Writes the STL file beside a CAD file, unless there is one at least as new.

    Polygons are cut into triangles; axes, place and unit stay as they are.

    Returns:
        Whether it was written.

    Raises:
        pose_data.meshes.MeshError: the source cannot be used.
        OSError: the STL file cannot be written.
    """
    stl = source.with_suffix(".stl")
    if meshes.is_up_to_date(stl, source):
        return False
    files.write_bytes(stl, meshes.stl_bytes(meshes.read_triangles(source)))
    return True


def convert_all(sources: list[pathlib.Path]) -> Iterator[tuple[pathlib.Path, bool, str | None]]:
    """Converts one file after the other, and goes on after one that cannot be used.

    Yields:
        The source, whether its STL file was written, and why it could not be, or None.

    Raises:
        OSError: an STL file cannot be written.
    """
    for source in sources:
        try:
            yield source, convert(source), None
        except meshes.MeshError as error:
            yield source, False, str(error)


def main(argv: list[str]) -> None:
    """Converts all models, and exits with 1 if one failed."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown argument {argv[1]}")
    try:
        objects = meshes.find_objects(FLAGS.CAD_dir, sources=True)
        sources = [cad.path for cad in objects]
        converted, failed = progress.tally(convert_all(sources), len(sources), "files")
    except OSError as error:
        sys.exit(f"convert_cad: {error}")
    unchanged = len(sources) - converted - failed
    print(f"{FLAGS.CAD_dir}: {converted} converted, {unchanged} up to date, {failed} failed.")
    if failed:
        sys.exit(
            f"convert_cad: could not convert {failed} of {len(sources)} files; the reasons stand "
            "above."
        )


if __name__ == "__main__":
    define_flags()
    app.run(main)

"""Converts CAD models to binary STL, which MuJoCo reads, each beside its source.

    python -m pose_data.convert_cad --CAD_dir=CAD

CAD/<class>/<name>.{off,obj,ply} becomes CAD/<class>/<name>.stl. Files that are up to date are kept.
Models that cannot be read are named with the reason, the others are converted, and the command ends
with exit code 1.
"""

import pathlib
import sys
from collections.abc import Iterator

from absl import flags

from mine import reporting
from mine.reporting import commands
from mine.reporting.tables import counted
from pose_data import progress
from pose_data.cad import meshes

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("CAD_dir", None, "Folder of CAD models, <class>/<name>.{off,obj,ply}.")
    flags.mark_flag_as_required("CAD_dir")


def convert(source: pathlib.Path) -> bool:
    """Writes the STL file beside a CAD file, unless there is one at least as new.

    Polygons are cut into triangles; axes, place and unit stay as they are.

    Returns:
        Whether it was written.

    Raises:
        pose_data.cad.meshes.MeshError: the source cannot be used.
        OSError: the STL file cannot be written.
    """
    stl = source.with_suffix(".stl")
    if meshes.is_up_to_date(stl, source):
        return False
    reporting.write(meshes.stl_bytes(meshes.read_triangles(source)), stl)
    return True


def convert_all(sources: list[pathlib.Path]) -> Iterator[tuple[pathlib.Path, bool, str | None]]:
    """Converts one file after the other, and continues after a failure.

    Yields:
        The source, whether its STL file was written, and why it could not be, or None.
    """
    for source in sources:
        try:
            yield source, convert(source), None
        except meshes.MeshError as error:
            yield source, False, error.reason
        except OSError as error:
            yield source, False, f"cannot be written: {error.strerror or error}"


def main() -> None:
    """Converts all models, and exits with 1 if one failed."""
    objects = meshes.find_objects(FLAGS.CAD_dir, sources=True)
    sources = [cad.path for cad in objects]
    converted, failed = progress.tally(convert_all(sources), len(sources), "files")
    unchanged = len(sources) - converted - failed
    print(f"{FLAGS.CAD_dir}: {converted} converted, {unchanged} up to date, {failed} failed.")
    if failed:
        sys.exit(
            f"Error: could not convert {failed} of {counted(len(sources), 'file')}: see "
            "above why; mend or remove what is named there, and run the same command again."
        )


def cli() -> None:
    """The command ``pose-convert-cad``."""
    define_flags()
    commands.run(main, changed=["CAD_dir"])


if __name__ == "__main__":
    cli()

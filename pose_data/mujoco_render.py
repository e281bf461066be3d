"""Renders each CAD model from many sides: images and labels for pose regression.

    python -m pose_data.mujoco_render --CAD_dir=CAD --data_dir=data

``CAD/<class>/<name>.{stl,off,obj,ply}`` becomes ``data/rotate/<class>/<name>/*.png`` and labels.
The same command resumes a stopped run. Models that cannot be used are named with the reason, the
others are rendered, and the command ends with exit code 1.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from mine import reporting
from mine.reporting import commands
from mine.reporting.flag_words import define_seed
from mine.reporting.progress import ProgressBar
from mine.reporting.tables import counted
from pose_data import contact_sheet, gl_backend, records, rendering
from pose_data.cad import meshes

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("CAD_dir", None, "Folder of CAD models, <class>/<name>.{stl,off,obj,ply}.")
    flags.DEFINE_string("data_dir", None, "Folder to write to; images go to its subfolder rotate/.")
    flags.DEFINE_integer("num_images", 100, "Images per object.", 1, 1_000_000)
    flags.DEFINE_integer("image_size", 256, "Width and height of an image, pixels.", 16, 4096)
    flags.DEFINE_list(
        "skip_classes",
        ["bottle", "train"],
        "Classes to leave out, comma-separated, which are named; empty for none.",
    )
    define_seed("Seed of the angles and canonical yaws.")
    flags.DEFINE_integer(
        "num_val",
        None,
        "Objects that data_gen.py will hold out, checked before rendering; not checked if left "
        "out.",
        1,
    )
    flags.DEFINE_integer("workers", os.cpu_count(), "Processes; default: the number of cores.", 1)
    flags.DEFINE_enum(
        "canonical",
        "file",
        rendering.CANONICAL,
        "Orientation of angle 0: that of the CAD file, which objects of a class often share, or "
        "that of the file turned by a random yaw per object, written to its manifest.json.",
    )
    flags.mark_flags_as_required(["CAD_dir", "data_dir"])


def settings_from_flags() -> rendering.Settings:
    """The settings that the flags of :func:`define_flags` ask for."""
    return rendering.Settings(
        num_images=FLAGS.num_images,
        image_size=FLAGS.image_size,
        seed=FLAGS.seed,
        canonical=FLAGS.canonical,
    )


def main() -> None:
    """Renders missing objects, makes the contact sheet, and exits with 1 if an object failed."""
    data_dir = pathlib.Path(FLAGS.data_dir)
    run(
        FLAGS.CAD_dir,
        data_dir,
        settings_from_flags(),
        FLAGS.skip_classes,
        FLAGS.num_val,
        FLAGS.workers,
    )


def run(
    cad_dir: pathlib.Path | str,
    data_dir: pathlib.Path,
    settings: rendering.Settings,
    skip_classes: Sequence[str],
    num_val: int | None,
    workers: int,
) -> None:
    """Renders as the command does; the arguments are its flags.

    Raises:
        SystemExit: with a sentence, if an object or the whole failed.
    """
    # Hidden until the first object is done, so that an error at the start stands alone.
    bar = ProgressBar(total=0, unit=" images", dynamic_ncols=True, delay=float("inf"))

    def report(result: rendering.Result, num_objects: int) -> None:
        # Objects that were rendered before or failed do not count for the rate.
        bar.delay = 0
        bar.total = bar.total or num_objects * settings.num_images
        bar.total -= settings.num_images - result.rendered
        bar.update(result.rendered)
        if result.failure:
            bar.write(f"{result.name} {result.failure}", file=sys.stderr)

    try:
        checked_objects(cad_dir, data_dir, skip_classes, num_val)
        if skipped := meshes.skipped(cad_dir, skip_classes):
            print(f"Left out by --skip_classes: {skipped}; --skip_classes= renders them too.")
        with bar:
            results = rendering.render_dataset(
                cad_dir,
                data_dir,
                settings,
                skip_classes=skip_classes,
                workers=workers,
                report=report,
            )
        complete = [result.name for result in results if not result.failure]
        if complete:
            rows = contact_sheet.rendered_rows(data_dir / "rotate", complete)
            with reporting.replacing(data_dir / "contact_sheet.png") as temporary:
                contact_sheet.contact_sheet(rows).save(temporary, "png")
    except (gl_backend.GlError, rendering.RenderError, ValueError) as error:
        sys.exit(f"Error: {error}")
    rendered = sum(result.rendered > 0 for result in results)
    print(
        f"{data_dir / 'rotate'}: {counted(rendered, 'object')} rendered, "
        f"{len(complete) - rendered} kept, {len(results) - len(complete)} failed."
    )
    if len(complete) < len(results):
        failed = ", ".join(result.name for result in results if result.failure)
        sys.exit(
            f"Error: could not render {failed}; see above why, mend or remove what is named "
            "there, and run the same command again."
        )


def checked_objects(
    cad_dir: pathlib.Path | str,
    data_dir: pathlib.Path,
    skip_classes: Sequence[str],
    num_val: int | None,
) -> list[meshes.CadObject]:
    """The models to render, after a check that ``data_dir`` and ``num_val`` are of them.

    Raises:
        FileExistsError: the folder holds another object.
        FileNotFoundError, NotADirectoryError: ``cad_dir`` holds no models.
        ValueError: that many of them cannot be held out.
    """
    objects = meshes.find_objects(cad_dir, skip_classes)
    if num_val is not None:
        records.check_num_val([str(cad) for cad in objects], num_val)
    check_folder(data_dir / "rotate", objects)
    return objects


def check_folder(rotate_dir: pathlib.Path, objects: list[meshes.CadObject]) -> None:
    """Refuses a folder that holds other objects, which data_gen.py would include.

    Raises:
        FileExistsError: the folder holds another object.
    """
    found = (path for path in rotate_dir.glob("[!.]*/[!.]*") if path.is_dir())
    others = {f"{path.parent.name}/{path.name}" for path in found} - set(map(str, objects))
    if others:
        raise FileExistsError(
            f"Invalid value for --data_dir: expected a folder without objects of other models; "
            f"received {rotate_dir} with {len(others)} of them, such as {min(others)}; choose "
            "another folder, or remove them."
        )


def cli() -> None:
    """The command ``pose-mujoco-render``."""
    define_flags()
    commands.run(main, ["data_dir"])


if __name__ == "__main__":
    cli()

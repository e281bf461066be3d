"""Renders each CAD model from many sides: images and labels for pose regression.

    python mujoco_render.py --CAD_dir=CAD --data_dir=data

CAD/<class>/<name>.{stl,off,obj,ply} becomes data/rotate/<class>/<name>/*.png with labels beside.
A run that was stopped goes on where it was when the same command is given again.
"""

import os
import pathlib
import sys

from absl import app, flags
from tqdm import tqdm

from pose_data import contact_sheet, files, gl_backend, meshes, rendering

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines this script's flags."""
    flags.DEFINE_string("CAD_dir", None, "Folder of CAD models, <class>/<name>.{stl,off,obj,ply}.")
    flags.DEFINE_string("data_dir", None, "Folder to write to; images go to its subfolder rotate/.")
    flags.DEFINE_integer("num_images", 100, "Images per object.", 1, 1_000_000)
    flags.DEFINE_integer("image_size", 256, "Width and height of an image, pixels.", 16, 4096)
    flags.DEFINE_list(
        "skip_classes", ["bottle", "train"], "Classes to leave out, by comma; empty for none."
    )
    flags.DEFINE_integer("seed", 0, "Seed of the angles and canonical yaws.", 0)
    flags.DEFINE_integer("workers", os.cpu_count(), "Processes; number of cores by default.", 1)
    flags.DEFINE_enum(
        "canonical",
        "file",
        rendering.CANONICAL,
        "Which orientation has angle 0: that in the CAD file, which objects of a class often "
        "share, or that turned by a random yaw per object, written to its manifest.json.",
    )
    flags.mark_flags_as_required(["CAD_dir", "data_dir"])


def main(argv: list[str]) -> None:
    """Renders what is missing, makes the contact sheet, and exits with 1 if an object failed."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown argument {argv[1]}")
    settings = rendering.Settings(
        num_images=FLAGS.num_images,
        image_size=FLAGS.image_size,
        seed=FLAGS.seed,
        canonical=FLAGS.canonical,
    )
    data_dir = pathlib.Path(FLAGS.data_dir)
    # Shown from the first object on: what is wrong from the start then stands alone.
    bar = tqdm(total=0, unit=" images", dynamic_ncols=True, delay=float("inf"))

    def report(result: rendering.Result, num_objects: int) -> None:
        # Objects that were there already or failed are no part of the rate and the time left.
        bar.delay = 0
        bar.total = bar.total or num_objects * settings.num_images
        bar.total -= settings.num_images - result.rendered
        bar.update(result.rendered)
        if result.failure:
            bar.write(f"{result.name} {result.failure}", file=sys.stderr)

    try:
        objects = meshes.find_objects(FLAGS.CAD_dir, FLAGS.skip_classes)
        check_folder(data_dir / "rotate", objects)
        with bar:
            results = rendering.render_dataset(
                FLAGS.CAD_dir,
                data_dir,
                settings,
                skip_classes=FLAGS.skip_classes,
                workers=FLAGS.workers,
                report=report,
            )
        complete = [result.name for result in results if not result.failure]
        if complete:
            rows = contact_sheet.rendered_rows(data_dir / "rotate", complete)
            with files.replacing(data_dir / "contact_sheet.png") as temporary:
                contact_sheet.contact_sheet(rows).save(temporary, "png")
    except (OSError, gl_backend.GlError, rendering.RenderError) as error:
        sys.exit(f"mujoco_render: {error}")
    except KeyboardInterrupt:
        sys.exit("mujoco_render: stopped; the same command goes on from here.")
    rendered = sum(result.rendered > 0 for result in results)
    print(
        f"{data_dir / 'rotate'}: {rendered} objects rendered, {len(complete) - rendered} were "
        f"there already, {len(results) - len(complete)} failed."
    )
    if len(complete) < len(results):
        failed = ", ".join(result.name for result in results if result.failure)
        sys.exit(f"mujoco_render: could not render {failed}; the reasons stand above.")


def check_folder(rotate_dir: pathlib.Path, objects: list[meshes.CadObject]) -> None:
    """Refuses a folder that holds other objects, which data_gen.py would take as well.

    Raises:
        FileExistsError: there is such an object; the message names it, and the remedy.
    """
    found = (path for path in rotate_dir.glob("[!.]*/[!.]*") if path.is_dir())
    others = {f"{path.parent.name}/{path.name}" for path in found} - set(map(str, objects))
    if others:
        raise FileExistsError(
            f"{rotate_dir} holds {len(others)} objects that are not of these models, such as "
            f"{min(others)}: name another folder with --data_dir, or remove them."
        )


if __name__ == "__main__":
    define_flags()
    app.run(main)

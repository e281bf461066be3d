"""CAD models -> pickles of images and labels, in one command: renders, resizes, and splits.

    python -m pose_data.make_data --data_dir=data --CAD_dir=CAD
    python -m pose_data.make_data --data_dir=data --num_per_class=8 --canonical=random
    python -m pose_data.make_data --data_dir=data --num_per_class=500 --shards=16

Without ``--CAD_dir`` it makes CAD models first, in data/CAD. The same command resumes a run that
was stopped.
"""

import os
import pathlib
import shutil
import sys

from absl import flags

from mine.reporting import commands
from mine.reporting.flag_words import define_seed
from pose_data import data_gen, make_cad, mujoco_render, rendering, resize_images
from pose_data.shapes.classes import CLASSES

FLAGS = flags.FLAGS

MODELS = ("num_per_class", "classes")
"""Flags of the models that are made."""


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("data_dir", None, "Folder to work in; the pickles go there.")
    flags.DEFINE_string("CAD_dir", None, "Folder of your models; default: models are made.")
    flags.DEFINE_integer("num_per_class", 6, "Objects that are made in each class.", 1)
    flags.DEFINE_list("classes", list(CLASSES), "Classes that are made, comma-separated.")
    flags.DEFINE_integer("num_images", 100, "Images per object.", 1, 1_000_000)
    flags.DEFINE_list("skip_classes", ["bottle", "train"], "Classes to leave out; empty for none.")
    flags.DEFINE_enum("canonical", "file", rendering.CANONICAL, "Orientation of angle 0.")
    flags.DEFINE_integer("image_size", 128, "Width and height in the pickles, pixels.", 1, 4096)
    flags.DEFINE_integer("num_val", 15, "Objects held out.", 1)
    data_gen.define_shards()
    define_seed("Seed of models and renders.")
    flags.DEFINE_integer("workers", os.cpu_count(), "Processes; default: the number of cores.", 1)
    flags.mark_flag_as_required("data_dir")


def main() -> None:
    """Goes from models to pickles."""
    idle = [name for name in MODELS if FLAGS[name].present]
    if FLAGS.CAD_dir is not None and idle:
        sys.exit(
            f"Error: Invalid flag --{idle[0]}: expected none with --CAD_dir, which has models; "
            "leave it out."
        )
    data_dir = pathlib.Path(FLAGS.data_dir)
    cad_dir = FLAGS.CAD_dir
    if cad_dir is None:
        cad_dir = data_dir / "CAD"
        make_cad.run(cad_dir, FLAGS.num_per_class, FLAGS.classes, FLAGS.seed)
    settings = rendering.Settings(FLAGS.num_images, seed=FLAGS.seed, canonical=FLAGS.canonical)
    mujoco_render.run(cad_dir, data_dir, settings, FLAGS.skip_classes, FLAGS.num_val, FLAGS.workers)
    small = data_dir / "rotate_resize"
    copy(data_dir / "rotate", small)
    resize_images.run(small, FLAGS.image_size, FLAGS.workers)
    data_gen.run(small, data_dir, FLAGS.num_val, seed=1, shards=FLAGS.shards)


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a folder of rendered objects, in place of what is there.

    Raises:
        OSError: the disk is full.
    """
    shutil.rmtree(target, ignore_errors=True)
    for path in sorted(source.glob("[!.]*/[!.]*/[!.]*")):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def cli() -> None:
    """The command ``pose-make-data``."""
    define_flags()
    commands.run(main, ["data_dir"])


if __name__ == "__main__":
    cli()

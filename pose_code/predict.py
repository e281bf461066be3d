"""Angles of images of an object, given a few images of it whose angles are known.

    python -m pose_code.predict --model=LOGS/labels/learner.keras --support=SHOWN --query=ASKED

``SHOWN`` holds images and a table ``angles.csv`` of two columns, ``image`` (the file's name) and
``degrees``; ``ASKED`` holds images. They should look as those did that the learner was trained on,
in grey or colour, of any square size, the object where the renderer puts it. Writes
``predictions.csv`` and ``predictions.png`` to ``--output``.
"""

import csv
import io
import pathlib
import sys
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from absl import flags

import maml
from maml.core.options import defaults_of
from maml.experiments import command_line
from maml.experiments.run_folder import CONFIG, read_config
from mine import reporting
from mine.reporting import commands
from pose_code import plots
from pose_code.problem import pose
from pose_data import resize_images, tasks

ANGLES, PREDICTIONS = "angles.csv", "predictions"
STORED = 128
"""Side of images before they are shrunk for a learner, in pixels."""
SUFFIXES = (".png", ".jpg", ".jpeg")


def read_angles(folder: pathlib.Path) -> dict[str, float]:
    """The table of a support set: image's name -> degrees.

    Raises:
        ValueError: it is missing, empty, no such table, or names an image twice; the message
            names it.
    """
    columns = ["image", "degrees"]
    path = folder / ANGLES
    if not path.is_file():
        raise ValueError(f"{path} is missing: write a table of two columns, image and degrees.")
    try:  # Spreadsheets begin UTF-8 with a mark.
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            named, lines = table.fieldnames or [], list(table)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8: save it as such.") from error
    if not set(columns) <= set(named):
        raise ValueError(f"{path}, line 1: must name the columns {','.join(columns)}.")
    angles = {}
    for number, row in enumerate(lines, start=2):
        name = row["image"]
        if name in angles:
            raise ValueError(f"{path}, line {number}: {name} has an angle already.")
        try:
            degrees = float(row["degrees"])
        except (TypeError, ValueError):
            degrees = None
        if not name or degrees is None:
            raise ValueError(f"{path}, line {number}: needs a name and a number.")
        if not np.isfinite(degrees):
            raise ValueError(f"{path}, line {number}: {row['degrees']} is no angle.")
        angles[name] = degrees
    if not angles:
        raise ValueError(f"{path} has no lines: name at least one image and its degrees.")
    return angles


def read_images(paths: list[pathlib.Path], options: Mapping, side: int) -> np.ndarray:
    """Images as a learner sees them, [n, side, side, 1], between 0 and 1.

    Args:
        paths: of the images.
        options: of the tasks of the learner's run.
        side: of the images it was trained on, in pixels.

    Raises:
        ValueError: a file is no whole image, or not square.
    """
    stored, images = STORED, []
    if not options["image_size"]:  # It was trained on images as they were stored.
        stored = -(-side * 128 // 80) if options["cropped"] else side  # See tasks.crop.
    for path in paths:
        try:
            images.append(np.asarray(resize_images.small_and_grey(path, stored, square=True)[0]))
        except resize_images.ImageError as error:
            raise ValueError(f"{path} {error}: save another in its place.") from error
    images = np.stack(images)
    if options["cropped"]:
        images = tasks.crop(images)
    if options["image_size"]:
        images = tasks.shrink(images, options["image_size"])
    return images[..., np.newaxis].astype(np.float32) / 255


def predict_angles(
    model: pathlib.Path, support: pathlib.Path, query: pathlib.Path
) -> tuple[dict, dict]:
    """Adapts a learner to a support set and asks it about other images.

    Args:
        model: the learner's file, with its run's ``config.json`` beside it.
        support: folder of images and their ``angles.csv``.
        query: folder of images.

    Returns:
        The support set and the answers: image's name -> (image, angle between 0 and PERIOD).

    Raises:
        ValueError: a file or folder is missing or unfit; the message names it.
    """
    if not model.is_file():
        raise ValueError(
            f"There is no file {model}: --model is learner.keras in the folder of a run."
        )
    settings = model.with_name(CONFIG)
    if not settings.is_file():
        raise ValueError(f"{settings} is missing: a learner is read beside the options of its run.")
    # An option that is newer than the run has its default.
    options = defaults_of(pose) | read_config(model.parent).task_options
    learner = maml.load(model)
    degrees = read_angles(support)
    absent = [name for name in degrees if not (support / name).is_file()]
    if absent:
        raise ValueError(f"{support / absent[0]} is missing, but {ANGLES} names it.")
    if not query.is_dir():
        raise ValueError(f"There is no folder {query}: --query is one that holds images.")
    asked = sorted(path for path in query.glob("*") if path.suffix.lower() in SUFFIXES)
    if not asked:
        raise ValueError(f"{query} holds no images ({', '.join(SUFFIXES)}).")
    side = learner.get_build_config()["episode"][0][0][2]
    shown = read_images([support / name for name in degrees], options, side)
    images = read_images(asked, options, side)
    labels = np.array([[value % 360 * tasks.PERIOD / 360] for value in degrees.values()])
    x, y, queries = (tf.constant(of[np.newaxis], tf.float32) for of in (shown, labels, images))
    state = learner.encode(learner.features(x), y)
    answers = (
        learner.decode(state, learner.features(queries)).mode().numpy()[0, :, 0] % tasks.PERIOD
    )
    known = zip(shown, labels[:, 0], strict=True)
    found = zip(images, answers, strict=True)
    return (
        dict(zip(degrees, known, strict=True)),
        dict(zip((path.name for path in asked), found, strict=True)),
    )


def write(known: dict, found: dict, output: pathlib.Path) -> None:
    """Writes the answers of :func:`predict_angles` as a table and a picture."""
    output.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["image", "degrees"])
    for name, (_, angle) in found.items():
        table.writerow([name, f"{angle * 360 / tasks.PERIOD:.1f}"])
    reporting.write(text.getvalue().encode(), output / f"{PREDICTIONS}.csv")
    plots.answers(known, found, output / f"{PREDICTIONS}.png")


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_string("model", None, "The learner's file, learner.keras of a run.", required=True)
    flags.DEFINE_string("support", None, "Folder of images and angles.csv.", required=True)
    flags.DEFINE_string("query", None, "Folder of images whose angles are asked.", required=True)
    flags.DEFINE_string("output", ".", "Folder of the answers.")
    command_line.define_import()


def main():
    values = flags.FLAGS
    paths = (pathlib.Path(getattr(values, name)) for name in ("model", "support", "query"))
    try:
        command_line.import_named()
        known, found = predict_angles(*paths)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    write(known, found, pathlib.Path(values.output))
    for name, (_, angle) in found.items():
        print(f"{name}: {angle * 360 / tasks.PERIOD:.1f} degrees")


def cli():
    """The command, as ``pose-predict``."""
    define_flags()
    commands.run(main, ["output"])


if __name__ == "__main__":
    cli()

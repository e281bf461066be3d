"""Angles of images of an object, given a few images of it whose angles are known.

    python -m pose_code.predict --model=LOGS/labels/learner.keras --support=SHOWN --query=ASKED

``SHOWN`` holds images and a table ``angles.csv`` of two columns, ``image`` (the file's name) and
``degrees``; ``ASKED`` holds images. They should look as those did that the learner was trained on,
in grey or colour, of any square size, the object where the renderer puts it. They are read as a
viewer shows them: turned by their EXIF data, transparent pixels white. Writes ``predictions.csv``
and ``predictions.png`` to ``--output``. An image of ``ASKED`` that cannot be used is named with the
reason and left out; the others are answered, and the exit code is 1.
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
from mine.reporting.inputs.image_reader import SUFFIXES, ImageError, why_no_image
from mine.reporting.inputs.skipped import Skipped
from mine.reporting.tables import read_csv
from mine.reporting.words import printable
from pose_code import plots
from pose_code.problem import pose
from pose_data import resize_images, tasks

ANGLES, PREDICTIONS = "angles.csv", "predictions"
STORED = 128
"""Side of images before they are shrunk for a learner, in pixels, if that leaves whole blocks."""


def read_angles(folder: pathlib.Path) -> dict[str, float]:
    """The table of a support set: image's name -> degrees.

    Raises:
        ValueError: it is missing, empty, no such table, or names an image twice; the message
            names it.
    """
    path = folder / ANGLES
    if not path.is_file():
        raise ValueError(f"{path} is missing: write a table of two columns, image and degrees.")
    angles = {}
    for number, row in enumerate(read_csv(path, ("image", "degrees")), start=2):
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


def read_image(path: pathlib.Path, options: Mapping, side: int) -> np.ndarray:
    """An image as a learner sees it, [side, side, 1], between 0 and 1.

    Args:
        path: of the image.
        options: of the tasks of the learner's run.
        side: of the images it was trained on, in pixels.

    Raises:
        ImageError: it is no whole image, not square, or of one colour.
    """
    shown = tasks.cropped_side(STORED) if options["cropped"] else STORED
    stored = STORED
    if not options["image_size"] or shown % side:  # Nothing is left to shrink.
        stored = -(-side * 128 // 80) if options["cropped"] else side
    small, _ = resize_images.small_and_grey(path, stored, square=True, contrast=True)
    image = np.asarray(small)[np.newaxis]
    if options["cropped"]:
        image = tasks.crop(image)
    if options["image_size"]:
        image = tasks.shrink(image, options["image_size"])
    return image[0, ..., np.newaxis].astype(np.float32) / 255


def read_images(paths: list[pathlib.Path], options: Mapping, side: int) -> np.ndarray:
    """Images as a learner sees them, [n, side, side, 1]; arguments as of :func:`read_image`.

    Raises:
        ValueError: as :func:`read_image`, with the path.
    """
    images = []
    for path in paths:
        try:
            images.append(read_image(path, options, side))
        except ImageError as error:
            raise ValueError(f"{path} {error}: save another in its place.") from error
    return np.stack(images)


def list_queries(folder: pathlib.Path, skipped: Skipped) -> list[pathlib.Path]:
    """The images in a folder, sorted; ``skipped`` takes what else is there.

    Raises:
        ValueError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder}: --query is one that holds images.")
    asked = []
    for path in sorted(folder.iterdir()):
        reason = "folders" if path.is_dir() else why_no_image(path.name)
        if reason is None:
            asked.append(path)
        else:
            skipped.leave(path.name, reason)
    if not asked:
        raise ValueError(f"{folder} holds no images ({', '.join(SUFFIXES)}).")
    return asked


def predict_angles(
    model: pathlib.Path, support: pathlib.Path, query: pathlib.Path, skipped: Skipped | None = None
) -> tuple[dict, dict]:
    """Adapts a learner to a support set and asks it about other images.

    Args:
        model: the learner's file, with its run's ``config.json`` beside it.
        support: folder of images and their ``angles.csv``.
        query: folder of images.
        skipped: takes the files in ``query`` that are left out; with None an image there that
            cannot be used is an error.

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
    left_out = skipped or Skipped()
    asked = list_queries(query, left_out)
    side = learner.get_build_config()["episode"][0][0][2]
    shown = read_images([support / name for name in degrees], options, side)
    images = {}
    for path in asked:
        try:
            images[printable(path.name)] = read_image(path, options, side)
        except ImageError as error:
            left_out.damage(path, str(error))
    if left_out.damaged and (skipped is None or not images):
        raise ValueError(f"{left_out.lines()[0]}: save another in its place.")
    labels = np.array([[value % 360 * tasks.PERIOD / 360] for value in degrees.values()])
    arrays = (shown, labels, np.stack(list(images.values())))
    x, y, queries = (tf.constant(of[np.newaxis], tf.float32) for of in arrays)
    state = learner.encode(learner.features(x), y)
    answers = (
        learner.decode(state, learner.features(queries)).mode().numpy()[0, :, 0] % tasks.PERIOD
    )
    known = zip(shown, labels[:, 0], strict=True)
    found = zip(images.values(), answers, strict=True)
    return (
        dict(zip(degrees, known, strict=True)),
        dict(zip(images, found, strict=True)),
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
    skipped = Skipped()
    try:
        command_line.import_named()
        known, found = predict_angles(*paths, skipped)
    except ValueError as error:
        sys.exit("\n".join([*skipped.lines(), f"Error: {error}"]))
    write(known, found, pathlib.Path(values.output))
    for name, (_, angle) in found.items():
        print(f"{name}: {angle * 360 / tasks.PERIOD:.1f} degrees")
    skipped.report("image", "without an answer")


def cli():
    """The command, as ``pose-predict``."""
    define_flags()
    commands.run(main, ["output"])


if __name__ == "__main__":
    cli()

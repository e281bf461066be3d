"""Mutual information of samples in files.

    python -m mine.estimators --data=samples.npz
    python -m mine.estimators --x=x.npy --y=y.csv --bound=ksg --json

An ``.npz`` file holds arrays ``x`` and ``y``, and ``z`` if the information is to be conditioned on
it. A ``.csv`` file has a sample a line and may begin with a line of names; see
:mod:`mine.estimators.sample_files`. In Python, call :func:`mine.estimate`.
"""

import json
import pathlib
import sys

import numpy as np
from absl import flags

import mine
from mine import reporting
from mine.bound_names import BOUNDS
from mine.estimators.mutual_information import CLASSICAL
from mine.estimators.options import CRITICS
from mine.estimators.preprocessing import PREPROCESSES
from mine.estimators.sample_files import read
from mine.reporting import commands
from mine.reporting.flag_words import define_seed
from mine.reporting.pictures import marker_of

FLAGS = flags.FLAGS

TRAINING = ("critic", "negatives", "folds", "batch_size", "learning_rate", "steps", "patience")
"""Flags that are options of a critic."""


def define_flags() -> None:
    """Defines the flags of this command."""
    defaults = mine.Options()
    flags.DEFINE_string("data", None, "File .npz with arrays x, y and, to condition on, z.")
    for name in "xyz":
        flags.DEFINE_string(name, None, f"File .npy or .csv with {name}, one sample a row.")
    flags.DEFINE_enum("bound", defaults.bound, [*BOUNDS, *CLASSICAL], "The estimator.")
    flags.DEFINE_enum("critic", defaults.critic, list(CRITICS), "The critic.")
    flags.DEFINE_enum(
        "preprocess", defaults.preprocess, PREPROCESSES, "Monotone map of each coordinate."
    )
    flags.DEFINE_string(
        "negatives", None, "Negatives of each pair in a step, or all; default: by dimensions."
    )
    flags.DEFINE_integer("folds", None, "Number of critics; default: by dimensions.", 2)
    flags.DEFINE_integer("batch_size", None, "Pairs a step; default: by dimensions.", 2)
    flags.DEFINE_float("learning_rate", None, "Initial learning rate; default: by dimensions.", 0)
    flags.DEFINE_integer("steps", defaults.steps, "Training steps of each critic, at most.", 50)
    flags.DEFINE_integer(
        "patience", defaults.patience, "Early stopping, in epochs of 50 steps without a gain.", 1
    )
    define_seed("Seed of folds, batches and initial weights.", defaults.seed)
    flags.DEFINE_bool("json", False, "Print JSON instead of sentences.")
    flags.DEFINE_string("curve", None, "File .png for the validation curves of the critics.")


def load() -> dict[str, np.ndarray]:
    """The arrays that the flags name: x, y and perhaps z.

    Raises:
        ValueError: the flags do not name x and y once each, or a file has other content.
        OSError: a file cannot be read.
    """
    paths = {name: FLAGS[name].value for name in "xyz" if FLAGS[name].value is not None}
    if FLAGS.data is None:
        if not {"x", "y"} <= set(paths):
            given = ", ".join(f"--{name}" for name in paths) or "neither"
            raise ValueError(
                f"Missing flags: expected --data=FILE.npz, or --x=FILE and --y=FILE; received "
                f"{given}."
            )
        arrays = {name: read(path) for name, path in paths.items()}
        several = [name for name, value in arrays.items() if isinstance(value, dict)]
        if several:
            raise ValueError(
                f"Invalid value for --{several[0]}: expected a file of one array; received "
                f"{paths[several[0]]}, which holds several arrays; use --data for .npz files."
            )
        return arrays
    if paths:
        name = next(iter(paths))
        raise ValueError(
            f"Invalid flags: expected --data or --{name}; received both; leave one of them out."
        )
    content = read(FLAGS.data)
    if isinstance(content, np.ndarray):
        raise ValueError(
            f"Invalid value for --data: expected a .npz file with arrays x and y; received "
            f"{FLAGS.data}, which holds one array; use --x and --y for such files."
        )
    missing = [name for name in "xy" if name not in content]
    if missing:
        found = ", ".join(content) or "no array"
        raise ValueError(
            f"Invalid file {FLAGS.data}: expected arrays x and y; received {found}, without "
            f"{missing[0]}."
        )
    return {name: content[name] for name in "xyz" if name in content}


def check_curve(path: str | None) -> None:
    """Ends the command before it works where its picture cannot be written."""
    place = None if path is None else pathlib.Path(path)
    if place and (place.suffix != ".png" or place.is_dir() or not place.parent.is_dir()):
        sys.exit(
            "Error: Invalid value for --curve: expected a file that ends in .png, in a folder that "
            f"is there; received {path}."
        )


def draw_curve(estimate: mine.Estimate, path: str) -> None:
    """Draws nats on validation samples against training steps, one line per critic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from mine.estimators.options import STEPS_PER_EPOCH

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for index, curve in enumerate(estimate.curves):
        steps = STEPS_PER_EPOCH * np.arange(1, len(curve) + 1)
        axes.plot(steps, curve, marker=marker_of(curve), label=f"critic {index + 1}")
    axes.axhline(estimate.nats, color="black", linestyle="--", label="estimate")
    axes.set(xlabel="training step", ylabel="nats on validation samples", title=estimate.bound)
    axes.legend()
    reporting.picture(figure, path, dpi=150)
    pyplot.close(figure)


def main() -> None:
    """Runs the command."""
    if FLAGS.curve is not None and FLAGS.bound in CLASSICAL:
        sys.exit(
            f"Error: Invalid flag --curve: expected none with --bound={FLAGS.bound}, which trains "
            f"no critic; received {FLAGS.curve}; leave it out."
        )
    check_curve(FLAGS.curve)
    options = {
        name: FLAGS[name].value
        for name in TRAINING
        if FLAGS[name].present or FLAGS.bound not in CLASSICAL
    }
    if (options.get("negatives") or "").isdigit():
        options["negatives"] = int(options["negatives"])
    try:
        arrays = load()
        estimate = mine.estimate(
            **arrays,
            bound=FLAGS.bound,
            seed=FLAGS.seed,
            preprocess=FLAGS.preprocess,
            progress=not FLAGS.json,
            **options,
        )
    except (ValueError, ArithmeticError) as error:
        sys.exit(f"Error: {error}")
    # Printed first: the picture may find no room.
    print(json.dumps(estimate.to_dict()) if FLAGS.json else estimate, flush=True)
    if FLAGS.curve is not None:
        draw_curve(estimate, FLAGS.curve)


def cli() -> None:
    """The command ``mine-estimate``."""
    define_flags()
    commands.run(main)

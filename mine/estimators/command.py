"""Mutual information of samples in files.

    python -m mine.estimators --data=samples.npz
    python -m mine.estimators --x=x.npy --y=y.csv --bound=ksg --json

An ``.npz`` file holds arrays ``x`` and ``y``, and ``z`` if the information is to be conditioned on
it. A ``.csv`` file has a sample a line, numbers separated by commas, and may begin with a line of
names. In Python use the function :func:`mine.estimate`, which this module does not define.
"""

import dataclasses
import json
import pathlib
import sys
import zipfile

import numpy as np
from absl import flags

import mine
from mine import reporting
from mine.estimators.mutual_information import CLASSICAL
from mine.estimators.options import CRITICS
from mine.estimators.preprocessing import PREPROCESSES
from mine.objective import NAMES

FLAGS = flags.FLAGS

TRAINING = ("critic", "negatives", "folds", "batch_size", "learning_rate", "steps", "patience")
"""Flags that are options of a critic."""


def define_flags() -> None:
    defaults = mine.Options()
    flags.DEFINE_string("data", None, "File .npz with arrays x, y and, to condition on, z.")
    for name in "xyz":
        flags.DEFINE_string(name, None, f"File .npy or .csv with {name}, one sample a row.")
    flags.DEFINE_enum("bound", defaults.bound, [*NAMES, *CLASSICAL], "How to estimate.")
    flags.DEFINE_enum("critic", defaults.critic, list(CRITICS), "The critic.")
    flags.DEFINE_enum(
        "preprocess", defaults.preprocess, PREPROCESSES, "Monotone map of each coordinate."
    )
    flags.DEFINE_string(
        "negatives", None, "Negatives of each pair in a step, or all; default: by dimensions."
    )
    flags.DEFINE_integer("folds", None, "Critics; each scores a share; default: by dimensions.", 2)
    flags.DEFINE_integer("batch_size", None, "Pairs a step; default: by dimensions.", 2)
    flags.DEFINE_float("learning_rate", None, "Of Adam at the start; default: by dimensions.", 0)
    flags.DEFINE_integer("steps", defaults.steps, "Most training steps of each critic.", 50)
    flags.DEFINE_integer("patience", defaults.patience, "Epochs of 50 steps without a gain.", 1)
    flags.DEFINE_integer("seed", defaults.seed, "Of all that is random.", 0)
    flags.DEFINE_bool("json", False, "Print JSON instead of sentences.")
    flags.DEFINE_string("curve", None, "File .png for the held-out curve of the critics.")


def load() -> dict[str, np.ndarray]:
    """The arrays that the flags name: x, y and perhaps z.

    Raises:
        ValueError: flags that name too little or too much, or a file that holds something else.
        OSError: a file that cannot be read.
    """
    paths = {name: FLAGS[name].value for name in "xyz" if FLAGS[name].value is not None}
    if FLAGS.data is None:
        if not {"x", "y"} <= set(paths):
            raise ValueError("give --data=FILE.npz, or --x=FILE and --y=FILE.")
        arrays = {name: _read(pathlib.Path(path)) for name, path in paths.items()}
        several = [name for name, value in arrays.items() if isinstance(value, dict)]
        if several:
            raise ValueError(f"{paths[several[0]]} holds several arrays: name it by --data.")
        return arrays
    if paths:
        raise ValueError(f"give --data or --{next(iter(paths))}, not both.")
    content = _read(pathlib.Path(FLAGS.data))
    if isinstance(content, np.ndarray):
        raise ValueError(f"{FLAGS.data} holds one array; --data wants a .npz file with x and y.")
    missing = [name for name in "xy" if name not in content]
    if missing:
        held = ", ".join(content) or "nothing"
        raise ValueError(f"{FLAGS.data} has no array {missing[0]}; it holds {held}.")
    return {name: content[name] for name in "xyz" if name in content}


def _read(path: pathlib.Path):
    """One array of a .npy or .csv file, or the arrays of a .npz file by name."""
    if path.suffix not in (".npz", ".npy", ".csv"):
        raise ValueError(f"{path} is of an unknown kind; the kinds are .npz, .npy and .csv.")
    if path.suffix == ".csv":
        return _read_csv(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        if "pickle" in str(error).lower() and "Object arrays" in str(error):
            raise ValueError(f"{path} holds Python objects; save arrays of numbers.") from error
        raise ValueError(f"{path} is damaged or no {path.suffix} file.") from error


def _read_csv(path: pathlib.Path) -> np.ndarray:
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    start = 1 if rows and not any(_is_number(cell) for cell in rows[0]) else 0
    if not rows[start:]:
        raise ValueError(f"{path} holds no numbers.")
    for number, row in enumerate(rows[start:], start + 1):
        if len(row) != len(rows[start]):
            raise ValueError(
                f"line {number} of {path} has {len(row)} values, and the lines above have "
                f"{len(rows[start])}."
            )
        for cell in row:
            if not _is_number(cell):
                raise ValueError(f"line {number} of {path} holds {cell!r}, which is no number.")
    return np.array(rows[start:], dtype=np.float64)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def draw_curve(estimate: mine.Estimate, path: str) -> None:
    """Draws nats on validation samples against training steps, a line for each critic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from mine.estimators.options import EPOCH

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for index, curve in enumerate(estimate.curves):
        steps = EPOCH * np.arange(1, len(curve) + 1)
        axes.plot(steps, curve, label=f"critic {index + 1}")
    axes.axhline(estimate.nats, color="black", linestyle="--", label="estimate")
    axes.set(xlabel="training step", ylabel="nats on validation samples", title=estimate.bound)
    axes.legend()
    reporting.picture(figure, path, dpi=150)
    pyplot.close(figure)


def main():
    if FLAGS.curve is not None and FLAGS.bound in CLASSICAL:
        sys.exit(f"Error: --bound={FLAGS.bound} trains no critic, so there is no --curve to draw.")
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
        if FLAGS.curve is not None:
            draw_curve(estimate, FLAGS.curve)
    except (ValueError, ArithmeticError) as error:
        sys.exit(f"Error: {error}")
    if FLAGS.json:
        print(json.dumps(dataclasses.asdict(estimate)))
    else:
        print(estimate)

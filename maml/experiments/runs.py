"""A training run in a folder of its own: claimed, checkpointed, and resumed to the same result."""

import csv
import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Iterable

import keras
import numpy as np

from maml.core.episodes import TaskFamily
from maml.diagnostics.scores import Evaluator
from maml.experiments import callbacks
from maml.experiments.options import Options
from maml.learners.base import MetaLearner
from mine import reporting

STEPS_TOGETHER = 20
"""Training steps that Keras makes at once, unless inputs are images. On vectors a step takes a
millisecond or two, and Keras another between two of them."""

CONFIG, HISTORY = "config.json", "history.csv"
CHECKPOINT, BEST = "checkpoint.weights.h5", "best.weights.h5"


def claim_run_dir(
    folder: os.PathLike, options: Options, resume: bool, data: dict | None = None
) -> None:
    """Makes a folder this run's own, or finds that it is another's.

    Args:
        folder: made if absent.
        options: of the run. One that is newer than a run that is there has its default in it.
        resume: whether to go on with a run that is there.
        data: what is trained on, as JSON holds it: must be the same for a run to go on, as far as
            the run that is there says it.

    Raises:
        FileExistsError: it holds another run, or one that was not asked to be resumed.
        ValueError: the run's options there are damaged.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CONFIG
    now = as_config(options)
    if not path.exists():
        reporting.write_json({"config": now} | ({"data": data} if data else {}), path)
        return
    if not resume:
        raise FileExistsError(f"{folder} holds a run: pass --resume to go on, or another folder.")
    there = reporting.read_json(path, "config")
    before = as_config(type(options)()) | there["config"]
    different = sorted(name for name in before if before[name] != now.get(name))
    if not different and same_data(there.get("data", {}), data or {}):
        return
    raise FileExistsError(
        f"{folder} holds a run with other {', '.join(different) or 'data'}: "
        "pass another folder, or the same flags."
    )


def read_options(folder: os.PathLike, kind: type[Options]) -> Options:
    """The options of the run in a folder; one that is newer than the run has its default.

    Raises:
        ValueError: they are damaged, or of another kind of run or a newer version.
        OSError: they cannot be read.
    """
    path = pathlib.Path(folder) / CONFIG
    options = reporting.read_json(path, "config")["config"]
    unknown = sorted(options.keys() - {field.name for field in dataclasses.fields(kind)})
    if unknown:
        raise ValueError(f"{path} has options that are not known here: {', '.join(unknown)}.")
    return kind(**options)


def learner_is_missing(learner: pathlib.Path, folder: pathlib.Path) -> bool:
    """Whether the file of a run's learner is gone, and its checkpoint there to write it again."""
    return not learner.exists() and (folder / CHECKPOINT).exists()


def same_data(data: dict, other: dict) -> bool:
    """Whether two records of data are the same in all that both of them say."""
    return all(data[name] == other[name] for name in data.keys() & other.keys())


def fit(
    learner: MetaLearner,
    families: dict[str, TaskFamily],
    options: Options,
    folder: os.PathLike,
    evaluator: Evaluator,
    verbose="auto",
    more: Iterable[keras.callbacks.Callback] = (),
    episodes: int = 48,
    batch_size: int = 16,
    best_by: tuple[str, bool, int] | None = None,
) -> dict[str, np.ndarray]:
    """Compiles and trains a learner, or goes on where the folder's checkpoint is.

    Args:
        learner: with weights, not compiled.
        families: name -> tasks that are scored after every epoch; ``train`` is trained on, and the
            regularizers' own values are read on the last.
        options: the seed, steps, batch size and optimizers.
        folder: of the checkpoint, ``history.csv`` and TensorBoard's logs.
        evaluator: of the learner.
        verbose: of ``keras.Model.fit``.
        more: callbacks of one's own.
        episodes: how many of each family are scored after an epoch.
        batch_size: tasks of a batch of scores; each size is traced anew.
        best_by: early stopping: name of a score, such as ``validation_accuracy``, whether a larger
            one is better, and epochs without a better one after which training stops. The learner
            then has the weights of its best epoch. None: of the last.

    Returns:
        The columns of ``history.csv``, see :func:`read_history`.

    Raises:
        ValueError: the steps are no whole number of epochs, or the checkpoint is damaged.
        FloatingPointError: the loss became NaN or infinite.
    """
    folder, per_epoch = pathlib.Path(folder), options.epoch_steps()
    batch = families["train"].dataset(options.meta_batch_size, options.seed).element_spec
    together = math.gcd(per_epoch, STEPS_TOGETHER) if batch.support_x.shape.rank < 4 else 1
    options.compile(learner, steps_per_execution=together)
    checkpoint = callbacks.Checkpoint(folder / CHECKPOINT)
    done = checkpoint.restore(learner)
    epoch, stops = done // per_epoch, []
    if best_by:
        before = read_history(folder / HISTORY)[best_by[0]][:epoch] if done else ()
        stops = [callbacks.StopEarly(folder / BEST, *best_by, before)]
    over = any(stop.over for stop in stops)
    held_out = list(families.values())[-1]
    learner.fit(
        families["train"].dataset(options.meta_batch_size, options.seed, start=done),
        epochs=epoch if over else options.steps // per_epoch,
        initial_epoch=epoch,
        steps_per_epoch=per_epoch,
        verbose=verbose,
        # The terms' own estimates, in nats: a fixed stream of episodes.
        validation_data=held_out.dataset(options.meta_batch_size, options.seed).take(4)
        if learner.regularizers
        else None,
        callbacks=[
            # First, so that its line ends before the others speak, and without their numbers.
            *([keras.callbacks.ProgbarLogger()] if verbose else []),
            callbacks.Monitor(
                evaluator, families, per_epoch, batch_size, episodes, report=bool(verbose)
            ),
            callbacks.StopOnDivergence(),
            keras.callbacks.CSVLogger(folder / HISTORY, append=done > 0),
            keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
            *stops,
            checkpoint,
            *more,
        ],
    )
    if best_by:
        learner.load_weights(folder / BEST)
    return read_history(folder / HISTORY)


def read_history(path: os.PathLike) -> dict[str, np.ndarray]:
    """The columns of ``history.csv``, [epochs] each.

    A run that was cut between its log and its checkpoint has logged an epoch twice: the later row,
    of the run that went on, counts.

    Raises:
        ValueError: it is no such table.
    """

    def number(text):
        return float("nan") if text == "NA" else float(text)  # NA: Keras' word for no value.

    try:
        with pathlib.Path(path).open(newline="") as file:
            rows = {row["epoch"]: row for row in csv.DictReader(file)}
        return {name: np.array([number(row[name]) for row in rows.values()]) for name in rows["0"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: train this run anew, in another folder.") from error


def cost(history: dict[str, np.ndarray], options: Options) -> dict[str, float]:
    """What a training took: steps, seconds a step and in all, and steps that were skipped."""
    seconds = history["seconds_per_step"]
    return {
        "steps": int(history["step"][-1]),
        # The first epoch holds the tracing of the step.
        "seconds_per_step": float(np.median(seconds[1:] if len(seconds) > 1 else seconds)),
        "train_seconds": float(seconds.sum() * options.epoch_steps()),
        "skipped_steps": float(history["skipped_steps"].sum()),
    }


def as_config(options: Options) -> dict:
    """Options as JSON holds them."""
    return json.loads(json.dumps(dataclasses.asdict(options)))

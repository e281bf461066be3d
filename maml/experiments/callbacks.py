"""Keras callbacks for meta-training: what is watched, kept, and when to stop."""

import os
import pathlib
import time
from collections.abc import Callable

import h5py
import keras
import numpy as np

from maml.core import finite
from maml.core.episodes import TaskFamily
from maml.diagnostics.scores import Evaluator
from maml.experiments.config import Config
from maml.experiments.results import history_text, read_rows
from maml.learners import saving
from maml.learners.parallel.workers import Devices
from maml.learners.training.skipped import SkippedSteps, sentence
from maml.regularizers.prediction_mi import POWER_LIMIT
from maml.tasks.problem import Problem
from mine import reporting
from mine.reporting.tables import counted
from mine.reporting.words import reason

_HISTORY = "history.csv"
"""Name of the table within a checkpoint."""


class HistoryFile(keras.callbacks.Callback):
    """Writes the logs of all epochs into a table, anew after each.

    Args:
        path: of the table, ``history.csv``.
    """

    def __init__(self, path: os.PathLike):
        super().__init__()
        self.path = pathlib.Path(path)
        self.rows: list[dict[str, str]] = []

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": str(epoch)} | {name: str(value) for name, value in logs.items()}
        self._write([*self.rows[:epoch], row])

    def restore(self, text: str | None, epochs: int) -> None:
        """Takes up the table of a run that goes on, and writes it as of its checkpoint.

        Args:
            text: of the table, as the checkpoint holds it; None, of an older version: as it is in
                the file.
            epochs: behind the checkpoint.

        Raises:
            ValueError: the table is missing, was changed, or lacks some of these epochs.
        """
        try:
            rows = read_rows(self.path.read_text(encoding="utf-8") if text is None else text)
            if len(rows) < epochs:
                raise ValueError(f"it has {len(rows)}")
        except (OSError, ValueError) as error:
            raise ValueError(
                f"Cannot go on: {self.path} was expected to hold {counted(epochs, 'epoch')} of "
                f"training, but is damaged ({reason(error)}). Put back a copy of it, or remove the "
                "checkpoint beside it to train from the start."
            ) from error
        self._write(rows[:epochs])

    def _write(self, rows: list[dict[str, str]]) -> None:
        self.rows = rows
        reporting.write(history_text(rows).encode(), self.path)


class Checkpoint(keras.callbacks.Callback):
    """Keeps all state of a run (weights, both optimizers, critics) after each epoch.

    Written to a temporary name and renamed: a run that is cut while writing still has the last one.

    Args:
        path: of the file, ending in ``.weights.h5``.
        table: whose rows are kept too; None for none.
    """

    def __init__(self, path: os.PathLike, table: HistoryFile | None = None):
        super().__init__()
        self.path, self.table = pathlib.Path(path), table

    def restore(self, learner) -> int:
        """Loads the state if there is one.

        Args:
            learner: compiled, and of the shape of the run that wrote the file.

        Returns:
            The number of training steps behind it; 0 without a file.

        Raises:
            ValueError: the file is damaged, or of a learner of another shape.
        """
        if not self.path.exists():
            return 0
        load_weights(learner, self.path)
        return int(learner.optimizer.iterations.numpy())

    def history(self) -> str | None:
        """The text of the table in the file; None in a file of an older version."""
        with h5py.File(self.path) as file:
            return bytes(file[_HISTORY][()]).decode() if _HISTORY in file else None

    def on_epoch_end(self, epoch, logs=None):
        _save(self.model, self.path, self.table)


def check_whole(path: pathlib.Path) -> None:
    """Refuses a checkpoint that is missing, or is not as it was written.

    Raises:
        ValueError: it is.
    """
    try:
        reporting.check_seal(path)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def load_weights(model: keras.Model, path: pathlib.Path) -> None:
    """Loads the weights of a checkpoint.

    Raises:
        ValueError: the file is missing, damaged, or of a model of another shape.
    """
    check_whole(path)
    try:
        model.load_weights(path)
    except Exception as error:  # Keras and HDF5 raise whatever an unfit file leads to.
        raise _damaged(path, error) from error


def _damaged(path: pathlib.Path, error: Exception) -> ValueError:
    return ValueError(
        f"The checkpoint {path} is damaged or of another learner "
        f"({reason(error)}): put back a copy of it, or remove {path.parent} to "
        "train from the start."
    )


class Monitor(keras.callbacks.Callback):
    """Adds scores on fixed episodes to the logs of each epoch, for the callbacks that come after.

    Args:
        evaluator: scores the learner.
        families: prefix -> tasks, such as ``{"train": ..., "val": ...}``.
        steps_per_epoch: for ``seconds_per_step``, of training alone; ``step`` counts them all.
        batch_size: tasks a batch.
        episodes: number of episodes of each family: one of each of as many tasks, evenly spaced,
            or several of each task of a small family.
        seed: of the episodes.
        report: whether to print a line for each family.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        families: dict[str, TaskFamily],
        steps_per_epoch: int,
        batch_size: int = 16,
        episodes: int = 48,
        seed: int = 1,
        report: bool = True,
    ):
        super().__init__()
        self.evaluator, self.families, self.steps_per_epoch = evaluator, families, steps_per_epoch
        self.batch_size, self.episodes, self.seed = batch_size, episodes, seed
        self.report = report
        names = [metric.name for metric in evaluator.metrics]
        self.shown = (*names, f"no_support_{names[0]}", "label_information_lower")

    def on_epoch_begin(self, epoch, logs=None):
        self.started, self.seconds = time.perf_counter(), None

    def on_test_begin(self, logs=None):
        # Keras validates before it ends the epoch: that is no training time.
        self.seconds = time.perf_counter() - self.started

    def on_epoch_end(self, epoch, logs=None):
        seconds = self.seconds or time.perf_counter() - self.started
        logs["seconds_per_step"] = seconds / self.steps_per_epoch
        logs["step"] = int(self.model.optimizer.iterations.numpy())
        for prefix, family in self.families.items():
            each = max(1, self.episodes // family.num_tasks)
            values = self.evaluator(family, each, self.batch_size, self.seed, self.episodes)
            means = {name: float(v.mean()) for name, v in values.items()}
            logs |= {f"{prefix}_{name}": mean for name, mean in means.items()}
            if self.report:
                shown = {k: v for k, v in means.items() if k in self.shown}
                print(f"  {prefix:10s}", ", ".join(f"{k} {v:.3g}" for k, v in shown.items()))


def best_epoch(scores, larger: bool) -> int:
    """The first of the epochs with the best score; one whose score is no number is the worst.

    Args:
        scores: of the epochs.
        larger: whether a larger one is better.
    """
    scores = np.asarray(scores, float) * (1 if larger else -1)
    return int(np.argmax(np.where(np.isfinite(scores), scores, -np.inf)))


class StopEarly(keras.callbacks.Callback):
    """Keeps the weights of the best epoch, and stops when none was better for a while.

    Keras' own forgets in a run that goes on which epoch was the best.

    Args:
        path: of the file of the best weights, ending in ``.weights.h5``.
        score: name of a score in the logs.
        larger: whether a larger one is better.
        patience: epochs without a better one after which training stops.
        before: the score in the epochs of a run that goes on.
    """

    def __init__(self, path: os.PathLike, score: str, larger: bool, patience: int, before=()):
        super().__init__()
        self.path, self.score, self.patience = pathlib.Path(path), score, patience
        self.larger, self.values = larger, list(before)

    @property
    def best(self) -> int:
        """The first of the best epochs."""
        return best_epoch(self.values, self.larger)

    @property
    def over(self) -> bool:
        """Whether training is to stop."""
        return bool(self.values) and len(self.values) - 1 - self.best >= self.patience

    def on_epoch_end(self, epoch, logs=None):
        self.values = [*self.values[:epoch], logs[self.score]]
        if self.best == epoch:
            _save(self.model, self.path)
        self.model.stop_training = self.over


def find_unfit(problem: Problem, config: Config, start: int, stop: int) -> str | None:
    """What is unfit in the training episodes of some steps; None if nothing is.

    Args:
        problem: of the run.
        config: of the run.
        start: the number of steps before the first.
        stop: the last of the steps, counted from 1.
    """
    batches = problem.train.dataset(config.meta_batch_size, config.seed, start)
    return finite.first_unfit(batches.take(stop - start), start)


def skipped_warning(history: dict[str, np.ndarray], problem: Problem, config: Config) -> str | None:
    """A sentence on training steps that were skipped, if more than 1 % were."""
    skipped, per_epoch = history["skipped_steps"], config.epoch_steps()
    first = int(np.argmax(skipped > 0)) * per_epoch
    return sentence(
        skipped.sum(),
        per_epoch * len(skipped),
        lambda: find_unfit(problem, config, first, first + per_epoch),
    )


class StopTogether(keras.callbacks.Callback):
    """Has all workers of a training stop where the chief does, which alone has the scores.

    Args:
        devices: of the training.
    """

    def __init__(self, devices: Devices):
        super().__init__()
        self.devices = devices

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = bool(self.devices.of_chief(self.model.stop_training))


def _save(model: keras.Model, path: pathlib.Path, table: HistoryFile | None = None) -> None:
    """Writes all weights, the optimizers' included, and a table, in one step."""
    saving.check_weights(model, path)
    content = saving.weights_file(model)
    if table is not None:
        with h5py.File(content, "a") as file:
            file[_HISTORY] = np.frombuffer(history_text(table.rows).encode(), np.uint8)
    reporting.write(reporting.sealed(content.getvalue()), path)


class StopOnDivergence(SkippedSteps):
    """Stops within the first steps too, and says whether there is a checkpoint.

    It also warns when a critic is exploited. A run itself warns of single steps that were skipped.

    Args:
        checkpoint: path of the last one, to say whether there is one; None if none is written.
        find_unfit: of :class:`maml.learners.training.skipped.SkippedSteps`.
    """

    FEWEST = 1
    RATIO = "prediction_mi_power_ratio"
    FIRST = 10
    """Steps after which training stops if all were skipped."""

    def __init__(
        self,
        checkpoint: os.PathLike | None = None,
        find_unfit: Callable[[int, int], str | None] | None = None,
    ):
        super().__init__(find_unfit)
        self.checkpoint = checkpoint
        self.warned = self.trained = False

    def on_train_batch_end(self, batch, logs=None):
        if self.trained or batch + 1 < self.FIRST:
            return
        # Read once: that waits for the device.
        self.trained = float(logs["skipped_steps"]) < batch + 1
        if not self.trained:
            self.stop(batch + 1, batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self.trained = True
        super().on_epoch_end(epoch, logs)
        if logs.get(self.RATIO, 0.0) > POWER_LIMIT and not self.warned:
            self.warned = True
            print(
                f"\nWarning: predictions have {logs[self.RATIO]:.1f} times the power of labels: "
                "the Prediction-MI critic is being exploited. Lower its weight, or use label_mi."
            )

    def kept(self):
        if self.checkpoint is None:
            return ""
        if pathlib.Path(self.checkpoint).exists():
            return f"; the checkpoint before it, {self.checkpoint}, is kept"
        return "; there is no checkpoint yet"

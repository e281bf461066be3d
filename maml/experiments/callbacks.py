"""Keras callbacks for meta-training: what is watched, kept, and when to stop."""

import csv
import io
import math
import os
import pathlib
import time

import keras
import numpy as np

from maml.core.episodes import TaskFamily
from maml.diagnostics.scores import Evaluator
from maml.experiments.results import read_history
from maml.learners import saving
from maml.regularizers.prediction_mi import POWER_LIMIT
from mine import reporting


class Checkpoint(keras.callbacks.Callback):
    """Keeps all state of a run (weights, both optimizers, critics) after each epoch.

    Written to a temporary name and renamed: a run that is cut while writing still has the last one.

    Args:
        path: of the file, ending in ``.weights.h5``.
    """

    def __init__(self, path: os.PathLike):
        super().__init__()
        self.path = pathlib.Path(path)

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
        try:
            learner.load_weights(self.path)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"The checkpoint {self.path} is damaged or of another learner ({error}): remove it "
                "to train from the start."
            ) from error
        return int(learner.optimizer.iterations.numpy())

    def on_epoch_end(self, epoch, logs=None):
        saving.save_weights(self.model, self.path)


class History(keras.callbacks.Callback):
    """Writes the logs of all epochs as ``history.csv``, whole after each epoch.

    Args:
        path: of the file.
        done: epochs that a run which goes on has behind it; later rows are left out.

    Raises:
        ValueError: the file of a run that goes on is damaged.
    """

    def __init__(self, path: os.PathLike, done: int = 0):
        super().__init__()
        self.path, self.rows = pathlib.Path(path), {}
        if done and self.path.exists():
            read_history(self.path)  # Refuses damage.
            with self.path.open(newline="", encoding="utf-8") as file:
                rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
            self.rows = {epoch: row for epoch, row in rows.items() if epoch < done}

    def on_epoch_end(self, epoch, logs=None):
        self.rows[epoch] = {"epoch": epoch} | dict(sorted((logs or {}).items()))
        names = dict.fromkeys(name for row in self.rows.values() for name in row)
        text = io.StringIO()
        table = csv.DictWriter(text, list(names), restval="NA", lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows.values())
        reporting.write(text.getvalue().encode(), self.path)


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
            saving.save_weights(self.model, self.path)
        self.model.stop_training = self.over


class StopOnDivergence(keras.callbacks.Callback):
    """Stops when gradients are not finite, and says where; warns when a critic is exploited."""

    RATIO = "prediction_mi_power_ratio"

    def __init__(self):
        super().__init__()
        self.warned = False

    def on_epoch_end(self, epoch, logs=None):
        skipped, steps = logs["skipped_steps"], self.params["steps"]
        if skipped >= steps / 2 or not math.isfinite(logs["loss"]):
            where = self.model.divergence()
            raise FloatingPointError(
                f"{skipped:.0f} of {steps} steps of epoch {epoch + 1} had a gradient that is not "
                f"finite{f' ({where})' if where else ''}; the checkpoint before it is kept. Lower "
                "the learning rates (meta_lr, inner_lr) or the weight of the regularizer."
            )
        if logs.get(self.RATIO, 0.0) > POWER_LIMIT and not self.warned:
            self.warned = True
            print(
                f"\nWarning: predictions have {logs[self.RATIO]:.1f} times the power of labels: "
                "the Prediction-MI critic is being exploited. Lower its weight, or use label_mi."
            )

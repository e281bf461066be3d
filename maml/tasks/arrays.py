"""Tasks that are arrays in memory: each a set of inputs and labels."""

import numbers
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from maml.core.checks import check_counts
from maml.core.episodes import Episode, PaddedEpisode, TaskFamily
from mine.reporting.tables import counted


class ArrayTasks(TaskFamily):
    """Tasks from arrays: an episode draws support and queries of a task, no example in both.

    With a range of ``shots`` each episode of a task has a support set of its own size, uniform in
    the range. The support sets of a batch are then padded to the largest size of the range by
    repeating their own shots, and the batch is a :class:`maml.PaddedEpisode`, whose mask learners
    take into account or refuse.

    Args:
        x: inputs, an array [tasks, n, ...], or a list of arrays [n_i, ...] of tasks of any size.
        y: labels, an array [tasks, n, dim], or a list of arrays [n_i, dim]: numbers, or classes one
            hot.
        shots: number of support examples, or the range (fewest, most).
        queries: number of query examples.

    Raises:
        ValueError: arrays that do not fit together, are empty, or hold other than finite numbers
            of the precision that Keras computes in; or a task with fewer than ``shots + queries``
            examples.
    """

    def __init__(self, x, y, shots: int | Sequence[int] = 10, queries: int = 10):
        low, high = _range(shots)
        check_counts(queries=queries)
        x, y = ([np.asarray(part) for part in of] for of in (x, y))
        _check(x, y, high + queries)
        self.num_tasks, self.shots, self.queries = len(x), (low, high), queries
        kind = keras.config.floatx()
        self._counts = np.array([len(part) for part in x], np.int32)
        self._first = np.cumsum(self._counts, dtype=np.int32) - self._counts
        # All examples in a row: tasks of different sizes need no padding.
        self._x, self._y = (np.concatenate(of).astype(kind) for of in (x, y))

    def episodes(self, tasks, seed):
        order, size = tf.unstack(tf.random.split(seed, 2))
        low, high = self.shots
        count = tf.gather(self._counts, tasks)[:, tf.newaxis]
        # Examples in a random order; places that a smaller task does not have are last.
        most = int(self._counts.max())
        chance = tf.random.stateless_uniform([tf.shape(tasks)[0], most], order)
        chance = tf.where(tf.range(most) < count, chance, 2.0)
        chosen = tf.argsort(chance, axis=-1)[:, : high + self.queries]
        index = chosen + tf.gather(self._first, tasks)[:, tf.newaxis]
        queries, support = index[:, : self.queries], index[:, self.queries :]
        mask = None
        if low < high:
            drawn = tf.random.stateless_uniform(
                [tf.shape(tasks)[0], 1], size, low, high + 1, tf.int32
            )
            mask = tf.range(high) < drawn
            support = tf.gather(support, tf.math.floormod(tf.range(high), drawn), batch_dims=1)
        parts = [tf.gather(of, at) for at in (support, queries) for of in (self._x, self._y)]
        return Episode(*parts) if mask is None else PaddedEpisode(*parts, mask)


def _range(shots) -> tuple[int, int]:
    """The fewest and the most shots."""
    pair = [shots, shots] if np.ndim(shots) == 0 else list(shots)
    whole = all(isinstance(number, numbers.Integral) for number in pair)
    if len(pair) != 2 or not whole or not 0 < pair[0] <= pair[1]:
        raise ValueError(
            "Invalid value for `shots`: expected a whole number, 1 or more, or a pair of them, 0 < "
            f"fewest <= most; received {shots!r}."
        )
    return int(pair[0]), int(pair[1])


def _check_numbers(name: str, part: np.ndarray, task: int) -> None:
    """Refuses inputs or labels [n, ...] of a task that are empty, or no finite real numbers."""
    found = None
    if part.dtype.kind not in "biuf":
        found = f"others in task {task}, of dtype {part.dtype}"
    elif 0 in part.shape[1:]:
        found = f"the shape {list(part.shape)} in task {task}"
    else:
        with np.errstate(over="ignore"):  # What is too large for the precision becomes infinite.
            wrong = ~np.isfinite(part.astype(keras.config.floatx()))
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            found = f"{part[place]} in example {place[0]} of task {task}"
    if found is not None:
        raise ValueError(
            f"Invalid value for `{name}`: expected finite real numbers, one or more in each "
            f"example; received {found}. Clean the data, or leave out the task."
        )


def _check(x: list, y: list, least: int) -> None:
    """Refuses arrays that do not fit together, with the number of the task."""
    if len(x) != len(y) or not x:
        raise ValueError(
            "Invalid values for `x` and `y`: expected inputs and labels of the same tasks, at "
            f"least one; received {len(x)} and {counted(len(y), 'task')}."
        )
    for task, (inputs, labels) in enumerate(zip(x, y, strict=True)):
        if labels.ndim != 2:
            raise ValueError(
                f"Invalid value for `y`: expected labels [n, dim] of each task; received "
                f"{list(labels.shape)} of task {task}. Use y[..., None] if they are numbers to "
                "regress, and np.eye(classes)[y] if they are numbers of classes."
            )
        if inputs.ndim < 2 or len(inputs) != len(labels):
            raise ValueError(
                f"Invalid value for `x`: expected inputs [n, ...] of each task, as many as labels; "
                f"received {list(inputs.shape)} and labels {list(labels.shape)} of task {task}."
            )
        if inputs.shape[1:] != x[0].shape[1:] or labels.shape[1:] != y[0].shape[1:]:
            raise ValueError(
                f"Invalid values for `x` and `y`: expected one shape of inputs and labels; task "
                f"{task} has {inputs.shape[1:]} and {labels.shape[1:]}, task 0 has "
                f"{x[0].shape[1:]} and {y[0].shape[1:]}."
            )
        for name, part in {"x": inputs, "y": labels}.items():
            _check_numbers(name, part, task)
        if len(inputs) < least:
            raise ValueError(
                f"Invalid value for `shots` or `queries`: expected at most as many as a task has "
                f"examples; task {task} has {len(inputs)}, and {least} are needed. Lower them, or "
                "leave out the task."
            )

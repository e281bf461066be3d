"""Episodes, and the families of tasks they are drawn from."""

import abc
from typing import NamedTuple

import tensorflow as tf


class Episode(NamedTuple):
    """A batch of tasks, each with its support set and its queries.

    ``support_x`` [tasks, shots, ...], ``support_y`` [tasks, shots, ...], ``query_x`` [tasks,
    queries, ...], ``query_y`` [tasks, queries, ...].
    """

    support_x: tf.Tensor
    support_y: tf.Tensor
    query_x: tf.Tensor
    query_y: tf.Tensor


def fold_in(seed, number) -> tf.Tensor:
    """A new stateless seed [2] from a seed [2] and an integer, as different as can be."""
    return tf.random.experimental.stateless_fold_in(seed, number)


class TaskFamily(abc.ABC):
    """A numbered set of tasks. Drawing needs an explicit seed; nothing is global.

    A family says how many tasks it has, ``num_tasks``, and how to draw an episode of each of some
    tasks, :meth:`episodes`. Everything else follows. A family with parameters (a sinusoid) derives
    those of task i from i, so a task is the same task each time it is drawn.
    """

    num_tasks: int

    @abc.abstractmethod
    def episodes(self, tasks, seed) -> Episode:
        """One episode of each task.

        Args:
          tasks: int32 [batch], each in [0, num_tasks).
          seed: int32 [2], a stateless seed. Same tasks, same seed, same episodes.

        Returns:
          :class:`Episode` whose leading axis is ``batch``.
        """

    def sample(self, batch_size: int, seed) -> Episode:
        """Episodes of ``batch_size`` tasks drawn uniformly, with replacement."""
        which, how = tf.unstack(tf.random.split(seed, 2))
        tasks = tf.random.stateless_uniform([batch_size], which, 0, self.num_tasks, tf.int32)
        return self.episodes(tasks, how)

    def dataset(self, batch_size: int, seed: int, start: int = 0) -> tf.data.Dataset:
        """An endless stream of episodes for meta-training.

        Batch ``i`` depends on ``(seed, i)`` only, so a run that was cut after ``n`` steps goes on
        with ``start=n`` as if nothing had happened.

        Args:
          batch_size: tasks a batch.
          seed: seed of the stream.
          start: index of the first batch.
        """
        base = tf.constant([seed, 0], tf.int32)
        return (
            tf.data.Dataset.range(start, tf.int64.max)
            .map(
                lambda i: self.sample(batch_size, fold_in(base, i)),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            .prefetch(tf.data.AUTOTUNE)
        )

    def fixed(self, per_task: int, batch_size: int, seed: int) -> tf.data.Dataset:
        """A finite set of episodes for evaluation: ``per_task`` episodes of *every* task.

        Each batch holds ``batch_size`` neighbours of the list of tasks (the last one may be
        shorter), so that the tasks of one batch are different tasks as far as possible.

        Yields:
          ``(tasks, episode)``: int32 [batch] and :class:`Episode`.
        """
        base = tf.constant([seed, 1], tf.int32)
        tasks = tf.tile(tf.range(self.num_tasks, dtype=tf.int32), [per_task])
        return (
            tf.data.Dataset.from_tensor_slices(tasks)
            .batch(batch_size)
            .enumerate()
            .map(lambda i, batch: (batch, self.episodes(batch, fold_in(base, i))))
            .prefetch(1)
        )

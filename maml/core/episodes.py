"""Episodes, and the families of tasks they are drawn from."""

import abc
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from maml.core.seeds import Stream, stream


class Episode(NamedTuple):
    """A batch of tasks, each with its support set and its queries.

    ``support_x`` [tasks, shots, ...], ``support_y`` [tasks, shots, ...], ``query_x`` [tasks,
    queries, ...], ``query_y`` [tasks, queries, ...].
    """

    support_x: tf.Tensor
    support_y: tf.Tensor
    query_x: tf.Tensor
    query_y: tf.Tensor


class PaddedEpisode(NamedTuple):
    """A batch of tasks whose support sets differ in size: an :class:`Episode`, and a mask.

    ``support_mask`` [tasks, shots], boolean: which shots are real. The others are padding,
    wherever they stand. :meth:`maml.MetaLearner.encode_episode` gives the mask to learners.
    """

    support_x: tf.Tensor
    support_y: tf.Tensor
    query_x: tf.Tensor
    query_y: tf.Tensor
    support_mask: tf.Tensor


def as_episode(parts) -> Episode | PaddedEpisode:
    """The episode of a sequence of four tensors, or of five if its support sets are padded."""
    parts = tuple(parts)
    return (Episode if len(parts) == len(Episode._fields) else PaddedEpisode)(*parts)


def check_shapes(episode) -> None:
    """Refuses a batch of episodes whose parts do not go together, or have no elements.

    Raises:
        ValueError: a part lacks the axes of tasks and examples, inputs and labels differ in them,
            or an input or a label has no element, as images of 0 x 0; the message names the part.
    """
    named = zip(
        type(episode)._fields, map(tf.TensorShape, (of.shape for of in episode)), strict=True
    )
    shapes = {name: shape.as_list() for name, shape in named if shape.rank is not None}
    for name, shape in shapes.items():
        least = ("tasks", "examples", "dim") if name.endswith("_y") else ("tasks", "examples")
        if len(shape) < len(least):
            raise ValueError(
                f"Invalid shape of `{name}` of episodes: expected batches of tasks, "
                f"[{', '.join(least)}, ...]; received {shape}. Batch a dataset, such as by "
                "x.batch(32); a single task has a first axis of 1."
            )
        if 0 in shape[2:]:
            raise ValueError(
                f"Invalid `{name}` of episodes: expected inputs and labels of one number or more; "
                f"received {shape}, [tasks, examples, ...]. Leave such tasks out."
            )
    axes: tuple[str, ...]
    for name, like, axes in (
        ("support_y", "support_x", ("tasks", "examples")),
        ("query_y", "query_x", ("tasks", "examples")),
        ("query_x", "support_x", ("tasks",)),
        ("support_mask", "support_x", ("tasks", "examples")),
    ):
        pair = shapes.get(name, ()), shapes.get(like, ())
        for axis, received, expected in zip(axes, *pair, strict=False):
            if None not in (received, expected) and received != expected:
                raise ValueError(
                    f"Invalid shape of `{name}` of episodes: expected as many {axis} as `{like}` "
                    f"has, {expected}; received {received}."
                )


def support_mask(episode):
    """The mask of a batch of padded support sets [tasks, shots]; None where nothing is padded."""
    return getattr(episode, "support_mask", None)


def real_shots_first(mask) -> tf.Tensor:
    """The places of shots with the real ones first, otherwise in their order, [tasks, shots]."""
    return tf.argsort(tf.cast(tf.logical_not(mask), tf.int32), axis=-1, stable=True)


def real_inputs(episode) -> tf.Tensor:
    """Inputs of support sets [tasks, shots, ...], real shots in turn in the place of padding."""
    mask = support_mask(episode)
    if mask is None:
        return episode.support_x
    count = tf.maximum(tf.reduce_sum(tf.cast(mask, tf.int32), axis=1, keepdims=True), 1)
    turn = tf.math.floormod(tf.range(tf.shape(mask)[1]), count)
    index = tf.gather(real_shots_first(mask), turn, batch_dims=1)
    return tf.gather(episode.support_x, index, batch_dims=1)


def concatenated(batches: Iterable[Episode | PaddedEpisode]) -> Episode | PaddedEpisode:
    """One batch of the tasks of several, one batch after the other."""
    return as_episode(tf.concat(parts, axis=0) for parts in zip(*batches, strict=True))


def fold_in(seed, number) -> tf.Tensor:
    """A stateless seed [2] that is derived from a seed [2] and an integer."""
    return tf.random.experimental.stateless_fold_in(seed, number)


def augmented(episode: Episode, regularizers: Iterable, seed) -> Episode:
    """The training episode that regularizers, one after the other, put in this one's place."""
    for index, regularizer in enumerate(regularizers):
        episode = regularizer.augment_part(episode, fold_in(fold_in(seed, index), -1))
    return episode


class TaskFamily(abc.ABC):
    """A numbered set of tasks. Drawing needs an explicit seed; nothing is global.

    A family says how many tasks it has, ``num_tasks``, and how to draw an episode of each of some
    tasks, :meth:`episodes`. Everything else follows. A family with parameters (a sinusoid) derives
    those of task i from i, so a task is the same task each time it is drawn.
    """

    num_tasks: int

    on_policy = False
    """Whether episodes depend on the learner's weights, so that none may be drawn ahead."""

    @abc.abstractmethod
    def episodes(self, tasks, seed) -> Episode:
        """One episode of each task.

        Training calls it in a graph, where ``if`` and ``for`` of Python cannot depend on the values
        of tensors.

        Args:
            tasks: int32 [batch], each in [0, num_tasks).
            seed: int32 [2], a stateless seed. Same tasks, same seed, same episodes.

        Returns:
            :class:`Episode` whose leading axis is ``batch``.
        """

    # AutoGraph would read and rewrite all that is called, for a second, and find nothing to do.
    @tf.autograph.experimental.do_not_convert
    def sample(self, batch_size: int, seed) -> Episode:
        """Episodes of ``batch_size`` tasks drawn uniformly, with replacement."""
        if "num_tasks" not in dir(self):
            raise AttributeError(
                f"{type(self).__name__} has no `num_tasks`: expected the number of its tasks; set "
                "it in __init__, such as self.num_tasks = 100."
            )
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
        base = stream(seed, Stream.TRAINING_EPISODES)
        return (
            tf.data.Dataset.range(start, tf.int64.max)
            .map(
                lambda i: self.sample(batch_size, fold_in(base, i)),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            .prefetch(tf.data.AUTOTUNE)
        )

    def spaced(self, count: int) -> np.ndarray:
        """The indices of ``count`` tasks, evenly spaced, [count]."""
        # In 64 bits: of a million tasks some thousand are products that 32 do not hold.
        return (np.arange(count, dtype=np.int64) * self.num_tasks // count).astype(np.int32)

    def fixed(
        self, per_task: int, batch_size: int, seed: int, num_tasks: int | None = None
    ) -> Iterator[Episode]:
        """A finite set of episodes for evaluation: ``per_task`` episodes of every task.

        No batch holds a task twice, so a task can be given the support sets of the others.

        Args:
            per_task: episodes of each task.
            batch_size: tasks a batch, at least; up to twice as many where it does not divide.
            seed: of the episodes.
            num_tasks: how many tasks, evenly spaced; all by default.

        Yields:
            Episodes, in the order of the tasks, one pass after the other.
        """
        for tasks, own_seed in self.fixed_tasks(per_task, batch_size, seed, num_tasks):
            yield self.episodes(tf.constant(tasks), own_seed)

    def fixed_tasks(
        self, per_task: int, batch_size: int, seed: int, num_tasks: int | None = None
    ) -> list[tuple[np.ndarray, tf.Tensor]]:
        """The batches of :meth:`fixed`: numbers of tasks [batch], and the stateless seed [2]."""
        count = min(num_tasks or self.num_tasks, self.num_tasks)
        batches = np.array_split(self.spaced(count), max(1, count // batch_size)) * per_task
        base = stream(seed, Stream.FIXED_EPISODES)
        return [(tasks, fold_in(base, index)) for index, tasks in enumerate(batches)]

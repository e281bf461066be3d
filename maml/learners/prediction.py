"""Predictions from arrays, outside of training: adapt, predict_episode and export."""

import itertools
import os
from collections.abc import Sequence

import tensorflow as tf

from maml.core.episodes import Episode, PaddedEpisode, check_shapes, concatenated
from maml.core.episodes import support_mask as support_mask_of
from maml.distributions.base import Distribution
from maml.learners.saved_model import write_saved_model


class Predictor:
    """The part of :class:`maml.MetaLearner` that takes raw inputs, and no query labels."""

    @property
    def encodes_each_task_alone(self) -> bool:
        """Whether the state of a task does not depend on which others are in the batch."""
        return "current batch" not in self.normalization

    def adapt(self, support_x, support_y, support_mask=None):
        """The task state after seeing support sets, as they are outside of training.

        Predictions at inputs ``x`` are then ``learner.decode(state, learner.features(x))``, any
        number of times; :meth:`predict_episode` does both.

        Args:
            support_x: inputs [tasks, shots, ...]; of a single task [1, shots, ...].
            support_y: labels [tasks, shots, dim].
            support_mask: which shots are real, [tasks, shots]; all if None.

        Returns:
            A tensor or nest of tensors, each with leading axis ``tasks``.

        Raises:
            ValueError: arrays of other shapes, such as without the axis of tasks, or that do not
                fit together, or no shots, or values that are no labels of the head.
        """
        x, y, _ = self._raw(support_x, support_y, support_x)
        episode = Episode(self.features(x), y, x, y)
        if support_mask is not None:
            mask = tf.cast(support_mask, tf.bool)
            _check_fits("support_mask", mask.shape, x.shape[:2], "tasks and shots")
            real = tf.reduce_any(mask, axis=1)
            if tf.executing_eagerly() and not tf.reduce_all(real):
                raise ValueError(
                    "Invalid value for `support_mask`: expected one real shot or more of each "
                    f"task; received none of task {real.numpy().argmin()}. Leave the task out."
                )
            episode = PaddedEpisode(*episode, mask)
        self._check_values("support_y", y, support_mask)
        return self.encode_episode(episode)

    def _check_values(self, name, y, mask=None):
        """Refuses labels of real shots that are none of the head's; nothing inside of a graph."""
        if tf.executing_eagerly():
            self.head.check_labels(y, name)
            real = y if mask is None else tf.boolean_mask(y, tf.cast(mask, tf.bool))
            self.head.check_label_values(real, name)

    def _check_episode(self, episode):
        """The same of the labels of a batch of episodes, and of its shapes and dtypes."""
        check_shapes(episode)
        single = any(part.dtype == tf.float32 for part in episode[:4])
        if single and self.variable_dtype == "float64":
            raise ValueError(
                "Invalid episodes for a learner of float64: expected inputs and labels of float64; "
                "received float32, as the tasks of this library are. Cast them, or make the "
                "learner with keras.config.floatx() of float32."
            )
        self._check_values("support_y", episode.support_y, support_mask_of(episode))
        self._check_values("query_y", episode.query_y)

    def check_takes(self, tasks) -> None:
        """Refuses tasks of other shapes than those that it was trained on, if it cannot take them.

        Some learners take other numbers of classes.

        Args:
            tasks: a :class:`maml.TaskFamily` of two tasks or more.

        Raises:
            ValueError: inputs or labels have another shape, and it makes no prediction for them.
        """
        episode = tasks.sample(2, tf.constant([0, 0]))
        of_tasks = [part.shape[2:] for part in episode[:2]]
        known = [tuple(shape[2:]) for shape, _ in self._episode_spec[:2]]
        if [tuple(shape) for shape in of_tasks] == known:
            return
        try:
            support = episode._replace(support_x=self.features(episode.support_x))
            answers = self.decode(self.encode_episode(support), self.features(episode.query_x))
            answers.log_prob(episode.query_y)
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            trained, received = (
                f"inputs of shape {list(x)} and labels of shape {list(y)}"
                for x, y in (known, of_tasks)
            )
            raise ValueError(
                f"Invalid tasks for this learner: expected {trained}, as in its training; "
                f"received {received}. Use such tasks, or train a learner on these."
            ) from error

    def _raw(self, support_x, support_y, query_x) -> list[tf.Tensor]:
        """Raw inputs and labels as tensors, after a check of their shapes."""
        parts = {"support_x": support_x, "support_y": support_y, "query_x": query_x}
        for name, part in parts.items():
            parts[name] = part if tf.is_tensor(part) else tf.cast(part, self.compute_dtype)
        x, y, queries = parts.values()
        for index, (name, part) in enumerate(parts.items()):
            known = hasattr(self, "_episode_spec")
            expected = self._episode_spec[index][0] if known else part.shape
            axes = ["tasks", "queries" if index == 2 else "shots", *expected[2:]]
            if part.shape.rank != max(len(expected), 2) or list(part.shape[2:]) != list(
                expected[2:]
            ):
                raise ValueError(
                    f"Invalid shape of `{name}`: expected [{', '.join(map(str, axes))}]; received "
                    f"{list(part.shape)}. A single task has a first axis of size 1."
                )
        _check_fits("support_y", y.shape[:2], x.shape[:2], "tasks and shots")
        _check_fits("query_x", queries.shape[:1], x.shape[:1], "tasks")
        if x.shape[1] == 0:
            raise ValueError(
                f"Invalid shape of `support_x`: expected one shot or more; received "
                f"{list(x.shape)}. Use initial_state for the state before any shot."
            )
        self._make_weights_for(x, y)
        return [x, y, queries]

    def _make_weights_for(self, x, y):
        """Makes the weights by a support set where none are. Keras calls a learner built that was
        called, so this asks for what :meth:`_create_weights` keeps."""
        if not hasattr(self, "_episode_spec"):
            self._create_weights(Episode(x, y, x, y))

    def predict_distribution(self, support_x, support_y, query_x, support_mask=None):
        """The prediction q(y* | x*, D) itself; arguments as of :meth:`predict_episode`."""
        _, _, queries = self._raw(support_x, support_y, query_x)
        state = self.adapt(support_x, support_y, support_mask)
        return self.decode(state, self.features(queries))

    def predict_episode(self, support_x, support_y, query_x, support_mask=None) -> tf.Tensor:
        """Expected query labels, without knowing any.

        Args:
            support_x: as of :meth:`adapt`.
            support_y: as of :meth:`adapt`.
            query_x: inputs [tasks, queries, ...].
            support_mask: as of :meth:`adapt`.

        Returns:
            Expected labels [tasks, queries, dim].

        Raises:
            ValueError: as :meth:`adapt`.
        """
        return self.predict_distribution(support_x, support_y, query_x, support_mask).mean()

    def export(self, path: os.PathLike, samples: int = 16, seed: int = 0) -> None:
        """Writes predictions as a TensorFlow SavedModel, see
        :func:`maml.learners.saved_model.write_saved_model`.

        Args:
            path: of the folder.
            samples: number of draws of each label.
            seed: of the draws.

        Raises:
            ValueError: the learner has no weights yet.
        """
        write_saved_model(self, path, samples, seed)


def _check_fits(name: str, found: tf.TensorShape, expected: tf.TensorShape, axes: str) -> None:
    """Refuses a part whose leading axes are not those of the inputs of the support sets."""
    if not found.is_compatible_with(expected):
        raise ValueError(
            f"Invalid shape of `{name}`: expected the {axes} of support_x, {list(expected)}; "
            f"received {list(found)}. Give parts of the same episodes."
        )


def encode_each(learner, batches: Sequence[Episode]) -> list:
    """The task states of several batches, by one call if it can be: inner loops are slow to trace.

    Args:
        learner: a :class:`maml.MetaLearner`.
        batches: episodes whose inputs went through ``learner.features``.

    Returns:
        The task state of each batch.
    """
    supports = [(*batch[:2], support_mask_of(batch)) for batch in batches]
    shapes = {
        tuple(None if part is None else tuple(part.shape[1:]) for part in support)
        for support in supports
    }
    sizes = [support[0].shape[0] for support in supports]
    if len(shapes) > 1 or None in sizes or not learner.encodes_each_task_alone:
        return [learner.encode_episode(batch) for batch in batches]
    ends = list(itertools.accumulate(sizes))
    state = learner.encode_episode(concatenated(batches))
    return [
        tf.nest.map_structure(lambda part, end=end, size=size: part[end - size : end], state)
        for end, size in zip(ends, sizes, strict=True)
    ]


def predict_with_mismatched_supports(
    learner, embedded: Episode, num_supports: int, state=None
) -> tuple[Distribution, int]:
    """Predictions with the right support set, then with those of other tasks of the batch.

    Every support set is encoded once. The other tasks are evenly spaced in the batch, since
    neighbours may be alike.

    Args:
        learner: a :class:`maml.MetaLearner`.
        embedded: episodes whose inputs went through ``learner.features``, of a known number of
            tasks.
        num_supports: the most support sets for each task, its own included.
        state: the task state of ``embedded``, if it is known.

    Returns:
        A distribution with batch axes [supports * tasks, queries], first those of all tasks with
        their own support sets, and the number of supports.
    """
    tasks = embedded.query_y.shape[0]
    count = min(num_supports, tasks)
    shifts = [index * tasks // count for index in range(count)]
    state = tf.nest.map_structure(
        lambda part: tf.concat([tf.roll(part, shift, axis=0) for shift in shifts], axis=0),
        learner.encode_episode(embedded) if state is None else state,
    )
    return learner.decode(state, tf.concat([embedded.query_x] * count, axis=0)), count

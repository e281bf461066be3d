"""Random relabelings of tasks, which make them mutually exclusive.

In a non-mutually-exclusive family, x* alone determines the task, so I(y*; D | x*) is zero in the
data and there is nothing to maximise. A label transform draws a transformation g per task and
relabels support and query alike: now y*' = g(y*) cannot be known without reading D' = (X, g(Y)).
A label transform is a function ``(episode, seed) -> episode`` plus what is known of its randomness.
"""

import abc
import math

import tensorflow as tf

from maml.core.episodes import Episode, PaddedEpisode, real_shots_first, support_mask
from maml.core.serialization import Configured


class LabelTransform(Configured, abc.ABC):
    """Draws one transformation for each task of a batch of episodes.

    Attributes:
        relabels_queries: the query labels are transformed like the support's, so that they are what
            a learner that reads its support set should answer.
        between_tasks: a task is given something of another task of the batch.
        entropy: H(y*' | x*, X) in nats where it is known, else None. With it, the Barber-Agakov
            bound is a value in nats and not only up to a constant.
    """

    relabels_queries = True
    between_tasks = False
    entropy: float | None = None

    @abc.abstractmethod
    def __call__(self, episode: Episode, seed) -> Episode:
        """The episode after one draw; ``seed`` is a stateless seed [2]."""


def check_transform(value) -> None:
    """Raises ValueError unless a value is a label transform."""
    if not (callable(value) and hasattr(value, "relabels_queries")):
        raise ValueError(
            "Invalid value for `label_transform`: expected a label transform, such as "
            f"maml.LabelOffset(10.0); received a {type(value).__name__}."
        )


def _per_task(episode: Episode, uniform) -> tf.Tensor:
    """Reshapes one number for each task, [tasks], to broadcast against labels."""
    return tf.reshape(uniform, [-1] + [1] * (episode.support_y.shape.rank - 1))


class LabelOffset(LabelTransform):
    """y' = (y + u) mod ``modulo``, u uniform on the circle: for angles.

    Args:
        modulo: length of the circle, in the label's unit.
    """

    def __init__(self, modulo: float):
        self.modulo = modulo
        self.entropy = math.log(modulo)

    def __call__(self, episode, seed):
        tasks = tf.shape(episode.support_y)[:1]
        shift = tf.random.stateless_uniform(tasks, seed, 0, self.modulo, episode.support_y.dtype)
        shift = _per_task(episode, shift)
        return episode._replace(
            support_y=tf.math.floormod(episode.support_y + shift, self.modulo),
            query_y=tf.math.floormod(episode.query_y + shift, self.modulo),
        )


class LabelScale(LabelTransform):
    """y' = s y, with random sign and log-uniform size: for functions.

    Args:
        low: smallest size of s.
        high: largest size of s.
        signed: whether s is negated half of the time.
    """

    def __init__(self, low: float = 0.5, high: float = 2.0, signed: bool = True):
        if not 0 < low <= high:
            raise ValueError(
                f"Invalid values for `low` and `high`: expected 0 < low <= high; received {low} "
                f"and {high}."
            )
        self.low, self.high, self.signed = low, high, signed

    def __call__(self, episode, seed):
        draws = tf.random.stateless_uniform(
            [2, tf.shape(episode.support_y)[0]], seed, dtype=episode.support_y.dtype
        )
        scale = tf.exp(math.log(self.low) + draws[0] * math.log(self.high / self.low))
        if self.signed:
            scale *= tf.sign(draws[1] - 0.5)
        scale = _per_task(episode, scale)
        return episode._replace(
            support_y=scale * episode.support_y, query_y=scale * episode.query_y
        )


class LabelPermutation(LabelTransform):
    """y' = pi(y), a random permutation of the classes, for one-hot labels [tasks, n, classes].

    Args:
        classes: number of classes.

    Raises:
        ValueError: when called, labels have another number of classes, or are numbers.
    """

    def __init__(self, classes: int):
        self.classes = classes
        self.entropy = math.log(classes)

    def __call__(self, episode, seed):
        if episode.support_y.shape[-1] not in (None, self.classes):
            raise ValueError(
                f"Invalid labels for LabelPermutation({self.classes}): expected one-hot labels of "
                f"{self.classes} classes; received labels of {episode.support_y.shape[-1]}. For "
                "numbers use LabelOffset or LabelScale."
            )
        tasks = tf.shape(episode.support_y)[0]
        order = tf.argsort(tf.random.stateless_uniform([tasks, self.classes], seed), axis=-1)
        return episode._replace(
            support_y=tf.gather(episode.support_y, order, axis=2, batch_dims=1),
            query_y=tf.gather(episode.query_y, order, axis=2, batch_dims=1),
        )


class LabelSwap(LabelTransform):
    """Each task keeps its inputs X and gets the labels of another task of the batch.

    Makes sense where the i-th inputs of all tasks correspond, as on a common grid. Of padded
    support sets the shots stay that are real in both tasks, which may be none.
    """

    between_tasks = True

    def __call__(self, episode, seed):
        other, mask = other_task(episode, seed), support_mask(episode)
        swapped = episode._replace(
            support_y=tf.gather(episode.support_y, other),
            query_y=tf.gather(episode.query_y, other),
        )
        if mask is None:
            return swapped
        return swapped._replace(support_mask=tf.logical_and(mask, tf.gather(mask, other)))


def partners(order, other) -> tf.Tensor:
    """For each example the one that stands at its place in the order of task ``other``.

    Args:
        order: examples of each task in an order, [tasks, n].
        other: for each task the index of another one, [tasks].

    Returns:
        Indices [tasks, n] of examples of the other task.
    """
    place = tf.argsort(order, axis=-1, stable=True)
    return tf.gather(tf.gather(order, other), place, batch_dims=1)


def with_support_labels_of(episode, other) -> Episode | PaddedEpisode:
    """The episode whose support sets keep their inputs and take the labels of tasks ``other``.

    Of padded support sets the n-th real shot takes the label of the other's n-th real shot, and
    the shots stay for which there is one.

    Args:
        episode: a batch of tasks.
        other: for each task the index of another one, [tasks].
    """
    mask, labels = support_mask(episode), tf.gather(episode.support_y, other)
    if mask is None:
        return episode._replace(support_y=labels)
    lender = partners(real_shots_first(mask), other)
    lent = tf.gather(tf.gather(mask, other), lender, batch_dims=1)
    return episode._replace(
        support_y=tf.gather(labels, lender, batch_dims=1), support_mask=tf.logical_and(mask, lent)
    )


class OtherTask(LabelTransform):
    """The support set, inputs and labels, of another task of the batch; queries stay.

    The literal reading of "another D". X itself tells tasks apart, so a model that memorizes every
    training task can score high against these negatives: use it to compare, not to train.
    """

    relabels_queries = False
    between_tasks = True

    def __call__(self, episode, seed):
        other = other_task(episode, seed)
        return _with_supports(episode, lambda part: tf.gather(part, other))


class SameTask(LabelTransform):
    """Another support set of the same task: a bootstrap of the given one (with replacement).

    The literal Definition 1 of Yin et al. 2020. What remains between two support sets of one task
    is sampling noise, which is why a term built on it does nothing over a wide range of weights.
    """

    relabels_queries = False

    def __call__(self, episode, seed):
        shape, mask = tf.shape(episode.support_y)[:2], support_mask(episode)
        index = tf.random.stateless_uniform(shape, seed, 0, shape[1], tf.int32)
        if mask is not None:
            # Any real shot is equally likely, and padding keeps its places.
            real = tf.reduce_sum(tf.cast(mask, tf.float32), axis=1, keepdims=True)
            index = tf.cast(tf.random.stateless_uniform(shape, seed) * real, tf.int32)
            index = tf.gather(real_shots_first(mask), index, batch_dims=1)
        return episode._replace(
            support_x=tf.gather(episode.support_x, index, batch_dims=1),
            support_y=tf.gather(episode.support_y, index, batch_dims=1),
        )


def _with_supports(episode, change) -> Episode | PaddedEpisode:
    """The episode after ``change`` of all parts of its support sets."""
    names = [name for name in episode._fields if name.startswith("support")]
    return episode._replace(**{name: change(getattr(episode, name)) for name in names})


def other_task(episode: Episode, seed) -> tf.Tensor:
    """For each task the index of a different one, [tasks]: a random cyclic shift."""
    tasks = tf.shape(episode.support_y)[0]
    shift = tf.random.stateless_uniform([], seed, 1, tf.maximum(tasks, 2), tf.int32)
    return tf.math.floormod(tf.range(tasks) + shift, tasks)

"""Which classes a task of classification tells apart, and which label each has there."""

import tensorflow as tf

from maml.core.episodes import fold_in

LABELS = ("shuffled", "fixed")


def draw_members(
    num_tasks: int, classes: int, ways: int, labels: str, seed, grouped: bool = False
) -> tf.Tensor:
    """Which classes each of some tasks tells apart, in the order of their labels.

    ============ ============ ===================================================================
    ``labels``   ``grouped``  what a memorizer could know of a class in a training task
    ============ ============ ===================================================================
    shuffled     no           nothing: the tasks are mutually exclusive, as is the custom
    shuffled     yes          which others it stands with (Rajendran et al. 2020: intra-shuffle)
    fixed        no           its label (Yin et al. 2020, section 6.3)
    fixed        yes          both: no shuffle at all
    ============ ============ ===================================================================

    Args:
        num_tasks: number of tasks.
        classes: number of classes to draw from.
        ways: classes of a task.
        labels: "shuffled": a class has another label in another task. "fixed": class ``c`` has
            label ``c % ways`` in every task.
        seed: stateless seed [2].
        grouped: the classes are split once into groups of ``ways``, those that are left over are
            not used, and the classes of a task are a group.

    Returns:
        Numbers of classes, all different in a task, int32 [num_tasks, ways].

    Raises:
        ValueError: there is no such way of labelling, or there are too few classes.
    """
    if labels not in LABELS:
        raise ValueError(
            f"Invalid value for `labels`: expected one of {', '.join(LABELS)}; received {labels!r}."
        )
    if classes < ways:
        raise ValueError(f"A task of {ways} ways needs {ways} classes or more, not {classes}.")
    groups = classes // ways
    if grouped:
        group = tf.random.stateless_uniform([num_tasks, 1], seed, 0, groups, tf.int32)
        members = group * ways + tf.range(ways)
    elif labels == "fixed":
        group = tf.random.stateless_uniform([num_tasks, ways], seed, 0, groups, tf.int32)
        return group * ways + tf.range(ways)
    else:
        members = _different(num_tasks, classes, ways, seed)
    return members if labels == "fixed" else _shuffled(members, fold_in(seed, ways))


def _different(rows: int, number: int, count: int, seed) -> tf.Tensor:
    """``count`` different integers below ``number`` for each row, each set as likely as another.

    Floyd's algorithm (Bentley and Floyd 1987): its time does not grow with ``number``.
    """
    chosen = tf.zeros([rows, 0], tf.int32)
    for index, last in enumerate(range(number - count, number)):
        drawn = tf.random.stateless_uniform([rows], fold_in(seed, index), 0, last + 1, tf.int32)
        taken = tf.reduce_any(chosen == drawn[:, tf.newaxis], axis=1)
        chosen = tf.concat([chosen, tf.where(taken, last, drawn)[:, tf.newaxis]], axis=1)
    return chosen


def _shuffled(rows: tf.Tensor, seed) -> tf.Tensor:
    """Each row in an order of its own."""
    order = tf.argsort(tf.random.stateless_uniform(tf.shape(rows), seed), axis=1)
    return tf.gather(rows, order, batch_dims=1)

"""A batch that is spread over the replicas of a ``tf.distribute`` strategy, as if it were not.

Each replica has an equal part of the batch, in the order of the replicas. What is not a mean over
examples needs the others' parts too: statistics, draws, whatever compares examples. Outside of a
strategy, and with one replica, each function here does what it would do on one device.
"""

from collections.abc import Callable

import tensorflow as tf


def mean(value) -> tf.Tensor:
    """The mean of ``value`` over replicas, of any shape; its gradient is that of the mean."""
    context = _context()
    if context is None:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)


def whole(parts):
    """The whole batch, in each replica; gradients reach the replica that an example is from.

    A loss of the whole batch has its own gradient if each replica takes the same loss, divided by
    the number of replicas.

    Args:
        parts: this replica's part: a tensor [n, ...], or a nest of them.

    Returns:
        Tensors [replicas * n, ...] in the same nest.
    """
    context = _context()
    if context is None:
        return parts

    count, index = context.num_replicas_in_sync, context.replica_id_in_sync_group

    def gathered(part):
        # A sum of parts between zeros: TensorFlow 2.21 cannot gather on several workers.
        numbers = tf.cast(part, tf.float32) if part.dtype == tf.bool else part
        size, rest = tf.shape(part)[0], tf.zeros([tf.rank(part) - 1, 2], tf.int32)
        places = tf.concat([[[index * size, (count - 1 - index) * size]], rest], 0)
        found = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.pad(numbers, places))
        known = part.shape[0] and part.shape[0] * count
        return tf.ensure_shape(tf.cast(found, part.dtype), [known, *part.shape[1:]])

    return tf.nest.map_structure(gathered, parts)


def on_whole(function: Callable, parts, copies: int = 1):
    """This replica's part of what a function makes of the whole batch.

    Args:
        function: from a nest of tensors [n, ...] to another, [copies * n, ...], one copy of the
            whole batch after the other.
        parts: this replica's part of its argument.
        copies: how many of them it makes.
    """
    context = _context()
    if context is None:
        return function(parts)
    count, index = context.num_replicas_in_sync, context.replica_id_in_sync_group

    def own(value):
        shape = tf.shape(value)
        size = shape[0] // (copies * count)
        blocks = tf.reshape(value, tf.concat([[copies, count, size], shape[1:]], 0))
        found = tf.reshape(blocks[:, index], tf.concat([[copies * size], shape[1:]], 0))
        known = None if value.shape[0] is None else value.shape[0] // count
        return tf.ensure_shape(found, [known, *value.shape[1:]])

    return tf.nest.map_structure(own, function(whole(parts)))


def drawn(draw: Callable, shape, axis: int = 0) -> tf.Tensor:
    """This replica's part of random numbers that are drawn for the whole batch.

    Args:
        draw: from a shape to random numbers; must give the same in each replica.
        shape: of this replica's part.
        axis: of the shape that goes over the batch.
    """
    context = _context()
    if context is None:
        return draw(shape)
    shape = tf.stack(shape) if isinstance(shape, list | tuple) else tf.convert_to_tensor(shape)
    size, axes = shape[axis], tf.range(tf.size(shape))
    numbers = draw(tf.where(axes == axis, size * context.num_replicas_in_sync, shape))
    start = tf.where(axes == axis, size * context.replica_id_in_sync_group, 0)
    return tf.slice(numbers, start, shape)


def apply_gradients(optimizer, gradients, variables) -> None:
    """``optimizer.apply`` that outside of a strategy leaves nothing of its graph behind.

    Keras adds gradients up over replicas even where there is one, by a ``tf.custom_gradient``. For
    each of these TensorFlow registers a function for good, which holds the graph: some 9 MiB a
    learner. Where replicas have been merged, Keras leaves this sum out.
    """
    context = tf.distribute.get_replica_context()
    if context is None or tf.distribute.has_strategy():
        optimizer.apply(gradients, variables)
    else:
        context.merge_call(lambda _: optimizer.apply(gradients, variables))


def _context():
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context

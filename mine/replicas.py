"""Statistics and steps of a batch that is spread over the replicas of a ``tf.distribute`` strategy.

Outside of a strategy, and with one replica, statistics are what they are given.
"""

import tensorflow as tf


def mean(value) -> tf.Tensor:
    """The mean of ``value`` over replicas; its gradient is not taken."""
    context = _context()
    if context is None:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.stop_gradient(value))


def log_mean_exp(value) -> tf.Tensor:
    """The log of the mean over replicas of exp ``value`` []; its gradient is not taken."""
    context = _context()
    if context is None:
        return value
    every = context.all_gather(tf.stop_gradient(value)[tf.newaxis], axis=0)
    return tf.reduce_logsumexp(every) - tf.math.log(tf.cast(tf.size(every), every.dtype))


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

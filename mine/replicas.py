"""Statistics of a batch that is spread over the replicas of a ``tf.distribute`` strategy.

Outside of a strategy, and with one replica, each returns what it is given.
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


def _context():
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context

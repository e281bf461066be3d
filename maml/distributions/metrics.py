"""Metrics of predictive distributions: one value for each query."""

import tensorflow as tf

from maml.core.metrics import Metric
from maml.distributions.base import Distribution


def accuracy(distribution: Distribution, y) -> tf.Tensor:
    """Whether the likeliest class is the right one, 1 or 0, [...], for one-hot labels."""
    probabilities = distribution.mean()
    hit = tf.argmax(probabilities, axis=-1) == tf.argmax(y, axis=-1)
    return tf.cast(hit, probabilities.dtype)


def squared_error(prediction, y) -> tf.Tensor:
    """Squared error of the expected label, mean over coordinates, [tasks, queries]."""
    return tf.reduce_mean((prediction.mean() - y) ** 2, axis=-1)


MSE = Metric("mse", squared_error)
ACCURACY = Metric("accuracy", accuracy, greater_is_better=True, best=1.0)

"""What keeps padding out of what is computed of support sets of several sizes."""

import tensorflow as tf

PADDING_SCORE = -1e9
"""Score before a softmax over shots that gives padding a weight of exactly zero."""


def masked_mean(values, mask) -> tf.Tensor:
    """Mean over the real shots, [tasks, shots, features] -> [tasks, features]."""
    weights = tf.cast(mask, values.dtype)[..., tf.newaxis]
    return tf.reduce_sum(weights * values, axis=1) / tf.maximum(tf.reduce_sum(weights, axis=1), 1)


def without_padding(part, mask) -> tf.Tensor:
    """A part of support sets [tasks, shots, ...], zeros in the place of padding."""
    real = mask[(..., *[tf.newaxis] * (part.shape.rank - 2))]
    return tf.where(real, part, tf.zeros_like(part))

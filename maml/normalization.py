"""Normalisation whose second derivative is right."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("maml")
class CurrentBatchNormalization(keras.layers.Layer):
    """Batch normalisation by the statistics of the batch at hand, always (transductive).

    ``keras.layers.BatchNormalization`` computes its variance with the gradient of the mean cut off
    (``tf.nn.moments``). The first derivative does not notice, since that term is zero; the second
    is wrong, and with it every second-order meta-gradient. This layer cuts nothing.

    Args:
        scale: whether to learn a factor for each channel; the shift is always learned.
        epsilon: added to the variance.
    """

    def __init__(self, scale: bool = True, epsilon: float = 1e-3, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.epsilon = scale, epsilon

    def build(self, input_shape):
        channels = (input_shape[-1],)
        self.beta = self.add_weight(name="beta", shape=channels, initializer="zeros")
        if self.scale:
            self.gamma = self.add_weight(name="gamma", shape=channels, initializer="ones")

    def call(self, x):
        """Normalises ``x`` [n, ..., channels] over all axes but the last."""
        axes = list(range(x.shape.rank - 1))
        centred = x - tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean(centred**2, axes, keepdims=True)
        normal = centred * tf.math.rsqrt(variance + self.epsilon)
        return (normal * self.gamma if self.scale else normal) + self.beta

    def get_config(self):
        return super().get_config() | {"scale": self.scale, "epsilon": self.epsilon}

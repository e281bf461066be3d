"""Normal latent variables of sets: their distribution q(c | D), draws from it and divergences."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from maml.core.seeds import Part
from maml.nn.mlp import DenseLayers, through

MIN_SIGMA = 0.1
"""Least standard deviation of a latent variable, in the code of Kim et al. 2019; the largest is 1.
A divergence from a distribution without width is infinite."""

MAX_LOG_VARIANCE = 30
"""Largest magnitude of log sigma²: within it divergences are finite in single precision, beyond it
networks are given inputs unlike any that they were trained on."""


class Latent(NamedTuple):
    """Independent normal latent variables: ``mean`` and ``sigma``, [..., dim] each."""

    mean: tf.Tensor
    sigma: tf.Tensor

    @classmethod
    def of(cls, outputs) -> "Latent":
        """That of a network's outputs [..., 2 dim]: sigma = 0.1 + 0.9 sigmoid(second half)."""
        mean, raw = tf.split(outputs, 2, axis=-1)
        return cls(mean, MIN_SIGMA + (1 - MIN_SIGMA) * tf.sigmoid(raw))

    @classmethod
    def of_any_width(cls, outputs) -> "Latent":
        """That of a network's outputs [..., 2 dim]: the second half is the logarithm of sigma²."""
        mean, log_variance = tf.split(outputs, 2, axis=-1)
        limited = tf.clip_by_value(log_variance, -MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
        return cls(mean, tf.exp(limited / 2))

    @classmethod
    def standard(cls, shape, dtype) -> "Latent":
        """N(0, 1) of a shape [..., dim]."""
        return cls(tf.zeros(shape, dtype), tf.ones(shape, dtype))

    def draw(self, noise) -> tf.Tensor:
        """The reparametrized draw for standard normal noise that broadcasts with [..., dim]."""
        return self.mean + self.sigma * noise

    def kl(self, other: "Latent") -> tf.Tensor:
        r"""KL(self || other) in nats, [...].

        :math:`\sum_i \log\frac{\sigma'_i}{\sigma_i} + \frac{\sigma_i^2 + (\mu_i -
        \mu'_i)^2}{2\sigma_i'^2} - \frac12`.
        """
        difference = (self.mean - other.mean) / other.sigma
        ratio = self.sigma / other.sigma
        each = 0.5 * (ratio**2 + difference**2 - 1) - tf.math.log(ratio)
        return tf.reduce_sum(each, axis=-1)


class StatisticNetwork(keras.layers.Layer):
    r"""From sets to a normal latent variable of each, q(c | D), whatever the order of a set.

    The statistic network of Edwards and Storkey 2017 (arXiv 1606.02185, section 3.3), and the
    latent path of neural processes (Kim et al. 2019, arXiv 1901.05761): a perceptron for each
    element, their mean over the set and the logarithm of 1 + their number, and a perceptron for the
    set.

    Args:
        hidden: units of each layer for elements; the last is the size of the mean.
        dim: of the latent variable.
        seed: seed of the initial weights.
        latent: from the network's outputs [..., 2 dim] to the latent variable, a constructor of
            :class:`Latent`.
        **kwargs: of ``keras.layers.Layer``.
    """

    def __init__(self, hidden: Sequence[int], dim: int, seed: int, latent=Latent.of, **kwargs):
        super().__init__(**kwargs)
        self.latent = latent
        layers = DenseLayers(seed, Part.LATENT, self.dtype_policy)
        self.of_elements = [layers.dense(units, "relu") for units in hidden]
        self.of_sets = layers.perceptron(hidden[-1:], 2 * dim)

    def call(self, elements, members) -> Latent:
        """The latent variable of each set.

        Args:
            elements: [tasks, n, features].
            members: whether an element is in a set, 0 or 1, [tasks, sets, n].

        Returns:
            [tasks, sets, dim].
        """
        count = tf.reduce_sum(members, axis=-1, keepdims=True)
        pooled = tf.matmul(members, through(self.of_elements, elements)) / tf.maximum(count, 1)
        return self.latent(
            through(self.of_sets, tf.concat([pooled, tf.math.log1p(count)], axis=-1))
        )

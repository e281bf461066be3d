"""An information bottleneck between inputs and the rest of a learner."""

import math

import keras
import tensorflow as tf

from maml.core.checks import check_finite
from maml.core.registry import REGULARIZERS
from maml.regularizers.base import Regularizer, normal_kl


@REGULARIZERS.register("mr_a")
class MRA(Regularizer):
    r"""MR-A: noise in the features of inputs, and a penalty on their information about the inputs.

    Meta-regularization on activations (Yin et al. 2020, eq. 4): learners are given a draw of
    :math:`z \sim N(\mu(e), \sigma(e)^2)` in place of the features e of each input, of support and
    queries alike, and the meta-loss gets :math:`\beta\, E\, KL(N(\mu(e^*), \sigma(e^*)^2) \|
    N(0, I))`, in nats, the mean over the queries: a bound on the information of z* about x*, so
    that the rest has to come from the support set. Outside of training z is :math:`\mu(e)`.

    :math:`\mu` and :math:`\log\sigma` are linear and as wide as e. They start as :math:`\mu(e) = e`
    with the same little noise for every input, so that training begins with the learner's own
    features.

    Args:
        weight: beta, per nat.
        sigma: standard deviation that the noise starts with, in the unit of the features.

    Raises:
        ValueError: ``sigma`` is not positive. When the learner's weights are created: its features
            are no vectors.
    """

    title = "MR-A"
    symbol = "β"

    metric_names = ("mr_a_nats",)

    reads_prediction = False

    def __init__(self, weight: float = 1e-3, sigma: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        check_finite(weight=weight)
        check_finite(above=0, sigma=sigma)
        self.weight, self.sigma = weight, sigma
        self.posterior = Posterior(sigma, dtype=self.dtype_policy)

    def transform(self, features, seed=None):
        if features.shape.rank != 3:
            raise ValueError(
                "MRA takes features [tasks, n, width], and the learner's are of shape "
                f"{features.shape}: give it an embedding, a network from inputs to vectors."
            )
        mean, log_sigma = self.posterior(features)
        if seed is None:
            return mean
        noise = tf.random.stateless_normal(tf.shape(mean), seed, dtype=mean.dtype)
        return mean + tf.exp(log_sigma) * noise

    def term(self, learner, episode, features, prediction, seed, training):
        nats = tf.reduce_mean(tf.reduce_sum(normal_kl(*self.posterior(features)), axis=-1))
        return self.weight * nats, {"mr_a_nats": nats}


class Posterior(keras.layers.Layer):
    """From features [..., width] to mean and log sigma of z, each [..., width]."""

    def __init__(self, sigma: float, **kwargs):
        super().__init__(**kwargs)
        self.sigma = sigma

    def build(self, input_shape):
        width = input_shape[-1]
        self.mean = keras.layers.Dense(
            width, kernel_initializer="identity", dtype=self.dtype_policy
        )
        self.log_sigma = keras.layers.Dense(
            width,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(math.log(self.sigma)),
            dtype=self.dtype_policy,
        )
        self.mean.build(input_shape)
        self.log_sigma.build(input_shape)

    def call(self, features):
        return self.mean(features), self.log_sigma(features)

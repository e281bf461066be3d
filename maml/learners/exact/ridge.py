"""Ridge regression: the best learner of linear functions."""

import tensorflow as tf

from maml.core.registry import LEARNERS
from maml.distributions.gaussian import Gaussian
from maml.learners.exact.base import ExactLearner
from maml.learners.exact.priors import LinearPrior
from mine.reporting.processes import resources


@LEARNERS.register("ridge")
class Ridge(ExactLearner):
    r"""Ridge regression with the right penalty (Raventos et al. 2023, arXiv 2306.15063, eq. 4).

    For :math:`w \sim N(0, I)` and labels with noise of variance :math:`\sigma^2` the posterior is
    :math:`N(\hat w, \sigma^2 A^{-1})`, :math:`A = X^T X + \sigma^2 I`, :math:`\hat w = A^{-1} X^T
    y`, and the prediction at x is :math:`N(\hat w \cdot x, \sigma^2 + \sigma^2 x^T A^{-1} x)`: no
    learner has less error on new tasks. The task state is the mean [tasks, inputs] and the
    covariance [tasks, inputs, inputs] of the posterior, by the singular values of X in float64:
    with little noise A is nearly singular.

    Args:
        prior: the distribution of linear tasks.
        head: as of :class:`ExactLearner`.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: tasks that are not linear functions, or another head.
    """

    title = "ridge"

    def __init__(self, prior, head, **kwargs):
        super().__init__(prior, head, **kwargs)
        if not isinstance(prior, LinearPrior):
            raise ValueError(
                "Invalid tasks for ridge: expected linear functions, such as those of the task "
                f"linear_regression; received {type(prior).__name__}. Use grid_posterior."
            )
        resources.require("inputs", prior.inputs, 8 * float(prior.inputs) ** 2)

    def encode(self, x, y, training=False, mask=None):
        if mask is not None:
            real = mask[..., tf.newaxis]
            x, y = tf.where(real, x, tf.zeros_like(x)), tf.where(real, y, tf.zeros_like(y))
        values, left, right = tf.linalg.svd(tf.cast(x, tf.float64))
        squares = values**2 + self.prior.noise**2
        seen = tf.matmul(left, tf.cast(y, tf.float64), transpose_a=True)
        mean = tf.matmul(right, (values / squares)[..., tf.newaxis] * seen)
        share = (values**2 / squares)[..., tf.newaxis, :]
        known = tf.matmul(share * right, right, transpose_b=True)
        covariance = tf.eye(self.prior.inputs, dtype=tf.float64) - known
        return tf.cast(tf.squeeze(mean, -1), x.dtype), tf.cast(covariance, x.dtype)

    def decode(self, state, x):
        mean, covariance = state
        location = tf.matmul(x, mean[..., tf.newaxis])
        variance = tf.reduce_sum(tf.matmul(x, covariance) * x, axis=-1, keepdims=True)
        return Gaussian(location, tf.sqrt(self.prior.noise**2 + variance))

    def initial_state(self, batch_size):
        identity = tf.eye(self.prior.inputs, batch_shape=[batch_size], dtype=self.compute_dtype)
        return tf.zeros([batch_size, self.prior.inputs], self.compute_dtype), identity

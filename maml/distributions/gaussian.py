"""Gaussian distributions whose variance is predicted too: regression with uncertainty."""

import math

import tensorflow as tf

from maml.core.checks import check_counts, check_finite
from maml.core.registry import HEADS
from maml.distributions.base import Distribution, Head


class Gaussian(Distribution):
    """Independent Gaussians, each with a standard deviation of its own.

    Args:
        location: means, [..., dim].
        scale: standard deviations in the label's unit, [..., dim].
    """

    def __init__(self, location, scale):
        self.location, self.scale = location, scale

    def log_prob(self, y):
        standard = (y - self.location) / self.scale
        constant = 0.5 * math.log(2 * math.pi)
        return tf.reduce_sum(-0.5 * standard**2 - tf.math.log(self.scale) - constant, axis=-1)

    def cdf(self, y):
        return 0.5 * tf.math.erfc((self.location - y) / (math.sqrt(2) * self.scale))

    def mean(self):
        return self.location

    def standard_deviation(self) -> tf.Tensor:
        """The standard deviation of each label coordinate, [..., dim]."""
        return self.scale

    def sample(self, seed):
        noise = tf.random.stateless_normal(tf.shape(self.location), seed, dtype=self.location.dtype)
        return tf.stop_gradient(self.location + self.scale * noise)

    def critic_features(self):
        """Means and standard deviations, [..., 2 dim]: the support set may change either."""
        return tf.concat([self.location, self.scale], axis=-1)

    @property
    def critic_noise(self):
        # About the size of the predicted noise, held constant: it is no way to raise information.
        return tf.stop_gradient(tf.reduce_mean(self.scale))


@HEADS.register("gaussian")
class GaussianHead(Head):
    r"""Regression with a learned variance, as in the conditional neural process.

    Garnelo et al. 2018 (arXiv 1807.01613, eq. 2 to 4): of the outputs :math:`(\mu, \omega)` for
    each label coordinate, :math:`\sigma = \sigma_0 + (1 - \sigma_0)\, \mathrm{softplus}(\omega)`
    with :math:`\sigma_0 = 0.1` in the authors' code, and the loss is :math:`-\log N(y; \mu,
    \sigma^2)` in nats. Units of sigma are those of the label: scale labels to about one, or change
    the arguments.

    Args:
        dim: number of label coordinates.
        min_scale: :math:`\sigma_0`, the least standard deviation, in the label's unit; positive,
            since a density without a least width has no largest likelihood.
        softplus_scale: factor of the softplus; ``1 - min_scale`` if None.

    Raises:
        ValueError: ``dim``, ``min_scale`` or ``softplus_scale`` is not positive.
    """

    given_by_problem = ("dim",)
    label_remedy = "Use GaussianHead(dim=...) for labels of this shape."

    def __init__(self, dim: int = 1, min_scale: float = 0.1, softplus_scale: float | None = None):
        self.dim, self.label_dim, self.units = dim, dim, 2 * dim
        self.min_scale, self.softplus_scale = min_scale, softplus_scale
        check_counts(dim=dim)
        check_finite(above=0, min_scale=min_scale)
        if softplus_scale is None and min_scale >= 1:
            raise ValueError(
                "Missing value for `softplus_scale`: expected a positive number where `min_scale` "
                f"is 1 or more; received min_scale={min_scale!r:.40}."
            )
        self._factor = 1 - min_scale if softplus_scale is None else softplus_scale
        check_finite(above=0, softplus_scale=self._factor)

    def __call__(self, outputs):
        location, raw = tf.split(outputs, 2, axis=-1)
        return Gaussian(location, self.min_scale + self._factor * tf.nn.softplus(raw))

    @property
    def relative_units(self):
        return self.units

    def relative(self, outputs, y):
        """The mean moves with the label; the standard deviation stays."""
        difference, raw = tf.split(outputs, 2, axis=-1)
        return tf.concat([difference + y, raw + tf.zeros_like(y)], axis=-1)

"""Normal distributions over labels: regression."""

import math
from collections.abc import Sequence

import tensorflow as tf

from maml.core.checks import check_counts, check_finite, check_sizes
from maml.core.registry import HEADS
from maml.distributions.base import Distribution, Head


class Normal(Distribution):
    """Independent normals of one fixed scale.

    Args:
        location: [..., dim].
        scale: standard deviation, in the label's unit.
    """

    def __init__(self, location, scale: float):
        self.location, self.scale = location, scale

    def log_prob(self, y):
        standard = (y - self.location) / self.scale
        constant = math.log(self.scale) + 0.5 * math.log(2 * math.pi)
        return tf.reduce_sum(-0.5 * standard**2 - constant, axis=-1)

    def cdf(self, y):
        return 0.5 * tf.math.erfc((self.location - y) / (math.sqrt(2) * self.scale))

    def mean(self):
        return self.location

    def standard_deviation(self) -> tf.Tensor:
        """The standard deviation of each label coordinate, [..., dim]."""
        return self.scale * tf.ones_like(self.location)

    def sample(self, seed):
        noise = tf.random.stateless_normal(tf.shape(self.location), seed, dtype=self.location.dtype)
        return tf.stop_gradient(self.location + self.scale * noise)

    def critic_features(self):
        return self.location

    @property
    def critic_noise(self):
        return self.scale


@HEADS.register("normal")
class NormalHead(Head):
    """Regression with squared error: the outputs are the mean of a normal of fixed scale.

    Args:
        dim: number of label coordinates.
        scale: standard deviation in the label's unit; 1/sqrt(2) makes -log q the squared error, as
            in the papers, up to a constant.
        bounds: (low, high) that the mean stays between, by a scaled tanh. Without it a critic that
            reads the prediction can be exploited by ever larger outputs.

    Raises:
        ValueError: ``dim`` or ``scale`` is not positive, or ``bounds`` are no pair low < high.
    """

    given_by_problem = ("dim",)
    label_remedy = "Use NormalHead(dim=...) for labels of this shape."

    def __init__(
        self, dim: int = 1, scale: float = math.sqrt(0.5), bounds: Sequence[float] | None = None
    ):
        self.units = self.dim = self.label_dim = dim
        self.scale, self.bounds = scale, bounds
        check_counts(dim=dim)
        check_finite(above=0, scale=scale)
        if bounds is not None:
            if not _is_interval(bounds):
                raise ValueError(
                    "Invalid value for `bounds`: expected (low, high), finite numbers with low < "
                    f"high; received {bounds!r}. Use None for means without bounds."
                )
            check_sizes("bounds", *bounds)
            check_sizes("bounds", bounds[1] - bounds[0])

    def __call__(self, outputs):
        if self.bounds is not None:
            low, high = self.bounds
            half = (high - low) / 2
            outputs = low + half + half * tf.tanh(outputs / half)
        return Normal(outputs, self.scale)

    @property
    def bounded(self):
        return self.bounds is not None

    @property
    def relative_units(self):
        return self.units

    def relative(self, outputs, y):
        centre = 0.0 if self.bounds is None else sum(self.bounds) / 2
        return outputs + y - centre

    def loss(self, distribution, y):
        """-log q(y) less the constant of the likelihood: of a normal, its squared error."""
        if not isinstance(distribution, Normal):
            constant = math.log(self.scale) + 0.5 * math.log(2 * math.pi)
            return super().loss(distribution, y) - self.dim * constant
        return tf.reduce_sum((y - distribution.location) ** 2, -1) / (2 * self.scale**2)


def _is_interval(bounds) -> bool:
    try:
        low, high = bounds
        return bool(-math.inf < low < high < math.inf)
    except (TypeError, ValueError):
        return False

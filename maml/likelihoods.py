"""What a network's outputs mean: heads turn them into predictive distributions q(y* | x*, d).

A head says how many outputs it needs (``units``), how labels enter a network
(:meth:`Head.features`) and what the task loss is (:meth:`Head.loss`). A distribution has
``log_prob``, ``sample``, ``mean`` (the best point under squared error) and ``code`` (a
differentiable, noisy, bounded-power version of the prediction for critics that need one).
"""

import abc
import math

import tensorflow as tf

from maml.configured import Configured


class Distribution(abc.ABC):
    """A predictive distribution over labels [..., dim]; ``[...]`` are its batch axes."""

    @abc.abstractmethod
    def log_prob(self, y) -> tf.Tensor:
        """log q(y) in nats, [...], for labels [..., dim]."""

    @abc.abstractmethod
    def mean(self) -> tf.Tensor:
        """The expected label, [..., dim]."""

    def point(self) -> tf.Tensor:
        """The single best answer, [..., dim]: the mean, unless labels wrap."""
        return self.mean()

    @abc.abstractmethod
    def sample(self, seed) -> tf.Tensor:
        """One draw, [..., dim], not differentiable; ``seed`` is a stateless seed [2]."""

    @abc.abstractmethod
    def code(self) -> tf.Tensor:
        """The noiseless prediction as critics see it, differentiable, [..., code_dim]."""

    @property
    @abc.abstractmethod
    def code_noise(self) -> float:
        """Standard deviation of the noise that makes information about the code finite."""


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

    def mean(self):
        return self.location

    def sample(self, seed):
        noise = tf.random.stateless_normal(tf.shape(self.location), seed, dtype=self.location.dtype)
        return tf.stop_gradient(self.location + self.scale * noise)

    def code(self):
        return self.location

    @property
    def code_noise(self):
        return self.scale


class Circular(Distribution):
    """A density on a circle, piecewise linear between equally spaced knots.

    The knots carry softmax probabilities p_i; the density at a label is the linear interpolation of
    the two neighbouring p_i, divided by the spacing. It wraps, integrates to one, and, unlike a
    histogram, has a gradient in y.

    Args:
        logits: [..., knots].
        period: length of the circle, in the label's unit.
    """

    def __init__(self, logits, period: float):
        self.log_knots, self.period = tf.nn.log_softmax(logits, axis=-1), period
        self.knots = logits.shape[-1]
        angle = 2 * math.pi * tf.range(self.knots, dtype=logits.dtype) / self.knots
        self._circle = tf.stack([tf.cos(angle), tf.sin(angle)], axis=-1)

    def log_prob(self, y):
        width = self.period / self.knots
        position = tf.squeeze(tf.math.floormod(y, self.period), -1) / width
        left = tf.math.floormod(tf.cast(tf.floor(position), tf.int32), self.knots)
        right = tf.math.floormod(left + 1, self.knots)
        # Clipped away from 0 and 1, where log(weight) has no finite gradient.
        weight = tf.clip_by_value(position - tf.floor(position), 1e-6, 1 - 1e-6)

        def at(index):
            hot = tf.one_hot(index, self.knots, dtype=self.log_knots.dtype)
            return tf.reduce_sum(hot * self.log_knots, axis=-1)

        pair = tf.stack([at(left) + tf.math.log1p(-weight), at(right) + tf.math.log(weight)])
        return tf.reduce_logsumexp(pair, axis=0) - math.log(width)

    def code(self):
        return tf.matmul(tf.exp(self.log_knots), self._circle)

    @property
    def code_noise(self):
        # One knot's spacing, as an arc of the unit circle.
        return 2 * math.pi / self.knots

    def mean(self):
        labels = self.period * tf.range(self.knots, dtype=self.log_knots.dtype) / self.knots
        return tf.reduce_sum(tf.exp(self.log_knots) * labels, axis=-1, keepdims=True)

    def point(self):
        """The circular mean, [..., 1], in [0, period)."""
        code = self.code()
        turn = tf.atan2(code[..., 1:], code[..., :1]) / (2 * math.pi)
        return tf.math.floormod(turn, 1.0) * self.period

    def sample(self, seed):
        uniform = tf.random.stateless_uniform(
            tf.concat([tf.shape(self.log_knots), [2]], 0), seed, 1e-7, 1, self.log_knots.dtype
        )
        gumbel = -tf.math.log(-tf.math.log(uniform[..., 0]))
        knot = tf.cast(tf.argmax(self.log_knots + gumbel, -1), uniform.dtype)
        # Linear interpolation is a mixture of triangles of half-width one: a sum of two uniforms.
        offset = uniform[..., 0, 1] + uniform[..., 1, 1] - 1
        label = (knot + offset) * self.period / self.knots
        return tf.math.floormod(label, self.period)[..., tf.newaxis]


class Categorical(Distribution):
    """A distribution over classes; labels are one-hot.

    Args:
        logits: [..., classes].
    """

    def __init__(self, logits):
        self.log_probabilities = tf.nn.log_softmax(logits, axis=-1)

    def log_prob(self, y):
        return tf.reduce_sum(y * self.log_probabilities, axis=-1)

    def mean(self):
        """The probabilities of the classes, [..., classes]."""
        return tf.exp(self.log_probabilities)

    def point(self):
        """The likeliest class, one-hot [..., classes]."""
        return self._one_hot(self.log_probabilities)

    def sample(self, seed):
        uniform = tf.random.stateless_uniform(
            tf.shape(self.log_probabilities), seed, 1e-7, 1, self.log_probabilities.dtype
        )
        return self._one_hot(self.log_probabilities - tf.math.log(-tf.math.log(uniform)))

    def code(self):
        return self.mean()

    @property
    def code_noise(self):
        # Sure answers, sqrt(2) apart, stay distinguishable; a few percent of probability do not.
        return 0.25

    def _one_hot(self, scores):
        return tf.one_hot(tf.argmax(scores, -1), scores.shape[-1], dtype=scores.dtype)


class Head(Configured, abc.ABC):
    """From network outputs [..., units] to a distribution over labels."""

    units: int

    @abc.abstractmethod
    def __call__(self, outputs) -> Distribution:
        """The distribution that ``outputs`` [..., units] stand for."""

    def features(self, y) -> tf.Tensor:
        """Labels [..., dim] as a network sees them, [..., features]; a sure prediction's code."""
        return y

    def loss(self, distribution: Distribution, y) -> tf.Tensor:
        """The task loss at each label, [...]: -log q(y), in nats, unless a head says otherwise."""
        return -distribution.log_prob(y)

    @property
    def relative_units(self) -> int:
        """Number of outputs that say where a label is *from another label*.

        Raises:
            ValueError: this head cannot say that.
        """
        raise ValueError(
            f"{type(self).__name__} says no label relative to another, as the learner 'relative' "
            "would: give it relative_units and relative, or take another learner."
        )

    def relative(self, outputs, y) -> tf.Tensor:
        """Outputs for a label that lies ``outputs`` [..., relative_units] from ``y`` [..., dim].

        Where labels move, they move along: by shifts of a number, turns of a circle, permutations
        of classes.

        Returns:
            [..., units], as ``__call__`` takes them; means of several are an answer too.
        """
        raise NotImplementedError


class NormalHead(Head):
    """Regression with squared error: the outputs are the mean of a normal of fixed scale.

    Args:
        dim: number of label coordinates.
        scale: standard deviation in the label's unit; 1/sqrt(2) makes -log q the squared error, as
            in the papers, up to a constant.
        bounds: (low, high) that the mean stays between, by a scaled tanh. Without it a critic that
            reads the prediction can be paid by ever larger outputs.
    """

    def __init__(self, dim: int = 1, scale: float = math.sqrt(0.5), bounds=None):
        self.units = self.dim = dim
        self.scale, self.bounds = scale, bounds

    def __call__(self, outputs):
        if self.bounds is not None:
            low, high = self.bounds
            half = (high - low) / 2
            outputs = low + half + half * tf.tanh(outputs / half)
        return Normal(outputs, self.scale)

    @property
    def relative_units(self):
        return self.units

    def relative(self, outputs, y):
        centre = 0.0 if self.bounds is None else sum(self.bounds) / 2
        return outputs + y - centre

    def loss(self, distribution, y):
        """Squared error summed over coordinates, the constant of the likelihood left out."""
        return tf.reduce_sum((y - distribution.location) ** 2, -1) / (2 * self.scale**2)


class CircularHead(Head):
    """Regression of a label that wraps: softmax knots on a circle, see :class:`Circular`.

    Args:
        period: length of the circle, in the label's unit.
        knots: number of outputs.
    """

    HARMONICS = 12
    """Of the log-density in answers relative to a label; 12 resolve some 10 degrees."""

    def __init__(self, period: float, knots: int = 100):
        self.period, self.units = period, knots
        self.knots = knots

    def __call__(self, outputs):
        return Circular(outputs, self.period)

    def features(self, y):
        """The point on the unit circle, [..., 2], so that the ends of the range are one place."""
        angle = 2 * math.pi * y / self.period
        return tf.concat([tf.cos(angle), tf.sin(angle)], axis=-1)

    @property
    def relative_units(self):
        return 2 * min(self.HARMONICS, self.knots // 2)

    def relative(self, outputs, y):
        """A log-density turned by ``y``: the values of a trigonometric polynomial."""
        cosines, sines = tf.split(outputs, 2, axis=-1)
        order = tf.range(1, cosines.shape[-1] + 1, dtype=outputs.dtype)
        turn = 2 * math.pi * order * y / self.period
        cos, sin = tf.cos(turn), tf.sin(turn)
        turned = [cosines * cos - sines * sin, cosines * sin + sines * cos]
        knots = 2 * math.pi * tf.range(self.knots, dtype=outputs.dtype) / self.knots
        waves = order[:, tf.newaxis] * knots
        return turned[0] @ tf.cos(waves) + turned[1] @ tf.sin(waves)


class CategoricalHead(Head):
    """Classification: softmax probabilities of classes, whose loss is the cross-entropy in nats.

    Args:
        classes: number of classes; labels are one-hot, [..., classes].
    """

    def __init__(self, classes: int):
        self.units = self.classes = classes

    def __call__(self, outputs):
        return Categorical(outputs)

    @property
    def relative_units(self):
        return 1

    def relative(self, outputs, y):
        """The logit of the label's own class; of the others it is 0."""
        return outputs * y


def accuracy(distribution: Distribution, y) -> tf.Tensor:
    """Whether the likeliest class is the right one, 1 or 0, [...], for one-hot labels."""
    probabilities = distribution.mean()
    hit = tf.argmax(probabilities, axis=-1) == tf.argmax(y, axis=-1)
    return tf.cast(hit, probabilities.dtype)

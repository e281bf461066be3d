"""Labels on a circle: a density there, and the heads that give one."""

import math

import tensorflow as tf

from maml.core.checks import check_counts, check_finite
from maml.core.registry import HEADS
from maml.distributions.base import Distribution, Head


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
        angle = _angles(self.knots, logits.dtype)
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

    def critic_features(self):
        return tf.matmul(tf.exp(self.log_knots), self._circle)

    @property
    def critic_noise(self):
        # One knot's spacing, as an arc of the unit circle.
        return 2 * math.pi / self.knots

    def mean(self):
        """The mean over the knots, [..., 1]; that at the seam counts as 0, not as the period."""
        labels = self.period * tf.range(self.knots, dtype=self.log_knots.dtype) / self.knots
        return tf.reduce_sum(tf.exp(self.log_knots) * labels, axis=-1, keepdims=True)

    def mode(self):
        """The circular mean, [..., 1], in [0, period)."""
        point = self.critic_features()
        turn = tf.atan2(point[..., 1:], point[..., :1]) / (2 * math.pi)
        return tf.math.floormod(turn, 1.0) * self.period

    def interval_level(self, y):
        """The probability of the arc around the circular mean whose end is y, [..., 1]."""
        middle, half = self.mode(), self.period / 2
        reach = tf.abs(tf.math.floormod(y - middle + half, self.period) - half)
        return self._mass(middle + reach) - self._mass(middle - reach)

    def _mass(self, y) -> tf.Tensor:
        """The probability from 0 to ``y`` [..., 1]; whole turns count as one each."""
        position = y * self.knots / self.period
        cell = tf.floor(position)
        part, turns = position - cell, tf.floor(cell / self.knots)
        hot = tf.one_hot(tf.cast(cell - turns * self.knots, tf.int32)[..., 0], self.knots)
        hot = tf.cast(hot, self.log_knots.dtype)
        density, after = tf.exp(self.log_knots), tf.roll(tf.exp(self.log_knots), -1, axis=-1)
        before = tf.cumsum((density + after) / 2, axis=-1, exclusive=True)

        def at(values):
            return tf.reduce_sum(hot * values, axis=-1, keepdims=True)

        within = at(density) * part + (at(after) - at(density)) * part**2 / 2
        return turns + at(before) + within

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


@HEADS.register("circular")
class CircularHead(Head):
    """Regression of a label that wraps: softmax knots on a circle, see :class:`Circular`.

    Args:
        period: length of the circle, in the label's unit.
        knots: number of outputs.

    Raises:
        ValueError: ``period`` or ``knots`` is not positive.
    """

    given_by_problem = ("period",)
    label_dim = 1

    HARMONICS = 12
    """Of the log-density relative to a label; 12 resolve some 10 degrees."""

    def __init__(self, period: float, knots: int = 100):
        check_finite(above=0, period=period)
        check_counts(knots=knots)
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
        return _at_knots(_turned(outputs, y, self.period), self.knots)


@HEADS.register("von_mises")
class VonMisesHead(CircularHead):
    r"""Regression of a label that wraps: a generalised von Mises density, read at knots.

    Gatto and Jammalamadaka 2007 (doi:10.1016/j.stamet.2006.11.003): the log-density is the
    trigonometric polynomial :math:`\sum_j a_j \cos j\theta + b_j \sin j\theta` up to a constant,
    and the outputs are a, then b. One harmonic is the von Mises density, that behind a regression
    of (cos, sin); the second can say "this way, or the other way round" of an object that looks the
    same from behind. An exponential family, so that its likelihood is concave in the outputs and
    no component of a mixture can die.

    Args:
        period: length of the circle, in the label's unit.
        harmonics: order of the polynomial.
        knots: at which the density is read, see :class:`Circular`.

    Raises:
        ValueError: ``period``, ``harmonics`` or ``knots`` is not positive.
    """

    def __init__(self, period: float, harmonics: int = 1, knots: int = 100):
        super().__init__(period, knots)
        check_counts(harmonics=harmonics)
        self.harmonics, self.units = harmonics, 2 * harmonics

    def __call__(self, outputs):
        return Circular(_at_knots(outputs, self.knots), self.period)

    @property
    def relative_units(self):
        return self.units

    def relative(self, outputs, y):
        """The coefficients of the density turned by ``y``."""
        return _turned(outputs, y, self.period)


def _angles(knots: int, dtype) -> tf.Tensor:
    """Where the knots are, in radians, [knots]."""
    return 2 * math.pi * tf.range(knots, dtype=dtype) / knots


def _orders(coefficients) -> tf.Tensor:
    """1, ..., n of coefficients [..., 2 n]: of n cosines, then of n sines."""
    return tf.range(1, coefficients.shape[-1] // 2 + 1, dtype=coefficients.dtype)


def _at_knots(coefficients, knots: int) -> tf.Tensor:
    """Values of trigonometric polynomials, [..., knots]."""
    waves = _orders(coefficients)[:, tf.newaxis] * _angles(knots, coefficients.dtype)
    return tf.tensordot(coefficients, tf.concat([tf.cos(waves), tf.sin(waves)], axis=0), 1)


def _turned(coefficients, y, period: float) -> tf.Tensor:
    """Coefficients of the polynomials moved by ``y`` [..., 1]."""
    cosines, sines = tf.split(coefficients, 2, axis=-1)
    angle = 2 * math.pi / period * _orders(coefficients) * y
    cos, sin = tf.cos(angle), tf.sin(angle)
    return tf.concat([cosines * cos - sines * sin, cosines * sin + sines * cos], axis=-1)

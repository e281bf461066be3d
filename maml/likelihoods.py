"""What a network's outputs mean: heads turn them into predictive distributions q(y* | x*, d).

A head says how many outputs it needs (``units``), how labels enter a network
(:meth:`Head.features`) and what the task loss is (:meth:`Head.loss`). A distribution has
``log_prob``, ``sample``, ``mean`` (the best point under squared error) and ``code`` (a
differentiable, noisy, bounded-power version of the prediction for critics that need one).
"""

import abc
import math
from collections.abc import Sequence

import tensorflow as tf

from maml.configured import Configured
from mine import log_mean_exp


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

    @classmethod
    def mixture(cls, parts: Sequence["Distribution"]) -> "Distribution":
        """The mean of some distributions of this kind, which is of this kind too.

        Raises:
            ValueError: it is not, of this kind.
        """
        raise ValueError(f"A mixture of {cls.__name__} is of another kind: it cannot be averaged.")


def apart(values, conditions: int) -> tf.Tensor:
    """[conditions * tasks, ...] -> [conditions, tasks, ...]."""
    return tf.reshape(values, tf.concat([[conditions, -1], tf.shape(values)[1:]], 0))


def log_prob_under_each(prediction: Distribution, y, conditions: int) -> tf.Tensor:
    """How likely the labels of every condition are under every condition.

    Args:
        prediction: with batch axes [conditions * tasks, queries], those of one condition in a row.
        y: labels [conditions * tasks, queries, dim].
        conditions: their number.

    Returns:
        As :func:`mine.plug_in` takes it: log q, in nats, [conditions of labels, conditions of
        predictions, tasks, queries].
    """
    asked = tf.tile(apart(y, conditions), [1, conditions, 1, 1])
    log_prob = prediction.log_prob(asked)
    return tf.reshape(log_prob, [conditions, conditions, -1, tf.shape(log_prob)[-1]])


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

    @classmethod
    def mixture(cls, parts):
        return cls(log_mean_exp(tf.stack([part.log_probabilities for part in parts]), axis=0))

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

"""Mixtures over samples of a task's parameters, with their exact density."""

from collections.abc import Sequence

import tensorflow as tf

from maml.distributions.base import Distribution
from maml.distributions.categorical import Categorical
from maml.distributions.circular import Circular
from maml.distributions.gaussian import Gaussian
from maml.distributions.normal import Normal


def mix(parts: Distribution | Sequence[Distribution], log_weights=None) -> Distribution:
    """The mixture of a distribution's leading axis: what learners that draw samples predict.

    Args:
        parts: with batch axes [samples, ...]; or a list of distributions [...] of one kind, which
            stand for the samples.
        log_weights: as of :class:`Mixture`.

    Returns:
        With batch axes [...]: a :class:`Categorical` of the mean probabilities, a
        :class:`Circular` of the mean density, which are their own mixtures, or a :class:`Mixture`.

    Raises:
        ValueError: distributions of this kind have no mixture.
    """
    if isinstance(parts, Sequence):
        parts = _stacked(parts)
    if isinstance(parts, Categorical | Circular):
        logits = parts.log_probabilities if isinstance(parts, Categorical) else parts.log_knots
        weights = _normalized(log_weights, logits)[..., tf.newaxis]
        logits = tf.reduce_logsumexp(logits + weights, axis=0)
        if isinstance(parts, Circular):
            return Circular(logits, parts.period)
        return Categorical(logits)
    if isinstance(parts, Normal | Gaussian):
        return Mixture(parts, log_weights)
    raise ValueError(
        "Invalid value for `parts`: expected Categorical, Circular, Normal or Gaussian "
        f"distributions; received {type(parts).__name__}. Use a head that predicts one of these."
    )


class Mixture(Distribution):
    r"""A mixture of normal distributions over samples s of a task's parameters.

    :math:`q(y) = \sum_s w_s\, q_s(y)`, as in a Bayesian model average. Its density is exact, and
    differentiable in all parts. Use :func:`mix` where parts may be of any kind.

    Args:
        parts: :class:`Normal` or :class:`Gaussian`, with batch axes [samples, ...].
        log_weights: :math:`\log w_s` up to a constant, such as log-likelihoods of a support set; it
            broadcasts with [samples, ...]. None for equal weights.
    """

    def __init__(self, parts: Normal | Gaussian, log_weights=None):
        self.parts, means = parts, parts.mean()
        self.log_weights = _normalized(log_weights, means)
        self._samples_axis = 1 - means.shape.rank  # Counted from behind: y may have more axes.

    def log_prob(self, y):
        terms = self.parts.log_prob(self._for_each(y)) + self.log_weights
        return tf.reduce_logsumexp(terms, axis=self._samples_axis)

    def cdf(self, y):
        weighted = self._weights * self.parts.cdf(self._for_each(y))
        return tf.reduce_sum(weighted, axis=self._samples_axis - 1)

    def mean(self):
        return tf.reduce_sum(self._weights * self.parts.mean(), axis=0)

    def standard_deviation(self) -> tf.Tensor:
        """Of each label coordinate, [..., dim], by the law of total variance."""
        within = self.parts.standard_deviation() ** 2
        between = (self.parts.mean() - self.mean()) ** 2
        return tf.sqrt(tf.reduce_sum(self._weights * (within + between), axis=0))

    def mode(self):
        """The densest of the parts' modes, [..., dim]."""
        candidates = self.parts.mode()
        return self._part(candidates, tf.map_fn(self.log_prob, candidates))

    def sample(self, seed):
        which, how = tf.unstack(tf.random.split(seed, 2))
        drawn = self.parts.sample(how)
        uniform = tf.random.stateless_uniform(
            tf.shape(drawn)[:-1], which, 1e-7, 1, self.log_weights.dtype
        )
        return self._part(drawn, self.log_weights - tf.math.log(-tf.math.log(uniform)))

    def critic_features(self):
        """Means and standard deviations, [..., 2 dim]: the support set may change either."""
        return tf.concat([self.mean(), self.standard_deviation()], axis=-1)

    @property
    def critic_noise(self):
        return self.parts.critic_noise

    @property
    def _weights(self) -> tf.Tensor:
        """Of each part, [samples, ..., 1]."""
        return tf.exp(self.log_weights)[..., tf.newaxis]

    def _for_each(self, y) -> tf.Tensor:
        """Labels that broadcast over samples."""
        return tf.expand_dims(y, self._samples_axis - 1)

    def _part(self, values, scores) -> tf.Tensor:
        """The values [samples, ..., dim] of the samples whose scores [samples, ...] are largest."""
        hot = tf.one_hot(tf.argmax(scores), tf.shape(values)[0], axis=0, dtype=values.dtype)
        return tf.reduce_sum(hot[..., tf.newaxis] * values, axis=0)


def _stacked(parts: Sequence[Distribution]) -> Distribution:
    """Distributions of one kind as one, along a new leading axis; of another kind the first."""
    first = parts[0]

    def stack(read):
        return tf.stack([read(part) for part in parts])

    if isinstance(first, Categorical):
        return Categorical(stack(lambda part: part.log_probabilities))
    if isinstance(first, Circular):
        return Circular(stack(lambda part: part.log_knots), first.period)
    if isinstance(first, Normal | Gaussian):
        scales = stack(lambda part: part.standard_deviation())  # Those of normal heads may differ.
        return Gaussian(stack(lambda part: part.mean()), scales)
    return first


def _normalized(log_weights, values) -> tf.Tensor:
    """Log-weights that sum to one over the samples of values [samples, ..., n]."""
    if log_weights is None:
        log_weights = tf.zeros(tf.shape(values)[:-1], values.dtype)
    return tf.nn.log_softmax(log_weights, axis=0)

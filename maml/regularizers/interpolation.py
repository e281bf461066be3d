"""What augmentations share that interpolate examples: weights from a beta distribution."""

import numpy as np
import tensorflow as tf
from scipy import special

from maml.core.checks import check_at_least, check_finite
from maml.core.episodes import Episode, fold_in
from maml.distributions.categorical import CategoricalHead
from maml.distributions.gaussian import GaussianHead
from maml.distributions.normal import NormalHead
from maml.regularizers.base import Regularizer
from maml.regularizers.label_augmentation import some_of

QUANTILES = 4096
"""Equally likely values that stand for a beta distribution: XLA draws no gamma variates."""


class Interpolation(Regularizer):
    r"""The base of augmentations that interpolate examples, inputs and labels alike.

    In a training step each task is, with ``probability``, replaced by its interpolation, with a
    weight :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)` of its own; with :math:`\lambda = 1`
    it stays as it is. One-hot labels become probabilities of classes, whose loss is the
    cross-entropy.

    Args:
        alpha: of the beta distribution; below 1 weights near 0 and 1 are the likeliest.
        probability: of each task to be replaced.

    Raises:
        ValueError: ``alpha`` is not positive, or ``probability`` is none.
    """

    symbol, strength = "α", "alpha"

    def __init__(self, alpha: float = 0.5, probability: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        check_finite(above=0, alpha=alpha)
        check_at_least(0, probability=probability)
        if probability > 1:
            raise ValueError(
                f"Invalid value for `probability`: expected at most 1, received {probability}."
            )
        self.alpha, self.probability = alpha, probability
        middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
        self._quantiles = special.betaincinv(alpha, alpha, middles)

    def check_head(self, head):
        if not isinstance(head, NormalHead | GaussianHead | CategoricalHead):
            raise ValueError(
                f"Invalid regularizer {type(self).__name__}: expected labels between which there "
                f"is a mean, numbers or classes; received those of {type(head).__name__}. Use "
                "label_augmentation."
            )

    def perturb(self, learner, seed):
        """No weights; here a training step shows the learner, whose head may be refused."""
        self.check_head(learner.head)
        return super().perturb(learner, seed)

    def augment(self, episode, seed):
        index = tf.random.stateless_uniform(
            tf.shape(episode.support_y)[:1], fold_in(seed, 0), 0, QUANTILES, tf.int32
        )
        weight = tf.gather(tf.constant(self._quantiles, episode.support_y.dtype), index)
        changed = self.interpolated(episode, weight, fold_in(seed, 1))
        return some_of(changed, episode, self.probability, fold_in(seed, 2))

    def interpolated(self, episode: Episode, weight, seed) -> Episode:
        """The interpolated tasks.

        Args:
            episode: a batch of tasks.
            weight: lambda of each task, [tasks].
            seed: stateless seed [2] of what else is drawn.
        """
        raise NotImplementedError


def between(one, other, weight) -> tf.Tensor:
    """``weight * one + (1 - weight) * other`` of parts [tasks, n, ...], ``weight`` [tasks]."""
    weight = tf.cast(tf.reshape(weight, [-1] + [1] * (one.shape.rank - 1)), one.dtype)
    return weight * one + (1 - weight) * other

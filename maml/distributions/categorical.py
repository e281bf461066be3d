"""Distributions over classes: classification."""

import numpy as np
import tensorflow as tf

from maml.core.checks import check_counts
from maml.core.registry import HEADS
from maml.distributions.base import Distribution, Head


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

    def mode(self):
        """The likeliest class, one-hot [..., classes]."""
        return self._one_hot(self.log_probabilities)

    def sample(self, seed):
        uniform = tf.random.stateless_uniform(
            tf.shape(self.log_probabilities), seed, 1e-7, 1, self.log_probabilities.dtype
        )
        return self._one_hot(self.log_probabilities - tf.math.log(-tf.math.log(uniform)))

    def critic_features(self):
        return self.mean()

    @property
    def critic_noise(self):
        # Certain predictions, sqrt(2) apart, stay distinguishable; a few percent do not.
        return 0.25

    def _one_hot(self, scores):
        return tf.one_hot(tf.argmax(scores, -1), scores.shape[-1], dtype=scores.dtype)


@HEADS.register("categorical")
class CategoricalHead(Head):
    """Classification: softmax probabilities of classes, whose loss is the cross-entropy in nats.

    Args:
        classes: number of classes; labels are one-hot, [..., classes].

    Raises:
        ValueError: ``classes`` is less than 1.
    """

    given_by_problem = ("classes",)
    label_form = "one-hot labels"
    label_remedy = "Use tf.one_hot(numbers, classes), and a head of as many classes."

    def __init__(self, classes: int):
        check_counts(classes=classes)
        self.units = self.classes = self.label_dim = classes

    def __call__(self, outputs):
        return Categorical(outputs)

    def check_label_values(self, y, name):
        y = np.asarray(y)
        right = ((y == 0) | (y == 1)).all(axis=-1) & (y.sum(axis=-1) == 1)
        if not right.all():
            raise ValueError(
                f"Invalid value of `{name}`: CategoricalHead expects {self.label_form}, one 1 "
                f"among zeros; received {np.round(y[~right][0], 4).tolist()}. {self.label_remedy}"
            )

    @property
    def relative_units(self):
        return 1

    def relative(self, outputs, y):
        """The logit of the label's own class; of the others it is 0."""
        return outputs * y

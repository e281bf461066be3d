"""Weight decay: the plainest regularizer of weights."""

import tensorflow as tf

from maml.core.checks import check_finite
from maml.core.registry import REGULARIZERS
from maml.regularizers.base import Regularizer
from maml.regularizers.mr_w import _means, kernels


@REGULARIZERS.register("weight_decay")
class WeightDecay(Regularizer):
    """Weight decay: half the sum of squared kernels: of all the learner's, not of critics.

    Args:
        weight: factor of the term.
    """

    title = "weight decay"

    reads_prediction = False

    def __init__(self, weight: float = 1e-4, **kwargs):
        super().__init__(**kwargs)
        check_finite(weight=weight)
        self.weight = weight

    def term(self, learner, episode, features, prediction, seed, training):
        squares = [tf.reduce_sum(w**2) for w in _means(kernels(learner.learner_variables))]
        return self.weight / 2 * tf.add_n(squares), {}

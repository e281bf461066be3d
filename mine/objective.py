"""A bound as a layer: the objective of a critic, and the estimate from its scores."""

import math

import keras
import tensorflow as tf

from mine import bounds
from mine.bound_names import check_bound


def read(bound: str, joint, marginal) -> tf.Tensor:
    """The information that a bound reads from a trained critic's scores, in nats, [].

    Args:
        bound: one of ``mine.bound_names.PAIRED_BOUNDS``.
        joint: scores of pairs drawn together, any shape.
        marginal: scores of negatives, any shape.
    """
    if bound == "nwj":
        return bounds.nwj(joint, marginal).nats
    if bound == "smile":
        return bounds.smile(joint, marginal)
    return bounds.donsker_varadhan(joint, marginal).nats


class Objective(keras.layers.Layer):
    """One of the bounds by name, with the running mean that "mine" needs between batches.

    Args:
        bound: one of ``mine.bound_names.BOUNDS``. "smile" ascends Jensen-Shannon and reads SMILE.
        momentum: weight of the past batches in MINE's running normalizer, in [0, 1), as Keras
            counts it: the newest batch has the weight ``1 - momentum``.

    Raises:
        ValueError: no bound has this name, or ``momentum`` is out of range.
    """

    def __init__(self, bound: str = "mine", momentum: float = 0.99, **kwargs):
        super().__init__(trainable=False, **kwargs)
        check_bound(bound)
        bounds.check_momentum(momentum)
        self.bound, self.momentum = bound, momentum
        if bound == "mine":
            self.log_sum = self._state("log_sum")
            self.log_weight = self._state("log_weight")
        self.built = True

    def _state(self, name):
        initializer = keras.initializers.Constant(-math.inf)
        return self.add_weight(name=name, shape=(), initializer=initializer, trainable=False)

    def call(self, joint, marginal, training=False) -> bounds.Bound:
        """The bound of one batch; in training, MINE's running mean takes the batch in.

        Args:
            joint: scores of pairs drawn together, any shape.
            marginal: scores of negatives, any shape.
            training: whether this is a training batch.

        Raises:
            ValueError: the bound is "infonce", which needs the scores of all pairs.
        """
        if self.bound == "infonce":
            raise ValueError(
                "Invalid call with `bound`='infonce': expected the scores of all pairs [B, B]; "
                "received joint and marginal scores; call `all_pairs` instead."
            )
        if self.bound == "dv":
            return bounds.donsker_varadhan(joint, marginal)
        if self.bound == "nwj":
            return bounds.nwj(joint, marginal)
        if self.bound == "js":
            return bounds.jensen_shannon(joint, marginal)
        if self.bound == "smile":
            surrogate = bounds.jensen_shannon(joint, marginal).surrogate
            return bounds.Bound(surrogate, read("smile", joint, marginal))
        seen = bounds.Normalizer(
            tf.convert_to_tensor(self.log_sum), tf.convert_to_tensor(self.log_weight)
        )
        bound, state = bounds.mine(joint, marginal, seen, self.momentum)
        if training:
            finite = tf.math.is_finite(state.log_sum)
            self.log_sum.assign(tf.where(finite, state.log_sum, self.log_sum))
            self.log_weight.assign(tf.where(finite, state.log_weight, self.log_weight))
        return bound

    def all_pairs(self, scores, training=False) -> bounds.Bound:
        """The bound of the scores of all pairs [B, B], those drawn together on the diagonal."""
        if self.bound == "infonce":
            return bounds.info_nce(scores)
        return self(*bounds.split_pairs(scores), training=training)

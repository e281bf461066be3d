"""A Keras network as a function of its weights, and the inner loop over them."""

from collections.abc import Callable

import keras
import tensorflow as tf


def weights_of(network: keras.Model) -> list[tf.Tensor]:
    """The network's trainable weights as tensors, in Keras' order."""
    return [tf.convert_to_tensor(v) for v in network.trainable_variables]


def call(network: keras.Model, weights: list[tf.Tensor], x) -> tf.Tensor:
    """The network's outputs at ``x`` with ``weights`` in place of its own.

    Batch normalisation uses the statistics of the batch at hand (transductive) and keeps no
    running ones, as MAML and MWM do.
    """
    state = [tf.convert_to_tensor(v) for v in network.non_trainable_variables]
    outputs, _ = network.stateless_call(weights, state, x, training=True)
    return outputs


def sgd(
    loss: Callable[[list[tf.Tensor]], tf.Tensor],
    weights: list[tf.Tensor],
    learning_rate: float,
    steps: int,
    first_order: bool = False,
) -> list[tf.Tensor]:
    """Gradient descent as a differentiable function of where it starts (MAML, eq. 1).

    Args:
        loss: from weights to a scalar.
        weights: where to start.
        learning_rate: of each step.
        steps: number of steps.
        first_order: treat the gradient of *every* step as a constant (first-order MAML), so that
            the result depends on the start only through the identity.

    Returns:
        The weights after the last step.
    """
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = loss(weights)
        gradients = tape.gradient(value, weights)
        if first_order:
            gradients = [tf.stop_gradient(g) for g in gradients]
        weights = [w - learning_rate * g for w, g in zip(weights, gradients, strict=True)]
    return weights

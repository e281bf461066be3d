"""Gradient descent on a task's support set, as a differentiable function of where it starts."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

OPTIMIZERS = ("sgd", "adam")

BETA_1, BETA_2 = 0.9, 0.999
"""Adam's decay rates of the first and second moment (Kingma & Ba 2015)."""

EPSILON = 1e-8


class Path(NamedTuple):
    """The weights and losses of an inner loop.

    Attributes:
        weights: after each step, a list of lists of tensors.
        losses: before each step, [steps].
    """

    weights: list[list[tf.Tensor]]
    losses: tf.Tensor


def descend(
    loss: Callable,
    weights: list[tf.Tensor],
    arguments: list[tf.Tensor],
    rates: list[list[tf.Tensor]],
    optimizer: str = "sgd",
    clip: float | None = None,
    first_order: bool = False,
    recompute: bool = False,
) -> Path:
    """Minimises a loss by gradient steps (MAML, Finn et al. 2017, eq. 1).

    Args:
        loss: ``loss(weights, arguments, step)`` gives a scalar.
        weights: where to start.
        arguments: the other tensors that the loss depends on; given to it unchanged.
        rates: for each step and each of ``weights`` its learning rate, which broadcasts.
        optimizer: "sgd", or "adam" (Kingma & Ba 2015), whose moments start at zero.
        clip: largest global norm of a step's gradient; None for any.
        first_order: treat the gradient of *every* step as a constant (first-order MAML), so that
            the result depends on the start only through the identity.
        recompute: keep only the weights between steps for the meta-gradient and compute the rest
            again when it is needed: less memory, more time.

    Returns:
        The path, with an entry for each of ``rates``.
    """
    count = len(weights)
    slots = [tf.zeros_like(w) for w in weights * 2] if optimizer == "adam" else []
    num_slots, visited, losses = len(slots), [], []
    for number, own_rates in enumerate(rates):

        def step(*flat, number=number):  # Flat and complete, as custom gradients want arguments.
            here, slots, rates, arguments = _split(flat, count, num_slots, count)
            value, directions = slope(loss, here, arguments, number, clip, first_order)
            if optimizer == "adam":
                directions, slots = _adam(directions, slots, number)
            moved = [w - r * g for w, r, g in zip(here, rates, directions, strict=True)]
            return [*moved, *slots, value]

        run = recomputed(step) if recompute else step
        *state, value = run(*weights, *slots, *own_rates, *arguments)
        weights, slots = state[:count], state[count:]
        visited.append(weights)
        losses.append(value)
    return Path(visited, tf.stack(losses) if losses else tf.zeros([0], weights[0].dtype))


def slope(
    loss: Callable,
    weights: list[tf.Tensor],
    arguments: list[tf.Tensor],
    step: int,
    clip: float | None = None,
    first_order: bool = False,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """A loss and its gradient by the weights; arguments as of :func:`descend`.

    Args:
        loss: as of :func:`descend`.
        weights: where the gradient is taken.
        arguments: the other tensors that the loss depends on.
        step: number of the inner step.
        clip: largest global norm of the gradient; None for any.
        first_order: treat the gradient as a constant.

    Returns:
        ``(loss, gradient)``: a scalar, and tensors like ``weights``.
    """
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = loss(weights, arguments, step)
    gradients = tape.gradient(value, weights, unconnected_gradients="zero")
    if first_order:
        gradients = [tf.stop_gradient(g) for g in gradients]
    return value, gradients if clip is None else clip_by_global_norm(gradients, clip)


def recomputed(function: Callable) -> Callable:
    """The same function, whose gradient runs it again rather than keep intermediate values.

    Not ``tf.recompute_grad``, which stops all tapes while it runs the function: one that takes a
    gradient itself, as an inner step does, would silently get zeros.

    Args:
        function: from all tensors it depends on to a list of tensors.
    """

    @tf.custom_gradient
    def run(*inputs):
        def gradient(*upstream):
            # Without the dependency the graph optimizer would merge both runs.
            with tf.control_dependencies(upstream), tf.GradientTape() as tape:
                again = [tf.identity(value) for value in inputs]
                tape.watch(again)
                outputs = function(*again)
            return tape.gradient(outputs, again, upstream, unconnected_gradients="zero")

        return function(*inputs), gradient

    return run


def clip_by_global_norm(gradients, clip: float) -> list[tf.Tensor]:
    """Shortens gradients to a global norm of at most ``clip``; has derivatives at zero too."""
    square = tf.add_n([tf.reduce_sum(tf.square(g)) for g in gradients])
    factor = clip * tf.math.rsqrt(tf.maximum(square, tf.cast(clip**2, square.dtype)))
    return [factor * g for g in gradients]


def _adam(gradients, slots, number):
    """Adam's directions and new moments.

    Epsilon stands inside the root, whose slope at zero is infinite: a weight that has no gradient
    must not make the meta-gradient NaN.
    """
    count = len(gradients)
    first = [BETA_1 * m + (1 - BETA_1) * g for m, g in zip(slots[:count], gradients, strict=True)]
    second = [
        BETA_2 * v + (1 - BETA_2) * tf.square(g)
        for v, g in zip(slots[count:], gradients, strict=True)
    ]
    fast, slow = 1 - BETA_1 ** (number + 1), 1 - BETA_2 ** (number + 1)
    directions = [
        m / fast * tf.math.rsqrt(v / slow + EPSILON) for m, v in zip(first, second, strict=True)
    ]
    return directions, first + second


def _split(flat, *sizes):
    """Lists of these sizes from one flat sequence, and a list of what is left."""
    parts, start = [], 0
    for size in (*sizes, len(flat) - sum(sizes)):
        parts.append(list(flat[start : start + size]))
        start += size
    return parts

"""A gradient against a finite difference, along random directions."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

ATTEMPTS = 3
"""Directions that may be tried: a kink of a rectifier on the way spoils one of them."""

STEP = {"float64": 1e-5, "float32": 1e-2}
"""Length of a step along a direction of length one."""

TOLERANCE = {"float64": (1e-4, 1e-9), "float32": (0.1, 1e-3)}
"""Relative difference of the two derivatives, and the absolute one for values of size one."""


def wrong_gradients(function: Callable, variables, keep=()) -> list[int]:
    r"""Finds the variables whose gradient is not the derivative of a function.

    Along a direction v, :math:`\nabla f \cdot v = (f(w + h v) - f(w - h v)) / 2h` up to terms in
    :math:`h^2`. All variables move together; only if that fails, each alone.

    Args:
        function: of no argument, a scalar; the same at the same values of the variables.
        variables: those to differentiate by, Keras' or TensorFlow's, in float64 if possible.
        keep: variables that the function may assign; they are put back after each call.

    Returns:
        Indices of the variables whose gradient is wrong; an empty list if all are right.
    """
    variables = _tensorflow(variables)
    values, kept = _values(variables), _values(keep)
    dtype = min((part.dtype.name for part in values), default="float64")

    def evaluate(moved):
        _assign(keep, kept)
        _assign(variables, moved)
        return float(function())

    with tf.GradientTape() as tape:
        value = function()
    gradients = tape.gradient(value, variables, unconnected_gradients="zero")
    gradients = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]
    rng = np.random.default_rng(0)

    def is_wrong(indices):
        directions = [np.zeros_like(part) for part in values]
        for index in indices:
            directions[index] = rng.normal(size=values[index].shape).astype(values[index].dtype)
        length = np.sqrt(sum(np.sum(part**2) for part in directions))
        directions = [part / length for part in directions]
        step = STEP[dtype]
        up, down = (
            evaluate([v + sign * step * d for v, d in zip(values, directions, strict=True)])
            for sign in (1, -1)
        )
        difference = (up - down) / (2 * step)
        product = sum(float(np.sum(g * d)) for g, d in zip(gradients, directions, strict=True))
        relative, absolute = TOLERANCE[dtype]
        allowed = relative * (abs(product) + abs(difference)) + absolute * max(1, abs(up))
        return not abs(product - difference) <= allowed

    def always_wrong(indices):
        return all(is_wrong(indices) for _ in range(ATTEMPTS))

    try:
        if not values or not always_wrong(range(len(values))):
            return []
        found = [index for index in range(len(values)) if always_wrong([index])]
        return found or list(range(len(values)))
    finally:
        _assign(variables, values)
        _assign(keep, kept)


def ignores(function: Callable, variables, keep=()) -> bool:
    """Whether a function changes with variables of which its gradient is zero.

    For gradients that are scaled or estimated on purpose: those need not be the derivative.
    Arguments as of :func:`wrong_gradients`.
    """
    variables, kept = _tensorflow(variables), _values(keep)
    with tf.GradientTape() as tape:
        value = function()
    gradients = tape.gradient(value, variables, unconnected_gradients="zero")
    _assign(keep, kept)
    zero = not any(np.any(tf.convert_to_tensor(gradient)) for gradient in gradients)
    return zero and bool(wrong_gradients(function, variables, keep))


def _tensorflow(variables) -> list[tf.Variable]:
    return [of.value if isinstance(of, keras.Variable) else of for of in variables]


def _values(variables) -> list[np.ndarray]:
    return [tf.convert_to_tensor(variable).numpy() for variable in variables]


def _assign(variables, values) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)

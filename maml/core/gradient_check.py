"""A gradient against a finite difference, along random directions."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

STEPS = {"float64": (1e-5, 1e-6, 1e-7), "float32": (1e-2, 1e-2, 3e-3)}
"""Lengths of steps, each along a direction of its own. One that agrees is enough: kinks of
rectifiers on the way, of which a shorter step meets fewer, spoil the others."""

RELATIVE, ROUNDING = {"float64": 1e-4, "float32": 0.1}, {"float64": 1e-14, "float32": 1e-5}
"""Allowed difference of the two derivatives, and error of a value of size one."""


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

    def is_wrong(indices, step):
        directions = [np.zeros_like(part) for part in values]
        for index in indices:
            directions[index] = rng.normal(size=values[index].shape).astype(values[index].dtype)
        length = np.sqrt(sum(np.sum(part**2) for part in directions))
        directions = [part / length for part in directions]
        up, down = (
            evaluate([v + sign * step * d for v, d in zip(values, directions, strict=True)])
            for sign in (1, -1)
        )
        difference = (up - down) / (2 * step)
        product = sum(float(np.sum(g * d)) for g, d in zip(gradients, directions, strict=True))
        allowed = RELATIVE[dtype] * (abs(product) + abs(difference))
        allowed += ROUNDING[dtype] * max(1, abs(up)) / step
        return not abs(product - difference) <= allowed

    try:
        every, steps = range(len(values)), STEPS[dtype]
        if not values or not all(is_wrong(every, step) for step in steps):
            return []
        return [index for index in every if is_wrong([index], steps[1])] or list(every)
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

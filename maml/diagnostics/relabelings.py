"""Relabelings of one task in NumPy: support and query labels change alike.

A relabeling is a function ``(support_y, query_y, rng) -> (support_y, query_y)``. It should keep the
tasks of their kind: a sinusoid of another amplitude is a sinusoid, one with an offset is not.
"""

from collections.abc import Callable

import numpy as np

Relabeling = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def offset(spread: float | np.ndarray = 1.0, period: float | None = None) -> Relabeling:
    """Adds one random number to all labels of a task.

    Args:
        spread: standard deviation of the number, in the unit of the labels, or one for each
            coordinate.
        period: length of the circle for angles, on which the number is uniform; None: no circle.
    """

    def relabel(support_y, query_y, rng):
        if period is None:
            shift = spread * rng.standard_normal(np.shape(query_y)[1:])
            return support_y + shift, query_y + shift
        shift = rng.uniform(0, period, np.shape(query_y)[1:])
        return (support_y + shift) % period, (query_y + shift) % period

    return relabel


def scale(low: float = 0.5, high: float = 2.0, signed: bool = True) -> Relabeling:
    """Multiplies all labels of a task by one random number, log-uniform, of random sign.

    Args:
        low: smallest size of the number.
        high: largest size of the number.
        signed: whether it is negative half of the time.

    Raises:
        ValueError: not 0 < low <= high.
    """
    if not 0 < low <= high:
        raise ValueError(
            f"Invalid values for `low` and `high`: expected 0 < low <= high; received {low} and "
            f"{high}."
        )

    def relabel(support_y, query_y, rng):
        factor = np.exp(rng.uniform(np.log(low), np.log(high)))
        if signed and rng.random() < 0.5:
            factor = -factor
        return factor * support_y, factor * query_y

    return relabel


def permute(classes: int) -> Relabeling:
    """Permutes the classes of a task, so that not all keep their number.

    Args:
        classes: number of classes. Labels are class numbers [n], or one-hot [n, classes].

    Raises:
        ValueError: there are fewer than two classes.
    """
    if classes < 2:
        raise ValueError(f"Invalid value for `classes`: expected at least 2; received {classes}.")

    def relabel(support_y, query_y, rng):
        order = np.arange(classes)
        while np.array_equal(order, np.arange(classes)):
            order = rng.permutation(classes)
        if np.ndim(query_y) == 1:  # Numbers may come as floats or booleans.
            return order[np.asarray(support_y, int)], order[np.asarray(query_y, int)]
        return support_y[:, np.argsort(order)], query_y[:, np.argsort(order)]

    return relabel

"""Relabelings of one task in NumPy: support and query labels change alike.

A relabeling is a function ``(support_y, query_y, rng) -> (support_y, query_y)``. It should keep the
tasks of their kind: a sinusoid of another amplitude is a sinusoid, one with an offset is not.
"""

from collections.abc import Callable

import numpy as np

from maml.diagnostics import class_labels

Relabeling = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def checked(relabel: Callable, classes: int | None) -> Relabeling:
    """A function of the user's own, whose results are refused where they are no labels.

    Args:
        relabel: a relabeling.
        classes: number of classes, whose labels are their numbers or one-hot; None: labels are
            numbers of any kind.

    Returns:
        The relabeling. It raises ValueError unless it gives a pair of as many finite labels as it
        was given, of classes if labels are classes.
    """

    def run(support_y, query_y, rng):
        changed = relabel(support_y, query_y, rng)
        if not (isinstance(changed, tuple | list) and len(changed) == 2):
            fault = f"a {type(changed).__name__}"
        else:
            pairs = zip(("support", "query"), changed, (support_y, query_y), strict=True)
            faults = [_fault(name, np.asarray(new), own, classes) for name, new, own in pairs]
            fault = next(filter(None, faults), "")
        if fault:
            raise ValueError(
                "Invalid value returned by `relabel`: expected (support_y, query_y), with a label "
                f"for each that was given{'' if classes is None else ', of the same classes'}; "
                f"received {fault}."
            )
        return tuple(map(np.asarray, changed))

    return run


def _fault(name: str, labels: np.ndarray, given: np.ndarray, classes: int | None) -> str:
    """What is wrong with labels that a relabeling gave in place of others; "" if nothing is."""
    if labels.shape != np.shape(given):
        return f"{name} labels of the shape {list(labels.shape)} for {list(np.shape(given))}"
    if labels.dtype.kind not in "biuf":
        return f"{name} labels that are no numbers"
    if not np.isfinite(labels).all() and np.isfinite(given).all():
        return f"{name} labels that are NaN or infinite"
    if classes is None:
        return ""
    numbers = labels.ndim == 1
    kept = (
        class_labels.are_numbers(labels, classes) if numbers else class_labels.are_one_hot(labels)
    )
    return "" if kept else f"{name} labels {labels.min():g} to {labels.max():g}"


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

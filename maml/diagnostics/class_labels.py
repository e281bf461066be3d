"""Labels that are classes, as numbers or one-hot: checked, and recognized."""

from collections.abc import Iterator, Sequence

import numpy as np

from maml.diagnostics.sampling import Task

MOST_CLASSES = 20
"""Whole numbers from 0 up to fewer than this may be classes; more are taken for counts."""


def _labels(splits) -> Iterator[tuple[str, np.ndarray]]:
    """What to call a task, and its labels, of support set and queries in turn."""
    for split, tasks in splits.items():
        for number, task in enumerate(tasks):
            yield f"{split} task {number}", task.support_y
            yield f"{split} task {number}", task.query_y


def are_numbers(y: np.ndarray, classes: int) -> bool:
    """Whether all labels are numbers of ``classes`` classes, from 0."""
    whole = y.dtype.kind in "iub" or np.all(y == np.round(y))
    return bool(whole and np.min(y) >= 0 and np.max(y) < classes)


def are_one_hot(y: np.ndarray) -> bool:
    """Whether all labels [..., classes] are one-hot."""
    return bool(np.all((y == 0) | (y == 1)) and np.all(y.sum(-1) == 1))


def check_numbers(splits: dict[str, list[Task]], classes: int) -> None:
    """Refuses labels that are not the numbers of ``classes`` classes.

    Args:
        splits: name of a split -> its tasks.
        classes: how many there are; 0: it is not known.

    Raises:
        ValueError: they are not, or the number of classes is not known.
    """
    if not classes:
        raise ValueError(
            "Missing value for `classes`: expected their number, since labels are the numbers of "
            "classes; received none. Give one-hot labels where it is not known."
        )
    for name, y in _labels(splits):
        if not are_numbers(y, classes):
            raise ValueError(
                f"Invalid labels of {name}: expected class numbers from 0 to {classes - 1}, as "
                f"`predict` returns {classes} probabilities; received {np.min(y):g} to "
                f"{np.max(y):g}."
            )


def check_one_hot(splits: dict[str, list[Task]]) -> None:
    """Refuses labels that are not one-hot.

    Args:
        splits: name of a split -> its tasks.

    Raises:
        ValueError: they are not.
    """
    for name, y in _labels(splits):
        if not are_one_hot(y):
            raise ValueError(
                f"Invalid labels of {name}: expected one-hot rows [n, classes], or class numbers "
                f"[n] without a further axis, as output='probs'; received {list(y.shape)} with "
                f"values from {np.min(y):g} to {np.max(y):g}."
            )


def resembling(tasks: Sequence[Task]) -> str | None:
    """What labels given as numbers are, if they may be classes; otherwise None.

    Every number from 0 or 1 to the largest occurs in class numbers, and few numbers do.

    Args:
        tasks: of a split.
    """
    y = np.concatenate([labels for _, labels in _labels({"": tasks})])
    if y.ndim == 2 and y.shape[1] > 1:
        return "one-hot" if are_one_hot(y) else None
    values = np.unique(y).astype(float)
    if not 2 <= len(values) <= MOST_CLASSES or values[0] not in (0, 1):
        return None
    if np.any(np.diff(values) != 1):
        return None
    return f"the whole numbers {values[0]:g} to {values[-1]:g}"

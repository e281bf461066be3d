"""Scores of predictions."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Metric:
    """A score of answers, and which of its values are good.

    Attributes:
        name: such as "mse".
        fn: ``fn(prediction, y)`` -> one value for each query. Of learners ``prediction`` is a
            distribution and the values are [tasks, queries]; of other models it is what they
            answered for one task, see :func:`maml.diagnostics.memorization_report`.
        greater_is_better: whether it is a gain, such as an accuracy, and not a loss.
        best: value of a perfect answer.
    """

    name: str
    fn: Callable
    greater_is_better: bool = False
    best: float = 0.0

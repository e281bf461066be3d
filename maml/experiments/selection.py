"""Strengths of measures, chosen by errors on validation tasks; what studies of measures share."""

from collections.abc import Callable, Iterable

from maml.experiments import sweep
from mine.reporting.statistics import rank

SYMBOLS = {
    "kl_weight": "β",
    "bottleneck_weight": "β",
    "l2_weight": "λ",
    "mi_weight": "λ",
    "augment_probability": "p",
    "mi_draws": "draws",
}
"""Options that are strengths -> what tables call them."""


def each(name: str, values: Iterable, **fixed) -> list[dict]:
    """Options that differ in one: what a measure may choose from."""
    return [fixed | {name: value} for value in values]


def strength(options: dict) -> str:
    """The strengths among a measure's options, in words."""
    named = [name for name in options if name in SYMBOLS]
    return ", ".join(f"{SYMBOLS[name]} = {options[name]:.2g}" for name in named)


def best(records: Iterable[dict], error: Callable[[dict], float]) -> dict:
    """The ``options`` of the run with the least error; one that diverged has an infinite one.

    So has one whose error is no finite number.

    Args:
        records: of :func:`maml.experiments.sweep.run`, each with its ``options``.
        error: of a run that ended, on validation tasks.
    """

    def loss(record):
        return rank(None if sweep.DIVERGED in record else error(record))

    return min(records, key=loss)["options"]


def combined(first: dict, second: dict) -> list[dict]:
    """What two measures, each as it was chosen, may choose from together.

    Both as they are, and the first at a third of its strength.
    """
    both = first | second | {"regularizer": f"{first['regularizer']},{second['regularizer']}"}
    (strength,) = (name for name in first if name.endswith("weight"))
    return [both, both | {strength: first[strength] / 3}]

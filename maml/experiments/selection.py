"""Strengths of regularizers: what a row of a table may choose from, and how it chooses."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from maml.core.registry import REGULARIZERS
from mine.reporting import rank
from mine.reporting.tables import counted


def each(name: str, values: Iterable, **fixed) -> list[dict]:
    """Options that differ in one: what a row may choose from.

    Args:
        name: of an option of the regularizer, such as ``weight``.
        values: that it may have.
        **fixed: ``regularizer``, and further options of it.
    """
    regularizer = fixed.pop("regularizer")
    own = {f"{regularizer}.{key}": value for key, value in fixed.items()}
    return [{"regularizer": regularizer, **own, f"{regularizer}.{name}": value} for value in values]


def strength(options: dict) -> str:
    """The strengths of the regularizers among some options, such as ``β = 0.001, λ = 1``."""
    words = []
    for key, value in options.items():
        name, _, option = key.rpartition(".")
        if name not in REGULARIZERS:
            continue
        if option == REGULARIZERS[name].strength:
            words.append(f"{REGULARIZERS[name].symbol} = {value:.2g}")
        elif option == "num_relabelings":
            words.append(counted(value, "relabeling"))
    return ", ".join(words)


def varied(rows: Sequence[Mapping]) -> list[str]:
    """What each of the rows of one name tried: strengths, and other options that differ.

    Args:
        rows: each with its ``options``.
    """
    names = dict.fromkeys(name for row in rows for name in row["options"])
    differ = [
        name
        for name in names
        if len({repr(row["options"].get(name)) for row in rows}) > 1
        and name.rpartition(".")[0] not in REGULARIZERS
    ]
    told = []
    for options in (row["options"] for row in rows):
        others = [_option(name, options[name]) for name in differ if name in options]
        told.append(", ".join(filter(None, [strength(options), *others])))
    return told


def _option(name: str, value) -> str:
    shown = str(value).lower() if isinstance(value, bool) else value
    return f"{name.rpartition('.')[2].replace('_', ' ')} = {shown}"


def best(records: Iterable[dict], error: Callable[[dict], float | None]) -> dict:
    """The ``options`` of the run with the least error.

    Args:
        records: of runs, each with its ``options``.
        error: of a run on validation tasks; None or not finite counts as infinite.
    """
    return min(records, key=lambda record: rank(error(record)))["options"]


def combined(first: dict, second: dict) -> list[dict]:
    """What two rows, each as it was chosen, may choose from together.

    Both as they are, and the first at a third of its strength.
    """
    both = first | second | {"regularizer": f"{first['regularizer']},{second['regularizer']}"}
    name = first["regularizer"]
    strength = f"{name}.{REGULARIZERS[name].strength}"
    return [both, both | {strength: first[strength] / 3}]

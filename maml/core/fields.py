"""Fields of a dataclass that are flags: their defaults, helps and limits, and the check of all."""

import dataclasses
import math
from typing import Any

from maml.core.checks import check_sizes


def option(default, text: str, choices=None, at_least: float = 0, at_most: float | None = None):
    """A field that is a flag.

    Args:
        default: its value, unless given.
        text: its help, which says its unit.
        choices: the values it may have; None for any.
        at_least: numbers below are refused.
        at_most: numbers above are refused; None for no limit.
    """
    limits: dict = {} if isinstance(default, (bool, str)) else {"lower_bound": at_least}
    limits |= {} if at_most is None else {"upper_bound": at_most}
    metadata = {"help": text, "choices": choices, "limits": limits}
    return dataclasses.field(default=default, metadata=metadata)


def component_options(role: str, title: str = ""):
    """A field that holds the options of a role, name -> value.

    Args:
        role: such as "learner".
        title: what its help calls the role, if not by its name.
    """
    metadata: dict = {
        "help": f"Options of the {title or role}: name=value, with semicolons between them.",
        "choices": None,
        "limits": {},
    }
    return dataclasses.field(default_factory=dict, metadata=metadata)


def check_fields(record) -> None:
    """Refuses values of another kind, and numbers beyond the limits that a flag has.

    Args:
        record: of a dataclass whose fields are those of :func:`option`.

    Raises:
        ValueError: a field has such a value.
    """
    kinds: dict = {bool: bool, int: int, float: (int, float), str: str}
    for field in dataclasses.fields(record):
        kind: Any = field.type
        value, limits = getattr(record, field.name), field.metadata["limits"]
        if kind not in kinds:
            continue
        least, most = limits.get("lower_bound"), limits.get("upper_bound", math.inf)
        fits = isinstance(value, kinds[kind]) and isinstance(value, bool) == (kind is bool)
        if fits and (least is None or least <= value <= most and value < math.inf):
            if kind is float:
                check_sizes(field.name, value)
            continue
        bound = "" if least is None else f" of at least {least}"
        bound += "" if most == math.inf else f" and at most {most}"
        raise ValueError(
            f"Invalid value for `{field.name}`: expected {kind.__name__}{bound}, received "
            f"{value!r}."
        )

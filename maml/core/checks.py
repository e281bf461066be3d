"""Checks of numbers that are arguments; each refusal is a sentence that names the argument."""

import math
import numbers
from collections.abc import Iterable
from typing import Any

SIZES = 1e-18, 1e18
"""Least and largest size of a number other than 0: numbers of 32 bits hold their squares."""

MOST = 2**31 - 1
"""Largest number of things: tensors count in 32 bits."""


def check_counts(**values) -> None:
    """Raises ValueError unless each of some values, given by name, is a whole number from 1 on.

    None is no value.
    """
    check_whole(1, **{name: value for name, value in values.items() if value is not None})


def check_whole(least: int, /, **values) -> None:
    """Raises ValueError unless each of some values, given by name, is a whole number from ``least``
    on; None is refused too."""
    for name, value in values.items():
        if not (isinstance(value, numbers.Integral) and int(value) >= least):
            raise ValueError(
                f"Invalid value for `{name}`: expected a whole number, {least} or more; received "
                f"{value!r:.40}."
            )
        if int(value) > MOST:
            raise ValueError(
                f"Invalid value for `{name}`: expected a whole number, {MOST:,} at most; received "
                f"{value!r:.40}."
            )


def check_flags(**values) -> None:
    """Raises ValueError unless each of some values, given by name, is true or false.

    A word such as ``"no"`` would count as true.
    """
    for name, value in values.items():
        if isinstance(value, str) or value not in (True, False):
            raise ValueError(
                f"Invalid value for `{name}`: expected True or False; received {value!r:.40}."
            )


def check_at_least(least: float, **values) -> None:
    """Raises ValueError unless each of some values, given by name, is finite, ``least`` or more."""
    for name, value in values.items():
        if not least <= _real(value) < math.inf:
            what = "at least" if isinstance(value, numbers.Real) else "a number, at least"
            raise ValueError(
                f"Invalid value for `{name}`: expected {what} {least}, received {value!r}."
            )
        check_sizes(name, value)


def check_finite(
    above: float = -math.inf, least: float = -math.inf, most: float = math.inf, **values
) -> None:
    """Raises ValueError unless each of some values, given by name, is a finite number.

    Args:
        above: what each value must exceed.
        least: the least of what is accepted.
        most: the most of what is accepted.
        **values: by name.
    """
    limit = "" if above == -math.inf else f" above {above:g}"
    limit = limit if least == -math.inf else f", {least:g} or more"
    limit += "" if most == math.inf else f", {most:g} at most"
    for name, value in values.items():
        number = _real(value)
        if not (above < number < math.inf and least <= number <= most):
            raise ValueError(
                f"Invalid value for `{name}`: expected a finite number{limit}; received {value!r}."
            )
        check_sizes(name, value)


def _real(value) -> Any:
    """The number, of which nothing is lost, or NaN for what is none."""
    return value if isinstance(value, numbers.Real) else math.nan


def check_sizes(name: str, *values) -> None:
    """Raises ValueError for numbers of which computations make zeros or infinities.

    Args:
        name: of their argument.
        *values: finite numbers.
    """
    for value in values:
        if value != 0 and not SIZES[0] <= abs(value) <= SIZES[1]:
            raise ValueError(
                f"Invalid value for `{name}`: expected a size from {SIZES[0]:g} to {SIZES[1]:g}, "
                f"whose square numbers of 32 bits hold; received {value!r:.40}."
            )


def check_regularizers(value) -> list:
    """The regularizers that a learner is given, as a list.

    Raises:
        ValueError: it is something else, such as one regularizer, a class or a name.
    """

    def wrong(one):
        return isinstance(one, type) or not hasattr(one, "metric_names")

    several = not isinstance(value, str) and isinstance(value, Iterable)
    given = list(value) if several else [value]
    bad = [one for one in given if wrong(one)] if several else given
    if bad:
        kind = "the class " + bad[0].__name__ if isinstance(bad[0], type) else type(bad[0]).__name__
        raise ValueError(
            "Invalid value for `regularizers`: expected a list of regularizers, such as "
            f"[maml.MRA()]; received {repr(bad[0]) if isinstance(bad[0], str) else kind}"
            f"{' in it' if several else ''}. maml.make_regularizers makes them from their names."
        )
    return given

"""The names of the bounds, for commands and checks that need no TensorFlow."""

from collections.abc import Iterable

PAIRED_BOUNDS = ("mine", "dv", "nwj", "js", "smile")
"""Bounds of joint and marginal scores; "infonce" needs the scores of all pairs instead."""

BOUNDS = (*PAIRED_BOUNDS, "infonce")
"""All bounds that a critic can be trained by."""


def check_bound(bound: str, others: Iterable[str] = ()) -> None:
    """Checks the name of a bound.

    Args:
        bound: the name.
        others: what may be named besides, such as estimators without a critic.

    Raises:
        ValueError: no bound has this name.
    """
    names = (*BOUNDS, *others)
    if bound not in names:
        raise ValueError(
            f"Invalid value for `bound`: expected one of {', '.join(names)}; received {bound!r}."
        )

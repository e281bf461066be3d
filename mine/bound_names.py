"""The names of the bounds, for commands and checks that need no TensorFlow."""

PAIRED_BOUNDS = ("mine", "dv", "nwj", "js", "smile")
"""Bounds of joint and marginal scores; "infonce" needs the scores of all pairs instead."""

BOUNDS = (*PAIRED_BOUNDS, "infonce")
"""All bounds that a critic can be trained by."""


def check_bound(bound: str) -> None:
    """Checks the name of a bound.

    Raises:
        ValueError: no bound has this name.
    """
    if bound not in BOUNDS:
        raise ValueError(
            f"Invalid value for `bound`: expected one of {', '.join(BOUNDS)}; received {bound!r}."
        )

"""Finds numbers in episodes that cannot be trained on: not finite, or too large."""

from collections.abc import Iterable

import numpy as np

LARGEST = 1e18
"""Of what is trained on: losses square it, and single precision ends at 3e38."""


def unfit(episode) -> str | None:
    """What is unfit in a batch of episodes, as a part of a sentence; None if nothing is.

    Args:
        episode: of :class:`maml.Episode` or its kin.
    """
    for name, part in zip(type(episode)._fields, episode, strict=True):
        values = np.asarray(part)
        if not np.issubdtype(values.dtype, np.floating):
            continue
        wrong = ~(np.abs(values) <= LARGEST)  # True of NaN.
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            task = f" of task {place[0]} of the batch" if place else ""
            return f"`{name}`{task} holds {values[place]:g}"
    return None


def first_unfit(batches: Iterable, start: int = 0) -> str | None:
    """The first batch in which something is unfit, and what; None if there is none.

    Args:
        batches: of training steps.
        start: number of steps before the first of them.
    """
    for step, episode in enumerate(batches, start + 1):
        found = unfit(episode)
        if found is not None:
            return f"in step {step} {found}"
    return None

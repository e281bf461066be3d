"""Episodes as NumPy arrays, one task at a time, from a family, from arrays, or from an iterable."""

import numbers
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from maml.diagnostics import answers

EXPECTED = (
    "expected a TaskFamily, a pair of arrays (x, y) [tasks, n, ...] with `shots`, or an iterable "
    "of (support_x, support_y, query_x, query_y)"
)


class Task(NamedTuple):
    """One episode: a support set [shots, ...] and queries [queries, ...] of one task."""

    support_x: np.ndarray
    support_y: np.ndarray
    query_x: np.ndarray
    query_y: np.ndarray


def read_tasks(
    episodes,
    name: str = "episodes",
    shots: int | tuple[int, int] | None = None,
    queries: int | None = None,
    max_tasks: int = 100,
    seed: int = 0,
) -> list[Task]:
    """Episodes of at most ``max_tasks`` tasks, evenly spaced where there are more.

    Args:
        episodes: a :class:`maml.TaskFamily`; a pair of arrays or nested lists (x, y), [tasks, n,
            ...] each; four arrays with a leading task axis, such as a :class:`maml.Episode`; or an
            iterable of (support_x, support_y, query_x, query_y), one task each, whose sizes may
            differ.
        name: of the argument, for messages.
        shots: of a pair of arrays, the size of support sets, or their least and largest size.
        queries: of a pair of arrays, the number of queries; None: all that remain.
        max_tasks: the most tasks.
        seed: of all draws.

    Raises:
        ValueError: what is given is none of these, sizes do not fit, a number is not finite, or
            there is one task only.
    """
    if _are_lists(episodes, shots):
        episodes = [_of_list(part, name) for part in episodes]
    if hasattr(episodes, "fixed") and hasattr(episodes, "num_tasks"):
        tasks = list(_of_family(episodes, max_tasks, seed, name))
    elif _are_arrays(episodes, 2):
        tasks = list(_of_arrays(*map(np.asarray, episodes), name, shots, queries, max_tasks, seed))
    elif _are_arrays(episodes, 4) or _are_arrays(episodes, 5):
        tasks = _spaced(list(_of_batch(episodes, name)), max_tasks)
    elif isinstance(episodes, Iterable) and not isinstance(episodes, str | bytes | dict):
        tasks = _spaced([_of_four(item, name) for item in episodes], max_tasks)
    else:
        raise ValueError(
            f"Invalid value for `{name}`: {EXPECTED}; received a {type(episodes).__name__}."
        )
    if len(tasks) < 2:
        raise ValueError(
            f"Invalid value for `{name}`: expected at least two tasks, since each is also answered "
            f"with the support set of another; received {len(tasks)}."
        )
    _check(tasks, name)
    return tasks


def check_sizes(given, shots, queries) -> None:
    """Refuses sizes of support sets and queries where no tasks are drawn.

    Args:
        given: ``episodes`` and ``held_out`` of a report.
        shots, queries: of :func:`read_tasks`.

    Raises:
        ValueError: none of them is a pair of arrays, and a size is given.
    """
    drawn = any(_are_arrays(of, 2) or _are_lists(of, shots) for of in given)
    for option, value in (("shots", shots), ("queries", queries)):
        if value is not None and not drawn:
            raise ValueError(
                f"Invalid value for `{option}`: expected None, since tasks that are drawn already "
                f"have the sizes that they have; received {value!r}. Leave it out, or give a pair "
                "of arrays (x, y) [tasks, n, ...]."
            )


def without_shared(tasks: list[Task], others: list[Task]) -> list[Task]:
    """The tasks of which not every point is in one of the others.

    A task of fewer than five different points stays: it can be equal to another by chance.
    """
    known = [_points(other) for other in others]

    def is_shared(points):
        return len(points) >= 5 and any(points <= other for other in known)

    return [task for task in tasks if not is_shared(_points(task))]


def _points(task: Task) -> set[int]:
    """Hashes of a task's points, each an input with its label, in single precision if numbers."""
    sets = (task.support_x, task.support_y), (task.query_x, task.query_y)
    return {
        hash((x.tobytes(), y.tobytes()))
        for parts in sets
        for x, y in zip(*map(_in_single_precision, parts), strict=True)
    }


def _in_single_precision(part) -> np.ndarray:
    part = np.asarray(part)
    return part.astype(np.float32) if part.dtype.kind == "f" else part


def _are_arrays(value, count: int) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == count
        and all(hasattr(part, "shape") for part in value)
    )


def _are_lists(value, shots) -> bool:
    """Whether a value is a pair (x, y) of which a part is a list, such as of ``x.tolist()``.

    Without ``shots`` two lists of four parts are two tasks.
    """
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(part, list) or hasattr(part, "shape") for part in value)
        and (shots is not None or any(len(part) != 4 for part in value))
    )


def _of_list(part: list, name: str) -> np.ndarray:
    try:
        return np.asarray(part)
    except ValueError:
        raise ValueError(
            f"Invalid value for `{name}`: expected x [tasks, n, ...] and y [tasks, n, ...], as "
            "many points in each task; received nested lists of several lengths. Give tasks of "
            "several sizes as an iterable of (support_x, support_y, query_x, query_y)."
        ) from None


def _spaced(tasks: list, count: int) -> list:
    count = min(count, len(tasks))
    return [tasks[index * len(tasks) // count] for index in range(count)]


def _of_family(family, max_tasks: int, seed: int, name: str) -> Iterator[Task]:
    count = min(max_tasks, family.num_tasks)
    for episode in family.fixed(1, min(16, max(count, 1)), seed, count):
        yield from _of_batch(episode, name)


def _of_batch(episode, name: str) -> Iterator[Task]:
    support_x, support_y, query_x, query_y, *mask = map(np.asarray, episode)
    counts = [len(part) for part in (support_x, support_y, query_x, query_y, *mask)]
    if len(set(counts)) > 1:
        raise ValueError(
            f"Invalid value for `{name}`: expected arrays of as many tasks each, (support_x, "
            f"support_y, query_x, query_y); received {counts} tasks."
        )
    for index in range(len(query_y)):
        real = mask[0][index] if mask else slice(None)
        yield Task(support_x[index][real], support_y[index][real], query_x[index], query_y[index])


def _of_four(item, name: str) -> Task:
    if not isinstance(item, tuple | list) or len(item) != 4:
        size = f" of {len(item)}" if isinstance(item, tuple | list) else ""
        raise ValueError(
            f"Invalid task in `{name}`: {EXPECTED}; received a {type(item).__name__}{size}."
        )
    return Task(*map(np.asarray, item))


def _of_arrays(x, y, name, shots, queries, max_tasks, seed) -> Iterator[Task]:
    if x.ndim < 2 or y.ndim < 2 or x.shape[:2] != y.shape[:2]:
        raise ValueError(
            f"Invalid shapes in `{name}`: expected x [tasks, n, ...] and y [tasks, n, ...]; "
            f"received {list(x.shape)} and {list(y.shape)}."
        )
    if shots is None:
        raise ValueError(
            f"Missing value for `shots`: `{name}` is a pair of arrays, so the size of its support "
            "sets must be given, such as shots=5."
        )
    sizes = (shots,) if np.ndim(shots) == 0 else tuple(shots)
    if len(sizes) not in (1, 2) or not all(isinstance(size, numbers.Integral) for size in sizes):
        raise ValueError(
            "Invalid value for `shots`: expected a whole number, or the least and the largest; "
            f"received {shots!r}."
        )
    least, most = sizes[0], sizes[-1]
    if not 1 <= least <= most < x.shape[1]:
        raise ValueError(
            f"Invalid value for `shots`: expected 1 <= shots < {x.shape[1]}, the points of a task, "
            f"since x in `{name}` is [tasks, points, ...] of {list(x.shape)}; received {shots}."
        )
    if queries is not None and not 1 <= queries <= x.shape[1] - most:
        raise ValueError(
            f"Invalid value for `queries`: expected 1 to {x.shape[1] - most}, the points of a task "
            f"in `{name}` that {most} shots leave; received {queries}."
        )
    rng = np.random.default_rng(seed)
    count = min(max_tasks, len(x))
    for number in range(count):
        index = number * len(x) // count
        order, size = rng.permutation(x.shape[1]), rng.integers(least, most + 1)
        last = None if queries is None else size + queries
        support, query = order[:size], order[size:last]
        yield Task(x[index][support], y[index][support], x[index][query], y[index][query])


def _check(tasks: list[Task], name: str) -> None:
    first = tasks[0]
    for number, task in enumerate(tasks):
        for part in ("support", "query"):
            x, y = getattr(task, f"{part}_x"), getattr(task, f"{part}_y")
            if x.ndim < 1 or y.ndim not in (1, 2) or len(x) != len(y) or not x.size * y.size:
                raise ValueError(
                    f"Invalid shapes in `{name}`, task {number}: expected {part}_x [n, ...] and "
                    f"{part}_y [n] or [n, dim], of which no size is 0; received {list(x.shape)} "
                    f"and {list(y.shape)}."
                )
            if y.shape[1:] != first.query_y.shape[1:] or x.shape[1:] != first.query_x.shape[1:]:
                raise ValueError(
                    f"Invalid shapes in `{name}`, task {number}: expected points like those of "
                    f"the first task, {list(first.query_x.shape[1:])} and "
                    f"{list(first.query_y.shape[1:])}; received {list(x.shape[1:])} and "
                    f"{list(y.shape[1:])}."
                )
            if y.dtype.kind not in "fiub":
                raise ValueError(
                    f"Invalid labels in `{name}`, task {number}: expected numbers, received "
                    f"{y.dtype}."
                )
            if not np.all(np.isfinite(y)):
                raise ValueError(
                    f"Invalid labels in `{name}`, task {number}: expected finite {part} labels, "
                    f"received {y[~np.isfinite(y)].ravel()[0]}."
                )
            answers.check_magnitude(f"labels in `{name}`, task {number}", y)

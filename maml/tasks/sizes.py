"""What a run needs at least, estimated from its options before anything is made."""

import contextlib
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping

import keras
import tensorflow as tf

from maml.tasks.problem import Problem
from mine.reporting.processes import resources

INNER_STEP = 500_000
"""Bytes of an inner step in the graph of a training step, in which each stands by itself."""

SCORES = 60
"""Bytes of the scores of one query, some fifteen numbers."""

WIDTHS = (
    *("hidden", "embedding", "filters", "dim_r", "dim_z", "dim_w", "interaction"),
    *("dim_latent", "dim_c", "width", "feedforward", "slots"),
)
"""Options that are widths of layers, of networks, learners and critics."""

STEPS = ("inner_steps", "test_inner_steps", "solver_steps", "leader_steps", "depth")
"""Options that say how often something stands in the graph of a training step."""

DRAWS = ("num_samples", "num_train_samples", "particles")
"""Options that say how many predictions a learner makes of each query, each in some numbers."""

EXAMPLES = ("shots", "queries", "ways", "trajectories", "horizon")
"""Options that say how many examples a task has."""

COPIES = 3
"""Of weights and their two moments in Adam; of a batch, its features and their gradients."""


def check_sizes(problem: Problem, numbers: Mapping[str, object]) -> None:
    """Refuses a run that needs far more memory than this machine has.

    Args:
        problem: of the run.
        numbers: options of the run, and of its components, by their names.

    Raises:
        ValueError: an option is too large.
    """

    def number(name: str) -> int:
        value = numbers.get(name)
        return value if isinstance(value, int) else 0

    spec = problem.train.dataset(2, seed=0).element_spec
    parts = [part for part in tf.nest.flatten(spec) if part.shape.rank]
    task = sum(_count(part.shape[1:]) * part.dtype.size for part in parts)
    queries = _count(spec.query_y.shape[1:2])
    size = number("eval_batch_size") or number("meta_batch_size")
    needs = {
        _largest("meta_batch_size", *EXAMPLES, of=number): (
            COPIES * number("meta_batch_size") * task
        ),
        "eval_batch_size": number("eval_batch_size") * task,
        "num_relabelings": number("num_relabelings") * size * queries * 4,
        "num_validation_batches": _scores(
            problem, "validation", number("num_validation_batches") * size, queries
        ),
    }
    for split in ("validation", "test"):
        name = f"num_{split}_tasks"
        tasks = _scores(problem, split, number(name), queries)
        needs[_largest(name, "episodes_per_task", of=number)] = tasks * number("episodes_per_task")
    needs |= {name: number(name) * INNER_STEP for name in STEPS}
    needs |= {name: number(name) * size * queries * SCORES for name in DRAWS}
    examples = sum(_count(part.shape[1:2]) for part in (spec.support_y, spec.query_y))
    for name, value in numbers.items():
        if name.rpartition(".")[2] in WIDTHS:
            needs[name] = _network(value, examples)
    for name, needed in needs.items():
        resources.require(name, numbers.get(name), needed)


def check_several(problem: Problem) -> None:
    """Refuses a split of one task: each task is scored with the support set of another, too.

    Raises:
        ValueError: a split has fewer than two tasks.
    """
    for split, family in problem.families.items():
        if family.num_tasks < 2:
            raise ValueError(
                f"Invalid number of {split} tasks: expected 2 or more, since a task is also scored "
                f"with the support set of another; received {family.num_tasks}. Use more, by the "
                "option train_tasks or by more data."
            )


def _network(value: object, examples: float) -> float:
    """Bytes of layers of some widths: features of a task's examples, and weights."""
    widths = [float(word) for word in re.findall(r"\d+", str(value))]  # A flag gives text.
    between = sum(one * two for one, two in itertools.pairwise(widths))
    return 4 * (max(widths, default=0) * (examples + 3 * COPIES) + COPIES * between)


def _largest(*names: str, of: Callable[[str], int]) -> str:
    """Of options that need something together, the one to blame."""
    return max(names, key=of)


def _count(shape) -> float:
    return math.prod(float(length or 1) for length in shape)


def _scores(problem: Problem, split: str, tasks: int, queries: float) -> float:
    family = problem.families.get(split, problem.test)
    return min(tasks, family.num_tasks) * queries * SCORES


@contextlib.contextmanager
def weights_that_fit() -> Iterator[None]:
    """Refuses networks whose weights this machine cannot hold, as they are made in the block.

    Raises:
        ValueError: they need too much.
    """
    make, needed = keras.layers.Layer.add_weight, 0.0

    def counted(layer, shape=None, *args, **options):
        nonlocal needed
        shape = () if shape is None else shape
        lengths = (shape,) if isinstance(shape, int) else tuple(shape)
        needed += COPIES * 4 * _count(lengths)
        resources.require("hidden or filters", f"a layer of {lengths} weights", needed)
        return make(layer, shape, *args, **options)

    keras.layers.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = make

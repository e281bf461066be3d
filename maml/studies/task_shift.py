"""Ways in which tasks may shift from the meta-training tasks, and what that does to a learner.

Shifts go along one axis at a time; everything else is drawn as in meta-training.
"""

import dataclasses
import math
from collections.abc import Mapping

from maml.experiments.aggregation import interval_of
from maml.studies.function_errors import Scorer
from maml.tasks.problem import TEST, split_seed
from maml.tasks.regression import SHAPES, FunctionRange

TRAINED = FunctionRange()
SHOTS, QUERIES, TASKS, SOLVED = 10, 50, 600, 0.1
SUPPORTS, STEPS = (2, 5, 10, 20, 40), (0, 1, 2, 5, 10, 20)
"""Numbers of support points and of inner steps whose effect is measured, without a shift."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """One way to shift.

    Attributes:
        unit: of the distance.
        values: of what shifts, for the table.
        ranges: the functions of each.
        distances: of each from the training distribution; 0 inside it.
    """

    unit: str
    values: list[float]
    ranges: list[FunctionRange]
    distances: list[float]


def _axis(unit, values, change, distance) -> Axis:
    ranges = [dataclasses.replace(TRAINED, **change(value)) for value in values]
    return Axis(unit, list(values), ranges, [distance(value) for value in values])


AXES = {
    "amplitude": _axis(
        "excess, as a share of the trained maximum",
        [1.0, 2.5, 5.0, 6.25, 7.5, 10.0, 15.0],
        lambda a: {"amplitude": (a, a)},
        lambda a: max(0.0, a / 5.0 - 1.0),
    ),
    "phase": _axis(
        "excess over the trained maximum, π radians",
        [k * math.pi / 8 for k in (0, 4, 8, 9, 10, 11, 12)],
        lambda p: {"phase": (p, p)},
        lambda p: max(0.0, p / math.pi - 1.0),
    ),
    "frequency": _axis(
        "octaves above the trained frequency",
        [2**octaves for octaves in (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5)],
        lambda w: {"frequency": (w, w)},
        lambda w: math.log2(w),
    ),
    "low frequency": _axis(
        "octaves below the trained frequency",
        [2**-octaves for octaves in (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5)],
        lambda w: {"frequency": (w, w)},
        lambda w: -math.log2(w),
    ),
    "noise": _axis(
        "standard deviation of the labels' noise",
        [0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0],
        lambda sigma: {"noise": sigma},
        lambda sigma: sigma,
    ),
    "range of x": _axis(
        "shift of the range, as a share of its length",
        [0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0],
        lambda shift: {"x_range": (-5.0 + shift, 5.0 + shift)},
        lambda shift: shift / 10.0,
    ),
}

SHAPED = {shape: dataclasses.replace(TRAINED, shape=shape) for shape in SHAPES}


def score_shifts(learner) -> dict[str, dict]:
    """Scores a learner under all shifts.

    Returns:
        ``shift`` (axis -> value -> score), ``shape`` (shape -> score), ``shots`` and
        ``inner_steps`` (number -> score). A score holds ``error`` (squared error to the truth over
        the mean square of the truth, with the support set), ``no_support`` (the same without it)
        and ``solved`` (share of tasks whose error is below a tenth), each a ``mean`` over tasks.
    """
    scorer = Scorer(learner)

    def score(ranges, shots=SHOTS, scorer=scorer):
        family = ranges.draw(2000, shots, QUERIES, split_seed(TEST))
        after, before, power = scorer(family, TASKS)
        scale = float(power.mean())
        values = {
            "error": float(after.mean()) / scale,
            "no_support": float(before.mean()) / scale,
            "solved": float((after < SOLVED * scale).mean()),
        }
        return {name: {"mean": value, "ci95": None} for name, value in values.items()}

    result = {
        "shift": {
            name: {
                key(value): score(of) for value, of in zip(axis.values, axis.ranges, strict=True)
            }
            for name, axis in AXES.items()
        },
        "shape": {name: score(ranges) for name, ranges in SHAPED.items()},
        "shots": {str(shots): score(TRAINED, shots) for shots in SUPPORTS},
        "inner_steps": {},
    }
    for count in STEPS if hasattr(learner, "test_inner_steps") else ():
        learner.test_inner_steps = count
        result["inner_steps"][str(count)] = score(TRAINED, scorer=Scorer(learner))
    return result


def key(value: float) -> str:
    """A value of an axis as part of a name."""
    return f"{value:.4g}"


def read_score(row: Mapping, kind: str, name: str, score: str) -> dict[str, float]:
    """``mean`` and ``ci95`` of a score of :func:`score_shifts` in an aggregated row.

    Args:
        row: of a study.
        kind: such as ``shift.amplitude`` or ``shape``.
        name: a value, shape or number.
        score: "error", "no_support" or "solved".
    """
    return interval_of(row, f"further.{kind}.{name}.{score}")


def limit(distances: list[float], solved: list[float], half: float = 0.5) -> float:
    """How far along an axis half of the tasks are solved, interpolated.

    Args:
        distances: from the training distribution, ascending; some may be 0.
        solved: share of the tasks solved at each.
        half: the share that counts.

    Returns:
        The distance; 0 if the last value at distance 0 is below ``half`` already, and the largest
        distance if all are above it.
    """
    outside = [i for i, distance in enumerate(distances) if distance > 0]
    previous = (0.0, solved[outside[0] - 1])
    if previous[1] < half:
        return 0.0
    for i in outside:
        if solved[i] < half:
            share = (previous[1] - half) / (previous[1] - solved[i])
            return previous[0] + share * (distances[i] - previous[0])
        previous = (distances[i], solved[i])
    return distances[-1]


def limit_of(row: Mapping, axis: str) -> float:
    """:func:`limit` of an aggregated row along an axis."""
    of = AXES[axis]
    solved = [read_score(row, f"shift.{axis}", key(v), "solved")["mean"] for v in of.values]
    return limit(of.distances, solved)

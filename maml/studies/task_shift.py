"""Ways in which tasks may drift from those of training, and what that does to a learner.

Drifts go along one axis at a time; everything else is drawn as in training.
"""

import dataclasses
import math
import pathlib

import maml
from maml.studies.function_errors import Scorer
from maml.tasks.problem import TEST, split_seed
from maml.tasks.regression import SHAPES, FunctionRange
from mine import reporting
from mine.reporting.statistics import mean_interval

SCORES = "drift.json"
TRAINED = FunctionRange()
SHOTS, QUERIES, TASKS, SOLVED = 10, 50, 600, 0.1
SUPPORTS, STEPS = (2, 5, 10, 20, 40), (0, 1, 2, 5, 10, 20)
"""Numbers of support points and of inner steps whose effect is measured, in distribution."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """One way to drift.

    Attributes:
        unit: of the distance, in words.
        values: of what drifts, for the table.
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
        "largest trained amplitudes beyond it",
        [1.0, 2.5, 5.0, 6.25, 7.5, 10.0, 15.0],
        lambda a: {"amplitude": (a, a)},
        lambda a: max(0.0, a / 5.0 - 1.0),
    ),
    "phase": _axis(
        "half periods beyond the largest trained phase",
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
        "shift of the range, in its lengths",
        [0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0],
        lambda shift: {"x_range": (-5.0 + shift, 5.0 + shift)},
        lambda shift: shift / 10.0,
    ),
}

SHAPED = {shape: dataclasses.replace(TRAINED, shape=shape) for shape in SHAPES}


def drift(path: pathlib.Path) -> dict:
    """Scores a learner on all drifts; kept beside it.

    Returns:
        ``axes`` and ``shapes``: name -> a score for each value, and ``shots`` and ``inner_steps``:
        a score for each of :data:`SUPPORTS` and :data:`STEPS`. A score is a dict of ``error``,
        ``before`` and ``solved``.
    """
    kept = path.with_suffix("") / SCORES
    if not kept.exists():
        reporting.write_json(_drift(maml.load(path)), kept)
    return reporting.read_json(kept)


def _drift(learner) -> dict:
    scorer = Scorer(learner)

    def score(ranges, shots=SHOTS, scorer=scorer):
        family = ranges.draw(2000, shots, QUERIES, split_seed(TEST))
        after, before, power = scorer(family, TASKS)
        scale = float(power.mean())
        return {
            "error": float(after.mean()) / scale,
            "before": float(before.mean()) / scale,
            "solved": float((after < SOLVED * scale).mean()),
        }

    result = {
        "axes": {name: [score(ranges) for ranges in axis.ranges] for name, axis in AXES.items()},
        "shapes": {name: score(ranges) for name, ranges in SHAPED.items()},
        "shots": [score(TRAINED, shots) for shots in SUPPORTS],
        "inner_steps": [],
    }
    for count in STEPS if hasattr(learner, "test_inner_steps") else ():
        learner.test_inner_steps = count
        result["inner_steps"].append(score(TRAINED, scorer=Scorer(learner)))
    return result


def over_seeds(scores: list[dict]) -> dict[str, dict]:
    """error, before, solved -> mean and interval of several seeds' scores."""
    return {name: mean_interval([score[name] for score in scores]) for name in scores[0]}


def aggregate(drifts: dict[str, list[dict]]) -> dict[str, dict]:
    """Learner -> what :func:`drift` gives, each score with its interval over seeds.

    Args:
        drifts: learner -> the scores of its seeds.
    """

    def listed(seeds, pick):
        return [over_seeds(list(scores)) for scores in zip(*map(pick, seeds), strict=True)]

    result = {}
    for name, seeds in drifts.items():
        result[name] = {
            "axes": {axis: listed(seeds, lambda s, a=axis: s["axes"][a]) for axis in AXES},
            "shapes": {
                shape: over_seeds([seed["shapes"][shape] for seed in seeds]) for shape in SHAPED
            },
            "shots": listed(seeds, lambda s: s["shots"]),
            "inner_steps": listed(seeds, lambda s: s["inner_steps"]),
        }
    return result


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


def limits(result: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Axis -> learner -> :func:`limit` of the mean over seeds."""
    return {
        axis: {
            name: limit(of.distances, [s["solved"]["mean"] for s in scores["axes"][axis]])
            for name, scores in result.items()
        }
        for axis, of in AXES.items()
    }

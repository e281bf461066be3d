"""How far may a task drift from those of training before adaptation fails?

    python -m maml.studies.robustness --logdir=output/sinusoids --output=results/robustness

The learners of :mod:`maml.studies.sinusoids`, trained on sinusoids with amplitude 0.1 to 5, phase 0
to pi and frequency 1, adapt to functions of other amplitudes, phases, frequencies, ranges, shapes,
and to noisy labels. Drifts go along one axis at a time; everything else is drawn as in training.

* error: squared error to the truth, over the mean square of the truth of the tested tasks, so 1 is
  the error of answering 0;
* solved: a task whose error after the support set is below a tenth of that mean square;
* limit: the distance along an axis up to which half of the tasks are solved.

Writes ``robustness.{md,json}`` and pictures. Models that are there are not trained again.
"""

import collections
import dataclasses
import functools
import json
import math
import os
import pathlib
import sys
import time

from absl import app, flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Before TensorFlow: its start-up chatter.

import matplotlib.figure  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

import maml  # noqa: E402
from maml import plots  # noqa: E402
from maml.statistics import mean_interval  # noqa: E402
from maml.studies import grid, sinusoids  # noqa: E402
from maml.studies.scoring import Scorer  # noqa: E402
from maml.tasks import SHAPES, FunctionRange  # noqa: E402
from maml.tasks.problem import TEST, split_seed  # noqa: E402
from mine import reports  # noqa: E402

NAME, SCORES = "robustness", "drift.json"
TRAINED = FunctionRange()
SHOTS, QUERIES, TASKS, SOLVED = 10, 50, 600, 0.1
SUPPORTS, STEPS = (2, 5, 10, 20, 40), (0, 1, 2, 5, 10, 20)
"""Numbers of support points and of inner steps whose effect is measured, in distribution."""

COLOURS = dict(
    zip(sinusoids.LEARNERS, ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677"), strict=True)
)


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
        reports.write_json(_drift(maml.load(path)), kept)
    return json.loads(kept.read_text())


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


def words(result: dict[str, dict]) -> str:
    """The answer: how far may a task drift, and which learner drifts best?"""
    far = limits(result)
    lines, ranks = [], collections.Counter()
    for axis, of in AXES.items():
        order = sorted(far[axis], key=lambda name: -far[axis][name])
        ends = " or more" if far[axis][order[0]] == of.distances[-1] else ""
        told = ", ".join(f"{name} {far[axis][name]:.2f}" for name in order)
        lines.append(f"* {axis} ({of.unit}; measured to {of.distances[-1]:g}): {told}{ends}.")
        for name in order:  # Equal limits share a rank.
            ranks[name] += sum(far[axis][other] > far[axis][name] for other in order)
    best = sorted(result, key=lambda name: (ranks[name], name))
    shapes = {
        name: [shape for shape, score in scores["shapes"].items() if score["solved"]["mean"] >= 0.5]
        for name, scores in result.items()
    }
    solved = "; ".join(f"{name}: {', '.join(shapes[name]) or 'none'}" for name in result)
    inside = {name: scores["axes"]["noise"][0]["solved"]["mean"] for name, scores in result.items()}
    return "\n".join(
        [
            "Half of the tasks are still solved at a distance of",
            "",
            *lines,
            "",
            f"Shapes of which half of the tasks are solved: {solved}.",
            "",
            "Of the tasks of training's own kind are solved: "
            + ", ".join(f"{name} {share:.0%}" for name, share in inside.items())
            + ".",
            "",
            f"Over all axes **{best[0]}** drifts best, then {', '.join(best[1:])} (by the sum of "
            "ranks of the limits).",
        ]
    )


def rows(result: dict[str, dict], records: dict[tuple, dict]) -> list[dict]:
    """The table: one row for each learner and drift."""
    table = []
    for name, scores in result.items():
        ended = [
            (key, r) for key, r in records.items() if key[0] == name and grid.DIVERGED not in r
        ]
        common = {"learner": name, "regularizer": "none", "shots": SHOTS}
        common |= {"seeds": [key[2] for key, _ in ended], "command": ended[0][1]["command"]}
        common["steps"] = ended[0][1]["steps"]
        drifts = [
            (axis, value, distance, score)
            for axis, of in AXES.items()
            for value, distance, score in zip(
                of.values, of.distances, scores["axes"][axis], strict=True
            )
        ]
        drifts += [("shape", shape, None, score) for shape, score in scores["shapes"].items()]
        for axis, value, distance, score in drifts:
            row = {"axis": axis, "value": value, "distance": distance, **score["error"]}
            row |= {"before": score["before"], "solved": score["solved"]}
            table.append(common | row)
    return table


def markdown(result: dict) -> str:
    """The answer in words, and the table."""
    learners = list(dict.fromkeys(row["learner"] for row in result["rows"]))
    drifts = {}
    for row in result["rows"]:
        drifts.setdefault((row["axis"], row["value"]), {})[row["learner"]] = row
    lines = [
        "# How far may a task drift?",
        "",
        f"`{result['command']}`; {result['hardware']}; {result['date']}. {SHOTS} support points, "
        f"{TASKS} tasks for each number, {len(result['rows'][0]['seeds'])} seeds.",
        "",
        result["answer"],
        "",
        "Error after the support set, over that of answering 0; in parentheses the share of tasks "
        f"that are solved, whose error is below {SOLVED}. Mean ± 95 % interval over seeds.",
        "",
        f"| drift | value | {' | '.join(learners)} |",
        "|---|---:|" + "---:|" * len(learners),
    ]
    for (axis, value), cells in drifts.items():
        value = value if isinstance(value, str) else f"{value:.3g}"
        texts = [
            f"{row['mean']:.3f} ± {row['ci95']:.3f} ({row['solved']['mean']:.0%})"
            for row in (cells[name] for name in learners)
        ]
        lines.append(f"| {axis} | {value} | {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"


# -- pictures ---------------------------------------------------------------------------------


def _lines(axis, x, scores: list[dict], key: str, name: str) -> None:
    mean = np.array([score[key]["mean"] for score in scores])
    half = np.array([score[key]["ci95"] for score in scores])
    axis.plot(x, mean, "o-", markersize=3, color=COLOURS[name], label=name)
    axis.fill_between(x, mean - half, mean + half, color=COLOURS[name], alpha=0.15, linewidth=0)


def draw_axes(result: dict[str, dict], key: str, label: str, path: pathlib.Path) -> None:
    """A score against the distance from the training distribution, a panel for each axis."""
    figure = matplotlib.figure.Figure(figsize=(12, 6.5), layout="constrained")
    for panel, (name, of) in zip(figure.subplots(2, 3).ravel(), AXES.items(), strict=True):
        # Of several values inside the training distribution, that next to its edge.
        first = sum(distance == 0 for distance in of.distances) - 1
        for learner, scores in result.items():
            _lines(panel, of.distances[first:], scores["axes"][name][first:], key, learner)
        panel.set(title=name, xlabel=of.unit, ylabel=label)
        if key == "error":
            panel.set_yscale("log")
            panel.axhline(1.0, color="#777777", linestyle=":")
    figure.axes[0].legend(fontsize=8)
    reports.picture(figure, path, dpi=100)


def draw_shapes(result: dict[str, dict], path: pathlib.Path) -> None:
    """Error before and after adaptation on each shape."""
    figure = matplotlib.figure.Figure(figsize=(11, 4), layout="constrained")
    axis = figure.subplots()
    width = 0.8 / len(result)
    for index, (name, scores) in enumerate(result.items()):
        x = np.arange(len(SHAPED)) + (index - (len(result) - 1) / 2) * width
        after, before = (
            [scores["shapes"][shape][key]["mean"] for shape in SHAPED]
            for key in ("error", "before")
        )
        error = [scores["shapes"][shape]["error"]["ci95"] for shape in SHAPED]
        axis.bar(x, after, width, yerr=error, color=COLOURS[name], label=name)
        axis.plot(x, before, "_", color="black", markersize=5)
    axis.set_xticks(range(len(SHAPED)), SHAPED)
    axis.set(yscale="log", ylabel="error / mean square (-: before)")
    axis.axhline(1.0, color="#777777", linestyle=":")
    axis.legend(fontsize=8)
    reports.picture(figure, path, dpi=100)


def draw_sensitivity(result: dict[str, dict], key: str, values, label: str, path) -> None:
    """Error in distribution against the number of shots or of inner steps."""
    figure = matplotlib.figure.Figure(figsize=(5.5, 4), layout="constrained")
    axis = figure.subplots()
    for name, scores in result.items():
        if scores[key]:
            _lines(axis, values, scores[key], "error", name)
    trained = SHOTS if key == "shots" else sinusoids.config("MAML", SHOTS, 0, {}).inner_steps
    axis.axvline(trained, color="#777777", linestyle=":", label="in training")
    axis.set(xlabel=label, ylabel="error / mean square", yscale="log", xscale="symlog")
    axis.set_xticks(values, values)
    axis.legend(fontsize=8)
    reports.picture(figure, path, dpi=100)


def draw_fits(learner, name: str, path: pathlib.Path) -> None:
    """A function of each shape, before and after its support set."""
    figure = matplotlib.figure.Figure(figsize=(11, 8), layout="constrained")
    numbers = tf.constant([1])
    for panel, (shape, ranges) in zip(figure.subplots(3, 3).ravel(), SHAPED.items(), strict=True):
        family = ranges.draw(2, SHOTS, QUERIES, split_seed(TEST))
        episode = family.episodes(numbers, tf.constant([0, 7]))
        plots.draw_fit(panel, learner, family, numbers, episode, 0)
        panel.set_title(shape)
    figure.axes[0].legend(fontsize=7)
    figure.suptitle(f"{name}, trained on sines")
    reports.picture(figure, path, dpi=100)


def draw(result: dict[str, dict], plan: sinusoids.Study, output: pathlib.Path) -> None:
    """All pictures of the study."""
    draw_axes(result, "error", "error / mean square", output / "error.png")
    draw_axes(result, "solved", "share of tasks solved", output / "solved.png")
    draw_shapes(result, output / "shapes.png")
    draw_sensitivity(result, "shots", SUPPORTS, "support points", output / "shots.png")
    draw_sensitivity(result, "inner_steps", STEPS, "inner steps", output / "inner_steps.png")
    for name in result:
        learner = maml.load(plan.path(name, SHOTS, 0))
        draw_fits(learner, name, output / f"fits_{name.lower()}.png")


def main(_):
    output, start = pathlib.Path(flags.FLAGS.output), time.time()
    try:
        plan = sinusoids.planned()
        records = plan.run(sinusoids.LEARNERS, (SHOTS,), "Training")
        ended = [key for key, record in records.items() if grid.DIVERGED not in record]
        jobs = {"_".join(map(str, key)): functools.partial(drift, plan.path(*key)) for key in ended}
        scores = dict(zip(ended, grid.run(jobs, plan.workers, "Drifting").values(), strict=True))
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
    drifts = {
        name: [score for key, score in scores.items() if key[0] == name]
        for name in dict.fromkeys(key[0] for key in ended)
    }
    aggregated = aggregate(drifts)
    result = reports.provenance("maml.studies.robustness") | {"workers": plan.workers}
    result |= {"rows": rows(aggregated, records), "limits": limits(aggregated)}
    result |= {
        "shots": {name: of["shots"] for name, of in aggregated.items()},
        "inner_steps": {name: of["inner_steps"] for name, of in aggregated.items()},
        "answer": words(aggregated),
    }
    output.mkdir(parents=True, exist_ok=True)
    reports.write_json(result, output / f"{NAME}.json")
    reports.write(markdown(result).encode(), output / f"{NAME}.md")
    draw(aggregated, plan, output)
    print(result["answer"])
    print(f"{(time.time() - start) / 60:.0f} minutes; table and pictures in {output}.")


if __name__ == "__main__":
    sinusoids.define_flags()
    flags.adopt_module_key_flags(sinusoids)  # For --help.
    app.run(main)

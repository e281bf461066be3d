"""The answer in words, table and pictures of :mod:`maml.studies.robustness`."""

import collections
import pathlib

import matplotlib.figure
import numpy as np
import tensorflow as tf

import maml
from maml.studies import sinusoids
from maml.studies.task_shift import (
    AXES,
    QUERIES,
    SHAPED,
    SHOTS,
    SOLVED,
    STEPS,
    SUPPORTS,
    TASKS,
    limits,
)
from maml.tasks import function_plots
from maml.tasks.problem import TEST, split_seed
from mine import reporting
from mine.reporting.statistics import format_interval

COLOURS = dict(
    zip(sinusoids.LEARNERS, ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677"), strict=True)
)


def words(result: dict[str, dict]) -> str:
    """The answer: how far may a task drift, and which learner drifts best?"""
    far = limits(result)
    lines, ranks = [], collections.Counter()
    for axis, of in AXES.items():
        order = sorted(far[axis], key=lambda name: -far[axis][name])
        told = ", ".join(
            f"{name} {far[axis][name]:.2f}" + " or more" * (far[axis][name] == of.distances[-1])
            for name in order
        )
        lines.append(f"* {axis} ({of.unit}; measured to {of.distances[-1]:g}): {told}.")
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


def markdown(result: dict) -> str:
    """The answer in words, and the table."""
    learners = list(dict.fromkeys(row["learner"] for row in result["rows"]))
    drifts = {}
    for row in result["rows"]:
        drifts.setdefault((row["axis"], row["value"]), {})[row["learner"]] = row
    seeds = reporting.join_numbers(len(row["seeds"]) for row in result["rows"])
    lines = [
        "# How far may a task drift?",
        "",
        f"`{result['command']}`; {result['hardware']}; {result['date']}. {SHOTS} support points, "
        f"{TASKS} tasks for each number, {seeds} seeds.",
        "",
        result["answer"],
        "",
        "Error after the support set, over that of answering 0; in parentheses the share of tasks "
        f"that are solved, whose error is below {SOLVED}. Mean ± 95 % interval over seeds.",
        "",
    ]
    table = []
    for (axis, value), cells in drifts.items():
        value = value if isinstance(value, str) else f"{value:.3g}"
        texts = [
            f"{format_interval(row, 3)} ({row['solved']['mean']:.0%})"
            for row in (cells[name] for name in learners)
        ]
        table.append([axis, value, *texts])
    lines += reporting.markdown_table(["drift", "value", *learners], table)
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
    reporting.picture(figure, path, dpi=100)


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
    reporting.picture(figure, path, dpi=100)


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
    reporting.picture(figure, path, dpi=100)


def draw_fits(learner, name: str, path: pathlib.Path) -> None:
    """A function of each shape, before and after its support set."""
    figure = matplotlib.figure.Figure(figsize=(11, 8), layout="constrained")
    numbers = tf.constant([1])
    for panel, (shape, ranges) in zip(figure.subplots(3, 3).ravel(), SHAPED.items(), strict=True):
        family = ranges.draw(2, SHOTS, QUERIES, split_seed(TEST))
        episode = family.episodes(numbers, tf.constant([0, 7]))
        function_plots.draw_fit(panel, learner, family, numbers, episode, 0)
        panel.set_title(shape)
    figure.axes[0].legend(fontsize=7)
    figure.suptitle(f"{name}, trained on sines")
    reporting.picture(figure, path, dpi=100)


def draw(result: dict[str, dict], plan: sinusoids.Study, output: pathlib.Path) -> None:
    """All pictures of the study."""
    draw_axes(result, "error", "error / mean square", output / "error.png")
    draw_axes(result, "solved", "share of tasks solved", output / "solved.png")
    draw_shapes(result, output / "shapes.png")
    draw_sensitivity(result, "shots", SUPPORTS, "support points", output / "shots.png")
    draw_sensitivity(result, "inner_steps", STEPS, "inner steps", output / "inner_steps.png")
    for name in result:
        # Of the first seed that did not diverge.
        paths = (plan.path(name, SHOTS, seed) for seed in range(plan.seeds))
        learner = maml.load(next(path for path in paths if path.exists()))
        draw_fits(learner, name, output / f"fits_{name.lower()}.png")

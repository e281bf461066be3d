"""Pictures of :mod:`maml.studies.robustness`: errors under shifts, and fits of each shape."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from maml.studies.task_shift import (
    AXES,
    QUERIES,
    SHAPED,
    SHOTS,
    STEPS,
    SUPPORTS,
    key,
    read_score,
)
from maml.tasks import function_plots
from maml.tasks.problem import TEST, split_seed
from mine import reporting
from mine.reporting.pictures import new_axes

LABEL = "error / mean square"


def _colour(index: int) -> str:
    return reporting.COLOURS[index % len(reporting.COLOURS)]


def _line(ax, x, scores: Sequence[Mapping], colour: str, name: str) -> None:
    mean = np.array([score["mean"] for score in scores])
    half = np.nan_to_num(np.array([score["ci95"] for score in scores], float))
    ax.plot(x, mean, "o-", markersize=3, color=colour, label=name)
    ax.fill_between(x, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0)


def draw_axes(rows: Sequence[Mapping], score: str, label: str, path: pathlib.Path) -> None:
    """A score against the distance from the training distribution, a panel for each axis."""
    figure, axes = new_axes(3, 2, (4, 3.25))
    for ax, (name, of) in zip(axes.ravel(), AXES.items(), strict=True):
        # Of several values inside the training distribution, that next to its edge.
        first = sum(distance == 0 for distance in of.distances) - 1
        for index, row in enumerate(rows):
            scores = [read_score(row, f"shift.{name}", key(v), score) for v in of.values[first:]]
            _line(ax, of.distances[first:], scores, _colour(index), row["row"])
        ax.set(title=name, xlabel=of.unit, ylabel=label)
        if score == "error":
            ax.set_yscale("log")
            ax.axhline(1.0, color="#777777", linestyle=":")
    axes[0, 0].legend(fontsize=8)
    reporting.picture(figure, path, dpi=100)


def draw_shapes(rows: Sequence[Mapping], path: pathlib.Path) -> None:
    """Error with and without the support set on each shape."""
    figure, axes = new_axes(size=(11, 4))
    ax, width = axes[0, 0], 0.8 / len(rows)
    for index, row in enumerate(rows):
        x = np.arange(len(SHAPED)) + (index - (len(rows) - 1) / 2) * width
        after, before = (
            [read_score(row, "shape", shape, score) for shape in SHAPED]
            for score in ("error", "no_support")
        )
        error = np.nan_to_num(np.array([of["ci95"] for of in after], float))
        ax.bar(x, [of["mean"] for of in after], width, yerr=error, color=_colour(index),
               label=row["row"])  # fmt: skip
        ax.plot(x, [of["mean"] for of in before], "_", color="black", markersize=5)
    ax.set_xticks(range(len(SHAPED)), SHAPED)
    ax.set(yscale="log", ylabel=f"{LABEL} (-: no support set)")
    ax.axhline(1.0, color="#777777", linestyle=":")
    ax.legend(fontsize=8)
    reporting.picture(figure, path, dpi=100)


def draw_sensitivity(
    rows: Sequence[Mapping], kind: str, values: Sequence[int], label: str, trained: int, path
) -> None:
    """Error without a shift against the number of shots or of inner steps."""
    figure, axes = new_axes(size=(5.5, 4))
    ax = axes[0, 0]
    for index, row in enumerate(rows):
        if f"further.{kind}.{values[0]}.error.mean" in row:
            scores = [read_score(row, kind, str(value), "error") for value in values]
            _line(ax, values, scores, _colour(index), row["row"])
    ax.axvline(trained, color="#777777", linestyle=":", label="in training")
    ax.set(xlabel=label, ylabel=LABEL, yscale="log", xscale="symlog")
    ax.set_xticks(values, values)
    ax.legend(fontsize=8)
    reporting.picture(figure, path, dpi=100)


def draw_shapes_of(learner, name: str, path: pathlib.Path) -> None:
    """A function of each shape, with and without its support set."""
    figure, axes = new_axes(3, 3, (3.7, 2.7))
    numbers = tf.constant([1])
    for ax, (shape, ranges) in zip(axes.ravel(), SHAPED.items(), strict=True):
        family = ranges.draw(2, SHOTS, QUERIES, split_seed(TEST))
        episode = family.episodes(numbers, tf.constant([0, 7]))
        function_plots.plot_fit(learner, family, numbers, episode, ax=ax)
        ax.set_title(shape)
    axes[0, 0].legend(fontsize=7)
    figure.suptitle(f"{name}, trained on sines")
    reporting.picture(figure, path, dpi=100)


def draw(rows: Sequence[Mapping], output: pathlib.Path) -> None:
    """All pictures of scores."""
    draw_axes(rows, "error", LABEL, output / "error.png")
    draw_axes(rows, "solved", "share of tasks solved", output / "solved.png")
    draw_shapes(rows, output / "shapes.png")
    draw_sensitivity(rows, "shots", SUPPORTS, "support points", SHOTS, output / "shots.png")
    draw_sensitivity(rows, "inner_steps", STEPS, "inner steps", 5, output / "inner_steps.png")

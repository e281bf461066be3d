"""Pictures of policies: paths in the plane, and returns before and after adaptation."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from maml.core.seeds import Stream, stream
from mine import reporting
from mine.reporting.pictures import new_axes


def draw_paths(family, path: os.PathLike, tasks: int = 6, trajectories: int = 4) -> None:
    """Paths of a policy in the plane before and after adaptation, with the goals, as a PNG.

    Args:
        family: of navigation, with a policy.
        path: of the PNG.
        tasks: how many are shown, evenly spaced.
        trajectories: how many paths of each.
    """
    numbers, seed = family.spaced(tasks), stream(3, Stream.FIXED_EPISODES)
    before = family.collect(numbers, seed)
    after = family.collect(numbers, seed + tf.constant([1, 0]), family.adapt(before), codes=seed)
    figure, axes = new_axes(3, -(-tasks // 3), (3.2, 3.2))
    for index, ax in enumerate(axes.ravel()[:tasks]):
        for made, colour, name in ((before, "#bbbbbb", "before"), (after, "#4477aa", "after")):
            for number in range(min(trajectories, family.trajectories)):
                alive = made.alive[index, number]
                xy = made.observations[index, number, alive, :2]
                ax.plot(*xy.T, color=colour, linewidth=1, label=name if not number else None)
        ax.plot(*family.tasks[numbers[index]], "*", color="#ee6677", markersize=12, label="goal")
        ax.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    axes[0, 0].legend(fontsize=7)
    reporting.picture(figure, path)


def draw_returns(rows: Sequence[Mapping], exact: Mapping[str, float], path: os.PathLike) -> None:
    """Returns on test tasks before and after adaptation, a pair of bars for each row, as a PNG.

    Args:
        rows: aggregated, of one table.
        exact: name -> a return that is known, drawn as a line.
        path: of the PNG.
    """
    figure, axes = new_axes(size=(1.6 + 0.9 * max(len(rows), 3), 3.6))
    ax, places = axes[0, 0], np.arange(len(rows))
    for side, (name, label, colour) in enumerate(
        (("no_support_return", "before", "#bbbbbb"), ("return", "after", "#4477aa"))
    ):
        values = [[row.get(f"scores.test.{name}.{end}", np.nan) for end in ("mean", "ci95")]
                  for row in rows]  # fmt: skip
        mean, ci95 = np.array(values, float).reshape(-1, 2).T
        ax.bar(places + 0.4 * side - 0.2, mean, 0.4, color=colour, yerr=ci95, label=label)
    for (name, value), style in zip(exact.items(), (":", "--", "-."), strict=False):
        ax.axhline(value, color="black", linewidth=0.8, linestyle=style, label=name)
    ax.set_xticks(places, [row["row"] for row in rows], rotation=30, ha="right", fontsize=7)
    ax.set_ylabel("return on test tasks")
    ax.legend(fontsize=7)
    reporting.picture(figure, path)

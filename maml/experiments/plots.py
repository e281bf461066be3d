"""Pictures of runs of any problem: learning curves, information against error."""

import itertools
import os
from collections.abc import Mapping

import numpy as np

from mine import reporting
from mine.reporting.pictures import current_axes, marker_of, new_axes

MAX_CURVES = 14
"""Lines that look different: colours times styles."""

INFORMATION, OF_ACTIONS = "label_information_lower", "support_information_lower"


def plot_history(history: Mapping[str, np.ndarray], metric: str, ax=None):
    """A score of each split over training steps; dotted without the support set.

    Args:
        history: columns of ``history.csv``.
        metric: name of the score.
        ax: of matplotlib; pyplot's current axes if None.

    Returns:
        The axes.
    """
    ax = current_axes(ax)
    splits = [name for name in ("train", "validation", "test") if f"{name}_{metric}" in history]
    for split, colour in zip(splits, reporting.COLOURS, strict=False):
        _line(ax, history, f"{split}_{metric}", "-", colour, split)
        _line(ax, history, f"{split}_no_support_{metric}", ":", colour, f"{split}, no support set")
    ax.set(xlabel="training step", ylabel=metric)
    if min(history[f"train_{metric}"]) > 0:
        ax.set_yscale("log")
    ax.legend(fontsize=7)
    return ax


def draw_history(history: Mapping[str, np.ndarray], metric: str, path: os.PathLike) -> None:
    """Draws :func:`plot_history` as a PNG."""
    figure, axes = new_axes()
    plot_history(history, metric, axes[0, 0])
    reporting.picture(figure, path)


def _line(ax, history, column: str, line: str, colour: str, label: str | None = None) -> None:
    """Draws a column over training steps; of a single epoch, a dot."""
    style = {"linestyle": line, "color": colour, "marker": marker_of(history[column])}
    ax.plot(history["step"], history[column], **style, label=label)


def plot_curves(
    histories: Mapping[str, Mapping[str, np.ndarray]], column: str, dotted: str = "", ax=None
):
    """A score of several runs over training steps.

    Args:
        histories: run -> columns of ``history.csv``; the first :data:`MAX_CURVES` are drawn.
        column: such as ``test_mse``.
        dotted: another column, drawn dotted in the colour of the run; empty for none.
        ax: of matplotlib; pyplot's current axes if None.

    Returns:
        The axes.
    """
    ax = current_axes(ax)
    styles = itertools.product(("-", "--"), reporting.COLOURS)
    for (name, history), (line, colour) in zip(histories.items(), styles, strict=False):
        if column in history:
            _line(ax, history, column, line, colour, name)
        if dotted in history:
            _line(ax, history, dotted, ":", colour)
    ax.set_xlabel("training step")
    ax.locator_params(axis="x", nbins=6)
    return ax


def draw_curves(
    histories: Mapping[str, Mapping[str, np.ndarray]],
    metrics: Mapping[str, str],
    path: os.PathLike,
    split: str = "test",
    dotted: str = "train",
    xlabel: str = "training step",
) -> None:
    """Learning curves of several runs, a panel for each score.

    Args:
        histories: run -> columns of ``history.csv``; the first :data:`MAX_CURVES` are drawn.
        metrics: name of a score -> title of its panel.
        path: of the PNG.
        split: whose scores are drawn.
        dotted: what the names of scores that are drawn dotted begin with, such as ``train`` or
            ``train_no_support``; the information is not.
        xlabel: what the column ``step`` counts.
    """
    figure, axes = new_axes(len(metrics), size=(5, 3.8))
    for ax, (metric, title) in zip(axes[0], metrics.items(), strict=True):
        other = "" if metric in (INFORMATION, OF_ACTIONS) else f"{dotted}_{metric}"
        plot_curves(histories, f"{split}_{metric}", other, ax).set(title=title, xlabel=xlabel)
    without = ", without the support set" * ("no_support" in dotted)
    figure.suptitle(f"dotted: meta-training tasks{without}", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=7)
    reporting.picture(figure, path, bbox_inches="tight")


def plot_correlation(groups: Mapping[str, dict], ylabel: str, log: bool = False, ax=None):
    """Error against label information, a point for each run.

    Args:
        groups: name -> ``pairs`` of information in nats and error, and ``spearman``, their rank
            correlation; not shown where it is None.
        ylabel: name of the error.
        log: whether the error has a logarithmic axis.
        ax: of matplotlib; pyplot's current axes if None.

    Returns:
        The axes.
    """
    ax, markers = current_axes(ax), "osv^D<>pPX*hd"
    for index, (name, group) in enumerate(groups.items()):
        if group["pairs"]:
            rank = group.get("spearman")
            ax.plot(
                *zip(*group["pairs"], strict=True),
                color=reporting.COLOURS[index % len(reporting.COLOURS)],
                marker=markers[index % len(markers)],
                linestyle="none",
                label=name if rank is None else f"{name}: {rank:.2f}",
            )
    ax.set(xlabel="I(ŷ;Y|x,X) on validation tasks, nats", ylabel=ylabel)
    if log:
        ax.set_yscale("log")
    return ax


def draw_correlation(
    groups: Mapping[str, dict],
    path: os.PathLike,
    ylabel: str,
    log: bool = False,
    title: str = "rank correlation",
) -> None:
    """Draws :func:`plot_correlation` as a PNG; ``title`` is of the legend."""
    height = max(4.4, 0.6 + 0.17 * len(groups))  # Of all lines of the legend, in inches.
    figure, axes = new_axes(size=(9, height))
    plot_correlation(groups, ylabel, log, axes[0, 0])
    figure.legend(loc="outside right upper", fontsize=7, title=title)
    reporting.picture(figure, path)

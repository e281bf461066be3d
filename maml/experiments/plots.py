"""Pictures of runs of any problem: learning curves, diagnoses, information against error."""

import itertools
import os
from collections.abc import Mapping

import matplotlib.figure
import numpy as np

from mine import reporting

MAX_CURVES = 14
"""Lines that look different: colours times styles."""

INFORMATION = "label_information_lower"


def new_axes(columns: int = 1, rows: int = 1, size: tuple[float, float] = (6, 4)):
    """A figure of its own, without pyplot, and its axes, [rows, columns]."""
    width, height = size
    figure = matplotlib.figure.Figure((width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def plot_history(history: Mapping[str, np.ndarray], metric: str, ax=None):
    """A score of each split over training steps; dotted without the support set.

    Args:
        history: columns of ``history.csv``.
        metric: name of the score.
        ax: of matplotlib; one of a new figure if None.

    Returns:
        The axes.
    """
    ax = new_axes()[1][0, 0] if ax is None else ax
    splits = [name for name in ("train", "validation", "test") if f"{name}_{metric}" in history]
    for split, colour in zip(splits, reporting.COLOURS, strict=False):
        ax.plot(history["step"], history[f"{split}_{metric}"], color=colour, label=split)
        without = history[f"{split}_no_support_{metric}"]
        label = f"{split}, no support set"
        ax.plot(history["step"], without, color=colour, linestyle=":", label=label)
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


def draw_diagnoses(diagnoses: Mapping[str, dict], path: os.PathLike) -> None:
    """Whether a run memorizes, a row for each split.

    Args:
        diagnoses: split -> fields of :class:`maml.Diagnosis`.
        path: of the PNG.
    """
    from maml.diagnostics.report import Diagnosis  # It needs TensorFlow, and curves do not.

    figure, axes = new_axes(2, len(diagnoses), (4, 3.4))
    for row, (split, fields) in zip(axes, diagnoses.items(), strict=True):
        Diagnosis(**fields).draw(row, f"{split} tasks: ")
    reporting.picture(figure, path, bbox_inches="tight")


def draw_curves(
    histories: Mapping[str, Mapping[str, np.ndarray]],
    metrics: Mapping[str, str],
    path: os.PathLike,
    split: str = "test",
) -> None:
    """Learning curves of several runs, a panel for each score.

    Args:
        histories: run -> columns of ``history.csv``; the first :data:`MAX_CURVES` are drawn.
        metrics: name of a score -> title of its panel.
        path: of the PNG.
        split: whose scores are drawn; dotted those of meta-training tasks.
    """
    figure, axes = new_axes(len(metrics), size=(5, 3.8))
    styles = list(itertools.product(("-", "--"), reporting.COLOURS))
    shown = list(histories.items())[:MAX_CURVES]
    for (line, colour), (name, history) in zip(styles, shown, strict=False):
        for ax, metric in zip(axes[0], metrics, strict=True):
            if f"{split}_{metric}" not in history:
                continue
            label = name if ax is axes[0, 0] else None
            ax.plot(history["step"], history[f"{split}_{metric}"], line, color=colour, label=label)
            if metric != INFORMATION:
                ax.plot(history["step"], history[f"train_{metric}"], ":", color=colour)
    for ax, title in zip(axes[0], metrics.values(), strict=True):
        ax.set(xlabel="training step", title=title)
        ax.locator_params(axis="x", nbins=6)
    figure.suptitle("dotted: meta-training tasks", fontsize=8)
    figure.legend(loc="outside right upper", fontsize=7)
    reporting.picture(figure, path, bbox_inches="tight")


def draw_correlation(
    groups: Mapping[str, dict], path: os.PathLike, ylabel: str, log: bool = False
) -> None:
    """Error against label information, a point for each run.

    Args:
        groups: name -> ``pairs`` of information in nats and error, and ``spearman``, their rank
            correlation, or None.
        path: of the PNG.
        ylabel: name of the error.
        log: whether the error has a logarithmic axis.
    """
    height = max(4.4, 0.6 + 0.17 * len(groups))  # Of all lines of the legend, in inches.
    figure, axes = new_axes(size=(9, height))
    ax, markers = axes[0, 0], "osv^D<>pPX*hd"
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
    figure.legend(loc="outside right upper", fontsize=7, title="rank correlation")
    reporting.picture(figure, path)

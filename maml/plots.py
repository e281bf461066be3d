"""Pictures of trainings on registered tasks."""

import os

import matplotlib.figure
import numpy as np
import tensorflow as tf

from maml.episodes import TaskFamily
from maml.tasks import Problem

COLOURS = {"train": "#4477aa", "validation": "#ee6677"}


def curves(history: dict[str, np.ndarray], metric: str, path: os.PathLike) -> None:
    """A score on training and validation tasks over training steps, with and without support.

    Args:
        history: of :func:`maml.runs.read_history`.
        metric: name of the score.
        path: of the PNG.
    """
    figure = matplotlib.figure.Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for split, colour in COLOURS.items():
        axis.plot(history["step"], history[f"{split}_{metric}"], color=colour, label=f"{split}")
        before = history[f"{split}_pre_{metric}"]
        axis.plot(history["step"], before, color=colour, linestyle=":", label=f"{split}, before")
    axis.set(xlabel="training step", ylabel=metric)
    if min(history[f"train_{metric}"]) > 0:
        axis.set_yscale("log")
    axis.legend()
    figure.savefig(path, dpi=110, format="png")


def can_draw_fits(problem: Problem) -> bool:
    """Whether the tasks are functions to the real numbers, which :func:`fits` draws."""
    episode = problem.test.sample(2, tf.constant([0, 0]))
    return episode.query_x.shape.rank == 3 and episode.query_y.shape[-1] == 1


def fits(learner, family: TaskFamily, path: os.PathLike, tasks: int = 6, seed: int = 3) -> None:
    """Functions, their support sets, and the learner's answers before and after it saw them.

    Args:
        learner: a trained :class:`maml.MetaLearner`.
        family: tasks whose inputs have one number first; with many queries, for smooth lines.
        path: of the PNG.
        tasks: how many are shown.
        seed: of the episodes.
    """
    episode = next(family.fixed(1, tasks, seed, tasks))
    before, after = _answers(learner, episode)
    figure = matplotlib.figure.Figure(figsize=(11, 3 * -(-tasks // 3)), layout="constrained")
    axes = figure.subplots(-(-tasks // 3), 3, squeeze=False).ravel()
    for axis, x, y, *answers, shot_x, shot_y in zip(
        axes, episode.query_x, episode.query_y, before, after, *episode[:2], strict=False
    ):
        order = np.argsort(x[:, 0])
        lines = (y, "#777777", "-", "truth"), (answers[0], "#ccbb44", ":", "before the support set")
        for values, colour, style, label in (*lines, (answers[1], "#ee6677", "--", "after it")):
            values = np.asarray(values)[order, 0]
            axis.plot(np.asarray(x)[order, 0], values, style, color=colour, label=label)
        axis.plot(shot_x[:, 0], shot_y[:, 0], "o", color="#4477aa", label="support set")
    axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=110, format="png")


@tf.function(autograph=False)
def _answers(learner, episode):
    """Expected labels before and after the support set, [tasks, queries, dim] each."""
    x = learner.features(episode.query_x)
    d = learner.encode(learner.features(episode.support_x), episode.support_y)
    before = learner.predict(learner.prior(episode.query_y.shape[0]), x)
    return before.mean(), learner.predict(d, x).mean()

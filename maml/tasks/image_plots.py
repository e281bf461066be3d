"""Pictures of few-shot classification of images: episodes, and a confusion matrix."""

import os

import matplotlib.figure
import numpy as np
import tensorflow as tf

from maml.core.episodes import Episode, TaskFamily
from maml.core.seeds import Stream, stream
from maml.tasks.problem import Problem
from mine import reporting
from mine.reporting.pictures import current_axes

RIGHT, WRONG = "#228833", "#ee6677"


class ImageProblem(Problem):
    """Classification of images, whose runs draw episodes and confusions."""

    def draw(self, learner, history, record, folder):
        draw_episodes(learner, self.test, folder / "episodes.png")
        draw_confusion(learner, self.test, folder / "confusion.png")


def draw_episodes(
    learner, family: TaskFamily, path: os.PathLike, tasks: int = 3, queries: int = 8, seed: int = 3
) -> None:
    """Some tasks: a shot of each class, and queries with the learner's answers.

    Args:
        learner: a trained :class:`maml.MetaLearner`.
        family: tasks of images [height, width, channels], whose labels are one-hot.
        path: of the PNG.
        tasks: how many are shown, evenly spaced.
        queries: how many of each.
        seed: of the episodes.
    """
    numbers = family.spaced(tasks)
    episode = family.episodes(tf.constant(numbers), stream(seed, Stream.FIXED_EPISODES))
    answers = learner(episode).numpy()
    ways = answers.shape[-1]
    # In another order than that of the classes.
    shown = np.random.default_rng(seed).permutation(answers.shape[1])[:queries]
    columns = ways + 1 + len(shown)
    figure = matplotlib.figure.Figure(figsize=(0.8 * columns, 1.05 * tasks), layout="constrained")
    axes = figure.subplots(tasks, columns, squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for row, x, y, query_x, query_y, answer in zip(axes, *episode, answers, strict=True):
        for label in range(ways):
            _image(row[label], x[y.numpy().argmax(axis=1).tolist().index(label)])
            row[label].set_title(f"class {label}", fontsize=7)
        for axis, query in zip(row[ways + 1 :], shown, strict=True):
            _image(axis, query_x[query])
            chosen, right = answer[query].argmax(), query_y[query].numpy().argmax()
            text = f"{chosen} ({answer[query].max():.0%})"
            axis.set_title(text, fontsize=7, color=RIGHT if chosen == right else WRONG)
    reporting.picture(figure, path)


def draw_confusion(
    learner,
    family: TaskFamily,
    path: os.PathLike,
    tasks: int = 200,
    batch_size: int = 20,
    mistakes: int = 6,
) -> None:
    """A confusion matrix, and the mistakes that the learner is surest of, as a PNG.

    Args:
        learner: a trained :class:`maml.MetaLearner`.
        family: as of :func:`draw_episodes`.
        path: of the PNG.
        tasks: how many are answered, evenly spaced.
        batch_size: tasks of a batch.
        mistakes: how many are shown.
    """
    counts, worst = 0, []
    answer = tf.function(learner.call, autograph=False)
    for batch in family.fixed(1, batch_size, 0, tasks):
        answers = answer(batch).numpy()
        batch = Episode(*(part.numpy() for part in batch))
        truth = batch.query_y
        counts = counts + np.einsum(
            "tqi,tqj->ij", truth, np.eye(truth.shape[-1])[answers.argmax(-1)]
        )
        for task, query in np.argwhere(answers.argmax(-1) != truth.argmax(-1)):
            labels = truth[task, query].argmax(), answers[task, query].argmax()
            support = batch.support_y[task].argmax(axis=1).tolist()
            shots = [batch.support_x[task, support.index(label)] for label in labels]
            worst.append((answers[task, query].max(), batch.query_x[task, query], *shots))
        worst = sorted(worst, key=lambda mistake: -mistake[0])[:mistakes]
    figure = matplotlib.figure.Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.5))
    plot_confusion(counts, left.subplots())
    right.suptitle("surest mistakes")
    axes = right.subplots(3, max(len(worst), 1), squeeze=False)
    for ax in axes.ravel():
        ax.axis("off")
    for column, (sure, *images) in zip(axes.T, worst, strict=False):
        titles = (f"{sure:.0%} sure", "its class", "the answer")
        for ax, image, title in zip(column, images, titles, strict=True):
            _image(ax, image)
            ax.set_title(title, fontsize=7)
    reporting.picture(figure, path)


def plot_confusion(counts: np.ndarray, ax=None):
    """How often each label is answered for each.

    Args:
        counts: queries of each label and answer, [labels, answers].
        ax: of matplotlib; pyplot's current axes if None.

    Returns:
        The axes.
    """
    ax = current_axes(ax)
    shares = counts / counts.sum(axis=1, keepdims=True)
    ax.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    if len(shares) <= 10:
        for place, share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            text = f"{share:.2f}"
            ax.text(*place[::-1], text, ha="center", va="center", fontsize=7, color=colour)
    ax.set(xlabel="answer", ylabel="label", title="share of queries")
    return ax


def _image(axis, image) -> None:
    image = np.asarray(image)
    axis.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=1)

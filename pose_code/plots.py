"""Pictures of images with true and predicted angles."""

import pathlib

import matplotlib.figure
import numpy as np

from mine import reporting
from mine.reporting.pictures import current_axes
from pose_data.tasks import PERIOD, PoseTasks


def save(figure: matplotlib.figure.Figure, path: pathlib.Path):
    """Writes a PNG in one step."""
    reporting.picture(figure, path, bbox_inches="tight")


def predictions(learner, tasks: PoseTasks, path: pathlib.Path, seed: int = 3):
    """Held-out images with dials: the true angle, and the answer before and after the support set.

    Args:
        learner: a trained :class:`maml.MetaLearner`.
        tasks: the held-out family; up to 15 of its objects are shown.
        path: of the PNG.
        seed: of the episodes.
    """
    episode = next(tasks.fixed(1, 15, seed, 15))
    support_x, query_x = learner.features(episode.support_x), learner.features(episode.query_x)
    count = len(episode.query_y)
    after = learner.decode(learner.encode(support_x, episode.support_y), query_x).mode()
    before = learner.decode(learner.initial_state(count), query_x).mode()
    figure = matplotlib.figure.Figure(figsize=(10, 2.3 * -(-count // 5)), layout="constrained")
    axes = figure.subplots(-(-count // 5), 5, squeeze=False).ravel()
    for axis, task, *row in zip(
        axes, tasks.spaced(count), episode.query_x, episode.query_y, before, after, strict=False
    ):
        image, true, without, adapted = (np.asarray(part)[0] for part in row)
        angles = {"true": true, "without the support set": without, "with it": adapted}
        plot_dial(image, {name: float(angle[0]) for name, angle in angles.items()}, axis)
        error = abs((float(adapted[0] - true[0]) + PERIOD / 2) % PERIOD - PERIOD / 2)
        axis.set_title(f"{tasks.names[task]}: off by {error * 360 / PERIOD:.0f}°", fontsize=8)
    for axis in axes:
        axis.axis("off")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save(figure, path)


HANDS = {
    "true": ("#44dd66", 0.95),
    "without the support set": ("#999999", 0.6),
    "with it": ("#ff8844", 0.75),
}
"""What an angle is -> colour and length of its hand."""


def plot_dial(image: np.ndarray, angles: dict[str, float], ax=None):
    """An image [side, side, 1] with a hand for each angle, named as in ``HANDS``, 0 to PERIOD."""
    ax = current_axes(ax)
    ax.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1, extent=(-1, 1, -1, 1))
    for name, angle in angles.items():
        colour, length = HANDS[name]
        turn = 2 * np.pi * angle / PERIOD
        ends = [0, length * np.cos(turn)], [0, length * np.sin(turn)]
        ax.plot(*ends, color=colour, linewidth=2, label=name)
    return ax


def answers(support: dict, queries: dict, path: pathlib.Path):
    """A support set with its angles, then queries with the answers.

    Args:
        support: name -> (image [side, side, 1], angle between 0 and PERIOD).
        queries: the same, the angle being the answer.
        path: of the PNG.
    """
    shown = [("true", *pair) for pair in support.items()]
    shown += [("with it", *pair) for pair in queries.items()]
    figure = matplotlib.figure.Figure(figsize=(10, 1.9 * -(-len(shown) // 6)), layout="constrained")
    axes = figure.subplots(-(-len(shown) // 6), 6, squeeze=False).ravel()
    for axis, (kind, name, (image, angle)) in zip(axes, shown, strict=False):
        plot_dial(image, {kind: angle}, axis)
        axis.set_title(f"{name}: {angle * 360 / PERIOD:.0f}°", fontsize=7)
    for axis in axes:
        axis.axis("off")
    save(figure, path)

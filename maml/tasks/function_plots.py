"""Pictures of functions of one variable: support sets, and fits before and after adaptation."""

import os

import tensorflow as tf

from maml.core.episodes import Episode, TaskFamily
from maml.core.seeds import Stream, stream
from maml.tasks.problem import Problem
from mine import reporting
from mine.reporting.pictures import current_axes, new_axes


class FunctionProblem(Problem):
    """Regression of functions of one variable, whose runs draw fits."""

    def draw(self, learner, history, record, folder):
        draw_fits(learner, self.test, folder / "fits.png")


def draw_fits(
    learner, family: TaskFamily, path: os.PathLike, tasks: int = 6, seed: int = 3
) -> None:
    """Functions, their support sets, and the learner's answers without and with them, as a PNG.

    Args:
        learner: a trained :class:`maml.MetaLearner`.
        family: tasks whose inputs have one number first, over which lines are drawn, and whatever
            else is the same in all inputs of an episode.
        path: of the PNG.
        tasks: how many are shown, evenly spaced.
        seed: of the episodes.
    """
    numbers = tf.constant(family.spaced(tasks))
    episode = family.episodes(numbers, stream(seed, Stream.FIXED_EPISODES))
    figure, axes = new_axes(3, -(-tasks // 3), (3.7, 3))
    for index, ax in enumerate(axes.ravel()[:tasks]):
        plot_fit(learner, family, numbers, episode, index, ax)
    axes[0, 0].legend(fontsize=7)
    reporting.picture(figure, path)


def plot_fit(learner, family: TaskFamily, numbers, episode: Episode, index: int = 0, ax=None):
    """Draws one task of an episode.

    Args:
        learner: a :class:`maml.MetaLearner`.
        family: of the tasks. With a method ``true_labels(tasks, x)`` the truth is a line, else it
            is the episode's queries.
        numbers: of the episode's tasks, [tasks].
        episode: one of each task.
        index: of the task in the episode.
        ax: of matplotlib; pyplot's current axes if None.

    Returns:
        The axes.
    """
    ax = current_axes(ax)
    one = Episode(*(part if part is None else part[index : index + 1] for part in episode))
    span = tf.concat([one.support_x, one.query_x], axis=1)[..., 0]
    x = tf.linspace(tf.reduce_min(span), tf.reduce_max(span), 200)[tf.newaxis, :, tf.newaxis]
    x = tf.concat([x, tf.repeat(one.query_x[:, :1, 1:], 200, axis=1)], axis=-1)
    if hasattr(family, "true_labels"):
        truth = family.true_labels(numbers[index : index + 1], x)
        ax.plot(x[0, :, 0], truth[0, :, 0], color="#777777", label="truth")
    else:
        ax.plot(one.query_x[0, :, 0], one.query_y[0, :, 0], ".", color="#777777", label="queries")
    without, adapted = _answers(learner, one._replace(query_x=x))
    ax.plot(x[0, :, 0], without[0, :, 0], ":", color="#ccbb44", label="without the support set")
    ax.plot(x[0, :, 0], adapted[0, :, 0], "--", color="#ee6677", label="with it")
    ax.plot(
        one.support_x[0, :, 0], one.support_y[0, :, 0], "o", color="#4477aa", label="support set"
    )
    return ax


@tf.function(autograph=False)
def _answers(learner, episode):
    """Expected labels without and with the support set, [tasks, queries, 1] each."""
    x = learner.features(episode.query_x)
    state = learner.encode(learner.features(episode.support_x), episode.support_y)
    before = learner.decode(learner.initial_state(x.shape[0]), x)
    return before.mean(), learner.decode(state, x).mean()

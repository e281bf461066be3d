"""Pictures of functions of one variable: support sets, and fits before and after adaptation."""

import os

import matplotlib.figure
import tensorflow as tf

from maml.core.episodes import Episode, TaskFamily
from maml.tasks.problem import Problem
from mine import reporting


class FunctionProblem(Problem):
    """Regression of functions of one variable, whose runs draw fits."""

    def draw(self, learner, history, record, folder):
        draw_fits(learner, self.test, folder / "fits.png")


def draw_fits(
    learner, family: TaskFamily, path: os.PathLike, tasks: int = 6, seed: int = 3
) -> None:
    """Functions, their support sets, and the learner's answers before and after it saw them.

    Args:
        learner: a trained :class:`maml.MetaLearner`.
        family: tasks whose inputs have one number first, over which lines are drawn, and whatever
            else is the same in all inputs of an episode.
        path: of the PNG.
        tasks: how many are shown, evenly spaced.
        seed: of the episodes.
    """
    numbers = tf.constant(family.spaced(tasks))
    episode = family.episodes(numbers, tf.constant([seed, 1], tf.int32))
    figure = matplotlib.figure.Figure(figsize=(11, 3 * -(-tasks // 3)), layout="constrained")
    axes = figure.subplots(-(-tasks // 3), 3, squeeze=False).ravel()
    for index, axis in enumerate(axes[:tasks]):
        draw_fit(axis, learner, family, numbers, episode, index)
    axes[0].legend(fontsize=7)
    reporting.picture(figure, path)


def draw_fit(axis, learner, family: TaskFamily, numbers, episode: Episode, index: int) -> None:
    """Draws one task of an episode.

    Args:
        axis: of matplotlib.
        learner: a :class:`maml.MetaLearner`.
        family: of the tasks. With a method ``true_labels(tasks, x)`` the truth is a line, else it
            is the episode's queries.
        numbers: of the episode's tasks, [tasks].
        episode: one of each task.
        index: of the task in the episode.
    """
    one = Episode(*(part[index : index + 1] for part in episode))
    span = tf.concat([one.support_x, one.query_x], axis=1)[..., 0]
    x = tf.linspace(tf.reduce_min(span), tf.reduce_max(span), 200)[tf.newaxis, :, tf.newaxis]
    x = tf.concat([x, tf.repeat(one.query_x[:, :1, 1:], 200, axis=1)], axis=-1)
    if hasattr(family, "true_labels"):
        truth = family.true_labels(numbers[index : index + 1], x)
        axis.plot(x[0, :, 0], truth[0, :, 0], color="#777777", label="truth")
    else:
        axis.plot(one.query_x[0, :, 0], one.query_y[0, :, 0], ".", color="#777777", label="queries")
    before, after = _answers(learner, one._replace(query_x=x))
    axis.plot(x[0, :, 0], before[0, :, 0], ":", color="#ccbb44", label="before the support set")
    axis.plot(x[0, :, 0], after[0, :, 0], "--", color="#ee6677", label="after it")
    axis.plot(
        one.support_x[0, :, 0], one.support_y[0, :, 0], "o", color="#4477aa", label="support set"
    )


@tf.function(autograph=False)
def _answers(learner, episode):
    """Expected labels before and after the support set, [tasks, queries, 1] each."""
    x = learner.features(episode.query_x)
    state = learner.encode(learner.features(episode.support_x), episode.support_y)
    before = learner.decode(learner.initial_state(x.shape[0]), x)
    return before.mean(), learner.decode(state, x).mean()

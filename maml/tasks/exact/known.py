"""Tasks that are functions of a known distribution, so that their best predictions are known."""

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from maml.core.checks import check_whole
from maml.core.episodes import Episode, TaskFamily
from maml.core.label_transforms import LabelScale
from maml.core.registry import Networks
from maml.distributions.metrics import MSE
from maml.distributions.normal import NormalHead
from maml.learners.exact.priors import TaskPrior
from maml.nn.mlp import mlp_networks
from maml.tasks.problem import TEST, TRAIN, VALIDATION, Problem, split_seed


class KnownTasks(TaskFamily):
    """y = f(x) + noise, with a function of a known distribution for each task.

    Args:
        prior: the distribution, which says the noise, too.
        parameters: of each task, [tasks, parameters].
        shots: support points an episode.
        queries: query points an episode.
        draw_inputs: from a shape [..., inputs] and a stateless seed [2] to inputs.
    """

    def __init__(
        self, prior: TaskPrior, parameters, shots: int, queries: int, draw_inputs: Callable
    ):
        self.prior, self.parameters = prior, tf.constant(parameters)
        self.num_tasks = self.parameters.shape[0]
        self.shots, self.queries, self.draw_inputs = shots, queries, draw_inputs

    def true_labels(self, tasks, x) -> tf.Tensor:
        """Labels without noise, at any x.

        Args:
            tasks: int32 [batch], each in [0, num_tasks).
            x: inputs [batch, points, inputs].

        Returns:
            [batch, points, 1].
        """
        return self.prior.values(tf.gather(self.parameters, tasks)[:, tf.newaxis], x)

    def episodes(self, tasks, seed):
        where, how = tf.unstack(tf.random.split(seed, 2))
        points = [tf.shape(tasks)[0], self.shots + self.queries]
        x = self.draw_inputs([*points, self.prior.inputs], where)
        noise = self.prior.noise * tf.random.stateless_normal([*points, 1], how)
        y = self.true_labels(tasks, x) + noise
        k = self.shots
        return Episode(x[:, :k], y[:, :k], x[:, k:], y[:, k:])


def train_seed() -> tuple[int, int]:
    """What the training tasks of a prior are drawn with."""
    first, second = split_seed(TRAIN).numpy().tolist()
    return first, second


def known_problem(
    kind: type[Problem],
    description: str,
    prior: TaskPrior,
    shots: int,
    queries: int,
    draw_inputs: Callable,
) -> Problem:
    """The problem of tasks of a prior: its training tasks, and 2,000 others for each other split.

    Args:
        kind: of the problem.
        description: in one line.
        prior: of all splits.
        shots: support points an episode.
        queries: query points an episode.
        draw_inputs: as of :class:`KnownTasks`.
    """
    check_whole(1, shots=shots, queries=queries)

    def family(parameters):
        return KnownTasks(prior, parameters, shots, queries, draw_inputs)

    return kind(
        description=description,
        train=family(prior.training_parameters()),
        validation=family(prior.draw(2000, split_seed(VALIDATION))),
        test=family(prior.draw(2000, split_seed(TEST))),
        head=NormalHead(),
        build_networks=functools.partial(_networks, prior),
        label_transform=LabelScale(),
        metrics=(MSE,),
        mutually_exclusive=prior.train_tasks != 1,
    )


def _networks(
    prior: TaskPrior,
    hidden: Sequence[int] = (40, 40),
    embedding: Sequence[int] = (64, 64),
    seed: int = 0,
) -> Networks:
    """As :func:`maml.nn.mlp.mlp_networks`, and the prior for exact learners."""
    return mlp_networks(prior.inputs, hidden, embedding, seed)._replace(prior=prior)

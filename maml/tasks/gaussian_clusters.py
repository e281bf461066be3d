"""Few-shot classification of Gaussian clusters: quick, and the best possible accuracy is known."""

import functools

import tensorflow as tf

from maml.core.checks import check_finite, check_whole
from maml.core.episodes import Episode, TaskFamily
from maml.core.label_transforms import LabelPermutation
from maml.core.registry import TASKS
from maml.distributions.categorical import CategoricalHead
from maml.distributions.metrics import ACCURACY
from maml.nn.mlp import mlp_networks
from maml.tasks.class_sampling import draw_members
from maml.tasks.problem import TEST, TRAIN, VALIDATION, Problem, split_seed


class Clusters(TaskFamily):
    """Each class is a normal distribution around a point; a task tells some classes apart.

    No classifier is better than the nearest of the task's true means.

    Args:
        means: of the classes, [classes, features].
        members: for each task and label the number of its class, [tasks, ways].
        shots: support examples of each class.
        queries: query examples of each class.
        spread: standard deviation of a class in each direction.
    """

    def __init__(self, means, members, shots: int, queries: int, spread: float):
        self.means, self.members = tf.constant(means), tf.constant(members)
        self.num_tasks, self.ways = self.members.shape
        self.shots, self.queries, self.spread = shots, queries, spread

    def episodes(self, tasks, seed):
        count = tf.shape(tasks)[0]
        per_class = self.shots + self.queries
        # Class after class, so that any few examples in a row are of different classes.
        label = tf.tile(tf.range(self.ways), [per_class])
        centre = tf.gather(self.means, tf.gather(tf.gather(self.members, tasks), label, axis=1))
        x = centre + self.spread * tf.random.stateless_normal(tf.shape(centre), seed)
        y = tf.tile(tf.one_hot(label, self.ways)[tf.newaxis], [count, 1, 1])
        k = self.shots * self.ways
        return Episode(x[:, :k], y[:, :k], x[:, k:], y[:, k:])


@TASKS.register("clusters")
def clusters(
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    labels: str = "shuffled",
    features: int = 16,
    spread: float = 0.5,
    classes: int = 100,
) -> Problem:
    """N-way K-shot classification of synthetic classes, a quick stand-in for few-shot images.

    The means of the classes are standard normal. Training, validation and test have their own
    classes; 20,000 training tasks, 2,000 tasks each for validation and test.

    Args:
        ways: classes of a task, N.
        shots: support examples of each class, K.
        queries: query examples of each class.
        labels: "shuffled" or "fixed" between tasks, see :func:`draw_members`. With fixed labels
            the training tasks are not mutually exclusive.
        features: number of input features.
        spread: standard deviation of a class in each direction.
        classes: number of classes of each split.

    Raises:
        ValueError: there is no such way of labelling, or there are too few classes.
    """
    check_whole(2, ways=ways)
    check_whole(1, shots=shots, queries=queries)
    check_finite(least=0, spread=spread)

    def family(split, num_tasks):
        where, which = tf.unstack(tf.random.split(split_seed(split), 2))
        means = tf.random.stateless_normal([classes, features], where)
        members = draw_members(num_tasks, classes, ways, labels, which)
        return Clusters(means, members, shots, queries, spread)

    return Problem(
        description=f"which of {ways} Gaussian clusters a point is of; {labels} labels",
        train=family(TRAIN, 20_000),
        validation=family(VALIDATION, 2000),
        test=family(TEST, 2000),
        head=CategoricalHead(ways),
        build_networks=functools.partial(mlp_networks, features, hidden=(64, 64)),
        label_transform=LabelPermutation(ways),
        metrics=(ACCURACY,),
        mutually_exclusive=labels == "shuffled",
    )

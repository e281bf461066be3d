"""Few-shot classification of clusters, and models of it in closed form.

Each class is a point in R^d; inputs scatter around it. A task takes some classes and numbers them.
In training with fixed numbers a class always has the same one, so that it can be memorized.
"""

import dataclasses
import functools

import numpy as np
from scipy.special import softmax

from maml.diagnostics.sampling import Task


@dataclasses.dataclass(frozen=True)
class Classification:
    """Tasks of ``ways`` classes.

    Attributes:
        ways: classes of a task.
        shots: inputs of a class in a support set.
        queries: queries of a class.
        scatter: deviation of inputs around their class, over that between classes.
        dim: features of an input.
        training_classes: number of classes to train on.
        fixed: whether a training class has the same number in each task.
        seed: of the classes.
    """

    ways: int = 5
    shots: int = 3
    queries: int = 3
    scatter: float = 0.4
    dim: int = 12
    training_classes: int = 40
    fixed: bool = True
    seed: int = 0

    @functools.cached_property
    def centers(self) -> np.ndarray:
        """Of the training classes, [training_classes, dim]."""
        return np.random.default_rng([self.seed, 1]).standard_normal(
            [self.training_classes, self.dim]
        )

    def _task(self, centers, rng) -> Task:
        def draw(per_class):
            labels = np.repeat(np.arange(self.ways), per_class)
            x = centers[labels] + self.scatter * rng.standard_normal([len(labels), self.dim])
            return x, np.eye(self.ways)[labels]

        return Task(*draw(self.shots), *draw(self.queries))

    def training(self, count: int, seed: int) -> list[Task]:
        """Episodes of training classes."""
        rng = np.random.default_rng([seed, 3])
        tasks = []
        for _ in range(count):
            if self.fixed:
                # Class c has the number c modulo ways.
                rows = rng.integers(0, self.training_classes // self.ways, self.ways)
                chosen = rows * self.ways + np.arange(self.ways)
            else:
                chosen = rng.choice(self.training_classes, self.ways, replace=False)
            tasks.append(self._task(self.centers[chosen], rng))
        return tasks

    def new(self, count: int, seed: int) -> list[Task]:
        """Episodes of classes that are not trained on."""
        rng = np.random.default_rng([seed, 4])
        return [self._task(rng.standard_normal([self.ways, self.dim]), rng) for _ in range(count)]

    # -- models: (support_x, support_y, query_x) -> probabilities [queries, ways]

    def prototypes(self, support_x, support_y, query_x):
        """The nearest class mean of the support set: it adapts to every task."""
        means = support_y.T @ support_x / np.maximum(support_y.sum(0)[:, np.newaxis], 1)
        return self._by_distance(query_x, means)

    def memorized(self, support_x, support_y, query_x):
        """The number of the nearest training class: it reads no support set."""
        distance = _square_distance(query_x, self.centers)
        return np.eye(self.ways)[np.argmin(distance, axis=1) % self.ways]

    def neighbours(self, support_x, support_y, query_x):
        """The nearest input of the support set: it adapts to every task."""
        return support_y[np.argmin(_square_distance(query_x, support_x), axis=1)]

    def recognized(self, support_x, support_y, query_x):
        """Matches support and queries by the training class that each is taken for.

        It reads the labels of the support set, and is lost with classes that it does not know.
        """
        known, asked = self._recognize(support_x), self._recognize(query_x)
        same = (asked[:, np.newaxis] == known) & (known >= 0)
        votes = same @ support_y + 1e-6
        return votes / votes.sum(1, keepdims=True)

    def _recognize(self, x):
        """The training class of inputs; -1 of those that are far from all."""
        distance = _square_distance(x, self.centers)
        near = distance.min(1) < 2 * self.dim * self.scatter**2
        return np.where(near, np.argmin(distance, axis=1), -1)

    def uniform(self, support_x, support_y, query_x):
        """All classes alike."""
        return np.full([len(query_x), self.ways], 1 / self.ways)

    def first(self, support_x, support_y, query_x):
        """Always the first class."""
        return np.tile(np.eye(self.ways)[0], [len(query_x), 1])

    def _by_distance(self, query_x, means):
        return softmax(-_square_distance(query_x, means), axis=1)


def _square_distance(a, b):
    return np.sum((a[:, np.newaxis] - b) ** 2, axis=-1)

"""Regression tasks that are linear in known features, and models of them in closed form.

A task is a vector w: y = phi(u) . w + noise, with an input x = (u, code). In training the code
names the task; a new task has a new code. Raventos et al. 2023 (arXiv 2306.15063) study phi(u) = u
without a code: ridge regression is the best answer to new tasks, the posterior mean over the
training vectors the best one to training tasks.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from scipy.special import softmax

from maml.diagnostics.sampling import Task


def _identity(u):
    return u


def _fourier(u):
    harmonics = np.arange(1, 5) * u
    return np.concatenate([np.sin(harmonics), np.cos(harmonics)], axis=-1)


def _legendre(u):
    return np.polynomial.legendre.legvander(u[..., 0], 7) * np.sqrt(2 * np.arange(8) + 1)


FEATURES: dict[str, tuple[Callable, int, float]] = {
    "linear": (_identity, 8, np.sqrt(3)),
    "sinusoids": (_fourier, 1, np.pi),
    "polynomials": (_legendre, 1, 1.0),
}
"""Family -> features [n, 8] of u [n, dim], its ``dim``, and the range of u."""

WEIGHTS = 8
CODE = 4


@dataclasses.dataclass(frozen=True)
class Regression:
    """Tasks of one family.

    Attributes:
        family: one of :data:`FEATURES`.
        noise: deviation of the labels' noise, over that of the labels.
        shots: points of a support set.
        queries: queries of a task.
        training_tasks: number of training tasks.
        unit: that all labels are multiplied by.
        alike: whether all tasks, new ones too, are the first training task.
        seed: of the training tasks.
    """

    family: str
    noise: float = 0.1
    shots: int = 16
    queries: int = 16
    training_tasks: int = 16
    unit: float = 1.0
    alike: bool = False
    seed: int = 0

    @functools.cached_property
    def vectors(self) -> np.ndarray:
        """Vectors of the training tasks, [training_tasks, 8], of unit length on average."""
        rng = np.random.default_rng([self.seed, 1])
        vectors = rng.standard_normal([self.training_tasks, WEIGHTS]) / np.sqrt(WEIGHTS)
        return np.tile(vectors[0], [self.training_tasks, 1]) if self.alike else vectors

    @functools.cached_property
    def codes(self) -> np.ndarray:
        """Codes of the training tasks, [training_tasks, 4]."""
        rng = np.random.default_rng([self.seed, 2])
        return rng.standard_normal([self.training_tasks, CODE])

    def features(self, x: np.ndarray) -> np.ndarray:
        """phi of inputs [n, dim + 4], [n, 8]."""
        make, dim, _ = FEATURES[self.family]
        return make(x[..., :dim])

    def code(self, x: np.ndarray) -> np.ndarray:
        """The code in inputs, [n, 4]."""
        return x[..., FEATURES[self.family][1] :]

    def _task(self, vector, code, rng) -> Task:
        _, dim, reach = FEATURES[self.family]
        n = self.shots + self.queries
        u = rng.uniform(-reach, reach, [n, dim])
        x = np.concatenate([u, np.tile(code, [n, 1])], axis=-1)
        y = self.features(x) @ vector + self.noise * rng.standard_normal(n)
        y = self.unit * y
        return Task(x[: self.shots], y[: self.shots], x[self.shots :], y[self.shots :])

    def training(self, count: int, seed: int) -> list[Task]:
        """Episodes of training tasks, in turn."""
        rng = np.random.default_rng([seed, 3])
        indices = [index % self.training_tasks for index in range(count)]
        return [self._task(self.vectors[i], self.codes[i], rng) for i in indices]

    def new(self, count: int, seed: int) -> list[Task]:
        """Episodes of tasks that are not trained on."""
        rng = np.random.default_rng([seed, 4])
        vectors = rng.standard_normal([count, WEIGHTS]) / np.sqrt(WEIGHTS)
        if self.alike:
            vectors[:] = self.vectors[0]
        codes = rng.standard_normal([count, CODE])
        return [self._task(*task, rng) for task in zip(vectors, codes, strict=True)]

    # -- models: (support_x, support_y, query_x) -> mean [queries]

    def ridge(self, support_x, support_y, query_x):
        """The posterior mean for vectors of a normal distribution: it adapts to every task."""
        phi = self.features(support_x)
        penalty = max(self.noise, 1e-3) ** 2 * WEIGHTS
        vector = np.linalg.solve(
            phi.T @ phi + penalty * np.eye(WEIGHTS), phi.T @ (support_y / self.unit)
        )
        return self.unit * self.features(query_x) @ vector

    def posterior(self, support_x, support_y, query_x):
        """The posterior mean over the training vectors: it knows no other task."""
        residuals = support_y / self.unit - self.vectors @ self.features(support_x).T
        log_likelihood = -0.5 * np.sum(residuals**2, axis=1) / max(self.noise, 1e-3) ** 2
        vector = softmax(log_likelihood) @ self.vectors
        return self.unit * self.features(query_x) @ vector

    def look_up(self, support_x, support_y, query_x):
        """The training task whose code is nearest to the query's: it reads no support set."""
        distance = np.sum((self.code(query_x)[:, np.newaxis] - self.codes) ** 2, axis=-1)
        vectors = self.vectors[np.argmin(distance, axis=1)]
        return self.unit * np.sum(self.features(query_x) * vectors, axis=-1)

    def look_up_of_support(self, support_x, support_y, query_x):
        """The training task whose code is nearest to the support's inputs: it reads no labels."""
        inputs = np.concatenate(
            [query_x[:, :-CODE], np.tile(self.code(support_x)[0], [len(query_x), 1])], axis=-1
        )
        return self.look_up(support_x, support_y, inputs)

    @functools.cached_property
    def _memory(self) -> tuple[np.ndarray, np.ndarray]:
        tasks = [task for turn in range(4) for task in self.training(self.training_tasks, turn)]
        return (
            np.concatenate([task.support_x for task in tasks]),
            np.concatenate([task.support_y for task in tasks]),
        )

    def memory_of_points(self, support_x, support_y, query_x):
        """Nearest neighbours among all training points, code included: it reads no support set."""
        x, y = self._memory
        weight = np.concatenate([np.ones(query_x.shape[1] - CODE), np.full(CODE, 5.0)])
        return _nearest(x * weight, y, query_x * weight, 3)

    def neighbours_in_support(self, support_x, support_y, query_x):
        """Nearest neighbours in the support set: it adapts to every task."""
        return _nearest(support_x, support_y, query_x, 2)

    def constant(self, support_x, support_y, query_x):
        """The mean of all labels."""
        return np.zeros(len(query_x))


def _nearest(x, y, queries, count):
    """Mean label of the ``count`` nearest of some points."""
    distance = np.sum(queries**2, axis=1)[:, np.newaxis] + np.sum(x**2, axis=1) - 2 * queries @ x.T
    return y[np.argpartition(distance, count, axis=1)[:, :count]].mean(1)


def mixture(learner: Callable, memory: Callable, share: float) -> Callable:
    """A model whose answer is ``share`` of a learner's and the rest of a memory's."""

    def predict(support_x, support_y, query_x):
        arguments = (support_x, support_y, query_x)
        return share * learner(*arguments) + (1 - share) * memory(*arguments)

    return predict


def noisy(model: Callable, deviation: float, bias: float = 0.0) -> Callable:
    """A model with an error of its own: one number for all queries of a call, and one for each."""

    def predict(support_x, support_y, query_x):
        answer = model(support_x, support_y, query_x)
        key = np.frombuffer(np.ascontiguousarray(query_x).tobytes(), np.uint32)
        rng = np.random.default_rng(key[:64])
        return answer + bias + deviation * rng.standard_normal(answer.shape)

    return predict


def with_deviation(model: Callable, deviation: float) -> Callable:
    """A model that answers a mean and a deviation."""

    def predict(support_x, support_y, query_x):
        mean = model(support_x, support_y, query_x)
        return mean, np.full_like(mean, deviation)

    return predict


def sampled(model: Callable, deviation: float, count: int = 40) -> Callable:
    """A model that answers samples."""

    def predict(support_x, support_y, query_x):
        mean = model(support_x, support_y, query_x)
        noise = np.random.default_rng(0).standard_normal([count, *mean.shape])
        return mean + deviation * noise

    return predict

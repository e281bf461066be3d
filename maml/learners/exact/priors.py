"""What is known of tasks that are functions with noise, for learners that predict by it exactly."""

import abc
import math

import tensorflow as tf

from maml.core.checks import check_finite, check_whole
from maml.core.serialization import Configured
from mine.reporting.processes import resources

MANY = 1_000_000
"""Training tasks where there are infinitely many, as good as: none is drawn twice."""


class TaskPrior(Configured, abc.ABC):
    """Tasks y = f(x) + e with e ~ N(0, noise^2), and the distribution of f.

    Args:
        noise: standard deviation of the noise in every label; positive, since exact predictions
            have no density without it.
        train_tasks: number of training tasks; 0: :data:`MANY`.
        train_seed: stateless seed, a pair of numbers, that the training tasks are drawn with.

    Raises:
        ValueError: ``noise`` is not positive, or ``train_tasks`` is negative.
    """

    inputs = 1
    """Number of features of an input."""

    def __init__(self, noise: float, train_tasks: int = 0, train_seed: tuple[int, int] = (0, 0)):
        check_finite(above=0, noise=noise)
        check_whole(0, train_tasks=train_tasks)
        resources.require("train_tasks", train_tasks, 16.0 * train_tasks)
        self.noise, self.train_tasks, self.train_seed = noise, train_tasks, tuple(train_seed)

    @abc.abstractmethod
    def draw(self, num_tasks: int, seed) -> tf.Tensor:
        """Parameters of tasks, [tasks, parameters]; ``seed`` is a stateless seed [2]."""

    @abc.abstractmethod
    def values(self, parameters, x) -> tf.Tensor:
        """Labels without noise.

        Args:
            parameters: of functions, [..., functions, parameters].
            x: inputs [..., n, inputs], whose leading axes broadcast with those of the parameters.

        Returns:
            Of each function at each input, [..., n, functions].
        """

    def training_parameters(self) -> tf.Tensor:
        """The parameters of all training tasks, [tasks, parameters]."""
        return self.draw(self.train_tasks or MANY, tf.constant(self.train_seed, tf.int32))

    def grid(self, points: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Functions that cover the distribution, and the logarithms of their probabilities.

        Args:
            points: along each parameter.

        Returns:
            Parameters [functions, parameters], and log-probabilities [functions].

        Raises:
            ValueError: there are too many parameters for a grid.
        """
        raise ValueError(
            "Invalid tasks for grid_posterior: expected functions of two parameters, such as those "
            f"of the task sinusoid_or_line; received {type(self).__name__}. Use another learner."
        )


class LinearPrior(TaskPrior):
    """f(x) = w . x with w ~ N(0, I) (Raventos et al. 2023, arXiv 2306.15063, section 2).

    Args:
        inputs: number of features D of an input.
        noise: as of :class:`TaskPrior`.
        train_tasks: as of :class:`TaskPrior`.
        train_seed: as of :class:`TaskPrior`.

    Raises:
        ValueError: as of :class:`TaskPrior`, or ``inputs`` is less than 1.
    """

    def __init__(
        self,
        inputs: int,
        noise: float,
        train_tasks: int = 0,
        train_seed: tuple[int, int] = (0, 0),
    ):
        super().__init__(noise, train_tasks, train_seed)
        check_whole(1, inputs=inputs)
        largest = max(("inputs", inputs), ("train_tasks", train_tasks), key=lambda of: of[1])
        resources.require(*largest, 4.0 * inputs * (train_tasks or MANY))
        self.inputs = inputs

    def draw(self, num_tasks, seed):
        return tf.random.stateless_normal([num_tasks, self.inputs], seed)

    def values(self, parameters, x):
        return tf.matmul(x, tf.cast(parameters, x.dtype), transpose_b=True)


class SinusoidOrLinePrior(TaskPrior):
    """f is a sinusoid or a line, one as likely as the other (Finn et al. 2018, section 5).

    f(x) = A sin(x - p) with A uniform in [0.1, 5] and p in [0, pi], or a x + b with a and b uniform
    in [-3, 3]. A few noisy points may fit both.
    """

    RANGES = (((0.1, 5.0), (0.0, math.pi)), ((-3.0, 3.0), (-3.0, 3.0)))
    """Of the two parameters, of sinusoids and of lines."""

    def draw(self, num_tasks, seed):
        """As of the base: columns are 1 for a line, else 0, and the two parameters."""
        kind, *places = tf.unstack(tf.random.stateless_uniform([3, num_tasks], seed))
        line = tf.cast(kind < 0.5, tf.float32)
        return tf.stack([line, *self._parameters(line, places)], axis=-1)

    def _parameters(self, line, places) -> list[tf.Tensor]:
        """Both parameters from their places in [0, 1] of their ranges."""
        return [
            tf.where(line > 0, *(low + (high - low) * place for low, high in (of_line, of_sine)))
            for place, of_sine, of_line in zip(places, *self.RANGES, strict=True)
        ]

    def values(self, parameters, x):
        parameters = tf.cast(parameters, x.dtype)[..., tf.newaxis, :, :]
        line, first, second = tf.unstack(parameters, axis=-1)
        return tf.where(line > 0, first * x + second, first * tf.sin(x - second))

    def grid(self, points):
        middles = (tf.range(points, dtype=tf.float32) + 0.5) / points
        places = [tf.reshape(of, [-1]) for of in tf.meshgrid(middles, middles, indexing="ij")]
        kinds = [
            tf.stack([line, *self._parameters(line, places)], axis=-1)
            for line in (tf.zeros_like(places[0]), tf.ones_like(places[0]))
        ]
        parameters = tf.concat(kinds, axis=0)
        count = parameters.shape[0]
        return parameters, tf.fill([count], -math.log(count))

"""Regression of functions of many shapes; those of the test may differ from those of training."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from maml.core.checks import check_finite, check_sizes, check_whole
from maml.core.episodes import Episode, TaskFamily
from maml.core.label_transforms import LabelScale
from maml.core.options import parameters
from maml.core.registry import TASKS, Registry
from maml.distributions.metrics import MSE
from maml.distributions.normal import NormalHead
from maml.learners.exact.priors import MANY
from maml.nn.mlp import mlp_networks
from maml.tasks.function_plots import FunctionProblem
from maml.tasks.problem import TEST, TRAIN, VALIDATION, Problem, split_seed
from mine.reporting.processes import resources

# A shape is a function of theta = w x - p, and of coefficients if it has more arguments: these are
# drawn for each task, uniform in [-1, 1]. |f| <= 1, so the amplitude is what the word says. Waves
# have the period 2 pi and are in phase with the sine: they go up through 0 at theta = 0. A linear
# function or a polynomial is within 1 for |theta| <= REACH, where the default ranges end.
SHAPES = Registry("shape")
REACH = 5.0 + math.pi


def wrapped(theta) -> tf.Tensor:
    """``theta`` less whole turns, in [-pi, pi)."""
    return tf.math.floormod(theta + math.pi, 2 * math.pi) - math.pi


@SHAPES.register("sine")
def sine(theta):
    """f = sin(theta). Mean square 1/2."""
    return tf.sin(theta)


@SHAPES.register("square")
def square(theta):
    """f = 1 in the first half of each period, -1 in the second. Mean square 1."""
    return step(wrapped(theta))


@SHAPES.register("triangle")
def triangle(theta):
    """f = 2 / pi arcsin(sin(theta)): straight between -1 and 1. Mean square 1/3."""
    return 1.0 - tf.abs(wrapped(theta - math.pi / 2)) * (2 / math.pi)


@SHAPES.register("sawtooth")
def sawtooth(theta):
    """f = theta / pi within half a period of 0, where it falls from 1 to -1. Mean square 1/3."""
    return wrapped(theta) / math.pi


@SHAPES.register("harmonics")
def harmonics(theta, c1, c2, c3):
    """``f = sum of c_k sin(k theta) / sum of |c_k|, k = 1, 2, 3``."""
    waves = c1 * tf.sin(theta) + c2 * tf.sin(2.0 * theta) + c3 * tf.sin(3.0 * theta)
    return waves / (tf.abs(c1) + tf.abs(c2) + tf.abs(c3))


@SHAPES.register("damped_sine")
def damped_sine(theta):
    """``f = exp(-|theta| / 2 pi) sin(theta)``: dies out to both sides, by e in each period."""
    return tf.exp(-tf.abs(theta) / (2 * math.pi)) * tf.sin(theta)


@SHAPES.register("polynomial")
def polynomial(theta, c0, c1, c2, c3):
    """``f = sum of c_k (theta / REACH)^k / sum of |c_k|, k = 0 to 3``."""
    value = tf.math.polyval([c3, c2, c1, c0], theta / REACH)
    return value / (tf.abs(c0) + tf.abs(c1) + tf.abs(c2) + tf.abs(c3))


@SHAPES.register("step")
def step(theta):
    """f = -1 below 0, else 1. Mean square 1."""
    return tf.where(theta < 0, -1.0, 1.0)


@SHAPES.register("linear")
def linear(theta):
    """f = theta / REACH."""
    return theta / REACH


class Functions(TaskFamily):
    """y = A f(w x - p) + noise, x uniform in a range: A, p, w and f's coefficients for each task.

    Args:
        shape: f, a name of :data:`SHAPES`.
        amplitude: A of each task, in the labels' unit, [tasks].
        phase: p of each task in radians, [tasks].
        frequency: w of each task in radians per unit of x, [tasks].
        coefficients: what f takes besides w x - p, each [tasks].
        shots: support points an episode.
        queries: query points an episode.
        noise: standard deviation of the noise in every label, the queries' too.
        x_range: the lowest and the highest x.
        code: what stands beside x in all inputs of a task, [tasks, features]; None for nothing.

    Raises:
        ValueError: there is no such shape.
    """

    def __init__(
        self,
        shape: str,
        amplitude,
        phase,
        frequency,
        coefficients: Sequence,
        shots: int,
        queries: int,
        noise: float = 0.0,
        x_range: Sequence[float] = (-5.0, 5.0),
        code=None,
    ):
        self.shape, self.function = shape, SHAPES[shape]
        self.amplitude, self.phase = tf.constant(amplitude), tf.constant(phase)
        self.frequency = tf.constant(frequency)
        self.coefficients = [tf.constant(values) for values in coefficients]
        self.num_tasks = self.amplitude.shape[0]
        self.shots, self.queries, self.noise, self.x_range = shots, queries, noise, x_range
        self.code = tf.zeros([self.num_tasks, 0]) if code is None else tf.constant(code)

    def true_labels(self, tasks, x) -> tf.Tensor:
        """Labels without noise, at any x: what an oracle answers, and the curve to plot.

        Errors on two shapes compare when each is divided by the mean square of these.

        Args:
            tasks: int32 [batch], each in [0, num_tasks).
            x: inputs [batch, points, features]; only the first feature is read. A batch of 1 gives
                all tasks the same inputs.

        Returns:
            A f(w x - p), [batch, points, 1].
        """
        amplitude, phase, frequency, *coefficients = (
            tf.gather(values, tasks)[:, tf.newaxis, tf.newaxis]
            for values in (self.amplitude, self.phase, self.frequency, *self.coefficients)
        )
        return amplitude * self.function(frequency * x[..., :1] - phase, *coefficients)

    def episodes(self, tasks, seed):
        where, how = tf.unstack(tf.random.split(seed, 2))
        shape = [tf.shape(tasks)[0], self.shots + self.queries, 1]
        x = tf.random.stateless_uniform(shape, where, *self.x_range)
        y = self.true_labels(tasks, x) + self.noise * tf.random.stateless_normal(shape, how)
        code = tf.gather(self.code, tasks)[:, tf.newaxis]
        x = tf.concat([x, tf.repeat(code, shape[1], axis=1)], axis=-1)
        k = self.shots
        return Episode(x[:, :k], y[:, :k], x[:, k:], y[:, k:])


@dataclasses.dataclass(frozen=True)
class FunctionRange:
    """Which functions are drawn. The defaults are the sinusoids of MAML.

    ``dataclasses.replace(base, amplitude=(5.0, 10.0))`` is a perturbation of ``base``, and drawn
    with one seed, task i of both is the same but for what was perturbed.

    Attributes:
        shape: f, a name of :data:`SHAPES`.
        amplitude: the least and the greatest A, in the labels' unit.
        phase: the least and the greatest p, in radians.
        frequency: the least and the greatest w, in radians per unit of x.
        noise: standard deviation of the noise in every label.
        x_range: the lowest and the highest x.

    Raises:
        ValueError: there is no such shape, a range is no (low, high), or the noise is negative.
    """

    shape: str = "sine"
    amplitude: Sequence[float] = (0.1, 5.0)
    phase: Sequence[float] = (0.0, math.pi)
    frequency: Sequence[float] = (1.0, 1.0)
    noise: float = 0.0
    x_range: Sequence[float] = (-5.0, 5.0)

    def __post_init__(self):
        SHAPES[self.shape]  # Refuses a name that is none.
        for name in ("amplitude", "phase", "frequency", "x_range"):
            ends = getattr(self, name)
            if np.shape(ends) != (2,) or not -math.inf < ends[0] <= ends[1] < math.inf:
                raise ValueError(
                    f"Invalid value for `{name}`: expected a range (low, high) of finite numbers; "
                    f"received {ends!r:.80}."
                )
            check_sizes(name, *ends)
            check_sizes(name, ends[1] - ends[0])
        check_finite(least=0, noise=self.noise)

    @property
    def coefficients(self) -> int:
        """How many coefficients the shape has."""
        return len(parameters(SHAPES[self.shape])) - 1

    def draw(self, num_tasks: int, shots: int, queries: int, seed, told=False) -> Functions:
        """Draws tasks, whose parameters are uniform in their ranges.

        Args:
            num_tasks: number of tasks.
            shots: support points an episode.
            queries: query points an episode.
            seed: stateless seed [2] of the parameters.
            told: whether amplitude, phase and frequency stand beside x in all inputs.
        """
        numbers = 3 + self.coefficients
        # As they are drawn, one by one, and in their ranges.
        resources.require("train_tasks", num_tasks, 3 * 4.0 * numbers * num_tasks)
        draws = tf.random.stateless_uniform([numbers, num_tasks], seed)
        amplitude, phase, frequency, *coefficients = (
            low + (high - low) * values
            for (low, high), values in zip(
                [self.amplitude, self.phase, self.frequency] + [(-1.0, 1.0)] * self.coefficients,
                tf.unstack(draws),
                strict=True,
            )
        )
        return Functions(
            self.shape,
            amplitude,
            phase,
            frequency,
            coefficients,
            shots,
            queries,
            self.noise,
            self.x_range,
            tf.stack([amplitude, phase, frequency], axis=1) if told else None,
        )


@TASKS.register("functions")
def functions(
    shots: int = 10,
    queries: int = 10,
    shape: str = "sine",
    amplitude: Sequence[float] = (0.1, 5.0),
    phase: Sequence[float] = (0.0, math.pi),
    frequency: Sequence[float] = (1.0, 1.0),
    noise: float = 0.0,
    x_range: Sequence[float] = (-5.0, 5.0),
    test_shape: str | None = None,
    test_amplitude: Sequence[float] | None = None,
    test_phase: Sequence[float] | None = None,
    test_frequency: Sequence[float] | None = None,
    test_noise: float | None = None,
    test_x_range: Sequence[float] | None = None,
    told: bool = False,
    train_tasks: int = 0,
) -> Problem:
    """Functions y = A f(w x - p) + noise, tested on others than those that were trained.

    A million training tasks, or fewer; 2,000 others of the same ranges for validation; 2,000
    others, of the test's ranges, for the test. The defaults are the sinusoids of MAML. Whatever the
    ranges, task i of the test has its place in them (its quantile), so tests of two ranges are
    paired.

    Args:
        shots: support points an episode.
        queries: query points an episode.
        shape: f, a name of :data:`SHAPES`.
        amplitude: the least and the greatest A, in the labels' unit.
        phase: the least and the greatest p, in radians.
        frequency: the least and the greatest w, in radians per unit of x.
        noise: standard deviation of the noise in every label.
        x_range: the lowest and the highest x.
        test_shape: the test's shape; this and the others are as in training where None.
        test_amplitude: the test's range of A.
        test_phase: the test's range of p.
        test_frequency: the test's range of w.
        test_noise: the test's standard deviation of noise.
        test_x_range: the test's range of x.
        told: whether amplitude, phase and frequency stand beside x in all inputs: then a network
            needs no support set, and shows what can be reached at all (an oracle).
        train_tasks: number of training tasks; 0 for a million. Bayesian MAML (Yoon et al. 2018,
            arXiv 1806.03836, section 5.1) has 100 and 1,000, with phase=(0, 2 pi), frequency=(0.5,
            2), and noise of 0.01 A, for which ``noise`` has one value for all amplitudes.

    Raises:
        ValueError: there is no such shape, a range is no (low, high), a noise or a number of tasks
            is negative, or there are no shots or queries.
    """
    check_whole(1, shots=shots, queries=queries)
    check_whole(0, train_tasks=train_tasks)
    trained = FunctionRange(shape, amplitude, phase, frequency, noise, x_range)
    changes = {
        "shape": test_shape,
        "amplitude": test_amplitude,
        "phase": test_phase,
        "frequency": test_frequency,
        "noise": test_noise,
        "x_range": test_x_range,
    }
    try:
        tested = dataclasses.replace(trained, **{k: v for k, v in changes.items() if v is not None})
    except ValueError as error:  # What was trained is right, so it is one of the changes.
        raise ValueError(str(error).replace("`", "`test_", 1)) from error
    varied = any(low < high for low, high in (amplitude, phase, frequency))
    return FunctionProblem(
        description=f"y = A {shape}(w x - p); A, p and w are those of the task",
        train=trained.draw(train_tasks or MANY, shots, queries, split_seed(TRAIN), told),
        validation=trained.draw(2000, shots, queries, split_seed(VALIDATION), told),
        test=tested.draw(2000, shots, queries, split_seed(TEST), told),
        head=NormalHead(),
        build_networks=functools.partial(mlp_networks, 4 if told else 1),
        label_transform=LabelScale(),
        metrics=(MSE,),
        mutually_exclusive=train_tasks != 1 and ((varied and not told) or trained.coefficients > 0),
    )

"""Sinusoids and lines: regression that a few points leave ambiguous."""

import functools

import tensorflow as tf

from maml.core.registry import TASKS
from maml.learners.exact.priors import SinusoidOrLinePrior
from maml.tasks.exact.known import known_problem, train_seed
from maml.tasks.function_plots import FunctionProblem
from maml.tasks.problem import Problem


@TASKS.register("sinusoid_or_line")
def sinusoid_or_line(
    shots: int = 5, queries: int = 10, noise: float = 0.3, train_tasks: int = 0
) -> Problem:
    """Ambiguous regression (Finn et al. 2018, arXiv 1806.02817, section 5).

    Half of the tasks are sinusoids A sin(x - p), with A uniform in [0.1, 5] and p in [0, pi], the
    others lines a x + b with a and b uniform in [-3, 3]; x is uniform in [-5, 5]. A few noisy
    points may fit both, so that the best prediction has two modes: that of the learner
    ``grid_posterior``, exact Bayes. 2,000 tasks each for validation and test.

    Args:
        shots: support points an episode.
        queries: query points an episode.
        noise: standard deviation of the noise in every label.
        train_tasks: number of training tasks; 0 for a million.

    Raises:
        ValueError: a number is too small.
    """
    return known_problem(
        FunctionProblem,
        "y = A sin(x - p) or y = a x + b, each with noise",
        SinusoidOrLinePrior(noise, train_tasks, train_seed()),
        shots,
        queries,
        functools.partial(tf.random.stateless_uniform, minval=-5.0, maxval=5.0),
    )

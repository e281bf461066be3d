"""Linear regression, of which the exact memorizer and the exact learner are known."""

import tensorflow as tf

from maml.core.registry import TASKS
from maml.learners.exact.priors import LinearPrior
from maml.tasks.exact.known import known_problem, train_seed
from maml.tasks.problem import Problem


@TASKS.register("linear_regression")
def linear_regression(
    inputs: int = 8,
    shots: int = 16,
    queries: int = 10,
    noise: float = 0.5,
    train_tasks: int = 0,
) -> Problem:
    """Linear regression (Raventos et al. 2023, arXiv 2306.15063, section 2).

    y = w . x + noise, with x and w standard normal. With few training vectors w the best answer to
    training tasks is that of the learner ``posterior_over_tasks``, which memorizes the vectors; the
    best answer to new tasks is always that of the learner ``ridge``. 2,000 tasks each for
    validation and test, of new vectors.

    Args:
        inputs: number of features D of an input.
        shots: support points an episode, K.
        queries: query points an episode.
        noise: standard deviation of the noise in every label.
        train_tasks: number of training vectors M; 0 for a million.

    Raises:
        ValueError: a number is too small.
    """
    prior = LinearPrior(inputs, noise, train_tasks, train_seed())
    many = f"{train_tasks} training vectors" if train_tasks else "as many vectors as one likes"
    return known_problem(
        Problem,
        f"y = w . x + noise, of {many}",
        prior,
        shots,
        queries,
        tf.random.stateless_normal,
    )

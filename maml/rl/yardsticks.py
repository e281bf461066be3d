"""What is possible with the same experience: posterior sampling, and models that are estimated."""

import numpy as np

from maml.rl.environment import Environment
from maml.rl.environments.bandits import Bandit
from maml.rl.environments.tabular import TabularMDP
from maml.rl.trajectories import collect


def random_returns(environment: Environment, tasks: np.ndarray, seed: int = 0) -> float:
    """Mean return of actions that are uniform, or N(0, 1), in some tasks [tasks, task_dim]."""
    return float(_random(environment, tasks, 20, seed).returns().mean())


def with_experience(environment, tasks: np.ndarray, trajectories: int, seed: int = 0) -> float:
    """Mean expected return of the best that is known of a plan, after some trajectories.

    * Bandits: as many pulls by Thompson sampling (Thompson 1933), with the prior that tasks are
      drawn from (for Gaussian rewards N(1/2, 1/12), its mean and variance); then the arm of the
      greatest posterior mean.
    * Tabular MDPs: as many trajectories of random actions, posterior means of rewards and
      transitions under the prior that tasks are drawn from, and value iteration on these.

    Args:
        environment: a :class:`Bandit` or a :class:`TabularMDP`.
        tasks: [tasks, task_dim].
        trajectories: experience of each task.
        seed: of all that is random.

    Raises:
        ValueError: it is another environment.
    """
    if isinstance(environment, Bandit):
        return _thompson(environment, tasks, trajectories, np.random.default_rng(seed))
    if isinstance(environment, TabularMDP):
        return _estimated(environment, tasks, trajectories, seed)
    raise ValueError(
        f"Invalid value for `environment`: expected a Bandit or a TabularMDP; received a "
        f"{type(environment).__name__}."
    )


def _thompson(environment, tasks, pulls, rng) -> float:
    wins, counts = np.zeros([2, *tasks.shape])
    rows = np.arange(len(tasks))

    def posterior():
        if not environment.gaussian:
            return wins + 1, counts - wins + 1
        precision = 12 + counts
        return (6 + wins) / precision, 1 / np.sqrt(precision)

    for _ in range(pulls):
        one, two = posterior()
        drawn = rng.normal(one, two) if environment.gaussian else rng.beta(one, two)
        arms = np.argmax(drawn, axis=-1)
        actions = np.eye(environment.action_dim)[arms]
        _, rewards, _ = environment.step(tasks, None, actions, rng)
        wins[rows, arms] += rewards
        counts[rows, arms] += 1
    one, two = posterior()
    means = one if environment.gaussian else one / (one + two)
    return float(tasks[rows, np.argmax(means, axis=-1)].mean())


def _estimated(environment, tasks, trajectories, seed) -> float:
    states, actions = environment.observation_dim, environment.action_dim
    made = _random(environment, tasks, trajectories, seed)
    sums, counts = np.zeros([2, len(tasks), states, actions])
    moves = np.ones([len(tasks), states, actions, states])  # Dirichlet(1).
    task = np.broadcast_to(np.arange(len(tasks))[:, None, None], made.rewards.shape)
    at, chosen = made.observations.argmax(-1), made.actions.argmax(-1)
    np.add.at(sums, (task, at, chosen), made.rewards)
    np.add.at(counts, (task, at, chosen), 1)
    np.add.at(moves, (task[..., :-1], at[..., :-1], chosen[..., :-1], at[..., 1:]), 1)
    means = (1 + sums) / (1 + counts)  # N(1, 1) is the prior of a mean, 1 the noise.
    following = moves / moves.sum(-1, keepdims=True)
    true_means, true_following = environment.tables(tasks)
    # The plan is made by the estimates, and its worth is that in the true task.
    planned, worth = np.zeros([2, len(tasks), states])
    for _ in range(environment.horizon):
        values = means + np.einsum("tsan,tn->tsa", following, planned)
        best = values.argmax(-1)[..., None]
        real = true_means + np.einsum("tsan,tn->tsa", true_following, worth)
        planned = np.take_along_axis(values, best, -1)[..., 0]
        worth = np.take_along_axis(real, best, -1)[..., 0]
    return float(worth[:, 0].mean())


def _random(environment, tasks, trajectories, seed):
    rng = np.random.default_rng(seed)
    size = environment.action_dim

    def act(observations, step):
        shape = observations.shape[:2]
        if environment.discrete:
            return np.eye(size)[rng.integers(size, size=shape)]
        return rng.standard_normal([*shape, size])

    return collect(environment, tasks, trajectories, act, rng)

"""Bandits: one pull a trajectory, so a task's support set is a number of pulls."""

import numpy as np

from maml.core.checks import check_counts
from maml.rl.environment import Environment
from maml.rl.problem import register


@register("bandit", discount=0.95, adaptations=1)
class Bandit(Environment):
    """Arms with rewards of their own, in [0, 1] on average (Duan et al. 2016, arXiv 1611.02779).

    A task is the mean reward p of each arm, uniform in [0, 1]. The observation is a constant 0, and
    a trajectory is one pull.

    Args:
        arms: number of arms.
        gaussian: whether rewards are N(p, 1), instead of 1 with probability p and 0 otherwise.
    """

    observation_dim, discrete, horizon = 1, True, 1

    def __init__(self, arms: int = 5, gaussian: bool = False):
        check_counts(arms=arms)
        self.action_dim, self.gaussian = arms, gaussian

    def draw_tasks(self, count, rng):
        return rng.random([count, self.action_dim])

    def reset(self, tasks, rng):
        return np.zeros([len(tasks), 1])

    def observe(self, state):
        return state

    def step(self, tasks, state, actions, rng):
        means = np.sum(tasks * actions, axis=-1)
        if self.gaussian:
            rewards = means + rng.standard_normal(len(tasks))
        else:
            rewards = (rng.random(len(tasks)) < means).astype(float)
        return state, rewards, np.ones(len(tasks), bool)

    def optimum(self, tasks):
        return tasks.max(axis=-1)

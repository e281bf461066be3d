"""Small Markov decision processes with random rewards and transitions."""

import numpy as np

from maml.core.checks import check_counts
from maml.rl.environment import Environment
from maml.rl.problem import register


@register("tabular_mdp")
class TabularMDP(Environment):
    """Random tables (Duan et al. 2016, arXiv 1611.02779, section 3.2).

    A task is a mean reward m ~ N(1, 1) and a distribution P ~ Dirichlet(1) over next states, for
    each state and action; rewards are N(m, 1). Trajectories start in state 0, and the observation
    is the state, one-hot.

    Args:
        states: number of states.
        actions: number of actions.
        horizon: steps of a trajectory.
    """

    discrete = True

    def __init__(self, states: int = 10, actions: int = 5, horizon: int = 10):
        check_counts(states=states, actions=actions, horizon=horizon)
        self.observation_dim, self.action_dim, self.horizon = states, actions, horizon

    def draw_tasks(self, count, rng):
        states, actions = self.observation_dim, self.action_dim
        means = 1 + rng.standard_normal([count, states * actions])
        following = rng.dirichlet(np.ones(states), [count, states * actions])
        return np.concatenate([means, following.reshape(count, -1)], axis=1)

    def tables(self, tasks):
        """Mean rewards [tasks, states, actions], and chances of next states [..., states]."""
        states, actions = self.observation_dim, self.action_dim
        means = tasks[:, : states * actions].reshape(-1, states, actions)
        return means, tasks[:, states * actions :].reshape(-1, states, actions, states)

    def reset(self, tasks, rng):
        return np.zeros(len(tasks), int)

    def observe(self, state):
        return np.eye(self.observation_dim)[state]

    def step(self, tasks, state, actions, rng):
        means, following = self.tables(tasks)
        rows, action = np.arange(len(tasks)), np.argmax(actions, axis=-1)
        rewards = means[rows, state, action] + rng.standard_normal(len(tasks))
        reached = np.cumsum(following[rows, state, action], axis=-1)
        state = np.sum(rng.random([len(tasks), 1]) > reached[:, :-1], axis=-1)
        return state, rewards, np.zeros(len(tasks), bool)

    def optimum(self, tasks):
        """By value iteration over the finite horizon (Bellman 1957)."""
        means, following = self.tables(tasks)
        values = np.zeros([len(tasks), self.observation_dim])
        for _ in range(self.horizon):
            values = np.max(means + np.einsum("tsan,tn->tsa", following, values), axis=-1)
        return values[:, 0]

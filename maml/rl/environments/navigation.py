"""A point in the plane that has to find a goal."""

import numpy as np

from maml.core.checks import check_counts, check_finite
from maml.rl.environment import Environment
from maml.rl.problem import register

MOST = 0.1
"""The largest step in each coordinate."""

CLOSE = 0.01
"""Distance from the goal, in each coordinate, at which a trajectory ends."""


@register("navigation")
class Navigation(Environment):
    """2-D navigation (Finn et al. 2017, arXiv 1703.03400, section 5.3).

    A task is a goal, uniform in [-0.5, 0.5]^2. A point starts at (0, 0); the observation is where
    it is. The action is a velocity, in units of 0.1, clipped to [-1, 1]: as in the authors' code,
    where a normalized action of 1 is a step of 0.1. (With raw actions a policy of deviation 1 would
    make the largest step almost always.) The reward is minus the distance to the goal after the
    step: the distance, as in all code, where the paper says its square. A trajectory ends within
    0.01 of the goal in both coordinates.

    Args:
        horizon: steps of a trajectory, at most.
        reach: goals lie in [-reach, reach]^2.
    """

    observation_dim, action_dim, discrete, ends_early = 2, 2, False, True
    in_the_plane = True

    def __init__(self, horizon: int = 100, reach: float = 0.5):
        check_counts(horizon=horizon)
        check_finite(above=0, reach=reach)
        self.horizon, self.reach = horizon, reach

    def draw_tasks(self, count, rng):
        return rng.uniform(-self.reach, self.reach, [count, 2])

    def reset(self, tasks, rng):
        return np.zeros([len(tasks), 2])

    def observe(self, state):
        return state

    def step(self, tasks, state, actions, rng):
        state = state + MOST * np.clip(actions, -1, 1)
        away = state - tasks
        return state, -np.hypot(*away.T), np.all(np.abs(away) < CLOSE, axis=-1)

    def optimum(self, tasks):
        """The return of the straight line, each coordinate moving by the largest step."""
        total, state = np.zeros(len(tasks)), np.zeros_like(tasks)
        alive = np.ones(len(tasks), bool)
        for _ in range(self.horizon):
            state = state + np.clip(tasks - state, -MOST, MOST)
            away = state - tasks
            total -= np.where(alive, np.hypot(*away.T), 0)
            alive &= ~np.all(np.abs(away) < CLOSE, axis=-1)
        return total

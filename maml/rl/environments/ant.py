"""A four-legged robot that has to run in a direction, at a velocity, or to a goal."""

import numpy as np

from maml.rl.problem import register
from maml.rl.simulation.simulated import Simulated

SURVIVAL = 0.05
"""Reward of each step after which the ant has not fallen."""

LEAST, MOST = 0.2, 1.0
"""Heights of the torso, in metres, between which it has not fallen."""


class Ant(Simulated):
    """Gymnasium's Ant-v5 with another reward, without contact forces.

    The observation is the height, the attitude, and the angles and velocities of joints, 27
    numbers; the action is eight torques. A trajectory ends where the torso is lower than 0.2 m or
    higher than 1 m. Contact forces are neither observed nor a cost: as in the codes that followed
    the first one, where MuJoCo 2 gave none.
    """

    observation_dim, action_dim, ends_early = 27, 8, True
    model_name, hidden, control_cost = "ant", 2, 0.005

    def _upright(self, simulations):
        height = simulations.positions[:, 2]
        return (height >= LEAST) & (height <= MOST)


@register("ant_dir")
class AntDir(Ant):
    """An ant that has to run forward or backward (Finn et al. 2017, arXiv 1703.03400, 5.3).

    A task is a direction, 1 or -1, with equal probability. The reward is the velocity in that
    direction, in m/s, plus 0.05 for not having fallen, less 0.005 times the sum of squared actions:
    Gymnasium's Ant-v5 with these weights, and the authors' reward without contact forces. There are
    8 actions of size up to 1, a step is 0.05 s, and the horizon is 100 steps, 5 s (the authors: 200
    steps of 0.02 s). A trajectory ends where the torso is lower than 0.2 m or higher than 1 m.

    Args:
        horizon: steps of a trajectory, at most.
    """

    BEST = 2.6
    """Reward of a step that an oracle reaches: an estimate from the 524.8 in 200 steps of the
    authors' oracle."""

    def draw_tasks(self, count, rng):
        return rng.choice([-1.0, 1.0], [count, 1])

    def _reward(self, tasks, place, velocity, running):
        return tasks[:, 0] * velocity[:, 0] + SURVIVAL * running


@register("ant_vel")
class AntVel(Ant):
    """An ant that has to run at a velocity (Finn et al. 2017, arXiv 1703.03400, 5.3).

    A task is a velocity in m/s, uniform in [0, 3]. The reward is 1 less the distance of the
    velocity from it, plus 0.05 for not having fallen, less 0.005 times the sum of squared actions:
    the authors' reward without contact forces. There are 8 actions of size up to 1, a step is 0.05
    s, and the horizon is 100 steps, 5 s (the authors: 200 steps of 0.02 s). A trajectory ends where
    the torso is lower than 0.2 m or higher than 1 m.

    Args:
        horizon: steps of a trajectory, at most.
    """

    BEST = 0.54
    """Reward of a step that an oracle reaches: an estimate from the 107.9 in 200 steps of the
    authors' oracle."""

    def draw_tasks(self, count, rng):
        return rng.uniform(0, 3, [count, 1])

    def _reward(self, tasks, place, velocity, running):
        return 1 - np.abs(velocity[:, 0] - tasks[:, 0]) + SURVIVAL * running


@register("ant_goal")
class AntGoal(Ant):
    """An ant that has to run to a goal (the code of Finn et al. 2017, arXiv 1703.03400).

    A task is a goal (x, y) in metres, uniform in [-3, 3]^2. The reward is 4 less the distance from
    it, the sum of that in x and in y, plus 0.05 for not having fallen, less 0.005 times the sum of
    squared actions: the authors' reward without contact forces. There are 8 actions of size up to
    1, a step is 0.05 s, and the horizon is 100 steps, 5 s (the authors: 200 steps of 0.02 s). A
    trajectory ends where the torso is lower than 0.2 m or higher than 1 m.

    Args:
        horizon: steps of a trajectory, at most.
    """

    BEST = 2.6
    """Velocity in m/s at which an oracle runs to the goal: an estimate, that of "ant_dir"."""

    def draw_tasks(self, count, rng):
        return rng.uniform(-3, 3, [count, 2])

    def _reward(self, tasks, place, velocity, running):
        return 4 - np.sum(np.abs(place - tasks), axis=-1) + SURVIVAL * running

    def optimum(self, tasks):
        """The return of a run straight to the goal at the velocity ``BEST``, an estimate."""
        covered = self.BEST * self.physics.seconds * np.arange(1, self.horizon + 1)
        away = np.maximum(1 - covered / np.linalg.norm(tasks, axis=-1, keepdims=True), 0)
        distance = np.sum(np.abs(tasks), axis=-1, keepdims=True) * away
        return np.sum(4 + SURVIVAL - distance, axis=-1)

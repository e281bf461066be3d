"""A robot in a plane that has to run in a direction, or at a velocity."""

import numpy as np

from maml.rl.problem import register
from maml.rl.simulation.simulated import Simulated


class HalfCheetah(Simulated):
    """Gymnasium's HalfCheetah-v5 with another reward.

    The observation is the angles and velocities of joints without the place in the world, 17
    numbers; the action is six torques. Trajectories never end before the horizon.
    """

    observation_dim, action_dim = 17, 6
    model_name, hidden, control_cost = "half_cheetah", 1, 0.05

    def _place(self, simulations):
        """(x, z) of its joints, which is what Gymnasium reads here."""
        return simulations.positions[:, :2]


@register("cheetah_dir")
class HalfCheetahDir(HalfCheetah):
    """A cheetah that has to run forward or backward (Finn et al. 2017, arXiv 1703.03400, 5.3).

    A task is a direction, 1 or -1, with equal probability. The reward is the velocity in that
    direction, in m/s, less 0.05 times the sum of squared actions: the authors' reward, and
    Gymnasium's HalfCheetah-v5 with ``forward_reward_weight`` of 1 or -1 and ``ctrl_cost_weight`` of
    0.05. There are 6 actions of size up to 1, a step is 0.05 s, and the horizon is 100 steps, 5 s
    (the authors: 200 steps of 0.01 s, so that returns are not comparable with theirs).

    Args:
        horizon: steps of a trajectory.
    """

    BEST = 3.6
    """Reward of a step that an oracle reaches after 1,500 iterations (three seeds,
    ``docs/results/rl.md``). That of the authors reached 442.7 in 200 steps."""

    def draw_tasks(self, count, rng):
        return rng.choice([-1.0, 1.0], [count, 1])

    def _reward(self, tasks, place, velocity, running):
        return tasks[:, 0] * velocity[:, 0]


@register("cheetah_vel")
class HalfCheetahVel(HalfCheetah):
    """A cheetah that has to run at a velocity (Finn et al. 2017, arXiv 1703.03400, 5.3).

    A task is a velocity in m/s, uniform in [0, 2]. The reward is minus the distance of the velocity
    from it, less 0.05 times the sum of squared actions, as in the authors' code. There are 6
    actions of size up to 1, a step is 0.05 s, and the horizon is 100 steps, 5 s (the authors: 200
    steps of 0.01 s, so that returns are not comparable with theirs).

    Args:
        horizon: steps of a trajectory.
    """

    BEST = -0.27
    """Reward of a step that an oracle reaches: an estimate from the -54.5 in 200 steps of the
    authors' oracle."""

    def draw_tasks(self, count, rng):
        return rng.uniform(0, 2, [count, 1])

    def _reward(self, tasks, place, velocity, running):
        return -np.abs(velocity[:, 0] - tasks[:, 0])

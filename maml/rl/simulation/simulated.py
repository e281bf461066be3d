"""Robots as environments: Gymnasium's models, observations and rewards, as one batch."""

import abc
from typing import NamedTuple

import numpy as np

from maml.core.checks import check_counts
from maml.rl.environment import Environment
from maml.rl.simulation.physics import Physics, Simulations

RESET_NOISE = 0.1
"""Size of the noise in the first state: positions uniform in [-0.1, 0.1], velocities N(0, 0.01)."""

UNSTABLE = 1e10
"""Positions and velocities of this size have diverged (``mjMAXVAL`` of MuJoCo)."""


class State(NamedTuple):
    """A batch of trajectories.

    Attributes:
        simulations: the robots.
        running: whether each trajectory has not ended, boolean [batch].
    """

    simulations: Simulations
    running: np.ndarray


class Simulated(Environment):
    """A robot of Gymnasium that gets its reward from a task.

    An action of size 1 is the greatest torque; greater ones are clipped, as in rllab, so that a
    policy of deviation 1 begins with the whole range. A step lasts 0.05 s: 5 of MuJoCo. The first
    state has the noise of Gymnasium. Where a simulation diverges, its trajectory ends, or, where
    trajectories cannot end, its rewards are not finite.

    Args:
        horizon: steps of a trajectory.

    Raises:
        ImportError: MuJoCo is not installed, or is too old.

    Attributes:
        model_name: of the model.
        hidden: how many joint positions, the first, are not observed: where it is in the world.
        control_cost: weight of the squared actions in the reward.
        BEST: reward of a step that an oracle reaches on average, an estimate.
    """

    discrete = False
    model_name: str
    hidden: int
    control_cost: float
    BEST: float

    def __init__(self, horizon: int = 100):
        check_counts(horizon=horizon)
        self.horizon, self.physics = horizon, Physics(self.model_name)

    def reset(self, tasks, rng):
        model, count = self.physics.model, len(tasks)
        positions = model.qpos0 + rng.uniform(-RESET_NOISE, RESET_NOISE, [count, model.nq])
        velocities = RESET_NOISE * rng.standard_normal([count, model.nv])
        return State(self.physics.begin(positions, velocities), np.ones(count, bool))

    def observe(self, state):
        simulations = state.simulations
        return np.concatenate(
            [simulations.positions[:, self.hidden :], simulations.velocities], axis=-1
        )

    def step(self, tasks, state, actions, rng):
        actions = np.clip(actions, -1, 1)
        before, running = state.simulations, state.running
        after = self.physics.step(before, actions, running)
        sound = _is_sound(after.positions) & _is_sound(after.velocities)
        if self.ends_early:
            after = _chosen(sound, after, before)
            running = running & sound & self._upright(after)
        place = self._place(after)
        velocity = (place - self._place(before)) / self.physics.seconds
        cost = self.control_cost * np.sum(np.square(actions), axis=-1)
        rewards = self._reward(tasks, place, velocity, running) - cost
        if not self.ends_early:
            rewards = np.where(sound, rewards, np.nan)
        return State(after, running), rewards, ~running

    def optimum(self, tasks):
        """An estimate, the same for all tasks: ``BEST`` in each step."""
        return np.full(len(tasks), self.BEST * self.horizon)

    def _place(self, simulations: Simulations) -> np.ndarray:
        """Where each robot is, (x, y) in metres, [batch, 2]."""
        return simulations.torso[:, :2]

    def _upright(self, simulations: Simulations) -> np.ndarray:
        """Whether each trajectory goes on, boolean [batch]; asked where trajectories may end."""
        raise NotImplementedError

    @abc.abstractmethod
    def _reward(self, tasks, place, velocity, running) -> np.ndarray:
        """Rewards before the cost of controls, [batch].

        Args:
            tasks: [batch, task_dim].
            place: after the step, in metres, [batch, 2].
            velocity: mean of the step, in metres a second, [batch, 2].
            running: whether each trajectory goes on, boolean [batch].
        """


def _is_sound(values: np.ndarray) -> np.ndarray:
    """Whether MuJoCo would not call a simulation unstable, of [batch, size], boolean [batch]."""
    return np.all(np.abs(values) < UNSTABLE, axis=-1)


def _chosen(which: np.ndarray, yes: Simulations, no: Simulations) -> Simulations:
    """Each row of one batch of simulations or of another."""
    return Simulations(
        *(np.where(which[:, np.newaxis], *both) for both in zip(yes, no, strict=True))
    )

"""Environments as batches: one task a row, all stepped at once in NumPy."""

import abc

import numpy as np


class Environment(abc.ABC):
    """A family of Markov decision processes that differ by a task vector.

    All methods are of a batch: row i of ``state``, of ``actions`` and of the results belongs to row
    i of ``tasks``. Nothing is kept between calls but what does not change, so any number of tasks
    and trajectories is stepped together.

    Attributes:
        observation_dim: size of an observation.
        action_dim: number of actions if they are discrete, else the size of an action.
        discrete: whether actions are one of ``action_dim``, given one-hot.
        horizon: steps of a trajectory, at most.
        ends_early: whether trajectories may end before the horizon.
    """

    observation_dim: int
    action_dim: int
    discrete: bool
    horizon: int
    ends_early = False

    @abc.abstractmethod
    def draw_tasks(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Tasks from the distribution, [count, task_dim]."""

    @abc.abstractmethod
    def reset(self, tasks: np.ndarray, rng: np.random.Generator):
        """The first state of a trajectory of each of ``tasks`` [batch, task_dim]."""

    @abc.abstractmethod
    def observe(self, state) -> np.ndarray:
        """What a policy sees of a state, [batch, observation_dim]."""

    @abc.abstractmethod
    def step(self, tasks, state, actions: np.ndarray, rng: np.random.Generator):
        """One step of each trajectory.

        Args:
            tasks: [batch, task_dim].
            state: of :meth:`reset` or of the step before.
            actions: [batch, action_dim].
            rng: of all that is random.

        Returns:
            ``(state, rewards, ended)``: rewards [batch], and whether each trajectory has ended,
            boolean [batch]. What an ended one does later does not count.
        """

    @abc.abstractmethod
    def optimum(self, tasks: np.ndarray) -> np.ndarray:
        """The greatest expected return of each of ``tasks``, [batch], or an estimate of it."""

    def constants(self) -> np.ndarray:
        """Actions that a policy might always take: each of the discrete ones, else no action.

        Returns:
            [constants, action_dim].
        """
        return np.eye(self.action_dim) if self.discrete else np.zeros([1, self.action_dim])

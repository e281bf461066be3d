"""An environment of this library as one of Gymnasium: a batch of one."""

import gymnasium
import numpy as np

from maml.rl.environment import Environment


class SingleEnv(gymnasium.Env):
    """One trajectory at a time of an environment, in a task that can be set.

    ``reset(options={"task": task})`` begins a trajectory in a task; without one the task is drawn
    anew. ``reset`` tells the task as ``info["task"]``. A trajectory is truncated at the horizon.

    Args:
        environment: whose tasks are acted in.
    """

    metadata = {"render_modes": []}

    def __init__(self, environment: Environment):
        self.environment = environment
        size = environment.action_dim
        self.action_space = (
            gymnasium.spaces.Discrete(size)
            if environment.discrete
            else gymnasium.spaces.Box(-1, 1, [size], np.float32)
        )
        shape = [environment.observation_dim]
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float64)

    def reset(self, *, seed=None, options=None):
        """A new episode, of a task that is drawn anew unless ``options`` has a ``task``.

        Returns:
            The observation, and the task under ``task``.
        """
        super().reset(seed=seed)
        drawn = self.environment.draw_tasks(1, self.np_random)
        given = (options or {}).get("task")
        self._tasks = drawn if given is None else _task(given, drawn.shape)
        self._state = self.environment.reset(self._tasks, self.np_random)
        self._steps = 0
        return self._observed(), {"task": self._tasks[0].copy()}

    def step(self, action):
        """One step of the environment, as Gymnasium defines it.

        Args:
            action: [actions], or a number where actions are discrete.

        Returns:
            The observation, the reward, whether the episode ended, whether its horizon was reached,
            and an empty dictionary.

        Raises:
            ValueError: an action of another shape.
        """
        size = self.environment.action_dim
        actions = np.eye(size)[[action]] if self.environment.discrete else np.asarray(action)[None]
        if actions.shape != (1, size):
            received = list(actions.shape[1:])
            raise ValueError(f"Invalid shape of an action: expected [{size}]; received {received}.")
        self._state, rewards, ended = self.environment.step(
            self._tasks, self._state, actions, self.np_random
        )
        self._steps += 1
        over = bool(ended[0])
        truncated = not over and self._steps >= self.environment.horizon
        return self._observed(), float(rewards[0]), over, truncated, {}

    def _observed(self) -> np.ndarray:
        return np.array(self.environment.observe(self._state), float)[0]


def _task(given, shape: tuple[int, ...]) -> np.ndarray:
    """A task that is given, as a batch of one."""
    try:
        task = np.asarray(given, float).reshape(shape)
    except (TypeError, ValueError):
        task = np.full(shape, np.nan)
    if not np.isfinite(task).all():
        raise ValueError(
            f"Invalid value for the option `task`: expected {shape[1]} finite numbers; received "
            f"{given!r}."
        )
    return task

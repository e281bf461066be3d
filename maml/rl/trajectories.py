"""Trajectories: what a policy does in many tasks at once, and its rewards."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from maml.rl.environment import Environment


class Trajectories(NamedTuple):
    """Trajectories of several tasks.

    Attributes:
        observations: [tasks, trajectories, horizon, observation_dim].
        actions: one-hot if they are discrete, [tasks, trajectories, horizon, action_dim].
        rewards: zero after the end, [tasks, trajectories, horizon].
        alive: whether each step was made before the end, boolean [tasks, trajectories, horizon].
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    alive: np.ndarray

    def returns(self) -> np.ndarray:
        """Undiscounted sums of rewards, [tasks, trajectories]."""
        return self.rewards.sum(axis=-1)


def collect(
    environment: Environment,
    tasks: np.ndarray,
    trajectories: int,
    act: Callable[[np.ndarray, int], np.ndarray],
    rng: np.random.Generator,
    told: np.ndarray | None = None,
) -> Trajectories:
    """Runs a policy in every task, all trajectories side by side.

    Args:
        environment: what is acted in.
        tasks: [tasks, task_dim].
        trajectories: number for each task.
        act: from observations [tasks, trajectories, dim] and the number of the step to actions
            [tasks, trajectories, action_dim].
        rng: of the environment.
        told: stands behind every observation of a trajectory, [tasks, trajectories, size]; None:
            nothing.

    Raises:
        ValueError: the environment raises, or gives rewards or observations that are not finite.
    """
    count = len(tasks)
    rows = np.repeat(tasks, trajectories, axis=0)
    state = _call(environment, 0, environment.reset, rows, rng)
    alive = np.ones(len(rows), bool)
    columns: list[tuple] = []
    for step in range(environment.horizon):
        observed = _call(environment, step, environment.observe, state)
        observed = observed.reshape(count, trajectories, -1)
        if told is not None:
            observed = np.concatenate([observed, told], axis=-1)
        observed = observed.astype(np.float32)
        actions = np.asarray(act(observed, step))
        flat = actions.reshape(len(rows), -1)
        state, rewards, ended = _call(environment, step, environment.step, rows, state, flat, rng)
        rewards = np.where(alive, rewards, 0.0)
        shown = observed.reshape(len(rows), -1)[alive]
        for name, values in (("rewards", rewards), ("observations", shown)):
            if not np.isfinite(values).all():
                raise ValueError(
                    f"The environment {type(environment).__name__} gave {name} that are not finite "
                    f"in step {step}: expected finite numbers; mend its tasks, or its time step."
                )
        columns.append((observed, actions, rewards.reshape(count, -1), alive.reshape(count, -1)))
        alive = alive & ~np.asarray(ended, bool)
    observations, actions, rewards, alive = (
        np.stack(parts, axis=2) for parts in zip(*columns, strict=True)
    )
    return Trajectories(observations, actions, rewards, alive)


def _call(environment: Environment, step: int, method: Callable, *arguments):
    """A method of an environment, whose faults are named."""
    try:
        return method(*arguments)
    except Exception as error:  # Whatever another's environment raises.
        raise ValueError(
            f"The environment {type(environment).__name__} raised {type(error).__name__} in "
            f"`{method.__name__}` at step {step}: {error}"
        ) from error

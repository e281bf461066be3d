"""Environments of Gymnasium whose tasks can be set, as one of this library."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from maml.core.checks import check_counts, check_finite
from maml.rl.environment import Environment
from mine.reporting.version import DISTRIBUTION

NEEDS = (
    "Environments of Gymnasium need the package gymnasium, 1.1 or later: "
    f"pip install '{DISTRIBUTION}[rl]'."
)


class State(NamedTuple):
    """What a batch of environments showed.

    Attributes:
        observations: [batch, observation_dim].
        ended: whether each trajectory has ended, boolean [batch].
        number: of the step since the environment was made, by which the latest state is known.
    """

    observations: np.ndarray
    ended: np.ndarray
    number: int


class GymnasiumTasks(Environment):
    """Tasks of an environment of Gymnasium, stepped one after the other in this process.

    Observations are flattened. Actions of a bounded box are in [-1, 1] here, clipped, and scaled to
    the box. Such environments keep their state to themselves, so only the latest state can be
    stepped. What an environment draws, it draws from seeds of the given generator.

    A file of one's own registers a task, which is named by ``--import=FILE --env=pole``::

        from maml.rl.gym.tasks import GymnasiumTasks
        from maml.rl.problem import register


        @register("pole")
        class Pole(GymnasiumTasks):
            "A pole that has to be balanced under unknown gravity."

            def __init__(self, horizon: int = 200):
                def draw(count, rng):
                    return rng.uniform(5, 15, [count, 1])

                def set_task(env, task):
                    env.gravity = task[0]

                super().__init__("CartPole-v1", draw, set_task, horizon, best=horizon)

    Args:
        name: of the environment, for ``gymnasium.make_vec``.
        draw: from a number of tasks and a generator to tasks, [count, task_dim].
        set_task: sets the task, [task_dim], of one environment, unwrapped, before each reset.
        horizon: steps of a trajectory, at most.
        best: return of the best policy, or an estimate.
        **options: of the environment.

    Raises:
        ImportError: Gymnasium is not installed, or is too old.
        ValueError: there is no such environment, or its actions are neither discrete nor a box.
    """

    ends_early = True

    def __init__(
        self,
        name: str,
        draw: Callable[[int, np.random.Generator], np.ndarray],
        set_task: Callable,
        horizon: int,
        best: float,
        **options,
    ):
        check_counts(horizon=horizon)
        check_finite(best=best)
        self.name, self.horizon, self.best, self.options = name, horizon, best, options
        self._draw, self._set_task = draw, set_task
        self._number, self._all = 0, None
        self._make(1)
        self.observation_dim = self._all.single_observation_space.shape[0]
        space = self._all.single_action_space
        self.discrete = isinstance(space, self._spaces.Discrete)
        floats = isinstance(space, self._spaces.Box) and np.issubdtype(space.dtype, np.floating)
        if not (self.discrete or floats):
            raise ValueError(
                f"Invalid environment {name}: expected actions that are discrete, or a box of "
                f"floating-point numbers; received {space}."
            )
        self.action_dim = int(space.n) if self.discrete else int(np.prod(space.shape))

    def _make(self, count: int) -> None:
        """As many environments, unless that is the number there is."""
        if self._all is not None and self._all.num_envs == count:
            return
        try:
            import gymnasium
            from gymnasium.vector import AutoresetMode
        except ImportError as error:
            raise ImportError(NEEDS, name="gymnasium") from error
        if self._all is not None:
            self._all.close()
        self._spaces = gymnasium.spaces
        try:
            self._all = gymnasium.make_vec(
                self.name,
                count,
                vectorization_mode="sync",
                vector_kwargs={"autoreset_mode": AutoresetMode.DISABLED},
                wrappers=[gymnasium.wrappers.FlattenObservation],
                **self.options,
            )
        except (gymnasium.error.Error, ImportError, TypeError, NotImplementedError) as error:
            raise ValueError(f"Gymnasium makes no environment {self.name!r}: {error}") from error

    def draw_tasks(self, count, rng):
        tasks = np.asarray(self._draw(count, rng), float)
        if tasks.ndim != 2 or len(tasks) != count:
            raise ValueError(
                f"Invalid tasks of {self.name}: expected an array of {count} rows, one a task; "
                f"received the shape {list(tasks.shape)}."
            )
        return tasks

    def reset(self, tasks, rng):
        self._make(len(tasks))
        for env, task in zip(self._all.envs, tasks, strict=True):
            self._set_task(env.unwrapped, task)
        seeds = rng.integers(2**31, size=len(tasks))
        observations, _ = self._all.reset(seed=seeds.tolist())
        self._number += 1
        return State(observations, np.zeros(len(tasks), bool), self._number)

    def observe(self, state):
        return state.observations

    def step(self, tasks, state, actions, rng):
        if state.number != self._number:
            raise ValueError(
                f"Environments of Gymnasium, such as {self.name}, keep their state to themselves: "
                "expected the state of the latest step or reset; received an earlier one."
            )
        if state.ended.any():
            # They would not be stepped otherwise; what they do from now on does not count.
            self._all.reset(options={"reset_mask": state.ended})
        observations, rewards, terminated, truncated, _ = self._all.step(self._own(actions))
        self._number += 1
        ended = terminated | truncated
        return State(observations, ended, self._number), rewards, ended

    def _own(self, actions: np.ndarray) -> np.ndarray:
        """Actions in the unit of the environment."""
        space = self._all.single_action_space
        if self.discrete:
            return np.argmax(actions, axis=-1) + space.start
        actions = actions.reshape(-1, *space.shape)
        if space.is_bounded():
            middle, half = (space.high + space.low) / 2, (space.high - space.low) / 2
            actions = middle + half * np.clip(actions, -1, 1)
        return actions.astype(space.dtype)

    def optimum(self, tasks):
        return np.full(len(tasks), float(self.best))

"""RL tasks as a :class:`maml.TaskFamily`: an episode holds trajectories before and after."""

import time

import numpy as np
import tensorflow as tf

from maml.core.checks import check_counts, check_finite, check_whole
from maml.core.episodes import Episode, PaddedEpisode, TaskFamily, fold_in
from maml.core.seeds import Stream, stream
from maml.rl import advantages
from maml.rl.environment import Environment
from maml.rl.policies import PolicyHead
from maml.rl.trajectories import Trajectories, collect

REDRAWS = ("never", "episode", "trajectory")


class PolicyTasks(TaskFamily):
    """Tasks of an environment, whose episodes are collected with a policy.

    The support set D of an episode are trajectories of the policy before adaptation, the queries
    are trajectories after adaptation to D, and labels are actions with their advantages, see
    :class:`maml.rl.policies.PolicyHead`. So episodes follow the learner that is set as ``policy``;
    without one, actions are random. Batches are drawn when they are asked for, never ahead.

    Args:
        environment: what is acted in.
        num_tasks: how many tasks there are.
        split: seed of the tasks.
        trajectories: of a task, before adaptation and after it.
        discount: gamma of returns, from 0 to 1.
        trace: lambda of generalized advantages, from 0 to 1.
        code: size of a code that is drawn once for each task, N(0, 1), and stands in all its
            observations: it names the task. 0: none.
        redraw: when codes are drawn anew: "never"; for each "episode", the same before adaptation
            and after it; or for each "trajectory". Codes that are drawn anew do not
            identify the task.
        told: whether the task itself stands in all observations: an oracle.
        noise: deviation of noise in what is told, drawn once for each task.

    Attributes:
        policy: the learner that acts; None: actions are random.
        sampling_seconds: that :meth:`episodes` has taken in all.
    """

    on_policy = True
    sampling_seconds = 0.0

    def __init__(
        self,
        environment: Environment,
        num_tasks: int,
        split: int,
        trajectories: int = 20,
        discount: float = 0.99,
        trace: float = 1.0,
        code: int = 0,
        redraw: str = REDRAWS[0],
        told: bool = False,
        noise: float = 0.0,
    ):
        check_counts(num_tasks=num_tasks, trajectories=trajectories)
        check_whole(0, code=code)
        check_finite(least=0, told_noise=noise)
        check_finite(least=0, most=1, discount=discount, trace=trace)
        if redraw not in REDRAWS:
            raise ValueError(
                f"Invalid value for `redraw`: expected one of {', '.join(REDRAWS)}; received "
                f"{redraw!r}."
            )
        self.environment, self.num_tasks, self.trajectories = environment, num_tasks, trajectories
        self.discount, self.trace, self.redraw = discount, trace, redraw
        rng = np.random.default_rng([split, int(Stream.TASKS)])
        self.tasks = environment.draw_tasks(num_tasks, rng)
        parts = [rng.standard_normal([num_tasks, code])]
        if told:
            parts.append(self.tasks + noise * rng.standard_normal(self.tasks.shape))
        self.told = np.concatenate(parts, axis=1)
        self.code, self._compiled = code, None

    @property
    def observation_dim(self) -> int:
        """Size of an observation, with what is told."""
        return self.environment.observation_dim + self.told.shape[1]

    # -- acting -------------------------------------------------------------------------------

    @property
    def policy(self):
        return self._compiled.learner if self._compiled else None

    @policy.setter
    def policy(self, learner):
        if learner is self.policy:
            return
        if learner is not None:
            self._check_fits(learner)
        self._compiled = None if learner is None else _Compiled(learner)

    def share_policy(self, other: "PolicyTasks") -> None:
        """Has the learner of another family of the same environment act here, compiled once."""
        self._compiled = other._compiled

    def _check_fits(self, learner):
        """Refuses a learner that was made for others than these tasks."""
        head, environment = learner.head, self.environment
        expected = {
            "whether actions are discrete": environment.discrete,
            "size of actions": environment.action_dim,
            "size of observations": self.observation_dim,
        }
        received: dict[str, object] = dict.fromkeys(expected, "no policy")
        if isinstance(head, PolicyHead):
            head.check_learner(learner)
            size = self.observation_dim
            if learner.built:
                size = learner.get_build_config()["episode"][0][0][-1]
            received = dict(zip(expected, (head.discrete, head.dim, size), strict=True))
            if head.surrogate == "dice":  # Its products are over the steps of a trajectory.
                expected["horizon (of DiCE)"] = environment.horizon
                received["horizon (of DiCE)"] = head.horizon
        for name, value in expected.items():
            if received[name] != value:
                raise ValueError(
                    f"The learner was not made for these tasks: expected {name} {value}, received "
                    f"{received[name]}; name the learner of a run on such tasks."
                )

    def collect(self, tasks: np.ndarray, seed, state=None, codes=None) -> Trajectories:
        """Trajectories of the policy in some tasks.

        Args:
            tasks: numbers of tasks, [tasks].
            seed: stateless seed [2].
            state: of the learner in each task; None: before adaptation.
            codes: stateless seed [2] of codes that are drawn anew; None: the same seed.
        """
        rng = np.random.default_rng(np.asarray(seed).astype(np.uint32))
        told = np.repeat(self.told[tasks][:, np.newaxis], self.trajectories, axis=1)
        if self.redraw == "episode":
            own = self._codes((len(tasks), 1), seed if codes is None else codes)
            told[..., : self.code] = own
        elif self.redraw == "trajectory":
            told[..., : self.code] = self._codes(told.shape[:2], seed)
        if self.policy is not None and state is None:
            state = self.policy.initial_state(len(tasks))

        def act(observations, step):
            if self._compiled is None:
                return self._random_actions(observations.shape[:2], rng)
            seed_of_step = fold_in(seed, step)
            return self._compiled.act(state, tf.constant(observations), seed_of_step).numpy()

        told = told if told.size else None
        return collect(self.environment, self.tasks[tasks], self.trajectories, act, rng, told)

    def _codes(self, shape, seed) -> np.ndarray:
        rng = np.random.default_rng([*np.asarray(seed).astype(np.uint32), 1])
        return rng.standard_normal([*shape, self.code])

    def _random_actions(self, shape, rng) -> np.ndarray:
        size = self.environment.action_dim
        if self.environment.discrete:
            return np.eye(size, dtype=np.float32)[rng.integers(size, size=shape)]
        return rng.standard_normal([*shape, size]).astype(np.float32)

    def constant_returns(self, tasks: np.ndarray, seed) -> np.ndarray:
        """Returns [tasks, trajectories] of the action that is best on average if always taken."""
        best = None
        for action in self.environment.constants():
            rng = np.random.default_rng(np.asarray(seed).astype(np.uint32))
            actions = np.broadcast_to(action, [len(tasks), self.trajectories, len(action)])
            found = collect(
                self.environment,
                self.tasks[tasks],
                self.trajectories,
                lambda observations, step, actions=actions: actions,
                rng,
            ).returns()
            best = found if best is None or found.mean() > best.mean() else best
        return best

    # -- episodes -----------------------------------------------------------------------------

    def labels(self, trajectories: Trajectories) -> np.ndarray:
        """Actions and their advantages, [tasks, trajectories * horizon, action_dim + 1].

        After the end of a trajectory both are 0.
        """
        alive = trajectories.alive
        if self.policy is not None and self.policy.head.surrogate == "dice":
            # Rewards less their mean over the task's trajectories: later actions have no part.
            # After the end that mean is still due, and the last action answers for it.
            decay = self.discount ** np.arange(alive.shape[-1])
            mean = trajectories.rewards.mean(axis=1, keepdims=True)
            every = decay * (trajectories.rewards - mean)
            worth = every * alive
            last = alive.sum(axis=-1, keepdims=True) - 1
            after = (every * ~alive).sum(axis=-1, keepdims=True)
            np.put_along_axis(worth, last, np.take_along_axis(worth, last, -1) + after, -1)
        else:
            # By what the environment shows: codes that differ between a task's trajectories would
            # explain the difference of their returns.
            shown = trajectories.observations[..., : self.environment.observation_dim]
            seen = trajectories._replace(observations=shown)
            values = advantages.baseline(seen, self.discount)
            worth = advantages.generalized(trajectories, values, self.discount, self.trace)
            worth = advantages.standardized(worth, alive)
        actions = trajectories.actions * alive[..., np.newaxis]
        labels = np.concatenate([actions, worth[..., np.newaxis]], axis=-1)
        return labels.reshape(len(labels), -1, labels.shape[-1]).astype(np.float32)

    def support(self, trajectories: Trajectories) -> Episode | PaddedEpisode:
        """An episode whose support set and queries both are these trajectories."""
        labels = self.labels(trajectories)
        x = trajectories.observations.reshape(*labels.shape[:2], -1)
        if not self.environment.ends_early:
            return Episode(x, labels, x, labels)
        return PaddedEpisode(x, labels, x, labels, trajectories.alive.reshape(labels.shape[:2]))

    def adapt(self, trajectories: Trajectories, training: bool = False):
        """The learner's state after adaptation to these trajectories of each task.

        Args:
            trajectories: before adaptation.
            training: whether inner steps are those of training.
        """
        episode = self.support(trajectories)
        parts = [tf.constant(part) for part in episode]
        parts[0] = self._compiled.features(parts[0])
        return self._compiled.encode(type(episode)(*parts), training)

    def episodes(self, tasks, seed):
        started = time.perf_counter()
        tasks = np.asarray(tasks)
        before = self.collect(tasks, fold_in(seed, 0))
        support = self.support(before)
        if not getattr(self.policy, "inner_steps", 1):
            # Who does not adapt in training has no other policy afterwards: one sample is enough.
            self.sampling_seconds += time.perf_counter() - started
            return support
        state = None if self.policy is None else self.adapt(before, training=True)
        # Both parts of an episode have the same codes.
        after = self.collect(tasks, fold_in(seed, 1), state, codes=fold_in(seed, 0))
        query = self.support(after)
        self.sampling_seconds += time.perf_counter() - started
        return support._replace(query_x=query.query_x, query_y=query.query_y)

    def dataset(self, batch_size, seed, start=0):
        base = stream(seed, Stream.TRAINING_EPISODES)

        def batches():
            number = start
            while True:
                yield self.sample(batch_size, fold_in(base, number))
                number += 1

        shots = self.trajectories * self.environment.horizon
        x = tf.TensorSpec([batch_size, shots, self.observation_dim], tf.float32)
        y = tf.TensorSpec([batch_size, shots, self.environment.action_dim + 1], tf.float32)
        specs: tuple = (x, y, x, y)
        if self.environment.ends_early:
            specs += (tf.TensorSpec([batch_size, shots], tf.bool),)
        kind = PaddedEpisode if self.environment.ends_early else Episode
        data = tf.data.Dataset.from_generator(batches, output_signature=kind(*specs))
        # A batch that is drawn ahead would be of the policy before its last step.
        options = tf.data.Options()
        options.experimental_optimization.apply_default_optimizations = False
        options.experimental_optimization.inject_prefetch = False
        options.autotune.enabled = False
        # Without a number of batches Keras would warn when it stops to ask for them.
        data = data.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        return data.with_options(options)


class _Compiled:
    """What a learner does while trajectories are collected, as TensorFlow functions."""

    def __init__(self, learner):
        self.learner = learner
        self.encode = tf.function(learner.encode_episode, autograph=False)
        self.features = tf.function(learner.features, autograph=False)
        self.act = tf.function(self._act, autograph=False)

    def _act(self, state, observations, seed):
        return self.learner.decode(state, self.learner.features(observations)).sample(seed)

"""Returns of a policy before and after adaptation, and what it takes from its trajectories."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from maml.core.episodes import Episode, fold_in
from maml.core.metrics import Metric
from maml.diagnostics.scores import sandwich
from maml.learners.prediction import predict_with_mismatched_supports
from maml.rl.adaptation import adapt_further
from maml.rl.family import PolicyTasks
from mine.reporting.progress import ProgressBar

RETURN = "return"

STATES = 200
"""States of each task at which the information about actions is read."""


class PolicyEvaluator:
    """Scores a learner of policies on fixed seeds, as :class:`maml.Evaluator` does labels.

    Args:
        learner: a gradient-based learner with a :class:`maml.rl.policies.PolicyHead`.
        metrics: the return alone.
        num_relabelings: the most tasks whose trajectories a task is given, for the information.
        adaptations: how often a policy adapts, each time to new trajectories; the scores are those
            after the first.
        later_rate: factor of the inner rate after the first adaptation; may be changed.
    """

    def __init__(
        self,
        learner,
        metrics: Sequence[Metric],
        num_relabelings: int = 8,
        adaptations: int = 1,
        later_rate: float = 0.5,
    ):
        self.later_rate = later_rate
        self.learner, self.metrics, self.adaptations = learner, metrics, adaptations
        self.num_relabelings = num_relabelings
        self._information = tf.function(self._support_information, autograph=False)
        self._further = tf.function(self._adapt_further, autograph=False)

    def __call__(
        self,
        family: PolicyTasks,
        per_task: int,
        batch_size: int,
        seed: int,
        num_tasks: int | None = None,
        title: str = "",
    ) -> dict[str, np.ndarray]:
        """Scores ``per_task`` adaptations in each task.

        Args:
            family: the tasks.
            per_task: adaptations in each task.
            batch_size: tasks a batch.
            seed: of all that is random.
            num_tasks: how many tasks are scored, evenly spaced; all by default.
            title: of a progress bar; without one there is none.

        Returns:
            ``return``, ``no_support_return``, ``mismatched_support_return`` (adapted to another
            task's trajectories), ``constant_return``, ``after_k_return`` for each further
            adaptation, and ``support_information_lower`` and ``_upper``, I(a; D | s) in nats at
            states of the adapted policy: [tasks, per_task, trajectories] each.

        Raises:
            ValueError: fewer than two tasks.
        """
        count = min(num_tasks or family.num_tasks, family.num_tasks)
        if count < 2:
            raise ValueError(
                "Invalid value for `num_tasks`: expected at least two tasks, since each is also "
                f"given the trajectories of another; received {count}."
            )
        batches = family.fixed_tasks(per_task, batch_size, seed, count)
        rows = [
            self._score(family, tasks, own_seed)
            for tasks, own_seed in ProgressBar(batches, title, disable=not title)
        ]
        columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        return {
            name: column.reshape(per_task, -1, column.shape[-1]).swapaxes(0, 1)
            for name, column in columns.items()
        }

    def _score(self, family, tasks, seed) -> dict[str, np.ndarray]:
        """Scores of one batch of tasks, [tasks, trajectories] each."""
        seeds = [fold_in(seed, index) for index in range(4)]
        before = family.collect(tasks, seeds[0])
        state = family.adapt(before)
        after = family.collect(tasks, seeds[1], state, codes=seeds[0])
        shift = len(tasks) // 2
        other = tf.nest.map_structure(lambda part: tf.roll(part, shift, axis=0), state)
        swapped = family.collect(tasks, seeds[2], other, codes=seeds[0])
        scores = {
            RETURN: after.returns(),
            f"no_support_{RETURN}": before.returns(),
            f"mismatched_support_{RETURN}": swapped.returns(),
            f"constant_{RETURN}": family.constant_returns(tasks, seeds[3]),
        }
        bounds = self._information(family.support(before), self._states(after), seed)
        for name, values in zip(("lower", "upper"), bounds, strict=True):
            each = np.repeat(values.numpy().mean(1, keepdims=True), family.trajectories, axis=1)
            scores[f"support_information_{name}"] = each
        latest = after
        for number in range(2, self.adaptations + 1):
            rate = tf.constant(self.later_rate, tf.float32)
            state = self._further(state, family.support(latest), rate)
            own = fold_in(seed, 10 + number)
            latest = family.collect(tasks, own, state, codes=seeds[0])
            scores[f"after_{number}_{RETURN}"] = latest.returns()
        return scores

    def _states(self, trajectories) -> np.ndarray:
        """Observations before the end, evenly spaced, [tasks, states, dim]."""
        x = trajectories.observations
        x = x.reshape(len(x), -1, x.shape[-1])
        alive = trajectories.alive.reshape(x.shape[:2])
        # The same number always, some of them twice if need be: one trace serves all batches.
        count = min(STATES, alive.shape[1])
        rows = []
        for own, there in zip(x, alive, strict=True):
            known = own[there]
            rows.append(known[np.arange(count) * len(known) // count])
        return np.stack(rows)

    def _support_information(self, episode: Episode, states, seed):
        learner = self.learner
        embedded = episode._replace(
            support_x=learner.features(episode.support_x), query_x=learner.features(states)
        )
        count = min(self.num_relabelings, episode.support_x.shape[0])
        predicted, supports = predict_with_mismatched_supports(learner, embedded, count)
        return sandwich(predicted, supports, seed)

    def _adapt_further(self, state, episode, rate):
        return adapt_further(
            self.learner,
            state,
            self.learner.features(episode.support_x),
            episode.support_y,
            getattr(episode, "support_mask", None),
            rate,
        )

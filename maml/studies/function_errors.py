"""How far a learner's answers are from the truth, on functions whose truth is known."""

import numpy as np
import tensorflow as tf

from maml.core.episodes import fold_in
from maml.core.seeds import Stream, stream
from maml.tasks.regression import Functions


class Scorer:
    """Squared errors of a learner on episodes that are the same for every learner.

    Args:
        learner: a :class:`maml.MetaLearner`. Its inner steps and rates are read at the first call.
    """

    def __init__(self, learner):
        self.learner = learner
        self._errors = tf.function(self._squared_errors, autograph=False)

    def _squared_errors(self, episode, truth):
        learner = self.learner
        state = learner.encode(learner.features(episode.support_x), episode.support_y)
        x = learner.features(episode.query_x)
        predictions = learner.decode(state, x), learner.decode(learner.initial_state(x.shape[0]), x)
        return [tf.reduce_mean((p.mean() - truth) ** 2, axis=(1, 2)) for p in predictions]

    def __call__(self, family: Functions, tasks: int = 600, batch_size: int = 100, seed: int = 0):
        """Scores one episode of each of some tasks, evenly spaced.

        Args:
            family: functions; answers are compared with ``true_labels``, without noise.
            tasks: how many, a multiple of ``batch_size``.
            batch_size: tasks of a batch.
            seed: of the episodes.

        Returns:
            Mean over queries of the squared error after the support set, and before it, and the
            mean square of the truth, each [tasks].
        """
        numbers = family.spaced(tasks)
        rows = []
        for index, batch in enumerate(np.split(numbers, tasks // batch_size)):
            how = fold_in(stream(seed, Stream.FUNCTION_ERRORS), index)
            episode = family.episodes(tf.constant(batch), how)
            truth = family.true_labels(tf.constant(batch), episode.query_x)
            after, before = self._errors(episode, truth)
            rows.append([after, before, tf.reduce_mean(truth**2, axis=(1, 2))])
        return tuple(np.concatenate(column) for column in zip(*rows, strict=True))

"""The objective of a batch of trajectories, as a function of the meta-weights."""

import tensorflow as tf


class Surrogate:
    """The loss of adapted policies on trajectories that an earlier version of them has made.

    Args:
        learner: with a :class:`maml.rl.policies.PolicyHead`.
        episode: trajectories before adaptation (support) and after it (queries).
        seed: stateless seed [2] of the regularizers' draws: the same in every evaluation.
    """

    def __init__(self, learner, episode, seed):
        self.learner, self.episode, self.seed = learner, episode, seed
        self.old = None

    def forward(self):
        """The objective at the weights that made the trajectories; its policies become the old.

        Returns:
            ``(logs, objective, prediction, labels)``.
        """
        objective, logs, prediction, y = self.learner.forward(self.episode, self.seed, True)
        self.old = prediction.fixed()
        self._old_log_prob = tf.stop_gradient(prediction.log_prob(y))
        dim = self.learner.head.dim
        self._advantage = self._to_go(y[..., dim])
        # After the end of a trajectory there is neither action nor advantage, and nothing counts.
        self._alive = tf.cast(tf.reduce_any(y[..., :dim] != 0, axis=-1), y.dtype)
        rest = objective - logs["task_loss"]
        value = self._weighted(prediction, y) + rest
        return logs | {"loss": value}, value, prediction, y

    def _to_go(self, worth):
        """Advantages [tasks, steps]: with DiCE, whose labels are rewards, those still to come."""
        if self.learner.head.surrogate != "dice":
            return worth
        shape = tf.shape(worth)
        steps = tf.reshape(worth, [shape[0], -1, self.learner.head.horizon])
        return tf.reshape(tf.cumsum(steps, axis=-1, reverse=True), shape)

    def _ratio(self, prediction, y):
        return tf.exp(prediction.log_prob(y) - self._old_log_prob)

    def _weighted(self, prediction, y, clip: float | None = None):
        """Minus the mean advantage, weighted by the importance ratio, clipped or not."""
        ratio = self._ratio(prediction, y)
        gain = ratio * self._advantage
        if clip is not None:
            limited = tf.clip_by_value(ratio, 1 - clip, 1 + clip)
            gain = tf.minimum(gain, limited * self._advantage)
        return -tf.reduce_mean(gain)

    def _mean_kl(self, prediction):
        divergence = self.old.kl(prediction) * self._alive
        return tf.reduce_sum(divergence) / tf.maximum(tf.reduce_sum(self._alive), 1)

    def value(self, clip: float | None = None):
        """``(objective, divergence)`` at the present weights.

        Args:
            clip: largest distance of an importance ratio from 1 that counts (Schulman et al. 2017,
                arXiv 1707.06347); None for any.
        """
        objective, logs, prediction, y = self.learner.forward(self.episode, self.seed, True)
        rest = objective - logs["task_loss"]
        return self._weighted(prediction, y, clip) + rest, self._mean_kl(prediction)

    def divergence(self):
        """Mean KL(old || present) of the adapted policies, in nats."""
        return self._mean_kl(self.learner.forward(self.episode, self.seed, True)[2])

    def share_of_trajectories(self, share: float):
        """The same tasks with the first of their trajectories only, at least one."""
        horizon = self.learner.head.horizon
        whole = self.episode.support_x.shape[1] // horizon
        kept = max(1, round(share * whole)) * horizon
        return self.episode._replace(
            **{
                name: part[:, :kept]
                for name, part in zip(self.episode._fields, self.episode, strict=True)
            }
        )

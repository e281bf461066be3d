"""Proximal steps of meta-weights."""

import keras
import tensorflow as tf

from maml.core.checks import check_counts, check_finite
from maml.core.registry import OUTER
from maml.rl.outer.surrogate import Surrogate
from mine.replicas import apply_gradients


@OUTER.register("promp")
class ProMP(keras.optimizers.Adam):
    r"""Proximal meta-policy search (Rothfuss et al. 2019, arXiv 1810.06784, eq. 14 to 16).

    Several steps of Adam on the same trajectories: the clipped importance-weighted advantage of the
    adapted policies, and a penalty on how far the policies *before* adaptation have moved. The
    inner step is importance-weighted, too.

    Args:
        outer_lr: learning rate of Adam.
        updates: steps of Adam on a batch of trajectories.
        clip: largest distance of an importance ratio from 1 that counts.
        inner_kl: weight of the divergence before adaptation, per nat.

    Raises:
        ValueError: a number has no meaning.
    """

    metric_names = ("kl", "inner_kl")

    def __init__(
        self,
        outer_lr: float = 1e-3,
        updates: int = 5,
        clip: float = 0.3,
        inner_kl: float = 5e-4,
    ):
        check_counts(updates=updates)
        check_finite(above=0, outer_lr=outer_lr, clip=clip)
        check_finite(least=0, inner_kl=inner_kl)
        super().__init__(outer_lr, name="promp")
        self.updates, self.clip, self.inner_kl = updates, clip, inner_kl

    def meta_step(self, learner, episode, seed):
        """One batch of a learner, see :meth:`maml.rl.outer.trpo.TRPO.meta_step`."""
        variables = learner.learner_variables
        state = learner.initial_state(tf.shape(episode.support_x)[0])
        x = learner.features(episode.support_x)
        first = learner.decode(state, x)
        old, log_prob = first.fixed(), tf.stop_gradient(first.log_prob(episode.support_y))
        labels = tf.concat([episode.support_y, log_prob[..., tf.newaxis]], axis=-1)
        every = Surrogate(learner, episode._replace(support_y=labels), seed)
        logs, _, prediction, y = every.forward()
        made = tf.identity(self.iterations)
        finite = tf.constant(True)
        for number in range(self.updates):
            with tf.GradientTape() as tape:
                value, divergence = every.value(self.clip)
                state = learner.initial_state(tf.shape(episode.support_x)[0])
                moved = tf.reduce_mean(old.kl(learner.decode(state, x)))
                value += self.inner_kl * moved
            gradients = tape.gradient(value, variables, unconnected_gradients="zero")
            whole = tf.math.is_finite(tf.linalg.global_norm(gradients))
            finite = tf.logical_and(finite, whole)
            gradients = [tf.where(whole, g, tf.zeros_like(g)) for g in gradients]
            # Adam counts its own steps, ``iterations`` those of the training.
            self.iterations.assign(made * self.updates + number)
            apply_gradients(self, gradients, variables)
        self.iterations.assign(made + 1)
        return logs | {"kl": divergence, "inner_kl": moved}, prediction, y, finite

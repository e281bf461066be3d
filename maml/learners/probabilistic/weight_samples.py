"""Learners whose task state is several sets of adapted weights, which predict as a mixture."""

import functools
import math

import keras
import tensorflow as tf

from maml.core.checks import check_finite, check_whole
from maml.core.episodes import Episode, fold_in, support_mask
from maml.distributions.base import Distribution
from maml.distributions.mixture import mix
from maml.learners.gradient_based.maml import AFTER_LAST_STEP, MAML
from maml.learners.probabilistic.base import ProbabilisticLearner
from maml.learners.probabilistic.latent import Latent
from mine import replicas


class WeightSamples(ProbabilisticLearner, MAML):
    """The base of MAML with a distribution over weights.

    The task state is as of :class:`maml.MAML`, with an axis of samples after that of tasks: [tasks,
    samples, ...] for each weight. The prediction is the mixture of those of the samples. Arguments
    as of :class:`maml.MAML`.
    """

    def decode(self, state, x, step: int = AFTER_LAST_STEP):
        return mix(self.parts(state, x, step))

    def parts(self, state, x, step: int = AFTER_LAST_STEP) -> Distribution:
        """The prediction of each sample, with batch axes [samples, tasks, queries]."""
        samples = state[0].shape[1]
        outputs = self.outputs(merged(state), tf.repeat(x, samples, axis=0), step)
        return self.head(tf.stack(tf.unstack(apart(outputs, samples), samples, axis=1)))

    def adapted(self, start, x, y, training: bool, mask=None) -> list[list[tf.Tensor]]:
        """Weights [tasks, samples, ...] before the first inner step of MAML and after each.

        Args:
            start: weights [tasks, samples, ...].
            x, y, training, mask: as of :meth:`encode`.
        """
        samples = start[0].shape[1]
        x, y = (tf.repeat(part, samples, axis=0) for part in (x, y))
        mask = None if mask is None else tf.repeat(mask, samples, axis=0)
        visited = self.descend(x, y, training, mask, merged(start))
        return [start, *([apart(part, samples) for part in weights] for weights in visited)]

    def draw(self, means, log_scales, samples: int, use: int = 0) -> list[tf.Tensor]:
        """Samples of independent normals, [tasks, samples, ...] each.

        In a training step tasks draw numbers of their own; elsewhere all draw the same, so that a
        task's state does not depend on its place in a batch.

        Args:
            means: [tasks, ...] each.
            log_scales: logarithms of standard deviations, which broadcast with [tasks, ...].
            samples: of each task.
            use: draws of one step that are independent have other numbers.
        """
        seed, found = fold_in(self.noise_seed, use), []
        tasks_first = replicas.drawn if self.in_step else lambda draw, shape: draw(shape)
        for index, (mean, log_scale) in enumerate(zip(means, log_scales, strict=True)):
            tasks = tf.shape(mean)[0] if self.in_step else 1
            shape = tf.concat([[tasks, samples], tf.shape(mean)[1:]], 0)
            draw = functools.partial(
                tf.random.stateless_normal, seed=fold_in(seed, index), dtype=mean.dtype
            )
            noise = tasks_first(draw, shape)
            deviation = tf.broadcast_to(tf.exp(log_scale), tf.shape(mean))
            found.append(mean[:, tf.newaxis] + deviation[:, tf.newaxis] * noise)
        return [tf.ensure_shape(part, [None, samples, *part.shape[2:]]) for part in found]


class NormalWeights(WeightSamples):
    """The base of learners that draw weights from independent normals.

    Args:
        network: as of :class:`maml.MAML`.
        head: as of :class:`maml.MAML`.
        num_samples: draws that a prediction averages over.
        num_train_samples: draws of a training step.
        sigma: standard deviation that each normal starts with.
        **kwargs: of :class:`maml.MAML`.

    Raises:
        ValueError: an option has an invalid value.
    """

    def __init__(
        self,
        network,
        head,
        num_samples: int = 10,
        num_train_samples: int = 1,
        sigma: float = 0.03,
        **kwargs,
    ):
        super().__init__(network, head, **kwargs)
        check_whole(1, num_samples=num_samples, num_train_samples=num_train_samples)
        check_finite(above=0, sigma=sigma)
        self.num_samples, self.num_train_samples = num_samples, num_train_samples
        self.sigma = sigma

    @property
    def prefers_xla(self):
        return False  # It repeats work on each weight: slower steps, and a minute to compile.

    def add_log_scales(self, prefix: str = "") -> list:
        """The logarithm of a standard deviation for each weight that adapts, learned."""
        initializer = keras.initializers.Constant(math.log(self.sigma))
        return [
            self.add_weight(
                name=f"{prefix}log_scale_{index}",
                shape=variable.shape,
                dtype=variable.dtype,
                initializer=initializer,
            )
            for index, variable in enumerate(self.functional.variables)
        ]

    def draw_state(self, means, log_scales, training: bool = False) -> list[tf.Tensor]:
        """Draws as many samples as a training step takes, or a prediction; see :meth:`draw`."""
        samples = self.num_train_samples if training else self.num_samples
        return self.draw(means, log_scales, samples)


def all_points(embedded: Episode):
    """Support sets and queries together: inputs, labels, and the mask if there is one."""
    x = tf.concat([embedded.support_x, embedded.query_x], axis=1)
    y = tf.concat([embedded.support_y, embedded.query_y], axis=1)
    mask = support_mask(embedded)
    if mask is not None:
        mask = tf.concat([mask, tf.ones(tf.shape(embedded.query_y)[:2], mask.dtype)], axis=1)
    return x, y, mask


def merged(state) -> list[tf.Tensor]:
    """[tasks, samples, ...] -> [tasks * samples, ...], the samples of a task in a row."""
    return [tf.reshape(part, tf.concat([[-1], tf.shape(part)[2:]], 0)) for part in state]


def apart(part, samples: int) -> tf.Tensor:
    """[tasks * samples, ...] -> [tasks, samples, ...]."""
    return tf.reshape(part, tf.concat([[-1, samples], tf.shape(part)[1:]], 0))


def for_each(y, parts: Distribution) -> tf.Tensor:
    """Labels [tasks, queries, dim] for each sample of ``parts``, [samples, tasks, queries, dim]."""
    return tf.broadcast_to(y, tf.concat([[parts.mean().shape[0]], tf.shape(y)], 0))


def normal_divergence(means, log_scales, others, log_others) -> tf.Tensor:
    """KL(N(m, s^2) || N(m', s'^2)) in nats, summed over all weights, [tasks].

    Args:
        means: m, [tasks, ...] each.
        log_scales: log s, which broadcast with them.
        others: m', which broadcast with them.
        log_others: log s', which broadcast with them.
    """
    total = 0.0
    for mean, log_s, other, log_o in zip(means, log_scales, others, log_others, strict=True):
        nats = Latent(mean, tf.exp(log_s)).kl(Latent(other, tf.exp(log_o)))
        total += tf.reduce_sum(tf.reshape(nats, [tf.shape(mean)[0], -1]), axis=1)
    return total

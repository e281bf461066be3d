"""Amortized Bayesian meta-learning: the inner loop adapts a normal distribution over weights."""

import tensorflow as tf

from maml.core.checks import check_finite
from maml.core.episodes import Episode, support_mask
from maml.core.registry import LEARNERS
from maml.learners.gradient_based import inner_loop
from maml.learners.probabilistic.weight_samples import (
    NormalWeights,
    all_points,
    for_each,
    normal_divergence,
)
from maml.nn import functional


@LEARNERS.register("abml")
class ABML(NormalWeights):
    r"""Amortized Bayesian meta-learning (Ravi and Beatson 2019, ICLR).

    :math:`\theta = (\mu, \sigma)` is the prior over a task's weights, :math:`p(\phi) = N(\mu,
    \sigma^2)`, and the start of their posterior q. The inner loop descends, by the mean and by the
    logarithm of the deviation of q,

    .. math:: E_q[L_S(\phi)] + \frac{\beta}{|S|} KL(q \| p)

    with reparametrized draws, L the mean loss of the shots; :math:`\beta`, 1 in the bound, had to
    be less in their experiments too. Training minimises the same of support set and queries
    together, at the adapted q and with a weight of 1. The prior over :math:`\theta` is flat; the
    paper has N(0, I) for :math:`\mu`, which the regularizer ``weight_decay`` replaces for kernels,
    and a gamma distribution for precisions, which nothing replaces. KL(q || p), in nats, bounds the
    information of a task's weights about its support set: 0 for a learner that memorizes.

    Args:
        network: as of :class:`maml.MAML`; its weights are mu.
        head: as of :class:`maml.MAML`.
        divergence_weight: beta of the inner loop.
        **kwargs: of :class:`NormalWeights`; each inner step takes ``num_train_samples`` draws, too.

    Raises:
        ValueError: an option has an invalid value.
    """

    def __init__(self, network, head, divergence_weight: float = 0.1, **kwargs):
        super().__init__(network, head, **kwargs)
        check_finite(least=0, divergence_weight=divergence_weight)
        self.divergence_weight = divergence_weight
        self.log_scales = self.add_log_scales()

    def prior(self) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Means and logarithms of standard deviations of the weights."""
        return functional.tensors(self.functional.variables), functional.tensors(self.log_scales)

    def posterior_path(self, x, y, training: bool = False, mask=None) -> list[tuple[list, list]]:
        """q before the first inner step and after each: means and log deviations, [tasks, ...].

        Arguments as of :meth:`encode`.
        """
        (means, log_scales), steps = self.prior(), self.steps(training)
        each = [tf.repeat(part[tf.newaxis], tf.shape(x)[0], axis=0) for part in means + log_scales]
        path, count = [each], len(means)
        if steps:
            zeros = [tf.zeros_like(part) for part in each[:count]]
            draws = steps * self.num_train_samples
            noise = self.draw(zeros, [tf.zeros([], of.dtype) for of in zeros], draws, use=1)
            noise = [tf.broadcast_to(n, tf.concat([tf.shape(z)[:1], tf.shape(n)[1:]], 0))
                     for n, z in zip(noise, zeros, strict=True)]  # fmt: skip
            own = [tf.TensorSpec(part.shape, part.dtype) for part in means + log_scales]
            visited = self.map_tasks(
                lambda task: self._path_of_task(*task, steps),
                (self._support(x, y, mask), noise),
                inner_loop.Path([own] * steps, tf.TensorSpec([steps], own[0].dtype)),
            )
            self._note_divergence(visited.losses)
            path += visited.weights
        return [(parts[:count], parts[count:]) for parts in path]

    def _path_of_task(self, support, noise, steps):
        """The inner loop of one task, whose weights are the means and log deviations of q."""
        (means, log_scales), shared = self.prior(), functional.tensors(self.functional.shared)
        count, parts = len(means), len(support)
        ends = parts + count, parts + 2 * count, parts + 3 * count

        def loss(weights, arguments, step):
            y, mask = arguments[1], arguments[2] if parts == 3 else None
            batch = self._batch(step, *arguments[:parts])
            noise, prior, log_prior = (
                arguments[start : start + count] for start in (parts, *ends[:2])
            )
            q, log_q = weights[:count], weights[count:]
            total = 0.0
            for draw in range(self.num_train_samples):
                index = step * self.num_train_samples + draw
                phi = [m + tf.exp(s) * n[index] for m, s, n in zip(q, log_q, noise, strict=True)]
                total += self.inner_loss(phi, arguments[ends[2] :], *batch[:2], step, batch[2])
            one = [[part[tf.newaxis] for part in of] for of in (q, log_q, prior, log_prior)]
            size = tf.cast(tf.shape(y)[0], total.dtype)
            shots = size if mask is None else tf.reduce_sum(mask)
            nats = normal_divergence(*one)[0] / tf.maximum(shots, 1)
            return total / self.num_train_samples + self.divergence_weight * nats

        return inner_loop.descend(
            loss,
            means + log_scales,
            [*support, *noise, *means, *log_scales, *shared],
            [[*rates, *rates] for rates in self.rates(steps)],
            self.inner_optimizer,
            self.inner_clip,
            self.first_order,
            self.recompute,
        )

    def encode_path(self, x, y, training=False, mask=None):
        path = self.posterior_path(x, y, training, mask)
        return [self.draw_state(*posterior, training) for posterior in path]

    def initial_state(self, batch_size):
        each = [
            [tf.repeat(part[tf.newaxis], batch_size, axis=0) for part in parts]
            for parts in self.prior()
        ]
        return self.draw_state(*each)

    def task_loss(self, embedded: Episode, training=False):
        if not training:
            return super().task_loss(embedded, training)
        x, y, mask = embedded.support_x, embedded.support_y, support_mask(embedded)
        if mask is not None:
            self.check_takes_masks()
        means, log_scales = self.posterior_path(x, y, True, mask)[-1]
        state = self.draw_state(means, log_scales, training=True)
        x, y, mask = all_points(embedded)
        real = tf.ones(tf.shape(y)[:2], y.dtype) if mask is None else tf.cast(mask, y.dtype)
        parts = self.parts(state, x)
        losses = tf.reduce_mean(self.head.loss(parts, for_each(y, parts)), axis=0)
        nats = normal_divergence(means, log_scales, *self.prior())
        total = tf.reduce_sum(real * losses, axis=1) + nats
        loss = tf.reduce_mean(total / tf.reduce_sum(real, axis=1))
        return loss, self.decode(state, embedded.query_x)

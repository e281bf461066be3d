"""Probabilistic MAML by variational inference over the start of the inner loop."""

import keras
import tensorflow as tf

from maml.core.checks import check_finite
from maml.core.episodes import Episode, support_mask
from maml.core.registry import LEARNERS
from maml.distributions.mixture import mix
from maml.learners.gradient_based import inner_loop
from maml.learners.gradient_based.maml import padded_support
from maml.learners.probabilistic.weight_samples import NormalWeights, for_each, normal_divergence
from maml.nn import functional


@LEARNERS.register("platipus")
class PLATIPUS(NormalWeights):
    r"""Probabilistic MAML (Finn, Xu and Levine 2018, arXiv 1806.02817, algorithms 1 and 2).

    The start of the inner loop is drawn. A priori, after a support set S, and after the queries Q
    of a meta-training task it is

    .. math::

        p(\theta) = N(\mu, \sigma^2), \quad
        p(\theta | S) = N(\mu - \gamma_p \nabla L_S(\mu), \sigma^2), \quad
        q(\theta | Q) = N(\mu - \gamma_q \nabla L_Q(\mu), v^2),

    and each draw adapts as in MAML, :math:`\phi = \theta - \alpha \nabla L_S(\theta)`. Training
    minimises :math:`E_q [\sum_Q -\log p(y^* | x^*, \phi)] + KL(q(\theta | Q) \| p(\theta | S))` of
    each task, here divided by the number of queries, so that the likelihood is a
    mean as in other learners and keeps its weight beside the KL. Predictions average over draws of
    :math:`p(\theta | S)`.

    :math:`\mu` are the network's weights. :math:`\sigma` and v, one for each weight, and the rates
    :math:`\gamma` are learned. L is the mean loss of the shots: with the sum, as in the paper, all
    rates would be smaller by the number of shots. The KL, in nats, is how much the queries change
    the start beyond the support set.

    Args:
        network: as of :class:`maml.MAML`.
        head: as of :class:`maml.MAML`. Give it a density: of a ``normal`` head with its default
            scale the squared error is the loss, which holds no noise level of the data.
        divergence_weight: factor of the KL; 1 is the bound of the paper.
        **kwargs: of :class:`NormalWeights`. Sigma and v start with ``sigma``: a large one lets the
            first thousand steps train on noise. The learned rates gamma start at ``inner_lr``.

    Raises:
        ValueError: an option has an invalid value.
    """

    def __init__(self, network, head, divergence_weight: float = 1.0, **kwargs):
        super().__init__(network, head, **kwargs)
        check_finite(least=0, divergence_weight=divergence_weight)
        self.divergence_weight = divergence_weight
        self.log_prior_scales = self.add_log_scales("prior_")
        self.log_posterior_scales = self.add_log_scales("posterior_")
        self.prior_rate, self.posterior_rate = (
            self.add_weight(
                name=f"{name}_rate",
                shape=(),
                dtype=self.functional.variables[0].dtype,
                initializer=keras.initializers.Constant(self.inner_lr),
            )
            for name in ("prior", "posterior")
        )

    def conditioned(self, rate, x, y, mask=None) -> list[tf.Tensor]:
        r"""Means of the start given some points, :math:`\mu - \gamma \nabla L(\mu)`, [tasks, ...].

        Args:
            rate: gamma.
            x: embeddings of points [tasks, n, ...].
            y: their labels [tasks, n, dim].
            mask: which points are real [tasks, n]; None: all.
        """
        start, shared = (
            functional.tensors(variables)
            for variables in (self.functional.variables, self.functional.shared)
        )

        def gradient(task):
            x, y, *mask = task
            return inner_loop.slope(
                lambda weights, shared, step: self.inner_loss(weights, shared, x, y, step, *mask),
                start,
                shared,
                0,
                self.inner_clip,
                self.first_order,
            )[1]

        signature = [tf.TensorSpec(w.shape, w.dtype) for w in start]
        gradients = self.map_tasks(gradient, padded_support(x, y, mask), signature)
        return [w - rate * g for w, g in zip(start, gradients, strict=True)]

    def encode_path(self, x, y, training=False, mask=None):
        means = self.conditioned(self.prior_rate, x, y, mask)
        start = self._start(means, self.log_prior_scales, training)
        return self.adapted(start, x, y, training, mask)

    def initial_state(self, batch_size):
        return self._start(super().initial_state(batch_size), self.log_prior_scales)

    def _start(self, means, log_scales, training=False):
        return self.draw_state(means, functional.tensors(log_scales), training)

    def posterior_path(self, embedded: Episode) -> tuple[list, tf.Tensor]:
        """Weights [tasks, samples, ...] after draws of q adapted, and KL(q || p) in nats, [tasks].

        Args:
            embedded: episodes whose inputs went through :meth:`features`, with query labels.
        """
        x, y, mask = embedded.support_x, embedded.support_y, support_mask(embedded)
        prior = self.conditioned(self.prior_rate, x, y, mask)
        means = self.conditioned(self.posterior_rate, embedded.query_x, embedded.query_y)
        log_v, log_sigma = (
            functional.tensors(scales)
            for scales in (self.log_posterior_scales, self.log_prior_scales)
        )
        start = self._start(means, log_v, training=True)
        state = self.adapted(start, x, y, True, mask)[-1]
        return state, normal_divergence(means, log_v, prior, log_sigma)

    def task_loss(self, embedded: Episode, training=False):
        if not training:
            return super().task_loss(embedded, training)
        if support_mask(embedded) is not None:
            self.check_takes_masks()
        state, nats = self.posterior_path(embedded)
        parts = self.parts(state, embedded.query_x)
        loss = tf.reduce_mean(self.head.loss(parts, for_each(embedded.query_y, parts)))
        queries = tf.cast(tf.shape(embedded.query_y)[1], loss.dtype)
        return loss + self.divergence_weight * tf.reduce_mean(nats) / queries, mix(parts)

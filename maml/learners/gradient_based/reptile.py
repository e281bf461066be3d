"""Reptile: towards the weights that each task adapts to, without a meta-gradient."""

import tensorflow as tf

from maml.core.episodes import Episode, support_mask
from maml.core.registry import LEARNERS
from maml.learners.gradient_based.maml import MAML
from maml.nn import functional


@LEARNERS.register("reptile")
class Reptile(MAML):
    r"""Reptile (Nichol et al. 2018, arXiv 1803.02999, algorithm 2).

    Each task adapts the weights to :math:`\phi`, and :math:`\theta` moves by
    :math:`\epsilon\,\mathrm{mean}(\phi - \theta)`. That is a step of SGD with learning rate
    :math:`\epsilon` on :math:`\frac12 \mathrm{mean} \lVert\theta - \phi\rVert^2` with
    :math:`\phi` held constant, which is the objective here; so any Keras optimizer may take it.

    There are no queries in the algorithm: a task trains on all the data it has. ``pool`` gives the
    inner loop support and queries alike; choose ``inner_batch_size`` so that its steps see
    different shots, without which Reptile is joint training. Where the network has an embedding or
    layers that do not adapt, those follow the query loss at :math:`\phi`.

    Args:
        network: as of :class:`maml.MAML`.
        head: as of :class:`maml.MAML`.
        pool: whether the inner loop of meta-training sees the queries too.
        **kwargs: of :class:`maml.MAML`; ``first_order`` is on unless they say otherwise.
    """

    second_order = exact_gradient = False

    def __init__(self, network, head, pool: bool = True, **kwargs):
        super().__init__(network, head, **({"first_order": True} | kwargs))
        self.pool = pool

    def task_loss(self, embedded: Episode, training=False):
        if not training:
            return super().task_loss(embedded, training)
        seen = self._pooled(embedded) if self.pool else embedded
        adapted = self.encode_episode(seen, training=True)
        constant = [tf.stop_gradient(w) for w in adapted]
        prediction = self.decode(constant, embedded.query_x)
        loss = tf.reduce_mean(self.head.loss(prediction, embedded.query_y))
        start = functional.tensors(self.functional.variables)
        distance = tf.add_n(
            [
                tf.reduce_sum(tf.square(w - a)) / (2.0 * tf.cast(tf.shape(a)[0], w.dtype))
                for w, a in zip(start, constant, strict=True)
            ]
        )
        # The logged value is the query loss; the gradient of what adapts is the distance's.
        return loss + distance - tf.stop_gradient(distance), prediction

    def _pooled(self, embedded: Episode) -> Episode:
        """Episodes whose support sets hold the queries too."""
        mask = support_mask(embedded)
        pooled = embedded._replace(
            support_x=tf.concat([embedded.support_x, embedded.query_x], axis=1),
            support_y=tf.concat([embedded.support_y, embedded.query_y], axis=1),
        )
        if mask is None:
            return pooled
        queries = tf.ones(tf.shape(embedded.query_y)[:2], tf.bool)
        return pooled._replace(support_mask=tf.concat([mask, queries], axis=1))

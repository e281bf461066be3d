"""MLTI: new tasks between two tasks."""

import tensorflow as tf

from maml.core.episodes import support_mask
from maml.core.label_transforms import other_task, partners
from maml.core.registry import REGULARIZERS
from maml.regularizers.interpolation import Interpolation, between

PADDING = 2**20
"""Added to the class of a shot that is padding, so that it comes after all that are real."""


@REGULARIZERS.register("mlti")
class MLTI(Interpolation):
    r"""Meta-learning with task interpolation (Yao et al. 2022, arXiv 2106.02695).

    Each training task i becomes :math:`\lambda (X_i, Y_i) + (1 - \lambda) (X_j, Y_j)`, support set
    and queries alike, with another task j of the batch: so there are more tasks than were given.
    The n-th example of one task meets the n-th of the other. Of one-hot labels it is the n-th of
    the same class: the class then keeps its label, as the paper has it where tasks share no
    labels; the authors' code shuffles which class meets which. Inputs are interpolated, the paper's
    layer 0.

    Args:
        alpha: of Beta(alpha, alpha), from which each task draws lambda; the authors' code has
            0.5 or 2, by data set.
        probability: of each task to be interpolated.
        **kwargs: of :class:`maml.Regularizer`.

    Raises:
        ValueError: ``alpha`` is not positive, or ``probability`` is none.
    """

    title = "MLTI"

    def interpolated(self, episode, weight, seed):
        other, mask = other_task(episode, seed), support_mask(episode)
        partners = _partners(episode.support_y, other, mask)

        def met(part, order):
            return tf.gather(tf.gather(part, other), order, batch_dims=1)

        changed = episode._replace(
            **{
                name: between(getattr(episode, name), met(getattr(episode, name), order), weight)
                for names, order in (
                    (("support_x", "support_y"), partners),
                    (("query_x", "query_y"), _partners(episode.query_y, other)),
                )
                for name in names
            }
        )
        if mask is None:
            return changed
        # Both examples need to be real.
        return changed._replace(support_mask=tf.logical_and(mask, met(mask, partners)))


def _partners(y, other, mask=None) -> tf.Tensor:
    """For each example of a task the example of task ``other`` that it meets, [tasks, n].

    Args:
        y: labels [tasks, n, dim]; all are of one class unless each is the probabilities of classes.
        other: index of another task for each, [tasks].
        mask: which examples are real, [tasks, n]; None: all.
    """
    padding = tf.zeros(tf.shape(y)[:2], tf.bool) if mask is None else tf.logical_not(mask)
    # Numbers of several coordinates name no classes.
    shares = tf.logical_and(tf.reduce_all(y >= 0, -1), tf.abs(tf.reduce_sum(y, -1) - 1) < 1e-3)
    of_classes = tf.cast(tf.reduce_all(tf.logical_or(shares, padding)), tf.int32)
    classes = tf.argmax(y, axis=-1, output_type=tf.int32) * of_classes
    classes += PADDING * tf.cast(padding, tf.int32)
    order = tf.argsort(classes, axis=-1, stable=True)
    return partners(order, other)

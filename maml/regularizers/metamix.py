"""MetaMix: queries that are mixed with the support set of their task."""

import tensorflow as tf

from maml.core.episodes import real_shots_first, support_mask
from maml.core.registry import REGULARIZERS
from maml.regularizers.interpolation import Interpolation, between


@REGULARIZERS.register("metamix")
class MetaMix(Interpolation):
    r"""MetaMix: interpolates queries with shots (Yao et al. 2021, arXiv 2007.13040).

    Each query of a training task becomes :math:`\lambda x^* + (1 - \lambda) x_k` with the label
    :math:`\lambda y^* + (1 - \lambda) y_k`, for a shot k of its support set that is drawn. The
    support set stays, so that the adapted learner has to answer on points that it did not adapt to,
    and memorizing them does not pay. Inputs are mixed, the paper's layer 0; its channel shuffle is
    not part of it.

    Args:
        alpha: of Beta(alpha, alpha), from which each task draws lambda.
        probability: of each task to be mixed.
        **kwargs: of :class:`maml.Regularizer`.

    Raises:
        ValueError: ``alpha`` is not positive, or ``probability`` is none.
    """

    title = "MetaMix"

    def interpolated(self, episode, weight, seed):
        shots, mask = tf.shape(episode.support_y)[1], support_mask(episode)
        uniform = tf.random.stateless_uniform(tf.shape(episode.query_y)[:2], seed)
        if mask is None:
            drawn = tf.cast(uniform * tf.cast(shots, uniform.dtype), tf.int32)
        else:
            real = tf.reduce_sum(tf.cast(mask, uniform.dtype), axis=1, keepdims=True)
            drawn = tf.gather(
                real_shots_first(mask), tf.cast(uniform * real, tf.int32), batch_dims=1
            )

        def mixed(query, support):
            met = tf.gather(support, drawn, batch_dims=1)
            if mask is not None:  # A task without shots has nothing to mix with.
                some = tf.reduce_any(mask, axis=1)
                met = tf.where(tf.reshape(some, [-1] + [1] * (met.shape.rank - 1)), met, query)
            return between(query, met, weight)

        return episode._replace(
            query_x=mixed(episode.query_x, episode.support_x),
            query_y=mixed(episode.query_y, episode.support_y),
        )

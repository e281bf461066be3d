"""Metric-based learners: a query belongs to the class whose shots are near to it."""

import keras
import tensorflow as tf

from maml.core.checks import check_finite
from maml.core.registry import LEARNERS
from maml.distributions.categorical import CategoricalHead
from maml.learners.base import MetaLearner, per_input
from maml.nn.padding import PADDING_SCORE


class MetricBased(MetaLearner):
    """The base of metric-based learners: only an embedding is learned.

    Args:
        embedding: Keras network from inputs [n, ...] to features [n, features], shared by support
            and queries.
        head: a :class:`maml.CategoricalHead`.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: another head.
    """

    network_kind = "embedding"
    classification_only = True

    def __init__(self, embedding: keras.Model, head: CategoricalHead, **kwargs):
        super().__init__(head, **kwargs)
        if not isinstance(head, CategoricalHead):
            raise ValueError(
                f"Invalid value for `head`: {type(self).__name__} expects a CategoricalHead, since "
                f"it compares classes; received {type(head).__name__}. Use another learner."
            )
        self.embedding = embedding

    def embed(self, x):
        return per_input(self.embedding, x)


@LEARNERS.register("protonet")
class PrototypicalNetwork(MetricBased):
    r"""Prototypical network (Snell et al. 2017, arXiv 1703.05175).

    The prototype of a class is the mean of its shots' embeddings, and :math:`p(y = c | x^*) \propto
    \exp(-|e^* - p_c|^2)` (their equation 2, with squared Euclidean distances).

    The task state is the prototypes, [tasks, classes, features]; arguments as of
    :class:`MetricBased`.
    """

    title = "prototypical network"

    def encode(self, x, y, training=False, mask=None):
        if mask is not None:
            y *= tf.cast(mask, y.dtype)[..., tf.newaxis]
        count = tf.reduce_sum(y, axis=1)[..., tf.newaxis]
        # A class without shots has its prototype at zero.
        return tf.matmul(y, x, transpose_a=True) / tf.maximum(count, 1.0)

    def decode(self, state, x):
        distance = tf.reduce_sum(tf.square(x[:, :, tf.newaxis] - state[:, tf.newaxis]), axis=-1)
        return self.head(-distance)

    def initial_state(self, batch_size):
        """All prototypes equal: no class is nearer than another."""
        features = self.embedding.output_shape[-1]
        return tf.zeros([batch_size, self.head.classes, features], self.compute_dtype)


@LEARNERS.register("matching")
class MatchingNetwork(MetricBased):
    r"""Matching network without context embeddings (Vinyals et al. 2016, arXiv 1606.04080).

    :math:`p(y^* | x^*) = \sum_k \mathrm{softmax}_k(\cos(e^*, e_k) / \tau) \, y_k` (their equations
    1 and 2; they have :math:`\tau = 1`, which keeps probabilities far from 0 and 1).

    The task state is the support set: embeddings [tasks, shots, features] and labels; and the mask
    [tasks, shots] of padded support sets.

    Args:
        embedding: as of :class:`MetricBased`.
        head: as of :class:`MetricBased`.
        temperature: tau, which divides the cosine.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: ``temperature`` is not positive, or ``head`` is of another kind.
    """

    title = "matching network"

    def __init__(self, embedding, head, temperature: float = 0.1, **kwargs):
        super().__init__(embedding, head, **kwargs)
        check_finite(above=0, temperature=temperature)
        self.temperature = temperature

    def encode(self, x, y, training=False, mask=None):
        return [x, y] if mask is None else [x, y, mask]

    def decode(self, state, x):
        shots, labels, *mask = state
        cosine = tf.matmul(unit(x), unit(shots), transpose_b=True)
        scores = cosine / self.temperature
        if mask:
            real = mask[0][:, tf.newaxis]
            scores = tf.where(real, scores, tf.cast(PADDING_SCORE, scores.dtype))
        weights = tf.nn.log_softmax(scores, axis=-1)
        log_labels = tf.math.log(labels + 1e-12)
        both = weights[..., tf.newaxis] + log_labels[:, tf.newaxis]
        return self.head(tf.reduce_logsumexp(both, axis=2))

    def initial_state(self, batch_size):
        """An equal shot of each class: no class is nearer than another."""
        classes, features = self.head.classes, self.embedding.output_shape[-1]
        labels = tf.eye(classes, batch_shape=[batch_size], dtype=self.compute_dtype)
        return [tf.zeros([batch_size, classes, features], self.compute_dtype), labels]


def unit(x) -> tf.Tensor:
    """Vectors of length one, and of zero where there is no direction."""
    return x * tf.math.rsqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True) + 1e-12)

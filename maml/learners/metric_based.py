"""Learners that compare: a query is of the class whose shots it is near to."""

import keras
import tensorflow as tf

from maml.core.registry import LEARNERS
from maml.distributions.categorical import CategoricalHead
from maml.learners.base import MetaLearner, per_input


class MetricBased(MetaLearner):
    """What both kinds share: an embedding, and nothing else that is learned.

    Args:
        embedding: Keras network from inputs [n, ...] to features [n, features], shared by support
            and queries.
        head: of classes.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: the head is of no classes.
    """

    network_kind = "embedding"
    classification_only = True

    def __init__(self, embedding: keras.Model, head: CategoricalHead, **kwargs):
        super().__init__(head, **kwargs)
        if not isinstance(head, CategoricalHead):
            raise ValueError(
                f"{type(self).__name__} compares classes, and labels here are none: take another "
                "learner."
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

    def encode(self, x, y, training=False):
        count = tf.reduce_sum(y, axis=1)[..., tf.newaxis]
        # A class without shots has its prototype at zero.
        return tf.matmul(y, x, transpose_a=True) / tf.maximum(count, 1.0)

    def decode(self, state, x):
        distance = tf.reduce_sum(tf.square(x[:, :, tf.newaxis] - state[:, tf.newaxis]), axis=-1)
        return self.head(-distance)

    def initial_state(self, batch_size):
        """All prototypes in one place: no class is nearer than another."""
        features = self.embedding.output_shape[-1]
        return tf.zeros([batch_size, self.head.classes, features], self.compute_dtype)


@LEARNERS.register("matching")
class MatchingNetwork(MetricBased):
    r"""Matching network without context embeddings (Vinyals et al. 2016, arXiv 1606.04080).

    :math:`p(y^* | x^*) = \sum_k \mathrm{softmax}_k(\cos(e^*, e_k) / \tau) \, y_k` (their equations
    1 and 2; they have :math:`\tau = 1`, which keeps probabilities far from 0 and 1).

    The task state is the support set: embeddings [tasks, shots, features] and labels.

    Args:
        embedding: as of :class:`MetricBased`.
        head: as of :class:`MetricBased`.
        temperature: the cosine's unit, tau.
        **kwargs: of :class:`MetaLearner`.
    """

    title = "matching network"

    def __init__(self, embedding, head, temperature: float = 0.1, **kwargs):
        super().__init__(embedding, head, **kwargs)
        self.temperature = temperature

    def encode(self, x, y, training=False):
        return [x, y]

    def decode(self, state, x):
        shots, labels = (_unit(state[0]), state[1])
        cosine = tf.matmul(_unit(x), shots, transpose_b=True)
        weights = tf.nn.log_softmax(cosine / self.temperature, axis=-1)
        log_labels = tf.math.log(labels + 1e-12)
        both = weights[..., tf.newaxis] + log_labels[:, tf.newaxis]
        return self.head(tf.reduce_logsumexp(both, axis=2))

    def initial_state(self, batch_size):
        """A shot of each class in one place: no class is nearer than another."""
        classes, features = self.head.classes, self.embedding.output_shape[-1]
        labels = tf.eye(classes, batch_shape=[batch_size], dtype=self.compute_dtype)
        return [tf.zeros([batch_size, classes, features], self.compute_dtype), labels]


def _unit(x) -> tf.Tensor:
    """Vectors of length one, and of zero where there is no direction."""
    return x * tf.math.rsqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True) + 1e-12)

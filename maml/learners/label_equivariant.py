"""A learner whose prediction moves with the labels of its shots, so that it cannot memorize."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from maml.core.checks import check_counts
from maml.core.registry import LEARNERS
from maml.core.seeds import Part
from maml.distributions.base import Head
from maml.learners.base import MetaLearner, per_input
from maml.nn.mlp import DenseLayers, product, through
from maml.nn.padding import PADDING_SCORE, without_padding


@LEARNERS.register("relative")
class RelativeCNP(MetaLearner):
    r"""A neural process whose predictions move as the labels of its support set move.

    For each pair of a query and a shot a perceptron on their embeddings gives how the query's label
    differs from the shot's, and the weight of that shot:

    .. math:: \mathrm{outputs}(x^*) = \sum_k \mathrm{softmax}_k(a(x^*, x_k)) \,
        \mathrm{relative}(r(x^*, x_k), y_k)

    with the head's own idea of relative (:meth:`maml.Head.relative`): a turn of a density on a
    circle, a difference of numbers, the class of the shot. Labels enter nowhere else. So if a
    relabeling turns the support's labels, it turns the prediction: weights can hold how inputs
    differ, and not which label an input has in a training task. The learner cannot memorize by
    construction, and label augmentation adds nothing to it.

    The task state is the support set: embeddings [tasks, shots, features] and labels; and the mask
    [tasks, shots] of padded support sets.

    Args:
        embedding: as of :class:`maml.CNP`.
        head: as of :class:`maml.CNP`.
        hidden: units of each hidden layer of the perceptron.
        interaction: number of products of the two embeddings that it sees beside them.
        initializer_seed: seed of its initial weights.
        **kwargs: of :class:`MetaLearner`.
    """

    network_kind = "embedding"
    title = "Relative CNP"

    def __init__(
        self,
        embedding: keras.Model,
        head: Head,
        hidden: Sequence[int] = (100, 100),
        interaction: int = 0,
        initializer_seed: int = 0,
        **kwargs,
    ):
        super().__init__(head, **kwargs)
        check_counts(interaction=interaction or None)
        self.embedding, self.hidden = embedding, tuple(hidden)
        self.interaction, self.initializer_seed = interaction, initializer_seed
        layers = DenseLayers(initializer_seed, Part.ENCODER_DECODER, self.dtype_policy)
        self.comparison = layers.perceptron(hidden, 1 + head.relative_units)
        self.products = [layers.dense(interaction) for _ in range(2)] if interaction else []

    def embed(self, x):
        return per_input(self.embedding, x)

    def encode(self, x, y, training=False, mask=None):
        return [x, y] if mask is None else [x, y, mask]

    def decode(self, state, x):
        shots, labels, *mask = state
        if mask:  # What is left of no shots is one of zeros, as at the start.
            shots, labels = (without_padding(part, mask[0]) for part in (shots, labels))
        of_query = tf.repeat(x[:, :, tf.newaxis], tf.shape(shots)[1], axis=2)
        of_shot = tf.repeat(shots[:, tf.newaxis], tf.shape(x)[1], axis=1)
        pairs = [of_query, of_shot, *product(self.products, of_query, of_shot)]
        outputs = through(self.comparison, tf.concat(pairs, axis=-1))
        scores = outputs[..., :1]
        if mask:
            real = mask[0][:, tf.newaxis, :, tf.newaxis]
            scores = tf.where(real, scores, tf.cast(PADDING_SCORE, scores.dtype))
        weights = tf.nn.softmax(scores, axis=2)
        answers = self.head.relative(outputs[..., 1:], labels[:, tf.newaxis])
        return self.head(tf.reduce_sum(weights * answers, axis=2))

    def initial_state(self, batch_size):
        """One shot of zeros, labelled zero: as of a CNP, a state it is never trained in."""
        features, labels = self.embedding.output_shape[-1], self._episode_spec[1][0][-1]
        return [tf.zeros([batch_size, 1, size], self.compute_dtype) for size in (features, labels)]

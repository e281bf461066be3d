"""A transformer that reads the support set as its context, and answers each query from it."""

import keras
import tensorflow as tf

from maml.core.checks import check_flags
from maml.core.episodes import support_mask
from maml.core.registry import LEARNERS
from maml.distributions.base import Head
from maml.learners.base import MetaLearner, per_input
from maml.nn import task_map
from maml.nn.mlp import through
from maml.nn.transformer import transformer


@LEARNERS.register("tnp")
class TransformerNeuralProcess(MetaLearner):
    r"""Transformer neural process (Nguyen and Grover 2022, arXiv 2207.04179, the diagonal TNP-D).

    A shot is a token, :math:`A e_k + a + B\, \mathrm{features}(y_k) + b`, e the embeddings; a query
    is the token :math:`A e^* + a`. Shots attend to each other, queries to the shots alone, so that
    the prediction at a query does not depend on the others; the last token of a query, through a
    perceptron, gives the outputs. There are no position codes: the order of the support set does
    not matter. A learned token stands before the shots, and alone in an empty support set.

    With ``causal``, a shot attends to itself and to those before it, and a training step scores
    every prefix of the support set in one pass, as language models and in-context learners are
    trained (Raventos et al. 2023, arXiv 2306.15063): the loss is the mean over each shot's label,
    predicted from the shots before it, and over the queries' labels, predicted from all shots. The
    state before any support is then trained, too. The order of the support set then matters, with
    two blocks or more.

    The task state is the tokens that queries attend to in each block, ``depth`` times [tasks, 1 +
    shots, width]; and of padded support sets the mask [tasks, 1 + shots].

    Args:
        embedding: Keras network from inputs [n, ...] to features [n, features], shared by support
            and queries.
        head: from outputs to a distribution over labels.
        width: features of a token.
        depth: number of blocks, see :class:`maml.nn.transformer.TransformerBlock`.
        heads: ways to attend, each in ``width / heads`` dimensions.
        feedforward: hidden units of a block's perceptron.
        causal: whether shots attend to those before them only, and every prefix is trained.
        initializer_seed: seed of the initial weights of all but the embedding.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: a number is less than 1, or ``heads`` does not divide ``width``.
    """

    network_kind = "embedding"
    title = "TNP"

    def __init__(
        self,
        embedding: keras.Model,
        head: Head,
        width: int = 64,
        depth: int = 3,
        heads: int = 4,
        feedforward: int = 128,
        causal: bool = False,
        initializer_seed: int = 0,
        **kwargs,
    ):
        super().__init__(head, **kwargs)
        check_flags(causal=causal)
        self.embedding, self.width, self.depth, self.heads = embedding, width, depth, heads
        self.feedforward, self.causal = feedforward, causal
        self.initializer_seed = initializer_seed
        self.blocks, dense = transformer(
            depth, width, heads, feedforward, initializer_seed, self.dtype_policy
        )
        self.of_input, self.of_label = dense.dense(width), dense.dense(width)
        self.last_norm = keras.layers.LayerNormalization(dtype=self.dtype_policy)
        self.outputs = dense.perceptron((width,), head.units)
        initializer = keras.initializers.RandomNormal(stddev=0.02, seed=next(dense.seeds))
        self.start = self.add_weight(name="start", shape=(width,), initializer=initializer)

    @property
    def prefers_xla(self):
        return task_map.is_dense(self.embedding)

    def embed(self, x):
        return per_input(self.embedding, x)

    def encode(self, x, y, training=False, mask=None):
        shots = self.of_input(x) + self.of_label(self.head.features(y))
        tasks, count = tf.shape(shots)[0], tf.shape(shots)[1]
        start = tf.broadcast_to(tf.convert_to_tensor(self.start), [tasks, 1, self.width])
        tokens, state, seen, known = tf.concat([start, shots], axis=1), [], None, []
        if mask is not None:
            real = tf.concat([tf.ones([tasks, 1], tf.bool), tf.cast(mask, tf.bool)], axis=1)
            known, seen = [real], real[:, tf.newaxis]
        if self.causal:
            earlier = _lower_triangle(count + 1, count + 1)[tf.newaxis]
            seen = earlier if seen is None else seen & earlier
        for block in self.blocks[:-1]:
            state.append(tokens)
            tokens = block(tokens, tokens, seen)
        return [*state, tokens, *known]

    def decode(self, state, x):
        return self.head(self._outputs(state, x))

    def _outputs(self, state, x, seen=None) -> tf.Tensor:
        """Outputs at embeddings that see ``seen`` [1, queries, 1 + shots] of a state; all if None.

        Returns:
            [tasks, queries, units].
        """
        context, mask = state[: self.depth], state[self.depth :]
        if mask:
            real = mask[0][:, tf.newaxis]
            seen = real if seen is None else seen & real
        tokens = self.of_input(x)
        for block, known in zip(self.blocks, context, strict=True):
            tokens = block(tokens, known, seen)
        return through(self.outputs, self.last_norm(tokens))

    def task_loss(self, embedded, training=False):
        if not (self.causal and training):
            return super().task_loss(embedded, training)
        state = self.encode_episode(embedded, training)
        y = tf.concat([embedded.support_y, embedded.query_y], axis=1)
        x = tf.concat([embedded.support_x, embedded.query_x], axis=1)
        shots, both = tf.shape(embedded.support_y)[1], tf.shape(y)[1]
        # A shot sees the first token and the shots before it, a query all of them.
        outputs = self._outputs(state, x, _lower_triangle(both, shots + 1)[tf.newaxis])
        losses, mask = self.head.loss(self.head(outputs), y), support_mask(embedded)
        prediction = self.head(outputs[:, shots:])
        if mask is None:
            return tf.reduce_mean(losses), prediction
        counts = tf.concat([mask, tf.ones_like(embedded.query_y[..., 0], tf.bool)], axis=1)
        counts = tf.cast(counts, losses.dtype)
        means = tf.reduce_sum(counts * losses, axis=1) / tf.reduce_sum(counts, axis=1)
        return tf.reduce_mean(means), prediction

    def initial_state(self, batch_size):
        """The learned first token alone; only with ``causal`` is a learner trained there."""
        features, labels = self.embedding.output_shape[-1], self._episode_spec[1][0][-1]
        parts = (tf.zeros([batch_size, 0, size], self.compute_dtype) for size in (features, labels))
        return self.encode(*parts)


def _lower_triangle(rows, columns) -> tf.Tensor:
    """Whether a column is at most its row, boolean [rows, columns]."""
    return tf.range(columns) <= tf.range(rows)[:, tf.newaxis]

"""Learners whose task state is a context vector."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from maml.core.checks import check_counts
from maml.core.registry import LEARNERS
from maml.core.seeds import Part, initializer_seeds
from maml.distributions.base import Head
from maml.learners.base import MetaLearner, per_input
from maml.nn.mlp import DenseLayers, product, through, units_of
from maml.nn.padding import masked_mean, without_padding


@LEARNERS.register("cnp")
class CNP(MetaLearner):
    """Conditional neural process (Garnelo et al. 2018, arXiv 1807.01613).

    ``state = project(mean_k encoder([embed(x_k), lift(y_k)]))`` and the prediction at x* is
    ``decoder([state, embed(x*)])``. With ``interaction``, both also see products: ``A embed(x_k) *
    B y_k`` and ``A' embed(x*) * B' state``. A label that is *relative* to the support (an angle
    from a reference) is such a product, which a perceptron over the two side by side is slow to
    find.

    Args:
        embedding: Keras network from inputs [n, ...] to features [n, features], shared by support
            and queries.
        head: from outputs to a distribution over labels.
        hidden: units of each hidden layer of encoder and decoder.
        dim_r: size of the average over the support.
        dim_z: size of the task state.
        interaction: number of products; 0 is the plain neural process.
        initializer_seed: seed of the initial weights of encoder and decoder.
        **kwargs: of :class:`MetaLearner`.
    """

    network_kind = "embedding"
    title = "CNP"

    def __init__(
        self,
        embedding: keras.Model,
        head: Head,
        hidden: Sequence[int] = (100, 100),
        dim_r: int = 100,
        dim_z: int = 64,
        interaction: int = 0,
        initializer_seed: int = 0,
        **kwargs,
    ):
        super().__init__(head, **kwargs)
        self.embedding, self.hidden = embedding, units_of("hidden", hidden)
        check_counts(dim_r=dim_r, dim_z=dim_z, interaction=interaction or None)
        self.dim_r, self.dim_z, self.interaction = dim_r, dim_z, interaction
        self.initializer_seed = initializer_seed
        layers = DenseLayers(initializer_seed, Part.ENCODER_DECODER, self.dtype_policy)
        self.lift = layers.dense(max(embedding.output_shape[-1] // 4, 1))
        self.encoder = layers.perceptron(hidden, dim_r)
        self.project = layers.dense(dim_z)
        self.decoder = layers.perceptron(hidden, head.units)
        # Flat, since Keras saves no nested lists: two layers for the encoder, two for the decoder.
        self.products = [layers.dense(interaction) for _ in range(4)] if interaction else []

    def embed(self, x):
        return per_input(self.embedding, x)

    def pairs(self, x, y) -> tf.Tensor:
        """Embeddings and labels [tasks, n, ...], side by side, as encoders see them."""
        labels = self.head.features(y)
        return tf.concat([x, self.lift(labels), *product(self.products[:2], x, labels)], axis=-1)

    def represent(self, x, y) -> tf.Tensor:
        """The representation of each support example, [tasks, shots, dim_r]."""
        return through(self.encoder, self.pairs(x, y))

    def context(self, state, x) -> tf.Tensor:
        """What the decoder is given of the state for each query, [tasks, queries, dim_z]."""
        return tf.repeat(state[:, tf.newaxis], tf.shape(x)[1], axis=1)

    def decode_context(self, context, x):
        """The prediction from a context [..., queries, dim_z] for each query embedding."""
        pairs = [context, x, *product(self.products[2:], x, context)]
        return self.head(through(self.decoder, tf.concat(pairs, axis=-1)))

    def encode(self, x, y, training=False, mask=None):
        represented = self.represent(x, y)
        if mask is None:
            return self.project(tf.reduce_mean(represented, axis=1))
        return self.project(masked_mean(represented, mask))

    def decode(self, state, x):
        return self.decode_context(self.context(state, x), x)

    def query_layers(self):
        return [*self.embedding._flatten_layers(), *self.decoder, *self.products[2:]]

    def initial_state(self, batch_size):
        """A zero context: a CNP is never trained there, so read the swap gap beside it."""
        return tf.zeros([batch_size, self.dim_z], self.compute_dtype)


@LEARNERS.register("acnp")
class AttentiveCNP(CNP):
    r"""Attentive neural process, its deterministic path (Kim et al. 2019, arXiv 1901.05761).

    Where a :class:`CNP` takes the mean over shots, each query takes a mean of its own: with
    :math:`r_k = \mathrm{project}(\mathrm{encoder}([e_k, \mathrm{lift}(y_k)]))` and e the
    embeddings, :math:`d(x^*) = \mathrm{attention}(e^*, (e_k, r_k)_k)` and the prediction is
    ``decoder([d(x*), embed(x*)])``. The task state is the keys e, [tasks, shots, features], and the
    values r, [tasks, shots, dim_z]; and the mask [tasks, shots] of padded support sets.

    Args:
        embedding: as of :class:`CNP`.
        head: as of :class:`CNP`.
        heads: ways to attend (Vaswani et al. 2017), each in ``dim_z / heads`` dimensions.
        **kwargs: of :class:`CNP`.

    Raises:
        ValueError: ``heads`` is less than 1.
    """

    title = "Attentive CNP"

    def __init__(self, embedding, head, heads: int = 8, **kwargs):
        super().__init__(embedding, head, **kwargs)
        check_counts(heads=heads)
        self.heads = heads
        # The projections of keys and of queries start equal, so that a query first looks at what
        # resembles it. Without biases, no value is no context.
        seeds = initializer_seeds(self.initializer_seed, Part.ATTENTION)
        self.attention = keras.layers.MultiHeadAttention(
            heads,
            max(self.dim_z // heads, 1),
            output_shape=self.dim_z,
            use_bias=False,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            dtype=self.dtype_policy,
        )

    def encode(self, x, y, training=False, mask=None):
        state = [x, self.project(self.represent(x, y))]
        return state if mask is None else [*state, mask]

    def context(self, state, x):
        keys, values, *mask = state
        if not mask:
            return self.attention(x, values, keys)
        # Keras attends to padding where there is nothing else.
        values = without_padding(values, mask[0])
        # [tasks, 1, shots]: the same shots for each query.
        return self.attention(x, values, keys, attention_mask=mask[0][:, tf.newaxis])

    def query_layers(self):
        return [*super().query_layers(), self.attention.query_dense, self.attention.output_dense]

    def initial_state(self, batch_size):
        """One shot of zeros, whose context is zero: as of a CNP, a state it is never trained in."""
        features = self.embedding.output_shape[-1]
        return [
            tf.zeros([batch_size, 1, size], self.compute_dtype) for size in (features, self.dim_z)
        ]

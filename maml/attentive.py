"""A neural process whose queries look at those shots that resemble them."""

import keras
import tensorflow as tf

from maml.contextual import CNP
from maml.registry import LEARNERS


@LEARNERS.register("acnp")
class AttentiveCNP(CNP):
    r"""Attentive neural process, its deterministic path (Kim et al. 2019, arXiv 1901.05761).

    Where a :class:`CNP` takes the mean over shots, each query takes a mean of its own: with
    :math:`r_k = \mathrm{project}(\mathrm{encoder}([e_k, \mathrm{lift}(y_k)]))` and e the
    embeddings, :math:`d(x^*) = \mathrm{attention}(e^*, (e_k, r_k)_k)` and the prediction is
    ``decoder([d(x*), embed(x*)])``. The task state is the keys e, [tasks, shots, features], and the
    values r, [tasks, shots, dim_z].

    Args:
        embedding: as of :class:`CNP`.
        head: as of :class:`CNP`.
        heads: ways to attend (Vaswani et al. 2017), each in ``dim_z / heads`` dimensions.
        **kwargs: of :class:`CNP`.
    """

    def __init__(self, embedding, head, heads: int = 8, **kwargs):
        super().__init__(embedding, head, **kwargs)
        self.heads = heads
        # The projections of keys and of queries start equal, so that a query first looks at what
        # resembles it. Without biases, no value is no context.
        self.attention = keras.layers.MultiHeadAttention(
            heads,
            max(self.dim_z // heads, 1),
            output_shape=self.dim_z,
            use_bias=False,
            kernel_initializer=keras.initializers.GlorotUniform(1000 * self.initializer_seed + 999),
            dtype=self.dtype_policy,
        )

    def encode(self, x, y, training=False):
        return [x, self.project(self.represent(x, y))]

    def predict(self, d, x):
        keys, values = d
        return self.decode(self.attention(x, values, keys), x)

    def query_layers(self):
        return [*super().query_layers(), self.attention.query_dense, self.attention.output_dense]

    def prior(self, tasks):
        """One shot of zeros, whose context is zero: as of a CNP, a state it is never trained in."""
        features = self.embedding.output_shape[-1]
        return [tf.zeros([tasks, 1, size], self.compute_dtype) for size in (features, self.dim_z)]

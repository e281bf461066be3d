"""Learners whose task state is a context vector."""

import keras
import tensorflow as tf

from maml.dense import DenseLayers, product, through
from maml.likelihoods import Head
from maml.meta_learner import MetaLearner, per_input
from maml.registry import LEARNERS


@LEARNERS.register("cnp")
class CNP(MetaLearner):
    """Conditional neural process (Garnelo et al. 2018, arXiv 1807.01613).

    ``d = project(mean_k encoder([embed(x_k), lift(y_k)]))`` and the prediction at x* is
    ``decoder([d, embed(x*)])``. With ``interaction``, both also see products: ``A embed(x_k) *
    B y_k`` and ``A' embed(x*) * B' d``. An answer that is *relative* to the support (an angle from
    a reference) is such a product, which a perceptron over the two side by side is slow to find.

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

    uses = "embedding"

    def __init__(
        self,
        embedding: keras.Model,
        head: Head,
        hidden=(100, 100),
        dim_r: int = 100,
        dim_z: int = 64,
        interaction: int = 0,
        initializer_seed: int = 0,
        **kwargs,
    ):
        super().__init__(head, **kwargs)
        self.embedding, self.hidden = embedding, tuple(hidden)
        self.dim_r, self.dim_z, self.interaction = dim_r, dim_z, interaction
        self.initializer_seed = initializer_seed
        layers = DenseLayers(initializer_seed, self.dtype_policy)
        self.lift = layers.dense(max(embedding.output_shape[-1] // 4, 1))
        self.encoder = layers.perceptron(hidden, dim_r)
        self.project = layers.dense(dim_z)
        self.decoder = layers.perceptron(hidden, head.units)
        # Flat, since Keras saves no nested lists: two layers for the encoder, two for the decoder.
        self.products = [layers.dense(interaction) for _ in range(4)] if interaction else []

    def embed(self, x):
        return per_input(self.embedding, x)

    def represent(self, x, y) -> tf.Tensor:
        """What each support example says, [tasks, shots, dim_r]."""
        labels = self.head.features(y)
        pairs = [x, self.lift(labels), *product(self.products[:2], x, labels)]
        return through(self.encoder, tf.concat(pairs, axis=-1))

    def decode(self, context, x):
        """The prediction from a context [tasks, queries, dim_z] for each query embedding."""
        pairs = [context, x, *product(self.products[2:], x, context)]
        return self.head(through(self.decoder, tf.concat(pairs, axis=-1)))

    def encode(self, x, y, training=False):
        return self.project(tf.reduce_mean(self.represent(x, y), axis=1))

    def predict(self, d, x):
        return self.decode(tf.repeat(d[:, tf.newaxis], tf.shape(x)[1], axis=1), x)

    def query_layers(self):
        return [*self.embedding._flatten_layers(), *self.decoder, *self.products[2:]]

    def prior(self, tasks):
        """A zero context: a CNP is never trained there, so read the swap gap beside it."""
        return tf.zeros([tasks, self.dim_z], self.compute_dtype)

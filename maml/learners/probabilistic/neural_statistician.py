"""A learner that models the examples of a class, and compares its posteriors of two sets."""

import functools
import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from maml.core.checks import check_whole
from maml.core.episodes import fold_in, support_mask
from maml.core.registry import LEARNERS
from maml.core.seeds import Part
from maml.distributions.categorical import CategoricalHead
from maml.distributions.gaussian import GaussianHead
from maml.learners.base import per_input
from maml.learners.metric_based import MetricBased
from maml.learners.probabilistic.base import ProbabilisticLearner
from maml.learners.probabilistic.latent import Latent, StatisticNetwork
from maml.nn.convolutions import image_decoder
from maml.nn.mlp import DenseLayers, through, units_of
from mine import replicas

FILTERS = 32
"""Of the decoder of images at a quarter of their size."""


@LEARNERS.register("neural_statistician")
class NeuralStatistician(ProbabilisticLearner, MetricBased):
    r"""Neural statistician (Edwards and Storkey 2017, arXiv 1606.02185).

    A generative model of the examples of a class, in which labels have no part but to say which
    examples are of one class: :math:`p(D) = \int p(c) \prod_{x \in D} \int p(x \mid z, c)\, p(z
    \mid c)\, dz\, dc`, c the statistic of the class, z what differs between its examples. A
    training step ascends the variational bound (their equation 5) of each class of each task, over
    its support and query examples together,

    .. math:: E_{q(c \mid D)} \sum_{x \in D} \big( E_{q(z \mid x, c)} \log p(x \mid z, c) - KL(q(z
        \mid x, c) \| p(z \mid c)) \big) - KL(q(c \mid D) \| N(0, 1))

    over the number of examples, in nats. All distributions of c and z are normal with one layer of
    z; :math:`p(x \mid z, c)` is of Bernoulli pixels for images in [0, 1], and normal for vectors.
    Standard deviations of c and z have no bounds that matter. In training q(c | D) sees a random
    part of D (their sample dropout), so that it learns to describe small sets and single examples.

    A query is of the class whose statistic is nearest to its own: the logits are :math:`-KL(q(c
    \mid D_k) \| q(c \mid \{x^*\}))` (their section 5.3; public code has either direction, and on
    Omniglot this one is right more often). No label can be memorized in training, as no label is
    predicted. Outside of training the loss is the cross-entropy of these logits.

    Their network for Omniglot has nine convolutions, and c of size 512. With four convolutions of
    64 filters and the defaults here, a step of 16 tasks with 1 shot and 5 queries of each of 5
    classes takes 0.15 to 0.5 s on a core: 20,000 steps take one to three hours.

    ``embed`` leaves inputs as they are, since the bound is of inputs. The task state is q(c | D_k)
    of the classes: its mean and standard deviation, [tasks, classes, dim_c] each.

    Args:
        embedding: Keras network from inputs [n, ...] to features [n, features], shared by the
            statistic and by q(z | x, c).
        head: a :class:`maml.CategoricalHead`.
        hidden: units of each hidden layer of all other networks.
        dim_c: size of a class' statistic.
        dim_z: size of an example's latent variable.
        initializer_seed: seed of the initial weights of all but the embedding.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: a number is less than 1, or ``head`` is of another kind.
    """

    title = "Neural Statistician"

    def __init__(
        self,
        embedding: keras.Model,
        head: CategoricalHead,
        hidden: Sequence[int] = (256,),
        dim_c: int = 128,
        dim_z: int = 16,
        initializer_seed: int = 0,
        **kwargs,
    ):
        super().__init__(embedding, head, **kwargs)
        check_whole(1, dim_c=dim_c, dim_z=dim_z)
        self.hidden, self.dim_c, self.dim_z = units_of("hidden", hidden), dim_c, dim_z
        self.initializer_seed = initializer_seed
        dtype, shape = self.dtype_policy, embedding.input_shape[1:]
        self.statistic = StatisticNetwork(
            self.hidden, dim_c, initializer_seed, Latent.of_any_width, dtype=dtype
        )
        layers = DenseLayers(initializer_seed, Part.ENCODER_DECODER, dtype)
        seen, code = embedding.output_shape[-1] + dim_c, dim_c + dim_z
        self.posterior_of_z = layers.perceptron(self.hidden, 2 * dim_z, seen)
        self.prior_of_z = layers.perceptron(self.hidden, 2 * dim_z, dim_c)
        if len(shape) == 3:
            self.decoder = [image_decoder(code, shape, FILTERS, initializer_seed, dtype)]
        else:
            self.decoder = layers.perceptron(self.hidden, 2 * math.prod(shape), code)

    def embed(self, x):
        return x

    def represent(self, x) -> tf.Tensor:
        """Features of inputs [tasks, n, ...]: [tasks, n, features]."""
        return per_input(self.embedding, x)

    def update_normalization_statistics(self, x):
        self.represent(x)

    def query_layers(self):
        networks = self.embedding, self.statistic
        return [layer for network in networks for layer in network._flatten_layers()]

    def encode(self, x, y, training=False, mask=None):
        return self.statistic(self.represent(x), _members(y, mask))

    def decode(self, state, x):
        return self._compared(state, self.represent(x))

    def _compared(self, classes: Latent, features):
        """The prediction for features of queries, by the divergences from the classes."""
        alone = tf.eye(tf.shape(features)[1], batch_shape=tf.shape(features)[:1], dtype=self.dtype)
        own = self.statistic(features, alone)
        own, classes = (
            Latent(*(tf.expand_dims(part, axis) for part in of))
            for of, axis in ((own, 2), (classes, 1))
        )
        return self.head(-classes.kl(own))

    def initial_state(self, batch_size):
        """The prior of every class: no class is nearer than another."""
        return Latent.standard([batch_size, self.head.classes, self.dim_c], self.compute_dtype)

    def task_loss(self, embedded, training=False):
        if not training:
            return super().task_loss(embedded, training)
        inputs, labels = (embedded.support_x, embedded.query_x), embedded[1::2][:2]
        features = [self.represent(x) for x in inputs]
        mask = support_mask(embedded)
        members = tf.concat([_members(labels[0], mask), _members(labels[1])], axis=-1)
        bound = self.bound(tf.concat(inputs, 1), tf.concat(features, 1), members)
        classes = self.statistic(features[0], members[..., : tf.shape(labels[0])[1]])
        loss = -tf.reduce_mean(bound / tf.reduce_sum(members, axis=[1, 2]))
        return loss, self._compared(classes, features[1])

    def bound(self, x, features, members) -> tf.Tensor:
        """The variational bound of the classes of each task, in nats.

        Args:
            x: inputs [tasks, n, ...].
            features: of the inputs, [tasks, n, features].
            members: whether an example is of a class, 0 or 1, [tasks, classes, n].

        Returns:
            [tasks], the sum over classes and their examples.
        """
        classes = self.statistic(features, self._part_of(members))
        c = classes.draw(self._noise(tf.shape(classes.mean), 0))
        c = tf.matmul(members, c, transpose_a=True)  # Of each example, that of its class.
        posterior = Latent.of_any_width(through(self.posterior_of_z, tf.concat([features, c], -1)))
        prior = Latent.of_any_width(through(self.prior_of_z, c))
        z = posterior.draw(self._noise(tf.shape(posterior.mean), 1))
        each = self.log_likelihood(tf.concat([c, z], -1), x) - posterior.kl(prior)
        real = tf.reduce_sum(members, axis=1)  # Neither padding nor classes without examples count.
        known = tf.reduce_max(members, axis=2)
        of_classes = classes.kl(Latent.standard([1], features.dtype))
        return tf.reduce_sum(real * each, axis=1) - tf.reduce_sum(known * of_classes, axis=1)

    def log_likelihood(self, codes, x) -> tf.Tensor:
        """log p(x | z, c) in nats, [tasks, n], for c beside z, [tasks, n, dim_c + dim_z]."""
        if x.shape.rank < 5:
            x = tf.reshape(x, [*tf.unstack(tf.shape(x)[:2]), math.prod(x.shape[2:])])
            return GaussianHead(x.shape[-1])(through(self.decoder, codes)).log_prob(x)
        pixels = tf.reshape(x, [-1, *x.shape[2:]])
        logits = self.decoder[0](tf.reshape(codes, [-1, codes.shape[-1]]))
        nats = tf.nn.sigmoid_cross_entropy_with_logits(labels=pixels, logits=logits)
        return -tf.reshape(tf.reduce_sum(nats, axis=[1, 2, 3]), tf.shape(x)[:2])

    def _part_of(self, members) -> tf.Tensor:
        """A random part of each class, of any number of examples but none."""

        def uniform(shape, use):
            seed = fold_in(self.noise_seed, use)
            draw = functools.partial(tf.random.stateless_uniform, seed=seed, dtype=members.dtype)
            return replicas.drawn(draw, shape)

        chance = uniform(tf.shape(members), 2)
        share = uniform(tf.shape(members)[:2], 3)
        chance = tf.where(members > 0, chance, 2)
        limit = tf.maximum(share[..., tf.newaxis], tf.reduce_min(chance, axis=-1, keepdims=True))
        return members * tf.cast(chance <= limit, members.dtype)

    def _noise(self, shape, use: int) -> tf.Tensor:
        return self.normal(shape, use, self.dtype, tasks=0)


def _members(y, mask=None) -> tf.Tensor:
    """Whether an example is of a class, [tasks, classes, n], from labels [tasks, n, classes]."""
    if mask is not None:
        y *= tf.cast(mask, y.dtype)[..., tf.newaxis]
    return tf.transpose(y, [0, 2, 1])

"""Neural processes with a latent variable, which draw from the functions that fit a support set."""

import tensorflow as tf

from maml.core.checks import check_flags, check_whole
from maml.core.episodes import support_mask
from maml.core.registry import LEARNERS
from maml.distributions.mixture import mix
from maml.learners.neural_processes import CNP, AttentiveCNP
from maml.learners.probabilistic.base import ProbabilisticLearner
from maml.learners.probabilistic.latent import Latent, StatisticNetwork


class LatentPath(ProbabilisticLearner):
    r"""What a latent variable adds to a neural process, a base class beside it.

    A training step ascends the evidence lower bound (Garnelo et al. 2018b, arXiv 1807.01622,
    equation 9, where the posterior given the support set stands for the prior) over the number of
    queries,

    .. math:: \frac1{|Q|} \Big( E_{q(z \mid S \cup Q)} \sum_{(x^*, y^*) \in Q} \log p(y^* \mid x^*,
        S, z) - KL(q(z \mid S \cup Q) \| q(z \mid S)) \Big)

    in nats, the loss of the head for -log p; so a regularizer of one weight counts as much as
    beside the mean loss of other learners. The prediction is the mixture of ``num_samples``
    predictions, z from q(z | S), and the loss outside of training is that of the mixture. All tasks
    of a batch share the noise of these samples, so that predictions do not depend on the batch; the
    bound has noise of its own for each task.

    The task state is that of the neural process, and q(z | S): its mean and standard deviation,
    [tasks, dim_latent] each.

    Args:
        embedding: as of :class:`maml.CNP`.
        head: as of :class:`maml.CNP`; its predictions must have mixtures, see :func:`maml.mix`.
        dim_latent: size of z; 0 for the neural process without a latent variable.
        num_samples: number of draws of z, in a prediction and in the bound.
        **kwargs: of the neural process.

    Raises:
        ValueError: ``dim_latent`` is negative or no whole number, ``num_samples`` is less than 1.
    """

    deterministic = True
    """Whether the state of the neural process reaches the decoder beside z."""

    def __init__(self, embedding, head, dim_latent: int = 32, num_samples: int = 8, **kwargs):
        super().__init__(embedding, head, **kwargs)
        check_whole(0, dim_latent=dim_latent)
        check_whole(1, num_samples=num_samples)
        self.dim_latent, self.num_samples = dim_latent, num_samples
        if dim_latent:
            self.statistic = StatisticNetwork(
                self.hidden,
                dim_latent,
                self.initializer_seed,
                dtype=self.dtype_policy,
            )

    @classmethod
    def options_without_effect(cls, dim_latent, **others) -> dict[str, str]:
        """Options that have no effect beside the others -> the option that is the reason."""
        return {} if dim_latent else {"num_samples": "dim_latent"}

    def latent(self, x, y, mask=None) -> Latent:
        """q(z | D) of sets of embeddings and labels [tasks, n, ...], [tasks, dim_latent]."""
        if not self.dim_latent:
            return Latent.standard([tf.shape(x)[0], 0], x.dtype)
        members = tf.ones(tf.shape(x)[:2], x.dtype) if mask is None else tf.cast(mask, x.dtype)
        latent = self.statistic(self.pairs(x, y), members[:, tf.newaxis])
        return Latent(*(part[:, 0] for part in latent))

    def encode(self, x, y, training=False, mask=None):
        own = [super().encode(x, y, training, mask)] if self.deterministic else []
        return [*own, self.latent(x, y, mask)]

    def decode(self, state, x):
        *own, latent = state
        noise = self.normal([self._draws, 1, self.dim_latent], 0, x.dtype)
        return mix(self.decode_each(own, latent.draw(noise), x))

    def decode_each(self, own, z, x):
        """The prediction for each draw of z.

        Args:
            own: the neural process' state in a list, empty without ``deterministic``.
            z: draws [samples, tasks, dim_latent].
            x: query embeddings [tasks, queries, ...].

        Returns:
            A distribution with batch axes [samples, tasks, queries].
        """
        samples, queries = tf.shape(z)[0], tf.shape(x)[1]
        parts = [tf.repeat(z[:, :, tf.newaxis], queries, axis=2)]
        if own:
            parts.insert(0, tf.repeat(self.context(own[0], x)[tf.newaxis], samples, axis=0))
        x = tf.repeat(x[tf.newaxis], samples, axis=0)
        return self.decode_context(tf.concat(parts, axis=-1), x)

    def task_loss(self, embedded, training=False):
        if not training:
            return super().task_loss(embedded, training)
        state = self.encode_episode(embedded, training)
        (*own, prior), y = state, embedded.query_y
        posterior = self.latent(*self._all(embedded))
        shape = [self._draws, tf.shape(y)[0], self.dim_latent]
        noise = self.normal(shape, 1, prior.mean.dtype, tasks=1)
        parts = self.decode_each(own, posterior.draw(noise), embedded.query_x)
        queries = tf.cast(tf.shape(y)[1], prior.mean.dtype)
        loss = tf.reduce_mean(self.head.loss(parts, y))
        loss += tf.reduce_mean(posterior.kl(prior)) / queries
        return loss, self.decode(state, embedded.query_x)

    def initial_state(self, batch_size):
        """The empty state of the neural process, and z from a standard normal."""
        own = [super().initial_state(batch_size)] if self.deterministic else []
        return [*own, Latent.standard([batch_size, self.dim_latent], self.compute_dtype)]

    @property
    def _draws(self) -> int:
        return self.num_samples if self.dim_latent else 1

    def _all(self, embedded):
        """Support set and queries as one set: embeddings, labels and the mask, if there is one."""
        x = tf.concat([embedded.support_x, embedded.query_x], axis=1)
        y = tf.concat([embedded.support_y, embedded.query_y], axis=1)
        mask = support_mask(embedded)
        if mask is None:
            return x, y, None
        queries = tf.ones(tf.shape(embedded.query_y)[:2], tf.bool)
        return x, y, tf.concat([tf.cast(mask, tf.bool), queries], axis=1)


@LEARNERS.register("latent_np")
class LatentNP(LatentPath, CNP):
    """Latent neural process (Garnelo et al. 2018b, arXiv 1807.01622): a CNP and a latent variable.

    The prediction at x* is ``decoder([state, z, embed(x*)])``, the state that of a CNP, see
    :class:`LatentPath` for z. With ``dim_latent=0`` it is the CNP.

    Args:
        embedding: as of :class:`LatentPath`.
        head: as of :class:`LatentPath`.
        deterministic: whether the decoder is given the CNP's state beside z (as Kim et al. 2019
            have it); without it, only z depends on the support set (as in Garnelo et al.
            2018b), and draws of z differ more.
        **kwargs: of :class:`LatentPath` and :class:`maml.CNP`.

    Raises:
        ValueError: neither a state nor z would reach the decoder.
    """

    title = "Latent NP"

    def __init__(self, embedding, head, deterministic: bool = True, **kwargs):
        super().__init__(embedding, head, **kwargs)
        check_flags(deterministic=deterministic)
        self.deterministic = deterministic
        if not (deterministic or self.dim_latent):
            raise ValueError(
                "Invalid value for `dim_latent`: expected 1 or more where deterministic=False, "
                "since the decoder would not depend on the support set; received 0. Use 32."
            )


@LEARNERS.register("attentive_latent_np")
class AttentiveLatentNP(LatentPath, AttentiveCNP):
    """Attentive neural process (Kim et al. 2019, arXiv 1901.05761), both of its paths.

    An attentive CNP and a latent variable: the prediction at x* is ``decoder([d(x*), z,
    embed(x*)])``, d as of :class:`maml.AttentiveCNP`, see :class:`LatentPath` for z.

    Args:
        embedding: as of :class:`LatentPath`.
        head: as of :class:`LatentPath`.
        **kwargs: of :class:`LatentPath` and :class:`maml.AttentiveCNP`.
    """

    title = "Attentive Latent NP"

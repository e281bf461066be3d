"""A memory of keys and labels that the support set is written into, one shot after the other."""

import keras
import tensorflow as tf

from maml.core.checks import check_finite, check_flags, check_whole
from maml.core.episodes import Episode, augmented, support_mask
from maml.core.registry import LEARNERS
from maml.learners.metric_based import MetricBased, unit
from maml.learners.parallel import replicas
from maml.nn.padding import PADDING_SCORE

NEVER = 2**30
"""Age of a slot that was never written, so that it is older than all others."""


@LEARNERS.register("memory")
class MemoryModule(MetricBased):
    r"""Memory module (Kaiser et al. 2017, Learning to remember rare events, arXiv 1703.03129).

    A memory has slots, each with a key of length one, a label and an age. The shots are written in
    their order, which matters. If the slot whose key is nearest to the shot's embedding q has its
    label, its key K becomes :math:`(q + K) / |q + K|`; otherwise the oldest slot takes key and
    label of the shot. That slot's age becomes 0, all others grow by 1. A query is answered by
    :math:`p(y^* | x^*) = \sum_s \mathrm{softmax}_s(q^* \cdot K_s / \tau) \, V_s`; with as many
    slots as shots, one of each class, that is a matching network of the same temperature.

    The loss is :math:`\max(0, q^* \cdot K_b - q^* \cdot K_p + \mathrm{margin})`, with p and b the
    nearest slots of the right label and of another. Keys are constants of its gradient. It differs
    from the authors' code in that ages have no noise, that shots are only written, not answered,
    and that an answer has the probabilities of all slots, theirs the label of the nearest.

    With ``clear=False`` the memory is not emptied between tasks: each training step reads the
    support sets of its tasks, as augmentations leave them, into one memory that is kept, and saved
    with the learner. Where classes have one label in all training tasks, that is memorization by
    construction. Every task still starts with a copy of what is kept. It trains on one device only.

    The task state is the keys [tasks, slots, features], and numbers of classes, -1 in empty slots,
    and ages, [tasks, slots] each.

    Args:
        embedding: as of :class:`maml.PrototypicalNetwork`.
        head: as of :class:`maml.PrototypicalNetwork`.
        slots: of the memory.
        margin: by which the right key should be nearer than others.
        temperature: tau, which divides the cosine.
        clear: whether each task starts with an empty memory.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: an option has an invalid value, or ``head`` is of another kind.
    """

    title = "memory module"

    exact_gradient = False  # Keys are held constant.

    def __init__(
        self,
        embedding,
        head,
        slots: int = 256,
        margin: float = 0.1,
        temperature: float = 0.025,
        clear: bool = True,
        **kwargs,
    ):
        super().__init__(embedding, head, **kwargs)
        check_whole(1, slots=slots)
        check_flags(clear=clear)
        check_finite(above=0, margin=margin, temperature=temperature)
        self.slots, self.margin, self.temperature, self.clear = slots, margin, temperature, clear
        self.for_one_device = "" if clear else "with clear=False, whose memories would differ"
        # As initial_state has them, of one task.
        empty = [] if clear else self._empty(1)
        self.kept = [
            self.add_weight(
                name=name,
                shape=part.shape[1:],
                dtype=part.dtype.name,
                initializer=keras.initializers.Constant(fill),
                trainable=False,
            )
            for part, name, fill in zip(
                empty, ("keys", "classes", "ages"), (0, -1, NEVER), strict=False
            )
        ]

    def _empty(self, batch_size):
        shape = [batch_size, self.slots]
        keys = tf.zeros([*shape, self.embedding.output_shape[-1]], self.compute_dtype)
        return [keys, tf.fill(shape, -1), tf.fill(shape, NEVER)]

    def initial_state(self, batch_size):
        """Empty memories, or copies of what is kept."""
        if self.clear:
            return self._empty(batch_size)
        return [
            tf.broadcast_to(part, tf.concat([[batch_size], tf.shape(part)], 0))
            for part in map(tf.convert_to_tensor, self.kept)
        ]

    def encode(self, x, y, training=False, mask=None):
        shots = [tf.stop_gradient(unit(x)), y]
        if mask is not None:
            shots.append(tf.cast(mask, tf.bool))
        return _written(self.initial_state(tf.shape(x)[0]), *shots)

    def decode(self, state, x):
        labels = tf.one_hot(state[1], self.head.classes, dtype=x.dtype)
        weights = tf.nn.log_softmax(self._similarities(state, x) / self.temperature, axis=-1)
        both = weights[..., tf.newaxis] + tf.math.log(labels + 1e-12)[:, tf.newaxis]
        return self.head(tf.reduce_logsumexp(both, axis=2))

    def _similarities(self, state, x) -> tf.Tensor:
        """Cosines of queries and keys, far below those of others in empty slots, [.., slots]."""
        keys, classes, _ = state
        cosines = tf.matmul(unit(x), keys, transpose_b=True)
        filled = classes[:, tf.newaxis] >= 0
        return tf.where(filled, cosines, tf.cast(PADDING_SCORE, x.dtype))

    def margin_loss(self, state, x, y) -> tf.Tensor:
        """The loss at each query, [tasks, queries]; 0 where no slot has its label, or all have."""
        similarities = self._similarities(state, x)
        own = _class(y)[..., tf.newaxis] == state[1][:, tf.newaxis]
        far = tf.cast(PADDING_SCORE, x.dtype)
        right = tf.reduce_max(tf.where(own, similarities, far), axis=-1)
        wrong = tf.reduce_max(tf.where(own, far, similarities), axis=-1)
        both = tf.logical_and(right > far, wrong > far)
        return tf.where(both, tf.nn.relu(wrong - right + self.margin), 0)

    def task_loss(self, embedded: Episode, training=False):
        state = self.encode_episode(embedded, training)
        loss = tf.reduce_mean(self.margin_loss(state, embedded.query_x, embedded.query_y))
        return loss, self.decode(state, embedded.query_x)

    def forward(self, episode, seed, training=False, fit=False):
        result = super().forward(episode, seed, training, fit)
        if training and not self.clear:
            self.remember(augmented(episode, self.regularizers, seed))
        return result

    def remember(self, episode: Episode) -> None:
        """Writes the support sets of some tasks, one task after the other, into what is kept.

        Raises:
            ValueError: in one of several replicas, whose memories would differ.
        """
        if replicas.count() > 1:
            raise ValueError(
                "Invalid value for `clear`: expected True on several devices, whose memories would "
                "differ; received False. Train on one device."
            )
        x, mask = unit(self.features(episode.support_x)), support_mask(episode)
        # A step that is not finite changes nothing.
        real = tf.reduce_all(tf.math.is_finite(x), axis=-1)
        real = real if mask is None else tf.logical_and(real, tf.cast(mask, tf.bool))
        x, y = (tf.reshape(of, [1, -1, of.shape[-1]]) for of in (x, episode.support_y))
        found = _written(self.initial_state(1), tf.stop_gradient(x), y, tf.reshape(real, [1, -1]))
        for variable, part in zip(self.kept, found, strict=True):
            variable.assign(part[0])


def _class(y) -> tf.Tensor:
    """Numbers of classes of one-hot labels [..., classes]."""
    return tf.argmax(y, axis=-1, output_type=tf.int32)


def _written(state, x, y, mask=None) -> list[tf.Tensor]:
    """The memories after shots were written one after the other.

    Args:
        state: keys, classes and ages.
        x: unit embeddings of shots [tasks, shots, features].
        y: their labels [tasks, shots, classes].
        mask: which shots are real [tasks, shots]; None: all.
    """
    mask = tf.ones(tf.shape(y)[:2], tf.bool) if mask is None else mask

    def write(memory, shot):
        (keys, classes, ages), (x, own, real) = memory, shot
        cosines = tf.reduce_sum(keys * x[:, tf.newaxis], axis=-1)
        nearest = tf.argmax(tf.where(classes >= 0, cosines, -2), axis=-1, output_type=tf.int32)
        right = tf.gather(classes, nearest, batch_dims=1) == own
        slot = tf.where(right, nearest, tf.argmax(ages, axis=-1, output_type=tf.int32))
        key = unit(tf.where(right[:, tf.newaxis], x + tf.gather(keys, slot, batch_dims=1), x))
        here = tf.one_hot(slot, tf.shape(ages)[1], on_value=True, off_value=False)
        here = tf.logical_and(here, real[:, tf.newaxis])
        return [
            tf.where(here[..., tf.newaxis], key[:, tf.newaxis], keys),
            tf.where(here, own[:, tf.newaxis], classes),
            tf.where(here, 0, ages + tf.cast(real, ages.dtype)[:, tf.newaxis]),
        ]

    first = [tf.experimental.numpy.moveaxis(part, 1, 0) for part in (x, _class(y), mask)]
    return tf.foldl(write, tuple(first), initializer=list(state))

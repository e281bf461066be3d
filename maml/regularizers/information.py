"""What the two information terms share: a bound, its weight, and relabeled tasks."""

from collections.abc import Sequence

import tensorflow as tf

import mine
from maml.core.checks import check_at_least, check_finite, check_whole
from maml.core.episodes import as_episode, concatenated, fold_in
from maml.core.label_transforms import LabelTransform, check_transform
from maml.regularizers.base import Regularizer
from mine import replicas
from mine.bounds import log_mean_exp

CRITIC_BOUNDS = ("mine", "dv", "js", "nwj")
"""Bounds that a critic ascends together with the learner, see :mod:`mine.bounds`."""


LEARNED_MOMENTUM = 0.99
"""Share of the past in the running mean that ``warmup_nats`` is compared with."""

MOST_LABELS = 64
"""Labels of a step that :func:`label_information` asks for, at most: so that it costs little."""


def label_information(prediction, y) -> tf.Tensor:
    """What predictions say about which label is theirs, in nats; 0 if all are equal.

    The lower plug-in bound (Poole et al. 2019, InfoNCE with the likelihood as critic) of the
    information between a query label and the prediction made of its input and support set. It
    counts what is memorized and what is adapted to alike, and is at most the logarithm of the
    number of predictions. Of more than :data:`MOST_LABELS` labels the first stand for all. Where
    predictions are sure and wrong the bound is far below zero, which an information cannot be.

    Args:
        prediction: a distribution with batch axes [tasks, queries], of this device's tasks.
        y: their labels, [tasks, queries, dim].

    Returns:
        A scalar, at least 0: that of the tasks of all devices.
    """
    batch, label = tf.shape(y)[:2], tf.shape(y)[2:]
    labels = tf.reshape(replicas.whole(y), tf.concat([[-1, 1, 1], label], 0))[:MOST_LABELS]
    asked = tf.tile(labels, tf.concat([[1], batch, tf.ones_like(label)], 0))
    under_each = tf.stop_gradient(prediction.log_prob(asked))
    # Predictions first: those of one device after those of the other. The n-th is of label n.
    under_each = replicas.whole(tf.transpose(tf.reshape(under_each, [tf.shape(labels)[0], -1])))
    own = tf.linalg.diag_part(under_each)
    return tf.nn.relu(tf.reduce_mean(own - log_mean_exp(under_each, axis=0)))


def scale_gradient(x, factor):
    """The identity, whose gradient is multiplied by ``factor`` (a scalar)."""
    # Not tf.custom_gradient, which keeps the graph that it is traced in for good.
    value = tf.stop_gradient(x)
    return value + tf.stop_gradient(tf.cast(factor, x.dtype)) * (x - value)


class InformationTerm(Regularizer):
    r"""A term :math:`-\lambda I` of the meta-loss, I an information about relabeled tasks in nats.

    A label transform g relabels a task: Y' = g(Y), y*' = g(y*). Learner and critic ascend the
    *same* bound in one backward pass; the gradient that reaches the learner is scaled by
    :math:`\lambda`.

    Args:
        label_transform: draws g.
        bound: one of the class's ``BOUNDS``.
        weight: lambda, per nat.
        warmup: training steps over which lambda rises linearly from 0; the critic learns all along.
        warmup_nats: information of the learner's own predictions about the query labels, in nats,
            from which on lambda has its full value; below, it is smaller in proportion. Relabeled
            tasks then hold no network on the plateau where it predicts a constant, however long
            that lasts. 0: lambda does not depend on it. Predictions that are as good as they can be
            carry less than 0.5 nats where the likelihood is wide beside the labels (the normal head
            of labels with a deviation below 0.6) or there are two classes of unequal size; lambda
            then stays below its value. Learners that predict in training by weights adapted to the
            queries, such as Reptile, do not wait.
        num_relabelings: relabeled copies of each task in a step.
        cap: nats of a batch above which the term has no gradient; 0: none.
        hidden: units of the critic's hidden layers.
        momentum: of MINE's running normalizer, as Keras counts it: the share of the past.
        seed: seed of the critic's initial weights.

    Raises:
        ValueError: an option has no meaning.
    """

    BOUNDS: tuple[str, ...] = CRITIC_BOUNDS

    draws_for_whole_batch = True

    reads_prediction = False  # No gradient goes through it: the term makes its own.

    key = "mi"
    """What the names of its metrics begin with."""

    def __init__(
        self,
        label_transform: LabelTransform,
        bound: str,
        weight: float = 0.5,
        warmup: int = 0,
        warmup_nats: float = 0.0,
        num_relabelings: int = 1,
        cap: float = 0.0,
        hidden: Sequence[int] = (64, 64),
        momentum: float = 0.99,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if bound not in self.BOUNDS:
            raise ValueError(
                f"Invalid value for `bound` of {type(self).__name__}: expected one of "
                f"{', '.join(self.BOUNDS)}; received {bound!r}."
            )
        check_transform(label_transform)
        check_at_least(0, weight=weight, warmup=warmup, warmup_nats=warmup_nats, cap=cap)
        check_finite(least=0, momentum=momentum)
        check_whole(1, num_relabelings=num_relabelings)
        self.label_transform, self.bound = label_transform, bound
        self.weight, self.warmup, self.cap = weight, warmup, cap
        self.warmup_nats = warmup_nats
        self.num_relabelings, self.hidden = num_relabelings, hidden
        self.momentum, self.seed = momentum, seed
        self.step = self.add_weight(name="step", shape=(), initializer="zeros", trainable=False)
        if warmup_nats:
            self.learned = self.add_weight(
                name="learned", shape=(), initializer="zeros", trainable=False
            )
        if self.has_critic:
            self.objective = mine.Objective(bound, momentum, dtype=self.dtype_policy)

    @classmethod
    def options_without_effect(cls, bound, **others) -> dict[str, str]:
        """Options that have no effect beside the others -> the option that is the reason."""
        idle = () if bound in CRITIC_BOUNDS or bound not in cls.BOUNDS else ("hidden",)
        return dict.fromkeys((*idle, "momentum") if bound != "mine" else (), "bound")

    @property
    def has_critic(self) -> bool:
        """Whether the bound needs a critic."""
        return self.bound in CRITIC_BOUNDS

    @property
    def metric_names(self):
        names = ("weight", "surrogate", "nats")
        names = (*names, "effective_negatives") if self.has_critic else names
        return tuple(f"{self.key}_{name}" for name in names)

    @property
    def critic_variables(self):
        return self.trainable_variables

    @property
    def exact_gradient(self):
        """The learner's is scaled by lambda, and that of "mine" has a running normalizer."""
        constant = not (self.warmup or self.warmup_nats or self.cap)
        return self.weight == 1 and constant and self.bound != "mine"

    def scores(self, learner, episode, weight, seed, training):
        """Scores of a batch that the bound is made of.

        Args:
            learner: the :class:`maml.MetaLearner`.
            episode: the batch, its inputs replaced by ``learner.features`` of them.
            weight: lambda in this step, [].
            seed: stateless seed [2].
            training: whether this is a training step.

        Returns:
            ``(joint, marginal, penalty, logs)``: scores of pairs drawn together, of negatives (None
            for bounds without a critic, whose value is the mean of ``joint``: only that may have a
            gradient), a scalar to add to the loss, and further scalars to log.
        """
        raise NotImplementedError

    def term(self, learner, episode, features, prediction, seed, training):
        if training:
            self.step.assign_add(1.0)
        ramp = tf.minimum(self.step / self.warmup, 1.0) if self.warmup else tf.ones_like(self.step)
        weight = self.weight * ramp
        if self.warmup_nats:
            weight *= self._share_learned(prediction, episode.query_y, training)
        logs = {"weight": weight}
        joint, marginal, penalty, extra = self.scores(learner, episode, weight, seed, training)
        # Bounds are no means over tasks: each device takes them of the scores of all.
        joint = replicas.whole(tf.reshape(joint, [-1]))
        if marginal is not None:
            marginal = replicas.whole(tf.reshape(marginal, [-1]))
        bound = self.value(joint, marginal, training)
        surrogate = bound.surrogate
        if self.cap:
            above = bound.nats > self.cap
            surrogate = tf.where(above, tf.stop_gradient(surrogate), surrogate)
        logs["surrogate"] = surrogate
        # A value on the batch that is being fitted is no estimate: nats are for held-out batches.
        if not training and f"{self.key}_nats" in self.metric_names:
            logs["nats"] = bound.nats
        if marginal is not None:
            logs["effective_negatives"] = mine.effective_sample_size(marginal)
        logs |= extra
        return penalty - surrogate, {f"{self.key}_{name}": of for name, of in logs.items()}

    def _share_learned(self, prediction, y, training):
        """How much of ``warmup_nats`` the learner's predictions have reached, in [0, 1]."""
        if training:
            nats = tf.cast(label_information(prediction, y), self.learned.dtype)
            # A step that diverged is skipped, and counts for nothing here either.
            nats = tf.where(tf.math.is_finite(nats), nats, self.learned)
            self.learned.assign(LEARNED_MOMENTUM * self.learned + (1 - LEARNED_MOMENTUM) * nats)
        return tf.clip_by_value(self.learned / self.warmup_nats, 0.0, 1.0)

    def value(self, joint, marginal, training) -> mine.Bound:
        """The bound of a batch of scores."""
        if self.has_critic:
            return self.objective(joint, marginal, training=training)
        value = tf.reduce_mean(joint)
        return mine.Bound(value, value)

    def draws(self, episode, seeds, copies: int = 1) -> list:
        """For each seed a batch of ``copies`` of the tasks that one draw of the transform relabels.

        On several devices a task's draws are those of one device, from the whole batch.
        """

        def draw(batch):
            batch, transform = as_episode(batch), self.label_transform
            if copies > 1 and getattr(transform, "between_tasks", False):
                # Each copy by itself: else a task could be given its own labels, of another copy.
                draws = [[transform(batch, fold_in(of, i)) for i in range(copies)] for of in seeds]
                return [concatenated(parts) for parts in draws]
            batch = concatenated([batch] * copies)
            return [transform(batch, seed) for seed in seeds]

        return replicas.on_whole(draw, episode, copies)

    def relabeled(self, episode, count: int, seed):
        """``count`` relabeled copies of the tasks in one batch: an inner loop is traced once."""
        return concatenated(self.draws(episode, [fold_in(seed, i) for i in range(count)]))


def predict_relabeled(learner, episode, training):
    """The learner's q(y* | x*, D) at the queries of embedded episodes."""
    state = learner.encode_episode(episode, training)
    return learner.decode(state, episode.query_x)

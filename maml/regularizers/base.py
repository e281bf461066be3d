"""The base class of methods against memorization; each method has a file of its own."""

import math

import keras
import tensorflow as tf

from maml.core.episodes import Episode, as_episode
from maml.core.options import check_known
from maml.core.serialization import Configured
from mine import replicas


class Regularizer(Configured, keras.layers.Layer):
    """One meta-regularizer: up to four things it may do, of which most do one.

    It may change the training episodes (:meth:`augment`), the weights (:meth:`perturb`) and the
    features of inputs (:meth:`transform`), and add to the meta-loss (:meth:`term`).

    Attributes:
        metric_names: names of the scalars that :meth:`term` logs.
        critic_variables: variables stepped by the critic's optimizer rather than the learner's.
        draws_for_whole_batch: whether :meth:`term` draws what it draws for tasks by
            :func:`mine.replicas.drawn`. On several devices it is then given the seed that they
            share, and its draws are those of one device; others get one of their own on each.
        compiles: whether XLA can compile what it does. If not, training steps go without XLA.
    """

    metric_names: tuple[str, ...] = ()
    draws_for_whole_batch = False
    compiles = True

    title, symbol, strength = "", "λ", "weight"
    """What tables call it, and the symbol and name of the option that is its strength, if any."""

    @classmethod
    def table_name(cls, **options) -> str:
        """What tables call it with these options."""
        name, strength = cls.title or cls.__name__, options.get(cls.strength)
        known = isinstance(strength, (int, float))
        return f"{name} ({cls.symbol} = {strength:g})" if known else name

    def __init__(self, **kwargs):
        check_known(type(self), kwargs)
        super().__init__(**kwargs)
        # As exact as weights, whatever networks compute in.
        self.dtype_policy = keras.DTypePolicy(self.variable_dtype)
        self.built = True

    @property
    def critic_variables(self) -> list:
        return []

    @property
    def has_critic(self) -> bool:
        """Whether it has variables that the critic's optimizer steps."""
        return type(self).critic_variables is not Regularizer.critic_variables

    @property
    def reads_prediction(self) -> bool:
        """Whether the gradient of :meth:`term` goes through the ``prediction`` that it is given.

        A term that makes predictions of its own, or none, overrides it: training steps of some
        learners are then cheaper.
        """
        return type(self).term is not Regularizer.term

    @property
    def transforms(self) -> bool:
        """Whether it changes features, by :meth:`transform`."""
        return type(self).transform is not Regularizer.transform

    @property
    def exact_gradient(self) -> bool:
        """Whether its gradient is the derivative of what it adds to the meta-loss.

        Override it where a gradient is scaled or estimated on purpose:
        :func:`maml.testing.check_regularizer` does not hold it against finite differences then.
        """
        return True

    def check_head(self, head) -> None:
        """Checks that a learner with this head can be trained; called before a run.

        Raises:
            ValueError: it cannot; the message says what can.
        """

    def augment(self, episode: Episode, seed) -> Episode:
        """The training episode that takes this one's place; ``seed`` is a stateless seed [2]."""
        return episode

    def augment_part(self, episode: Episode, seed) -> Episode:
        """:meth:`augment` of the whole batch, and of it the part that this device has."""
        if type(self).augment is Regularizer.augment:
            return episode
        return replicas.on_whole(lambda batch: self.augment(as_episode(batch), seed), episode)

    def transform_part(self, features, seed=None) -> tf.Tensor:
        """:meth:`transform` of the whole batch, and of it the part that this device has."""
        if seed is None or not self.transforms:
            return self.transform(features, seed)
        return replicas.on_whole(lambda batch: self.transform(batch, seed), features)

    def perturb(self, learner, seed) -> list[tuple]:
        """Pairs ``(variable, tensor)`` of the values that variables have in a training step."""
        return []

    def transform(self, features, seed=None) -> tf.Tensor:
        """What learners are given in place of the features [tasks, n, ...] of inputs.

        ``seed`` is a stateless seed [2] in a training step, and None elsewhere: no noise then.
        """
        return features

    def term(self, learner, episode: Episode, features, prediction, seed, training: bool):
        """What to add to the meta-loss; nothing, unless overridden.

        Args:
            learner: the :class:`maml.MetaLearner`.
            episode: the batch, its inputs replaced by ``learner.features`` of them.
            features: of the queries, [tasks, queries, ...], as :meth:`transform` was given them.
            prediction: the learner's q(y* | x*, d) at the queries.
            seed: stateless seed [2].
            training: whether this is a training step.

        Returns:
            ``(term, logs)``: a scalar, and a dict of the scalars in ``metric_names``.
        """
        return tf.zeros([], prediction.mean().dtype), {}


def normal_kl(mean, log_sigma, prior_scale: float = 1.0) -> tf.Tensor:
    """KL(N(mean, sigma^2) || N(0, prior_scale^2)) in nats, of each element."""
    log_ratio = log_sigma - math.log(prior_scale)
    return 0.5 * (tf.exp(2 * log_ratio) + (mean / prior_scale) ** 2 - 1) - log_ratio

"""What a network's outputs mean: heads turn them into predictive distributions q(y* | x*, d).

A head says how many outputs it needs (``units``), how labels enter a network
(:meth:`Head.features`) and what the task loss is (:meth:`Head.loss`). A distribution has
``log_prob``, ``sample``, ``mean`` (the best point under squared error) and ``critic_features`` (a
differentiable, noisy, bounded-power version of the prediction for critics that need one).
"""

import abc

import tensorflow as tf

from maml.core.serialization import Configured


class Distribution(abc.ABC):
    """A predictive distribution over labels [..., dim]; ``[...]`` are its batch axes."""

    @abc.abstractmethod
    def log_prob(self, y) -> tf.Tensor:
        """log q(y) in nats, [...], for labels [..., dim], which may have further leading axes."""

    @abc.abstractmethod
    def mean(self) -> tf.Tensor:
        """The expected label, [..., dim]."""

    def mode(self) -> tf.Tensor:
        """The single best prediction, [..., dim]: the mean, unless labels wrap."""
        return self.mean()

    def cdf(self, y) -> tf.Tensor | None:
        """The probability of less than ``y``, of each coordinate, [..., dim]; None: not defined."""
        return None

    def interval_level(self, y) -> tf.Tensor | None:
        """The probability of the central interval whose end is y, of each coordinate, [..., dim].

        It is uniform in [0, 1] for labels that the distribution is right about. None where there
        are no intervals, as of classes.
        """
        below = self.cdf(y)
        return None if below is None else tf.abs(2 * below - 1)

    @abc.abstractmethod
    def sample(self, seed) -> tf.Tensor:
        """One draw, [..., dim], not differentiable; ``seed`` is a stateless seed [2]."""

    @abc.abstractmethod
    def critic_features(self) -> tf.Tensor:
        """The noiseless prediction as critics see it, differentiable, [..., critic_dim]."""

    @property
    @abc.abstractmethod
    def critic_noise(self) -> float:
        """Standard deviation of the noise that makes information about the features finite."""


def split_conditions(values, conditions: int) -> tf.Tensor:
    """[conditions * tasks, ...] -> [conditions, tasks, ...]."""
    return tf.reshape(values, tf.concat([[conditions, -1], tf.shape(values)[1:]], 0))


def log_prob_under_each(prediction: Distribution, y, conditions: int) -> tf.Tensor:
    """How likely the labels of every condition are under every condition.

    Args:
        prediction: with batch axes [conditions * tasks, queries], those of one condition in a row.
        y: labels [conditions * tasks, queries, dim].
        conditions: their number.

    Returns:
        As :func:`mine.plug_in` takes it: log q, in nats, [conditions of labels, conditions of
        predictions, tasks, queries].
    """
    asked = tf.tile(split_conditions(y, conditions), [1, conditions, 1, 1])
    log_prob = prediction.log_prob(asked)
    return tf.reshape(log_prob, [conditions, conditions, -1, tf.shape(log_prob)[-1]])


class Head(Configured, abc.ABC):
    """From network outputs [..., units] to a distribution over labels."""

    units: int

    given_by_problem: tuple[str, ...] = ()
    """Arguments of the constructor that describe the labels, so that they are no options."""

    label_dim: int | None = None
    """Number of coordinates of a label; None for any."""

    label_form, label_remedy = "labels", "Use a head for labels of this shape."
    """What labels are, and what to do about others, in messages."""

    bounded = True
    """Whether the ``critic_features()`` of predictions are bounded, whatever the outputs."""

    @abc.abstractmethod
    def __call__(self, outputs) -> Distribution:
        """The distribution that ``outputs`` [..., units] stand for."""

    def check_learner(self, learner):
        """Refuses learners that cannot use this head's predictions; most heads take all.

        Args:
            learner: a :class:`maml.MetaLearner` with this head.

        Raises:
            ValueError: it is refused.
        """

    def check_labels(self, y, name: str) -> None:
        """Refuses labels whose static shape does not fit this head.

        Args:
            y: labels [..., dim].
            name: of the argument they came by.

        Raises:
            ValueError: ``dim`` is not ``label_dim``.
        """
        if self.label_dim is not None and y.shape[-1] not in (None, self.label_dim):
            raise ValueError(
                f"Invalid shape of `{name}`: {type(self).__name__} expects {self.label_form} "
                f"[..., {self.label_dim}]; received {list(y.shape)}. {self.label_remedy}"
            )

    def check_label_values(self, y, name: str) -> None:
        """Refuses labels whose values do not fit this head.

        Args:
            y: labels [..., dim], known values.
            name: of the argument they came by.

        Raises:
            ValueError: a value that is no label, such as of vectors that are not one-hot.
        """

    def features(self, y) -> tf.Tensor:
        """Labels [..., dim] as a network sees them, [..., features]."""
        return y

    def loss(self, distribution: Distribution, y) -> tf.Tensor:
        """The task loss at each label, [...]: -log q(y), in nats, unless a head says otherwise."""
        return -distribution.log_prob(y)

    def squared_error(self, distribution: Distribution, y) -> tf.Tensor:
        """Mean squared error of the expected labels, [], which is logged in training."""
        return tf.reduce_mean((distribution.mean() - y) ** 2)

    @property
    def relative_units(self) -> int:
        """Number of outputs that describe a label *relative to another label*.

        Raises:
            ValueError: this head does not define that.
        """
        raise ValueError(
            f"{type(self).__name__} has no labels relative to another, which RelativeCNP expects: "
            "define its relative_units and relative, or use another learner."
        )

    def relative(self, outputs, y) -> tf.Tensor:
        """Outputs for a label that lies ``outputs`` [..., relative_units] from ``y`` [..., dim].

        Where labels move, they move along: by shifts of a number, turns of a circle, permutations
        of classes.

        Returns:
            [..., units], as ``__call__`` takes them, and means of several too.
        """
        raise NotImplementedError

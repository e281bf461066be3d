"""Policies as heads of a learner: their distributions over actions, and the inner surrogates."""

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from maml.core.checks import check_counts, check_finite
from maml.core.registry import Networks
from maml.core.seeds import Part, initializer_seeds
from maml.distributions.base import Distribution, Head
from maml.distributions.categorical import Categorical
from maml.distributions.gaussian import Gaussian
from maml.learners.gradient_based.reptile import Reptile
from maml.learners.probabilistic.weight_samples import WeightSamples

SURROGATES = ("lvc", "log", "dice")

LEAST_DEVIATION = 1e-6

ACTIVATIONS = ("tanh", "relu", "elu", "gelu", "silu", "softplus", "sigmoid", "leaky_relu", "linear")
"""Names that Keras gives to functions of one unit."""


class GaussianPolicy(Gaussian):
    """Independent Gaussians over the coordinates of an action."""

    def kl(self, other: "GaussianPolicy") -> tf.Tensor:
        """KL(self || other) in nats, [...]."""
        ratio = self.scale / other.scale
        distance = (self.location - other.location) / other.scale
        return tf.reduce_sum(0.5 * (ratio**2 + distance**2 - 1) - tf.math.log(ratio), axis=-1)

    def fixed(self) -> "GaussianPolicy":
        """The same distribution, as a constant."""
        return GaussianPolicy(tf.stop_gradient(self.location), tf.stop_gradient(self.scale))

    def path_sample(self, seed) -> tf.Tensor:
        """One draw, [..., dim], differentiable by its path."""
        noise = tf.random.stateless_normal(tf.shape(self.location), seed, dtype=self.location.dtype)
        return self.location + self.scale * noise

    def log_prob(self, y):
        return super().log_prob(y[..., : self.location.shape[-1]])


class CategoricalPolicy(Categorical):
    """A distribution over discrete actions, one-hot."""

    def kl(self, other: "CategoricalPolicy") -> tf.Tensor:
        """KL(self || other) in nats, [...]."""
        difference = self.log_probabilities - other.log_probabilities
        return tf.reduce_sum(self.mean() * difference, axis=-1)

    def fixed(self) -> "CategoricalPolicy":
        """The same distribution, as a constant."""
        return CategoricalPolicy(tf.stop_gradient(self.log_probabilities))

    def log_prob(self, y):
        return super().log_prob(y[..., : self.log_probabilities.shape[-1]])


class PolicyHead(Head):
    r"""From network outputs to a policy; a "label" is an action, and how much better it was.

    Labels are [..., dim + 1]: the action (one-hot if discrete), and its advantage; or [..., dim +
    2], with the log-probability that it was drawn with. The loss of a step is one of three
    surrogates, whose first gradient is the policy gradient; a step of gradient descent on it is the
    inner step of MAML (Finn et al. 2017, section 5.3). With :math:`\rho_t = \pi(a_t) /
    \pi_{old}(a_t)`:

    * "lvc": :math:`-\rho_t A_t`. Its second derivative keeps the score terms that "log" lacks, with
      a bias that vanishes at optima (Rothfuss et al. 2019, arXiv 1810.06784, eq. 13).
    * "log": :math:`-\log\pi(a_t) A_t`, as in the first codes of MAML: its Hessian is biased.
    * "dice": :math:`-\prod_{t' \le t} \rho_{t'} A_t`, where A is the discounted reward (Foerster et
      al. 2018, arXiv 1802.05098): unbiased, of greater variance.

    The old probability is the current one, held constant, unless labels hold it.

    Args:
        dim: number of discrete actions, or of coordinates of an action.
        discrete: whether actions are discrete.
        horizon: steps of a trajectory; the steps of a task are its trajectories in a row.
        surrogate: one of :data:`SURROGATES`.

    Raises:
        ValueError: there is no such surrogate, or a number is not positive.
    """

    given_by_problem = ("dim", "discrete", "horizon")

    def __init__(self, dim: int, discrete: bool, horizon: int, surrogate: str = "lvc"):
        check_counts(dim=dim, horizon=horizon)
        if surrogate not in SURROGATES:
            raise ValueError(
                f"Invalid value for `surrogate`: expected one of {', '.join(SURROGATES)}; received "
                f"{surrogate!r}."
            )
        self.dim, self.discrete, self.horizon, self.surrogate = dim, discrete, horizon, surrogate
        self.units = dim if discrete else 2 * dim

    def check_labels(self, y, name):
        if y.shape[-1] not in (None, self.dim + 1, self.dim + 2):
            raise ValueError(
                f"Invalid shape of `{name}`: PolicyHead expects actions and their advantages, "
                f"[..., {self.dim + 1}]; received {list(y.shape)}."
            )

    def check_learner(self, learner):
        """Refuses learners whose answer is an average of several policies, and Reptile.

        An average has no divergence in closed form, and Reptile's loss is not that of the policies
        that have made the trajectories.
        """
        if isinstance(learner, WeightSamples | Reptile):
            raise ValueError(
                "Invalid value for `learner`: expected one that adapts a single policy by "
                f"gradients, such as maml or metasgd; received {type(learner).__name__}."
            )

    def __call__(self, outputs):
        if self.discrete:
            return CategoricalPolicy(outputs)
        location, log_deviation = tf.split(outputs, 2, axis=-1)
        least = math.log(LEAST_DEVIATION)
        return GaussianPolicy(location, tf.exp(tf.maximum(log_deviation, least)))

    def loss(self, distribution: Distribution, y):
        log_prob, advantage = distribution.log_prob(y), y[..., self.dim]
        if self.surrogate == "log":
            return -log_prob * advantage
        old = tf.stop_gradient(log_prob) if y.shape[-1] == self.dim + 1 else y[..., self.dim + 1]
        log_ratio = log_prob - old
        if self.surrogate == "dice":
            shape = tf.shape(log_ratio)
            steps = tf.reshape(log_ratio, tf.concat([shape[:-1], [-1, self.horizon]], 0))
            log_ratio = tf.reshape(tf.cumsum(steps, axis=-1), shape)
        return -tf.exp(log_ratio) * advantage

    def squared_error(self, distribution, y):
        return tf.reduce_mean((distribution.mean() - y[..., : self.dim]) ** 2)


@keras.saving.register_keras_serializable("maml")
class FreeDeviation(keras.layers.Layer):
    """Puts log standard deviations, the same for all inputs, behind means: [n, d] -> [n, 2 d].

    Args:
        initial: standard deviation at the start, in the unit of actions.
        **kwargs: of ``keras.layers.Layer``.
    """

    def __init__(self, initial: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        self.log_deviation = self.add_weight(
            name="log_deviation",
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(math.log(self.initial)),
        )

    def call(self, means):
        deviations = tf.broadcast_to(tf.convert_to_tensor(self.log_deviation), tf.shape(means))
        return tf.concat([means, deviations], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * input_shape[-1])

    def get_config(self):
        return super().get_config() | {"initial": self.initial}


def policy_networks(
    observation_dim: int,
    discrete: bool,
    hidden: Sequence[int] | None = (64, 64),
    activation: str = "tanh",
    deviation: float = 1.0,
    bias: bool = True,
    seed: int = 0,
) -> Networks:
    """Perceptrons from observations to the parameters of a policy.

    Args:
        observation_dim: size of an observation.
        discrete: whether actions are discrete.
        hidden: units of each hidden layer; None for a linear policy, that has none.
        activation: of the hidden layers, one of :data:`ACTIVATIONS`.
        deviation: standard deviation of actions at the start, in their unit; it is a weight of the
            network, and adapts as the others do.
        bias: whether layers have biases. Without them a linear policy of states that are one-hot
            has logits for each state that an inner step moves by themselves.
        seed: seed of the initial weights (Glorot uniform).

    Raises:
        ValueError: a number has no meaning, or Keras has no such activation.
    """
    inner = [] if hidden is None else np.atleast_1d(hidden).tolist()
    for units in inner:
        check_counts(hidden=units)
    check_finite(above=0, deviation=deviation)
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"Invalid value for `activation`: expected one of {', '.join(ACTIVATIONS)}; received "
            f"{activation!r}."
        )

    def network(outputs: int) -> keras.Model:
        seeds = initializer_seeds(seed, Part.NETWORK)
        layers = [keras.Input((observation_dim,))]
        means = outputs if discrete else outputs // 2
        for index, units in enumerate([*inner, means]):
            initializer = keras.initializers.GlorotUniform(seed=next(seeds))
            kind = activation if index < len(inner) else None
            layers.append(keras.layers.Dense(units, kind, bias, initializer))
        if not discrete:
            layers.append(FreeDeviation(deviation))
        return keras.Sequential(layers)

    def embedding() -> keras.Model:
        raise ValueError(
            "Policies are adapted by gradients: expected a learner such as maml or metasgd."
        )

    return Networks(network=network, embedding=embedding)

"""Critics T(...): Keras layers that score pairs, for the bounds of :mod:`mine.bounds`.

A critic is called with a list of inputs [..., features_i] and gives scores [...]. Leading axes
broadcast, so x [n, 1, dim_x] and y [1, m, dim_y] give the scores of all pairs, [n, m].
"""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from mine import replicas
from mine.bounds import check_momentum

SCORE_CAP = 20.0
"""Largest absolute score, in nats: exp(20) negatives are more than any batch can show."""

FORM_FEATURES = 10
"""A quadratic form of more features is scaled down by their number over this."""

SEEDS_APART = 100
"""Seeds of initial weights between two parts of a critic: more than a part has layers."""


def cap(scores, limit: float = SCORE_CAP) -> tf.Tensor:
    """Squashes scores smoothly into (-limit, limit): ``limit * tanh(scores / limit)``."""
    if math.isinf(limit):
        return scores
    return limit * tf.tanh(scores / limit)


class Standardize(keras.layers.Layer):
    """Shifts and scales each feature by running moments, free of start-up bias.

    Unlike batch normalization it treats joint and marginal pairs alike: both see the same moments,
    so the critic cannot tell them apart by the statistics of the batch.

    Args:
        momentum: weight of the past batches in the running moments, in [0, 1), as Keras counts it.

    Raises:
        ValueError: ``momentum`` is out of range.
    """

    def __init__(self, momentum: float = 0.99, **kwargs):
        super().__init__(trainable=False, **kwargs)
        check_momentum(momentum)
        self.momentum = momentum
        self.supports_masking = True

    def build(self, input_shape):
        def add(name, shape):
            return self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=False, dtype=self.dtype
            )

        self.weight = add("weight", ())
        self.first = add("first_moment", (input_shape[-1],))
        self.second = add("second_moment", (input_shape[-1],))

    def call(self, x, training=False, mask=None):
        """Standardises ``x`` [..., features]; takes its moments in first if ``training``.

        A batch with a value that is not finite is left out of the moments, and so is what is false
        in ``mask`` [...].
        """
        if training:
            flat = tf.stop_gradient(tf.reshape(x, [-1, x.shape[-1]]))
            real = tf.ones((), flat.dtype)
            if mask is not None:
                flat = tf.where(tf.reshape(mask, [-1, 1]), flat, 0.0)
                # Of all that the means below are over.
                real = replicas.mean(tf.reduce_mean(tf.cast(mask, flat.dtype)))
            # A batch with NaN must not spoil the moments of all later batches.
            finite = tf.cast(tf.reduce_all(tf.math.is_finite(flat)), tf.float32)
            share = tf.where(replicas.mean(finite) == 1, 1 - self.momentum, 0.0)
            flat = tf.where(tf.math.is_finite(flat), flat, 0.0)
            for state, new in (
                (self.weight, tf.ones((), flat.dtype)),
                (self.first, replicas.mean(tf.reduce_mean(flat, 0)) / real),
                (self.second, replicas.mean(tf.reduce_mean(flat**2, 0)) / real),
            ):
                state.assign(state + tf.cast(share, flat.dtype) * (new - state))
        weight = tf.maximum(tf.convert_to_tensor(self.weight), 1e-12)
        mean = self.first / weight
        square = self.second / weight
        # A difference of squares within rounding is not a variance: the feature is constant.
        variance = square - mean**2
        variance = tf.where(variance > 1e-7 * square, variance, 1.0)
        return tf.where(self.weight > 0, (x - mean) * tf.math.rsqrt(variance), x)


def form_scale(features: int) -> float:
    """Factor of a quadratic form of that number of features.

    Adam moves each weight alike, so a form runs ahead of what many inputs can show.
    """
    return min(1.0, FORM_FEATURES / features)


def default_hidden(features: Sequence[int]) -> tuple[int, int]:
    """Units of the hidden layers of a learned critic: 64-64, and 128-128 above five dimensions.

    Args:
        features: of each of the inputs.
    """
    return (128, 128) if max(features) > 5 else (64, 64)


class Concatenated(keras.layers.Layer):
    """A learned critic: a multi-layer perceptron over all its inputs side by side.

    With ``quadratic`` it adds a quadratic form of them. The best critic of a normal distribution is
    such a form, also after monotone maps of each feature, which ranks undo. So the perceptron
    learns the remainder only.

    Args:
        hidden: units of each hidden layer; None for :func:`default_hidden`.
        cap: largest absolute score, in nats; math.inf for none.
        quadratic: whether the form z' W z of the standardised inputs z is added. Of more than
            ``FORM_FEATURES`` features it is scaled down.
        seed: seed of the initial weights.
    """

    def __init__(
        self,
        hidden=None,
        cap: float = SCORE_CAP,
        quadratic: bool = True,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden, self.limit, self.seed = hidden, cap, seed
        self.quadratic = quadratic

    def build(self, input_shape):
        features = [shape[-1] for shape in input_shape]
        first, *hidden = self.hidden or default_hidden(features)
        self.standardize = [Standardize(dtype=self.dtype_policy) for _ in features]
        # One kernel for all inputs side by side, applied input by input: so leading axes broadcast,
        # and the first layer of all n x m pairs costs n + m rows.
        self.kernel = self.add_weight(
            name="kernel",
            shape=(sum(features), first),
            initializer=keras.initializers.GlorotUniform(seed=self.seed),
        )
        self.bias = self.add_weight(name="bias", shape=(first,), initializer="zeros")
        if self.quadratic:
            self.form = self.add_weight(
                name="form", shape=(sum(features), sum(features)), initializer="zeros"
            )
        self.blocks = [
            *_perceptron(hidden, self.seed + 1, self.dtype_policy),
            keras.layers.Dense(1, dtype=self.dtype_policy, kernel_initializer="zeros"),
        ]
        for layer, size in zip(self.standardize, features, strict=True):
            layer.build((None, size))
        for block, size in zip(self.blocks, (first, *hidden), strict=True):
            block.build((None, size))

    def call(self, inputs, training=False):
        """Scores pairs.

        Args:
            inputs: a list of tensors [..., features_i] whose leading axes broadcast.
            training: whether the running moments of the inputs take these pairs in.

        Returns:
            Scores [...], in nats, inside (-cap, cap).
        """
        inputs = [
            standardize(x, training=training)
            for standardize, x in zip(self.standardize, inputs, strict=True)
        ]
        hidden = tf.nn.relu(_project(inputs, self.kernel) + self.bias)
        for block in self.blocks:
            hidden = block(hidden)
        scores = tf.squeeze(hidden, -1)
        if self.quadratic:
            sizes = [x.shape[-1] for x in inputs]
            scale = form_scale(sum(sizes))
            for x, image in zip(
                inputs, tf.split(_project(inputs, self.form), sizes, axis=-1), strict=True
            ):
                scores += scale * tf.reduce_sum(x * image, axis=-1)
        return cap(scores, self.limit)


def _project(inputs, kernel) -> tf.Tensor:
    """Inputs side by side [..., features], whose leading axes broadcast, times ``kernel``."""
    kernels = tf.split(kernel, [x.shape[-1] for x in inputs])
    return sum(tf.tensordot(x, part, axes=1) for x, part in zip(inputs, kernels, strict=True))


class Separable(keras.layers.Layer):
    """T(x, y) = f(x) . g(y), two perceptrons: all pairs of a batch at the cost of the batch.

    Not for Donsker-Varadhan, MINE or NWJ over all pairs of a batch: :class:`mine.MINE` refuses it.

    Args:
        hidden: units of the hidden layers of f and of g; None for :func:`default_hidden`.
        embedding: length of f(x) and g(y).
        cap: largest absolute score, in nats.
        seed: seed of the initial weights.
    """

    def __init__(
        self, hidden=None, embedding: int = 32, cap: float = SCORE_CAP, seed: int = 0, **kwargs
    ):
        super().__init__(**kwargs)
        self.hidden, self.embedding, self.limit, self.seed = hidden, embedding, cap, seed

    def build(self, input_shape):
        features = _two(input_shape)
        hidden = self.hidden or default_hidden(features)
        self.standardize = [Standardize(dtype=self.dtype_policy) for _ in features]
        for layer, size in zip(self.standardize, features, strict=True):
            layer.build((None, size))
        self.x_tower = _tower(features[0], hidden, self.embedding, self.seed, self.dtype_policy)
        self.y_tower = _tower(
            features[1], hidden, self.embedding, self.seed + SEEDS_APART, self.dtype_policy
        )

    def call(self, inputs, training=False):
        """Scores x [..., dim_x] against y [..., dim_y]: [...], in nats, inside (-cap, cap)."""
        x, y = (
            layer(value, training=training)
            for layer, value in zip(self.standardize, inputs, strict=True)
        )
        for layer in self.x_tower:
            x = layer(x)
        for layer in self.y_tower:
            y = layer(y)
        return cap(tf.reduce_sum(x * y, axis=-1), self.limit)


class Bilinear(keras.layers.Layer):
    """T(x, y) = x' W y + b of standardised inputs: finds linear dependence only.

    Args:
        cap: largest absolute score, in nats.
        seed: not used, as W starts at zero; every critic has one.
    """

    def __init__(self, cap: float = SCORE_CAP, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.limit = cap

    def build(self, input_shape):
        features = _two(input_shape)
        self.standardize = [Standardize(dtype=self.dtype_policy) for _ in features]
        for layer, size in zip(self.standardize, features, strict=True):
            layer.build((None, size))
        self.kernel = self.add_weight(name="kernel", shape=features, initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def call(self, inputs, training=False):
        """Scores x [..., dim_x] against y [..., dim_y]: [...], in nats, inside (-cap, cap)."""
        x, y = (
            layer(value, training=training)
            for layer, value in zip(self.standardize, inputs, strict=True)
        )
        scores = tf.reduce_sum(tf.linalg.matmul(x, self.kernel) * y, axis=-1)
        return cap(scores + self.bias, self.limit)


class SetEncoder(keras.layers.Layer):
    """Turns a set into a vector, whatever its order: a mean of MLPs (Zaheer et al. 2017).

    Args:
        hidden: units of each layer.
        seed: seed of the initial weights.
    """

    def __init__(self, hidden=(64, 64), seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.standardize = Standardize(dtype=self.dtype_policy)
        self.blocks = _perceptron(hidden, seed, self.dtype_policy)
        self.supports_masking = True

    def compute_mask(self, inputs, previous_mask):
        """None: a vector has no elements."""

    def call(self, elements, training=False, mask=None):
        """Elements [..., n, features] -> [..., hidden[-1]].

        ``mask`` [..., n], boolean, says which elements are real; the others change nothing.
        """
        if mask is not None:
            real = mask[..., tf.newaxis]
            elements = tf.where(real, elements, 0.0)
        encoded = self.standardize(elements, training=training, mask=mask)
        for block in self.blocks:
            encoded = block(encoded)
        if mask is None:
            return tf.reduce_mean(encoded, axis=-2)
        real = tf.cast(real, encoded.dtype)
        count = tf.maximum(tf.reduce_sum(real, axis=-2), 1.0)
        return tf.reduce_sum(real * encoded, axis=-2) / count


class DeepSets(keras.layers.Layer):
    """A learned critic of sets: each set is encoded whatever its order, then concatenated.

    Args:
        sets: for each input, whether it is a set [..., n, features] or a vector [..., features].
        hidden: units of the layers of the encoders and of the critic; None for 64-64.
        cap: largest absolute score, in nats.
        seed: seed of the initial weights.
    """

    def __init__(
        self, sets: Sequence[bool], hidden=None, cap: float = SCORE_CAP, seed: int = 0, **kwargs
    ):
        super().__init__(**kwargs)
        hidden = hidden or (64, 64)
        self.sets = tuple(sets)
        self.encoders = [
            SetEncoder(hidden, seed + SEEDS_APART * (i + 1), dtype=self.dtype_policy)
            for i, is_set in enumerate(self.sets)
            if is_set
        ]
        # Encoded sets are learned: a form of them would be one of 128 x 128 weights.
        self.critic = Concatenated(hidden, cap, False, seed=seed, dtype=self.dtype_policy)

    def call(self, inputs, training=False):
        """Scores inputs, sets and vectors: [...], in nats, inside (-cap, cap)."""
        encoders = iter(self.encoders)
        encoded = [
            next(encoders)(x, training=training) if is_set else x
            for x, is_set in zip(inputs, self.sets, strict=True)
        ]
        return self.critic(encoded, training=training)


class Likelihood(keras.layers.Layer):
    """The critic that knows the model: T(y; d, x) = log q(y | x, d) - h(y, x).

    The best critic of I(y; d | x) is log p(y | x, d) - log p(y | x). A model's likelihood gives the
    first term exactly, so only the marginal ``h`` is learned.

    Args:
        hidden: units of each hidden layer of ``h``, beside its quadratic form.
        cap: largest absolute score, in nats. A log likelihood may be far below zero, so
            the cap of learned critics would change it by hundredths of a nat.
        seed: seed of the initial weights.
    """

    def __init__(self, hidden=(32,), cap: float = 5 * SCORE_CAP, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.limit = cap
        # h is a log density: it has no cap, and a quadratic form is exact for a normal one.
        self.marginal = Concatenated(hidden, math.inf, seed=seed, dtype=self.dtype_policy)

    def call(self, log_prob, inputs, training=False):
        """Scores pairs.

        Args:
            log_prob: log q(y | x, d) [...], in nats.
            inputs: what ``h`` sees of y and x: a list of tensors [..., features_i].
            training: whether the running moments of the inputs take these pairs in.

        Returns:
            Scores [...], in nats, inside (-cap, cap).
        """
        return cap(log_prob - self.marginal(inputs, training=training), self.limit)


def _two(shapes) -> tuple[int, int]:
    """Features of x and y, the inputs of a critic of pairs."""
    if len(shapes) != 2:
        raise ValueError(
            f"Invalid number of inputs: expected two, x and y; received {len(shapes)}."
        )
    return shapes[0][-1], shapes[1][-1]


def _tower(features, hidden, embedding, seed, dtype) -> list:
    """A perceptron with a linear last layer, built: its layers."""
    initializer = keras.initializers.GlorotUniform(seed=seed + len(hidden))
    last = keras.layers.Dense(embedding, kernel_initializer=initializer, dtype=dtype)
    layers = [*_perceptron(hidden, seed, dtype), last]
    for layer, size in zip(layers, (features, *hidden), strict=True):
        layer.build((None, size))
    return layers


def _perceptron(hidden, seed, dtype):
    """Dense layers with rectifiers; layer i's initial weights are drawn with ``seed + i``."""
    return [
        keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed + i),
            dtype=dtype,
        )
        for i, units in enumerate(hidden)
    ]

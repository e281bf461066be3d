"""Critics T(...): Keras layers that score pairs, for the bounds of :mod:`mine.bounds`."""

import keras
import tensorflow as tf

SCORE_CAP = 20.0
"""Largest absolute score, in nats: exp(20) negatives are more than any batch can show."""


def cap(scores, limit: float = SCORE_CAP) -> tf.Tensor:
    """Squashes scores smoothly into (-limit, limit): ``limit * tanh(scores / limit)``."""
    return limit * tf.tanh(scores / limit)


class Standardize(keras.layers.Layer):
    """Shifts and scales each feature by running moments, free of start-up bias.

    Unlike batch normalisation it treats joint and marginal pairs alike: both see the same moments,
    so the critic cannot tell them apart by the statistics of the batch.

    Args:
        rate: weight of the newest batch in the running moments.
    """

    def __init__(self, rate: float = 0.01, **kwargs):
        super().__init__(trainable=False, **kwargs)
        self.rate = rate

    def build(self, input_shape):
        def add(name, shape):
            return self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=False, dtype=self.dtype
            )

        self.weight = add("weight", ())
        self.first = add("first_moment", (input_shape[-1],))
        self.second = add("second_moment", (input_shape[-1],))

    def call(self, x, training=False):
        """Standardises ``x`` [..., features]; takes its moments in first if ``training``.

        A batch with a value that is not finite is left out of the moments.
        """
        if training:
            flat = tf.stop_gradient(tf.reshape(x, [-1, x.shape[-1]]))
            # One batch that is no number must not spoil what all later ones are compared with.
            rate = tf.where(tf.reduce_all(tf.math.is_finite(flat)), self.rate, 0.0)
            flat = tf.where(tf.math.is_finite(flat), flat, 0.0)
            for state, new in (
                (self.weight, tf.ones((), flat.dtype)),
                (self.first, tf.reduce_mean(flat, 0)),
                (self.second, tf.reduce_mean(flat**2, 0)),
            ):
                state.assign(state + tf.cast(rate, flat.dtype) * (new - state))
        weight = tf.maximum(tf.convert_to_tensor(self.weight), 1e-12)
        mean = self.first / weight
        variance = tf.maximum(self.second / weight - mean**2, 1e-6)
        return tf.where(self.weight > 0, (x - mean) * tf.math.rsqrt(variance), x)


class Concatenated(keras.layers.Layer):
    """The free critic: a multi-layer perceptron over all its inputs side by side.

    Args:
        hidden: units of each hidden layer.
        cap: largest absolute score, in nats.
        seed: seed of the initial weights.
    """

    def __init__(self, hidden=(64, 64), cap: float = SCORE_CAP, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.limit = cap
        self.standardize = Standardize(dtype=self.dtype_policy)
        self.blocks = [
            *_perceptron(hidden, seed, self.dtype_policy),
            keras.layers.Dense(1, dtype=self.dtype_policy, kernel_initializer="zeros"),
        ]

    def call(self, inputs, training=False):
        """Scores pairs.

        Args:
            inputs: a list of tensors [..., features_i] with equal leading axes.
            training: whether the running moments of the inputs take these pairs in.

        Returns:
            Scores [...], in nats, inside (-cap, cap).
        """
        hidden = self.standardize(tf.concat(inputs, axis=-1), training=training)
        for block in self.blocks:
            hidden = block(hidden)
        return cap(tf.squeeze(hidden, -1), self.limit)


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

    def call(self, elements, training=False):
        """Elements [..., n, features] -> [..., hidden[-1]]."""
        encoded = self.standardize(elements, training=training)
        for block in self.blocks:
            encoded = block(encoded)
        return tf.reduce_mean(encoded, axis=-2)


class Likelihood(keras.layers.Layer):
    """The critic that knows the model: T(y; d, x) = log q(y | x, d) - h(y, x).

    The best critic of I(y; d | x) is log p(y | x, d) - log p(y | x). A model's likelihood gives the
    first term exactly, so only the marginal ``h`` is learned.

    Args:
        hidden: units of each hidden layer of ``h``.
        cap: largest absolute score, in nats.
        seed: seed of the initial weights.
    """

    def __init__(self, hidden=(64, 64), cap: float = SCORE_CAP, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.limit = cap
        self.marginal = Concatenated(hidden, cap, seed, dtype=self.dtype_policy)

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

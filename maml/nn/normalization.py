"""Normalization inside networks that adapt, each mode by its name.

=========== ================================================================ ==============
mode        statistics                                                       transductive
=========== ================================================================ ==============
``batch``   of the batch at hand, always                                     yes
``step``    of the batch at hand; scale and shift of their own for each      yes
            inner step, shared by all tasks (MAML++, Antoniou et al. 2019)
``frozen``  running ones of meta-training, not touched by inner loops        no
``layer``   of each example (Ba et al. 2016)                                 no
``none``    none                                                             no
=========== ================================================================ ==============

*Transductive* predictions depend on the other queries of the batch, which is worth several per cent
in few-shot classification: scores are comparable only within one mode, so the mode stands beside
every score.

Keras' own batch, layer and group normalization have wrong second derivatives (``tf.nn.moments``
cuts the gradient of the mean inside the variance: its first derivative is zero, its second is not),
so second-order learners refuse them. Where they are allowed, ``keras.layers.BatchNormalization``
works as ``batch``, and as ``frozen`` with ``trainable=False``.
"""

import contextlib
import contextvars

import keras
import tensorflow as tf

from mine import replicas

MODES = ("batch", "step", "frozen", "layer", "none")

_STEP = contextvars.ContextVar("inner step", default=0)
_COLLECTING = contextvars.ContextVar("collecting statistics", default=False)


def layer(mode: str, steps: int = 1, scale: bool = True, **kwargs) -> keras.layers.Layer:
    """A normalization layer.

    Args:
        mode: one of ``MODES``.
        steps: inner steps, for mode "step".
        scale: whether to learn a factor for each channel.
        **kwargs: of the layer, such as ``name`` and ``dtype``.

    Raises:
        ValueError: there is no such mode.
    """
    if mode not in MODES:
        raise ValueError(
            f"Invalid value for `mode`: expected one of {', '.join(MODES)}; received {mode!r}."
        )
    if mode == "none":
        return keras.layers.Activation("linear", **kwargs)
    if mode == "step":
        return PerStepBatchNormalization(steps, scale, **kwargs)
    kinds = {
        "batch": CurrentBatchNormalization,
        "frozen": FrozenBatchNormalization,
        "layer": LayerNormalization,
    }
    return kinds[mode](scale, **kwargs)


def describe(network: keras.Model) -> str:
    """A phrase that says how a network normalizes, to stand beside a score."""
    words = []
    for part in network._flatten_layers():
        frozen = isinstance(part, keras.layers.BatchNormalization) and not part.trainable
        if isinstance(part, FrozenBatchNormalization) or frozen:
            words.append("frozen statistics")
        elif isinstance(part, PerStepBatchNormalization):
            words.append("current batch by step (transductive)")
        elif isinstance(part, (CurrentBatchNormalization, keras.layers.BatchNormalization)):
            words.append("current batch (transductive)")
        elif isinstance(part, (LayerNormalization, keras.layers.LayerNormalization)):
            words.append("layer norm")
    return ", ".join(dict.fromkeys(words)) or "no normalization"


def wrong_second_derivatives(network: keras.Model) -> list[str]:
    """Names of the layers whose second derivative is wrong, see above."""
    wrong = keras.layers.LayerNormalization, keras.layers.GroupNormalization
    return [
        part.name
        for part in network._flatten_layers()
        if isinstance(part, wrong)
        or (isinstance(part, keras.layers.BatchNormalization) and part.trainable)
    ]


def transductive(network: keras.Model) -> bool:
    """Whether Keras' own batch normalization in ``network`` is to see the batch at hand."""
    return any(
        isinstance(part, keras.layers.BatchNormalization) and part.trainable
        for part in network._flatten_layers()
    )


@contextlib.contextmanager
def inner_step(number: int):
    """Within it, layers that are normalized by step take those of step ``number``."""
    token = _STEP.set(number)
    try:
        yield
    finally:
        _STEP.reset(token)


@contextlib.contextmanager
def collecting():
    """Within it, frozen normalization takes the batch at hand into its running statistics."""
    token = _COLLECTING.set(True)
    try:
        yield
    finally:
        _COLLECTING.reset(token)


class _Normalization(keras.layers.Layer):
    """What all kinds share: scale, shift and epsilon."""

    def __init__(self, scale: bool = True, epsilon: float = 1e-3, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.epsilon = scale, epsilon

    def build(self, input_shape):
        shape = self._shape(input_shape[-1])
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        if self.scale:
            self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")

    def _shape(self, channels):
        return (channels,)

    def _normalize(self, x, mean, variance):
        # What is of channels is put together first: one product and one sum of whole layers.
        factor = tf.math.rsqrt(variance + self.epsilon)
        if self.scale:
            factor *= tf.cast(self._now(self.gamma), factor.dtype)
        shift = tf.cast(self._now(self.beta), factor.dtype) - mean * factor
        return tf.cast(tf.cast(x, factor.dtype) * factor + shift, self.compute_dtype)

    def _now(self, weight):
        return tf.convert_to_tensor(weight)

    def get_config(self):
        return super().get_config() | {"scale": self.scale, "epsilon": self.epsilon}


def _moments(x, axes=None):
    """Mean and variance over ``axes``, all but the last by default; at least in single precision.

    Returns:
        ``(x, mean, variance)``: of ``x`` less about its mean, a constant. The mean of the square
        less the square of the mean is then exact, and has the fewest operations to differentiate;
        its derivatives are right to any order, unlike those of ``tf.nn.moments``.
    """
    x = tf.cast(x, tf.float32) if x.dtype.size < 4 else x
    axes = list(range(x.shape.rank - 1)) if axes is None else axes
    x -= tf.stop_gradient(tf.reduce_mean(x, axes, keepdims=True))
    mean, square = (tf.reduce_mean(part, axes, keepdims=True) for part in (x, tf.square(x)))
    return x, mean, square - tf.square(mean)


@keras.saving.register_keras_serializable("maml")
class CurrentBatchNormalization(_Normalization):
    """Batch normalization by the statistics of the batch at hand, always (transductive).

    Args:
        scale: whether to learn a factor for each channel; the shift is always learned.
        epsilon: added to the variance.
    """

    def call(self, x):
        """Normalizes ``x`` [n, ..., channels] over all axes but the last."""
        return self._normalize(*_moments(x))


@keras.saving.register_keras_serializable("maml")
class PerStepBatchNormalization(_Normalization):
    """Batch normalization with scale and shift of their own for each inner step (MAML++).

    They are meta-learned and do not adapt. After the last step, and in longer loops than it was
    made for, the last ones are used.

    Args:
        steps: inner steps it has weights for; predictions after them have a set of their own.
        scale: whether to learn a factor for each channel.
        epsilon: added to the variance.
    """

    adapts = False

    def __init__(self, steps: int, scale: bool = True, epsilon: float = 1e-3, **kwargs):
        super().__init__(scale, epsilon, **kwargs)
        self.steps = steps

    def _shape(self, channels):
        return (self.steps + 1, channels)

    def _now(self, weight):
        return tf.convert_to_tensor(weight)[min(_STEP.get(), self.steps)]

    def call(self, x):
        """Normalizes ``x`` [n, ..., channels] over all axes but the last."""
        return self._normalize(*_moments(x))

    def get_config(self):
        return super().get_config() | {"steps": self.steps}


@keras.saving.register_keras_serializable("maml")
class FrozenBatchNormalization(_Normalization):
    """Batch normalization by running statistics, the same for every task and inner step.

    A learner takes the support inputs of each training step in, at its own weights, before they
    adapt; see :func:`collecting`. Their mean has no start-up bias.

    Args:
        scale: whether to learn a factor for each channel; the shift is always learned.
        epsilon: added to the variance.
        rate: weight of the newest batch in the running statistics.
    """

    def __init__(self, scale: bool = True, epsilon: float = 1e-3, rate: float = 0.01, **kwargs):
        super().__init__(scale, epsilon, **kwargs)
        self.rate = rate

    def build(self, input_shape):
        super().build(input_shape)

        def add(name, shape):
            return self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=False, autocast=False
            )

        self.weight = add("weight", ())
        self.mean, self.variance = (add(n, (input_shape[-1],)) for n in ("mean", "variance"))

    def call(self, x):
        """Normalizes ``x`` [n, ..., channels] over all axes but the last."""
        if _COLLECTING.get():
            inputs = tf.cast(tf.stop_gradient(x), self.variance.dtype)
            own, within = tf.nn.moments(inputs, list(range(x.shape.rank - 1)))
            # Of the batches of all devices together, which differ in their means too.
            mean = replicas.mean(own)
            variance = replicas.mean(within + tf.square(own - mean))
            one = tf.ones([], mean.dtype)
            # What is no number once would be none in every step after.
            finite = tf.reduce_all(tf.math.is_finite(tf.concat([mean, variance], 0)))
            for state, new in ((self.weight, one), (self.mean, mean), (self.variance, variance)):
                old = tf.convert_to_tensor(state)
                state.assign(tf.where(finite, old + self.rate * (new - old), old))
        weight = tf.convert_to_tensor(self.weight)
        known = tf.maximum(weight, tf.cast(1e-12, weight.dtype))
        variance = tf.where(weight > 0, self.variance / known, tf.ones_like(self.variance))
        return self._normalize(x, self.mean / known, variance)

    def get_config(self):
        return super().get_config() | {"rate": self.rate}


@keras.saving.register_keras_serializable("maml")
class LayerNormalization(_Normalization):
    """Normalizes each example by the statistics of all its features (Ba et al. 2016).

    Args:
        scale: whether to learn a factor for each channel; the shift is always learned.
        epsilon: added to the variance.
    """

    def call(self, x):
        """Normalizes ``x`` [n, ..., channels] over all axes but the first."""
        return self._normalize(*_moments(x, list(range(1, x.shape.rank))))

"""The networks of few-shot classification of images, and one that draws them."""

import math

import keras

from maml.core.registry import Networks
from maml.core.seeds import Part, initializer_seeds
from maml.nn.normalization import layer as normalization_layer

KINDS = ("conv", "perceptron", "resnet12")


def convolutional_networks(
    shape: tuple[int, int, int],
    kind: str = "conv",
    filters: int = 32,
    pooling: bool = True,
    normalization: str = "batch",
    norm_steps: int = 1,
    seed: int = 0,
) -> Networks:
    """A classifier for learners whose networks adapt, and its body as an embedding for the others.

    * ``conv``: four blocks of a convolution, normalization and ReLU (Vinyals et al. 2016);
    * ``perceptron``: layers of 256, 128, 64 and 64 units (Santoro et al. 2016; Finn et al. 2017);
    * ``resnet12``: four residual blocks of three convolutions (Oreshkin et al. 2018), the first of
      ``filters``, each of twice as many as the one before.

    Args:
        shape: of an image, (height, width, channels).
        kind: one of :data:`KINDS`.
        filters: of a convolution.
        pooling: whether blocks of ``conv`` halve the image by pooling; by strides if not.
        normalization: how layers are normalized, see :mod:`maml.nn.normalization`.
        norm_steps: inner steps, for normalization by step.
        seed: seed of the initial weights (Glorot uniform).

    Raises:
        ValueError: there is no such network, or no such normalization.
    """
    if kind not in KINDS:
        raise ValueError(
            f"Invalid value for `kind`: expected one of {', '.join(KINDS)}; received {kind!r}."
        )

    def body():
        layers = _Layers(normalization, norm_steps, seed)
        inputs = keras.Input(shape)
        if kind == "conv":
            return layers, inputs, _conv4(layers, inputs, filters, pooling)
        if kind == "resnet12":
            return layers, inputs, _resnet12(layers, inputs, filters)
        return layers, inputs, _perceptron(layers, inputs)

    def network(outputs):
        layers, inputs, features = body()
        return keras.Model(inputs, layers.dense(features, outputs, name="head"), name=kind)

    def embedding():
        _, inputs, features = body()
        return keras.Model(inputs, features, name="embedding")

    return Networks(network, embedding)


def _conv4(layers, x, filters, pooling):
    for block in range(4):
        x = layers.conv(x, filters, 3, 1 if pooling else 2, name=f"conv_{block + 1}")
        x = keras.layers.ReLU()(layers.normalized(x))
        if pooling:
            x = keras.layers.MaxPooling2D(2)(x)
    return keras.layers.Flatten()(x)


def _resnet12(layers, x, filters):
    for block in range(4):
        width = filters * 2**block
        shortcut = layers.normalized(layers.conv(x, width, 1))
        for index in range(3):
            x = layers.normalized(layers.conv(x, width, 3))
            x = x if index == 2 else keras.layers.LeakyReLU(0.1)(x)
        x = keras.layers.LeakyReLU(0.1)(keras.layers.Add()([x, shortcut]))
        x = keras.layers.MaxPooling2D(2)(x)
    return keras.layers.GlobalAveragePooling2D()(x)


def _perceptron(layers, x):
    x = keras.layers.Flatten()(x)
    for units in (256, 128, 64, 64):
        x = keras.layers.ReLU()(layers.normalized(layers.dense(x, units, layers.bias)))
    return x


class _Layers:
    """Makes layers, each with the next seed.

    What normalizes each channel on its own takes away any bias before it, so there is none.
    """

    def __init__(self, mode, steps, seed):
        self.mode, self.steps = mode, steps
        self.seeds = initializer_seeds(seed, Part.NETWORK)
        self.bias = mode in ("none", "layer")

    def _initializer(self):
        return keras.initializers.GlorotUniform(next(self.seeds))

    def conv(self, x, filters, size, strides=1, name=None):
        return keras.layers.Conv2D(
            filters,
            size,
            strides,
            "same",
            use_bias=self.bias,
            kernel_initializer=self._initializer(),
            name=name,
        )(x)

    def dense(self, x, units, bias=True, name=None):
        return keras.layers.Dense(
            units, use_bias=bias, kernel_initializer=self._initializer(), name=name
        )(x)

    def normalized(self, x):
        return normalization_layer(self.mode, self.steps)(x)


def image_decoder(inputs: int, shape: tuple[int, int, int], filters: int, seed: int, dtype):
    """A network from codes [n, inputs] to images [n, height, width, channels], any numbers.

    A dense layer makes a quarter of the image's height and width, two transposed convolutions of
    stride 2 and one convolution the rest, with exponential linear units between them (as Edwards
    and Storkey 2017 have it, with strides in place of their depth).

    Args:
        inputs: numbers of a code.
        shape: of an image, (height, width, channels).
        filters: of the smallest image; the largest has half as many.
        seed: seed of the initial weights (Glorot uniform).
        dtype: Keras dtype policy of the layers.

    Returns:
        A Keras network.
    """
    height, width, channels = shape
    low = -(-height // 4), -(-width // 4), filters
    seeds = initializer_seeds(seed, Part.DECODER)

    def options(activation="elu"):
        initializer = keras.initializers.GlorotUniform(next(seeds))
        return {"activation": activation, "kernel_initializer": initializer, "dtype": dtype}

    rows, columns = 4 * low[0] - height, 4 * low[1] - width
    half = max(filters // 2, 1)
    return keras.Sequential(
        [
            keras.Input((inputs,), dtype=dtype.compute_dtype),
            keras.layers.Dense(math.prod(low), **options()),
            keras.layers.Reshape(low, dtype=dtype),
            keras.layers.Conv2DTranspose(filters, 3, 2, "same", **options()),
            keras.layers.Conv2DTranspose(half, 3, 2, "same", **options()),
            keras.layers.Conv2D(channels, 3, padding="same", **options(None)),
            keras.layers.Cropping2D(((0, rows), (0, columns)), dtype=dtype),
        ],
        name="decoder",
    )

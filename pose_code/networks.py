"""The networks of the pose experiment (Yin et al. 2020, appendix), for square grey images."""

import itertools
from collections.abc import Sequence

import keras

from maml.core.registry import Networks
from maml.core.seeds import Part, initializer_seeds
from maml.nn.mlp import units_of
from maml.nn.normalization import layer as normalization_layer

SMALLEST = 16
"""Side of the smallest images, in pixels."""

TOWER_LAYERS = 4
"""Layers with weights of :func:`tower`, apart from what normalizes them."""


def pose_networks(
    image_size: int,
    dim_w: int = 64,
    filters: int = 64,
    normalization: str = "batch",
    embedding_normalization: str = "none",
    shared_tower: bool = False,
    hidden: Sequence[int] = (),
    precision: str = "float32",
    norm_steps: int = 1,
    seed: int = 0,
) -> Networks:
    """The networks of learners of both kinds.

    Args:
        image_size: side of the images, in pixels.
        dim_w: features of an image; a square number for networks that adapt by convolutions.
        filters: of each of the four convolutions of networks that adapt.
        normalization: between these, see :mod:`maml.nn.normalization`.
        embedding_normalization: between the convolutions of image towers that do not adapt.
        shared_tower: whether all tasks share the first part of networks that adapt, from the image
            to ``dim_w`` features.
        hidden: units of the hidden layers of networks that adapt, which then have dense layers
            behind the image tower of the CNP, the layer ``embedding``, without normalization
            between them; empty: the four convolutions behind a tower of their own.
        precision: what convolutions and dense layers compute in, "float32" or "mixed_bfloat16";
            weights and losses stay float32.
        norm_steps: inner steps, for normalization by step.
        seed: seed of the initial weights.
    """
    common = {"dim_w": dim_w, "seed": seed, "dtype": precision}

    def first():
        build = embedding if hidden else tower
        return build(image_size, mode=embedding_normalization if shared_tower else "none", **common)

    def network(outputs):
        if hidden:
            body = dense(outputs, units_of("hidden", hidden), **common)
        else:
            body = convolutions(
                outputs, filters=filters, mode=normalization, steps=norm_steps, **common
            )
        return body if shared_tower else chained(first(), body)

    return Networks(
        network,
        lambda: embedding(image_size, mode=embedding_normalization, **common),
        first if shared_tower else None,
    )


def embedding(
    image_size: int,
    dim_w: int = 64,
    mode: str = "none",
    seed: int = 0,
    dtype: str = "float32",
) -> keras.Model:
    """Image tower of the CNP: [n, size, size, 1] -> [n, dim_w].

    Args:
        image_size: side of the images, in pixels.
        dim_w: number of features.
        mode: how its convolutions are normalized, see :mod:`maml.nn.normalization`.
        seed: seed of the initial weights.
        dtype: Keras dtype policy of the layers.

    Raises:
        ValueError: images are smaller than :data:`SMALLEST`.
    """
    layers = _Layers(initializer_seeds(seed, Part.NETWORK), dtype)
    x = inputs = keras.Input((image_size, image_size, 1))
    x = _condense(layers, x, image_size, "relu", mode)
    return keras.Model(inputs, layers.dense(dim_w)(x), name="embedding")


def tower(
    image_size: int,
    dim_w: int = 196,
    mode: str = "none",
    seed: int = 0,
    dtype: str = "float32",
) -> keras.Model:
    """First part of MAML's network: [n, size, size, 1] -> [n, dim_w].

    Linear but for its pooling and last layer, as in the original, and for what normalizes it.

    Args:
        image_size: side of the images, in pixels.
        dim_w: number of features.
        mode: how its convolutions are normalized, see :mod:`maml.nn.normalization`.
        seed: seed of the initial weights.
        dtype: Keras dtype policy of the layers.

    Raises:
        ValueError: images are smaller than :data:`SMALLEST`.
    """
    layers = _Layers(initializer_seeds(seed, Part.NETWORK), dtype)
    x = inputs = keras.Input((image_size, image_size, 1))
    x = layers.dense(dim_w, activation="relu")(_condense(layers, x, image_size, None, mode))
    return keras.Model(inputs, x, name="tower")


def convolutions(
    outputs: int,
    dim_w: int = 196,
    filters: int = 64,
    mode: str = "batch",
    steps: int = 1,
    seed: int = 0,
    dtype: str = "float32",
) -> keras.Model:
    """Second part of MAML's network: [n, dim_w], read as a small square image, -> [n, outputs].

    Args:
        outputs: number of outputs.
        dim_w: a square number.
        filters: of each of the four convolutions.
        mode: how they are normalized, see :mod:`maml.nn.normalization`.
        steps: inner steps, for mode "step".
        seed: seed of the initial weights.
        dtype: Keras dtype policy of the layers.

    Raises:
        ValueError: ``dim_w`` is no square.
    """
    side = round(dim_w**0.5)
    if side**2 != dim_w:
        raise ValueError(f"dim_w becomes a square image, so it must be a square, not {dim_w}.")
    layers = _second_part(seed, dtype)
    x = inputs = keras.Input((dim_w,))
    x = keras.layers.Reshape((side, side, 1))(x)
    for block in range(1, 5):
        x = layers.conv(filters, name=f"conv_{block}")(x)
        norm = normalization_layer(mode, steps, scale=False, name=f"norm_{block}", dtype=dtype)
        x = keras.layers.ReLU(dtype=dtype)(norm(x))
    x = keras.layers.GlobalAveragePooling2D(dtype=dtype)(x)
    return keras.Model(inputs, layers.dense(outputs, name="head")(x), name="convolutions")


def dense(
    outputs: int,
    hidden: Sequence[int],
    dim_w: int = 196,
    seed: int = 0,
    dtype: str = "float32",
) -> keras.Model:
    """Second part of a network that adapts by dense layers, [n, dim_w] -> [n, outputs].

    Args:
        outputs: number of outputs.
        hidden: units of each hidden layer.
        dim_w: number of inputs.
        seed: seed of the initial weights.
        dtype: Keras dtype policy of the layers.
    """
    layers = _second_part(seed, dtype)
    x = inputs = keras.Input((dim_w,))
    for units in hidden:
        x = layers.dense(units, activation="relu")(x)
    return keras.Model(inputs, layers.dense(outputs, name="head")(x), name="dense")


def _second_part(seed, dtype):
    """Layers of a network whose first part, the tower, has the first seeds."""
    return _Layers(
        itertools.islice(initializer_seeds(seed, Part.NETWORK), TOWER_LAYERS, None), dtype
    )


def chained(first: keras.Model, second: keras.Model) -> keras.Model:
    """One network from two, the outputs of the first being the inputs of the second."""
    return keras.Model(first.input, second(first.output), name="adaptable")


def _condense(layers, x, image_size, activation, mode):
    """Three convolutions with a pooling between, and flattened."""
    if image_size < SMALLEST:
        raise ValueError(
            f"Images of {image_size} pixels are too small for the image tower, which needs "
            f"{SMALLEST}: give a larger image_size."
        )

    def block(x, filters, strides):
        if mode == "none":
            return layers.conv(filters, strides, activation)(x)
        norm = normalization_layer(mode, dtype=layers.dtype)
        return keras.layers.Activation(activation, dtype=layers.dtype)(
            norm(layers.conv(filters, strides)(x))
        )

    x = block(block(x, 32, 2), 48, 2)
    x = keras.layers.MaxPooling2D(2, dtype=layers.dtype)(x)
    x = block(x, 64, 2 if image_size >= 64 else 1)
    return keras.layers.Flatten(dtype=layers.dtype)(x)


class _Layers:
    """Makes convolutions and dense layers, each with the next seed."""

    def __init__(self, seeds, dtype):
        self.seeds, self.dtype = seeds, dtype

    def _initializer(self):
        return keras.initializers.GlorotUniform(seed=next(self.seeds))

    def conv(self, filters, strides=1, activation=None, name=None):
        return keras.layers.Conv2D(
            filters,
            3,
            strides,
            "same",
            activation=activation,
            kernel_initializer=self._initializer(),
            name=name,
            dtype=self.dtype,
        )

    def dense(self, units, activation=None, name=None):
        return keras.layers.Dense(
            units,
            activation,
            kernel_initializer=self._initializer(),
            name=name,
            dtype=self.dtype,
        )

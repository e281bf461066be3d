"""The networks of the pose experiment (Yin et al. 2020, appendix), for square grey images."""

import keras

from maml import CurrentBatchNormalization


def embedding(image_size: int, dim_w: int = 64, seed: int = 0) -> keras.Model:
    """Image tower of the CNP: [n, size, size, 1] -> [n, dim_w].

    Args:
        image_size: side of the images, in pixels; 16 at least.
        dim_w: number of features.
        seed: seed of the initial weights.
    """
    conv, dense = _seeded_layers(seed)
    x = inputs = keras.Input((image_size, image_size, 1))
    x = conv(32, strides=2, activation="relu")(x)
    x = conv(48, strides=2, activation="relu")(x)
    x = keras.layers.MaxPooling2D(2)(x)
    x = conv(64, strides=2 if image_size >= 64 else 1, activation="relu")(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, dense(dim_w)(x), name="embedding")


def adaptable(
    image_size: int, outputs: int, dim_w: int = 196, filters: int = 64, seed: int = 0
) -> keras.Model:
    """Network of MAML: [n, size, size, 1] -> [n, outputs]; every layer of it adapts.

    A first part, linear but for its pooling and last layer as in the original, condenses the image
    to ``dim_w`` numbers; read as a small square image, they pass four convolutions with batch
    normalisation.

    Args:
        image_size: side of the images, in pixels; 16 at least.
        outputs: number of outputs.
        dim_w: a square number.
        filters: of each of the four convolutions.
        seed: seed of the initial weights.

    Raises:
        ValueError: ``dim_w`` is no square.
    """
    side = round(dim_w**0.5)
    if side**2 != dim_w:
        raise ValueError(f"dim_w becomes a square image, so it must be a square, not {dim_w}.")
    conv, dense = _seeded_layers(seed)
    x = inputs = keras.Input((image_size, image_size, 1))
    x = conv(32, strides=2)(x)
    x = conv(48, strides=2)(x)
    x = keras.layers.MaxPooling2D(2)(x)
    x = conv(64, strides=2 if image_size >= 64 else 1)(x)
    x = keras.layers.Flatten()(x)
    x = dense(dim_w, activation="relu")(x)
    x = keras.layers.Reshape((side, side, 1))(x)
    for _ in range(4):
        x = conv(filters)(x)
        x = CurrentBatchNormalization(scale=False)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, dense(outputs)(x), name="adaptable")


def _seeded_layers(seed):
    """Constructors of convolutions and dense layers, each with its own seed."""
    seeds = iter(range(1000 * seed, 1000 * (seed + 1)))

    def initializer():
        return keras.initializers.GlorotUniform(seed=next(seeds))

    def conv(filters, strides=1, activation=None):
        return keras.layers.Conv2D(
            filters, 3, strides, "same", activation=activation, kernel_initializer=initializer()
        )

    def dense(units, activation=None):
        return keras.layers.Dense(units, activation, kernel_initializer=initializer())

    return conv, dense

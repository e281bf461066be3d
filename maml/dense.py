"""Dense layers in lists, as contextual learners make them: each with a seed of its own."""

from collections.abc import Sequence

import keras


class DenseLayers:
    """Makes dense layers (Glorot uniform), each with the next seed.

    Args:
        seed: layers of different seeds differ.
        dtype: Keras dtype policy of the layers.
    """

    def __init__(self, seed: int, dtype):
        self.seeds, self.dtype = iter(range(1000 * seed, 1000 * (seed + 1))), dtype

    def dense(self, units: int, activation: str | None = None) -> keras.layers.Dense:
        """One layer."""
        initializer = keras.initializers.GlorotUniform(seed=next(self.seeds))
        return keras.layers.Dense(
            units, activation, kernel_initializer=initializer, dtype=self.dtype
        )

    def perceptron(self, hidden: Sequence[int], outputs: int) -> list[keras.layers.Dense]:
        """Hidden layers, rectified, and one of ``outputs``."""
        return [*(self.dense(units, "relu") for units in hidden), self.dense(outputs)]


def through(layers, x):
    """``x`` after one layer after the other."""
    for layer in layers:
        x = layer(x)
    return x


def product(layers, a, b) -> list:
    """The product of two linear maps of ``a`` and ``b``, in a list; nothing without layers."""
    return [layers[0](a) * layers[1](b)] if layers else []

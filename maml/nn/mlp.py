"""Dense layers in lists, as contextual learners make them: each with a seed of its own."""

from collections.abc import Iterable, Sequence

import keras

from maml.core.checks import check_whole
from maml.core.registry import Networks
from maml.core.seeds import Part, initializer_seeds


class DenseLayers:
    """Makes dense layers (Glorot uniform), each with the next seed.

    Args:
        seed: seed of the initial weights.
        part: whose layers these are. The weights of different parts are independent.
        dtype: Keras dtype policy of the layers.
    """

    def __init__(self, seed: int, part: Part, dtype):
        self.seeds, self.dtype = initializer_seeds(seed, part), dtype

    def dense(self, units: int, activation: str | None = None) -> keras.layers.Dense:
        """One layer."""
        initializer = keras.initializers.GlorotUniform(seed=next(self.seeds))
        return keras.layers.Dense(
            units, activation, kernel_initializer=initializer, dtype=self.dtype
        )

    def perceptron(
        self, hidden: Sequence[int], outputs: int, inputs: int | None = None
    ) -> list[keras.layers.Dense]:
        """Hidden layers, rectified, and one of ``outputs``.

        Their weights are made at once if the number of ``inputs`` is given, for layers that
        predictions do not need; else when they are first called.
        """
        hidden = units_of("hidden", hidden)
        layers = [*(self.dense(units, "relu") for units in hidden), self.dense(outputs)]
        if inputs is not None:
            for layer, size in zip(layers, (inputs, *hidden), strict=True):
                layer.build((None, size))
        return layers


def through(layers, x):
    """``x`` after all layers, in turn."""
    for layer in layers:
        x = layer(x)
    return x


def product(layers, a, b) -> list:
    """The product of two linear maps of ``a`` and ``b``, in a list; nothing without layers."""
    return [layers[0](a) * layers[1](b)] if layers else []


def units_of(name: str, units: int | Sequence[int]) -> tuple[int, ...]:
    """The units of layers, or of the only one.

    Args:
        name: of the argument, for messages.
        units: of each layer, or of the only one.

    Raises:
        ValueError: a number that is not 1 or more.
    """
    every = tuple(units) if isinstance(units, Iterable) else (units,)
    for number in every:
        check_whole(1, **{name: number})
    return every


def perceptron(inputs: int, hidden: int | Sequence[int], outputs: int, seed: int) -> keras.Model:
    """A network [n, inputs] -> [n, outputs] of dense layers, rectified between them.

    Args:
        inputs: number of input features.
        hidden: units of each hidden layer, or of the only one.
        outputs: number of outputs.
        seed: seed of the initial weights (Glorot uniform).
    """
    layers, hidden = [keras.Input((inputs,))], units_of("hidden", hidden)
    seeds = initializer_seeds(seed, Part.NETWORK)
    for index, units in enumerate([*hidden, outputs]):
        initializer = keras.initializers.GlorotUniform(seed=next(seeds))
        activation = "relu" if index < len(hidden) else None
        layers.append(keras.layers.Dense(units, activation, kernel_initializer=initializer))
    return keras.Sequential(layers)


def mlp_networks(
    inputs: int,
    hidden: Sequence[int] = (40, 40),
    embedding: Sequence[int] = (64, 64),
    seed: int = 0,
) -> Networks:
    """Multi-layer perceptrons for learners of either kind.

    Args:
        inputs: number of input features.
        hidden: units of each hidden layer of a gradient-based learner's network.
        embedding: units of each layer of a contextual learner's embedding; the last are its
            features.
        seed: seed of the initial weights.
    """
    *below, features = units_of("embedding", embedding)
    return Networks(
        network=lambda outputs: perceptron(inputs, hidden, outputs, seed),
        embedding=lambda: perceptron(inputs, below, features, seed),
    )

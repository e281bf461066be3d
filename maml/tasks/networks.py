"""The networks of problems whose inputs are vectors."""

from collections.abc import Sequence

import keras

from maml.registry import Networks


def _each(units: int | Sequence[int]) -> list[int]:
    return [units] if isinstance(units, int) else list(units)


def perceptron(inputs: int, hidden: int | Sequence[int], outputs: int, seed: int) -> keras.Model:
    """A network [n, inputs] -> [n, outputs] of dense layers, rectified between them.

    Args:
        inputs: number of input features.
        hidden: units of each hidden layer, or of the only one.
        outputs: number of outputs.
        seed: seed of the initial weights (Glorot uniform).
    """
    layers, hidden = [keras.Input((inputs,))], _each(hidden)
    for index, units in enumerate([*hidden, outputs]):
        initializer = keras.initializers.GlorotUniform(seed=1000 * seed + index)
        activation = "relu" if index < len(hidden) else None
        layers.append(keras.layers.Dense(units, activation, kernel_initializer=initializer))
    return keras.Sequential(layers)


def perceptrons(
    inputs: int, hidden: int | Sequence[int], embedding: int | Sequence[int], seed: int
) -> Networks:
    """Perceptrons for learners of either kind.

    Args:
        inputs: number of input features.
        hidden: units of each hidden layer of the whole network.
        embedding: units of each layer of the embedding; the last are its features.
        seed: seed of the initial weights.
    """
    *below, features = _each(embedding)
    return Networks(
        network=lambda outputs: perceptron(inputs, hidden, outputs, seed),
        embedding=lambda: perceptron(inputs, below, features, seed),
    )

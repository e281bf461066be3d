"""A Keras network as a function of its weights."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from maml.nn import normalization


class Functional:
    """Any Keras network, with the weights that adapt as an argument.

    Args:
        network: built.
        adapt_only: names of the layers whose weights adapt; all layers if None. Layers that say
            ``adapts = False`` never do.

    Attributes:
        network: as given.
        variables: the variables that adapt.
        shared: the trainable variables that do not.

    Raises:
        ValueError: the network has no such layer or several of that name, or nothing is left to
            adapt.
    """

    def __init__(self, network: keras.Model, adapt_only: Sequence[str] | None = None):
        layers = network._flatten_layers(include_self=False)
        chosen = [network] if adapt_only is None else _named(adapt_only, layers)
        adapting = {id(variable) for layer in chosen for variable in layer.trainable_variables}
        for layer in layers:
            if not getattr(layer, "adapts", True):
                adapting -= {id(variable) for variable in layer.trainable_variables}
        self.network = network
        self._adapts = [id(variable) in adapting for variable in network.trainable_variables]
        pairs = list(zip(network.trainable_variables, self._adapts, strict=True))
        self.variables = [variable for variable, adapts in pairs if adapts]
        self.shared = [variable for variable, adapts in pairs if not adapts]
        if not self.variables:
            raise ValueError("The network has no trainable weights that could adapt.")

    def __call__(self, weights, shared, x, step: int = 0) -> tf.Tensor:
        """The network's outputs.

        Args:
            weights: in place of ``variables``.
            shared: in place of ``shared``.
            x: inputs [n, ...].
            step: number of the inner step, for layers that are normalized by step.

        Returns:
            Outputs [n, units], in the dtype of the weights, whatever the network computes in.

        Raises:
            ValueError: layers were frozen, or no longer are, since this was made.
        """
        if len(self.network.trainable_variables) != len(self._adapts):
            raise ValueError(
                f"The layers of the network {self.network.name!r} that are trainable changed since "
                "the learner was made, which took them as what adapts: expected the same. Make the "
                "learner anew of this network, which has its weights."
            )
        own, others = iter(weights), iter(shared)
        trainable = [next(own) if adapts else next(others) for adapts in self._adapts]
        variables = self.network.trainable_variables + self.network.non_trainable_variables
        state = [tf.convert_to_tensor(v) for v in self.network.non_trainable_variables]
        mapping = list(zip(variables, trainable + state, strict=True))
        # In training mode Keras' batch normalization takes the statistics of the batch at hand.
        # `stateless_call` would hand `training` to a `call` that does not take it; `__call__` hands
        # it to the layers within.
        with normalization.inner_step(step), keras.StatelessScope(state_mapping=mapping):
            outputs = self.network(x, training=True)
        return tf.cast(outputs, weights[0].dtype)


def last_layer(network: keras.Model) -> keras.layers.Layer:
    """The layer that the last of a network's weights belongs to."""
    last = network.trainable_variables[-1]
    # Keras lists a layer after the one that it is part of, and nested layers backwards.
    return [
        layer
        for layer in network._flatten_layers()
        if any(variable is last for variable in layer.trainable_variables)
    ][-1]


def _named(names, layers):
    every = [layer.name for layer in layers]
    unknown = sorted(set(names) - set(every))
    if unknown:
        raise ValueError(
            f"adapt_only names no layer of the network: {', '.join(unknown)}; its layers are "
            f"{', '.join(every)}."
        )
    shared = sorted(name for name in set(names) if every.count(name) > 1)
    if shared:
        raise ValueError(
            f"adapt_only names several layers of the network at once: {', '.join(shared)}; give "
            "each a name of its own."
        )
    return [layers[every.index(name)] for name in names]


def tensors(variables) -> list[tf.Tensor]:
    """The values of variables."""
    return [tf.convert_to_tensor(variable) for variable in variables]

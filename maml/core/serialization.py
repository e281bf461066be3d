"""Saving an object as the arguments it was made with."""

import keras

from maml.core.options import parameters


class Configured:
    """Mixin: an object that Keras saves and loads by the arguments of its constructor.

    Each argument must be kept as an attribute of the same name. A constructor that ends in
    ``**kwargs`` hands them on to the next class, whose arguments then count too. Subclasses are
    registered with Keras under the name of their module's package, so a file with a class of one's
    own must be imported before what it made is loaded.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        keras.saving.register_keras_serializable(cls.__module__.partition(".")[0])(cls)

    def get_config(self) -> dict:
        """The arguments, as JSON can hold them."""
        values = {name: getattr(self, name) for name in parameters(type(self))}
        if isinstance(self, keras.layers.Layer):
            values["dtype"] = self.dtype_policy
        return {name: keras.saving.serialize_keras_object(v) for name, v in values.items()}

    @classmethod
    def from_config(cls, config: dict):
        """A new object from what :meth:`get_config` gave."""
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

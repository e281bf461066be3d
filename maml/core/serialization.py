"""Saving an object as the arguments it was made with."""

import inspect

import keras


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
        values = {name: getattr(self, name) for name in argument_names(type(self))}
        if isinstance(self, keras.layers.Layer):
            values["dtype"] = self.dtype_policy
        return {name: keras.saving.serialize_keras_object(v) for name, v in values.items()}

    @classmethod
    def from_config(cls, config: dict):
        """A new object from what :meth:`get_config` gave."""
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})


def argument_names(cls: type) -> list[str]:
    """Names of all arguments that a class takes, its own and those it hands on by ``**kwargs``."""
    names = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        if base.__module__.partition(".")[0] == "keras" or base is object:
            break
        own = list(inspect.signature(base.__init__).parameters.values())[1:]
        names |= dict.fromkeys(p.name for p in own if p.kind is not p.VAR_KEYWORD)
        if not any(p.kind is p.VAR_KEYWORD for p in own):
            break
    return list(names)

"""Saving an object as the arguments it was made with."""

import importlib

import keras

from maml.core.options import parameters
from maml.core.registry import HEADS, LEARNERS, REGULARIZERS

LIBRARY = __name__.partition(".")[0]


class Configured:
    """Mixin: an object that Keras saves and loads by the arguments of its constructor.

    Each argument must be kept as an attribute of the same name. A constructor that ends in
    ``**kwargs`` hands them on to the next class, whose arguments then count too. Subclasses are
    registered with Keras under the name of their module's package, so a file with a class of one's
    own must be imported before what it made is loaded. A class of a notebook or script may be
    defined in another file where it is loaded, see :func:`find_classes`.
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


def find_classes(config) -> dict[str, type]:
    """Imports the classes that a saved configuration names, moved ones included.

    The package of a notebook or script is ``__main__``. A class that is saved there and defined in
    a file here, or the other way round, is found by its name, if one :class:`Configured` class has
    it.

    Args:
        config: what Keras wrote, a nest of dictionaries and lists.

    Returns:
        Keras' ``custom_objects``: registered name -> class.
    """
    # Packages are lazy: their own classes may not have been imported yet.
    for module in _values_of(config, "module"):
        if module.startswith(f"{LIBRARY}."):
            try:
                importlib.import_module(module)
            except ModuleNotFoundError:  # Of an older version: the class may be in another module.
                for registry in (LEARNERS, HEADS, REGULARIZERS):
                    len(registry)  # Imports all of them.
    known = keras.saving.get_custom_objects()
    found = {}
    for name in _values_of(config, "registered_name"):
        package, _, class_name = name.rpartition(">")
        if package and name not in known:
            same = {
                cls
                for other, cls in known.items()
                if other.rpartition(">")[2] == class_name
                and isinstance(cls, type)
                and issubclass(cls, Configured)
                and "__main__" in (package, other.rpartition(">")[0])
            }
            if len(same) == 1:
                found[name] = same.pop()
    return found


def unknown_classes(config) -> list[str]:
    """The registered names of a saved configuration, as ``maml>MAML``, that are no classes here.

    Args:
        config: what Keras wrote, a nest of dictionaries and lists.
    """
    known = {*keras.saving.get_custom_objects(), *find_classes(config)}
    names = _values_of(config, "registered_name") - known
    return sorted(name for name in names if ">" in name)


def _values_of(config, key: str) -> set[str]:
    """All strings of a key in a nest of dictionaries and lists."""
    if isinstance(config, dict):
        own = {config[key]} if isinstance(config.get(key), str) else set()
        return own.union(*(_values_of(part, key) for part in config.values()))
    if isinstance(config, list | tuple):
        return set().union(*(_values_of(part, key) for part in config))
    return set()

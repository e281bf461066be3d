"""What is done around the first import of a package of others."""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator

ENGINE = "tensorflow"


class Around:
    """First of ``sys.meta_path`` until a package is imported.

    Args:
        name: of the package.
        context: entered while the package is imported.
    """

    def __init__(self, name: str, context: Callable[[], contextlib.AbstractContextManager]):
        self.name, self.context = name, context

    def find_spec(self, name, path=None, target=None):
        """The import system's hook: finds what the others find, and wraps its execution."""
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)  # Who asks for it may not import it.
        if spec is not None and spec.loader is not None:
            loader, execute = spec.loader, spec.loader.exec_module

            def wrapped(module):
                loader.exec_module = execute
                with self.context():
                    execute(module)
                sys.meta_path.remove(self)  # If it fails it may be tried again.

            loader.exec_module = wrapped
        return spec

    def install(self) -> None:
        """Does so from now on, unless that is so already or the package is imported."""
        there = any(isinstance(of, Around) and of.name == self.name for of in sys.meta_path)
        if self.name not in sys.modules and not there:
            sys.meta_path.insert(0, self)


class EngineError(ImportError):
    """Keras is to compute by another engine than TensorFlow."""


@contextlib.contextmanager
def by_tensorflow() -> Iterator[None]:
    """Refuses another engine of Keras, before its packages are missed or after they are loaded.

    Raises:
        EngineError: it is chosen by the environment, or by Keras' own file.
    """
    _check(os.environ.get("KERAS_BACKEND") or ENGINE, "KERAS_BACKEND")
    try:
        yield
    except ImportError as error:
        _check((error.name or ENGINE).partition(".")[0], "~/.keras/keras.json", ("torch", "jax"))
        raise
    config = getattr(sys.modules.get("keras"), "config", None)
    if config is not None:
        _check(config.backend(), "~/.keras/keras.json")


def _check(engine: str, where: str, refused: tuple[str, ...] | None = None) -> None:
    if engine != ENGINE if refused is None else engine in refused:
        raise EngineError(
            f"Invalid value for the backend of Keras in {where}: expected {ENGINE}, in which this "
            f"library computes; received {engine}; set KERAS_BACKEND={ENGINE}."
        )


def install() -> None:
    """Checks the engine of Keras when it is imported."""
    Around("keras", by_tensorflow).install()

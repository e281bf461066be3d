"""Components of one's own: files and modules that register them, imported by name."""

import importlib
import importlib.util
import pathlib
import sys
import traceback
from collections.abc import Iterable


def import_files(names: Iterable[str]) -> None:
    """Imports modules, or files ending in ``.py``, for what they register.

    Raises:
        ValueError: there is no such file or module, it fails (the message says where), or a file
            has the name of another module.
    """
    for name in names:
        path = pathlib.Path(name)
        is_file = path.suffix == ".py"
        if is_file and not path.is_file():
            raise ValueError(f"There is no file {name} to import.")
        if is_file and _is_taken(path):
            raise ValueError(f"There is another module {path.stem!r}: give {name} another name.")
        try:
            if is_file:
                _import_file(path)
            else:
                importlib.import_module(name)
        except (Exception, SystemExit) as error:  # Whatever a user's own file raises.
            frames = traceback.extract_tb(error.__traceback__)
            lines = [
                frame.lineno for frame in frames if pathlib.Path(frame.filename) == path.resolve()
            ]
            where = f", line {lines[-1]}" if lines else ""  # A syntax error says so itself.
            raise ValueError(
                f"{name}{where} cannot be imported: {type(error).__name__}: {error}."
            ) from error


def _import_file(path: pathlib.Path) -> None:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # A file that ends in .py has both.
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        if before is not None:
            sys.modules[path.stem] = before
        raise


def _is_taken(path: pathlib.Path) -> bool:
    """Whether another module has the name that a file's will have."""
    loaded = sys.modules.get(path.stem)
    if loaded is not None:
        origin = getattr(loaded, "__file__", None)
    else:
        spec = importlib.util.find_spec(path.stem) if path.stem.isidentifier() else None
        if spec is None or spec.origin is None:  # None, or a mere folder.
            return False
        origin = spec.origin
    return origin is None or pathlib.Path(origin).resolve() != path.resolve()

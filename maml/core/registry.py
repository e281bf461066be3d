"""Learners, regularizers and tasks by name, one's own included.

A file of one's own that decorates its class with ``@maml.LEARNERS.register("name")`` is all that a
new learner, regularizer or task needs: runners import it by ``--import=FILE`` and offer the name.
"""

import importlib
import importlib.metadata
import importlib.util
import inspect
import pathlib
import pkgutil
import sys
import traceback
import types
import typing
from collections.abc import Callable, Iterable, Sequence

import keras

from maml.core.serialization import argument_names


class Registry:
    """Names and what they stand for, in the order they were registered.

    The entries of the library itself are found when they are first asked for: all modules of a
    package are imported, and what the entry points of other installed packages name.

    Args:
        kind: what the entries are, in one word, for messages.
        package: whose modules register entries, such as ``maml.learners``; its name is also the
            group of entry points (``importlib.metadata``) by which other packages add theirs.
    """

    def __init__(self, kind: str, package: str | None = None):
        self.kind, self.package, self._found = kind, package, {}

    @property
    def _entries(self) -> dict:
        if self.package is not None:
            package, self.package = self.package, None
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
                importlib.import_module(f"{package}.{module.name}")
            for entry_point in importlib.metadata.entry_points(group=package):
                entry_point.load()
        return self._found

    def register(self, name: str):
        """A decorator that enters a class, or a function that makes one of the kind.

        Raises:
            ValueError: the name is taken by another.
        """

        def enter(entry):
            taken = self._found.get(name)
            # A module that is imported again, as notebooks do, brings the same entry anew.
            if taken is not None and taken.__qualname__ != entry.__qualname__:
                raise ValueError(f"There is a {self.kind} {name!r} already: choose another name.")
            self._found[name] = entry
            return entry

        return enter

    def __getitem__(self, name):
        if name not in self._entries:
            raise ValueError(
                f"There is no {self.kind} {name!r}; there are {', '.join(self)}. One of your own "
                "needs --import."
            )
        return self._entries[name]

    def __contains__(self, name):
        return name in self._entries

    def __iter__(self):
        return iter(self._entries)

    def __len__(self):
        return len(self._entries)

    def options(self, name: str) -> list[str]:
        """Names of the arguments that an entry takes."""
        entry = self[name]
        if inspect.isclass(entry):
            return argument_names(entry)
        return list(inspect.signature(entry).parameters)

    def known(self, options: dict) -> dict:
        """Those of ``options`` that any entry takes."""
        names = {option for name in self for option in self.options(name)}
        return {name: value for name, value in options.items() if name in names}

    def make(self, name: str, *args, **options):
        """Makes an entry from those of ``options`` that it takes.

        A configuration holds the options of all entries side by side, so what another entry takes
        is left out; what none takes is a mistake.

        Raises:
            ValueError: there is no such entry, it refuses an option, or no entry takes one.
        """
        taken, known = self.options(name), self.known(options)
        for option in options:
            if option not in known:
                raise ValueError(
                    f"No {self.kind} takes an option {option!r}; {name} takes {', '.join(taken)}."
                )
        return self[name](*args, **{k: v for k, v in options.items() if k in taken})


def parse_options(text: str) -> dict:
    """Options as one types them: ``name=value``, with semicolons between them.

    A value is a number, a range ``low:high``, ``true`` or ``false``, or a word.

    Raises:
        ValueError: a part is no ``name=value``.
    """

    def number(word):
        return float(word) if any(c in word.lower() for c in ".en") else int(word)

    def value(word):
        if word.lower() in ("true", "false"):
            return word.lower() == "true"
        try:
            numbers = tuple(number(part) for part in word.split(":"))
        except ValueError:
            return word
        return numbers if len(numbers) > 1 else numbers[0]

    options = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, is_option, word = part.partition("=")
        if not is_option:
            raise ValueError(f"{part!r} is no option: write name=value, semicolons between them.")
        options[name.strip()] = value(word.strip())
    return options


def check_kinds(options: dict, entry: Callable) -> None:
    """Refuses options of :func:`parse_options` that the annotations of ``entry`` do not allow.

    Raises:
        TypeError: such as half a layer's unit, or a word where a number is due.
    """

    def fits(value, kind):
        origin, parts = typing.get_origin(kind), typing.get_args(kind)
        if origin in (Sequence, tuple, list):
            return isinstance(value, tuple) and all(fits(one, parts[0]) for one in value)
        if origin in (typing.Union, types.UnionType):
            return any(fits(value, part) for part in parts)
        if kind is float:
            return type(value) in (int, float)
        # Of other kinds, or none, nothing is known.
        return type(value) is kind or kind not in (bool, int, str, type(None))

    parameters = inspect.signature(entry).parameters
    for name, value in options.items():
        # What a class hands on to another is no parameter of its own.
        kind = parameters[name].annotation if name in parameters else None
        if kind is not None and not fits(value, kind):
            written = inspect.formatannotation(kind).replace("collections.abc.", "")
            raise TypeError(f"{name} is {written}, not {value!r}")


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
        except Exception as error:  # Whatever a user's own file raises.
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


class Networks(typing.NamedTuple):
    """The networks of a problem, made when a learner asks for them.

    Attributes:
        network: from a number of outputs to a Keras network [n, ...] -> [n, outputs].
        embedding: makes a Keras network [n, ...] -> [n, features].
    """

    network: Callable[[int], keras.Model]
    embedding: Callable[[], keras.Model]


def make_learner(name: str, networks: Networks, head, **options):
    """Makes a registered learner, with the network that it takes.

    Args:
        name: of :data:`LEARNERS`.
        networks: of the problem.
        head: from outputs to a distribution over labels.
        **options: arguments of the learner; those of others are left out.

    Raises:
        ValueError: there is no such learner, it refuses an option, or no learner takes one.
    """
    whole = LEARNERS[name].network_kind == "network"
    body = networks.network(head.units) if whole else networks.embedding()
    return LEARNERS.make(name, body, head, **options)


def term_names(names: str) -> list[str]:
    """The regularizers that an option names, commas between them; none for "none"."""
    return [] if names == "none" else [name.strip() for name in names.split(",")]


def make_regularizers(names: str, **options) -> list:
    """Makes registered regularizers that work together.

    Args:
        names: of :data:`REGULARIZERS`, with commas between them, such as "weights,mine"; "none" for
            none.
        **options: arguments of the regularizers; each takes its own.

    Raises:
        ValueError: there is no such regularizer, one is named twice, one refuses an option, or
            none takes one.
    """
    chosen = term_names(names)
    repeated = next((name for name in chosen if chosen.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"The regularizer {repeated!r} is named twice in {names!r}: once will do.")
    return [REGULARIZERS.make(name, **options) for name in chosen]


LEARNERS = Registry("learner", "maml.learners")
REGULARIZERS = Registry("regularizer", "maml.regularizers")
TASKS = Registry("task", "maml.tasks")

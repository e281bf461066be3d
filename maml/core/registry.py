"""Learners, regularizers, heads and tasks by name, one's own included.

A file that decorates its class with ``@maml.LEARNERS.register("name")`` is all that a new learner,
regularizer, head or task needs. Runners import it by ``--import=FILE``, or find it by an entry
point of an installed package, and offer the name with its options, see :mod:`maml.core.options`.
"""

import importlib
import importlib.metadata
import pkgutil
import typing
from collections.abc import Callable, Iterable, Mapping

from maml.core import options
from mine.reporting.words import guess

if typing.TYPE_CHECKING:
    import keras


class Registry:
    """Names and what they stand for, in the order they were registered.

    The entries of the library itself are found when they are first asked for: all modules of a
    package are imported, and what the entry points of other installed packages name.

    Args:
        kind: what the entries are, in one word, for messages.
        package: whose modules register entries, such as ``maml.learners``; its name is also the
            group of entry points (``importlib.metadata``) by which other packages add theirs.
        *others: more packages of the library whose modules register entries.
        absent: what users may type in place of a name where they want no entry, for messages.
    """

    def __init__(self, kind: str, package: str | None = None, *others: str, absent: str = ""):
        self.kind, self.package, self._others = kind, package, others
        self._absent = [absent] if absent else []
        self._library = tuple(f"{name}." for name in (package, *others))
        self._loads = False
        self._found: dict[str, Callable] = {}
        self._short: dict[str, str] = {}

    @property
    def _entries(self) -> dict:
        if self.package is not None and not self._loads:
            self._loads = True
            try:
                for package in (self.package, *self._others):
                    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
                        importlib.import_module(f"{package}.{module.name}")
                for entry_point in importlib.metadata.entry_points(group=self.package):
                    self._enter(entry_point)
                self.package = None
            finally:
                self._loads = False
        return self._found

    def _enter(self, entry_point: importlib.metadata.EntryPoint) -> None:
        """Loads what another package adds, under the entry point's name unless it has one."""
        try:
            loaded = entry_point.load()
            if callable(loaded) and loaded not in self._found.values():
                self.register(entry_point.name)(loaded)
        except Exception as error:  # Whatever another package raises.
            package = entry_point.dist.name if entry_point.dist else "an installed package"
            raise ValueError(
                f"Invalid entry point {entry_point.name!r} of {package}: expected {self.kind}s in "
                f"{entry_point.value}, received {type(error).__name__} ({error}); mend or "
                f"uninstall {package}."
            ) from error

    def register(self, name: str, short: str | None = None):
        """A decorator that enters a class, or a function that makes one of the kind.

        Args:
            name: of the entry.
            short: another name that users may type for it, see :meth:`full_name`.

        Raises:
            ValueError: a name is taken by another.
        """

        def enter(entry):
            if not entry.__module__.startswith(self._library):
                _ = self._entries  # Those of the library come first.
            for word in filter(None, (name, short)):
                taken = self._found.get(word) or self._found.get(self._short.get(word, ""))
                if taken is not None and not self._is_again(taken, entry):
                    raise ValueError(
                        f"The {self.kind} name {word!r} is taken by another class, "
                        f"{taken.__module__}.{taken.__qualname__}: choose another name."
                    )
            self._found[name] = entry
            if short is not None:
                self._short[short] = name
            return entry

        return enter

    def _is_again(self, taken, entry) -> bool:
        """Whether an entry comes anew: of a module that is imported again, as notebooks do."""
        modules = {taken.__module__, entry.__module__}
        moved = "__main__" in modules and not taken.__module__.startswith(self._library)
        return taken.__qualname__ == entry.__qualname__ and (len(modules) == 1 or moved)

    def __getitem__(self, name):
        if name not in self._entries:
            expected = [*self._absent, *self]
            raise ValueError(
                f"Unknown {self.kind} {name!r}: expected one of {', '.join(expected)}"
                f"{guess(str(name), [*expected, *self._short])} One of your own needs --import."
            )
        return self._entries[name]

    def full_name(self, name: str) -> str:
        """The name of an entry, for the entry's name or its short form.

        Raises:
            ValueError: there is no such entry.
        """
        name = self._short.get(name, name) if name not in self._entries else name
        self[name]
        return name

    def __contains__(self, name):
        return name in self._entries

    def __iter__(self):
        return iter(self._entries)

    def __len__(self):
        return len(self._entries)

    def options(self, name: str) -> list[str]:
        """Names of the options that an entry takes."""
        return list(options.options_of(self[name]))

    def make(self, name: str, *args, **given):
        """Makes an entry from its own arguments, and from those of a run that it takes.

        Args:
            name: of the entry.
            *args: of the entry.
            **given: of the entry; those of :data:`maml.core.options.GIVEN` are left out if it does
                not take them.

        Raises:
            ValueError: there is no such entry, or it has no such option.
        """
        entry = self[name]
        taken = options.parameters(entry)
        for argument in given:
            if argument not in taken and argument not in options.GIVEN:
                names = options.options_of(entry)
                raise ValueError(
                    f"Unknown option `{argument}` of the {self.kind} {name!r}: expected one of "
                    f"{', '.join(names) or 'none'}{guess(argument, names)}"
                )
        return entry(*args, **{k: v for k, v in given.items() if k in taken})


class Networks(typing.NamedTuple):
    """The networks of a problem, made when a learner asks for them.

    Attributes:
        network: from a number of outputs to a Keras network [n, ...] -> [n, outputs].
        embedding: makes a Keras network [n, ...] -> [n, features].
        shared: makes the part of ``network``'s way that all tasks share, [n, ...] -> [n, ...];
            None where there is no such part.
        prior: what is known of the distribution of the tasks, see
            :class:`maml.learners.exact.priors.TaskPrior`; None where nothing is.
    """

    network: Callable[[int], "keras.Model"]
    embedding: Callable[[], "keras.Model"]
    shared: Callable[[], "keras.Model"] | None = None
    prior: object | None = None

    def body(self, learner: str, outputs: int):
        """What a learner takes first: its network, or the prior of an exact learner.

        Args:
            learner: of :data:`LEARNERS`.
            outputs: of the network of a gradient-based learner.

        Raises:
            ValueError: the learner needs a prior, and there is none.
        """
        kind = LEARNERS[learner].network_kind
        if kind == "prior" and self.prior is None:
            raise ValueError(
                f"Invalid value for `learner`: {learner} is exact, so it expects tasks of a "
                "known distribution, such as linear_regression or sinusoid_or_line; received "
                "others. Use another task, or another learner."
            )
        if kind == "prior":
            return self.prior
        return self.network(outputs) if kind == "network" else self.embedding()


def make_learner(name: str, networks: Networks, head, **options):
    """Makes a registered learner, with the network that it takes.

    Args:
        name: of :data:`LEARNERS`.
        networks: of the problem.
        head: from outputs to a distribution over labels.
        **options: arguments of the learner.

    Raises:
        ValueError: there is no such learner, it refuses an option, or does not take one.
    """
    whole = LEARNERS[name].network_kind == "network"
    if networks.shared is not None:
        if not whole:
            raise ValueError(
                f"The networks of {name} do not adapt, so all tasks share them anyway: leave out "
                "shared_tower."
            )
        options["embedding"] = networks.shared()
    return LEARNERS.make(name, networks.body(name, head.units), head, **options)


def idle_network_options(
    build: Callable[..., Networks], fixed: Mapping, given: Mapping, learner: str, outputs: int
) -> list[str]:
    """Options of networks that change nothing in the network that a learner takes.

    Args:
        build: makes the networks.
        fixed: what a run gives it beside options.
        given: options; those at their defaults are left out.
        learner: of :data:`LEARNERS`.
        outputs: of the network of a gradient-based learner.
    """
    whole, defaults = LEARNERS[learner].network_kind == "network", options.defaults_of(build)

    def layers(own):
        networks = build(**fixed, **own)
        parts = [networks.body(learner, outputs)]
        parts += [networks.shared()] if whole and networks.shared is not None else []
        if parts == [networks.prior]:
            return []  # Learners that need no network.
        return [_written(layer) for part in parts for layer in part._flatten_layers()]

    changed = [name for name, value in given.items() if value != defaults.get(name, value)]
    every = layers(given) if changed else []
    return [
        name
        for name in changed
        if layers({of: other for of, other in given.items() if of != name}) == every
    ]


def _written(layer) -> object:
    """A layer but for its name, in words that are equal for equal layers."""
    if type(layer).__module__.partition(".")[0] not in ("keras", "maml"):
        return object()  # What it does is not known, so it equals no other.
    return "" if hasattr(layer, "layers") else f"{type(layer)} {layer.get_config() | {'name': ''}}"


def full_names(names: str | Iterable[str]) -> list[str]:
    """The full names of regularizers.

    Args:
        names: a list, or text with commas between the names; "none" for none.

    Raises:
        ValueError: there is no such regularizer, one is named twice, or "none" beside others; or
            these are no names.
    """
    several = isinstance(names, Iterable) and not isinstance(names, str)
    words = list(names) if several else str(names).split(",")
    if not all(isinstance(word, str) for word in words):
        raise ValueError(f"Invalid value for `regularizer`: expected names, received {names!r}.")
    words = [word.strip() for word in words]
    if "" in words or "none" in words[1:] or "none" in words[:-1]:
        raise ValueError(
            "Invalid value for `regularizer`: expected names with commas between them, or none "
            f"alone, received {','.join(words)!r}; leave out empty names, and none beside others."
        )
    names = [] if words == ["none"] else words
    chosen = [REGULARIZERS.full_name(name) for name in names]
    for name in chosen:
        if chosen.count(name) > 1:
            raise ValueError(
                f"The regularizer {name!r} is named twice in {','.join(chosen)!r}: name it once."
            )
    return chosen


def make_regularizers(names: str | Iterable[str], options_by_name=None, **given) -> list:
    """Makes registered regularizers that work together.

    Args:
        names: of :data:`REGULARIZERS`, in a list or with commas between them, such as
            "mr_w,label_mi"; "none" for none.
        options_by_name: name -> options of that regularizer.
        **given: what every regularizer is given that takes it, such as ``label_transform``, and
            options that exactly one of them takes.

    Raises:
        ValueError: there is no such regularizer, one is named twice, or none takes an option.
    """
    chosen = full_names(names)
    entries = {name: REGULARIZERS[name] for name in chosen}
    shared = {key: given.pop(key) for key in ("label_transform", *options.GIVEN) if key in given}
    own = options.choose("regularizer", chosen, entries, given)
    made = []
    for name, entry in entries.items():
        taken = options.parameters(entry)
        arguments = {key: value for key, value in shared.items() if key in taken}
        arguments |= own[name] | dict((options_by_name or {}).get(name, {}))
        made.append(REGULARIZERS.make(name, **arguments))
    return made


def with_critics() -> str:
    """The regularizers that have a critic with one of their bounds, for messages."""
    names = sorted(name for name in REGULARIZERS if hasattr(REGULARIZERS[name], "BOUNDS"))
    return f"{', '.join(names)} with bound=mine and others"


LEARNERS = Registry(
    "learner",
    "maml.learners",
    "maml.learners.gradient_based",
    "maml.learners.probabilistic",
    "maml.learners.in_context",
    "maml.learners.exact",
)
"""Name of a learner -> its class."""

REGULARIZERS = Registry("regularizer", "maml.regularizers", absent="none")
"""Name of a regularizer -> its class."""

HEADS = Registry("head", "maml.distributions")
"""Name of a head -> its class."""

TASKS = Registry("task", "maml.tasks", "maml.tasks.exact", "maml.rl.environments")
"""Name of a task -> a function that makes a problem."""

OUTER = Registry("meta-optimizer", "maml.rl.outer")
"""Name of a meta-optimizer of policies -> its class."""

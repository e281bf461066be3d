"""Options of components, read from the signatures of what makes them.

A learner, regularizer, head or task has its options in its own constructor: a parameter whose
annotation is made of ``bool``, ``int``, ``float``, ``str``, ``None`` and sequences of these is an
option, with the parameter's default. Nothing else needs to know its name. As text, options are
``name=value`` with semicolons between them, such as ``inner_lr=0.4;inner_steps=5``; a sequence has
colons or commas between its elements.
"""

import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence

from mine.reporting.words import guess

PLAIN = (bool, int, float, str, type(None))
"""Kinds of values that options are made of."""

GIVEN = ("seed", "initializer_seed", "norm_steps")
"""Parameters that a run fills in for all its components, so that they are no options."""


def parameters(component: Callable) -> dict[str, inspect.Parameter]:
    """The parameters of a function or class, by name.

    Those that a constructor hands on to its base class by ``**kwargs`` count too; bases of Keras
    do not. What a ``functools.partial`` binds by position is left out, and what it binds by keyword
    has another default.
    """
    if not inspect.isclass(component):
        every = inspect.signature(component).parameters
        return {name: parameter for name, parameter in every.items() if _is_named(parameter)}
    found: dict[str, inspect.Parameter] = {}
    for base in component.__mro__:
        constructor = vars(base).get("__init__")
        if constructor is None:
            continue
        if base.__module__.partition(".")[0] == "keras" or base is object:
            break
        own = list(inspect.signature(constructor).parameters.values())[1:]
        found = {p.name: p for p in own if _is_named(p)} | found
        if not any(p.kind is p.VAR_KEYWORD for p in own):
            break
    return found


def _is_named(parameter: inspect.Parameter) -> bool:
    return parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)


def options_of(component: Callable) -> dict[str, inspect.Parameter]:
    """The options of a component (a class or function), by name.

    What its attribute ``given_by_problem`` names is left out, if it has a default: without one it
    is an option where the problem does not give it.
    """
    by_problem = getattr(component, "given_by_problem", ())
    return {
        name: parameter
        for name, parameter in parameters(component).items()
        if name not in GIVEN
        and (name not in by_problem or parameter.default is parameter.empty)
        and _is_option(parameter)
    }


def defaults_of(component: Callable) -> dict[str, object]:
    """The defaults of a component's options; an option without one is left out."""
    return {
        name: parameter.default
        for name, parameter in options_of(component).items()
        if parameter.default is not parameter.empty
    }


def _is_option(parameter: inspect.Parameter) -> bool:
    if parameter.annotation is parameter.empty:
        return isinstance(parameter.default, (*PLAIN, tuple)) and parameter.default != ()
    return _is_plain(parameter.annotation)


def _is_plain(kind) -> bool:
    parts = [part for part in typing.get_args(kind) if part not in (Ellipsis, type(None))]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return any(_is_plain(part) for part in parts)
    if typing.get_origin(kind) in (Sequence, tuple, list):
        return all(_is_plain(part) for part in parts)
    return kind in PLAIN or isinstance(kind, str)


KERAS = ("name", "dtype", "trainable", "autocast", "activity_regularizer")
"""Arguments of Keras' layers and models."""


def check_known(component: type, given: Iterable[str]) -> None:
    """Refuses arguments that a constructor did not take itself, and of which Keras knows nothing.

    Args:
        component: class of a learner or regularizer.
        given: names in the ``**kwargs`` of its base class.

    Raises:
        ValueError: one is unknown; the sentence lists those that there are.
    """
    names = parameters(component)
    for argument in given:
        if argument not in names and argument not in KERAS:
            raise ValueError(
                f"Unknown argument `{argument}` of {component.__name__}: expected one of "
                f"{', '.join([*names, *KERAS[:2]])}{guess(argument, names)}"
            )


def parse(text: str) -> dict[str, str]:
    """Options as they are typed in a command: name -> value, as text.

    Raises:
        ValueError: a part is not of the form ``name=value``, or an option is given twice.
    """
    options = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, is_option, value = (word.strip() for word in part.partition("="))
        if not is_option or not name:
            raise ValueError(
                f"Invalid option {part!r}: expected name=value, with semicolons between options."
            )
        if name in options:
            raise ValueError(f"The option {name!r} is given twice: give it once.")
        options[name] = value
    return options


def read(name: str, value, parameter: inspect.Parameter):
    """The value of an option: text is read as the annotation says, other values are checked.

    Raises:
        ValueError: the value is of another kind.
    """
    kind = parameter.annotation
    if kind is parameter.empty or isinstance(kind, str):  # Nothing is known: by its looks.
        return _guess(value) if isinstance(value, str) else _plain(value)
    try:
        return _read(value, kind) if isinstance(value, str) else _checked(value, kind)
    except ValueError:
        raise ValueError(
            f"Invalid value for `{name}`: expected {written(kind)}, received {value!r}."
        ) from None


def written(kind) -> str:
    """An annotation as people read it, such as ``float or None``."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(written(part) for part in typing.get_args(kind))
    if typing.get_origin(kind) in (Sequence, tuple, list):
        return f"a sequence of {written(typing.get_args(kind)[0])}"
    return "None" if kind in (None, type(None)) else getattr(kind, "__name__", str(kind))


def _read(word: str, kind):
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        # A word fits any str, alone or in a sequence, so None comes first and str last.
        for part in sorted(parts, key=lambda part: (part is not type(None), part is str)):
            try:
                return _read(word, part)
            except ValueError:
                continue
        raise ValueError(word)
    if origin in (Sequence, tuple, list):
        return tuple(_read(part.strip(), parts[0]) for part in word.replace(",", ":").split(":"))
    if kind is type(None) and word.lower() in ("", "none"):
        return None
    if kind is bool and word.lower() in ("true", "false"):
        return word.lower() == "true"
    if kind in (int, float, str):
        return _checked(kind(word), kind)
    raise ValueError(word)


def _checked(value, kind):
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        for part in parts:
            try:
                return _checked(value, part)
            except ValueError:
                continue
        raise ValueError(value)
    if origin in (Sequence, tuple, list):
        if not isinstance(value, (list, tuple)):
            raise ValueError(value)
        return tuple(_checked(part, parts[0]) for part in value)
    if kind is float and type(value) in (int, float) and abs(value) < math.inf:
        return value
    if type(value) is not kind or kind is float:
        raise ValueError(value)
    return value


def _plain(value):
    return tuple(value) if isinstance(value, list) else value


def _guess(word: str):
    """A number, a sequence of numbers, ``true`` or ``false``, or the word itself."""

    def number(part):
        return float(part) if any(c in part.lower() for c in ".en") else int(part)

    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    try:
        numbers = tuple(number(part) for part in word.replace(",", ":").split(":"))
    except ValueError:
        return word
    return numbers if len(numbers) > 1 else numbers[0]


def choose(
    role: str, names: Sequence[str], components: Mapping[str, Callable], options: Mapping
) -> dict[str, dict]:
    """Hands options to the components that take them.

    Args:
        role: what the components are, such as "learner", for messages.
        names: of the chosen components.
        components: all components of the role by name: functions of options alone, see
            :func:`options_of`, which is what each takes.
        options: name -> value. ``component.name`` gives the option to one of several components.

    Returns:
        Chosen component -> its options, those that were given, read and checked.

    Raises:
        ValueError: no chosen component takes an option, several do, or a value is of another kind.
    """
    taken = {name: options_of(components[name]) for name in names}
    chosen: dict[str, dict] = {name: {} for name in names}
    for key, value in options.items():
        prefix, dot, name = key.rpartition(".")
        takers = [of for of in names if name in taken[of] and (not dot or of == prefix)]
        if len(takers) > 1:
            raise ValueError(
                f"The option {name!r} is ambiguous: {' and '.join(takers)} take it; write "
                f"{takers[0]}.{name}=... for one of them."
            )
        if not takers:
            raise ValueError(_refusal(role, names, components, taken, prefix, name))
        if name in chosen[takers[0]]:
            raise ValueError(f"The option {name!r} of {takers[0]} is given twice: give it once.")
        chosen[takers[0]][name] = read(name, value, taken[takers[0]][name])
    for of, own in chosen.items():
        for name, reason in without_effect(components[of], own).items():
            raise no_effect(name, own[name], f"{role} {of} and {reason}")
    return chosen


def no_effect(name: str, value, beside: str) -> ValueError:
    """The refusal of an option that has no effect beside others."""
    return ValueError(
        f"The option {name!r} has no effect with {beside}: received {name}={typed(value)}, "
        "expected none; leave it out."
    )


def far_from_defaults(*components) -> list[str]:
    """Options of components whose size is a hundred times their default or more, or as much less.

    Args:
        *components: instances, each with its options as attributes.

    Returns:
        Of each such option what is said of it, such as ``sigma=10000 (0.03 by default)``.
    """
    found = []
    for component in components:
        for name, default in defaults_of(type(component)).items():
            value = getattr(component, name, default)
            if not (isinstance(default, float) and isinstance(value, float)):
                continue
            if default > 0 < value and not default / 100 < value < default * 100:
                found.append(f"{name}={value:g} ({default:g} by default)")
    return found


def without_effect(component: Callable, given: Mapping) -> dict[str, str]:
    """Options that have no effect beside others -> the reason, such as ``bound=ba``.

    A component says so by a class method ``options_without_effect(**options)``, of all its options:
    it gives names of options, each with the name of the option that takes its effect. An option at
    its default is none of them.
    """
    hook = getattr(component, "options_without_effect", None)
    if hook is None:
        return {}
    defaults, taken = defaults_of(component), options_of(component)
    own = {name: read(name, value, taken[name]) for name, value in given.items() if name in taken}
    every = defaults | own
    return {
        name: f"{other}={typed(every[other])}"
        for name, other in hook(**every).items()
        if name in own and own[name] != defaults.get(name)
    }


def typed(value) -> str:
    """The value of an option as it is typed in a command."""
    if isinstance(value, (tuple, list)):
        return ":".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _refusal(role, names, components, taken, prefix, name) -> str:
    start = f"The option {name!r} has no effect with {role} {','.join(names) or 'none'}: "
    if prefix and prefix not in names:
        return f"{start}it is an option of {prefix}, which is not chosen; leave it out."
    others = [of for of in components if of not in names and name in options_of(components[of])]
    own = "; ".join(f"{of} takes {', '.join(taken[of]) or 'no options'}" for of in names)
    where = f"it is an option of {', '.join(others)}; " if others else ""
    return f"{start}{where}{own or 'leave it out'}."


def distinct(values: Iterable, flag: str) -> tuple:
    """The values of a flag themselves.

    Raises:
        ValueError: there is none, or one is there twice.
    """
    values = tuple(values)
    if not values:
        raise ValueError(f"Invalid value for `{flag}`: expected at least one value, received none.")
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(
                f"Invalid value for `{flag}`: expected each value once, received {value!r} twice."
            )
    return values

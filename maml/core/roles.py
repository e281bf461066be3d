"""Options with dotted names, such as ``label_mi.weight``, and the components that take them."""

from collections.abc import Iterable, Mapping

from maml.core import options
from maml.core.registry import LEARNERS, REGULARIZERS

ROLES = ("task", "learner", "network", "head", "outer", "regularizer")
"""What options may be of; each has a field ``ROLE_options``."""


def as_mapping(given) -> dict:
    """Options that may be text."""
    return options.parse(given) if isinstance(given, str) else dict(given)


def by_role(dotted: Mapping[str, object]) -> dict[str, dict]:
    """Options with dotted names by role; those of regularizers have the regularizer's full name."""
    roles: dict[str, dict] = {role: {} for role in ROLES}
    for key, value in dotted.items():
        role, _, name = key.partition(".")
        if role in ROLES[:-1]:
            roles[role][name] = value
        else:
            roles["regularizer"][f"{REGULARIZERS.full_name(role)}.{name}"] = value
    return roles


def with_names(given: Mapping[str, object], names: list[str]) -> dict[str, object]:
    """Options of regularizers, each before it the full name of the only one that takes it.

    Args:
        given: option, or regularizer and option with a dot between them -> value.
        names: of the chosen regularizers. What none or several of them take stays as it is.

    Raises:
        ValueError: there is no such regularizer, or an option is given twice.
    """
    found: dict[str, object] = {}
    for key, value in given.items():
        prefix, _, option = key.rpartition(".")
        takers = [name for name in names if option in options.options_of(REGULARIZERS[name])]
        if prefix:
            prefix = REGULARIZERS.full_name(prefix)
        elif len(takers) == 1:
            prefix = takers[0]
        key = f"{prefix}.{option}" if prefix else option
        if key in found:
            raise ValueError(f"The option {key!r} is given twice: give it once.")
        found[key] = value
    return found


def with_effect(
    role: str, names: Iterable[str], defaults: Mapping, given: Mapping
) -> dict[str, object]:
    """The defaults of options, without those that have no effect beside the others.

    Args:
        role: "learner", or "regularizer", whose options stand behind a name and a dot.
        names: of the chosen components.
        defaults: options that may be left out.
        given: options in their place.
    """
    registry, idle = LEARNERS if role == "learner" else REGULARIZERS, set()
    for name in names:
        prefix = "" if role == "learner" else f"{name}."
        every = {**defaults, **given}.items()
        own = {key.removeprefix(prefix): v for key, v in every if key.startswith(prefix)}
        idle |= {prefix + key for key in options.without_effect(registry[name], own)}
    return {key: value for key, value in defaults.items() if key not in idle}

"""Lists the registered components with their options.

    python -m maml.components
    python -m maml.components --kind=learner --name=maml

Learners, regularizers, heads and tasks of your own, by ``--import`` or from installed packages, are
listed too. Networks are chosen by the task: multi-layer perceptrons for vectors, convolutional ones
for images; their options are those of ``--network_options``.
"""

import inspect
import sys
from collections.abc import Callable, Mapping

from absl import flags

from maml.core import options
from maml.core.registry import HEADS, LEARNERS, REGULARIZERS, TASKS, Registry
from maml.experiments import command_line
from maml.nn.convolutions import convolutional_networks
from maml.nn.mlp import mlp_networks
from mine.reporting import commands

NETWORKS = {"mlp": mlp_networks, "convolutional": convolutional_networks}

KINDS = {
    "learner": LEARNERS,
    "regularizer": REGULARIZERS,
    "head": HEADS,
    "network": NETWORKS,
    "task": TASKS,
}


def describe(registry: Mapping[str, Callable] | Registry, name: str) -> str:
    """A component: its name, the first line of its docstring, and its options with defaults.

    Args:
        registry: that holds it.
        name: of the component.
    """
    entry = registry[name]
    summary = (inspect.getdoc(entry) or "").partition("\n")[0]
    lines = [f"{name}: {summary}"]
    for option, parameter in options.options_of(entry).items():
        if parameter.default is parameter.empty:
            continue  # Given by whoever makes it, such as the shape of images.
        kind = options.written(parameter.annotation) if _has_annotation(parameter) else "a value"
        lines.append(f"    {option} = {options.typed(parameter.default)}  ({kind})")
    return "\n".join(lines)


def _has_annotation(parameter: inspect.Parameter) -> bool:
    return parameter.annotation is not parameter.empty and not isinstance(parameter.annotation, str)


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_enum("kind", None, list(KINDS), "Components of one kind only.")
    flags.DEFINE_string("name", None, "One component only.")
    command_line.define_import()


def main():
    values = flags.FLAGS
    try:
        command_line.import_named()
        kinds = [values.kind] if values.kind else list(KINDS)
        if values.name:
            kinds = [kind for kind in kinds if values.name in KINDS[kind]]
            if not kinds:
                raise ValueError(f"Unknown component {values.name!r}: leave out --name for a list.")
        for kind in kinds:
            registry = KINDS[kind]
            names = [values.name] if values.name else list(registry)
            print(f"== {kind}s\n")
            print("\n\n".join(describe(registry, name) for name in names), end="\n\n")
    except ValueError as error:
        sys.exit(f"Error: {error}")


def cli():
    """The command, as ``maml-components``."""
    define_flags()
    commands.run(main)


if __name__ == "__main__":
    cli()

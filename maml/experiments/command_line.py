"""Flags of a training run, those of the original projects' commands included."""

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterable, Mapping

from absl import flags

from maml.core import options
from maml.core.options import distinct
from maml.core.plugins import import_files
from maml.experiments import determinism, training
from maml.experiments.config import Config
from maml.experiments.cost.words import dry_run
from maml.experiments.results import sentence
from maml.learners.parallel.workers import STRATEGIES
from mine import reporting
from mine.reporting import commands

SHORT = {
    "data": ("task", "File or folder of images that maml.tasks.prepare has written."),
    "data_dir": ("task", "Folder of train_data and val_data, pickles or shards of data_gen."),
    "labels": ("task", "Labels of training classes: shuffled between tasks, or fixed."),
    "ways": ("task", "Classes of a task."),
    "shots": ("task", "Support examples of a task, of each class if it has any."),
    "queries": ("task", "Query examples of a task, of each class if it has any."),
    "inner_lr": ("learner", "Learning rate of the inner steps."),
    "inner_steps": ("learner", "Inner steps in meta-training."),
    "inner_batch_size": ("learner", "Support examples in an inner step; -1: all."),
    "test_inner_steps": ("learner", "Inner steps in evaluation."),
    "regularization": ("learner", "iMAML: lambda."),
    "solver_steps": ("learner", "iMAML: steps of the solver."),
}
"""Flags that stand for an option of a component -> its role, and what it is."""

ALIASES = {
    "dataset": "task",
    "metamodel": "learner",
    "num_output_classes": "ways",
    "num_train_samples_per_class": "shots",
    "num_test_samples_per_class": "queries",
    "n_way": "ways",
    "k_shot": "shots",
    "k_query": "queries",
    "num_inner_training_iterations": "inner_steps",
    "num_outer_metatraining_iterations": "steps",
    "imaml_lambda_reg": "regularization",
    "imaml_cg_steps": "solver_steps",
}
"""Flags of pyMeta and of MAML-Tensorflow -> flags here."""


def define_import() -> None:
    """Defines the flag ``--import``; :func:`import_named` imports what it names."""
    flags.DEFINE_list("import", [], "Python files, or modules, with components of your own.")


def import_named() -> None:
    """Imports what ``--import`` names.

    Raises:
        ValueError: there is no such file or module, or it fails.
    """
    import_files(flags.FLAGS["import"].value or ())


def define_flags(presets: Iterable[str] = ()) -> None:
    """Defines a flag for each field of :class:`Config`, the short ones, and ``--import``.

    Args:
        presets: names of presets; the first is the default of ``--preset``.
    """
    define_import()
    presets = list(presets)
    if presets:
        flags.DEFINE_enum("preset", presets[0], presets, "Values of the flags that are not given.")
    suffix = ", or the preset's value" if presets else ""
    kinds: dict = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}
    for field in dataclasses.fields(Config):
        default = (
            "" if field.default in (dataclasses.MISSING, "") else f" [{field.default}{suffix}]"
        )
        text = f"{field.metadata['help']}{default}"
        is_options = field.name.endswith("_options")
        default_kind = flags.DEFINE_multi_string if is_options else flags.DEFINE_string
        define = kinds.get(field.type, default_kind)
        define(field.name, None, text, **field.metadata["limits"])
    for name, (role, text) in SHORT.items():
        flags.DEFINE_string(name, None, f"Option of the {role}: {text}")
    for alias, name in ALIASES.items():
        flags.DEFINE_alias(alias, name)


def define_run_flags(presets: Iterable[str] = ()) -> None:
    """Defines the flags of a command that trains into a folder, see :func:`train`."""
    flags.DEFINE_string("logdir", None, "Folder of the run, learner.keras included.", required=True)
    flags.DEFINE_bool("resume", False, "Go on from the checkpoint of the run.")
    define_strategy()
    define_dry_run()
    define_flags(presets)


def define_strategy() -> None:
    """Defines the flag ``--strategy``."""
    flags.DEFINE_enum(
        "strategy",
        "none",
        STRATEGIES,
        "Devices of the training: none (one), mirrored (all of this machine), multiworker (those "
        "of the processes that TF_CONFIG names).",
    )


def define_dry_run() -> None:
    """Defines the flag ``--dry_run``."""
    flags.DEFINE_bool(
        "dry_run",
        False,
        "Print what the run will need on one device (parameters, memory, time, disk), and end: "
        "nothing is trained or written.",
    )


def train(module: str, configure: Callable[[], Config]) -> None:
    """Runs a command whose flags are those of :func:`define_run_flags`.

    Args:
        module: of the command.
        configure: gives the configuration that the flags ask for.
    """

    def main():
        determinism.share_cores()
        folder = pathlib.Path(flags.FLAGS.logdir)
        try:
            if flags.FLAGS.dry_run:
                print(dry_run(configure()))
                return
            command = reporting.provenance(module)["command"]
            record = training.run(
                configure(),
                folder,
                flags.FLAGS.resume,
                command=command,
                strategy=flags.FLAGS.strategy,
            )
        except (ValueError, FloatingPointError) as error:
            sys.exit(f"Error: {error}")
        if not record:  # The chief says it.
            return
        print(f"{sentence(record)}; learner in {folder / training.LEARNER}")

    commands.run(main, ["logdir"], claims=False, again="run the same command with --resume")


def given_options() -> dict[str, object]:
    """The options that flags of :func:`define_flags` give, with dotted names.

    Imports what ``--import`` names first.

    Raises:
        ValueError: there is no file or module to import.
    """
    import_named()
    given = {}
    for field in dataclasses.fields(Config):
        value = flags.FLAGS[field.name].value
        if value is not None:
            given[field.name] = _merged(value) if field.name.endswith("_options") else value
    for name, (role, _) in SHORT.items():
        value = flags.FLAGS[name].value
        if value is not None and not (name == "inner_batch_size" and value in ("-1", "0")):
            given[f"{role}.{name}"] = value
    return given


def _merged(texts: Iterable[str]) -> dict[str, str]:
    """Options of a flag that is given several times: of an option, the last value counts."""
    merged: dict[str, str] = {}
    for text in texts:
        merged |= options.parse(text)
    return merged


def config_from_flags(defaults: Mapping[str, object] | None = None) -> Config:
    """The configuration that the flags ask for.

    Args:
        defaults: what is not given, as of :meth:`Config.of`.

    Raises:
        ValueError: an option has no meaning.
    """
    return Config.of(given_options(), defaults)


def whole_numbers(words: Iterable[str], flag: str, at_least: int = 0) -> tuple[int, ...]:
    """The values of a flag that takes whole numbers with commas between them.

    Args:
        words: the values as they were typed.
        flag: its name, for the message.
        at_least: smaller ones are refused.

    Raises:
        ValueError: there is none, one is not such a number, or one is there twice.
    """
    words = tuple(words)
    for word in words:
        if not word.isdecimal() or int(word) < at_least:
            raise ValueError(
                f"Invalid value for `{flag}`: expected whole numbers of at least {at_least} with "
                f"commas between them, received {word!r}."
            )
    return distinct(map(int, words), flag)


def known_names(words: Iterable[str], flag: str, known: Iterable[str]) -> tuple[str, ...]:
    """The values of a flag that takes names with commas between them.

    Args:
        words: the values as they were typed.
        flag: its name, for the message.
        known: what they may be.

    Raises:
        ValueError: there is none, one is unknown, or one is there twice.
    """
    words, known = tuple(words), tuple(known)
    for word in words:
        if word not in known:
            names = ", ".join(f'"{name}"' if "," in name else name for name in known)
            raise ValueError(
                f"Invalid value for `{flag}`: expected some of {names}; received {word!r}."
            )
    return distinct(words, flag)

"""Scores a saved learner on test tasks, after more and fewer inner steps.

    python -m maml.evaluate --model_save_filename=saved/model.h5 --inner=0,1,5,10

The tasks are those of its training, unless ``--task``, ``--shots`` or other flags name others.
Writes ``evaluation.json``, and what the tasks draw, into the folder of the run.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

from absl import flags

from maml.core import options
from maml.diagnostics.report import MemorizationReport
from maml.experiments import command_line, determinism, training
from maml.experiments.config import Config
from maml.experiments.run_folder import CONFIG, LEARNER, read_config
from maml.learners import saving
from maml.tasks.sizes import check_several
from mine import reporting
from mine.reporting import commands

SIZES = ("task.ways", "task.shots", "task.queries")
"""Options that other tasks keep from those of the training, where they take them."""

RESULTS, STEPS = "evaluation.json", "learner.test_inner_steps"

AFTER_TRAINING = {
    *("task", "task_options", "seed", "meta_batch_size", "eval_batch_size", "episodes_per_task"),
    *("num_test_tasks", "num_validation_tasks", "num_validation_batches"),
    *("num_relabelings", "information_every"),
}
"""Options of tasks and scores, which may be others when a learner is scored."""


_TAKEN = (
    "when a learner is scored, only options of tasks and scores are taken "
    f"({', '.join(sorted(AFTER_TRAINING))}); leave the option out"
)


def _of_scores(name: str) -> bool:
    """Whether an option is one of tasks and scores."""
    return name in AFTER_TRAINING or name.startswith("task.")


def run_folder(path: os.PathLike) -> pathlib.Path:
    """The folder of the run whose learner a file holds."""
    path = pathlib.Path(path)
    beside = path.name == LEARNER and (path.parent / CONFIG).exists()
    return path.parent if beside else path.with_suffix("")


def load_trained(path: os.PathLike, changed: Mapping[str, object]):
    """A saved learner, and the configuration of its run.

    Args:
        path: of a learner that a run, or :func:`maml.save`, has saved.
        changed: options with dotted names, of tasks and scores, in place of those of its run.

    Returns:
        ``(learner, config)``.

    Raises:
        ValueError: there is no such learner, an option has no meaning, or the learner was trained
            with another.
    """
    path, changed = pathlib.Path(path), dict(changed)
    folder = run_folder(path)
    known = read_config(folder) if (folder / CONFIG).exists() else None
    if path.is_file():
        saving.check_path(path)
    if known is None and path.is_file() and "task" not in changed:
        raise ValueError(f"{folder / CONFIG} is missing, so name the tasks by --task.")
    learner = saving.load(path)
    steps = changed.pop(STEPS, None)
    for name in changed if known is None else ():
        if not _of_scores(name):
            raise ValueError(f"The option {name!r} has no effect on a trained learner: {_TAKEN}.")
    if steps is not None:
        taken = options.options_of(type(learner)).get("test_inner_steps")
        if taken is None:
            raise ValueError(f"{path} has no inner steps: leave out --test_inner_steps.")
        learner.test_inner_steps = options.read("test_inner_steps", steps, taken)
    trained = {} if known is None else known.dotted()
    if known is not None and changed.get("task", known.task) != known.task:
        trained = {k: v for k, v in trained.items() if not k.startswith("task.") or k in SIZES}
    config = Config.of(changed, trained)
    if known is not None:
        _refuse_others(path, trained, config.dotted())
    return learner, config


def _refuse_others(path, trained: Mapping[str, object], asked: Mapping[str, object]) -> None:
    """Refuses options of the learner that are not those that it was trained with."""
    defaults = {field.name: field.default for field in dataclasses.fields(Config)}
    for name in sorted({**trained, **asked}, key=lambda name: "." in name):
        if _of_scores(name):
            continue
        own, other = (of.get(name, defaults.get(name)) for of in (trained, asked))
        if own != other:
            raise ValueError(
                f"{path} was trained with {name}={own}, not {other}: {_TAKEN}, or train another "
                "learner."
            )


def evaluate(path: os.PathLike, steps: Sequence[int], changed: Mapping[str, object]) -> dict:
    """Scores a learner on its test tasks after several numbers of inner steps.

    Args:
        path: of a learner that a run has saved.
        steps: numbers of inner steps; learners without an inner loop are scored once.
        changed: options as of :func:`load_trained`.

    Returns:
        ``{"rows": [{"inner_steps": ..., "diagnosis": ...}, ...], "normalization": ...}``.

    Raises:
        ValueError: as :func:`load_trained`.
    """
    if STEPS in changed:
        raise ValueError("The inner steps are those of --inner: leave out --test_inner_steps.")
    learner, config = load_trained(path, changed)
    folder = run_folder(path)
    problem = problem_for(learner, config)
    folder.mkdir(exist_ok=True)
    # Before the numbers of inner steps change: of the learner as it was trained.
    problem.draw(learner, {}, {}, folder)
    if not hasattr(learner, "test_inner_steps"):
        steps = [None]
    rows = []
    for count in steps:
        if count is not None:
            learner.test_inner_steps = count
        name = "" if count is None else f"{reporting.counted(count, 'inner step')}: "
        diagnosis = report_on(learner, problem, config)
        rows.append({"inner_steps": count, "diagnosis": diagnosis.to_dict()})
        print(f"{name}{diagnosis}")
    return {
        "rows": rows,
        "normalization": learner.normalization,
        "config": config.describe(problem),
    }


def problem_for(learner, config: Config):
    """The problem whose tasks a trained learner is scored on.

    Raises:
        ValueError: the learner cannot take its tasks, or a split has one task.
    """
    problem = config.make_problem()
    check_several(problem)
    learner.check_takes(problem.test)
    return problem


def report_on(learner, problem, config: Config) -> MemorizationReport:
    """Whether a learner memorizes, read on the training and test tasks of a problem.

    Args:
        learner: trained.
        problem: whose tasks are scored.
        config: numbers of tasks and episodes are used.
    """
    evaluator = problem.evaluator(learner, config.information_every, config.num_relabelings)
    values = [
        training.evaluate_split(evaluator, split, problem.families[split], config)
        for split in ("train", "test")
    ]
    return MemorizationReport.from_scores(*values, problem.metrics[0], learner.normalization)


def define_flags():
    """Defines the flags of this command: the learner's file, and those of ``maml.train``."""
    flags.DEFINE_string("model_save_filename", None, "The learner's file.", required=True)
    flags.DEFINE_list("inner", ["0", "1", "5", "10"], "Numbers of inner steps, comma-separated.")
    command_line.define_flags()


def main():
    path = pathlib.Path(flags.FLAGS.model_save_filename)
    determinism.share_cores()
    try:
        steps = command_line.whole_numbers(flags.FLAGS.inner, "inner")
        record = evaluate(path, steps, command_line.given_options())
    except ValueError as error:
        sys.exit(f"Error: {error}")
    record["provenance"] = reporting.provenance("maml.evaluate")
    reporting.write_json(record, run_folder(path) / RESULTS)


def cli():
    """The command, as ``maml-evaluate``."""
    define_flags()
    commands.run(main)


if __name__ == "__main__":
    cli()

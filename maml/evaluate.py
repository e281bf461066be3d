"""Scores a saved learner on test tasks, after more and fewer inner steps.

    python -m maml.evaluate --model_save_filename=saved/model.h5 --inner=0,1,5,10

The tasks are those of its training, unless ``--dataset``, ``--shots`` or other flags name others.
Writes ``evaluation.json``, and ``fits.png`` for functions of one variable, into the folder beside
the learner's file.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from maml import train
from maml.experiments import determinism, options, runs
from maml.tasks import function_plots
from mine import reporting
from mine.reporting import commands

RESULTS = "evaluation.json"


def evaluate(path: os.PathLike, steps: Sequence[int], **changed) -> dict:
    """Scores a learner on its test tasks.

    Args:
        path: of a learner that ``maml.train`` saved.
        steps: numbers of inner steps; learners without an inner loop are scored once.
        **changed: fields of :class:`maml.train.Config` in place of those it was trained with.

    Returns:
        ``{"rows": [{"inner_steps": ..., "diagnosis": ...}, ...], "normalization": ...}``.

    Raises:
        ValueError: there is no such learner, an option has no meaning, or the learner was trained
            with another.
    """
    if "test_inner_steps" in changed:
        raise ValueError("The inner steps are those of --inner here: leave out --test_inner_steps.")
    learner, config = train.trained(path, **changed)
    folder = pathlib.Path(path).with_suffix("")
    problem = config.problem()
    if function_plots.can_draw_fits(problem):
        # Before the numbers of inner steps change: of the learner as it was trained.
        folder.mkdir(exist_ok=True)
        function_plots.fits(learner, problem.test, folder / "fits.png")
    if not hasattr(learner, "test_inner_steps"):
        steps = [None]
    rows = []
    for count in steps:
        if count is not None:
            learner.test_inner_steps = count
        evaluator = problem.evaluator(learner, config.information_every)
        name = "" if count is None else f"{count} inner steps: "
        diagnosis = train.diagnose(
            evaluator, problem.test, problem, config, config.num_test_tasks, f"{name}scoring"
        )
        rows.append({"inner_steps": count, "diagnosis": diagnosis.to_json()})
        print(f"{name}{diagnosis}")
    return {"rows": rows, "normalization": learner.normalization, "config": runs.as_config(config)}


def define_flags():
    """Defines the flags of this command: the learner's file, and those of ``maml.train``."""
    flags.DEFINE_string("model_save_filename", None, "The learner's file.", required=True)
    flags.DEFINE_list("inner", ["0", "1", "5", "10"], "Numbers of inner steps, comma-separated.")
    options.define_flags(train.Config, defaults=", or as in training")
    for alias, name in train.ALIASES.items():
        flags.DEFINE_alias(alias, name)


def main():
    path = pathlib.Path(flags.FLAGS.model_save_filename)
    determinism.share_cores()
    try:
        steps = options.whole_numbers(flags.FLAGS.inner, "inner")
        changed = options.given_flags(train.Config)
        record = evaluate(path, steps, **changed)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    record |= reporting.provenance("maml.evaluate")
    path.with_suffix("").mkdir(exist_ok=True)
    reporting.write_json(record, path.with_suffix("") / RESULTS)


if __name__ == "__main__":
    define_flags()
    commands.run(main)

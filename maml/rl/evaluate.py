"""Returns of a saved policy before adaptation and after each of several, and whether it memorizes.

    python -m maml.rl.evaluate --learner_file=runs/navigation/learner.keras --adaptations=3

The tasks are those of its training, unless ``--env`` or other flags name others. Writes
``evaluation.json``, and what the environment draws, into the folder of the run.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping

from absl import flags

from maml import evaluate
from maml.experiments import command_line, determinism
from mine import reporting
from mine.reporting import commands

ADAPTATIONS = 3
"""How often a policy adapts unless a number is given."""


def returns(
    path: os.PathLike, adaptations: int | None = None, changed: Mapping[str, object] | None = None
) -> dict:
    """Scores a policy, prints what it finds, and draws what its environment draws.

    Args:
        path: of a policy that a run has saved.
        adaptations: how often it adapts, each time to new trajectories; None: as ``changed`` says,
            or :data:`ADAPTATIONS`.
        changed: options as of :func:`maml.evaluate.load_trained`.

    Returns:
        ``{"diagnosis": ..., "returns_after": {"0": ..., ...}, "config": ...}``.

    Raises:
        ValueError: as :func:`maml.evaluate.load_trained`, or it is no policy.
    """
    changed = changed or {}
    learner, config = evaluate.load_trained(path, changed)
    problem = evaluate.problem_for(learner, config)
    if not problem.train.on_policy:
        raise ValueError(
            f"Invalid value for `learner_file`: expected a policy; received {path}, trained on "
            f"{config.task}. Use python -m maml.evaluate."
        )
    asked = "adaptations" in changed.get("task_options", {})
    if asked and adaptations is not None:
        raise ValueError("Invalid value for `adaptations`: it is given twice; give it once.")
    if not asked:
        problem = dataclasses.replace(problem, adaptations=adaptations or ADAPTATIONS)
    diagnosis = evaluate.report_on(learner, problem, config)
    print(diagnosis)
    after = problem.further_scores(None).get("returns_after", {})
    for count, value in after.items():
        times = reporting.counted(int(count), "adaptation")
        print(f"after {times}: {reporting.format_interval(value, 2)}")
    folder = evaluate.run_folder(path)
    folder.mkdir(exist_ok=True)
    problem.draw(learner, {}, {}, folder)
    return {
        "diagnosis": diagnosis.to_dict(),
        "returns_after": after,
        "config": config.describe(problem),
    }


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_string("learner_file", None, "The learner's file.", required=True)
    text = f"How often a policy adapts, each time to new trajectories. [{ADAPTATIONS}]"
    flags.DEFINE_integer("adaptations", None, text, 1)
    command_line.define_flags()
    flags.DEFINE_alias("env", "task")


def main():
    path = pathlib.Path(flags.FLAGS.learner_file)
    determinism.share_cores()
    try:
        record = returns(path, flags.FLAGS.adaptations, command_line.given_options())
    except ValueError as error:
        sys.exit(f"Error: {error}")
    record["provenance"] = reporting.provenance("maml.rl.evaluate")
    reporting.write_json(record, evaluate.run_folder(path) / evaluate.RESULTS)


def cli():
    """The command, as ``maml-rl-evaluate``."""
    define_flags()
    commands.run(main)


if __name__ == "__main__":
    cli()

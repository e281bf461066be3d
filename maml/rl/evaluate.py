"""Returns of a saved policy before adaptation and after each of several, and whether it memorizes.

    python -m maml.rl.evaluate --learner_file=runs/navigation/learner.keras --adaptations=3

The tasks are those of its training, unless ``--env`` or other flags name others. Writes
``evaluation.json``, and what the environment draws, into the folder of the run.
"""

import dataclasses
import pathlib
import sys

from absl import flags

from maml import evaluate
from maml.experiments import command_line, determinism
from mine import reporting
from mine.reporting import commands


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_string("learner_file", None, "The learner's file.", required=True)
    flags.DEFINE_integer(
        "adaptations", 3, "How often a policy adapts, each time to new trajectories.", 1
    )
    command_line.define_flags()
    flags.DEFINE_alias("env", "task")


def main():
    path = pathlib.Path(flags.FLAGS.learner_file)
    determinism.share_cores()
    try:
        learner, config = evaluate.load_trained(path, command_line.given_options())
        problem = config.make_problem()
        if not problem.train.on_policy:
            raise ValueError(
                f"Invalid value for `learner_file`: expected a policy; received {path}, trained on "
                f"{config.task}. Use python -m maml.evaluate."
            )
        problem = dataclasses.replace(problem, adaptations=flags.FLAGS.adaptations)
        diagnosis = evaluate.report_on(learner, problem, config)
        print(diagnosis)
        returns = problem.further_scores(None).get("returns_after", {})
        folder = evaluate.run_folder(path)
        folder.mkdir(exist_ok=True)
        problem.draw(learner, {}, {}, folder)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    for count, value in returns.items():
        print(
            f"after {reporting.counted(count, 'adaptation')}: {reporting.format_interval(value, 2)}"
        )
    record = {
        "diagnosis": diagnosis.to_json(),
        "returns_after": returns,
        "config": config.describe(problem),
        "provenance": reporting.provenance("maml.rl.evaluate"),
    }
    reporting.write_json(record, folder / evaluate.RESULTS)


def cli():
    """The command, as ``maml-rl-evaluate``."""
    define_flags()
    commands.run(main)


if __name__ == "__main__":
    cli()

"""Trains a policy that adapts to new tasks by its trajectories, tests it, and saves it.

    python -m maml.rl.train --env=navigation --learner=maml --outer=trpo --steps=100 \\
        --logdir=runs/navigation

This is ``maml.train`` with the defaults of reinforcement learning: ``--env`` is short for
``--task``, and all its flags and files are the same.
"""

import pathlib
import sys

from absl import flags

from maml.experiments import command_line, determinism, training
from maml.experiments.config import Config
from mine import reporting
from mine.reporting import commands

DEFAULTS = {
    "task": "navigation",
    "learner": "maml",
    "outer": "trpo",
    "learner.inner_lr": 0.1,
    "learner.inner_steps": 1,
    "meta_batch_size": 20,
    "steps": 100,
    "steps_per_epoch": 10,
    "num_validation_batches": 1,
    "num_validation_tasks": 40,
    "num_test_tasks": 40,
}
"""Options of a run unless others are given (Finn et al. 2017, appendix A.2)."""


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_string("logdir", None, "Folder of the run, with its learner.", required=True)
    flags.DEFINE_bool("resume", False, "Go on from the checkpoint of the run.")
    command_line.define_flags()
    flags.DEFINE_alias("env", "task")


def main():
    determinism.share_cores()
    values = flags.FLAGS
    try:
        config = Config.of(command_line.given_options(), DEFAULTS)
        folder = pathlib.Path(values.logdir)
        command = reporting.provenance("maml.rl.train")["command"]
        record = training.run(config, folder, values.resume, command=command)
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"Error: {error}")
    print(f"{training.sentence(record)}; learner in {folder / training.LEARNER}")


def cli():
    """The command, as ``maml-rl-train``."""
    define_flags()
    commands.run(main, ["logdir"], claims=False, again="run the same command with --resume")


if __name__ == "__main__":
    cli()

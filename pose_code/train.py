"""Trains one meta-learner on the pose data and scores it on all held-out objects.

    python -m pose_code.train --data_dir=DATA --logdir=LOGS --learner=cnp --regularizer=label_mi

It is ``maml.train`` with ``--task=pose``, and presets (:mod:`pose_code.presets`) that give what is
not named.
"""

import sys

from absl import flags

from maml.experiments import command_line, determinism, training
from maml.experiments.config import Config
from mine import reporting
from mine.reporting import commands
from pose_code import problem  # noqa: F401 (registers the task)
from pose_code.presets import PRESETS, preset_options


def define_flags():
    """Defines the flags of this command: those of a run, and two more."""
    flags.DEFINE_string("logdir", None, "Folder of this run's results.", required=True)
    flags.DEFINE_bool("resume", False, "Go on from the checkpoint in --logdir.")
    command_line.define_flags(PRESETS)


def config_from_flags() -> Config:
    """The configuration that the flags ask for.

    Raises:
        ValueError: an option has no meaning.
    """
    given = command_line.given_options()
    return Config.of(given, preset_options(flags.FLAGS.preset, given.get("learner")))


def main():
    determinism.share_cores()
    values = flags.FLAGS
    try:
        command = reporting.provenance("pose_code.train")["command"]
        record = training.run(config_from_flags(), values.logdir, values.resume, command=command)
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"Error: {error}")
    print(f"{training.sentence(record)}; results and pictures in {values.logdir}")


def cli():
    """The command, as ``pose-train``."""
    define_flags()
    commands.run(main, ["logdir"], claims=False, again="run the same command with --resume")


if __name__ == "__main__":
    cli()

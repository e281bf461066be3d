"""Trains one meta-learner on the pose data and scores it on all held-out objects.

    python -m pose_code.train --data_dir=DATA --logdir=LOGS --learner=cnp --regularizer=label_mi

It is ``maml.train`` with ``--task=pose``, and presets (:mod:`pose_code.presets`) that give what is
not named.
"""

from absl import flags

from maml.experiments import command_line
from maml.experiments.config import Config
from pose_code import problem  # noqa: F401 (registers the task)
from pose_code.presets import PRESETS, preset_options


def config_from_flags() -> Config:
    """The configuration that the flags ask for.

    Raises:
        ValueError: an option has no meaning.
    """
    given = command_line.given_options()
    return Config.of(given, preset_options(flags.FLAGS.preset, given.get("learner")))


def cli():
    """The command, as ``pose-train``."""
    command_line.define_run_flags(PRESETS)
    command_line.train("pose_code.train", config_from_flags)


if __name__ == "__main__":
    cli()

"""Trains one meta-learner on the pose data and scores it on all held-out objects.

    python -m pose_code.train --data_dir=DATA --logdir=LOGS --learner=cnp --regularizer=mine

Each hyper-parameter of :mod:`pose_code.config` is a flag; a preset gives those that are not named.
"""

import sys

from absl import flags

from maml.experiments import determinism
from mine.reporting import commands
from pose_code import config, experiment, scores
from pose_data import pickles


def define_flags():
    """Defines the flags of this command: the configuration's, and three more."""
    flags.DEFINE_string("data_dir", ".", "Folder of train_data.pkl and val_data.pkl.")
    flags.DEFINE_string("logdir", None, "Folder of this run's results.", required=True)
    flags.DEFINE_bool("resume", False, "Go on from the checkpoint in --logdir.")
    config.define_flags()


def main():
    determinism.share_cores()
    try:
        chosen = config.from_flags()
        results = experiment.train(
            chosen, flags.FLAGS.data_dir, flags.FLAGS.logdir, flags.FLAGS.resume
        )
    except (pickles.PickleError, ValueError, FileExistsError, FloatingPointError) as error:
        sys.exit(f"Error: {error}")
    print(f"{scores.sentence(results)}; results and pictures in {flags.FLAGS.logdir}")


if __name__ == "__main__":
    define_flags()
    commands.run(main, ["logdir"])

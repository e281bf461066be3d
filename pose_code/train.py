"""Trains one meta-learner on the pose data and scores it on all held-out objects.

    python -m pose_code.train --data_dir=DATA --logdir=LOGS --learner=cnp --regularizer=mine

Each hyper-parameter of :mod:`pose_code.config` is a flag; a preset gives those that are not named.
"""

import dataclasses
import os
import sys

from absl import app, flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # Before TensorFlow: its start-up chatter.

from pose_code import experiment, scores  # noqa: E402
from pose_code.config import PRESETS, Config, from_preset  # noqa: E402
from pose_data import pickles  # noqa: E402


def define_flags():
    """Defines the flags of this command: one for each field of the configuration, and four more."""
    flags.DEFINE_string("data_dir", ".", "Folder of train_data.pkl and val_data.pkl.")
    flags.DEFINE_string("logdir", None, "Folder of this run's results.", required=True)
    flags.DEFINE_enum("preset", "quick", list(PRESETS), "Values of the flags that are not given.")
    flags.DEFINE_bool("resume", False, "Go on from the checkpoint in --logdir.")
    kinds = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}
    for field in dataclasses.fields(Config):
        text = f"{field.metadata['help']} [{field.default}, or the preset's value]"
        if field.metadata["choices"]:
            flags.DEFINE_enum(field.name, None, field.metadata["choices"], text)
        else:
            kinds[field.type](field.name, None, text, **field.metadata["limits"])


def main(_):
    given = {
        field.name: value
        for field in dataclasses.fields(Config)
        if (value := flags.FLAGS[field.name].value) is not None
    }
    config = from_preset(flags.FLAGS.preset, **given)
    try:
        results = experiment.train(
            config, flags.FLAGS.data_dir, flags.FLAGS.logdir, flags.FLAGS.resume
        )
    except (pickles.PickleError, ValueError, FileExistsError, FloatingPointError) as error:
        sys.exit(f"Error: {error}")
    print(f"{scores.sentence(results)}; results and pictures in {flags.FLAGS.logdir}")


if __name__ == "__main__":
    define_flags()
    app.run(main)

"""Trains a learner on a registered task, tests it on tasks it has not seen, and saves it.

    python -m maml.train --task=sinusoid --learner=maml --logdir=runs/maml
    python -m maml.train --dataset=sinusoid --metamodel=maml --model_save_filename=saved/model.h5

Options of components are given by role, such as ``--learner_options="inner_lr=0.4;inner_steps=5"``.
The names of pyMeta and MAML-Tensorflow work too. The run's folder (``--logdir``, or that of the
learner's name beside its file) holds the checkpoint, learning curves, scores (``results.json``) and
pictures.
"""

import pathlib
import sys

from absl import flags

from maml import evaluate
from maml.experiments import command_line, determinism, training
from maml.experiments.config import Config
from maml.experiments.cost.words import dry_run
from maml.experiments.results import sentence
from mine import reporting
from mine.reporting import commands


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_string(
        "model_save_filename", "saved/model.keras", "The learner's file, .keras or .h5."
    )
    flags.DEFINE_string(
        "logdir",
        None,
        "Folder of the run, learner.keras included; in place of --model_save_filename.",
    )
    flags.DEFINE_enum(
        "mode",
        "train",
        ["train", "test"],
        "test: only scores the learner in the file, on the tasks that it was trained for unless "
        "flags name others.",
    )
    flags.DEFINE_bool("resume", False, "Go on from the checkpoint of the run.")
    command_line.define_strategy()
    command_line.define_dry_run()
    command_line.define_flags()


def main():
    determinism.share_cores()
    values = flags.FLAGS
    try:
        given = command_line.given_options()
        path = pathlib.Path(values.model_save_filename)
        if values.logdir is not None:
            if values["model_save_filename"].present:
                raise ValueError(
                    "Invalid value for `model_save_filename`: expected none beside --logdir, whose "
                    f"folder has the learner as {training.LEARNER}; received both. Leave one of "
                    "them out."
                )
            path = pathlib.Path(values.logdir) / training.LEARNER
        if values.dry_run and values.mode == "test":
            raise ValueError(
                "Invalid value for `dry_run`: expected none beside --mode=test, which trains "
                "nothing; received both. Leave one of them out."
            )
        if values.mode == "test":
            learner, config = evaluate.load_trained(path, given)
            print(evaluate.report_on(learner, evaluate.problem_for(learner, config), config))
            return
        if values.dry_run:
            print(dry_run(Config.of(given)))
            return
        folder = path.with_suffix("") if values.logdir is None else path.parent
        command = reporting.provenance("maml.train")["command"]
        record = training.run(
            Config.of(given),
            folder,
            values.resume,
            learner_path=path,
            command=command,
            strategy=values.strategy,
        )
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"Error: {error}")
    if record:  # Of workers, the chief says it.
        print(f"{sentence(record)}; learner in {path}")


def cli():
    """The command, as ``maml-train``."""
    define_flags()
    commands.run(main, ["logdir"], claims=False, again="run the same command with --resume")


if __name__ == "__main__":
    cli()

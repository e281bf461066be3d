"""Trains a policy that adapts to new tasks by its trajectories, tests it, and saves it.

    python -m maml.rl.train --env=navigation --learner=maml --outer=trpo --steps=100 \\
        --logdir=runs/navigation

This is ``maml.train`` with the defaults of reinforcement learning: ``--env`` is short for
``--task``, and all its flags and files are the same.
"""

from absl import flags

from maml.experiments import command_line

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


def cli():
    """The command, as ``maml-rl-train``."""
    command_line.define_run_flags()
    flags.DEFINE_alias("env", "task")
    command_line.train("maml.rl.train", lambda: command_line.config_from_flags(DEFAULTS))


if __name__ == "__main__":
    cli()

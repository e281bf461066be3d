"""Shows a robot before and after its policy has adapted, in two tasks.

    python -m maml.rl.video --learner=runs/cheetah_dir/learner.keras --output=cheetah.gif

The two tasks are those of the test tasks that differ most in their first number, such as both
directions. Above: before adaptation and after it in the one, below: in the other.
"""

import importlib.util
import os
import pathlib
import sys

import numpy as np
from absl import flags

from maml.core.seeds import Stream, stream
from maml.evaluate import load_trained
from maml.experiments import determinism
from maml.rl.family import PolicyTasks, fold_in
from maml.rl.simulation import drawing
from maml.rl.simulation.simulated import Simulated
from mine.reporting import commands
from mine.reporting.flag_words import define_seed
from mine.reporting.version import DISTRIBUTION

SUFFIX = ".gif"


class Recorded:
    """An environment that remembers where its robots were.

    Args:
        environment: simulated.

    Attributes:
        positions: of joints at each step, [batch, nq] each.
    """

    def __init__(self, environment: Simulated):
        self._environment, self.positions = environment, []

    def __getattr__(self, name):
        return getattr(self._environment, name)

    def observe(self, state):
        self.positions.append(state.simulations.positions)
        return self._environment.observe(state)


def record(family: PolicyTasks, seed: int) -> tuple[np.ndarray, list[list[str]]]:
    """Runs a policy before and after adaptation in two tasks.

    Args:
        family: of a simulated environment, with its policy.
        seed: of all that is random.

    Returns:
        Joint positions of the first trajectory of each, [tasks, before and after, steps, nq], and
        the titles of these four.
    """
    tasks = np.array([family.tasks[:, 0].argmax(), family.tasks[:, 0].argmin()])
    base = stream(seed, Stream.FIXED_EPISODES)
    before, after = fold_in(base, 0), fold_in(base, 1)
    environment = family.environment
    family.environment = recorded = Recorded(environment)
    try:
        first = family.collect(tasks, before)
        second = family.collect(tasks, after, family.adapt(first), codes=before)
    finally:
        family.environment = environment
    positions = np.stack(recorded.positions)
    positions = positions.reshape(2, environment.horizon, 2, family.trajectories, -1)[:, :, :, 0]
    titles = [
        [
            f"task {np.array2string(family.tasks[task], precision=2)}, {when}: "
            f"return {trajectories.returns()[row, 0]:.0f}"
            for when, trajectories in (("before", first), ("after", second))
        ]
        for row, task in enumerate(tasks)
    ]
    return positions.transpose(2, 0, 1, 3), titles


def film(learner_file: os.PathLike, output: os.PathLike, seed: int = 0) -> list[list[str]]:
    """Writes a GIF of a trained policy, in one step.

    Args:
        learner_file: of a run of ``maml.rl.train`` with a simulated robot.
        output: the GIF.
        seed: of all that is random.

    Returns:
        The titles of its panels.

    Raises:
        ImportError: a package of the extra [rl] is not installed.
        ValueError: there is no such learner, it is no policy of a simulated robot, or the output is
            no GIF.
        OSError: the output cannot be written.
        RuntimeError: MuJoCo can draw with none of the OpenGL libraries.
    """
    output = pathlib.Path(output)
    if output.suffix.lower() != SUFFIX:
        raise ValueError(f"Invalid value for `output`: expected a {SUFFIX}; received {output}.")
    if importlib.util.find_spec("PIL") is None:
        raise ImportError(
            f"The package PIL is missing: pip install '{DISTRIBUTION}[rl]'.", name="PIL"
        )
    learner, config = load_trained(learner_file, {})
    family = config.make_problem().test
    environment = getattr(family, "environment", None)
    if not isinstance(environment, Simulated):
        raise ValueError(
            "Invalid value for `learner`: expected a policy of a simulated robot, such as of "
            f"cheetah_dir; received {learner_file}, trained on {config.task}."
        )
    family.policy = learner
    positions, titles = record(family, seed)
    output.parent.mkdir(parents=True, exist_ok=True)
    drawing.draw(environment.model_name, positions, titles, output)
    return titles


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_string("learner", None, "The learner's file.", required=True)
    flags.DEFINE_string("output", None, "The video, a file that ends in .gif.", required=True)
    define_seed("Seed of the trajectories.")
    flags.DEFINE_alias("learner_file", "learner")


def main():
    determinism.share_cores()
    values = flags.FLAGS
    try:
        titles = film(values.learner, values.output, values.seed)
    except (ValueError, RuntimeError) as error:
        sys.exit(f"Error: {error}")
    print("\n".join(title for row in titles for title in row))


def cli():
    """The command, as ``maml-rl-video``."""
    define_flags()
    commands.run(main)


if __name__ == "__main__":
    cli()

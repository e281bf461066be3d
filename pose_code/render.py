"""Renders CAD models on many machines, by the executors of studies.

    python -m pose_code.render --CAD_dir=CAD --data_dir=data --executor=dask:tcp://HOST:8786

The flags, the files and their bytes are those of :mod:`pose_data.mujoco_render`, and so is what a
stopped run leaves: the same command goes on. All machines see both folders by the same paths.
"""

import functools
import pathlib
import pickle
import subprocess
import sys
from collections.abc import Sequence

from absl import flags

from mine.reporting import commands
from pose_data import gl_backend, mujoco_render, rendering
from pose_data.cad import meshes

FLAGS = flags.FLAGS

DRAW = """
import pickle, sys
from pose_data import rendering
results = rendering.render_objects(*pickle.load(sys.stdin.buffer))
pickle.dump(results, sys.stdout.buffer)
"""


def define_flags() -> None:
    """Defines the flags of this command."""
    from maml.experiments.executors.opening import KINDS

    mujoco_render.define_flags()
    flags.DEFINE_string("executor", "local", f"Where models are rendered: {', '.join(KINDS)}.")
    flags.DEFINE_integer("batch", 20, "Models that a job renders, one after the other.", 1)


def render_models(
    models: Sequence[meshes.CadObject], data_dir: pathlib.Path, settings: rendering.Settings
) -> dict:
    """The job: renders some models, one after the other, in a process of its own.

    A process with TensorFlow, as jobs of executors are, cannot draw, and those of dask may not
    start others by ``multiprocessing``.

    Args:
        models: of :func:`pose_data.cad.meshes.find_objects`.
        data_dir: whose subfolder ``rotate`` the images go to.
        settings: of the images.

    Returns:
        ``rendered`` and ``failures``, counts of models. What fails is tried again, and named with
        its reason, at the end of the command.

    Raises:
        pose_data.rendering.RenderError: the process failed.
    """
    given = pickle.dumps((models, data_dir, settings, 1))
    done = subprocess.run([sys.executable, "-c", DRAW], input=given, capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"{done.returncode}"]
        reason = said[-1].partition(": ")[2] or said[-1]
        raise rendering.RenderError(f"A process that renders ended: {reason}")
    results = pickle.loads(done.stdout)
    return {
        "rendered": sum(result.rendered > 0 for result in results),
        "failures": sum(result.failure is not None for result in results),
    }


def main() -> None:
    """Renders what is missing by the executor, then ends as ``mujoco_render`` does."""
    # These load TensorFlow, and the processes that draw, without it, import this module again.
    from maml.experiments import sweep
    from maml.experiments.executors.opening import open_executor

    # Jobs may run in another folder.
    cad_dir, data_dir = (pathlib.Path(path).absolute() for path in (FLAGS.CAD_dir, FLAGS.data_dir))
    settings = mujoco_render.settings_from_flags()
    try:
        models = mujoco_render.checked_objects(cad_dir, data_dir, FLAGS.skip_classes, FLAGS.num_val)
        rendering.require_space(len(models), data_dir, settings)
        batches = [models[i : i + FLAGS.batch] for i in range(0, len(models), FLAGS.batch)]
        jobs = {
            str(batch[0]): functools.partial(render_models, batch, data_dir, settings)
            for batch in batches
        }
        with open_executor(FLAGS.executor, FLAGS.workers, data_dir) as executor:
            sweep.run(jobs, executor, "rendering", unit="job")
    except (gl_backend.GlError, rendering.RenderError, ValueError) as error:
        sys.exit(f"Error: {error}")
    mujoco_render.run(cad_dir, data_dir, settings, FLAGS.skip_classes, FLAGS.num_val, FLAGS.workers)


def cli() -> None:
    """The command ``pose-render``."""
    define_flags()
    commands.run(main, ["data_dir"])


if __name__ == "__main__":
    cli()

"""Scores of two predictors without training, which every table needs beside it.

    python -m pose_code.baselines --data_dir=DATA --logdir=LOGS

writes LOGS/constant/results.json and LOGS/pixel_kernel/results.json, for ``compare``.
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf
from absl import flags

import maml
from maml.experiments import command_line, determinism, training
from maml.experiments.config import Config
from maml.experiments.results import RESULTS, read_results, sentence, write_results
from mine import reporting
from mine.reporting import commands
from pose_code import train
from pose_code.presets import PRESETS
from pose_data.tasks import PERIOD, PoseTasks

NAMES = ("constant", "pixel_kernel")
"""Folders of the two."""

KNOTS = 100


class Constant(maml.MetaLearner):
    """Constant predictor: the uniform density on the circle."""

    def __init__(self):
        super().__init__(maml.CircularHead(PERIOD, KNOTS))

    def encode(self, x, y, training=False):
        return tf.zeros([tf.shape(x)[0], 1])

    def decode(self, state, x):
        return self.head(tf.zeros([tf.shape(x)[0], tf.shape(x)[1], KNOTS]))

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1])


class PixelKernel(maml.MetaLearner):
    """Kernel regression on pixels: the labels of the support images that look alike.

    Nadaraya-Watson with weights ``exp(-|x* - x_k|^2 / 2 h^2)``, as a density: each support label
    spreads its weight over the two nearest knots, and a trace of it everywhere.

    Args:
        bandwidth: h, the distance between images (root of the summed squares of pixels in [0, 1]).
        image_size: side of the images, in pixels.
    """

    def __init__(self, bandwidth: float, image_size: int):
        super().__init__(maml.CircularHead(PERIOD, KNOTS))
        self.bandwidth, self.image_size = bandwidth, image_size

    def encode(self, x, y, training=False):
        return x, y, tf.ones_like(y)

    def decode(self, state, x):
        support_x, support_y, present = state
        support, query = (tf.reshape(z, [*tf.unstack(tf.shape(z)[:2]), -1]) for z in (support_x, x))
        distance = tf.reduce_sum((query[:, :, tf.newaxis] - support[:, tf.newaxis]) ** 2, -1)
        weights = tf.nn.softmax(-distance / (2 * self.bandwidth**2), axis=-1)
        gap = tf.abs(tf.range(KNOTS, dtype=tf.float32) - support_y * KNOTS / PERIOD)
        near = tf.maximum(1 - tf.minimum(gap, KNOTS - gap), 0) * present
        return self.head(tf.math.log(tf.matmul(weights, near) + 1e-4))

    def initial_state(self, batch_size):
        nothing = tf.zeros([batch_size, 1, 1])
        return tf.zeros([batch_size, 1, self.image_size, self.image_size, 1]), nothing, nothing


def choose_bandwidth(tasks: PoseTasks) -> float:
    """The bandwidth of least squared error on meta-training objects, in steps of a third."""
    batches = list(tasks.fixed(2, 16, seed=2, num_tasks=48))

    def error(bandwidth):
        learner = PixelKernel(bandwidth, tasks.image_size)
        return np.mean([np.mean((learner(batch) - batch.query_y) ** 2) for batch in batches])

    return float(min(np.geomspace(0.1, 10, 17), key=error))


def run(config: Config, logdir, command: str) -> list[dict]:
    """Scores both on all splits, on the same episodes as a trained learner.

    Args:
        config: of a run: its tasks and numbers of episodes are used.
        logdir: folder in which each predictor gets a folder; what is there is left as it is.
        command: that does this.

    Returns:
        The contents of the two ``results.json``.
    """
    folders = [pathlib.Path(logdir) / name for name in NAMES]
    if all((folder / RESULTS).exists() for folder in folders):
        return [read_results(folder) | {"folder": str(folder)} for folder in folders]
    problem = config.make_problem()
    bandwidth = choose_bandwidth(problem.train)
    learners = Constant(), PixelKernel(bandwidth, problem.train.image_size)
    methods = "constant predictor", "kernel regression on pixels (no training)"
    results = []
    for folder, learner, method in zip(folders, learners, methods, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        settings = config.describe(problem) | {"learner": method, "learner_options": {}}
        if isinstance(learner, PixelKernel):
            settings["learner_options"] = {"bandwidth": bandwidth}
        record = {"method": method, "seed": 0, "config": settings, "data": dict(problem.data)}
        evaluator = problem.evaluator(learner, config.information_every, config.num_relabelings)
        record |= training.score(evaluator, problem, config) | {"terms": {}}
        record["cost"] = {
            "steps": 0,
            "seconds_per_step": 0.0,
            "train_seconds": 0.0,
            "skipped_steps": 0.0,
        }
        record["provenance"] = reporting.provenance(command=command)
        write_results(record, folder)
        results.append(read_results(folder) | {"folder": str(folder)})
    return results


def define_flags():
    """Defines the flags of this command; of training's, those that shape episodes count."""
    flags.DEFINE_string("logdir", None, "Folder of the results.", required=True)
    command_line.define_flags(PRESETS)


def main():
    determinism.share_cores()
    command = reporting.provenance("pose_code.baselines")["command"]
    try:
        results = run(train.config_from_flags(), flags.FLAGS.logdir, command)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    for result in results:
        print(sentence(result))


def cli():
    """The command, as ``pose-baselines``."""
    define_flags()
    commands.run(main, ["logdir"])


if __name__ == "__main__":
    cli()

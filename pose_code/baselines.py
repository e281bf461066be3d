"""Scores of two predictors that learn nothing, without which no table is honest.

    python -m pose_code.baselines --data_dir=DATA --logdir=LOGS

writes LOGS/constant/results.json and LOGS/pixel_kernel/results.json, for ``pose_code.compare``.
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf
from absl import flags

import maml
from maml.experiments import determinism
from mine import reporting
from mine.reporting import commands
from pose_code import config, experiment, scores
from pose_data import pickles
from pose_data.tasks import PERIOD, PoseTasks

NAMES = ("constant", "pixel_kernel")
"""Folders of the two."""

KNOTS = 100


class Constant(maml.MetaLearner):
    """The uniform density on the circle, whatever it is shown."""

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


def run(settings: config.Config, data_dir, logdir) -> list[dict]:
    """Scores both on all held-out objects, on the same episodes as a trained learner.

    Args:
        settings: shots, queries, image size and number of episodes are used.
        data_dir: folder of the pickles.
        logdir: folder in which each baseline gets a folder.

    Returns:
        The contents of the two ``results.json``.
    """
    families = experiment.load_tasks(data_dir, settings)
    bandwidth = choose_bandwidth(families["train"])
    results = []
    learners = Constant(), PixelKernel(bandwidth, families["train"].image_size)
    methods = "constant", f"pixel kernel regression (h={bandwidth:.2g})"
    for name, learner, method in zip(NAMES, learners, methods, strict=True):
        folder = pathlib.Path(logdir) / name
        folder.mkdir(parents=True, exist_ok=True)
        record = {
            "method": f"{method}: nothing learned",
            "seed": 0,
            "data": scores.describe(families),
        }
        evaluator = experiment.evaluator_of(learner, settings)
        record |= experiment.score(evaluator, families, settings)
        record |= {"steps": 0, "seconds_per_step": 0.0, "train_seconds": 0.0}
        reporting.write_json(
            record | scores.surroundings("pose_code.baselines"), folder / scores.RESULTS
        )
        results.append(record)
    return results


def define_flags():
    """Defines the flags of this command; of training's, those that shape episodes count."""
    flags.DEFINE_string("data_dir", ".", "Folder of train_data.pkl and val_data.pkl.")
    flags.DEFINE_string("logdir", None, "Folder of the results.", required=True)
    config.define_flags()


def main():
    determinism.share_cores()
    try:
        results = run(config.from_flags(), flags.FLAGS.data_dir, flags.FLAGS.logdir)
    except (pickles.PickleError, ValueError) as error:
        sys.exit(f"Error: {error}")
    for result in results:
        print(scores.sentence(result))


if __name__ == "__main__":
    define_flags()
    commands.run(main, ["logdir"])

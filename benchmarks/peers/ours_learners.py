"""Training steps of this library, see :func:`worker.serve`, as its commands make them."""

import functools

import maml  # First: it silences TensorFlow's start-up messages.

# isort: split
import keras
import numpy as np
import tensorflow as tf
import worker
import workloads

from maml.experiments.determinism import share_cores
from maml.learners.training import executions


def learner_and_data(problem, together: int, terms=()):
    """The learner of a problem, compiled, and its batches as an endless dataset."""
    spec = problem.spec
    learner = workloads.make(**spec["chosen"]).make_learner(terms)
    adam = keras.optimizers.Adam(spec["meta_lr"], *spec["betas"], spec["epsilon"])
    learner.compile(adam, steps_per_execution=together)
    batches = maml.Episode(*map(np.stack, zip(*problem.batches, strict=True)))
    # At the end of `fit` TensorFlow waits for the thread that tunes a dataset, which may sleep as
    # long again as the fit took; a round is a short fit.
    options = tf.data.Options()
    options.autotune.enabled = False
    return learner, tf.data.Dataset.from_tensor_slices(batches).repeat().with_options(options)


def fit(problem, together: int = 1, threads: int = 1, terms=(), policy: str = ""):
    """``fit``, with as many steps in a call of TensorFlow's, and threads an operation.

    Args:
        problem: to train on.
        together: steps in a call; the commands make 20 of vectors, and one of images.
        threads: of an operation; the commands give it one.
        terms: classes of the information terms of the objective.
        policy: Keras' dtype policy of all layers, "" for that of the problem.
    """
    if policy:
        keras.config.set_dtype_policy(policy)
    if threads == 1:
        share_cores()
    else:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    learner, data = learner_and_data(problem, together, terms)

    def steps(count):
        history = learner.fit(data, steps_per_epoch=count, verbose=0).history
        return history["loss" if not terms else "task_loss"][0]

    return steps


_LABEL_MI = functools.partial(maml.LabelMI, warmup_nats=0.0)
"""At its whole weight from the first step."""

_PREDICTION_MI = functools.partial(maml.PredictionMI, num_relabelings=1)

ENTRIES = {
    "fit": fit,
    "fit, 20 steps together": functools.partial(fit, together=executions.MOST),
    "fit, 2 threads": functools.partial(fit, threads=2),
    "fit, bfloat16": functools.partial(fit, policy="mixed_bfloat16"),
    "fit, Label-MI": functools.partial(fit, terms=[_LABEL_MI]),
    "fit, Prediction-MI": functools.partial(fit, terms=[maml.PredictionMI]),
    "fit, Prediction-MI of one relabeling": functools.partial(fit, terms=[_PREDICTION_MI]),
}
"""Ways to train, by name."""

if __name__ == "__main__":
    worker.serve(ENTRIES, ["tensorflow", "keras"])

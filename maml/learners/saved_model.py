"""A learner as a TensorFlow SavedModel: TensorFlow alone, of any language, runs its predictions."""

import contextlib
import errno
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from maml.core.episodes import fold_in
from maml.core.seeds import Stream, stream


def write_saved_model(learner, path: os.PathLike, samples: int = 16, seed: int = 0) -> None:
    """Writes a SavedModel whose signature ``serving_default`` predicts for a batch of tasks.

    It takes ``support_x`` [tasks, shots, ...], ``support_y`` [tasks, shots, dim] and ``query_x``
    [tasks, queries, ...], with any number of each, and returns ``mean`` [tasks, queries, dim] and
    ``samples`` [samples, tasks, queries, dim], draws from the prediction. The draws come from the
    seed: the same inputs have the same draws.

    Args:
        learner: a :class:`maml.MetaLearner` with weights.
        path: of the folder.
        samples: number of draws of each label, at least 1.
        seed: of the draws.

    Raises:
        ValueError: the learner has no weights yet, or ``samples`` is less than 1.
        OSError: the disk is full.
    """
    if not learner.built:
        raise ValueError(
            "export expects a learner with weights: call fit, or create_weights, before."
        )
    if samples < 1:
        raise ValueError(f"Invalid value for `samples`: expected 1 or more; received {samples}.")
    names = ("support_x", "support_y", "query_x")
    signature = [
        tf.TensorSpec([None, None, *shape[2:]], dtype, name)
        for name, (shape, dtype) in zip(names, learner._episode_spec, strict=False)
    ]

    def predict(support_x, support_y, query_x):
        # What a learner notes down while it predicts is not part of the model.
        with keras.StatelessScope():
            predicted = learner.predict_distribution(support_x, support_y, query_x)
        start = stream(seed, Stream.PREDICTIVE_SAMPLES)
        draws = [predicted.sample(fold_in(start, index)) for index in range(samples)]
        return {"mean": predicted.mean(), "samples": tf.stack(draws)}

    module = tf.Module()
    module.kept = [variable.value for variable in learner.variables]
    module.predict = tf.function(predict, input_signature=signature, autograph=False)
    # Gradients of one's own are not needed to predict, and could not all be written.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    with written_by_tensorflow(path):
        tf.saved_model.save(module, os.fspath(path), module.predict, options)


@contextlib.contextmanager
def written_by_tensorflow(path: os.PathLike) -> Iterator[None]:
    """Has TensorFlow's own writers report a full disk as Python's do.

    Raises:
        OSError: the disk is full; ``filename`` is ``path``.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        reason = os.strerror(errno.ENOSPC)
        if reason not in str(error):  # Memory, such as that of a GPU.
            raise
        raise OSError(errno.ENOSPC, reason, os.fspath(path)) from error

"""Cores that work on different operations, never on parts of one; memory of GPUs as needed."""

import contextlib
import os

import tensorflow as tf

GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"
"""What TensorFlow reads when it first looks for graphics processors."""


def share_cores(cores: int | None = None) -> None:
    """Gives each operation a single core, and operations that are independent different ones.

    The order in which a sum is added up depends on the number of threads that share an operation,
    and after some thousand steps so does every digit of a result. With one, a command gives the
    same numbers beside others, or on a machine with more cores. It costs nothing: operations are
    small here. On two cores a step of the main job takes 0.95 of the time that it takes with two
    threads an operation, one of the attentive CNP 0.8, and one of MAML on images 0.7.

    On a graphics processor TensorFlow then takes memory as it needs it, in this process and those
    that it starts, so that trainings can share the processor. By itself it takes all at once, and
    does so where ``TF_FORCE_GPU_ALLOW_GROWTH`` of the environment is "false".

    For runners, before TensorFlow starts: once something has started it, it stays as it is.

    Args:
        cores: to use at once; None for all.
    """
    os.environ.setdefault(GROWTH, "true")
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        if cores is not None:
            tf.config.threading.set_inter_op_parallelism_threads(cores)

"""Named random streams: what one seed draws for different purposes is independent.

A stateless seed of TensorFlow is a pair of integers. The first is the seed that the user gave, the
second says what is drawn with it, so that no two purposes draw the same numbers.
"""

import enum

import tensorflow as tf


@enum.unique
class Stream(enum.IntEnum):
    """What is drawn with a stateless seed. Results depend on the numbers: add, never renumber."""

    TRAINING_EPISODES = 0
    FIXED_EPISODES = 1
    TRAINING_NOISE = 2
    VALIDATION_NOISE = 3
    SCORES = 4
    TASKS = 5
    FUNCTION_ERRORS = 6
    PREDICTIVE_SAMPLES = 7
    FIRST_EPISODE = 8


def stream(seed: int, name: Stream) -> tf.Tensor:
    """The stateless seed, [2] int32, of what ``name`` says, for the user's ``seed``."""
    return tf.constant([seed, int(name)], tf.int32)

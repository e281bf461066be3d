"""Named random streams: what one seed draws for different purposes is independent.

A stateless seed of TensorFlow is a pair of integers. The first is the seed that the user gave, the
second says what is drawn with it, so that no two purposes draw the same numbers. A seed of a Keras
initializer is one integer, and each layer takes another one: the parts of a model count theirs from
numbers that are far apart.
"""

import enum
import itertools
from collections.abc import Iterator

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
    LATENT = 9


@enum.unique
class Part(enum.IntEnum):
    """Parts of a model whose initial weights are independent. Add, never renumber."""

    NETWORK = 0
    ENCODER_DECODER = 1
    ATTENTION = 2
    LABEL_CRITIC = 3
    PREDICTION_CRITIC = 4
    SET_ENCODER = 5
    LATENT = 6
    DECODER = 7


SEEDS_APART = 1000
"""Seeds of initializers between two seeds of the user: more than a part has layers."""

PARTS_APART = 2**28
"""Seeds of initializers between two parts: they are apart for seeds of the user below 268,435."""


def stream(seed: int, name: Stream) -> tf.Tensor:
    """The stateless seed, [2] int32, of what ``name`` says, for the user's ``seed``."""
    return tf.constant([seed, int(name)], tf.int32)


def initializer_seeds(seed: int, part: Part) -> Iterator[int]:
    """Seeds of the initial weights of one layer of ``part`` after the other."""
    return itertools.count(part * PARTS_APART + SEEDS_APART * seed)

"""Draws images from memory or from files, inside of ``tf.function`` and ``tf.data`` too."""

import contextlib
import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from mine.reporting.shards.reading import ShardError
from mine.reporting.shards.stored import StoredImages

_TOLD = re.compile(rf"{ShardError.__name__}: (.*)")


def as_drawn(images):
    """Images as :func:`gather_nd` draws them: a tensor in memory, or what is stored as it is."""
    return images if isinstance(images, StoredImages) else tf.constant(images)


def as_arrays(images):
    """The opposite of :func:`as_drawn`: an array in memory, or what is stored as it is."""
    return images if isinstance(images, StoredImages) else np.asarray(images)


def gather_nd(images, index) -> tf.Tensor:
    """As ``tf.gather_nd``; of stored images those that are drawn are read, and no others.

    Args:
        images: of :func:`as_drawn`, uint8 [\\*leading, \\*image].
        index: of axes among the leading ones, int [..., axes].

    Returns:
        uint8 [..., \\*image].

    Raises:
        mine.reporting.shards.reading.ShardError: a file is damaged, in eager execution. Within
            graphs TensorFlow makes an error of its own of it, see :func:`plain_errors`.
    """
    if not isinstance(images, StoredImages):
        return tf.gather_nd(images, index)

    def read(index):
        return images[tuple(np.moveaxis(index, -1, 0))].read()

    drawn = tf.numpy_function(read, [index], images.dtype, stateful=False)
    drawn.set_shape([*index.shape[:-1], *images.shape[index.shape[-1] :]])
    return drawn


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Has damage to files, found inside of a graph, raise :class:`ShardError` with its sentence."""
    try:
        yield
    except tf.errors.OpError as error:
        if found := _TOLD.search(error.message):
            raise ShardError(found[1]) from error
        raise

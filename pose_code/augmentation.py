"""Image augmentation: what a photographer could have done differently, drawn anew in each step."""

import math

import keras
import tensorflow as tf

from maml.core.episodes import Episode, fold_in
from maml.regularizers.base import Regularizer
from maml.regularizers.label_augmentation import some_of
from pose_data.tasks import PERIOD

KINDS = ("shift", "scale", "brightness", "cutout", "mirror")
"""Changes of an image, each of which can be chosen."""


class ImageAugmentation(Regularizer):
    """Trains on changed images of the same objects, for every learner alike.

    Each image is changed on its own, but for the mirror, which is of a whole task:

    * shift: by up to ``shift`` of the side, in both directions;
    * scale: larger or smaller by up to the factor 1 + ``scale``;
    * brightness: by up to ``brightness``, and contrast by up to the factor 1 + ``brightness``;
    * cutout: a square of side ``cutout`` becomes grey (DeVries and Taylor 2017,
      arXiv 1708.04552), in half of the images;
    * mirror: left becomes right in half of the tasks, and the angle y becomes -y. The object in the
      mirror is another object, so this doubles the number of training tasks.

    Args:
        kinds: of :data:`KINDS`.
        shift: largest shift, as a share of the side.
        scale: largest relative change of size.
        brightness: largest change of brightness, where white is 1.
        cutout: side of the square, as a share of the images' side.

    Raises:
        ValueError: a kind is unknown.
    """

    compiles = False  # XLA has no kernel for what moves images.

    def __init__(
        self,
        kinds=KINDS,
        shift: float = 0.05,
        scale: float = 0.1,
        brightness: float = 0.15,
        cutout: float = 0.2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise ValueError(
                f"Invalid value for `kinds`: expected some of {', '.join(KINDS)}; received "
                f"{unknown[0]!r}."
            )
        self.kinds = tuple(kinds)
        self.shift, self.scale = shift, scale
        self.brightness, self.cutout = brightness, cutout

    def augment(self, episode, seed):
        if "mirror" in self.kinds:
            episode = some_of(_mirrored(episode), episode, 0.5, fold_in(seed, 0))
        return episode._replace(
            support_x=self._changed(episode.support_x, fold_in(seed, 1)),
            query_x=self._changed(episode.query_x, fold_in(seed, 2)),
        )

    def _changed(self, x, seed):
        """Images [tasks, n, side, side, 1], each with changes of its own."""
        images = tf.reshape(x, [-1, *x.shape[2:]])
        count, side = tf.shape(images)[0], images.shape[1]
        # Six numbers between -1 and 1 for each image, whatever is asked for.
        draw = tf.random.stateless_uniform([6, count], seed, -1.0, 1.0, images.dtype)
        if "shift" in self.kinds or "scale" in self.kinds:
            largest = self.shift * side if "shift" in self.kinds else 0.0
            factor = tf.exp(draw[0] * (math.log1p(self.scale) if "scale" in self.kinds else 0.0))
            images = _moved(images, factor, largest * draw[1], largest * draw[2])
        if "brightness" in self.kinds:
            contrast = tf.exp(draw[3] * math.log1p(self.brightness))
            mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
            images = mean + (images - mean) * _each(contrast)
            images = tf.clip_by_value(images + _each(draw[4] * self.brightness), 0.0, 1.0)
        if "cutout" in self.kinds:
            place = tf.random.stateless_uniform([2, count], fold_in(seed, 1), dtype=images.dtype)
            images = _cut_out(images, place, self.cutout, draw[5] > 0)
        return tf.reshape(images, tf.shape(x))


def _each(values):
    return tf.reshape(values, [-1, 1, 1, 1])


def _mirrored(episode: Episode) -> Episode:
    return Episode(
        tf.reverse(episode.support_x, [3]),
        tf.math.floormod(-episode.support_y, PERIOD),
        tf.reverse(episode.query_x, [3]),
        tf.math.floormod(-episode.query_y, PERIOD),
    )


def _moved(images, factor, down, right):
    """Images [n, side, side, 1] enlarged about their middle, then shifted, in pixels."""
    middle = (images.shape[1] - 1) / 2
    zero, own = tf.zeros_like(factor), 1 / factor
    # Row by row from a place in the result to one in the source.
    rows = [own, zero, middle - own * (middle + right), zero, own, middle - own * (middle + down)]
    transforms = tf.stack([*rows, zero, zero], axis=-1)
    return keras.ops.image.affine_transform(images, transforms, fill_mode="nearest")


def _cut_out(images, place, share, chosen):
    """Images with a square of grey, its corner at ``place`` [2, n] of what there is room for."""
    side = images.shape[1]
    length = round(share * side)
    corner = place * (side - length)
    at = tf.range(side, dtype=images.dtype)
    down, right = (
        tf.logical_and(at >= start[:, tf.newaxis], at < start[:, tf.newaxis] + length)
        for start in tf.unstack(corner)
    )
    inside = tf.logical_and(down[:, :, tf.newaxis], right[:, tf.newaxis, :])[..., tf.newaxis]
    grey = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return tf.where(tf.logical_and(inside, _each(chosen)), grey, images)

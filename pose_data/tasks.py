"""The pose family: each object is a task, its images are inputs, its yaw angle is the label."""

import functools
import hashlib
import itertools
import pathlib

import numpy as np
import tensorflow as tf

from maml.core.episodes import Episode, TaskFamily
from maml.core.stored_images import as_arrays, as_drawn, gather_nd
from mine import reporting
from mine.reporting.inputs.arrays import read_arrays
from mine.reporting.shards.reading import Shards
from mine.reporting.shards.stored import StoredImages, changed, joined
from mine.reporting.tables import counted
from mine.reporting.words import reason
from pose_data import pickles, records

PERIOD = 10.0
"""A full turn, in the label's unit: labels are the normalized angle times ten, as in the papers."""


class PoseTasks(TaskFamily):
    """Yaw regression over rendered objects (Yin et al. 2020, section 6.2).

    Images stay in memory as bytes, or in files; an episode is drawn by index.

    Args:
        images: uint8 [objects, images, height, width]; an array, or
            :class:`mine.reporting.shards.stored.StoredImages`, of which only those that are drawn
            are read.
        angles: yaw over a full turn, in [0, 1], [objects, images].
        shots: support images an episode.
        queries: query images an episode.
        names: one for each object, "class/object"; numbered by default.
        checksums: of each object's images as they were rendered; of ``images`` by default, which
            are then read.

    Raises:
        ValueError: the shapes do not match or are empty, an angle is out of its range, an object
            has too few images, or an episode has no support or no query images.
    """

    def __init__(
        self, images, angles, shots: int = 15, queries: int = 15, names=None, checksums=None
    ):
        images, angles = as_arrays(images), np.asarray(angles, np.float32)
        if images.ndim != 4 or images.dtype != np.uint8 or images.shape[:2] != angles.shape:
            raise ValueError(
                "Invalid `images` or `angles`: expected uint8 images [objects, images, height, "
                f"width] and angles [objects, images]; received {images.dtype} {images.shape} and "
                f"{angles.shape}."
            )
        if not images.size:
            raise ValueError(
                "Invalid `images`: expected one object, one image and one pixel, or more; received "
                f"the shape {images.shape}; render and resize them again."
            )
        _check_unit(angles[..., None], names, "`angles`", "divide radians by 2 pi")
        for name, count in {"shots": shots, "queries": queries}.items():
            if count < 1:
                raise ValueError(
                    f"Invalid value for `{name}`: expected at least 1, received {count}."
                )
        if shots + queries > images.shape[1]:
            raise ValueError(
                f"Invalid values for `shots` and `queries`: expected at most {images.shape[1]} in "
                f"all, the images of an object; received {shots} + {queries}; use fewer, or render "
                "more (--num_images)."
            )
        self.shots, self.queries = shots, queries
        self.num_tasks = images.shape[0]
        self.names = list(names) if names is not None else [str(i) for i in range(self.num_tasks)]
        self.checksums = _checksums(images) if checksums is None else list(checksums)
        self.image_size = images.shape[2]
        self.images = as_drawn(images)
        self.angles = tf.constant(angles)

    @classmethod
    def load(
        cls,
        path,
        split: str | None = None,
        image_size: int | None = None,
        cropped: bool = False,
        **options,
    ):
        """Reads a pickle of :mod:`pose_data.data_gen`, or of the original project, or shards.

        Args:
            path: the pickle, ``[images, labels]``, or a folder of shards, whose images are read,
                cropped and shrunk when they are drawn.
            split: "train" or "val", to read the objects' names from the ``split.json`` beside it.
            image_size: shrink to this side in pixels (a divisor of the side), by averaging.
            cropped: see :func:`crop`; before shrinking.
            **options: of the class.

        Raises:
            pose_data.pickles.PickleError: the file is missing, damaged or not a pickle of arrays.
            ValueError: the file or ``split.json`` has other content.
        """
        path = pathlib.Path(path)
        images, labels, checksums = (_read_shards if path.is_dir() else _read_pickle)(path)
        names = _names(path, split, images) if split else None
        _check_unit(labels, names, f"labels in {path}", "make it again by ./run.sh data")
        if cropped:
            images = changed(images, crop)
        if image_size:
            images = changed(images, functools.partial(shrink, size=image_size))
        # The checksums are the same for runs that crop and shrink differently.
        return cls(images, labels[..., -1], names=names, checksums=checksums, **options)

    def subset(self, chosen) -> "PoseTasks":
        """The family of some of the objects, by number."""
        chosen = np.asarray(chosen, np.int64)
        return PoseTasks(
            as_arrays(self.images)[chosen],
            self.angles.numpy()[chosen],
            self.shots,
            self.queries,
            [self.names[index] for index in chosen],
            [self.checksums[index] for index in chosen],
        )

    def with_shots(self, shots: int) -> "PoseTasks":
        """The same objects, with another number of support images an episode."""
        images, angles = as_arrays(self.images), self.angles.numpy()
        return PoseTasks(images, angles, shots, self.queries, self.names, self.checksums)

    def joined(self, other: "PoseTasks") -> "PoseTasks":
        """The family of these objects and another's, with as many images of each as both have.

        Raises:
            ValueError: images differ in size, or are in memory here and in files there.
        """
        if self.image_size != other.image_size:
            raise ValueError(
                f"Invalid value for `other`: expected images of {self.image_size} pixels; received "
                f"{other.image_size} pixels; render both sets alike, or give image_size."
            )
        count = min(self.images.shape[1], other.images.shape[1])
        images = joined([as_arrays(of.images)[:, :count] for of in (self, other)])
        angles = np.concatenate([of.angles.numpy()[:, :count] for of in (self, other)])
        names = [*self.names, *other.names]
        checksums = [*self.checksums, *other.checksums]
        return PoseTasks(images, angles, self.shots, self.queries, names, checksums)

    def object_images(self, number: int) -> np.ndarray:
        """All images of one object, by its number, uint8 [images, height, width]."""
        images = as_arrays(self.images)[number]
        return images.read() if isinstance(images, StoredImages) else images

    def episodes(self, tasks, seed):
        tasks = tf.cast(tasks, tf.int32)
        shape = [tf.shape(tasks)[0], self.images.shape[1]]
        order = tf.argsort(tf.random.stateless_uniform(shape, seed), axis=1)
        chosen = order[:, : self.shots + self.queries]
        index = tf.stack([tf.broadcast_to(tasks[:, tf.newaxis], tf.shape(chosen)), chosen], axis=-1)
        x = tf.cast(gather_nd(self.images, index), tf.float32)[..., tf.newaxis] / 255
        y = tf.gather_nd(self.angles, index)[..., tf.newaxis] * PERIOD
        k = self.shots
        return Episode(x[:, :k], y[:, :k], x[:, k:], y[:, k:])


def _read_pickle(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images, labels, and checksums of the images of each object."""
    content = pickles.load(path)
    records.check_beside_split(path)
    try:
        images, labels = content
        images = np.stack([np.stack(of_object) for of_object in images])
        labels = np.stack([np.asarray(of_object, np.float64) for of_object in labels])
        _check_fit(images, labels)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(
            f"Invalid file {path}: expected [images, labels] with the same number of images "
            f"for each object; received another content ({reason(error)}); make it again by "
            "data_gen.py."
        ) from error
    if images.ndim == 5:  # Colour, as the original leaves it without resize_images.
        images = images[..., :3].mean(axis=-1).astype(np.uint8)
    return images, labels, _checksums(images)


def _read_shards(path: pathlib.Path) -> tuple[StoredImages, np.ndarray, list[str]]:
    """The same of a folder, whose images are not read yet."""
    manifest, remedy = path.with_name(records.SPLIT), "make both again by data_gen.py --shards"
    content = records.read_split(manifest) if manifest.exists() else {}
    index = content.get(records.SHARDS, {}).get(path.name)
    if index is None:
        raise records.RecordError(
            f"Invalid folder {path}: expected a {records.SPLIT} beside it that describes its "
            f"files; received {'another' if content else 'none'}; {remedy}, or name a pickle."
        )
    shards = Shards(path, index, remedy)
    file = path / pathlib.PurePath(index[records.LABELS]).name
    try:
        labels = read_arrays(file)
        checksum = content.get(records.SHA256, {}).get(f"{path.name}/{file.name}")
        if checksum is not None and reporting.file_sha256(file) != checksum:
            raise ValueError(f"other content than that of its checksum in {records.SPLIT}")
        if not isinstance(labels, np.ndarray) or labels.dtype.kind != "f" or labels.ndim != 3:
            raise ValueError("another content")
        images = StoredImages.of(shards, labels.shape[:2])
        _check_fit(images, labels)
    except (OSError, ValueError) as error:
        raise records.RecordError(
            f"Invalid file {file}: expected labels [objects, images, numbers] of the images beside "
            f"it; received {reason(error)}; {remedy}."
        ) from error
    return images, labels, shards.checksums


def _check_fit(images, labels: np.ndarray) -> None:
    """Raises ValueError, with the reason, unless images and labels are as a pickle has them."""
    if images.ndim not in (4, 5) or images.dtype != np.uint8 or not images.size:
        raise ValueError(f"images are {images.dtype} {images.shape}")
    if labels.ndim != 3 or labels.shape[:2] != images.shape[:2] or not labels.size:
        raise ValueError(f"images {images.shape} have labels {labels.shape}")


def _check_unit(labels: np.ndarray, names, what: str, remedy: str) -> None:
    """Refuses labels [objects, images, dim] that are not in [0, 1], with the first of them."""
    inside = (labels >= -records.SLACK) & (labels <= 1 + records.SLACK)  # Not true of NaN.
    if not inside.all():
        index, image, _ = place = tuple(np.argwhere(~inside)[0])
        name = f"object {index}" if names is None else f"object {names[index]}"
        raise ValueError(
            f"Invalid {what}: expected values in [0, 1], a full turn being 1; received "
            f"{labels[place]:g} for image {image} of {name}; {remedy}."
        )


def _names(path: pathlib.Path, split: str, images: np.ndarray) -> list[str] | None:
    """The names of a pickle's objects; None where no `split.json` tells them."""
    manifest = path.with_name(records.SPLIT)
    if not manifest.exists():
        return None
    content = records.read_split(manifest)
    names = content[split]
    if len(names) != len(images):
        raise ValueError(
            f"Invalid file {manifest}: expected a name for each object of {path.name}, which "
            f"holds {counted(len(images), 'object')}; received {counted(len(names), 'name')}; make "
            "both again by data_gen.py."
        )
    for name, found in (("num_images", images.shape[1]), ("image_shape", [*images.shape[2:4]])):
        if content.get(name, found) != found:
            raise ValueError(
                f"Invalid file {manifest}: expected the {name} of {path.name}, {found}; received "
                f"{content[name]}; make both again by data_gen.py."
            )
    return names


def _checksums(images) -> list[str]:
    parts = (of.read() if isinstance(of, StoredImages) else of for of in images)
    return [hashlib.sha256(np.ascontiguousarray(of)).hexdigest() for of in parts]


def cropped_side(side: int) -> int:
    """The side of what :func:`crop` leaves of images of this side, in pixels."""
    return 80 * side // 128


def crop(images: np.ndarray) -> np.ndarray:
    """The part of an image that objects fill: images [..., side, side] -> 5/8 of the side.

    The camera and the longest side of objects are fixed, so the same window serves all of them. It
    cuts corners and shadows of those that are as wide as long, 1.6 % of what changes in an image at
    most among the models of PASCAL3D+.
    """
    side = images.shape[-1]
    top, left, size = 14 * side // 128, 24 * side // 128, cropped_side(side)
    return np.ascontiguousarray(images[..., top : top + size, left : left + size])


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Averages square blocks of uint8 images [..., side, side] down to [..., size, size].

    Raises:
        ValueError: ``size`` does not divide the images' side.
    """
    side = images.shape[-1]
    if images.shape[-2] != side or side % size:
        raise ValueError(
            "Invalid value for `image_size`: expected a divisor of the side of square images; "
            f"received {size} for images of {images.shape[-2]} x {side}; give "
            "another image_size, or 0 to keep the size."
        )
    if side == size:
        return images
    step = side // size
    # Place after place in all blocks at once, which is faster than a mean of each block.
    total = np.zeros((*images.shape[:-2], size, size), np.uint32)
    for row, column in itertools.product(range(step), repeat=2):
        total += images[..., row::step, column::step]
    return np.round(total / step**2).astype(np.uint8)

"""Objects that look alike from several sides, so that images do not determine their angle."""

import numpy as np
from scipy.spatial.distance import pdist, squareform

from pose_data.tasks import PoseTasks

TURNS = (1 / 4, 1 / 2, 3 / 4)
"""Of a full turn: the symmetries of tables, cars and houses."""

ALIKE = 0.35
"""An object whose :func:`asymmetry` is below looks alike from several sides."""


def asymmetry(images: np.ndarray, angles: np.ndarray) -> float:
    """How different an object looks after the turn that changes its image least.

    The mean distance between each image and the one whose angle is nearest to its own plus the
    turn, over the mean distance between images of any angles. About 1 where all sides differ; near
    0 for an object with a symmetry, and the fewer images there are the farther from it.

    Args:
        images: of one object, uint8 [images, height, width].
        angles: yaw over a full turn, [images].
    """
    distance = squareform(pdist(images.reshape(len(images), -1)))
    away = [np.abs((angles - angles[:, np.newaxis] - turn + 0.5) % 1 - 0.5) for turn in TURNS]
    turned = [np.take_along_axis(distance, of.argmin(1)[:, np.newaxis], 1).mean() for of in away]
    others = distance.sum() / (len(images) * (len(images) - 1))
    return float(min(turned) / others)


def asymmetries(tasks: PoseTasks) -> dict[str, float]:
    """:func:`asymmetry` of each object, by name."""
    parts = enumerate(zip(tasks.names, tasks.angles.numpy(), strict=True))
    return {name: asymmetry(tasks.object_images(i), angles) for i, (name, angles) in parts}

"""Pose regression as a registered task: splits, networks, heads, scores by object, pictures."""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from maml.core.checks import check_whole
from maml.core.label_transforms import LabelOffset
from maml.core.metrics import Metric
from maml.core.options import distinct
from maml.core.registry import TASKS
from maml.distributions.circular import CircularHead
from maml.distributions.metrics import MSE
from maml.tasks.problem import Problem
from mine.reporting.tables import counted
from pose_code import plots
from pose_code.augmentation import KINDS, ImageAugmentation
from pose_code.data import describe, load_splits
from pose_code.networks import pose_networks
from pose_data.tasks import PERIOD


def angular_error(prediction, y) -> tf.Tensor:
    """Angle between the best answer and the label, the short way round, in degrees, [..., n]."""
    difference = tf.math.floormod(prediction.mode() - y + PERIOD / 2, PERIOD) - PERIOD / 2
    return tf.abs(difference[..., 0]) * 360 / PERIOD


METRICS = (MSE, Metric("angle", angular_error))
"""Squared error of the expected label (times ten, not wrapped: as in the papers), and degrees.

The first asks for one number, as the papers do: where an answer is spread around the seam, angle 0,
that number lies between the ends of the range, far from the label. Degrees know no seam.
"""


class PoseProblem(Problem):
    """Pose regression: scores by object, at other numbers of support images, and pictures."""

    def __init__(self, *args, other_shots: Sequence[int] = (), **kwargs):
        super().__init__(*args, **kwargs)
        shots = distinct(other_shots, "other_shots") if other_shots else ()
        object.__setattr__(self, "other_shots", shots)
        for shots in self.other_shots:
            self.test.with_shots(shots)  # Refuses more than there are images.

    def summarize(self, scores, family):
        """As of :class:`Problem`; of angles also the median, and scores of each object.

        ``median`` is over all queries, and ``within_30`` and ``beyond_150`` are the shares of
        answers within 30 and beyond 150 degrees of the truth: about right, and half a turn off.
        """
        summary = super().summarize(scores, family)
        for name in ("angle", "no_support_angle"):
            summary[name]["median"] = float(np.median(scores[name]))
            summary[name]["within_30"] = float(np.mean(scores[name] < 30))
            summary[name]["beyond_150"] = float(np.mean(scores[name] > 150))
        scored = family.spaced(len(scores["mse"]))  # Perhaps not all.
        summary["objects"] = {
            family.names[number]: {of: float(scores[of][i].mean()) for of in ("mse", "angle")}
            for i, number in enumerate(scored)
        }
        return summary

    def further_scores(self, score):
        """``shots``: scores of test objects at other numbers of support images."""
        families = {shots: self.test.with_shots(shots) for shots in self.other_shots}
        return {
            "shots": {
                str(shots): self.summarize(
                    score(family, f"scoring with {counted(shots, 'shot')}"), family
                )
                for shots, family in families.items()
            }
        }

    def draw(self, learner, history, record, folder):
        plots.predictions(learner, self.test, folder / "predictions.png")


@TASKS.register("pose")
def pose(
    data_dir: str = ".",
    shots: int = 15,
    queries: int = 15,
    image_size: int = 0,
    cropped: bool = False,
    num_validation: int = 0,
    extra_data_dir: str = "",
    image_augmentation: Sequence[str] = (),
    other_shots: Sequence[int] = (),
) -> Problem:
    """Yaw of rendered objects (Yin et al. 2020, section 6.2), ten label units to a full turn.

    Args:
        data_dir: folder of ``train_data`` and ``val_data``, of :mod:`pose_data.data_gen`: pickles,
            or folders of shards, for sets larger than memory.
        shots: support images of an episode.
        queries: query images of an episode.
        image_size: side that images are shrunk to, in pixels; 0: as stored.
        cropped: whether images are cut to the part an object can reach, before they are shrunk.
        num_validation: objects of ``train_data`` that are not trained on, to choose
            hyper-parameters by.
        extra_data_dir: folder of another ``train_data`` of the same form: its objects are trained
            on as well, unless they are held out. Empty: none.
        image_augmentation: changes of training images, drawn anew in each step: of
            :data:`pose_code.augmentation.KINDS`, or ``all`` or ``none``.
        other_shots: numbers of support images to score test objects at as well.

    Raises:
        ValueError: a file is missing or unfit, there are too few objects, or a number is too small.
    """
    check_whole(1, shots=shots, queries=queries)
    families = load_splits(
        data_dir, shots, queries, image_size, cropped, num_validation, extra_data_dir
    )
    kinds = {("all",): KINDS, ("none",): ()}.get(tuple(image_augmentation), image_augmentation)
    return PoseProblem(
        description="yaw of rendered objects, ten label units to a full turn",
        train=families["train"],
        validation=families.get("validation"),
        test=families["test"],
        head=CircularHead(PERIOD, 60),
        build_networks=functools.partial(pose_networks, families["train"].image_size),
        label_transform=LabelOffset(PERIOD),
        metrics=METRICS,
        # In their own orientations objects of a class face one way, so an image tells much.
        mutually_exclusive=False,
        head_defaults={
            "normal": {"bounds": (-1.0, PERIOD + 1.0)},
            "circular": {"knots": 60},
            "von_mises": {"harmonics": 2, "knots": 60},
        },
        augmentations=(ImageAugmentation(tuple(kinds)),) if kinds else (),
        data=describe(families),
        monitored=tuple(families),
        other_shots=other_shots,
    )

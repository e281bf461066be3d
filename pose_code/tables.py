"""What the pose study compares: its tables, their rows, and what each row may choose from."""

import dataclasses
from typing import NamedTuple

from maml.studies.choosing import each


class Both(NamedTuple):
    """A row that does what two others of its table do, each as it was chosen."""

    first: str
    second: str


@dataclasses.dataclass(frozen=True)
class Table:
    """Runs that differ in one thing.

    Attributes:
        about: what it compares, in words.
        base: options of :class:`pose_code.config.Config` of all rows, beside the preset's.
        rows: name -> the options it may choose from, by the error on validation objects; or what it
            puts together.
        seeds: at most so many.
    """

    about: str
    base: dict
    rows: dict[str, list[dict] | Both]
    seeds: int = 5


_LABELS = {"regularizer": "mine", "mi_target": "label"}
_PREDICTIONS = {"regularizer": "mine", "mi_target": "prediction"}
_WEIGHTS = {"regularizer": "weights"}

NOTHING, LABELS = "nothing", "information on labels"

MEASURES = {
    NOTHING: [{"regularizer": "none"}],
    "weight decay": each("l2_weight", [1e-4, 1e-3, 1e-2], regularizer="decay"),
    "MR-W": each("kl_weight", [1e-6, 1e-5, 1e-4], **_WEIGHTS, kl_layers="embedding"),
    "MR-W, all weights": each("kl_weight", [1e-6, 1e-5, 1e-4], **_WEIGHTS, kl_layers="all"),
    "MR-A": each("bottleneck_weight", [1e-3, 1e-2, 1e-1], regularizer="activations"),
    "label augmentation": each("augment_probability", [0.5, 0.8], regularizer="augment"),
    "information on predictions": each("mi_weight", [0.1, 0.3, 1.0], **_PREDICTIONS),
    LABELS: each("mi_weight", [0.3, 1.0, 3.0], **_LABELS),
    "MR-W and information on labels": Both("MR-W", LABELS),
    "MR-A and information on labels": Both("MR-A", LABELS),
}
"""Measures against memorization. Weights' information (MR-W) is of the image tower as in Yin et al.
2020; the information on predictions has a free critic (MINE)."""

COMMON = {"num_validation": 6, "other_shots": "5", "shots": 15, "queries": 15}
"""Options of all tables, whatever the preset: the same objects and episodes for every learner."""

TABLES = {
    "cnp": Table("Measures against memorization: attentive CNP", {"learner": "acnp"}, MEASURES),
    "maml": Table(
        "Measures against memorization: MAML",
        {"learner": "maml", "shared_tower": True},
        {name: MEASURES[name] for name in (NOTHING, "label augmentation", LABELS)}
        | {"MR-W": each("kl_weight", [1e-6, 1e-5, 1e-4], **_WEIGHTS, kl_layers="tower")},
        seeds=3,
    ),
}

"""What the pose study compares: its tables, their rows, and what each row may choose from."""

from maml.experiments.selection import each
from maml.experiments.tables import Both, Table
from pose_code.augmentation import KINDS

_LABELS = {"regularizer": "mine", "mi_target": "label"}
_PREDICTIONS = {"regularizer": "mine", "mi_target": "prediction"}
_WEIGHTS = {"regularizer": "weights"}

NOTHING, LABELS = "nothing", "information on labels"
_BOTH = f"MR-A and {LABELS}"

MEASURES = {
    NOTHING: [{"regularizer": "none"}],
    "weight decay": each("l2_weight", [1e-5, 1e-4, 1e-3], regularizer="decay"),
    "MR-W": each("kl_weight", [1e-6, 1e-5, 1e-4, 1e-3], **_WEIGHTS, kl_layers="embedding"),
    "MR-W, all weights": each("kl_weight", [1e-6, 1e-5], **_WEIGHTS, kl_layers="all"),
    "MR-A": each("bottleneck_weight", [1e-4, 1e-3, 1e-2, 1e-1], regularizer="activations"),
    "label augmentation": each("augment_probability", [0.1, 0.25, 0.5, 0.8], regularizer="augment"),
    "information on predictions": each("mi_weight", [0.1, 0.3, 1.0], **_PREDICTIONS),
    LABELS: [
        *each("mi_weight", [0.3, 1.0, 3.0], **_LABELS),
        *each("mi_weight", [0.3, 1.0], **_LABELS, mi_draws=32),
    ],
    "MR-W and information on labels": Both("MR-W", LABELS),
    _BOTH: Both("MR-A", LABELS),
}
"""Measures against memorization. Weights' information (MR-W) is of the image tower as in Yin et al.
2020; the information on predictions has a free critic (MINE)."""

_LABELS_1 = _LABELS | {"mi_weight": 1.0}
_FREE = _PREDICTIONS | {"mi_weight": 0.3}
_LABELS_32 = _LABELS_1 | {"mi_draws": 32}
_BOTH_32 = _LABELS_32 | {"regularizer": "activations,mine", "bottleneck_weight": 1e-3 / 3}

CHOSEN = {
    NOTHING: [{"regularizer": "none"}],
    "weight decay": [{"regularizer": "decay", "l2_weight": 1e-5}],
    "MR-W": [_WEIGHTS | {"kl_weight": 1e-4, "kl_layers": "embedding"}],
    "MR-W, all weights": [_WEIGHTS | {"kl_weight": 1e-6, "kl_layers": "all"}],
    "MR-A": [{"regularizer": "activations", "bottleneck_weight": 1e-3}],
    "label augmentation": [{"regularizer": "augment", "augment_probability": 0.1}],
    "information on predictions": [_FREE],
    LABELS: [_LABELS_32],
    "MR-W and information on labels": [
        _LABELS_32
        | {"regularizer": "weights,mine", "kl_weight": 1e-4 / 3, "kl_layers": "embedding"}
    ],
    _BOTH: [_BOTH_32],
}
"""The measures as validation objects chose them on real CAD models in random orientations."""

BEST = {name: CHOSEN[name] for name in (NOTHING, "label augmentation", LABELS, _BOTH)}
"""The best measures there, and none."""

LONGER_WARMUP = {
    f"{_BOTH}, 4,000 steps of warm-up": [_BOTH_32 | {"mi_weight": 3.0, "mi_warmup": 4000}]
}
"""A weight under which training stays on the plateau of a constant, unless it comes late."""

FORMS = {
    NOTHING: [{"regularizer": "none"}],
    **{
        f"labels, Barber-Agakov, {draws} of a task in a step": [_LABELS_1 | {"mi_draws": draws}]
        for draws in (1, 8, 32)
    },
    "8 of a task, from the first step on": [_LABELS_1 | {"mi_draws": 8, "mi_warmup": 0}],
    "8 of a task, up to 1 nat": [_LABELS_1 | {"mi_draws": 8, "mi_cap": 1.0}],
    "labels, contrastive (plug-in)": [_LABELS_1 | {"mi_bound": "plugin"}],
    "labels, MINE": [_LABELS_1 | {"mi_bound": "mine"}],
    "labels, Jensen-Shannon": [_LABELS_1 | {"mi_bound": "js"}],
    "predictions, MINE": [_FREE],
    "predictions, Jensen-Shannon": [_FREE | {"mi_bound": "js"}],
    f"linear head: {NOTHING}": [{"regularizer": "none", "head": "linear"}],
    **{
        f"linear head: predictions, MINE, {name}": [_FREE | {"head": "linear"} | options]
        for name, options in {
            "bounded outputs": {"mi_power_penalty": 0.0},
            "power budget": {"bound_outputs": False},
            "bounded outputs, power budget": {},
        }.items()
    },
}
"""Forms of the information, each at one strength; so many relabellings of a task in a step. What
a free critic is paid for, a density on the circle bounds; a linear head needs a budget."""


def _twice(rows: dict[str, dict]) -> dict[str, list[dict]]:
    """Each tool without a measure against memorization, and with ours."""
    measures = {NOTHING: {"regularizer": "none"}, LABELS: _LABELS_1}
    return {
        f"{name}: {measure}": [options | given]
        for name, options in rows.items()
        for measure, given in measures.items()
    }


TOOLS = _twice(
    {
        "as in the other tables": {},
        "mean over shots (CNP) in place of attention": {"learner": "cnp"},
        "circle head (a category every 6°)": {"head": "circle", "knots": 60},
        "von Mises head (cos, sin)": {"harmonics": 1},
        "linear head": {"head": "linear"},
        "no normalisation": {"embedding_normalization": "none"},
        "normalisation of the batch": {"embedding_normalization": "batch"},
        **{
            f"image augmentation: {kind}": {"image_augmentation": kind}
            for kind in ("none", *KINDS, "all")
        },
    }
) | {
    f"{name}: {NOTHING}": [{"regularizer": "none", "learner": "relative"} | options]
    for name, options in {
        "relative learner": {},
        "relative learner, no image augmentation": {"image_augmentation": "none"},
    }.items()
}
"""Tools that help every measure alike. A relative learner cannot memorize: relabelling teaches it
nothing."""

COMMON = {"num_validation": 6, "other_shots": "5", "shots": 15}
"""Options of all tables, whatever the preset: the same objects and shots for every learner."""

TABLES = {
    "cnp": Table("Measures against memorization: attentive CNP", {"learner": "acnp"}, MEASURES),
    "chosen": Table(
        "Measures against memorization, at the strengths chosen on random orientations",
        {"learner": "acnp"},
        CHOSEN,
        seeds=3,
    ),
    "maml": Table(
        "Measures against memorization: MAML",
        {"learner": "maml", "shared_tower": True},
        {
            NOTHING: [{"regularizer": "none"}],
            "MR-W": each("kl_weight", [1e-5, 1e-4], **_WEIGHTS, kl_layers="tower"),
            "label augmentation": each("augment_probability", [0.25, 0.5], regularizer="augment"),
            LABELS: each("mi_weight", [0.3, 1.0], **_LABELS),
        },
        seeds=3,
    ),
    "longer": Table(
        "The best measures against memorization, trained longer",
        {"learner": "acnp", "steps": 16_000},
        BEST | LONGER_WARMUP,
        seeds=3,
    ),
    "information": Table(
        "Forms of the information", {"learner": "acnp", "steps": 4000}, FORMS, seeds=4
    ),
    "tools": Table("Tools for every measure", {"learner": "acnp", "steps": 4000}, TOOLS, seeds=1),
}


def more_objects(folder: str) -> Table:
    """Trains on the objects of another folder as well.

    The more objects, the longer a network takes to leave the plateau of a constant. The information
    at full weight may keep it there, so a row has a longer warm-up.
    """
    rows = BEST | {
        f"{LABELS}, 4,000 steps of warm-up": [_LABELS_32 | {"mi_warmup": 4000}],
        "relative learner": [{"regularizer": "none", "learner": "relative"}],
    }
    given = {"learner": "acnp", "extra_data_dir": folder}
    return Table("More objects to train on", given, rows, seeds=3)

"""What the pose study compares: its tables, their rows, and what each row may choose from."""

from maml.experiments.selection import each
from maml.experiments.study import Both, Table
from mine.reporting.tables import counted
from pose_code.augmentation import KINDS

_DEFAULT = {"regularizer": "label_mi"}
_LABELS = _DEFAULT | {"warmup": 500, "warmup_nats": 0.0}
"""What :func:`each` takes for Label-MI with the warm-up of before 2026-11-30, whose weight did not
wait for what is learned."""
_PREDICTIONS = {"regularizer": "prediction_mi"}
_WEIGHTS = {"regularizer": "mr_w"}

NONE, LABEL_MI = "none", "Label-MI"
_BOTH = f"MR-A + {LABEL_MI}"

REGULARIZERS = {
    NONE: [{"regularizer": "none"}],
    "weight decay": each("weight", [1e-5, 1e-4, 1e-3], regularizer="weight_decay"),
    "MR-W": each("weight", [1e-6, 1e-5, 1e-4, 1e-3], **_WEIGHTS, layers=("embedding",)),
    "MR-W, all weights": each("weight", [1e-6, 1e-5], **_WEIGHTS, layers=("all",)),
    "MR-A": each("weight", [1e-4, 1e-3, 1e-2, 1e-1], regularizer="mr_a"),
    "label augmentation": each(
        "probability", [0.1, 0.25, 0.5, 0.8], regularizer="label_augmentation"
    ),
    "Prediction-MI (MINE)": each("weight", [0.1, 0.3, 1.0], **_PREDICTIONS),
    LABEL_MI: [
        *each("weight", [0.3, 1.0, 3.0], **_LABELS, num_relabelings=8),
        *each("weight", [0.3, 1.0], **_LABELS, num_relabelings=32),
    ],
    "MR-W + Label-MI": Both("MR-W", LABEL_MI),
    _BOTH: Both("MR-A", LABEL_MI),
}
"""Regularizers. MR-W is of the image tower as in Yin et al. 2020."""

(_LABELS_1,) = each("weight", [1.0], **_LABELS, num_relabelings=8)
_MINE = _PREDICTIONS | {"prediction_mi.weight": 0.3}
_LABELS_32 = _LABELS_1 | {"label_mi.num_relabelings": 32}
_BOTH_32 = _LABELS_32 | {"regularizer": "mr_a,label_mi", "mr_a.weight": 1e-3 / 3}

CHOSEN = {
    NONE: [{"regularizer": "none"}],
    "weight decay": [{"regularizer": "weight_decay", "weight_decay.weight": 1e-5}],
    "MR-W": [_WEIGHTS | {"mr_w.weight": 1e-4, "mr_w.layers": ("embedding",)}],
    "MR-W, all weights": [_WEIGHTS | {"mr_w.weight": 1e-6, "mr_w.layers": ("all",)}],
    "MR-A": [{"regularizer": "mr_a", "mr_a.weight": 1e-3}],
    "label augmentation": [
        {"regularizer": "label_augmentation", "label_augmentation.probability": 0.1}
    ],
    "Prediction-MI (MINE)": [_MINE],
    LABEL_MI: [_LABELS_32],
    "MR-W + Label-MI": [
        _LABELS_32
        | {"regularizer": "mr_w,label_mi", "mr_w.weight": 1e-4 / 3, "mr_w.layers": ("embedding",)}
    ],
    _BOTH: [_BOTH_32],
    f"{LABEL_MI}, default": [_DEFAULT],
    f"{_BOTH}, default": [{"regularizer": "mr_a,label_mi"}],
}
"""The strengths that validation objects chose on real CAD models in random orientations, and the
defaults of the library, which need no choice."""

BEST = {name: CHOSEN[name] for name in (NONE, "label augmentation", LABEL_MI, _BOTH)}
"""The best regularizers there, and none."""

LONGER_WARMUP = {
    f"{_BOTH}, 4,000 steps of warm-up": [
        _BOTH_32 | {"label_mi.weight": 3.0, "label_mi.warmup": 4000}
    ]
}
"""A weight under which training stays on the plateau of a constant, unless it comes late."""

FORMS = {
    NONE: [{"regularizer": "none"}],
    **{
        f"Label-MI (ba), {counted(count, 'relabeling')}": [
            _LABELS_1 | {"label_mi.num_relabelings": count}
        ]
        for count in (1, 8, 32)
    },
    "Label-MI (ba), 8 relabelings, no warm-up": [
        _LABELS_1 | {"label_mi.num_relabelings": 8, "label_mi.warmup": 0}
    ],
    "Label-MI (ba), 8 relabelings, cap 1 nat": [
        _LABELS_1 | {"label_mi.num_relabelings": 8, "label_mi.cap": 1.0}
    ],
    "Label-MI (plugin)": each("weight", [1.0], **_LABELS, bound="plugin"),
    "Label-MI (mine)": [_LABELS_1 | {"label_mi.bound": "mine"}],
    "Label-MI (js)": [_LABELS_1 | {"label_mi.bound": "js"}],
    "Prediction-MI (MINE)": [_MINE],
    "Prediction-MI (js)": [_MINE | {"prediction_mi.bound": "js"}],
    f"normal head: {NONE}": [{"regularizer": "none", "head": "normal"}],
    **{
        f"normal head: Prediction-MI (MINE), {name}": [_MINE | {"head": "normal"} | options]
        for name, options in {
            "bounded outputs": {"prediction_mi.power_penalty": 0.0},
            "power penalty": {"head.bounds": None},
            "bounded outputs, power penalty": {},
        }.items()
    },
}
"""Forms of the information terms, each at one strength. A density on the circle bounds what a
critic sees; a normal head needs bounds or a penalty on its power."""


def _twice(rows: dict[str, dict]) -> dict[str, list[dict]]:
    """Each tool without a regularizer, and with Label-MI."""
    regularizers = {NONE: {"regularizer": "none"}, LABEL_MI: _LABELS_1}
    return {
        f"{name}: {regularizer}": [options | given]
        for name, options in rows.items()
        for regularizer, given in regularizers.items()
    }


TOOLS = _twice(
    {
        "as in the other tables": {},
        "mean over shots (CNP) in place of attention": {"learner": "cnp"},
        "circular head (a category every 6°)": {"head": "circular", "head.knots": 60},
        "von Mises head (cos, sin)": {"head": "von_mises", "head.harmonics": 1},
        "normal head": {"head": "normal"},
        "no normalization": {"network.embedding_normalization": "none"},
        "batch normalization": {"network.embedding_normalization": "batch"},
        **{
            f"image augmentation: {kind}": {"task.image_augmentation": (kind,)}
            for kind in ("none", *KINDS, "all")
        },
    }
) | {
    f"{name}: {NONE}": [{"regularizer": "none", "learner": "relative"} | options]
    for name, options in {
        "Relative CNP": {},
        "Relative CNP, no image augmentation": {"task.image_augmentation": ("none",)},
    }.items()
}
"""Tools that help every regularizer alike. A Relative CNP cannot memorize: relabeling teaches
it nothing."""

_EMBEDDED = {
    "learner": "metasgd", "network.shared_tower": True, "network.hidden": (128, 128),
    "network.dim_w": 64, "learner.inner_lr": 0.01, "learner.inner_steps": 1,
    "learner.test_inner_steps": 1,
}  # fmt: skip
"""A learner that adapts by gradient and overfits to its training objects: dense layers take one
step, at rates that are learned, behind features that all tasks share."""

PAPER = {
    name: CHOSEN[name] for name in (NONE, "MR-W", "label augmentation", f"{LABEL_MI}, default")
} | {f"MR-W + {LABEL_MI}, default": [CHOSEN["MR-W"][0] | {"regularizer": "mr_w,label_mi"}]}
"""Rows for images, network and batches of the paper's size: nothing is chosen anew."""

PAPER_MAML = {name: PAPER[name] for name in PAPER if "MR-W" not in name}
"""The same for a network that adapts as a whole: its image tower has no layer of the name."""

COMMON = {
    "task.num_validation": 6, "task.other_shots": (5,), "task.shots": 15,
}  # fmt: skip
"""Options of all tables, whatever the preset: the same objects and shots for every learner."""

TABLES = {
    "cnp": Table("Regularizers: attentive CNP", {"learner": "acnp"}, REGULARIZERS),
    "chosen": Table(
        "Regularizers, at the strengths chosen on random orientations",
        {"learner": "acnp"},
        CHOSEN,
        seeds=3,
    ),
    "maml": Table(
        "Regularizers: MAML",
        {"learner": "maml", "network.shared_tower": True},
        {
            NONE: [{"regularizer": "none"}],
            "MR-W": each("weight", [1e-5, 1e-4], **_WEIGHTS, layers=("tower",)),
            "label augmentation": each(
                "probability", [0.25, 0.5], regularizer="label_augmentation"
            ),
            LABEL_MI: each("weight", [0.3, 1.0], **_LABELS | {"warmup": 200}),
        },
        seeds=3,
    ),
    "metasgd": Table(
        "Regularizers: Meta-SGD behind the CNP's image tower",
        _EMBEDDED,
        {
            NONE: [{"regularizer": "none"}],
            "label augmentation": [
                {"regularizer": "label_augmentation", "label_augmentation.probability": 0.25}
            ],
            LABEL_MI: [_DEFAULT | {"label_mi.num_relabelings": 8}],
        },
        seeds=3,
    ),
    "longer": Table(
        "The best regularizers, trained longer",
        {"learner": "acnp", "steps": 16_000},
        BEST | LONGER_WARMUP,
        seeds=3,
    ),
    # For --preset=paper. Its 140,000 steps are cut, and convolutions are of half precision: the
    # losses of the first steps agree.
    "paper": Table(
        "Regularizers at the paper's size",
        {
            "learner": "cnp",
            "network.precision": "mixed_bfloat16",
            "steps": 5_000,
            "steps_per_epoch": 1000,
        },
        PAPER,
        seeds=1,
    ),
    # As in the authors' script, a task has ten images and ten; 10,000 steps take hours on CPUs.
    "paper_maml": Table(
        "Regularizers at the paper's size: MAML",
        {
            "learner": "maml",
            "network.precision": "mixed_bfloat16",
            "task.shots": 10,
            "steps_per_epoch": 1000,
        },
        PAPER_MAML,
        seeds=1,
    ),
    "information": Table(
        "Forms of the information", {"learner": "acnp", "steps": 4000}, FORMS, seeds=4
    ),
    "tools": Table(
        "Tools for every regularizer", {"learner": "acnp", "steps": 4000}, TOOLS, seeds=1
    ),
}


def more_objects(folder: str) -> Table:
    """Trains on the objects of another folder as well.

    The more objects, the longer a network takes to leave the plateau of a constant. The information
    at full weight may keep it there, so a row has a longer warm-up.
    """
    rows = BEST | {
        f"{LABEL_MI}, default": [_DEFAULT],
        f"{LABEL_MI}, 4,000 steps of warm-up": [_LABELS_32 | {"label_mi.warmup": 4000}],
        "Relative CNP": [{"regularizer": "none", "learner": "relative"}],
    }
    given = {"learner": "acnp", "task.extra_data_dir": folder}
    return Table("More objects to train on", given, rows, seeds=3)

"""Presets of the pose experiment: options with dotted names, by the kind of a learner's network.

An option of a component that is not chosen is left out, see :meth:`maml.experiments.Config.of`.
"""

from maml.core.registry import LEARNERS

DEFAULTS = {
    "task": "pose", "learner": "cnp", "learner.interaction": 64, "meta_batch_size": 10,
    "steps": 2000, "steps_per_epoch": 100, "episodes_per_task": 40, "eval_batch_size": 16,
    "num_validation_batches": 3,
    # More than there are objects: all are scored.
    "num_validation_tasks": 1_000_000, "num_test_tasks": 1_000_000,
}  # fmt: skip
"""Of all presets."""

_CPU = {
    "task.cropped": True, "task.image_size": 40, "network.embedding_normalization": "layer",
    "task.image_augmentation": ("shift", "scale", "brightness"), "head": "von_mises",
    "head.knots": 360, "task.queries": 5, "meta_batch_size": 4, "meta_lr_decay": True,
}  # fmt: skip

# Trainings that are hardly longer than the plateau of a constant cannot wait until it is left.
_SHORT = {"label_mi.weight": 0.5, "label_mi.warmup_nats": 0.0}

PRESETS = {
    # Of ./run.sh: small images, so that three methods train in minutes on two cores.
    "quick": {
        "embedding": {
            "task.cropped": True, "task.image_size": 40, "task.shots": 5, "task.queries": 5,
            "meta_batch_size": 16, "steps": 2000, "episodes_per_task": 20,
            "label_mi.warmup": 500, "prediction_mi.warmup": 500, **_SHORT,
        },
        # Networks that adapt are smaller, since they train for longer.
        "network": {
            "task.cropped": True, "task.image_size": 40, "network.dim_w": 196,
            "network.filters": 16, "task.shots": 5, "task.queries": 5, "meta_batch_size": 4,
            "steps": 500, "episodes_per_task": 5,
            "label_mi.warmup": 100, "prediction_mi.warmup": 100, **_SHORT,
        },
    },
    # Of ./run.sh pose. Small batches and more steps of them reach a lower error in the same time.
    "cpu": {
        "embedding": _CPU | {
            "steps": 8000, "steps_per_epoch": 1000, "label_mi.num_relabelings": 32,
            "prediction_mi.warmup": 500,
        },
        "network": _CPU | {
            "network.dim_w": 196, "network.filters": 16, "learner.inner_lr": 0.1,
            "learner.inner_steps": 3, "learner.test_inner_steps": 5, "steps": 6000,
            "steps_per_epoch": 500, "prediction_mi.warmup": 200,
        },
    },
    # The values in the scripts of Yin et al. 2020 (np_vanilla.py; maml_vanilla.py). The optimizer
    # of the latter takes 0.001 of the weights off in a step; ours takes that times the rate.
    "paper": {
        "embedding": {
            "head": "normal", "head.bounds": None, "learner.interaction": 0, "steps": 140_000,
            "meta_lr": 1e-3,
        },
        "network": {
            "head": "normal", "head.bounds": None, "network.dim_w": 196, "task.shots": 10,
            "task.queries": 10, "steps": 10_000, "meta_lr": 5e-4, "learner.inner_lr": 0.002,
            "learner.inner_steps": 5, "learner.test_inner_steps": 20, "weight_decay": 1e-3 / 5e-4,
        },
    },
}  # fmt: skip
"""Name of a preset -> its options."""


def preset_options(preset: str, learner: str | None = None) -> dict[str, object]:
    """The options of a preset for a learner.

    Raises:
        ValueError: there is no such learner.
    """
    learner = learner or DEFAULTS["learner"]
    # Exact learners have none: the tasks refuse them.
    own = PRESETS[preset].get(LEARNERS[learner].network_kind, {})
    return DEFAULTS | {"learner": learner} | own

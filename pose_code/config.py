"""The hyper-parameters of a pose experiment beside those of any learner, and presets of all."""

import dataclasses

from absl import flags

import maml
from maml.experiments import options
from maml.experiments.options import option
from maml.nn import normalization
from pose_code import augmentation


@dataclasses.dataclass(frozen=True)
class Config(options.Options):
    """One training run. Each field is a flag of ``pose_code.train``."""

    image_size: int = option(0, "Shrink images to this side, in pixels. 0: as stored.")
    cropped: bool = option(False, "Cut images to the part an object can reach, before shrinking.")
    head: str = option(
        "circle",
        "What is predicted: a density on the circle, by its knots (circle) or as a generalised von "
        "Mises density (vonmises); or a number (linear).",
        ("circle", "vonmises", "linear"),
    )
    harmonics: int = option(2, "Harmonics of the vonmises head's log-density.", at_least=1)
    knots: int = option(60, "Knots of the density on the circle.", at_least=3)
    bound_outputs: bool = option(True, "Keep the linear head's outputs between -1 and 11, by tanh.")
    precision: str = option(
        "float32",
        "What convolutions and dense layers compute in; weights and losses stay float32.",
        ("float32", "mixed_bfloat16"),
    )
    dim_w: int = option(64, "Features of an image (MAML: a square number).", at_least=1)
    filters: int = option(64, "Filters of MAML's four convolutions.", at_least=1)
    embedding_normalization: str = option(
        "none",
        "Between the convolutions of image towers that do not adapt: of the current batch "
        "(transductive), running statistics, of each image, or none.",
        tuple(mode for mode in normalization.MODES if mode != "step"),
    )
    normalization: str = option(
        "batch",
        "Between MAML's convolutions: of the current batch (transductive), the same with weights "
        "for each inner step, running statistics, of each image, or none.",
        normalization.MODES,
    )
    shared_tower: bool = option(
        False, "MAML's first part, from image to dim_w features, is shared by all tasks."
    )
    image_augmentation: str = option(
        "none",
        f"Changes of training images, drawn anew in each step: none, all, or, with commas between "
        f"them, {', '.join(augmentation.KINDS)}.",
    )
    extra_data_dir: str = option(
        "",
        "Folder of another train_data.pkl: its objects are trained on as well, unless held out.",
    )
    num_validation: int = option(
        0, "Objects of train_data.pkl that are not trained on, to choose hyper-parameters by."
    )
    other_shots: str = option(
        "", "Numbers of support images to score held-out objects at as well, comma-separated."
    )
    eval_episodes: int = option(
        40, "Fixed episodes of each held-out object in the final score.", at_least=1
    )
    information_draws: int = option(
        8, "Relabellings behind the final information, at least 2.", at_least=2
    )

    def shots_to_score(self) -> tuple[int, ...]:
        """The values of ``other_shots``.

        Raises:
            ValueError: one is no whole number, 0, or there twice.
        """
        if not self.other_shots:
            return ()
        return options.whole_numbers(self.other_shots.split(","), "other_shots", at_least=1)


_CPU = {
    "cropped": True, "image_size": 40, "embedding_normalization": "layer",
    "image_augmentation": "shift,scale,brightness", "head": "vonmises", "knots": 360,
    "queries": 5, "meta_batch_size": 4, "meta_lr_decay": True,
}  # fmt: skip

# By what a learner takes: networks that adapt are smaller, since they train for longer.
PRESETS = {
    # Of ./run.sh: small images, so that three methods train in minutes on two cores.
    "quick": {
        "embedding": {
            "cropped": True, "image_size": 40, "shots": 5, "queries": 5, "meta_batch_size": 16,
            "steps": 2000, "mi_warmup": 500, "eval_episodes": 20,
        },
        "network": {
            "cropped": True, "image_size": 40, "dim_w": 196, "filters": 16,
            "shots": 5, "queries": 5, "meta_batch_size": 4, "steps": 500, "mi_warmup": 100,
            "eval_episodes": 5,
        },
    },
    # Of ./run.sh pose. Small batches and more steps of them reach a lower error in the same time.
    "cpu": {
        "embedding": _CPU | {
            "steps": 8000, "steps_per_epoch": 1000, "mi_warmup": 500, "mi_draws": 8,
        },
        "network": _CPU | {
            "dim_w": 196, "filters": 16, "inner_lr": 0.1, "inner_steps": 3, "test_inner_steps": 5,
            "steps": 6000, "steps_per_epoch": 500, "mi_warmup": 200,
        },
    },
    # The values in the scripts of Yin et al. 2020 (np_vanilla.py; maml_vanilla.py). The optimizer
    # of the latter takes 0.001 of the weights off in a step; ours takes that times the rate.
    "paper": {
        "embedding": {
            "head": "linear", "interaction": 0, "bound_outputs": False,
            "steps": 140_000, "meta_lr": 1e-3,
        },
        "network": {
            "head": "linear", "bound_outputs": False, "dim_w": 196, "shots": 10, "queries": 10,
            "steps": 10_000, "meta_lr": 5e-4, "inner_lr": 0.002, "inner_steps": 5,
            "test_inner_steps": 20, "weight_decay": 1e-3 / 5e-4,
        },
    },
}  # fmt: skip


def from_preset(preset: str, **given) -> Config:
    """A configuration: the preset's values of the chosen learner, with those given in their place.

    Args:
        preset: a key of ``PRESETS``.
        **given: fields of :class:`Config`.

    Raises:
        ValueError: there is no such learner.
    """
    learner = maml.LEARNERS[given.get("learner", Config.learner)]
    config = Config(**(PRESETS[preset][learner.network_kind] | given))
    return dataclasses.replace(config, mi_bound=config.bound)


def define_flags():
    """Defines ``--preset`` and a flag for each field of :class:`Config`."""
    flags.DEFINE_enum("preset", "quick", list(PRESETS), "Values of the flags that are not given.")
    options.define_flags(Config, defaults=", or the preset's value")


def from_flags() -> Config:
    """The configuration that the flags of :func:`define_flags` ask for; imports what they name.

    Raises:
        ValueError: there is no such file, module or learner.
    """
    return from_preset(flags.FLAGS.preset, **options.given_flags(Config))

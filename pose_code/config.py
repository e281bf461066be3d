"""Every hyper-parameter of a pose experiment: its name, default, unit and presets, in one place."""

import dataclasses

from absl import flags

from maml.regularizers import MutualInformation


def _field(default, text, choices=None, at_least=0):
    """A field that is a flag: ``text`` is its help, numbers below ``at_least`` are refused."""
    limits = {} if isinstance(default, bool) else {"lower_bound": at_least}
    metadata = {"help": text, "choices": choices, "limits": limits}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run. Each field is a flag of ``pose_code.train``."""

    learner: str = _field("cnp", "The meta-learner.", ("cnp", "maml"))
    regularizer: str = _field("none", "The term against memorization.", ("none", "mine"))
    mi_target: str = _field(
        "label",
        "What the information is about: the relabelled labels, by the model's own likelihood, or "
        "the model's predictions, by a free critic.",
        MutualInformation.TARGETS,
    )
    mi_bound: str = _field(
        "auto",
        "Bound on the information. auto: ba (Barber-Agakov) for labels, mine for predictions.",
        ("auto", *MutualInformation.BOUNDS),
    )
    mi_weight: float = _field(0.5, "Weight of the information, lambda, per nat.")
    mi_warmup: int = _field(0, "Training steps over which the weight rises from 0.")
    critic_lr: float = _field(1e-3, "Learning rate of the critic.")
    seed: int = _field(0, "Seed of weights, episodes and everything else drawn.")

    image_size: int = _field(0, "Shrink images to this side, in pixels. 0: as stored.")
    cropped: bool = _field(False, "Cut images to the part an object can reach, before shrinking.")
    head: str = _field("circle", "A density on the circle, or linear.", ("circle", "linear"))
    knots: int = _field(60, "Knots of the circle head's density.", at_least=3)
    bound_outputs: bool = _field(True, "Keep the linear head's outputs between -1 and 11, by tanh.")
    dim_w: int = _field(64, "Features of an image (MAML: a square number).", at_least=1)
    dim_r: int = _field(100, "Size of the CNP's average over the support.", at_least=1)
    dim_z: int = _field(64, "Size of the CNP's task state.", at_least=1)
    interaction: int = _field(64, "Products of features and labels in the CNP; 0: none.")
    hidden: int = _field(
        100, "Units of the two hidden layers of the CNP's encoder and decoder.", at_least=1
    )
    filters: int = _field(64, "Filters of MAML's four convolutions.", at_least=1)

    shots: int = _field(15, "Support images of an episode.", at_least=1)
    queries: int = _field(15, "Query images of an episode.", at_least=1)
    meta_batch_size: int = _field(10, "Tasks of a training step.", at_least=1)
    steps: int = _field(2000, "Training steps.", at_least=1)
    meta_lr: float = _field(1e-3, "Learning rate of the learner (Adam).")
    weight_decay: float = _field(0.0, "Decoupled weight decay (AdamW), times meta_lr a step.")
    inner_lr: float = _field(0.01, "Learning rate of MAML's inner steps.")
    inner_steps: int = _field(5, "Inner steps of MAML in training.")
    test_inner_steps: int = _field(5, "Inner steps of MAML in evaluation.")
    first_order: bool = _field(False, "First-order MAML: no second derivatives, in any inner step.")

    steps_per_epoch: int = _field(
        100, "Training steps between checkpoints and held-out checks.", at_least=1
    )
    eval_episodes: int = _field(
        40, "Fixed episodes of each held-out object in the final score.", at_least=1
    )
    information_draws: int = _field(
        8, "Relabellings behind the final information, at least 2.", at_least=2
    )


PRESETS = {
    # Of ./run.sh: small images, so that three methods train in minutes on two cores.
    "quick": {
        "cnp": {
            "cropped": True, "image_size": 40, "shots": 5, "queries": 5, "meta_batch_size": 16,
            "steps": 2000, "mi_warmup": 500, "eval_episodes": 20,
        },
        "maml": {
            "cropped": True, "image_size": 40, "dim_w": 196, "filters": 16,
            "shots": 5, "queries": 5, "meta_batch_size": 4, "steps": 500, "mi_warmup": 100,
            "eval_episodes": 5,
        },
    },
    # An evening on two cores.
    "cpu": {
        "cnp": {"cropped": True, "image_size": 80, "steps": 5000, "mi_warmup": 1000},
        "maml": {
            "cropped": True, "image_size": 40, "dim_w": 196, "filters": 32,
            "shots": 10, "queries": 10,
            "meta_batch_size": 5, "steps": 2000, "mi_warmup": 500, "test_inner_steps": 10,
            "eval_episodes": 10,
        },
    },
    # The values in the scripts of Yin et al. 2020 (np_vanilla.py; maml_vanilla.py).
    "paper": {
        "cnp": {
            "head": "linear", "interaction": 0, "bound_outputs": False,
            "steps": 140_000, "meta_lr": 1e-3,
        },
        "maml": {
            "head": "linear", "bound_outputs": False, "dim_w": 196, "shots": 10, "queries": 10,
            "steps": 10_000, "meta_lr": 5e-4, "inner_lr": 0.002, "inner_steps": 5,
            "test_inner_steps": 20, "weight_decay": 1e-3,
        },
    },
}  # fmt: skip


def from_preset(preset: str, **given) -> Config:
    """A configuration: the preset's values of the chosen learner, with those given in their place.

    Args:
        preset: a key of ``PRESETS``.
        **given: fields of :class:`Config`.
    """
    config = Config(**(PRESETS[preset][given.get("learner", Config.learner)] | given))
    if config.mi_bound == "auto":
        bound = "ba" if config.mi_target == "label" else "mine"
        config = dataclasses.replace(config, mi_bound=bound)
    return config


def define_flags():
    """Defines ``--preset`` and a flag for each field of :class:`Config`."""
    flags.DEFINE_enum("preset", "quick", list(PRESETS), "Values of the flags that are not given.")
    kinds = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}
    for field in dataclasses.fields(Config):
        text = f"{field.metadata['help']} [{field.default}, or the preset's value]"
        if field.metadata["choices"]:
            flags.DEFINE_enum(field.name, None, field.metadata["choices"], text)
        else:
            kinds[field.type](field.name, None, text, **field.metadata["limits"])


def from_flags() -> Config:
    """The configuration that the flags of :func:`define_flags` ask for."""
    values = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Config)}
    given = {name: value for name, value in values.items() if value is not None}
    return from_preset(flags.FLAGS.preset, **given)


def method_name(config: dict) -> str:
    """What a configuration is called in tables: learner, and the term with its weight."""
    name = {"cnp": "CNP", "maml": "MAML"}[config["learner"]]
    if config["learner"] == "maml" and config["first_order"]:
        name = "FOMAML"
    if config["regularizer"] == "none":
        return name
    target = {"label": "labels", "prediction": "predictions"}[config["mi_target"]]
    return f"{name} + information on {target} ({config['mi_bound']}, λ={config['mi_weight']:g})"

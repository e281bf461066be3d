"""Every hyper-parameter of a pose experiment: its name, default, unit and presets, in one place."""

import dataclasses

from absl import flags

import maml
from maml import inner_loop, normalization, task_map


def _field(default, text, choices=None, at_least=0):
    """A field that is a flag: ``text`` is its help, numbers below ``at_least`` are refused."""
    limits = {} if isinstance(default, (bool, str)) else {"lower_bound": at_least}
    metadata = {"help": text, "choices": choices, "limits": limits}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run. Each field is a flag of ``pose_code.train``."""

    learner: str = _field("cnp", f"The meta-learner: {', '.join(maml.LEARNERS)}, or your own.")
    regularizer: str = _field(
        "none",
        "What is done against memorization: none, or, with commas between them, "
        f"{', '.join(maml.REGULARIZERS)}, or your own.",
    )
    mi_target: str = _field(
        "label",
        "What the information is about: the relabelled labels, by the model's own likelihood, or "
        "the model's predictions, by a free critic.",
        maml.MutualInformation.TARGETS,
    )
    mi_bound: str = _field(
        "auto",
        "Bound on the information. auto: ba (Barber-Agakov) for labels, mine for predictions.",
        ("auto", *maml.MutualInformation.BOUNDS),
    )
    mi_weight: float = _field(0.5, "Weight of the information, lambda, per nat.")
    mi_warmup: int = _field(0, "Training steps over which the weight rises from 0.")
    kl_weight: float = _field(1e-5, "Regularizer weights: weight of the information, per nat.")
    kl_sigma: float = _field(0.1, "Regularizer weights: noise of the weights at the start.")
    bottleneck_weight: float = _field(
        1e-3, "Regularizer activations: weight of the information, per nat."
    )
    l2_weight: float = _field(1e-4, "Regularizer decay: weight of half the squared kernels.")
    augment_probability: float = _field(
        1.0, "Regularizer augment: share of the training tasks that are relabelled."
    )
    critic_lr: float = _field(1e-3, "Learning rate of the critic.")
    seed: int = _field(0, "Seed of weights, episodes and everything else drawn.")

    image_size: int = _field(0, "Shrink images to this side, in pixels. 0: as stored.")
    cropped: bool = _field(False, "Cut images to the part an object can reach, before shrinking.")
    head: str = _field("circle", "A density on the circle, or linear.", ("circle", "linear"))
    knots: int = _field(60, "Knots of the circle head's density.", at_least=3)
    bound_outputs: bool = _field(True, "Keep the linear head's outputs between -1 and 11, by tanh.")
    precision: str = _field(
        "float32",
        "What convolutions and dense layers compute in; weights and losses stay float32.",
        ("float32", "mixed_bfloat16"),
    )
    dim_w: int = _field(64, "Features of an image (MAML: a square number).", at_least=1)
    dim_r: int = _field(100, "Size of the CNP's average over the support.", at_least=1)
    dim_z: int = _field(64, "Size of the CNP's task state.", at_least=1)
    interaction: int = _field(64, "Products of features and labels in the CNP; 0: none.")
    hidden: int = _field(
        100, "Units of the two hidden layers of the CNP's encoder and decoder.", at_least=1
    )
    heads: int = _field(8, "Attention heads of the attentive CNP (acnp).", at_least=1)
    filters: int = _field(64, "Filters of MAML's four convolutions.", at_least=1)
    normalization: str = _field(
        "batch",
        "Between MAML's convolutions: of the current batch (transductive), the same with weights "
        "for each inner step, running statistics, of each image, or none.",
        normalization.MODES,
    )
    shared_tower: bool = _field(
        False, "MAML's first part, from image to dim_w features, is shared by all tasks."
    )

    shots: int = _field(15, "Support images of an episode.", at_least=1)
    queries: int = _field(15, "Query images of an episode.", at_least=1)
    meta_batch_size: int = _field(10, "Tasks of a training step.", at_least=1)
    steps: int = _field(2000, "Training steps.", at_least=1)
    meta_lr: float = _field(1e-3, "Learning rate of the learner (Adam).")
    weight_decay: float = _field(0.0, "Decoupled weight decay (AdamW), times meta_lr a step.")
    inner_lr: float = _field(0.01, "Learning rate of MAML's inner steps.")
    inner_steps: int = _field(5, "Inner steps of MAML in training.")
    test_inner_steps: int = _field(5, "Inner steps of MAML in evaluation.")
    inner_optimizer: str = _field("sgd", "Optimizer of MAML's inner steps.", inner_loop.OPTIMIZERS)
    inner_clip: float = _field(0.0, "Largest norm of an inner step's gradient. 0: any.")
    inner_batch_size: int = _field(0, "Shots that an inner step sees. 0: all.")
    adapt_only: str = _field(
        "", "Layers of MAML's network that adapt, comma-separated. Empty: all."
    )
    multi_step: int = _field(
        1000, "MAML++: training steps until only the loss after the last inner step counts."
    )
    regularization: float = _field(
        2.0, "iMAML: lambda, how strongly weights are held near the start."
    )
    solver: str = _field("cg", "iMAML: solver of the linear system.", tuple(maml.imaml.SOLVERS))
    solver_steps: int = _field(5, "iMAML: steps of the solver.", at_least=1)
    task_map: str = _field("auto", "How MAML's tasks are mapped.", task_map.MODES)
    recompute: bool = _field(False, "Compute inner steps twice: less memory, more time.")

    steps_per_epoch: int = _field(
        100, "Training steps between checkpoints and held-out checks.", at_least=1
    )
    eval_episodes: int = _field(
        40, "Fixed episodes of each held-out object in the final score.", at_least=1
    )
    information_draws: int = _field(
        8, "Relabellings behind the final information, at least 2.", at_least=2
    )


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
    # An evening on two cores.
    "cpu": {
        "embedding": {"cropped": True, "image_size": 80, "steps": 5000, "mi_warmup": 1000},
        "network": {
            "cropped": True, "image_size": 40, "dim_w": 196, "filters": 32,
            "shots": 10, "queries": 10,
            "meta_batch_size": 5, "steps": 2000, "mi_warmup": 500, "test_inner_steps": 10,
            "eval_episodes": 10,
        },
    },
    # The values in the scripts of Yin et al. 2020 (np_vanilla.py; maml_vanilla.py).
    "paper": {
        "embedding": {
            "head": "linear", "interaction": 0, "bound_outputs": False,
            "steps": 140_000, "meta_lr": 1e-3,
        },
        "network": {
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

    Raises:
        ValueError: there is no such learner.
    """
    learner = maml.LEARNERS[given.get("learner", Config.learner)]
    config = Config(**(PRESETS[preset][learner.uses] | given))
    if config.mi_bound == "auto":
        bound = "ba" if config.mi_target == "label" else "mine"
        config = dataclasses.replace(config, mi_bound=bound)
    return config


def define_flags():
    """Defines ``--preset`` and a flag for each field of :class:`Config`."""
    flags.DEFINE_enum("preset", "quick", list(PRESETS), "Values of the flags that are not given.")
    flags.DEFINE_list("import", [], "Python files, or modules, with learners or terms of your own.")
    kinds = {
        bool: flags.DEFINE_bool,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
    }
    for field in dataclasses.fields(Config):
        text = f"{field.metadata['help']} [{field.default}, or the preset's value]"
        if field.metadata["choices"]:
            flags.DEFINE_enum(field.name, None, field.metadata["choices"], text)
        else:
            kinds[field.type](field.name, None, text, **field.metadata["limits"])


def from_flags() -> Config:
    """The configuration that the flags of :func:`define_flags` ask for; imports what they name.

    Raises:
        ValueError: there is no such file, module or learner.
    """
    maml.import_files(flags.FLAGS["import"].value)
    values = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Config)}
    given = {name: value for name, value in values.items() if value is not None}
    return from_preset(flags.FLAGS.preset, **given)


NAMES = {
    "cnp": "CNP",
    "acnp": "Attentive CNP",
    "maml": "MAML",
    "fomaml": "FOMAML",
    "anil": "ANIL",
    "metasgd": "Meta-SGD",
    "maml++": "MAML++",
    "reptile": "Reptile",
    "imaml": "iMAML",
}


def method_name(config: dict) -> str:
    """What a configuration is called in tables: the learner, and each term with its weight."""
    target = {"label": "labels", "prediction": "predictions"}[config["mi_target"]]
    bound = config["mi_bound"]
    words = {
        "mine": f"information on {target} ({bound}, λ={config['mi_weight']:g})",
        "weights": f"MR-W (β={config['kl_weight']:g})",
        "activations": f"MR-A (β={config['bottleneck_weight']:g})",
        "decay": f"weight decay ({config['l2_weight']:g})",
        "augment": f"label augmentation (p={config['augment_probability']:g})",
    }
    terms = [] if config["regularizer"] == "none" else config["regularizer"].split(",")
    learner = NAMES.get(config["learner"], config["learner"])
    return " + ".join([learner, *(words.get(term, term) for term in terms)])

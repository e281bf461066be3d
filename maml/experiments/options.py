"""How a learner is made and trained: every option's name, default and unit, in one place.

Runners of experiments extend :class:`Options` by fields of their own; each field is a flag.
"""

import dataclasses
from collections.abc import Iterable

import keras
from absl import flags

from maml.core.label_transforms import LabelTransform
from maml.core.registry import (
    LEARNERS,
    REGULARIZERS,
    Networks,
    import_files,
    make_learner,
    make_regularizers,
    term_names,
)
from maml.distributions.base import Head
from maml.learners import inner_loop, task_map
from maml.learners.base import MetaLearner
from maml.learners.implicit import SOLVERS
from maml.regularizers.label_mi import POWER_LIMIT, LabelMI


def option(default, text, choices=None, at_least=0):
    """A field that is a flag.

    Args:
        default: its value, unless given.
        text: its help, which says its unit.
        choices: the values it may have; None for any.
        at_least: numbers below are refused.
    """
    limits = {} if isinstance(default, (bool, str)) else {"lower_bound": at_least}
    metadata = {"help": text, "choices": choices, "limits": limits}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Options:
    """One training. Options that the chosen learner or regularizers do not have are left out."""

    learner: str = option("cnp", f"The meta-learner: {', '.join(LEARNERS)}, or your own.")
    regularizer: str = option(
        "none",
        "What is done against memorization: none, or, with commas between them, "
        f"{', '.join(REGULARIZERS)}, or your own.",
    )
    mi_target: str = option(
        "label",
        "What the information is about: the relabelled labels, by the model's own likelihood, or "
        "the model's predictions, by a free critic.",
        LabelMI.TARGETS,
    )
    mi_bound: str = option(
        "auto",
        "Bound on the information. auto: ba (Barber-Agakov) for labels, mine for predictions.",
        ("auto", *LabelMI.BOUNDS),
    )
    mi_weight: float = option(0.5, "Weight of the information, lambda, per nat.")
    mi_warmup: int = option(0, "Training steps over which the weight rises from 0.")
    mi_draws: int = option(
        1,
        "Relabellings of each task in a step, about labels or with bound exact. More: less noise.",
        at_least=1,
    )
    mi_cap: float = option(
        0.0,
        "Nats of a batch from which the term no longer pulls; with bound ba the log-likelihood's "
        "where the entropy of labels is not known, as of functions. 0: none.",
    )
    mi_noise: float = option(
        0.0,
        "Noise through which a free critic sees predictions, in their unit. 0: the likelihood's.",
    )
    mi_power_penalty: float = option(
        1.0,
        f"Weight of the penalty on predictions of more than {POWER_LIMIT:g} times the power of "
        "labels, which a free critic would pay for.",
    )
    kl_weight: float = option(1e-5, "Regularizer weights: weight of the information, per nat.")
    kl_sigma: float = option(0.1, "Regularizer weights: noise of the weights at the start.")
    kl_layers: str = option(
        "",
        "Regularizer weights: layers or networks whose weights are noisy, comma-separated, or all. "
        "Empty: those on the way from x* to the prediction.",
    )
    bottleneck_weight: float = option(
        1e-3, "Regularizer activations: weight of the information, per nat."
    )
    l2_weight: float = option(1e-4, "Regularizer decay: weight of half the squared kernels.")
    augment_probability: float = option(
        1.0, "Regularizer augment: share of the training tasks that are relabelled."
    )
    critic_lr: float = option(1e-3, "Learning rate of the critic.")
    seed: int = option(0, "Seed of weights, episodes and everything else drawn.")
    dim_r: int = option(100, "Size of the CNP's average over the support.", at_least=1)
    dim_z: int = option(64, "Size of the CNP's task state.", at_least=1)
    interaction: int = option(64, "Products of features and labels in the CNP; 0: none.")
    hidden: int = option(
        100, "Units of the two hidden layers of the CNP's encoder and decoder.", at_least=1
    )
    heads: int = option(8, "Attention heads of the attentive CNP (acnp).", at_least=1)
    shots: int = option(15, "Support examples of a task.", at_least=1)
    queries: int = option(15, "Query examples of a task.", at_least=1)
    meta_batch_size: int = option(10, "Tasks of a training step.", at_least=1)
    steps: int = option(2000, "Training steps.", at_least=1)
    steps_per_epoch: int = option(
        100, "Training steps between checkpoints and held-out checks.", at_least=1
    )
    meta_lr: float = option(1e-3, "Learning rate of the learner (Adam).")
    meta_lr_decay: bool = option(False, "Whether meta_lr falls to 0 along a cosine.")
    weight_decay: float = option(0.0, "Decoupled weight decay (AdamW), times meta_lr a step.")
    inner_lr: float = option(0.01, "Learning rate of MAML's inner steps.")
    inner_steps: int = option(5, "Inner steps of MAML in training.")
    test_inner_steps: int = option(
        -1, "Inner steps of MAML in evaluation. -1: as in training.", at_least=-1
    )
    inner_optimizer: str = option("sgd", "Optimizer of MAML's inner steps.", inner_loop.OPTIMIZERS)
    inner_clip: float = option(0.0, "Largest norm of an inner step's gradient. 0: any.")
    inner_batch_size: int = option(0, "Shots that an inner step sees. 0 or -1: all.", at_least=-1)
    adapt_only: str = option(
        "", "Layers of MAML's network that adapt, comma-separated. Empty: all."
    )
    multi_step: int = option(
        1000, "MAML++: training steps until only the loss after the last inner step counts."
    )
    regularization: float = option(
        2.0, "iMAML: lambda, how strongly weights are held near the start."
    )
    solver: str = option("cg", "iMAML: solver of the linear system.", tuple(SOLVERS))
    solver_steps: int = option(5, "iMAML: steps of the solver.", at_least=1)
    damping: float = option(0.0, "iMAML: added to lambda under the Hessian of the meta-gradient.")
    task_map: str = option("auto", "How MAML's tasks are mapped.", task_map.MODES)
    recompute: bool = option(False, "Compute inner steps twice: less memory, more time.")

    @property
    def bound(self) -> str:
        """``mi_bound``, with what "auto" stands for."""
        if self.mi_bound != "auto":
            return self.mi_bound
        return "ba" if self.mi_target == "label" else "mine"

    def epoch_steps(self) -> int:
        """Training steps of an epoch.

        Raises:
            ValueError: the steps are no whole number of epochs.
        """
        per_epoch = min(self.steps_per_epoch, self.steps)
        if self.steps % per_epoch:
            raise ValueError(
                f"{self.steps} steps are no whole number of epochs of {per_epoch} steps: "
                f"let --steps be a multiple of {per_epoch}."
            )
        return per_epoch

    def make_learner(
        self, networks: Networks, head: Head, label_transform: LabelTransform, first=(), **others
    ) -> MetaLearner:
        """The untrained learner.

        Args:
            networks: of the problem.
            head: of the problem.
            label_transform: of the problem, for regularizers that relabel.
            first: regularizers that come before those that ``regularizer`` names.
            **others: more arguments of the learner, such as ``embedding``.

        Raises:
            ValueError: there is no such learner or regularizer, or one refuses an option.
        """
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(Options)}
        options |= {
            "label_transform": label_transform,
            "mi_bound": self.bound,
            "kl_layers": self.kl_layers.split(",") if self.kl_layers else None,
            "hidden": (self.hidden, self.hidden),
            "initializer_seed": self.seed,
            "test_inner_steps": None if self.test_inner_steps < 0 else self.test_inner_steps,
            "inner_clip": self.inner_clip or None,
            "inner_batch_size": self.inner_batch_size if self.inner_batch_size > 0 else None,
            "adapt_only": self.adapt_only.split(",") if self.adapt_only else None,
        }
        terms = make_regularizers(self.regularizer, **REGULARIZERS.known(options))
        others["regularizers"] = [*first, *terms]
        return make_learner(self.learner, networks, head, **(LEARNERS.known(options) | others))

    def compile(self, learner: MetaLearner, **others) -> None:
        """Gives a learner the optimizers of these options: Adam, and another for critics.

        ``others`` are more arguments of ``keras.Model.compile``.
        """
        decay, rate = self.weight_decay, self.meta_lr
        if self.meta_lr_decay:
            rate = keras.optimizers.schedules.CosineDecay(self.meta_lr, self.steps)
        learner.compile(
            keras.optimizers.AdamW(rate, weight_decay=decay)
            if decay
            else keras.optimizers.Adam(rate),
            keras.optimizers.Adam(self.critic_lr, clipnorm=1.0),
            **others,
        )


def define_import():
    """Defines the flag ``--import``; :func:`import_named` imports what it names."""
    flags.DEFINE_list("import", [], "Python files, or modules, with learners or terms of your own.")


def import_named() -> None:
    """Imports what ``--import`` names.

    Raises:
        ValueError: there is no such file or module, or it fails.
    """
    import_files(flags.FLAGS["import"].value)


def define_flags(kind: type[Options], defaults: str = "") -> None:
    """Defines a flag for each field of a class of options, and ``--import``.

    Args:
        kind: :class:`Options`, or a class that extends it.
        defaults: what else than a field's default a flag may stand for, for its help.
    """
    define_import()
    kinds = {
        bool: flags.DEFINE_bool,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
    }
    for field in dataclasses.fields(kind):
        text = f"{field.metadata['help']} [{field.default}{defaults}]"
        if field.metadata["choices"]:
            flags.DEFINE_enum(field.name, None, field.metadata["choices"], text)
        else:
            kinds[field.type](field.name, None, text, **field.metadata["limits"])


def given_flags(kind: type[Options]) -> dict:
    """The fields that flags of :func:`define_flags` give; imports what ``--import`` names.

    Raises:
        ValueError: there is no such file or module.
    """
    import_named()
    values = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if value is not None}


def as_flags(config: Options, standard: Options) -> list[str]:
    """The flags that make ``config`` of the options that are ``standard`` without them."""
    names = [field.name for field in dataclasses.fields(config)]
    values = {name: getattr(config, name) for name in names}
    return [f"--{k}={v}" for k, v in values.items() if v != getattr(standard, k)]


def whole_numbers(words: Iterable[str], flag: str, at_least: int = 0) -> tuple[int, ...]:
    """The values of a flag that takes whole numbers with commas between them.

    Args:
        words: the values as they were typed.
        flag: its name, for the message.
        at_least: smaller ones are refused.

    Raises:
        ValueError: there is none, one is no such number, or one is there twice.
    """
    words = tuple(words)
    for word in words:
        if not word.isdecimal() or int(word) < at_least:
            raise ValueError(
                f"--{flag} takes whole numbers of {at_least} or more, commas between them, not "
                f"{word!r}."
            )
    return distinct(map(int, words), flag)


def known_names(words: Iterable[str], flag: str, known: Iterable[str]) -> tuple[str, ...]:
    """The values of a flag that takes names with commas between them.

    Args:
        words: the values as they were typed.
        flag: its name, for the message.
        known: what they may be.

    Raises:
        ValueError: there is none, one is unknown, or one is there twice.
    """
    words, known = tuple(words), tuple(known)
    for word in words:
        if word not in known:
            names = ", ".join(f'"{name}"' if "," in name else name for name in known)
            raise ValueError(f"--{flag} has {word!r}; there are {names}.")
    return distinct(words, flag)


def distinct(values: Iterable, flag: str) -> tuple:
    """The values of a flag themselves.

    Raises:
        ValueError: there is none, or one is there twice.
    """
    values = tuple(values)
    if not values:
        raise ValueError(f"--{flag} is empty: name at least one, or leave it out.")
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"--{flag} has {value!r} twice: once will do.")
    return values


NAMES = {
    "cnp": "CNP",
    "acnp": "Attentive CNP",
    "relative": "Relative CNP",
    "maml": "MAML",
    "fomaml": "FOMAML",
    "anil": "ANIL",
    "metasgd": "Meta-SGD",
    "maml++": "MAML++",
    "reptile": "Reptile",
    "imaml": "iMAML",
}


def method_name(config: dict) -> str:
    """What options, as a dict, are called in tables: the learner, and each term with its weight."""
    target = {"label": "labels", "prediction": "predictions"}[config["mi_target"]]
    bound = config["mi_bound"]
    words = {
        "mine": f"information on {target} ({bound}, λ={config['mi_weight']:g})",
        "weights": f"MR-W (β={config['kl_weight']:g})",
        "activations": f"MR-A (β={config['bottleneck_weight']:g})",
        "decay": f"weight decay ({config['l2_weight']:g})",
        "augment": f"label augmentation (p={config['augment_probability']:g})",
    }
    terms = term_names(config["regularizer"])
    learner = NAMES.get(config["learner"], config["learner"])
    return " + ".join([learner, *(words.get(term, term) for term in terms)])

"""What can be chosen about an estimate, and which choices do not go together."""

import dataclasses
import numbers
from collections.abc import Callable

from mine import critics, objective
from mine.estimators import preprocessing

CRITICS = {
    "concatenated": critics.Concatenated,
    "separable": critics.Separable,
    "bilinear": critics.Bilinear,
    "deepsets": critics.DeepSets,
}
"""Critics by name."""

EPOCH = 50
"""Training steps between two looks at the validation samples."""


FEW = {"negatives": 1, "folds": 5, "batch_size": 512, "learning_rate": 0.01}
"""Defaults up to five dimensions: what is accurate soonest."""

MANY = {"negatives": 8, "folds": 5, "batch_size": 128, "learning_rate": 0.005}
"""Defaults above five dimensions, where a critic overfits: more to train on, smaller steps."""

ALL_PAIRS = {"negatives": "all", "batch_size": 256}
"""Defaults over all pairs: 256 x 256 scores a step; InfoNCE's ceiling is log 256 = 5.5 nats."""


@dataclasses.dataclass(frozen=True)
class Options:
    """How a critic is trained and read.

    What is None is chosen by the samples' dimensions: see ``FEW``, ``MANY`` and ``ALL_PAIRS``.

    Attributes:
        bound: what the critic ascends, one of ``mine.objective.NAMES``: "mine", "dv", "nwj", "js"
            (steadiest above 4 nats), "smile" (no bound), "infonce" (at most log of ``batch_size``).
        critic: "concatenated", "separable", "bilinear", "deepsets" (for samples that are sets), or
            a function of a seed that gives a Keras layer.
        preprocess: "rank" (normal scores of each coordinate), "standard" or "none".
        negatives: negatives of each pair in a training step, or "all" for those of the whole batch,
            as InfoNCE has it.
        folds: how many critics; each scores 1 / folds of the samples.
        batch_size: pairs a training step.
        learning_rate: of Adam at the start; it falls to 0 along a cosine.
        steps: most training steps of each critic.
        patience: epochs of ``EPOCH`` steps without a gain on validation samples before it stops.
        seed: of the folds, the order of samples and the initial weights.
        progress: whether to show a progress bar if training takes more than two seconds.

    Raises:
        ValueError: no such choice, or a combination known to be wrong, with the reason.
    """

    bound: str = "mine"
    critic: str | Callable = "concatenated"
    preprocess: str = "rank"
    negatives: int | str | None = None
    folds: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    steps: int = 750
    patience: int = 5
    seed: int = 0
    progress: bool = True

    def __post_init__(self):
        objective.Objective(self.bound)  # These two say what there is.
        preprocessing.Preprocessor(self.preprocess)
        if not callable(self.critic) and self.critic not in tuple(CRITICS):
            known = ", ".join(CRITICS)
            raise ValueError(f"There is no critic {self.critic!r}; the critics are {known}.")
        self._numbers()
        self._combinations()

    def resolve(self, features: int) -> "Options":
        """The same with a value for all that is None.

        Args:
            features: of the largest of the inputs.
        """
        chosen = dict(MANY if features > 5 else FEW)
        if self.bound == "infonce" or self.negatives == "all":
            chosen |= ALL_PAIRS
        missing = {name: value for name, value in chosen.items() if getattr(self, name) is None}
        return dataclasses.replace(self, **missing)

    def _numbers(self):
        for name, least in (
            ("negatives", 1),
            ("folds", 2),
            ("batch_size", 2),
            ("steps", EPOCH),
            ("patience", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if value is None or (name == "negatives" and value == "all"):
                continue
            if not isinstance(value, numbers.Integral) or not least <= value < 2**31:
                raise ValueError(
                    f"{name} must be a whole number from {least}, not {value!r} (and below 2^31)."
                )
            object.__setattr__(self, name, int(value))
        rate = self.learning_rate
        if rate is not None and not (isinstance(rate, numbers.Real) and 0 < rate <= 1):
            raise ValueError(f"learning_rate must be above 0 and at most 1, not {rate!r}.")

    def _combinations(self):
        everything = self.negatives == "all"
        if self.bound == "infonce" and self.negatives not in (None, "all"):
            raise ValueError("bound='infonce' compares all pairs of a batch: negatives='all'.")
        exponential = self.bound in ("mine", "dv", "nwj")
        if self.critic in ("separable", "bilinear") and everything and exponential:
            raise ValueError(
                f"A {self.critic} critic makes the scores of all pairs from two vectors a sample, "
                f"so under bound={self.bound!r} a few large ones rule the normaliser of every "
                "batch and training diverges: use a number of negatives, bound='js' or 'infonce'."
            )

"""What can be chosen about an estimate, and which choices do not go together."""

import dataclasses
import numbers
from collections.abc import Callable

from mine.bound_names import check_bound
from mine.estimators import preprocessing
from mine.reporting.words import guess

CRITICS = {
    "concatenated": "Concatenated",
    "separable": "Separable",
    "bilinear": "Bilinear",
    "deepsets": "DeepSets",
}
"""Name of a critic -> its class in :mod:`mine.critics`."""

STEPS_PER_EPOCH = 50
"""Training steps between two evaluations on the validation samples."""

LOW_DIMENSIONAL_DEFAULTS = {"negatives": 1, "folds": 5, "batch_size": 512, "learning_rate": 0.01}
"""Defaults up to five dimensions, the fastest of the accurate ones."""

FEW_FEATURES = 5
"""Features of the largest of the inputs up to which the low-dimensional defaults hold."""

LOW_DIMENSIONAL_HIDDEN = (64, 64, 64)
"""Units of the hidden layers of "concatenated" up to five dimensions: a third layer finds a third
more of what two miss on a spiral. Above, two layers of 128 units overfit less."""

HIGH_DIMENSIONAL_DEFAULTS = {"negatives": 8, "folds": 5, "batch_size": 128, "learning_rate": 0.005}
"""Defaults above five dimensions, where critics overfit: more negatives, smaller steps."""

ALL_PAIRS_DEFAULTS = {"negatives": "all", "batch_size": 256}
"""Defaults over all pairs: 256 x 256 scores a step; InfoNCE's ceiling is log 256 = 5.5 nats."""


@dataclasses.dataclass(frozen=True)
class Options:
    """How a critic is trained and read.

    An option that is None is chosen by the samples' dimensions: see ``LOW_DIMENSIONAL_DEFAULTS``,
    ``HIGH_DIMENSIONAL_DEFAULTS`` and ``ALL_PAIRS_DEFAULTS``.

    Attributes:
        bound: what the critic ascends, one of ``mine.bound_names.BOUNDS``: "mine", "dv", "nwj",
            "js" (least variance above 4 nats), "smile" (not a bound), "infonce" (at most log of
            ``batch_size``).
        critic: "concatenated", "separable", "bilinear", "deepsets" (for samples that are sets), or
            a function of a seed that gives a Keras layer.
        preprocess: "rank" (normal scores of each coordinate), "standard" or "none".
        negatives: negatives of each pair in a training step, or "all" for those of the whole batch,
            as in InfoNCE.
        folds: how many critics; each scores 1 / folds of the samples.
        batch_size: pairs a training step.
        learning_rate: of Adam at the start; it falls to 0 along a cosine.
        steps: most training steps of each critic.
        patience: early stopping, in epochs of ``STEPS_PER_EPOCH`` steps without a gain on the
            validation samples.
        seed: of the folds, the order of samples and the initial weights.
        progress: whether to show a progress bar if training takes more than two seconds.

    Raises:
        ValueError: an option is invalid, or two of them do not go together.
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
        check_bound(self.bound)
        preprocessing.Preprocessor(self.preprocess)
        if not callable(self.critic) and self.critic not in tuple(CRITICS):
            raise ValueError(
                f"Invalid value for `critic`: expected one of {', '.join(CRITICS)}, or a function "
                f"of a seed that makes a Keras layer; received {self.critic!r}."
            )
        self._numbers()
        self._combinations()

    @classmethod
    def of(cls, **given) -> "Options":
        """Options by name.

        Raises:
            ValueError: there is no such option, or one is invalid.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in names:
                raise ValueError(
                    f"Unknown option `{name}`: expected one of {', '.join(names)}"
                    f"{guess(name, names)}"
                )
        return cls(**given)

    def resolve(self, features: int) -> "Options":
        """The same with a value for all that is None.

        Args:
            features: of the largest of the inputs.
        """
        few = features <= FEW_FEATURES
        chosen = dict(LOW_DIMENSIONAL_DEFAULTS if few else HIGH_DIMENSIONAL_DEFAULTS)
        if self.bound == "infonce" or self.negatives == "all":
            chosen |= ALL_PAIRS_DEFAULTS
        missing = {name: value for name, value in chosen.items() if getattr(self, name) is None}
        return dataclasses.replace(self, **missing)

    def _numbers(self):
        for name, least in (
            ("negatives", 1),
            ("folds", 2),
            ("batch_size", 2),
            ("steps", STEPS_PER_EPOCH),
            ("patience", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if value is None or (name == "negatives" and value == "all"):
                continue
            if not isinstance(value, numbers.Integral) or not least <= value < 2**31:
                raise ValueError(
                    f"Invalid value for `{name}`: expected an integer from {least} to 2^31 - 1; "
                    f"received {value!r}."
                )
            object.__setattr__(self, name, int(value))
        rate = self.learning_rate
        if rate is not None and not (isinstance(rate, numbers.Real) and 0 < rate <= 1):
            raise ValueError(
                "Invalid value for `learning_rate`: expected a number in (0, 1]; received "
                f"{rate!r}."
            )

    def _combinations(self):
        everything = self.negatives == "all"
        if self.bound == "infonce" and self.negatives not in (None, "all"):
            raise ValueError(
                "Invalid value for `negatives`: expected 'all' for bound='infonce', which compares "
                f"all pairs of a batch; received {self.negatives!r}."
            )
        exponential = self.bound in ("mine", "dv", "nwj")
        if self.critic in ("separable", "bilinear") and everything and exponential:
            raise ValueError(
                f"Invalid value for `negatives`: expected a number for critic={self.critic!r} and "
                f"bound={self.bound!r}; received 'all', with which training diverges, since a few "
                "large scores dominate the normalizer of every batch; give a number, or use "
                "bound='js' or 'infonce'."
            )

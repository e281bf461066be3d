"""A problem: the tasks of an experiment, and the networks, head and metrics that fit them."""

import dataclasses
import pathlib
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from maml.core.episodes import TaskFamily
from maml.core.label_transforms import LabelTransform
from maml.core.metrics import Metric
from maml.core.options import parameters
from maml.core.registry import HEADS, Networks
from maml.core.seeds import Stream, stream
from maml.diagnostics.calibration import PLACES, calibration
from maml.diagnostics.conditions import RESPONSE
from maml.diagnostics.scores import Evaluator
from maml.distributions.base import Head
from mine.reporting import mean_interval


@dataclasses.dataclass(frozen=True)
class Problem:
    """Tasks to learn from, tasks to be tested on, and what fits them.

    Subclasses override the methods for what a kind of problem adds to a run: pictures, further
    scores, a summary by task.

    Attributes:
        description: in one line.
        train: the meta-training tasks.
        validation: tasks to choose hyper-parameters by; none of them is a training task. None: the
            problem has no such tasks.
        test: tasks to report scores on; none of them is in the other two.
        head: from network outputs to a distribution over labels.
        build_networks: makes the networks, with options as keyword arguments.
        label_transform: a relabeling under which the tasks stay of their kind: for regularizers,
            which relabel tasks in training.
        metrics: at least one; the first is the main score.
        mutually_exclusive: whether no single function solves all training tasks, so that a learner
            must read its support set. Where it is false, a learner can memorize instead.
        diagnostic_transform: the relabeling of the diagnosis, for :func:`maml.diagnose`; that of
            training unless another is given.
        head_defaults: name of a head -> options that it has here unless others are given.
        augmentations: regularizers that every run has, before those that it names.
        data: what tells this data from others, such as checksums of files.
        monitored: names of the splits that are scored after each epoch, if there are such.
    """

    description: str
    train: TaskFamily
    validation: TaskFamily | None
    test: TaskFamily
    head: Head
    build_networks: Callable[..., Networks]
    label_transform: LabelTransform
    metrics: Sequence[Metric]
    mutually_exclusive: bool
    diagnostic_transform: LabelTransform | None = None
    head_defaults: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    augmentations: tuple = ()
    data: Mapping[str, object] = dataclasses.field(default_factory=dict)
    monitored: tuple[str, ...] = ("train", "validation")

    def __post_init__(self):
        for name in ("validation", "test"):
            if getattr(self, name) is self.train:
                # Families are numbered: a family's task i is the same task in every split.
                warnings.warn(
                    f"The {name} tasks are the training tasks, so that their scores do not show "
                    f"what new tasks have: give tasks of their own as `{name}`.",
                    stacklevel=3,
                )
        if self.diagnostic_transform is None:
            object.__setattr__(self, "diagnostic_transform", self.label_transform)
        there = tuple(name for name in self.monitored if name in self.families)
        object.__setattr__(self, "monitored", there)

    @property
    def networks(self) -> Networks:
        """The networks, with default options."""
        return self.build_networks()

    @property
    def families(self) -> dict[str, TaskFamily]:
        """The splits by name: ``train``, ``validation`` if there is one, ``test``."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: family for name, family in splits.items() if family is not None}

    def head_class(self, name: str = "") -> Callable[..., Head]:
        """What makes a head: the problem's own without a name, else an entry of ``HEADS``."""
        return HEADS[name] if name else type(self.head)

    def make_head(self, name: str = "", **options) -> Head:
        """A head for these labels.

        Args:
            name: of :data:`maml.core.registry.HEADS`; empty for the problem's own.
            **options: of the head, in place of the problem's.

        Raises:
            ValueError: there is no such head, it takes no such option, lacks one, or has another
                value of one that these labels have.
        """
        made = self.head_class(name)
        taken = parameters(made)
        known = {p: getattr(self.head, p) for p in taken if hasattr(self.head, p)}
        for of in set(getattr(made, "given_by_problem", ())) & known.keys() & options.keys():
            if options[of] != known[of]:
                raise ValueError(
                    f"Invalid value for `{of}` of the head {name or made.__name__}: expected "
                    f"{known[of]}, that of the labels, received {options[of]}; leave it out."
                )
        given = known | dict(self.head_defaults.get(name, {})) | options
        for of, parameter in taken.items():
            if of not in given and parameter.default is parameter.empty:
                raise ValueError(
                    f"Invalid value for `head`: expected one whose options these tasks give, "
                    f"received {name!r} without {of}; use another head, or "
                    f"--head_options={of}=..."
                )
        return made(**given)

    def evaluator(self, learner, information_every: int = 1, num_relabelings: int = 8) -> Evaluator:
        """Scores a learner by this problem's metrics and relabelings."""
        return Evaluator(
            learner,
            self.metrics,
            self.diagnostic_transform,
            information_every,
            num_relabelings=num_relabelings,
        )

    # -- what a kind of problem adds to a run ----------------------------------------------------

    def callbacks(self, steps_per_epoch: int) -> list:
        """Keras callbacks of a training, which may add to the logs of each epoch.

        Args:
            steps_per_epoch: training steps of an epoch.
        """
        return []

    def summarize(self, scores: dict[str, np.ndarray], family: TaskFamily) -> dict[str, dict]:
        """The record of a split's scores.

        Args:
            scores: of :class:`maml.Evaluator`, each [tasks, episodes, queries].
            family: that was scored.

        Returns:
            Name of a score -> ``mean`` and ``ci95`` over tasks; ``swap_gap`` among them, and of
            densities ``nll``, ``coverage_90`` and ``calibration_error``.
        """
        metric = self.metrics[0]
        gap = scores[f"mismatched_support_{metric.name}"] - scores[metric.name]
        gap = -gap if metric.greater_is_better else gap
        every = scores | {"swap_gap": gap}
        return {
            name: mean_interval(values.mean(axis=(1, 2)))
            for name, values in every.items()
            if not name.endswith(("label_covariance", "label_variance", *RESPONSE, *PLACES))
        } | calibration(scores)

    def further_scores(self, score: Callable[[TaskFamily, str], dict[str, np.ndarray]]) -> dict:
        """More for the record of a run, under names of their own.

        Args:
            score: from a family, and the title of a progress bar, to its scores.
        """
        return {}

    def draw(self, learner, history: dict, record: dict, folder: pathlib.Path) -> None:
        """Draws pictures of a finished run into its folder.

        Args:
            learner: trained.
            history: columns of ``history.csv``.
            record: the content of ``results.json``.
            folder: of the run.
        """


TRAIN, VALIDATION, TEST = range(3)


def split_seed(split: int) -> tf.Tensor:
    """The stateless seed [2] of what is random in a split's tasks.

    It never varies: all runs, whatever their seeds, train and are tested on the same tasks.
    """
    return stream(split, Stream.TASKS)

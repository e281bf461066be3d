"""All that an experiment needs to know of what it trains and tests on."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from maml.core.episodes import TaskFamily
from maml.core.label_transforms import LabelTransform
from maml.core.registry import Networks
from maml.diagnostics.scores import Evaluator
from maml.distributions.base import Head


@dataclasses.dataclass(frozen=True)
class Problem:
    """Tasks to learn from, tasks to be tested on, and what fits them.

    Attributes:
        description: in one line.
        train: the tasks of meta-training.
        validation: tasks to choose hyper-parameters by; none of them is a training task.
        test: tasks to report scores on; none of them is in the other two.
        head: from network outputs to a distribution over labels.
        networks: as learners take them, see :func:`maml.make_learner`.
        label_transform: a relabelling under which the tasks stay of their kind.
        diagnostic_transform: the relabelling that the diagnosis reads the label information by;
            None: the same.
        metrics: name -> function(distribution, y) -> [tasks, queries]; the first is the main score.
        mutually_exclusive: whether no single function solves all training tasks, so that a learner
            must read its support set. Where it is false, one can memorize instead.
        checksum: of the file that the tasks are read from, if any.
    """

    description: str
    train: TaskFamily
    validation: TaskFamily
    test: TaskFamily
    head: Head
    networks: Networks
    label_transform: LabelTransform
    metrics: dict[str, Callable]
    mutually_exclusive: bool
    diagnostic_transform: LabelTransform | None = None
    checksum: str | None = None

    def evaluator(self, learner, information_every: int = 1) -> Evaluator:
        """Scores a learner by this problem's metrics and relabellings."""
        diagnostic_transform = self.diagnostic_transform or self.label_transform
        return Evaluator(learner, self.metrics, diagnostic_transform, information_every)


TRAIN, VALIDATION, TEST = range(3)


def split_seed(split: int) -> tf.Tensor:
    """The stateless seed [2] of what is random in a split's tasks.

    It never varies: all runs, whatever their seeds, train and are tested on the same tasks.
    """
    return tf.constant([split, 5], tf.int32)

"""All that an experiment needs to know of what it trains and tests on."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from maml.diagnostics import Evaluator
from maml.episodes import TaskFamily
from maml.interventions import Intervention
from maml.likelihoods import Head
from maml.registry import Networks


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
        intervention: a relabelling under which the tasks stay of their kind.
        probe: the relabelling that the diagnosis reads the label information by; None: the same.
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
    intervention: Intervention
    metrics: dict[str, Callable]
    mutually_exclusive: bool
    probe: Intervention | None = None
    checksum: str | None = None

    def evaluator(self, learner, information_every: int = 1) -> Evaluator:
        """Scores a learner by this problem's metrics and relabellings."""
        probe = self.probe or self.intervention
        return Evaluator(learner, self.metrics, probe, information_every)


TRAIN, VALIDATION, TEST = range(3)


def split_seed(split: int) -> tf.Tensor:
    """The stateless seed [2] of what is random in a split's tasks.

    It never varies: all runs, whatever their seeds, train and are tested on the same tasks.
    """
    return tf.constant([split, 5], tf.int32)

"""Training steps that are skipped, since a loss or gradient is not finite: what is said of them."""

import math
import warnings
from collections.abc import Callable

import keras

from maml.core import finite
from maml.core.episodes import TaskFamily
from maml.core.options import far_from_defaults
from maml.learners.training import arguments
from mine.reporting.tables import counted

SHARE = 0.01
"""Of training steps: a training that skipped more of them says so."""


def sentence(skipped: float, steps: int, unfit: str | None) -> str | None:
    """On training steps that were skipped, if they are more than 1 %; else None.

    Args:
        skipped: how many were.
        steps: of the training.
        unfit: what is unfit in the data, of :func:`maml.core.finite.first_unfit`.
    """
    if not skipped > SHARE * steps:
        return None
    remedy = f"{unfit}: leave such data out" if unfit else "lower the learning rates"
    were = "was" if skipped == 1 else "were"
    return (
        f"{skipped:.0f} of {counted(steps, 'training step')} ({skipped / steps:.0%}) {were} "
        f"skipped, since gradients were not finite; {remedy}."
    )


class SkippedSteps(keras.callbacks.Callback):
    """Stops a training that has diverged, and warns of one that has skipped some of its steps.

    :meth:`maml.MetaLearner.fit` adds it, unless it is given one.

    Args:
        find_unfit: gives what is unfit in the batches of training steps ``(start, stop)``, as
            :func:`maml.core.finite.first_unfit` does; None if that is not known.
    """

    FEWEST = 10
    """Steps of an epoch that may end training if half of them were skipped."""

    def __init__(self, find_unfit: Callable[[int, int], str | None] | None = None):
        super().__init__()
        self.find_unfit = find_unfit
        self.epoch = self.begun = self.steps = 0
        self.skipped, self.first = 0.0, None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.begun = epoch, int(self.model.optimizer.iterations.numpy())

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch
        skipped = float(logs.get("skipped_steps", 0.0))
        # Keras does not know the steps of the first epoch of some datasets.
        steps = self.params["steps"] or int(self.model.optimizer.iterations.numpy()) - self.begun
        self.skipped, self.steps = self.skipped + skipped, self.steps + steps
        if skipped and self.first is None:
            self.first = self.begun, self.begun + steps
        diverged = skipped >= steps / 2 or not math.isfinite(logs.get("loss", 0.0))
        if diverged and steps >= self.FEWEST:
            self.stop(skipped, steps)

    def on_train_end(self, logs=None):
        if self.skipped > SHARE * self.steps:
            warnings.warn(sentence(self.skipped, self.steps, self.unfit(*self.first)), stacklevel=2)

    def unfit(self, start: int, stop: int) -> str | None:
        """What is unfit in the batches of some steps, if that is known."""
        return None if self.find_unfit is None else self.find_unfit(start, stop)

    def stop(self, skipped: float, steps: int, kept: str = "") -> None:
        """Ends training.

        Args:
            skipped: steps of the epoch that were.
            steps: of the epoch.
            kept: what is said of a checkpoint.

        Raises:
            FloatingPointError: always.
        """
        unfit = self.unfit(self.begun, self.begun + steps)
        where = unfit or self.model.divergence()
        remedy = "Lower the learning rates (meta_lr, inner_lr) or the weight of the regularizer."
        far = far_from_defaults(self.model, self.model.head, *self.model.regularizers)
        if unfit:
            remedy = "Leave such data out of the tasks, or scale them."
        elif far:
            remedy = f"{remedy[:-1]}, or set nearer to its default {' and '.join(far)}."
        raise FloatingPointError(
            f"{skipped:.0f} of {counted(steps, 'step')} of epoch {self.epoch + 1} had a gradient "
            f"that is not finite{f' ({where})' if where else ''}{kept}. {remedy}"
        )


def watched(learner, callbacks, x, data, batch_size):
    """Callbacks of fit, and one more that says which steps were skipped.

    Args:
        learner: a compiled :class:`maml.MetaLearner` with weights.
        callbacks, x, batch_size: of :meth:`maml.MetaLearner.fit`.
        data: the dataset of ``x``.
    """
    given = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    known = (SkippedSteps, keras.callbacks.CallbackList)
    if any(isinstance(of, known) for of in given):
        return callbacks

    def find_unfit(start, stop):
        if not isinstance(x, TaskFamily):  # A dataset is searched from its first batch on.
            return finite.first_unfit(data.take(stop - start))
        batches = arguments.batches(x, batch_size, learner.seed, start)
        return finite.first_unfit(batches.take(stop - start), start)

    drawn_by_weights = getattr(x, "on_policy", False)
    watch = SkippedSteps(None if drawn_by_weights else find_unfit)
    return [*(of for of in given if of is not None), watch]

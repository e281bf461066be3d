"""Training steps that are skipped, since a loss or gradient is not finite: what is said of them."""

import warnings
from collections.abc import Callable

import keras
import numpy as np

from maml.core import finite
from maml.core.episodes import TaskFamily, as_episode
from maml.core.options import far_from_defaults
from maml.learners.training import arguments
from mine.reporting.tables import counted

SHARE = 0.01
"""Of training steps: a training that skipped more of them says so."""


class CountedMean(keras.metrics.Mean):
    """The mean over steps that count; NaN, not Keras' 0, where none did."""

    def result(self):
        """The mean, []."""
        nothing = keras.ops.equal(self.count, 0)
        return keras.ops.where(nothing, np.nan, super().result())


def sentence(skipped: float, steps: int, find_unfit: Callable[[], str | None]) -> str | None:
    """On training steps that were skipped, if they are more than 1 %; else None.

    Args:
        skipped: how many were.
        steps: of the training.
        find_unfit: gives what is unfit in the data; called if there is something to say.
    """
    if not skipped > SHARE * steps:
        return None
    unfit = find_unfit()
    remedy = f"{unfit}: leave such data out" if unfit else "lower the learning rates"
    return (
        f"{skipped:.0f} of {counted(steps, 'training step')} ({skipped / steps:.0%}) "
        f"{'was' if skipped == 1 else 'were'} skipped, since gradients were not finite; {remedy}."
    )


class SkippedSteps(keras.callbacks.Callback):
    """Stops a training of which half of the steps of an epoch were skipped, and counts others.

    Args:
        find_unfit: gives what is unfit in the batches of training steps ``(start, stop)``, as
            :func:`maml.core.finite.first_unfit` does; None if that is not known.
    """

    FEWEST = 10
    """Steps from which on a training may be stopped."""

    def __init__(self, find_unfit: Callable[[int, int], str | None] | None = None):
        super().__init__()
        self.find_unfit = find_unfit
        self.epoch = 0
        self.on_train_begin()

    def on_train_begin(self, logs=None):
        self.begun = self.steps = 0  # Steps before this epoch, and of this training.
        self.skipped, self.first = 0.0, (0, 0)  # How many, and the first epoch with some.

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.begun = epoch, int(self.model.optimizer.iterations.numpy())
        noted = getattr(self.model, "diverged", None)  # By learners that adapt in steps.
        if noted is not None:
            noted.assign([0, 0])

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch
        skipped, loss = float(logs.get("skipped_steps", 0)), logs.get("loss", 0.0)
        # Where data end or their number is not known, Keras has no other number of steps.
        steps = (
            self.params.get("steps") or int(self.model.optimizer.iterations.numpy()) - self.begun
        )
        if skipped and not self.skipped:
            self.first = self.begun, self.begun + steps
        self.skipped, self.steps = self.skipped + skipped, self.steps + steps
        diverged = skipped >= steps / 2 or not np.all(np.isfinite(loss))
        if diverged and self.steps >= self.FEWEST:
            self.stop(skipped, steps)

    def warning(self) -> str | None:
        """A sentence on steps that were skipped, if they were more than 1 %."""
        return sentence(self.skipped, self.steps, lambda: self.unfit(*self.first))

    def unfit(self, start: int, stop: int) -> str | None:
        """What is unfit in the batches of some steps, if that is known."""
        return None if self.find_unfit is None else self.find_unfit(start, stop)

    def kept(self) -> str:
        """What is said of a checkpoint."""
        return ""

    def stop(self, skipped: float, steps: int) -> None:
        """Ends training.

        Args:
            skipped: steps of the epoch that were.
            steps: of the epoch.

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
        what = (
            f"{skipped:.0f} of {counted(steps, 'step')} of epoch {self.epoch + 1} had a gradient"
            if skipped
            else f"Epoch {self.epoch + 1} has a loss"
        )
        raise FloatingPointError(
            f"{what} that is not finite{f' ({where})' if where else ''}{self.kept()}. {remedy}"
        )


class Watch:
    """Adds :class:`SkippedSteps` to the callbacks of fit, unless it is given one.

    Args:
        learner: a compiled :class:`maml.MetaLearner` with weights.
        callbacks, x, batch_size: of :meth:`maml.MetaLearner.fit`.
        data: the dataset of ``x``.
    """

    def __init__(self, learner, callbacks, x, data, batch_size):
        begun = int(learner.optimizer.iterations.numpy())

        def find_unfit(start, stop):
            if isinstance(x, TaskFamily):
                batches = arguments.batches(x, batch_size, learner.seed, start).take(stop - start)
            else:  # From its first batch on, since batches may be shuffled.
                start, batches = 0, data.take(stop - begun)
            return finite.first_unfit(map(as_episode, batches), start)

        drawn_by_weights = getattr(x, "on_policy", False)
        self.steps = SkippedSteps(None if drawn_by_weights else find_unfit)
        self.callbacks = callbacks
        if isinstance(callbacks, keras.callbacks.CallbackList):
            if not any(isinstance(one, SkippedSteps) for one in callbacks.callbacks):
                self.steps.set_model(learner)
                self.steps.set_params({"steps": None})
                callbacks.callbacks.append(self.steps)
            return
        given = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
        if not any(isinstance(one, SkippedSteps) for one in given):
            self.callbacks = [*(one for one in given if one is not None), self.steps]

    def warn(self, stacklevel: int) -> None:
        """Warns of steps that were skipped; ``stacklevel`` is that of ``warnings.warn``."""
        if (warning := self.steps.warning()) is not None:
            warnings.warn(warning, stacklevel=stacklevel + 1)

"""Checks of what ``compile`` and ``fit`` of a learner are given."""

import types

import keras
import tensorflow as tf

from maml.core.checks import check_counts
from maml.core.episodes import TaskFamily, as_episode
from maml.core.metrics import Metric
from maml.distributions.base import Head
from maml.distributions.categorical import CategoricalHead
from maml.distributions.metrics import accuracy

BATCH_SIZE = 32
"""Tasks in a batch of a :class:`maml.TaskFamily`, as Keras' own default."""

OF_CLASSES = (keras.metrics.CategoricalAccuracy, keras.metrics.TopKCategoricalAccuracy)
"""Keras metrics that mean nothing unless labels are one-hot."""


def compiled_metrics(metrics, taken, head: Head) -> types.SimpleNamespace:
    """The metrics of ``compile``: ``functions`` by name, and Keras metrics for all by name.

    They are kept in an object that Keras does not look into: they are no part of a saved learner.

    Args:
        metrics: of :meth:`Trainer.compile`.
        taken: names of other logs.
        head: of the learner.

    Raises:
        ValueError: a metric of another kind, one of classes where there are none, or a name that is
            taken.
    """
    if metrics is None:
        metrics = {}
    if not isinstance(metrics, dict | list | tuple):
        raise ValueError(
            f"Invalid value for `metrics`: expected a list or a dictionary; received {metrics!r}. "
            "Put it into a list."
        )
    if not isinstance(metrics, dict):
        metrics = [(_name(metric), metric) for metric in metrics]
    functions, found = {}, {}
    for name, metric in metrics.items() if isinstance(metrics, dict) else metrics:
        if name in found:
            raise ValueError(
                f"Invalid name in `metrics`: expected each once; received {name!r} twice. Use a "
                "dictionary from other names."
            )
        if isinstance(metric, str):
            metric = _metric_of_name(metric)
        elif isinstance(metric, Metric):
            metric = metric.fn
        if name in taken or name == "skipped_steps":
            raise ValueError(
                f"Invalid name in `metrics`: {name!r} is logged anyway; expected another name."
            )
        of_classes = metric is accuracy or isinstance(metric, OF_CLASSES)
        if of_classes and not (isinstance(head, CategoricalHead) or head.label_dim is None):
            raise ValueError(
                f"Invalid value for `metrics`: expected metrics of numbers, which a "
                f"{type(head).__name__} predicts; received {name!r}, a metric of classes. Use "
                "'mae', or a CategoricalHead."
            )
        if isinstance(metric, keras.metrics.Metric):
            found[name] = metric
        elif callable(metric):
            functions[name], found[name] = metric, keras.metrics.Mean(name=name)
        else:
            raise ValueError(
                f"Invalid value for `metrics`: expected a function (distribution, y) or a Keras "
                f"metric for {name!r}; received {metric!r}."
            )
    return types.SimpleNamespace(functions=functions, keras=found)


def _name(metric) -> str:
    if isinstance(metric, str):
        return metric
    return getattr(metric, "name", None) or getattr(metric, "__name__", type(metric).__name__)


def _metric_of_name(name: str):
    """What Keras means by the name of a metric, for labels that are vectors."""
    if name in ("accuracy", "acc"):
        return keras.metrics.CategoricalAccuracy(name=name)
    metric = keras.metrics.get(name)
    if isinstance(metric, keras.metrics.Metric):
        return metric
    return keras.metrics.MeanMetricWrapper(metric, name=name)


def schedule(steps, epochs, steps_per_epoch) -> tuple[int, int | None]:
    """``(epochs, steps_per_epoch)`` from what :meth:`Trainer.fit` was given."""
    check_counts(steps=steps, epochs=epochs, steps_per_epoch=steps_per_epoch)
    if steps is None:
        return epochs or 1, steps_per_epoch
    if steps_per_epoch is None:
        steps_per_epoch = steps // (epochs or 1)
    if epochs is None:
        epochs = steps // steps_per_epoch
    if epochs * steps_per_epoch != steps:
        raise ValueError(
            f"Invalid value for `steps`: expected epochs * steps_per_epoch, a whole number of "
            f"epochs; received steps={steps}, {epochs} epochs and {steps_per_epoch} steps per "
            "epoch."
        )
    return epochs, steps_per_epoch


def check_optimizer(optimizer, beside_critics: bool) -> None:
    """Refuses what a step of two optimizers, of which either may be skipped, does not do."""
    if optimizer is None:
        raise ValueError(
            "Invalid value for `optimizer`: expected an optimizer or its name; received None. Use "
            '"adam".'
        )
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        raise ValueError(
            "Invalid optimizer: LossScaleOptimizer is not supported, since the loss of a learner "
            "is computed in the precision of its weights; give its inner optimizer."
        )
    if optimizer.gradient_accumulation_steps:
        raise ValueError(
            "Invalid optimizer: gradient_accumulation_steps="
            f"{optimizer.gradient_accumulation_steps} is not supported, since a step that is "
            "skipped would count; expected None. Take larger batches."
        )
    if optimizer.use_ema and beside_critics:
        raise ValueError(
            "Invalid optimizer: use_ema=True is not supported beside a regularizer with a critic, "
            "since Keras averages all weights by one optimizer; expected use_ema=False."
        )


def check_callbacks(callbacks) -> None:
    """Refuses a callback that would repeat the first batches of a family.

    The number of the first batch is read when ``fit`` begins; ``BackupAndRestore`` restores the
    optimizer, whose steps it counts, after that.
    """
    given = getattr(callbacks, "callbacks", callbacks) or ()
    given = given if isinstance(given, (list, tuple)) else [given]
    if any(isinstance(of, keras.callbacks.BackupAndRestore) for of in given):
        raise ValueError(
            "Invalid value for `callbacks`: BackupAndRestore is not supported for a TaskFamily; "
            "expected other callbacks. Train by maml.experiments.run, which resumes."
        )


def batches(x, batch_size: int | None, seed: int, replicas: int, start=0) -> tf.data.Dataset:
    """A dataset of the batches of episodes that ``x`` stands for.

    Args:
        x: of :meth:`Trainer.fit`.
        batch_size: tasks in a batch of a family; 32 if None.
        seed: of the episodes of a family.
        replicas: number of replicas of the strategy.
        start: number of a family's first batch.

    Raises:
        ValueError: ``x`` is something else, empty or not batched, or ``batch_size`` does not fit.
    """
    check_counts(batch_size=batch_size)
    if isinstance(x, TaskFamily):
        size = batch_size or BATCH_SIZE
        if size % replicas:
            raise ValueError(
                f"Invalid value for `batch_size`: expected a multiple of the {replicas} replicas "
                f"of the strategy; received {size}."
            )
        data = x.dataset(size, seed=seed, start=start)
    elif batch_size is not None:
        raise ValueError(
            "Invalid argument `batch_size`: it is of a TaskFamily, whereas episodes are batches "
            "already; batch the dataset, or give a TaskFamily."
        )
    elif isinstance(x, tf.data.Dataset):
        data = x
    elif isinstance(x, tuple) and hasattr(x, "support_x"):
        data = tf.data.Dataset.from_tensors(x)
    else:
        raise ValueError(
            "Invalid value for `x`: expected a maml.TaskFamily, a tf.data.Dataset of maml.Episode, "
            f"or a maml.Episode; received {type(x).__name__}."
        )
    spec = data.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (4, 5):
        raise ValueError(
            f"Invalid value for `x`: expected a dataset of maml.Episode; received one of {spec}."
        )
    labels = as_episode(spec).support_y.shape
    if labels.rank is not None and labels.rank < 3:
        raise ValueError(
            "Invalid value for `x`: expected batches of tasks, with labels [tasks, shots, dim]; "
            f"received support_y {list(labels)}. Batch the dataset, such as by x.batch(32)."
        )
    if data.cardinality() == 0:
        raise ValueError(
            "Invalid value for `x`: expected one batch or more; received an empty one."
        )
    return data

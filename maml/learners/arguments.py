"""Checks of what ``compile`` and ``fit`` of a learner are given."""

import types

import keras

from maml.core.metrics import Metric


def compiled_metrics(metrics=None, taken=()) -> types.SimpleNamespace:
    """The metrics of ``compile``: ``functions`` by name, and Keras metrics for all by name.

    They are kept in an object that Keras does not look into: they are no part of a saved learner.

    Args:
        metrics: of :meth:`Trainer.compile`.
        taken: names of other logs.

    Raises:
        ValueError: a metric of another kind, or a name that is taken.
    """
    if metrics is None:
        metrics = {}
    if not isinstance(metrics, dict):
        metrics = {_name(metric): metric for metric in metrics}
    functions, found = {}, {}
    for name, metric in metrics.items():
        if isinstance(metric, str):
            metric = _metric_of_name(metric)
        elif isinstance(metric, Metric):
            metric = metric.fn
        if name in taken or name == "skipped_steps":
            raise ValueError(
                f"Invalid name in `metrics`: {name!r} is logged anyway; expected another name."
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
    for name, value in {
        "steps": steps, "epochs": epochs, "steps_per_epoch": steps_per_epoch
    }.items():  # fmt: skip
        if value is not None and value < 1:
            raise ValueError(f"Invalid value for `{name}`: expected 1 or more; received {value}.")
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

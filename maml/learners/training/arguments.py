"""Checks of what ``compile`` and ``fit`` of a learner are given."""

import contextlib
import types

import keras
import tensorflow as tf

from maml.core.checks import check_counts
from maml.core.episodes import TaskFamily, as_episode, check_shapes
from maml.core.metrics import Metric
from maml.core.registry import with_critics
from maml.distributions.base import Head
from maml.distributions.categorical import CategoricalHead
from maml.distributions.metrics import accuracy

BATCH_SIZE = 32
"""Tasks in a batch of a :class:`maml.TaskFamily`, as Keras' own default."""

_OF_CLASSES = (
    "AUC BinaryAccuracy BinaryCrossentropy CategoricalAccuracy CategoricalCrossentropy "
    "CategoricalHinge FalseNegatives FalsePositives FBetaScore Hinge KLDivergence OneHotIoU "
    "OneHotMeanIoU Precision PrecisionAtRecall Recall RecallAtPrecision SensitivityAtSpecificity "
    "SpecificityAtSensitivity SquaredHinge TopKCategoricalAccuracy TrueNegatives TruePositives"
)
OF_CLASSES = tuple(getattr(keras.metrics, name) for name in _OF_CLASSES.split())
"""Keras metrics that mean nothing unless labels are one-hot."""

_OF_CLASS_NUMBERS = (
    "Accuracy IoU SparseCategoricalAccuracy SparseCategoricalCrossentropy "
    "SparseTopKCategoricalAccuracy"
)
OF_CLASS_NUMBERS = tuple(getattr(keras.metrics, name) for name in _OF_CLASS_NUMBERS.split())
"""Keras metrics of classes by number, which labels are of no head here."""


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
        if name in taken or name == "skipped_steps":
            raise ValueError(
                f"Invalid name in `metrics`: {name!r} is logged anyway; expected another name."
            )
        metric = _metric(name, metric)
        _check_labels(name, metric, head)
        if isinstance(metric, keras.metrics.Metric):
            found[name] = metric
        else:
            functions[name], found[name] = metric, keras.metrics.Mean(name=name)
    return types.SimpleNamespace(functions=functions, keras=found)


def _name(metric) -> str:
    if isinstance(metric, str):
        return metric
    return getattr(metric, "name", None) or getattr(metric, "__name__", type(metric).__name__)


def _metric(name: str, metric):
    """A Keras metric of labels and expected labels, or a function (distribution, y)."""
    if isinstance(metric, Metric):
        return metric.fn
    given = metric
    if isinstance(metric, str):
        if metric in ("accuracy", "acc"):  # As Keras means them for labels that are vectors.
            return keras.metrics.CategoricalAccuracy(name=name)
        # A name of none is refused below.
        with contextlib.suppress(ValueError):
            metric = keras.metrics.get(metric)
    # Keras' classes are not made yet, and its functions and losses are not of distributions.
    of_keras = getattr(metric, "__module__", "").partition(".")[0] == "keras"
    if isinstance(metric, keras.metrics.Metric):
        if type(metric) not in (keras.metrics.Mean, keras.metrics.Sum):  # Of values, not labels.
            return metric
    elif callable(metric) and not of_keras:
        return metric
    raise ValueError(
        "Invalid value for `metrics`: expected a function (distribution, y), or a Keras metric of "
        f"labels and predictions or its name, for {name!r}; received {given!r}. Use 'mae', or "
        "keras.metrics.MeanAbsoluteError()."
    )


def _check_labels(name: str, metric, head: Head) -> None:
    """Refuses metrics that mean nothing of the head's labels."""
    if head.label_dim is None:
        return
    one_hot = isinstance(metric, keras.metrics.OneHotIoU | keras.metrics.OneHotMeanIoU)
    if isinstance(head, CategoricalHead):
        if isinstance(metric, OF_CLASS_NUMBERS) and not one_hot:
            raise ValueError(
                "Invalid value for `metrics`: expected metrics of one-hot labels, as a "
                f"CategoricalHead's are; received {name!r}, a metric of numbers of classes. Use "
                "'accuracy'."
            )
    elif metric is accuracy or isinstance(metric, OF_CLASSES + OF_CLASS_NUMBERS):
        raise ValueError(
            f"Invalid value for `metrics`: expected metrics of numbers, which a "
            f"{type(head).__name__} predicts; received {name!r}, a metric of classes. Use "
            "'mae', or a CategoricalHead."
        )


def schedule(steps, epochs, steps_per_epoch, at_once: int | str) -> tuple[int, int | None]:
    """``(epochs, steps_per_epoch)`` from what :meth:`Trainer.fit` was given.

    Args:
        steps, epochs, steps_per_epoch: of :meth:`Trainer.fit`.
        at_once: ``steps_per_execution`` of :meth:`Trainer.compile`.

    Raises:
        ValueError: they contradict each other.
    """
    check_counts(steps=steps, epochs=epochs, steps_per_epoch=steps_per_epoch)
    if steps is None:
        epochs = epochs or 1
    else:
        steps_per_epoch = steps_per_epoch or steps // (epochs or 1)
        epochs = epochs or steps // steps_per_epoch
    if steps is not None and epochs * steps_per_epoch != steps:
        raise ValueError(
            f"Invalid value for `steps`: expected epochs * steps_per_epoch, a whole number of "
            f"epochs; received steps={steps}, {epochs} epochs and {steps_per_epoch} steps per "
            "epoch."
        )
    if steps_per_epoch is not None and at_once != "auto" and steps_per_epoch % at_once:
        raise ValueError(
            "Invalid number of steps per epoch: expected a multiple of the steps_per_execution="
            f"{at_once} of compile, of which Keras would round it up; received {steps_per_epoch}."
        )
    return epochs, steps_per_epoch


def check_compile(loss, jit_compile, run_eagerly, steps_per_execution, parallel, given) -> None:
    """Refuses arguments of ``compile`` that a learner's step would ignore, or that mean nothing.

    Args:
        loss, jit_compile, run_eagerly, steps_per_execution: of :meth:`Trainer.compile`.
        parallel: whether the learner trains on several replicas.
        given: the other arguments.
    """
    if loss is not None:
        raise ValueError(
            f"Invalid value for `loss`: expected None, since a learner's loss is that of its "
            f"head; received {loss!r}. Change the learner's `head`, whose method `loss` says "
            "what is minimised, or pass critic_optimizer by name."
        )
    for name, value in given.items():
        if name in ("loss_weights", "weighted_metrics"):
            if value is None:
                continue
            raise ValueError(
                f"Invalid value for `{name}`: expected None, since episodes have no sample "
                "weights. Use `metrics`, and the `weight` of each regularizer."
            )
        if name == "auto_scale_loss":
            if value is False:
                continue
            raise ValueError(
                f"Invalid value for `auto_scale_loss`: expected False, since the loss of a learner "
                f"is never scaled; received {value!r}. Leave it out, and use mixed_bfloat16."
            )
        raise ValueError(
            f"Unknown argument `{name}` of compile: expected optimizer, metrics, critic_optimizer, "
            "jit_compile, run_eagerly or steps_per_execution; leave it out."
        )
    if steps_per_execution != "auto":
        check_counts(steps_per_execution=steps_per_execution)
    if jit_compile not in ("auto", True, False, None):
        raise ValueError(
            f"Invalid value for `jit_compile`: expected True, False or 'auto'; received "
            f"{jit_compile!r}."
        )
    if jit_compile is True and (parallel or run_eagerly):
        reason = (
            "under a strategy of several replicas; received True. XLA cannot compile a step that "
            "communicates."
            if parallel
            else "with run_eagerly=True; received True. Leave one of them out."
        )
        raise ValueError(f"Invalid value for `jit_compile`: expected False or 'auto' {reason}")


def optimizer(given, name: str, beside_critics: bool) -> keras.optimizers.Optimizer:
    """The optimizer that ``compile`` was given, itself, by name or by configuration.

    Args:
        given: of :meth:`Trainer.compile`.
        name: of the argument.
        beside_critics: whether there is another one.

    Raises:
        ValueError: it is none, or does what a step of two optimizers cannot, see
            :func:`check_optimizer`.
    """
    found = None
    if given is not None:
        # What Keras does not know is refused below.
        with contextlib.suppress(ValueError):
            found = keras.optimizers.get(given)
    if found is None:
        raise ValueError(
            f"Invalid value for `{name}`: expected an optimizer or its name; received {given!r}. "
            'Use "adam", or keras.optimizers.Adam().'
        )
    check_optimizer(found, beside_critics)
    return found


def check_optimizer(optimizer, beside_critics: bool) -> None:
    """Refuses what a step of two optimizers, of which either may be skipped, does not do."""
    scaling = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if scaling or optimizer.loss_scale_factor is not None:
        raise ValueError(
            "Invalid optimizer: "
            + (
                "LossScaleOptimizer is not supported"
                if scaling
                else f"loss_scale_factor={optimizer.loss_scale_factor:g} is not supported"
            )
            + ", since the loss of a learner is never scaled; expected an optimizer without. Use "
            "the policy mixed_bfloat16, which needs no scaling."
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


def check_precision(layers) -> None:
    """Refuses layers whose gradients become zero for want of a scaled loss."""
    half = [of.name for of in layers if of.compute_dtype == "float16" and of._trainable_variables]
    if half:
        raise ValueError(
            f"Invalid dtype policy of the layer {half[0]!r}: expected float32 or mixed_bfloat16 in "
            "training, since small gradients are zero in float16; received "
            f"{dict((of.name, of.dtype_policy.name) for of in layers)[half[0]]}."
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


def batches(x, batch_size: int | None, seed: int, start=0) -> tf.data.Dataset:
    """A dataset of the batches of episodes that ``x`` stands for.

    Args:
        x: of :meth:`Trainer.fit`.
        batch_size: tasks in a batch of a family; 32 if None.
        seed: of the episodes of a family.
        start: number of a family's first batch.

    Raises:
        ValueError: ``x`` is something else, empty or not batched, or ``batch_size`` does not fit.
    """
    check_counts(batch_size=batch_size)
    if isinstance(x, TaskFamily):
        data = x.dataset(batch_size or BATCH_SIZE, seed=seed, start=start)
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
    check_shapes(as_episode(spec))
    if data.cardinality() == 0:
        raise ValueError(
            "Invalid value for `x`: expected one batch or more; received an empty one."
        )
    return data


def length(data: tf.data.Dataset) -> int | None:
    """The number of a dataset's elements; None if that is not known, or it has no end."""
    known = int(data.cardinality())
    return known if known > 0 else None


def critic_optimizer(given, learners, regularizers):
    """The optimizer of critics that ``compile`` was given, or None.

    Args:
        given: an optimizer, its name, or None.
        learners: the optimizer of the learner.
        regularizers: of the learner.

    Raises:
        ValueError: it is no optimizer or that of the learner, or there is no critic.
    """
    if given is None:
        return None
    if given is learners:
        raise ValueError(
            "Invalid value for `critic_optimizer`: expected another optimizer than that of the "
            "learner, since each has its own variables; received the same. Make two."
        )
    found = optimizer(given, "critic_optimizer", True)
    if not any(term.has_critic for term in regularizers):
        raise ValueError(
            "Invalid value for `critic_optimizer`: expected none, since no regularizer of this "
            f"learner has a critic ({with_critics()} have); leave it out."
        )
    return found


def check_layers(layers) -> None:
    """Refuses what Keras layers may ask for in training and learners would ignore.

    Raises:
        ValueError: a layer draws noise, or has a Keras regularizer of weights.
    """
    noisy = [layer.name for layer in layers if _draws_noise(layer)]
    if noisy:
        raise ValueError(
            f"Invalid layers {', '.join(noisy)}: expected layers that draw no noise, since it "
            "would be the same in all steps, and present in scores. Remove them or set their "
            "rates to 0, and use maml.MRW or maml.MRA for noise in training."
        )
    regularized = [v.path for layer in layers for v in layer.trainable_variables if v.regularizer]
    if regularized:
        raise ValueError(
            f"Invalid Keras regularizer of {regularized[0]}: it is not part of the meta-loss. "
            "Remove it, and pass regularizers=[maml.WeightDecay()]."
        )


def _draws_noise(layer) -> bool:
    """Whether a layer draws random numbers; recurrent cells could, at a rate that is often 0."""
    rates = ("rate", "dropout", "recurrent_dropout")
    rates = [getattr(layer, rate) for rate in rates if hasattr(layer, rate)]
    return bool(layer._seed_generators) and (any(rates) or not rates)

"""How many training steps Keras makes in one call.

On vectors a step takes a millisecond or two, and Keras takes another between two calls. A call that
loops over several steps avoids that; no callback runs within it.
"""

import math

import keras

MOST = 20
"""Training steps of a call, at most: with more of them nothing is gained."""

_OF_STEPS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def at_once(inputs, steps_per_epoch: int, on_policy: bool = False, replicas: int = 1) -> int:
    """Training steps of a call: the greatest common divisor of those of an epoch and 20, or 1.

    It is 1 on images, whose steps take far longer than a call, and where a loop is impossible.

    Args:
        inputs: the ``tf.TensorSpec`` of support inputs, of a batch of tasks.
        steps_per_epoch: training steps of an epoch.
        on_policy: whether a batch is drawn by the weights of the step before.
        replicas: devices that train; several cannot loop, see
            :mod:`maml.learners.parallel.replicas`.
    """
    images = inputs.shape.rank is None or inputs.shape.rank >= 4
    if images or on_policy or replicas > 1:
        return 1
    return math.gcd(steps_per_epoch, MOST)


def check(at_once: int | str, on_policy: bool) -> None:
    """Refuses several steps at once where each batch depends on the step before.

    Args:
        at_once: ``steps_per_execution`` of :meth:`maml.MetaLearner.compile`.
        on_policy: of :func:`at_once`.

    Raises:
        ValueError: a policy was compiled with several steps at once.
    """
    if on_policy and at_once not in ("auto", 1):
        raise ValueError(
            "Invalid value for `steps_per_execution` of compile: expected 1 or 'auto' for a policy,"
            f" which draws each batch by the weights of the step before; received {at_once}."
        )


def choose(learner, data, steps_per_epoch: int | None, on_policy: bool, callbacks) -> None:
    """Lets Keras loop over as many steps as suit what a compiled learner is trained on.

    Args:
        learner: a :class:`maml.MetaLearner`; functions that it has traced for other numbers of
            steps are kept.
        data: the dataset of its tasks.
        steps_per_epoch, callbacks: of :meth:`maml.MetaLearner.fit`. Callbacks that look at single
            steps are called after each.
        on_policy: of :func:`at_once`.
    """
    steps = 1
    if steps_per_epoch and not learner.run_eagerly and not _look_at_steps(callbacks):
        replicas = learner.distribute_strategy.num_replicas_in_sync
        steps = at_once(data.element_spec[0], steps_per_epoch, on_policy, replicas)
    if steps != learner.steps_per_execution:
        names = ("train_function", "test_function", "predict_function")
        traced, kept = learner._looping, [getattr(learner, name) for name in names]
        traced[learner.steps_per_execution] = kept
        for name, function in zip(names, traced.pop(steps, [None] * 3), strict=True):
            setattr(learner, name, function)
        learner.steps_per_execution = steps


def _look_at_steps(callbacks) -> bool:
    """Whether one of them has a method of its own that Keras calls before or after each step."""
    given = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    plain = keras.callbacks.Callback
    return any(
        getattr(getattr(each, name, None), "__func__", None) is not getattr(plain, name)
        for each in given
        if each is not None
        for name in _OF_STEPS
    )

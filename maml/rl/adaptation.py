"""Adaptation that goes on: inner steps from a task state, each on new trajectories."""

import tensorflow as tf

from maml.learners.gradient_based import inner_loop
from maml.learners.gradient_based.maml import padded_support
from maml.nn import functional


def adapt_further(learner, state, x, y, mask=None, factor=1.0):
    """The task state after one more inner step, on other data of the same tasks.

    Args:
        learner: gradient-based.
        state: of its ``encode``.
        x: embeddings [tasks, shots, ...].
        y: labels [tasks, shots, ...].
        mask: which shots are real, [tasks, shots]; None: all.
        factor: of the learning rates, a number or a scalar tensor.

    Returns:
        The state.
    """
    shared = functional.tensors(learner.functional.shared)
    rates = [factor * rate for rate in learner.rates(1)[0]]

    def moved(task):
        weights, support = task

        def loss(here, arguments, step):
            return learner.inner_loss(here, shared, *support[:2], step, *support[2:])

        path = inner_loop.descend(
            loss, weights, [], [rates], "sgd", learner.inner_clip, first_order=True
        )
        return path.weights[-1]

    own = [tf.TensorSpec(v.shape, v.dtype) for v in learner.functional.variables]
    return learner.map_tasks(moved, (state, padded_support(x, y, mask)), own)

"""The mean over tasks of a loss, in one loop that takes the gradient of a task as it goes.

The gradient of ``tf.map_fn`` is a second loop, for which the first keeps all that each task has
computed. Here a task's gradient is taken within its iteration, and sums of gradients leave it: one
task is in memory at a time, and there is half as much to trace and optimize before the first step.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf


def mean_loss(
    function: Callable,
    parts: Sequence[tf.Tensor],
    differentiable: int,
    variables: Sequence[keras.Variable],
    signature,
):
    """The mean over tasks of a loss; its first derivatives only can be taken.

    Args:
        function: of the ``parts`` of one task: its loss, a scalar, and a nest of further tensors.
        parts: tensors [tasks, ...].
        differentiable: how many of them, the first ones, the gradient flows to.
        variables: all variables that ``function`` depends on.
        signature: a nest of ``tf.TensorSpec``: the further tensors.

    Returns:
        ``(loss, further)``: a scalar, and the further tensors [tasks, ...], which have no gradient.
    """
    inputs, count = list(parts[:differentiable]), differentiable
    shared = [tf.convert_to_tensor(variable) for variable in variables]
    tasks = tf.shape(parts[0])[0]
    specs = [tf.TensorSpec(part.shape[1:], part.dtype) for part in inputs]
    specs = [*tf.nest.flatten(signature), *specs]

    def body(index, total, sums, arrays):
        own = [part[index] for part in parts]
        # Copies, so that the gradient is by what this task sees of the weights.
        weights = [tf.identity(value) for value in shared]
        mapping = list(zip(variables, weights, strict=True))
        with tf.GradientTape() as tape, keras.StatelessScope(state_mapping=mapping):
            tape.watch([own[:count], weights])
            loss, further = function(*own)
        slopes = tape.gradient(loss, [*own[:count], *weights], unconnected_gradients="zero")
        sums = [a + b for a, b in zip(sums, slopes[count:], strict=True)]
        leaving = [*tf.nest.flatten(further), *slopes[:count]]
        arrays = [a.write(index, v) for a, v in zip(arrays, leaving, strict=True)]
        return index + 1, total + loss, sums, arrays

    start = (
        0,
        tf.zeros([], shared[0].dtype),
        [tf.zeros_like(value) for value in shared],
        [tf.TensorArray(s.dtype, tasks, element_shape=s.shape) for s in specs],
    )
    _, total, sums, arrays = tf.while_loop(
        lambda index, *_: index < tasks,
        body,
        start,
        parallel_iterations=1,
        maximum_iterations=parts[0].shape[0],  # So that a step's cost can be counted.
    )
    total, sums, stacked = tf.nest.map_structure(
        tf.stop_gradient, (total, sums, [array.stack() for array in arrays])
    )
    further, slopes = stacked[: len(stacked) - count], stacked[len(stacked) - count :]
    # A function of this value and this slope, in place of tf.custom_gradient, whose graphs
    # TensorFlow keeps for as long as the process lives. No NaN comes in by a slope that is not
    # finite, so that the loss is that of the loop.
    moves = [source - tf.stop_gradient(source) for source in [*inputs, *shared]]
    products = [
        tf.reduce_sum(tf.math.multiply_no_nan(slope, move))
        for slope, move in zip([*slopes, *sums], moves, strict=True)
    ]
    share = 1 / tf.cast(tasks, total.dtype)
    loss = share * tf.add_n([total, *(tf.cast(part, total.dtype) for part in products)])
    return loss, tf.nest.pack_sequence_as(signature, further)

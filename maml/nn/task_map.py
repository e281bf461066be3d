"""One function for each task of a batch, in the way that is fastest for its network.

=============== ============================================= ================================
mode            how                                           fastest for
=============== ============================================= ================================
``vectorized``  all tasks at once (``tf.vectorized_map``)     small dense networks, with XLA
``map_fn``      one task after the other, in one loop         convolutions on CPU, recurrence
``unrolled``    one task after the other, written out         few tasks; slow to trace
``auto``        ``map_fn`` if a network convolves or      any of them
                recurs, else ``vectorized``
=============== ============================================= ================================
"""

import keras
import tensorflow as tf

MODES = ("auto", "vectorized", "map_fn", "unrolled")

UNROLLED_EAGERLY = 8
"""Largest number of tasks that ``vectorized`` writes out outside a ``tf.function``: there
``tf.vectorized_map`` traces anew in each call, which takes as long as ten to twenty tasks."""

_ONE_BY_ONE = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    # Their loops have no second derivative when all tasks are vectorised.
    keras.layers.RNN,
)


def choose(mode: str, network: keras.Model) -> str:
    """The mode that "auto" stands for; other modes are returned as they are.

    Raises:
        ValueError: an unknown mode.
    """
    if mode not in MODES:
        raise ValueError(
            f"Invalid value for `task_map`: expected one of {', '.join(MODES)}; received {mode!r}."
        )
    if mode != "auto":
        return mode
    return "vectorized" if is_dense(network) else "map_fn"


def is_dense(network: keras.Model) -> bool:
    """Whether a network neither convolves nor recurs, so that XLA makes it faster on CPU."""
    return not any(isinstance(part, _ONE_BY_ONE) for part in network._flatten_layers())


def map_tasks(function, elements, mode: str, signature):
    """Applies a function to each task.

    Args:
        function: from one task's part of ``elements`` to a nest of tensors.
        elements: a nest of tensors [tasks, ...].
        mode: one of ``MODES`` but "auto".
        signature: a nest of ``tf.TensorSpec``: what ``function`` returns.

    Returns:
        The nest that ``function`` returns, each tensor with a leading axis ``tasks``.

    Raises:
        ValueError: mode "unrolled" and a number of tasks that is not known when tracing.
    """
    if tf.executing_eagerly():
        # AutoGraph would read and rewrite all that is called, for seconds.
        function = tf.autograph.experimental.do_not_convert(function)
    tasks = tf.nest.flatten(elements)[0].shape[0]
    if mode == "vectorized" and not (tf.executing_eagerly() and tasks <= UNROLLED_EAGERLY):
        return tf.vectorized_map(function, elements, fallback_to_while_loop=False)
    if mode == "map_fn":
        return tf.map_fn(function, elements, fn_output_signature=signature)
    if tasks is None:
        raise ValueError(
            "Invalid value for `task_map`: 'unrolled' expects batches whose number of tasks is "
            "known; received an unknown number. Use 'map_fn'."
        )
    parts = [tf.unstack(element) for element in tf.nest.flatten(elements)]
    results = [
        function(tf.nest.pack_sequence_as(elements, part)) for part in zip(*parts, strict=True)
    ]
    return tf.nest.map_structure(lambda *parts: tf.stack(parts), *results)

"""How fast this machine runs graphs: four rates, measured in about a second."""

import dataclasses
import math
import time
from collections.abc import Callable

import tensorflow as tf

from maml.experiments.cost.graph import Count, count

SECONDS = 0.2
"""Processor time that each rate is measured for."""

SCHEDULED = 3.5
"""What an operation of a training step costs beside its work, in smallest operations: the executor
hands it to some thread. This number and the next ones are fitted to ``benchmarks/cost_model.py``,
those of operations in such units, so that they hold on other machines too."""

FUSED = 0.3
"""Share of operations that is left where XLA compiles a graph: it merges the others."""

CALL, BATCH = 400, 200
"""Operations that Keras' loop takes for a call, of one step or several; and those of a batch."""

COMPILED, OPTIMIZED = 2300, 500
"""Operations that a node takes before the first step, of XLA's compiler, and of TensorFlow's
optimizer of graphs."""

COMPILED_BYTES, OPTIMIZED_BYTES = 80e3, 24e3
"""Memory that a node of a compiled graph takes, and one of another."""

COMPILER_BYTES = 190e6
"""Memory of XLA's compiler itself."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """Rates of one core.

    Attributes:
        operation: seconds of the smallest operation.
        products: multiply-adds a second of products of matrices.
        convolutions: multiply-adds a second of convolutions and their gradients.
        traffic: bytes a second that operations read and write.
    """

    operation: float
    products: float
    convolutions: float
    traffic: float

    def seconds(self, work: Count, xla: bool = False) -> float:
        """Of processors, for one run of a graph.

        Args:
            work: of the graph.
            xla: whether XLA compiles it.
        """
        share = FUSED if xla else 1.0
        return (
            share * work.operations * SCHEDULED * self.operation
            + work.traffic / self.traffic
            + work.products / self.products
            + work.convolutions / self.convolutions
        )

    def calls(self, steps: float = 1, together: int = 1) -> float:
        """Seconds of processors around training steps, which Keras makes in calls of some."""
        return (steps * BATCH + steps / together * CALL) * SCHEDULED * self.operation

    def first(self, work: Count, xla: bool = False) -> float:
        """Seconds of processors between the trace of a graph and its first run."""
        return (COMPILED if xla else OPTIMIZED) * work.nodes * SCHEDULED * self.operation


def graph_bytes(work: Count, xla: bool = False) -> float:
    """Memory that a graph takes by itself once it has run, beside the tensors in it.

    Args:
        work: of the graph.
        xla: whether XLA compiles it.
    """
    if xla:
        return COMPILER_BYTES + work.nodes * COMPILED_BYTES
    return work.nodes * OPTIMIZED_BYTES


def measured() -> Machine:
    """The rates of this machine, in processor time: other work on it changes them little.

    The sizes are those of common training steps: matrices of 500 x 64 and 64 x 64; ten images of
    20 x 20 with 16 channels, whose normalization and pooling are the traffic. Each rate leaves out
    what those before it explain.
    """
    machine = Machine(0.0, math.inf, math.inf, math.inf)
    probes = {
        "traffic": (_normalized, tf.ones([10, 20, 20, 16]), 4),
        "products": (_multiplied, tf.ones([500, 64]) / 64, 20),
        "convolutions": (_convolved, tf.ones([10, 20, 20, 16]) / 144, 4),
    }
    for name, probe in probes.items():
        work, seconds = _timed(*probe)
        rest = max(seconds - machine.seconds(work), seconds / 2)
        machine = dataclasses.replace(machine, **{name: getattr(work, name) / rest})
    work, seconds = _timed(_branched, tf.ones([4, 4]) / 4, 50)
    return dataclasses.replace(machine, operation=seconds / work.operations)


def _timed(step: Callable, start: tf.Tensor, length: int) -> tuple[Count, float]:
    """The count of a chain of steps, none of which can be merged with another, and its seconds.

    They are processor time, the least of several runs, since what disturbs a run only adds.
    """

    def run(x):
        for _ in range(length):
            x = step(x)
        return x

    function = tf.function(run, autograph=False).get_concrete_function(start)
    function(start)
    least, end = math.inf, time.process_time() + SECONDS
    while time.process_time() < end:
        began = time.process_time()
        function(start).numpy()
        least = min(least, time.process_time() - began)
    return count(function), least


def _multiplied(x):
    return tf.matmul(x, tf.tile(x[:1], [64, 1]))


def _branched(x):
    """Small operations, some of which may run side by side, as those of gradients."""
    return tf.add_n([tf.tanh(tf.matmul(x, x)), tf.matmul(x, x + 1) / 4, tf.nn.relu(x) / 4])


def _normalized(x):
    """What networks do between convolutions, with its gradient."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        y = tf.nn.relu((x - mean) * tf.math.rsqrt(variance + 1e-3))
        y = tf.nn.max_pool2d(y, 2, 2, "SAME")
    return x + tape.gradient(y, x, y)


def _convolved(x):
    """A convolution with its gradients, as training has them."""
    kernel = tf.ones([3, 3, 16, 16]) / 144 + tf.reduce_mean(x)
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
    by_x, by_kernel = tape.gradient(y, [x, kernel], y)
    return by_x / 144 + tf.reduce_mean(by_kernel)

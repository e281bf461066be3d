"""What benchmarks/learners.py compares: learners of this library, and the same for its peers.

    python benchmarks/peers/workloads.py --workload=sinusoid-1 --size=small --output=PROBLEM.npz

writes the problem (:mod:`problem`) and prints the multiply-adds of a training step, counted from
the traced graph, and those that this machine makes in a second of large products of matrices.
"""

import dataclasses
import functools
import inspect
import json
import time
from collections.abc import Callable

import maml  # First: it silences TensorFlow's start-up messages.

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags
from problem import Problem, write

from maml.core.label_transforms import LabelOffset, LabelPermutation, LabelScale
from maml.distributions.categorical import CategoricalHead
from maml.distributions.normal import NormalHead
from maml.experiments.cost.graph import count
from maml.nn.convolutions import convolutional_networks
from maml.nn.mlp import mlp_networks
from maml.nn.normalization import CurrentBatchNormalization
from pose_code.networks import pose_networks
from pose_code.presets import preset_options

EPSILON = 1e-7
"""Keras' of Adam."""

BETAS = (1 - 2**-3, 1 - 2**-10)
"""Adam's decay rates, near its defaults: exact in single precision, to which Keras rounds them even
in double precision. What a rounded rate changes in an update, inner loops enlarge a thousandfold.
"""


@dataclasses.dataclass(frozen=True)
class Workload:
    """A learner and the shape of what it trains on.

    Attributes:
        learner: its registered name, "maml" or "cnp".
        networks: of the learner.
        head: of the learner.
        options: of the learner.
        meta_lr: rate of Adam.
        tasks: of a batch.
        shots: support examples of a task.
        queries: of a task.
        inputs: shape of an input; of one number, labels are those of sinusoids.
        batches: different ones.
    """

    learner: str
    networks: maml.Networks
    head: object
    options: dict
    meta_lr: float
    tasks: int
    shots: int
    queries: int
    inputs: tuple[int, ...]
    batches: int = 2

    @property
    def label_transform(self):
        """What Label-MI relabels tasks by."""
        if isinstance(self.head, CategoricalHead):
            return LabelPermutation(self.head.classes)
        return LabelScale() if self.inputs == (1,) else LabelOffset(10.0)

    def make_learner(self, terms=()) -> maml.MetaLearner:
        """The learner with its weights.

        Args:
            terms: classes of the information terms that its objective has, such as
                :class:`maml.LabelMI`.
        """
        made = [term(self.label_transform) for term in terms]
        options = self.options | {"regularizers": made}
        learner = maml.make_learner(self.learner, self.networks, self.head, **options)
        learner.create_weights(episode(self.draw()[0]))
        return learner

    def draw(self) -> list[tuple[np.ndarray, ...]]:
        """The batches, from seed 0: support inputs and labels, query inputs and labels."""
        rng = np.random.default_rng(0)
        return [self._batch(rng) for _ in range(self.batches)]

    def _batch(self, rng):
        count = self.shots + self.queries
        if self.inputs == (1,):  # Of Finn et al. 2017, section 5.1.
            amplitude = rng.uniform(0.1, 5.0, (self.tasks, 1, 1))
            phase = rng.uniform(0.0, np.pi, (self.tasks, 1, 1))
            x = rng.uniform(-5.0, 5.0, (self.tasks, count, 1))
            y = amplitude * np.sin(x - phase)
        else:
            x = rng.uniform(size=(self.tasks, count, *self.inputs))
            if isinstance(self.head, CategoricalHead):  # Class after class.
                ways = self.head.classes
                y = np.tile(np.eye(ways), (self.tasks, count // ways, 1))
            else:
                y = rng.uniform(0.0, 10.0, (self.tasks, count, 1))
        x, y = (part.astype(keras.config.floatx()) for part in (x, y))
        return x[:, : self.shots], y[:, : self.shots], x[:, self.shots :], y[:, self.shots :]


def episode(batch) -> maml.Episode:
    """A batch as tensors."""
    return maml.Episode(*map(tf.constant, batch))


def _sinusoid(inner_steps: int, small: bool) -> Workload:
    hidden, tasks, shots = ((8,), 3, 4) if small else ((40, 40), 25, 10)
    networks, options = mlp_networks(1, hidden), {"inner_lr": 0.01, "inner_steps": inner_steps}
    return Workload(
        "maml", networks, NormalHead(), options, 1e-3, tasks, shots, shots, (1,), batches=20
    )


def _omniglot(small: bool) -> Workload:
    ways, filters, tasks, queries, side = (3, 4, 2, 2, 20) if small else (5, 64, 32, 15, 28)
    shape = (side, side, 1)
    networks = convolutional_networks(shape, filters=filters, pooling=False)
    options = {"inner_lr": 0.4, "inner_steps": 1}
    return Workload(
        "maml", networks, CategoricalHead(ways), options, 1e-3, tasks, ways, ways * queries, shape
    )


def _pose(learner: str, small: bool) -> Workload:
    """At the sizes of the preset ``paper``, of images of 128 pixels."""
    given = preset_options("paper", learner)

    def of(kind):
        start = f"{kind}."
        return {key[len(start) :]: v for key, v in given.items() if key.startswith(start)}

    takes = inspect.signature(maml.LEARNERS[learner]).parameters
    options = {name: value for name, value in of("learner").items() if name in takes}
    side, network = 128, of("network")
    tasks, shots = given["meta_batch_size"], of("task").get("shots", 15)
    if small:
        tasks, shots, side = 2, 3, 20
        network |= {"dim_w": 16, "filters": 4}
        options |= {"inner_steps": 1} if learner == "maml" else {"hidden": (8,), "dim_r": 8}
    policy = keras.config.dtype_policy().name
    networks = pose_networks(side, precision=policy, **network)
    return Workload(
        learner, networks, NormalHead(), options, given["meta_lr"], tasks, shots, shots,
        (side, side, 1),
    )  # fmt: skip


WORKLOADS: dict[str, Callable[[bool], Workload]] = {
    "sinusoid-1": functools.partial(_sinusoid, 1),
    "sinusoid-5": functools.partial(_sinusoid, 5),
    "omniglot": _omniglot,
    "pose-maml": functools.partial(_pose, "maml"),
    "pose-cnp": functools.partial(_pose, "cnp"),
}
"""Name -> the workload, in a size for tests if called with True."""


def make(workload: str, size: str, tasks: int = 0, precision: str = "float32") -> Workload:
    """A workload.

    Args:
        workload: its name in :data:`WORKLOADS`.
        size: "full", or "small" for tests.
        tasks: of a batch; its own number if 0.
        precision: of all computations, "float32" or "float64"; it holds for the whole process.
    """
    keras.config.set_floatx(precision)
    made = WORKLOADS[workload](size == "small")
    return dataclasses.replace(made, tasks=tasks) if tasks else made


def problem(workload: Workload, learner: maml.MetaLearner, chosen: dict) -> Problem:
    """A workload for all packages.

    Args:
        workload: the workload.
        learner: of it, with its weights.
        chosen: the arguments of :func:`make`, which this library makes the learner anew by.
    """
    if workload.learner == "maml":
        networks = {"network": [learner.network]}
    else:
        networks = {
            "embedding": [learner.embedding], "lift": [learner.lift], "encoder": learner.encoder,
            "project": [learner.project], "decoder": learner.decoder,
        }  # fmt: skip
    layers, weights = {}, {}
    for name, parts in networks.items():
        found = [pair for part in parts for pair in _layers(part)]
        layers[name] = [layer for layer, _ in found]
        weights[name] = [np.asarray(array) for _, own in found for array in own]
    spec = {
        "learner": workload.learner,
        "loss": "squared" if isinstance(workload.head, NormalHead) else "cross-entropy",
        "inner_steps": workload.options.get("inner_steps", 0),
        "inner_lr": workload.options.get("inner_lr", 0.0),
        "meta_lr": workload.meta_lr,
        "epsilon": EPSILON,
        "betas": BETAS,
        "layers": layers,
    }
    return Problem(spec | {"chosen": chosen}, weights, workload.draw())


KINDS = {
    keras.layers.Dense: "dense",
    keras.layers.Conv2D: "conv",
    CurrentBatchNormalization: "norm",
    keras.layers.ReLU: "relu",
    keras.layers.MaxPooling2D: "maxpool",
    keras.layers.Flatten: "flatten",
    keras.layers.Reshape: "reshape",
    keras.layers.GlobalAveragePooling2D: "average",
}
"""Layers that networks of workloads have -> their kinds in :mod:`problem`."""


def _layers(part: keras.layers.Layer) -> list[tuple[dict, list]]:
    """The layers that a layer or a network consists of, each with its weights."""
    if isinstance(part, keras.Model):
        return [pair for layer in part.layers for pair in _layers(layer)]
    if isinstance(part, keras.layers.InputLayer):
        return []
    layer = {"kind": KINDS[type(part)], "weights": len(part.weights)}
    if layer["kind"] == "conv":
        layer["stride"] = part.strides[0]
    elif layer["kind"] == "norm":
        layer["epsilon"] = part.epsilon
    elif layer["kind"] == "reshape":
        layer["shape"] = part.target_shape
    found = [(layer, part.weights)]
    if getattr(part, "activation", keras.activations.linear) is keras.activations.relu:
        found.append(({"kind": "relu", "weights": 0}, []))
    return found


def multiply_adds(learner: maml.MetaLearner, batch: maml.Episode) -> float:
    """Those of the traced graph of a training step; the learner is compiled."""
    learner.compile("adam")
    step = tf.function(learner.train_step, autograph=False)
    return count(step.get_concrete_function(batch)).multiply_adds


def peak_rate(side: int = 2048, repeats: int = 10) -> float:
    """Most multiply-adds a second of products of matrices in single precision, on all cores."""
    x = tf.random.stateless_normal([side, side], [0, 0])
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(x, x)))
    product()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        product().numpy()
        seconds.append(time.perf_counter() - start)
    return side**3 / min(seconds)


def main(_):
    given = flags.FLAGS
    chosen = {name: given[name].value for name in ("workload", "size", "tasks", "precision")}
    workload = make(**chosen)
    learner = workload.make_learner()
    write(problem(workload, learner, chosen), given.output)
    work = multiply_adds(learner, episode(workload.draw()[0]))
    print(json.dumps({"multiply_adds": work, "peak_rate": peak_rate()}))


if __name__ == "__main__":
    flags.DEFINE_enum("workload", None, list(WORKLOADS), "Which one.")
    flags.DEFINE_enum("size", "full", ["full", "small"], "Its size; small is for tests.")
    flags.DEFINE_integer("tasks", 0, "Tasks of a batch; 0: its own number.", 0)
    flags.DEFINE_enum("precision", "float32", ["float32", "float64"], "Of all computations.")
    flags.DEFINE_string("output", None, "File .npz of the problem.")
    flags.mark_flags_as_required(["workload", "output"])
    app.run(main)

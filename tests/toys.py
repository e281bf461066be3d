"""Small tasks, networks and learners that several tests share."""

import functools
import os
import pathlib
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf

import maml
from maml.core.episodes import Episode
from maml.experiments import Config, sweep
from maml.experiments.executors.base import call
from maml.nn import normalization
from maml.tasks.image_file import ImageFile

REGRESSIONS = ("functions", "linear_regression", "nme_sinusoid", "sinusoid", "sinusoid_or_line")
"""The registered tasks whose labels are numbers."""


def trains(kind):
    """Whether a registered learner has weights; those that know the tasks' distribution have none.

    They are tested in test_exact.py.
    """
    return maml.LEARNERS[kind].network_kind != "prior"


SMALL_RUN = {
    "steps": 4, "steps_per_epoch": 2, "meta_batch_size": 4, "num_validation_batches": 1,
    "num_test_tasks": 8, "num_validation_tasks": 8,
}  # fmt: skip

SMALL_COMPONENTS = {
    "learner.inner_steps": 2, "learner.hidden": (8,), "learner.dim_r": 8, "learner.dim_z": 8,
    "network.hidden": (8,), "network.embedding": (8,),
}  # fmt: skip


def small(given):
    """The configuration of a run of seconds, with these options in place of its own."""
    images = given.get("task") in ("folder", "miniimagenet", "omniglot")
    adapts = maml.LEARNERS[given.get("learner", "maml")].network_kind == "network"
    own = {k: v for k, v in SMALL_COMPONENTS.items() if not k.startswith("network.")}
    if not images:
        own["network.hidden" if adapts else "network.embedding"] = (8,)
    return Config.of(given, SMALL_RUN | own)


def run_in_process(patch):
    """Jobs of studies run one after the other in this process: to start another takes seconds.

    Args:
        patch: a ``pytest.MonkeyPatch``.
    """
    patch.setattr(sweep, "run", lambda jobs, *_: {name: call(job) for name, job in jobs.items()})


def waited(condition, seconds=120):
    """What a condition gives once it holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("It never came to hold.")


def has_ended(group):
    """Whether no process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


class Lines(maml.TaskFamily):
    """y = a x, with the task's number one-hot in x, so that tasks can be told from x alone."""

    def __init__(self, num_tasks=8, shots=4, queries=3, dtype=tf.float32):
        self.num_tasks, self.shots, self.queries, self.dtype = num_tasks, shots, queries, dtype

    def episodes(self, tasks, seed):
        n = self.shots + self.queries
        slope = 1 + tf.cast(tasks, self.dtype)[:, tf.newaxis, tf.newaxis]
        x = tf.random.stateless_uniform([tf.shape(tasks)[0], n, 1], seed, -1, 1, self.dtype)
        name = tf.one_hot(tasks, self.num_tasks, dtype=self.dtype)
        full = tf.concat([x, tf.repeat(name[:, tf.newaxis], n, axis=1)], axis=-1)
        k = self.shots
        return Episode(full[:, :k], slope * x[:, :k], full[:, k:], slope * x[:, k:])


def perceptron(inputs, outputs, seed=0, dtype="float32", normalize=None, steps=1):
    """One hidden layer of smooth units, so that finite differences are exact enough."""
    layers = [
        keras.Input((inputs,), dtype=dtype),
        keras.layers.Dense(
            5, "tanh", kernel_initializer=keras.initializers.GlorotNormal(seed), dtype=dtype
        ),
    ]
    if normalize:
        layers.append(normalization.layer(normalize, steps, dtype=dtype))
    layers.append(
        keras.layers.Dense(
            outputs, kernel_initializer=keras.initializers.GlorotNormal(seed + 1), dtype=dtype
        )
    )
    return keras.Sequential(layers)


def images_of_classes(classes=24, per_class=20, side=16, channels=1, seed=0):
    """Images that are a pattern of their class, and a little noise."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 200, (classes, 1, side, side, channels))
    noise = rng.integers(0, 40, (classes, per_class, side, side, channels))
    images = (patterns + noise).astype(np.uint8).reshape(-1, side, side, channels)
    names = np.array([f"class{index:02d}" for index in range(classes)])
    split = np.arange(classes) % 3
    splits = {name: split for name in ("classes", "characters", "alphabets")}
    return ImageFile(images, names, np.full(classes, per_class), splits)


@functools.cache
def characters():
    """Path of a file of such images."""
    path = pathlib.Path(tempfile.mkdtemp()) / "characters.npz"
    images_of_classes().save(path)
    return str(path)


GRADIENT_BASED = {
    "maml": maml.MAML,
    "fomaml": maml.FOMAML,
    "anil": maml.ANIL,
    "metasgd": maml.MetaSGD,
    "maml++": maml.MAMLPlusPlus,
    "reptile": maml.Reptile,
    "imaml": maml.IMAML,
}

VARIANTS = {
    "maml-batch": {"normalize": "batch"},
    "maml-step": {"normalize": "step"},
    "maml-frozen": {"normalize": "frozen"},
    "maml-layer": {"normalize": "layer"},
    "maml-adam": {"inner_optimizer": "adam", "inner_lr": 0.02},
    "maml-clip": {"inner_clip": 0.5},
    "maml-minibatch": {"inner_batch_size": 3},
    "maml-recompute": {"recompute": True},
    "maml-map_fn": {"task_map": "map_fn"},
    "maml-unrolled": {"task_map": "unrolled"},
    "maml-embedding": {"embedding": True},
}
"""Options of MAML that change its gradient, or the way it is computed."""

UNREGISTERED = (*VARIANTS, "cnp-products")
"""Learners with options that none of the registry has by default.

``maml.testing.check_learner`` checks each learner of the registry, see test_testing.py: saving,
finite differences, padding, and that tasks of a batch share nothing. So where a test has another
look at one of these, it takes the learners here, and one or two of the registry.
"""

LEARNERS = (*GRADIENT_BASED, *UNREGISTERED, "cnp", "acnp", "relative-cnp")


def learner(kind, head, inputs, regularizers=(), dtype="float32", seed=0, **options):
    """A small learner of each kind: one of ``LEARNERS``."""
    options |= {"regularizers": regularizers, "dtype": dtype}
    if kind == "tnp":
        small = {"width": 6, "depth": 2, "heads": 2, "feedforward": 5, "initializer_seed": seed}
        options = small | options
        return maml.TransformerNeuralProcess(perceptron(inputs, 6, seed, dtype), head, **options)
    if kind == "relative-cnp":
        options |= {"hidden": (7,), "interaction": 5, "initializer_seed": seed + 1}
        return maml.RelativeCNP(perceptron(inputs, 6, seed, dtype), head, **options)
    if "cnp" in kind:
        embedding = perceptron(inputs, 6, seed, dtype)
        options |= {"hidden": (7,), "dim_r": 6, "dim_z": 4, "initializer_seed": seed + 1}
        if kind == "acnp":
            return maml.AttentiveCNP(embedding, head, heads=2, **options)
        return maml.CNP(embedding, head, interaction=5 if kind == "cnp-products" else 0, **options)
    options = {"inner_lr": 0.1, "inner_steps": 3} | VARIANTS.get(kind, {}) | options
    normalize = options.pop("normalize", None)
    if options.pop("embedding", False):
        options["embedding"], inputs = perceptron(inputs, 4, seed + 10, dtype), 4
    network = perceptron(inputs, head.units, seed, dtype, normalize, options["inner_steps"])
    return GRADIENT_BASED[kind.partition("-")[0]](network, head, **options)


def finite_differences(function, variables, step=1e-6):
    """Central differences of a scalar function of variables, one array a variable."""
    function, gradients = tf.function(function, autograph=False), []
    for variable in variables:
        value = variable.numpy()
        gradient = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * step
                variable.assign(moved)
                gradient[index] += sign * float(function()) / (2 * step)
        variable.assign(value)
        gradients.append(gradient)
    return gradients


def of_policies(task):
    """Whether a registered task is one to act in."""
    return maml.TASKS[task].__module__.startswith("maml.rl")

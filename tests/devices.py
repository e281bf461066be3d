"""Trains learners on some devices, and writes what came out into a file.

    python devices.py alone,mirrored|workers FILE CASES

``mirrored`` has two logical processors of this process, ``workers`` the processes of TF_CONFIG.
"""

import contextlib
import sys

import keras
import numpy as np
import tensorflow as tf

import maml
from maml.experiments import Config

BOTH = {
    "regularizer": "label_mi,prediction_mi",
    "label_mi.warmup": 10,
    "label_mi.warmup_nats": 0.05,
}
# An inner rate at which second derivatives do not double rounding errors at each step.
ADAPTS = {"learner.inner_steps": 1, "learner.inner_lr": 0.03, "network.hidden": (8,)}
SMALL = {"network.embedding": (8,), "learner.hidden": (8,), "learner.dim_r": 8, "learner.dim_z": 4}

CASES = {
    "maml": ADAPTS | BOTH | {"learner": "maml", "learner.task_map": "map_fn"},
    "cnp": SMALL
    | BOTH
    | {"learner": "cnp", "label_mi.bound": "dv", "prediction_mi.bound": "dv"}
    | {"label_mi.num_relabelings": 2, "label_mi.cap": 0.5, "label_mi.negatives": 1}
    | {"prediction_mi.noise": 0.3},
    "tnp": BOTH
    | {"learner": "tnp", "network.embedding": (8,), "learner.width": 8, "learner.depth": 1},
    "imaml": ADAPTS | BOTH | {"learner": "imaml", "learner.solver_steps": 2},
    "reptile": ADAPTS | BOTH | {"learner": "reptile"},
    "other terms": SMALL | {"learner": "cnp", "regularizer": "mr_a,mr_w,mlti,label_augmentation"},
    "platipus": ADAPTS | {"learner": "platipus", "learner.divergence_weight": 0.0},
    "frozen": ADAPTS | {"learner": "maml", "network.normalization": "frozen"},
    "memory": {"learner": "memory", "task": "clusters", "learner.slots": 8},
}
"""What is trained: the first in fifty steps and five of them on workers, too."""


class Sizes(maml.TaskFamily):
    """Tasks of a family, of whose support sets random parts are real."""

    def __init__(self, family):
        self.family, self.num_tasks = family, family.num_tasks

    def episodes(self, tasks, seed):
        parts = self.family.episodes(tasks, seed)
        chance = tf.random.stateless_uniform(tf.shape(parts.support_y)[:2], seed)
        return maml.PaddedEpisode(*parts, tf.logical_or(chance < 0.5, chance[:, :1] == chance))


def trained(name, strategy, steps):
    """Weights before and after training, logs, and of the CNP held-out scores and predictions."""
    config = Config.of({"task": "nme_sinusoid", "meta_batch_size": 4} | CASES[name])
    with strategy.scope() if strategy else contextlib.nullcontext():
        problem = config.make_problem()
        learner = config.make_learner(problem)
        learner.create_weights(problem.train.sample(2, [0, 5]))
        # Not Adam: it makes steps of one size out of gradients that are rounding errors. Not at a
        # higher rate: critics divide by deviations, and rounding errors would grow.
        rate = 0.1 if name == "memory" else 1e-3
        optimizers = [keras.optimizers.SGD(rate) for _ in range(2)]
        critic = {"critic_optimizer": optimizers[1]} if learner.critic_variables else {}
        learner.compile(
            optimizers[0], metrics={"own": lambda q, y: tf.abs(q.mean() - y)},
            jit_compile=False, **critic,
        )  # fmt: skip
    family = Sizes(problem.train) if name == "cnp" else problem.train
    sizes, network = {"batch_size": 4, "verbose": 0}, getattr(learner, "network", None)
    weights = [*learner.trainable_variables, *(network.non_trainable_variables if network else [])]
    found = {f"{name} start {i}": v.numpy() for i, v in enumerate(weights)}
    history = learner.fit(family, steps=steps, epochs=2, **sizes).history
    found |= {f"{name} end {i}": v.numpy() for i, v in enumerate(weights)}
    logs = {key: of[-1] for key, of in history.items()}
    if name == "cnp":
        held_out = learner.evaluate(problem.test, steps=2, return_dict=True, **sizes)
        logs |= {f"held-out {key}": of for key, of in held_out.items()}
        answers = learner.predict(problem.test, steps=2, **sizes)
        found["cnp answers"] = answers
    return found | {f"{name} log {key}": np.asarray(of) for key, of in logs.items()}


def two_devices():
    """A strategy of two logical processors."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def main(kinds, file, names):
    strategies = {}
    if "mirrored" in kinds:
        strategies["mirrored"] = two_devices()
    if "workers" in kinds:
        strategies["workers"] = tf.distribute.MultiWorkerMirroredStrategy()
    for kind in kinds:
        found = {}
        for name in names:
            found |= trained(name, strategies.get(kind), 50 if name in list(CASES)[:5] else 10)
        np.savez(file.replace("KIND", kind), **found)


if __name__ == "__main__":
    main(sys.argv[1].split(","), sys.argv[2], sys.argv[3].split(","))

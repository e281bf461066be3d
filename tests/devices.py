"""Trains learners on several devices and on one, and prints how far their weights are apart.

    python devices.py mirrored|multiworker CASES

``mirrored`` has two logical processors of this process, ``multiworker`` the processes of TF_CONFIG.
"""

import contextlib
import json
import sys

import keras
import numpy as np
import tensorflow as tf

from maml.experiments import Config

BOTH = {"regularizer": "label_mi,prediction_mi"}
# An inner rate at which second derivatives do not double rounding errors at each step.
ADAPTS = {"learner.inner_steps": 2, "learner.inner_lr": 0.03, "network.hidden": (8,)}
SMALL = {"network.embedding": (8,), "learner.hidden": (8,), "learner.dim_r": 8, "learner.dim_z": 4}

CASES = {
    "maml": ADAPTS | BOTH | {"learner": "maml"},
    "maml, critics": ADAPTS
    | {"learner": "maml", "regularizer": "label_mi,prediction_mi", "label_mi.bound": "mine"},
    "cnp": SMALL | BOTH | {"learner": "cnp", "label_mi.num_relabelings": 3},
    "cnp, dv": SMALL
    | BOTH
    | {"learner": "cnp", "label_mi.bound": "dv", "prediction_mi.bound": "dv"}
    | {"label_mi.num_relabelings": 2, "prediction_mi.noise": 0.3, "label_mi.cap": 0.5},
    "tnp": BOTH | {"learner": "tnp", "network.embedding": (8,), "learner.width": 8},
    "imaml": ADAPTS | BOTH | {"learner": "imaml", "learner.solver_steps": 2},
    "reptile": ADAPTS | BOTH | {"learner": "reptile"},
    "other terms": SMALL | {"learner": "cnp", "regularizer": "mr_a,mr_w,mlti,label_augmentation"},
    "platipus": ADAPTS | {"learner": "platipus"},
    "latent_np": SMALL | {"learner": "latent_np", "learner.dim_latent": 4},
    "memory": {"learner": "memory", "task": "gaussian_clusters", "learner.slots": 8},
}


def trained(given, strategy, steps):
    """Weights before and after training, the last logs, held-out scores, and predictions."""
    config = Config.of({"task": "nme_sinusoid", "meta_batch_size": 4} | given)
    with strategy.scope() if strategy else contextlib.nullcontext():
        problem = config.make_problem()
        learner = config.make_learner(problem)
        learner.create_weights(problem.train.sample(2, [0, 5]))
        # Not Adam: it makes steps of one size out of gradients that are rounding errors.
        optimizers = [keras.optimizers.SGD(3e-3, momentum=0.9) for _ in range(2)]
        critic = {"critic_optimizer": optimizers[1]} if learner.critic_variables else {}
        learner.compile(
            optimizers[0], metrics={"own": lambda q, y: tf.abs(q.mean() - y)},
            jit_compile=False, **critic,
        )  # fmt: skip
    sizes, weights = {"batch_size": 4, "verbose": 0}, learner.trainable_variables
    before = [v.numpy() for v in weights]
    history = learner.fit(problem.train, steps=steps, epochs=2, **sizes).history
    logs = {name: of[-1] for name, of in history.items()}
    held_out = learner.evaluate(problem.test, steps=2, return_dict=True, **sizes)
    logs |= {f"held-out {name}": of for name, of in held_out.items()}
    predictions = learner.predict(problem.test, steps=2, **sizes)
    return before, [v.numpy() for v in weights], logs, predictions


def largest(one, other):
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def compared(given, strategy, steps):
    """How far several devices end from one, and how far training has moved the weights."""
    _, many, logs, predictions = trained(given, strategy, steps)
    if getattr(strategy.cluster_resolver, "task_id", 0):
        return {}
    before, one, right, answers = trained(given, None, steps)
    return {
        "apart": largest(one, many),
        "moved": largest(one, before),
        "logs": {name: abs(logs[name] - of) / (1e-3 + abs(of)) for name, of in right.items()},
        "predictions": largest([answers], [predictions]),
    }


def main(kind, names, steps=50):
    if kind == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        devices = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, devices)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    else:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    print(json.dumps({name: compared(CASES[name], strategy, steps) for name in names}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

"""Scores of the pose experiment, and the record of a finished run."""

import datetime
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import sys

import numpy as np
import tensorflow as tf

from maml.diagnostics import squared_error
from maml.statistics import mean_interval
from pose_data import files
from pose_data.tasks import PERIOD, PoseTasks

RESULTS = "results.json"
PACKAGES = ("exact-meta-information", "tensorflow", "keras", "numpy", "mujoco")


def angular_error(prediction, y) -> tf.Tensor:
    """Angle between the best answer and the label, the short way round, in degrees, [..., n]."""
    difference = tf.math.floormod(prediction.point() - y + PERIOD / 2, PERIOD) - PERIOD / 2
    return tf.abs(difference[..., 0]) * 360 / PERIOD


METRICS = {"mse": squared_error, "angle": angular_error}
"""Squared error of the expected label (times ten, not wrapped: as in the papers), and degrees."""


def summarise(scores: dict[str, np.ndarray], names: list[str]) -> dict:
    """Means over objects with 95 % intervals; an object's episodes are averaged first.

    Args:
        scores: of :class:`maml.Evaluator`, each [objects, episodes].
        names: of the objects.

    Returns:
        For each score its ``mean`` and ``ci95``; the swap gap; median angles; each object's scores.
    """
    scores = {**scores, "swap_gap": scores["swap_mse"] - scores["mse"]}
    summary = {name: mean_interval(values.mean(axis=1)) for name, values in scores.items()}
    for name in ("angle", "pre_angle"):
        summary[name]["median"] = float(np.median(scores[name]))
    summary["objects"] = {
        name: {"mse": float(scores["mse"][i].mean()), "angle": float(scores["angle"][i].mean())}
        for i, name in enumerate(names)
    }
    return summary


def describe(train_tasks: PoseTasks, held_out: PoseTasks) -> dict:
    """What must be the same for scores to be compared: the split, by checksums of angles, and K."""

    def checksum(tasks):
        return hashlib.sha256(tasks.angles.numpy().tobytes()).hexdigest()[:16]

    return {
        "train": checksum(train_tasks),
        "test": checksum(held_out),
        "train_objects": train_tasks.num_tasks,
        "test_objects": held_out.num_tasks,
        "shots": held_out.shots,
        "queries": held_out.queries,
    }


def sentence(record: dict) -> str:
    """A finished run in one line."""
    test, diagnosis = record["test"], record["diagnosis"]
    return (
        f"{record['method']}: held-out squared error {test['mse']['mean']:.2f} "
        f"± {test['mse']['ci95']:.2f}, median angle {test['angle']['median']:.0f}°, "
        f"support-swap gap {test['swap_gap']['mean']:.2f}, information "
        f"{test['information_lower']['mean']:.2f} to {test['information_upper']['mean']:.2f} nats, "
        f"{record['normalization']}; verdict: {diagnosis['train']['verdict']} (training objects), "
        f"{diagnosis['test']['verdict']} (held-out)"
    )


def surroundings() -> dict:
    """What a number depends on besides the flags: command, machine, versions, date."""
    return {
        "command": shlex.join(["python", "-m", "pose_code." + pathlib.Path(sys.argv[0]).stem])
        + "".join(" " + shlex.quote(argument) for argument in sys.argv[1:]),
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}, "
        f"{len(tf.config.list_physical_devices('GPU'))} GPU",
        "versions": {"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in PACKAGES},
        "date": datetime.date.today().isoformat(),
    }


def write_json(content: dict, path: pathlib.Path):
    """Writes JSON in one step; NaN becomes null."""

    def clean(value):
        if isinstance(value, dict):
            return {k: clean(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [clean(v) for v in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    files.write_bytes(path, (json.dumps(clean(content), indent=2) + "\n").encode())

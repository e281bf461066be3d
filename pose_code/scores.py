"""Scores of the pose experiment, and the record of a finished run."""

import hashlib
import importlib.metadata
import platform

import numpy as np
import tensorflow as tf

from maml.diagnostics.metrics import squared_error
from mine import reporting
from mine.reporting.statistics import mean_interval
from pose_data.tasks import PERIOD, PoseTasks

RESULTS = "results.json"
PACKAGES = ("exact-meta-information", "tensorflow", "keras", "numpy", "mujoco")


def angular_error(prediction, y) -> tf.Tensor:
    """Angle between the best answer and the label, the short way round, in degrees, [..., n]."""
    difference = tf.math.floormod(prediction.mode() - y + PERIOD / 2, PERIOD) - PERIOD / 2
    return tf.abs(difference[..., 0]) * 360 / PERIOD


METRICS = {"mse": squared_error, "angle": angular_error}
"""Squared error of the expected label (times ten, not wrapped: as in the papers), and degrees.

The first asks for one number, as the papers do: where an answer is spread around the seam, angle 0,
that number lies between the ends of the range, far from the label. Degrees know no seam.
"""


def summarise(scores: dict[str, np.ndarray], names: list[str]) -> dict:
    """Means over objects with 95 % intervals; an object's queries are averaged first.

    Args:
        scores: of :class:`maml.Evaluator`, each [objects, episodes, queries].
        names: of the objects.

    Returns:
        For each score its ``mean`` and ``ci95``; the swap gap; each object's scores; of angles
        also the ``median`` over all queries, and the shares of answers within 30 and beyond 150
        degrees of the truth: about right, and half a turn off.
    """
    scores = {**scores, "swap_gap": scores["mismatched_support_mse"] - scores["mse"]}
    summary = {name: mean_interval(values.mean(axis=(1, 2))) for name, values in scores.items()}
    for name in ("angle", "no_support_angle"):
        summary[name]["median"] = float(np.median(scores[name]))
        summary[name]["within_30"] = float(np.mean(scores[name] < 30))
        summary[name]["beyond_150"] = float(np.mean(scores[name] > 150))
    summary["objects"] = {
        name: {"mse": float(scores["mse"][i].mean()), "angle": float(scores["angle"][i].mean())}
        for i, name in enumerate(names)
    }
    return summary


def describe(families: dict[str, PoseTasks]) -> dict:
    """What must be the same for scores to be compared: checksums of angles and images, and K."""

    def checksum(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()[:16]

    held_out = families["test"]
    return {
        **{name: checksum(tasks.angles.numpy().tobytes()) for name, tasks in families.items()},
        **{
            f"{name}_images": checksum("".join(tasks.checksums).encode())
            for name, tasks in families.items()
        },
        **{f"{name}_objects": tasks.num_tasks for name, tasks in families.items()},
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


def surroundings(program: str) -> dict:
    """What a number depends on besides the data: command, machine, versions, date.

    Args:
        program: the module that Python runs.
    """

    def version(package):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # Pickles are trained on without MuJoCo.
            return None

    versions = {package: version(package) for package in PACKAGES}
    return reporting.provenance(program) | {
        "versions": {"python": platform.python_version()} | versions
    }

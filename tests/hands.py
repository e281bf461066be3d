"""A pose data set that takes no renderer: hands of clocks."""

import json
import pathlib

import numpy as np

from maml.core.registry import LEARNERS
from maml.experiments import Config
from pose_code import problem  # noqa: F401 (registers the task)
from pose_code.data import load_splits
from pose_code.presets import preset_options
from pose_data import pickles

TINY = {
    "task.cropped": False, "task.image_size": 16, "task.shots": 3, "task.queries": 3,
    "meta_batch_size": 2, "steps": 4, "steps_per_epoch": 2, "episodes_per_task": 2,
    "num_relabelings": 2, "head": "circular", "head.knots": 12, "learner.hidden": (8, 8),
    "network.dim_w": 4, "network.filters": 2, "learner.inner_steps": 1,
    "learner.test_inner_steps": 1, "label_mi.warmup": 2, "prediction_mi.warmup": 2,
}  # fmt: skip
"""Options of a run of seconds; those of components that are not chosen are left out."""

FLAGS = (
    "--task_options=cropped=false;image_size=16", "--shots=3", "--queries=3",
    "--meta_batch_size=2", "--steps=4", "--steps_per_epoch=2", "--episodes_per_task=2",
    "--num_relabelings=2", "--head=circular", "--head_options=knots=12",
    "--learner_options=hidden=8:8", "--network_options=dim_w=4",
)  # fmt: skip
"""The same as one types them, for a CNP without a regularizer."""


def tiny(data_dir, **given) -> Config:
    """A run of seconds, with other options, by their dotted names, in place of its own."""
    defaults = preset_options("quick", given.get("learner")) | TINY
    if LEARNERS[defaults["learner"]].network_kind == "embedding":
        defaults.pop("network.filters")
    return Config.of({"task.data_dir": str(data_dir)} | given, defaults)


def splits(data_dir, **given):
    """The families of a data set, in the sizes of such a run."""
    return load_splits(data_dir, **({"shots": 3, "queries": 3, "image_size": 16} | given))


def hands(objects: int, images: int, seed: int):
    """Images of a clock's hand that starts at a random hour for each object, and its angles."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0, 1, (objects, images))
    turn = 2 * np.pi * (angles + rng.uniform(0, 1, (objects, 1)))[..., None, None]
    y, x = np.mgrid[-8:8, -8:8] + 0.5
    along = x * np.cos(turn) + y * np.sin(turn)
    across = np.abs(x * np.sin(turn) - y * np.cos(turn))
    return np.where((along > 0) & (across < 1.5), 255, 0).astype(np.uint8), angles


def write(folder: pathlib.Path, seed: int = 0) -> None:
    """Writes the files of a data set: 8 objects to train on and 8 held out, 8 images of each.

    As many of both: what scores a learner is traced for each number of tasks.
    """
    write_images(folder, *(hands(8, 8, 2 * seed + number) for number in range(2)))


def write_images(folder: pathlib.Path, train, val) -> None:
    """Writes the files of a data set from images [objects, images, side, side] and angles."""
    names = {}
    for split, (images, angles) in (("train", train), ("val", val)):
        labels = [[[0.5, 0.5, float(a)] for a in row] for row in angles]
        pickles.dump([[list(of) for of in images], labels], folder / f"{split}_data.pkl")
        names[split] = [f"hand/{split}{i}" for i in range(len(images))]
    (folder / "split.json").write_text(json.dumps(names))

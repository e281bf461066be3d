"""A pose data set that takes no renderer: hands of clocks."""

import json
import pathlib

import numpy as np

from pose_code import config
from pose_data import pickles

TINY = {
    "cropped": False, "image_size": 16, "shots": 3, "queries": 3, "meta_batch_size": 2, "steps": 4,
    "steps_per_epoch": 2, "eval_episodes": 2, "information_draws": 2, "knots": 12, "hidden": 8,
    "dim_w": 4, "filters": 2, "inner_steps": 1, "test_inner_steps": 1, "mi_warmup": 2,
}  # fmt: skip
"""Options of a run of seconds."""


def tiny(**given) -> config.Config:
    """A run of seconds, with other options in place of its own."""
    return config.from_preset("quick", **(TINY | given))


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
    names = {}
    for number, split in enumerate(("train", "val")):
        images, angles = hands(8, 8, 2 * seed + number)
        labels = [[[0.5, 0.5, float(a)] for a in row] for row in angles]
        pickles.dump([[list(of) for of in images], labels], folder / f"{split}_data.pkl")
        names[split] = [f"hand/{split}{i}" for i in range(8)]
    (folder / "split.json").write_text(json.dumps(names))

"""Commands that are killed at random moments and run again: what they leave is what it would be.

``KILLS`` of the environment says how many kills; each command gets its share of them.
"""

import json
import os
import time

import commands
import numpy as np
import pytest

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("KILLS", 10))

TRAINING = ["--steps=40", "--steps_per_epoch=10", "--meta_batch_size=4", "--num_test_tasks=8"]
TRAINING += ["--num_validation_tasks=8", "--num_validation_batches=1", "--resume"]
RENDERS = ["--CAD_dir=CAD", "--data_dir=data", "--num_images=4", "--image_size=32", "--num_val=2"]

COMMANDS = {
    "CAD models": ["pose_data.make_cad", "--CAD_dir=CAD", "--num_per_class=1"],
    "renders": ["pose_data.mujoco_render", *RENDERS],
    "pickles": [
        "pose_data.data_gen", "--data_dir=data/rotate", "--output_dir=data", "--num_val=2",
    ],
    "shards": [
        "pose_data.data_gen", "--data_dir=data/rotate", "--output_dir=shards", "--num_val=2",
        "--shards=3",
    ],
    "images": [
        "maml.tasks.prepare", "--dataset=folder", "--source=data/rotate", "--output=images.npz",
    ],
    "a training": ["maml.train", "--learner=cnp", "--logdir=run", *TRAINING],
    "a policy": [
        "maml.rl.train", "--env=bandit", "--task_options=trajectories=5", "--logdir=policy",
        "--network_options=hidden=8", *TRAINING,
    ],
}  # fmt: skip
"""What is made -> the command. A study that is killed has a test in test_studies.py."""

# Of a record all but times, and where it stands.
RECORDED = ("method", "seed", "config", "metric", "scores", "diagnosis", "terms")


def start(command, folder, out):
    return commands.start(*command, cwd=folder, out=out, err=f"{out}.err")


def contents(folder):
    """Every file that a user keeps -> what is in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        picture = path.suffix == ".png" and not name.startswith("data")
        if path.is_dir() or picture or "tensorboard" in name or path.suffix in (".keras", ".h5"):
            continue
        if path.name == "results.json":
            record = json.loads(path.read_text())
            found[name] = {key: record[key] for key in RECORDED}
        elif path.name == "history.csv":  # Times differ, and so does the checksum.
            rows = path.read_text().splitlines()
            keep = [i for i, title in enumerate(rows[0].split(",")) if title == "loss"]
            found[name] = [[row.split(",")[i] for i in keep] for row in rows]
        elif path.name != ".lock":
            found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder in which every command ran to its end, and the seconds that each took."""
    folder, seconds = tmp_path_factory.mktemp("whole"), {}
    commands.run("timeit", "-n", "1", "pass")  # The first waits until the libraries are loaded.
    for made, command in COMMANDS.items():
        started = time.perf_counter()
        process = start(command, folder, folder.parent / "out")
        process.join(300)
        assert process.exitcode == 0, (folder.parent / "out.err").read_text()
        seconds[made] = time.perf_counter() - started
    return folder, seconds


def test_what_is_killed_goes_on_to_the_same_result(whole, tmp_path):
    folder, seconds = whole
    expected, rng, done = contents(folder), np.random.default_rng(0), 0
    shares = np.diff(np.linspace(0, KILLS, len(COMMANDS) + 1).astype(int))
    for (made, command), share in zip(COMMANDS.items(), shares, strict=True):
        for _ in range(share):
            process = start(command, tmp_path, tmp_path.parent / "out")
            process.join(rng.uniform(0.1, 1) * seconds[made])
            if process.is_alive():
                process.kill()
                done += 1
            process.join()
        process = start(command, tmp_path, tmp_path.parent / "again")
        process.join(300)
        said = (tmp_path.parent / "again.err").read_text()
        assert process.exitcode == 0 and "Traceback" not in said, (made, said)
    found = contents(tmp_path)
    assert found.keys() == expected.keys()
    for name, content in expected.items():
        assert found[name] == content, name
    assert done >= KILLS // 2, "most were killed in time"

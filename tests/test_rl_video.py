"""Videos of robots, drawn in a process of their own."""

import errno
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import maml
from maml.experiments.config import Config
from maml.experiments.run_folder import CONFIG, LEARNER
from maml.rl import video
from mine import reporting

pytest.importorskip("mujoco.batch", reason="needs mujoco 4.0 or later")

from maml.rl.simulation import drawing  # noqa: E402

OPTIONS = {
    "task.horizon": 4, "task.trajectories": 2, "task.test_tasks": 4, "network.hidden": (4,),
}  # fmt: skip


def saved(folder, task):
    """A policy, untrained, as a run saves it; its problem."""
    config = Config.of({"task": task, "learner": "maml", **OPTIONS})
    problem = config.make_problem()
    learner = config.make_learner(problem)
    learner.create_weights(problem.test.sample(1, (0, 0)))
    folder.mkdir()
    maml.save(learner, folder / LEARNER)
    reporting.write_json({"config": config.describe(problem), "data": {}}, folder / CONFIG)
    problem.test.policy = learner
    return folder / LEARNER, problem.test


@pytest.fixture(scope="module")
def cheetah(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("video") / "run", "cheetah_dir")


def drawn(function, *arguments):
    try:
        return function(*arguments)
    except RuntimeError as error:
        pytest.skip(str(error))


def test_a_video_shows_where_the_robots_were(tmp_path):
    model = drawing.load_model("half_cheetah")
    positions = np.tile(model.qpos0, [2, 3, 5, 1])
    positions[1, 2, 2:, 2] = np.pi  # One turns over.
    titles = [[""] * 3] * 2
    drawn(drawing.draw, "half_cheetah", positions, titles, tmp_path / "x.gif")
    with Image.open(tmp_path / "x.gif") as gif:
        frames = []
        for number in range(gif.n_frames):
            gif.seek(number)
            frames.append(np.asarray(gif.convert("RGB"), float))
        assert gif.info["loop"] == 0
    # Frames that are the same as the one before are shown longer instead.
    assert len(frames) >= 2 and frames[0].shape == (2 * drawing.HEIGHT, 3 * drawing.WIDTH, 3)
    change = np.abs(frames[1] - frames[0]).mean(-1)
    turned = change[drawing.HEIGHT :, 2 * drawing.WIDTH :]
    assert (turned > 50).sum() > 200 and (change > 50).sum() == (turned > 50).sum()
    assert [path.name for path in tmp_path.iterdir()] == ["x.gif"]


def test_drawing_loads_no_tensorflow():
    code = "import sys, maml.rl.simulation.drawing; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_where_nothing_can_draw_one_sentence_says_so_and_no_file_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "crayons")
    model = drawing.load_model("ant")
    positions = np.tile(model.qpos0, [1, 1, 2, 1])
    with pytest.raises(RuntimeError, match="no working OpenGL.*crayons") as caught:
        drawing.draw("ant", positions, [["x"]], tmp_path / "x.gif")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_full_disk_is_not_taken_for_a_fault_of_opengl(tmp_path, monkeypatch):
    def draw(command, **_):
        """As the process does that draws, which cannot write to the disk of the video."""
        if not pathlib.Path(command[-1]).is_relative_to(tmp_path):
            pathlib.Path(command[-1]).write_bytes(b"GIF")
            return subprocess.CompletedProcess(command, 0, "", "")
        return subprocess.CompletedProcess(command, 1, "", "OSError: [Errno 28] No space left")

    def full(path, content, written=pathlib.Path.write_bytes):
        if path.is_relative_to(tmp_path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
        return written(path, content)

    monkeypatch.setattr(drawing.subprocess, "run", draw)
    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left.*x.gif"):
        drawing.draw("ant", np.zeros([1, 1, 2, 15]), [["x"]], tmp_path / "x.gif")
    assert not list(tmp_path.iterdir())


def test_a_record_is_of_the_trajectories_before_and_after(cheetah):
    _, family = cheetah
    positions, titles = video.record(family, 0)
    assert positions.shape == (2, 2, 4, 9)
    again, _ = video.record(family, 0)
    np.testing.assert_array_equal(positions, again)
    assert [row[0].split(",")[0] for row in titles] == ["task [1.]", "task [-1.]"]
    # What a trajectory shows is what it was rewarded for: the way that it went.
    for row, direction in enumerate((1, -1)):
        for column, when in enumerate(("before", "after")):
            assert f"{when}: return" in titles[row][column]
            way = positions[row, column, -1, 0] - positions[row, column, 0, 0]
            value = float(titles[row][column].rpartition(" ")[2])
            # Three of four steps of 0.05 s; the costs of actions are at most 0.05 * 6 each.
            assert direction * way / 0.05 - 4 * 0.3 - 5 < value < direction * way / 0.05 + 5


def test_a_saved_policy_is_filmed(cheetah, tmp_path):
    path, _ = cheetah
    titles = drawn(video.film, path, tmp_path / "new/x.gif")
    assert len(titles) == 2 and (tmp_path / "new/x.gif").stat().st_size > 1000


@pytest.mark.parametrize(
    ("task", "output", "words"),
    [
        ("cheetah_dir", "x.mp4", "`output`: expected a .gif; received x.mp4"),
        ("navigation", "x.gif", "expected a policy of a simulated robot.*trained on navigation"),
    ],
)
def test_what_cannot_be_filmed_is_refused(task, output, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path / "run", task)[0] if task == "navigation" else "learner.keras"
    with pytest.raises(ValueError, match=words):
        video.film(path, output)

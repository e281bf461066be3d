"""SIGINT and SIGTERM: one sentence, the exit code of shells, whole files, and no process left."""

import os
import pathlib
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import toys
from marks import exhaustive
from PIL import Image

from mine.reporting.processes import stopping

ROOT = pathlib.Path(__file__).parent.parent
RUN = [
    "--steps=100000",
    "--steps_per_epoch=10",
    "--meta_batch_size=2",
    "--num_validation_batches=1",
]


def start(*arguments, cwd, errors):
    """A command in a group of its own; what it says of errors goes to a file."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,
        # In the background of a script, where tests may run, Ctrl-C is ignored otherwise.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def stopped(arguments, ready, how, cwd):
    """What a command says that is stopped once ``ready`` holds; checks how it ends.

    Ctrl-C goes to the whole group of processes, SIGTERM to the command alone.
    """
    with (cwd / "errors.txt").open("w+") as errors:
        process = start(*arguments, cwd=cwd, errors=errors)
        try:
            toys.waited(lambda: ready(process) or process.poll() is not None)
            assert process.poll() is None, (cwd / "errors.txt").read_text()
            (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
            assert process.wait(30) == 128 + how, (cwd / "errors.txt").read_text()
            toys.waited(lambda: toys.has_ended(process.pid), 20)
        finally:
            if not toys.has_ended(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
    said = (cwd / "errors.txt").read_text()
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith(f"Stopped by {how.name}: files that are complete are")
    left = [path for path in cwd.rglob(".*") if ".tmp" in path.name or path.name == ".lock"]
    assert not left
    return said


PATIENT = ["--patience=1000000"]
SIGNALS = pytest.mark.parametrize("how", [signal.SIGINT, *exhaustive(signal.SIGTERM)])


def test_signals_are_those_that_users_and_queues_send():
    assert set(stopping.SIGNALS) == {signal.SIGINT, signal.SIGTERM}


@pytest.mark.parametrize("how", [signal.SIGTERM, *exhaustive(signal.SIGINT)])
def test_a_training_keeps_its_checkpoint(tmp_path, how):
    run = ["-m", "maml.train", "--learner=cnp", "--logdir=run", *RUN]
    checkpoint = tmp_path / "run/checkpoint.weights.h5"
    said = stopped(run, lambda process: checkpoint.exists(), how, tmp_path)
    assert "run the same command with --resume to go on" in said
    assert checkpoint.exists() and (tmp_path / "run/config.json").exists()


@pytest.mark.slow
@SIGNALS
def test_a_study_ends_its_workers(tmp_path, how):
    study = ["-m", "maml.studies.memorization", "--logdir=runs", "--output=out", "--workers=2"]
    study += ["--steps=100000", "--seeds=1"]
    ready = tmp_path / "runs"
    stopped(study, lambda process: len(list(ready.glob("*/config.json"))) == 2, how, tmp_path)
    # Nothing was trained yet: the runs' folders are free, and what was made for the study is gone.
    assert not list(tmp_path.rglob("config.json")) and not (tmp_path / "out").exists()


def _samples(folder):
    x = np.random.default_rng(0).normal(size=[4000, 1])
    np.savez(folder / "samples.npz", x=x, y=x)


def _computes(process):
    """Whether it, or a process that it started, had a processor for longer than imports take."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    for number in (process.pid, *children.split()):
        ticks = pathlib.Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        if (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK") > 7:
            return True
    return False


@SIGNALS
def test_pickles_are_whole_or_not_there(tmp_path, how):
    """Threads read; what they have not begun is left."""
    label = pickle.dumps([[number, 0.5, 0.0, 1.0] for number in range(50)], protocol=2)
    for number in range(300):
        folder = tmp_path / f"images/a/{number}"
        folder.mkdir(parents=True)
        for image in range(50):
            (folder / f"{image}.png").symlink_to(tmp_path / "image.png")
        (folder / "label").write_bytes(label)
    Image.fromarray(np.zeros([400, 400], np.uint8)).save(tmp_path / "image.png")
    generate = ["-m", "pose_data.data_gen", "--data_dir=images", "--output_dir=out"]
    stopped(generate, lambda process: (tmp_path / "out/.lock").exists(), how, tmp_path)
    assert not (tmp_path / "out").exists(), "it was made for nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "how"),
    [
        (["mine.estimators", "--data=samples.npz", "--steps=1000000", *PATIENT], signal.SIGINT),
        (["mine.benchmarks", "--output=out", "--samples=100000"], signal.SIGTERM),
        (["maml.rl.train", "--env=bandit", "--logdir=run", *RUN], signal.SIGTERM),
        *exhaustive(
            (["maml.diagnostics.known_models", "--output=out", "--workers=2"], signal.SIGTERM)
        ),
    ],
)
def test_commands_that_compute_end_in_a_sentence(tmp_path, arguments, how):
    _samples(tmp_path)
    stopped(["-m", *arguments], _computes, how, tmp_path)


@SIGNALS
def test_a_command_that_is_still_imported_ends_in_a_sentence(tmp_path, how):
    def imports(process):
        return "tensorflow" in pathlib.Path(f"/proc/{process.pid}/maps").read_text()

    stopped(["-m", "maml.train", "--logdir=run", *RUN], imports, how, tmp_path)
    assert not (tmp_path / "run").exists()


def test_what_is_raised_where_python_ignores_it_is_raised_again():
    class Object:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(1000):  # The signal is seen between two steps of Python.
                pass

    before = signal.getsignal(signal.SIGINT)  # Ignored, where a shell started this behind itself.
    with pytest.raises(stopping.Stopped) as told, stopping.raising():
        Object()
        time.sleep(5)
    assert told.value.code == 143
    assert signal.getsignal(signal.SIGINT) == before


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping.raising():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

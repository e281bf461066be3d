"""Devices of a training by name: what is refused, and what happens where a worker is killed."""

import json
import sys
import types

import commands
import numpy as np
import pytest
import tensorflow as tf
import toys
import workers

import maml
from maml.experiments import Config, read_history, training
from maml.learners.parallel.workers import ONE, Devices

TWO = types.SimpleNamespace(num_replicas_in_sync=2)


def two_devices():
    devices = Devices()
    devices.name, devices.strategy = "mirrored", TWO
    return devices


def test_a_strategy_that_is_unknown_or_has_one_device_is_refused():
    with pytest.raises(ValueError, match="`strategy`: expected one of none, mirrored, multiworker"):
        Devices("tpu")
    with pytest.raises(ValueError, match="expected 'none' on a machine with one device"):
        Devices("mirrored")


@pytest.mark.parametrize(
    "given",
    [
        None,
        "no json",
        "[1]",
        {"cluster": {}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": ["host:1"]}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": ["host:1", "host:2"]}},
        {"cluster": {"worker": ["host:1", "host:2"]}, "task": {"type": "worker", "index": 2}},
        {"cluster": {"worker": ["host:1", "host:2"]}, "task": {"type": "worker", "index": -1}},
        {"cluster": {"worker": ["host", "host"]}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": "host:12"}, "task": {"type": "worker", "index": 0}},
        {
            "cluster": {"worker": ["host:1", "host:2"], "ps": ["host:3"]},
            "task": {"type": "ps", "index": 0},
        },
    ],
    ids=str,
)
def test_a_list_of_workers_that_is_none_is_refused(given, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if given is not None:
        text = given if isinstance(given, str) else json.dumps(given)
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="TF_CONFIG, .* expected such as .*host2:2222"):
        Devices("multiworker")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"meta_batch_size": 5}, "`meta_batch_size`: expected a multiple of the 2 replicas .* 5"),
        ({"task": "bandit"}, "expected 'none' for a policy"),
        ({"task": "linear_regression", "learner": "ridge"}, "no weights to train"),
        (
            {"task": "clusters", "learner": "memory", "learner.clear": False},
            "expected 'none' for .* with clear=False",
        ),
    ],
    ids=str,
)
def test_a_training_that_devices_cannot_share_is_refused(given, message):
    config = toys.small(given)
    problem = config.make_problem()
    learner = config.make_learner(problem)
    learner.create_weights(problem.train.sample(2, [0, 5]))
    with pytest.raises(ValueError, match=message):
        two_devices().check(learner, problem.train.on_policy, config.meta_batch_size)


def test_what_one_device_agrees_on_is_its_own():
    assert ONE.chief and ONE.replicas == 1 and ONE.of_chief(7) == 7
    ONE.check_equal(3, "number", "")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Socket closed", "(Socket closed)"),
        (
            "Collective ops is aborted by:\n  peer down.\n",
            "(Collective ops is aborted by: peer down)",
        ),
        ("x" * 300, f"({'x' * 196} ...)"),
        ("peer \x1b[2J gone", r"(peer \x1b[2J gone)"),
        ("", "(UnavailableError)"),
    ],
)
def test_the_reason_of_a_lost_worker_is_one_line_of_the_sentence(said, told):
    devices = Devices()
    devices.workers = 2
    with pytest.raises(ConnectionError) as caught, devices.together():
        raise tf.errors.UnavailableError(None, None, said)
    assert f"or cannot be reached {told}. What it has printed" in str(caught.value)


def test_the_command_of_a_run_names_its_devices():
    config = Config.of({"task": "sinusoid"})
    assert "--strategy=mirrored" in training.as_command(config, "run", strategy="mirrored")
    assert "--strategy" not in training.as_command(config, "run")


@pytest.mark.parametrize("module", ["maml.train", "maml.rl.train", "pose_code.train"])
def test_commands_refuse_devices_that_are_not_there_in_a_sentence(module, tmp_path):
    data = [f"--data_dir={tmp_path}"] if module == "pose_code.train" else []
    done = commands.run(module, "--strategy=mirrored", f"--logdir={tmp_path / 'run'}", *data)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Error: Invalid value for --strategy: expected 'none'" in done.stderr
    assert not (tmp_path / "run").exists()


RUN = {
    "task": "nme_sinusoid", "learner": "cnp", "steps": 12, "steps_per_epoch": 3,
    "meta_batch_size": 4, "num_validation_batches": 1, "num_test_tasks": 8,
    "num_validation_tasks": 8, "patience": 9,
}  # fmt: skip

KILLS = """
import os, signal
from maml.experiments import callbacks

stop = callbacks.StopTogether.on_epoch_end

def kill(self, epoch, logs=None):
    if epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    stop(self, epoch, logs)

if not {resume} and not {chief}:
    callbacks.StopTogether.on_epoch_end = kill
"""


def together(folder, resume):
    """Two workers of a run, of which without ``resume`` the second dies in the second epoch."""
    started = []
    for index, environment in enumerate(workers.environments(2)):
        own = folder / f"kills{index}.py"
        own.write_text(KILLS.format(resume=resume, chief=not index))
        flags = [f"--{name}={of}" for name, of in RUN.items()]
        words = [sys.executable, "-m", "maml.train", "--strategy=multiworker", *flags]
        words += [f"--logdir={folder / 'run'}", f"--import={own}", "--resume"]
        started.append(workers.start(words, folder / f"{index}.txt", environment))
    codes = [process.wait(300) for process, _ in started]
    return codes, [output.read_text() for _, output in started]


@pytest.mark.exhaustive
def test_where_a_worker_is_killed_the_others_end_and_the_run_goes_on_from_its_checkpoint(tmp_path):
    codes, said = together(tmp_path, resume=False)
    assert codes == [1, -9]
    assert "Error: Lost another of the 2 workers of this training" in said[0]
    assert "Traceback" not in said[0]
    assert (tmp_path / "run" / "checkpoint.weights.h5").exists()
    assert not (tmp_path / "run" / "results.json").exists()

    codes, said = together(tmp_path, resume=True)
    assert codes == [0, 0], said
    assert "on test tasks" in said[0] and "on test tasks" not in said[1]

    alone = training.run(Config.of(RUN), tmp_path / "alone", verbose=0, pictures=False)
    record = maml.experiments.read_results(tmp_path / "run")
    assert record["cost"]["steps"] == 12
    assert "--strategy=multiworker" in record["provenance"]["command"]
    one, two = (read_history(tmp_path / name / "history.csv") for name in ("alone", "run"))
    for name in ("loss", "validation_mse", "step"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-3)
    for split, scores in alone["scores"].items():
        for score in ("mse", "no_support_mse"):
            found = record["scores"][split][score]["mean"]
            assert found == pytest.approx(scores[score]["mean"], rel=1e-3)

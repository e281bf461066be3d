"""Two studies at once on one folder, whose workers are killed: no run is lost, none is done twice.

``GRID`` of the environment says how many runs, workers in all, and kills: ``GRID=40,4,6``.
"""

import contextlib
import functools
import itertools
import multiprocessing
import os
import pathlib
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import commands
import keras
import numpy as np
import pytest
import test_kills

from maml.experiments import Config, sweep, training
from maml.experiments.executors import local
from mine import reporting

RUNS, WORKERS, KILLS = map(int, os.environ.get("GRID", "4,2,2").split(","))

EPOCHS = 4

RUN = {
    "task": "sinusoid", "learner": "cnp", "steps": 20 * EPOCHS, "steps_per_epoch": 20,
    "meta_batch_size": 2, "num_validation_batches": 1, "num_test_tasks": 2,
    "num_validation_tasks": 2, "patience": 0, "network.embedding": (8,), "learner.hidden": (8,),
    "learner.dim_r": 8,
}  # fmt: skip


class Log(keras.callbacks.Callback):
    """Writes down which process begins and ends which epoch; an end, once its checkpoint is there.

    Args:
        path: of the file, a line each.
    """

    def __init__(self, path):
        super().__init__()
        self.path = path

    def _write(self, *words):
        with self.path.open("a") as file:
            print(os.getpid(), *words, file=file)

    def on_epoch_begin(self, epoch, logs=None):
        self._write("begins", epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._write("ends", epoch)


def train(folder, seed):
    run = folder / f"run{seed}"
    return training.run(
        Config.of(RUN | {"seed": seed}), run, resume=True, verbose=0, pictures=False,
        extra_callbacks=[Log(folder / f"run{seed}.log")],
    )  # fmt: skip


class Forks(local.Local):
    """Its workers are forks of the study, in which the libraries are loaded: that saves seconds."""

    def _start(self):
        forked = multiprocessing.get_context("fork")
        return ProcessPoolExecutor(self.workers, forked, local._prepare, (1, None))


def study(folder, workers, records, seeds=range(RUNS)):
    """What the command of a study does: it ends when one of its workers is killed."""
    jobs = {str(seed): functools.partial(train, folder, seed) for seed in seeds}
    try:
        with Forks(workers) as executor:
            reporting.write_json(sweep.run(jobs, executor, "runs"), records)
    except OSError as error:
        sys.exit(f"Error: {error}")


def start(*arguments):
    process = commands._CONTEXT.Process(target=study, args=arguments)
    process.start()
    return process


def at_work(folder):
    """Numbers of the processes that hold a run."""
    found = []
    for path in folder.glob("run*/.lock"):
        with contextlib.suppress(OSError, ValueError, IndexError):  # It has just ended.
            number = int(path.read_text())
            state = pathlib.Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
            found += [number] if state not in "ZX" else []
    return found


def in_an_epoch(folder):
    """Those that train: they have begun an epoch, and the last one has not ended."""
    last = [path.read_text().splitlines()[-1:] for path in folder.glob("*.log")]
    over = ["ends", str(EPOCHS - 1)]
    training_now = {line.split()[0] for lines in last for line in lines if line.split()[1:] != over}
    return [number for number in at_work(folder) if str(number) in training_now]


def two_studies(folder, kills):
    """Runs two studies on a folder, and kills some of their workers, the first within an epoch.

    A study that ends since its worker was killed is started again, as its message says.

    Returns:
        The number of kills.
    """
    rng, killed, ended = np.random.default_rng(0), 0, 0
    # Each after another number of lines in all logs, so that work is left when the last one comes.
    moments = sorted(rng.integers(1, RUNS * EPOCHS, kills).tolist())
    given = [(folder, WORKERS // 2, folder / f"{name}.json") for name in ("one", "other")]
    studies = [start(*of) for of in given]
    while any(of.exitcode != 0 for of in studies):
        time.sleep(0.02)
        lines = sum(path.read_bytes().count(b"\n") for path in folder.glob("*.log"))
        if killed < kills and lines >= moments[killed]:
            if killed:
                time.sleep(rng.uniform(0, 0.5))
            if working := (at_work if killed else in_an_epoch)(folder):
                os.kill(int(rng.choice(working)), signal.SIGKILL)
                killed += 1
        for index in (i for i, of in enumerate(studies) if of.exitcode not in (0, None)):
            ended += 1
            assert ended <= killed, "a study ended whose workers were not killed"
            studies[index] = start(*given[index])
    return killed


def check_log(path):
    """Refuses a run of which an epoch was trained twice, but where a process died within it."""
    lines = [line.split() for line in path.read_text().splitlines()]
    processes = [process for process, _ in itertools.groupby(lines, lambda line: line[0])]
    begun = [int(epoch) for _, what, epoch in lines if what == "begins"]
    ended = [epoch for _, what, epoch in lines if what == "ends"]
    assert len(processes) == len(set(processes)), "one process at a time works on a run"
    assert begun == sorted(begun) and set(begun) == set(range(EPOCHS)), "none before a checkpoint"
    assert len(ended) == len(set(ended)), "an epoch that has ended is not trained again"
    assert len(begun) - EPOCHS < len(processes), "who goes on begins one epoch again at most"
    return len(processes) - 1


@pytest.mark.slow
def test_runs_that_two_studies_share_are_each_trained_once_although_workers_are_killed(tmp_path):
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    shared.mkdir(), alone.mkdir()
    killed = two_studies(shared, KILLS)
    one, other = (reporting.read_json(shared / name) for name in ("one.json", "other.json"))
    assert one == other and len(one) == RUNS
    went_on = {seed: check_log(shared / f"run{seed}.log") for seed in range(RUNS)}
    again = [seed for seed, times in went_on.items() if times]
    print(f"{killed} kills; {sum(went_on.values())} times another process went on with a run")
    assert killed == KILLS and again

    undisturbed = start(alone, WORKERS, alone / "records.json", again)
    undisturbed.join()
    for seed, record in reporting.read_json(alone / "records.json").items():
        for name in test_kills.RECORDED:
            assert one[seed][name] == record[name], (seed, name)

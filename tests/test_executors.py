"""A study's trainings on dask, MPI and SLURM's adapter, beside another study, and as commands."""

import contextlib
import functools
import importlib.util
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

import commands
import pytest
import toys

from maml.experiments import sweep
from maml.experiments.executors import local
from maml.experiments.executors.opening import open_executor
from mine import reporting
from mine.reporting.processes.claims import ClaimedError

ROOT = pathlib.Path(__file__).parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "CUDA_VISIBLE_DEVICES": ""}
STUDY = [
    *("-m", "maml.studies.memorization", "--tables=cnp_5", "--rows=none"),
    *("--steps=4", "--logdir=runs", "--output=out"),
]


def needs(*packages):
    """Skips a test where a package is missing."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed: [scale]")


def record(folder, seconds=0.0):
    """A job that says who did it, once: as a training, it takes what is there."""
    folder = pathlib.Path(folder)
    with reporting.claim(folder):
        if not (folder / "done.json").exists():
            with (folder / "begun").open("a") as file:
                file.write("x")
            time.sleep(seconds)
            who = {"process": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
            reporting.write_json(who, folder / "done.json")
        return reporting.read_json(folder / "done.json")


def claimed_once(file):
    """A job that another process works on when it is asked for the first time."""
    with file.open("a") as asked:
        asked.write("x")
    if len(file.read_text()) == 1:
        raise ClaimedError("another process works in it")
    return {"asked": len(file.read_text())}


def jobs_in(folder, count, seconds=0.0):
    return {str(i): functools.partial(record, folder / str(i), seconds) for i in range(count)}


# -- this machine -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "dask", "dask:", "mpi:4", "local:2", "pool"])
def test_an_unknown_executor_is_refused_with_those_there_are(text, tmp_path):
    with pytest.raises(ValueError, match="Invalid value for --executor: expected one of local, "):
        open_executor(text, 1, tmp_path)


def test_graphics_processors_are_those_that_the_environment_shows(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5")
    assert local.graphics_processors() == ["3", "GPU-5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert local.graphics_processors() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho GPU-a\necho GPU-b\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert local.graphics_processors() == ["GPU-a", "GPU-b"]


@pytest.mark.slow
def test_each_process_is_given_a_graphics_processor_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with local.Local(2) as executor:
        found = sweep.run(jobs_in(tmp_path, 4, 0.5), executor, "jobs").values()
    assert {(of["process"], of["gpu"]) for of in found} == {
        (process, gpu)
        for gpu in ("3", "5")
        for process in {of["process"] for of in found if of["gpu"] == gpu}
    }
    assert len({of["process"] for of in found}) == 2


class Here(local.Local):
    """Runs jobs in this process: what a sweep does with their ends needs no others."""

    def submit(self, job):
        future = local.Future()
        try:
            future.set_result(job())
        except Exception as error:
            future.set_exception(error)
        return future


def test_a_job_that_another_process_works_on_is_left_to_it(monkeypatch):
    monkeypatch.setattr(sweep, "PAUSE", 0.01)
    order, tries = [], iter([ClaimedError("busy"), ClaimedError("busy"), None])

    def job(name):
        order.append(name)
        error = next(tries) if name == "a" else None
        if error:
            raise error
        return {"name": name}

    found = sweep.run({n: functools.partial(job, n) for n in "abc"}, Here(1), "jobs")
    assert list(found) == ["a", "b", "c"]
    # The others come first; then it is asked for until its result is there.
    assert order == ["a", "b", "c", "a", "a"]


def test_a_job_whose_process_died_is_given_to_another_a_few_times(monkeypatch):
    class Mortal(Here):
        def is_lost(self, error):
            return isinstance(error, EOFError)

    tries = []

    def dies(times):
        tries.append(1)
        if len(tries) <= times:
            raise EOFError("the process died")
        return {}

    assert sweep.run({"a": functools.partial(dies, sweep.LIVES - 1)}, Mortal(1), "t") == {"a": {}}
    tries.clear()
    with pytest.raises(EOFError):
        sweep.run({"a": functools.partial(dies, sweep.LIVES)}, Mortal(1), "t")
    tries.clear()
    with pytest.raises(EOFError):
        sweep.run({"a": functools.partial(dies, 1)}, Here(1), "t")


# -- other engines ----------------------------------------------------------------------------


@contextlib.contextmanager
def dask_cluster(folder, workers):
    """A scheduler and its workers, each a process as users start it; gives address and workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": ENVIRONMENT}
    scheduler = ["--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"]
    worker = [address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
    with contextlib.ExitStack() as stack:

        def start(*arguments):
            process = stack.enter_context(
                subprocess.Popen([*command, *arguments], cwd=folder, **quiet)
            )
            stack.callback(process.kill)
            return process

        start("scheduler", *scheduler)
        yield address, [start("worker", *worker) for _ in range(workers)]


@needs("distributed")
@pytest.mark.slow
def test_jobs_of_dask_workers_that_are_killed_are_done_by_others(tmp_path):
    """Each job is done; none is done twice but those whose process was killed in the middle."""
    count, kills = 8, 1
    with dask_cluster(tmp_path, 2) as (address, workers):
        toys.waited(lambda: _answers(address))
        executor = open_executor(f"dask:{address}", 1, tmp_path)
        toys.waited(lambda: len(executor._client.nthreads()) == 2)
        with contextlib.ExitStack() as stack:
            jobs = jobs_in(tmp_path, count, 1.0)
            killer = stack.enter_context(local.Pool(1))
            killer.submit(_kill, tmp_path, [w.pid for w in workers[:kills]])
            found = sweep.run(jobs, executor, "jobs")
        executor.stop(wait=True)
    assert len(found) == count
    begun = sum(len((tmp_path / str(i) / "begun").read_text()) for i in range(count))
    assert count <= begun <= count + kills


def _answers(address):
    host, port = address.removeprefix("tcp://").split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False


def _kill(folder, pids):
    toys.waited(lambda: len(list(folder.glob("*/begun"))) >= 3)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@needs("distributed")
@pytest.mark.slow
def test_a_dask_scheduler_that_is_not_there_is_told_in_a_sentence(tmp_path, monkeypatch):
    from maml.experiments.executors.dask import Dask

    with pytest.raises(OSError, match=r"Cannot reach a dask scheduler at tcp://127.0.0.1:1: start"):
        Dask("tcp://127.0.0.1:1", connect=1)


@needs("submitit")
@pytest.mark.slow
def test_jobs_of_the_adapter_of_slurm(tmp_path, monkeypatch):
    from maml.experiments.executors import slurm

    monkeypatch.setattr(slurm, "POLL", 0.2)
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    with open_executor("slurm:cluster=local;timeout_min=5", 1, tmp_path) as executor:
        found = sweep.run(jobs_in(tmp_path, 2), executor, "jobs")
        assert os.getpid() not in [of["process"] for of in found.values()] and len(found) == 2
        # What another study works on is left to it, and asked for again.
        free = functools.partial(claimed_once, tmp_path / "asked")
        assert sweep.run({"busy": free}, executor, "jobs") == {"busy": {"asked": 2}}
        # An error ends the study once what is running is done.
        jobs = {"a": functools.partial(int, "word"), "b": functools.partial(record, tmp_path, 8)}
        with pytest.raises(OSError, match=r"job \S+ of the queue failed; its log: /"):
            sweep.run(jobs, executor, "jobs")
        assert (tmp_path / "done.json").exists()
    with pytest.raises(ValueError, match="Invalid parameter of --executor=slurm: expected those"):
        open_executor("slurm:cluster=local;colour=red", 1, tmp_path)


# -- studies ----------------------------------------------------------------------------------


def tables(folder):
    """What a study's tables say, but for when and where they were made."""
    rows = json.loads((folder / "out/memorization.json").read_text())["tables"]["cnp_5"]
    timed = re.compile(r"seconds|provenance|folder|cost|command")
    return [{k: v for k, v in row.items() if not timed.search(k)} for row in rows["rows"]]


@needs("mpi4py")
@pytest.mark.exhaustive
def test_a_study_on_mpi_equals_the_printed_commands(tmp_path):
    """The rows of both are the same, and a study trains nothing that the commands trained."""
    places = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    mpiexec = shutil.which("mpiexec", path=places)  # Of the environment, if it was installed there.
    if mpiexec is None:
        pytest.skip("mpiexec is not installed: pip install mpich")
    (tmp_path / "mpi").mkdir(), (tmp_path / "commands").mkdir()
    done = subprocess.run(
        [mpiexec, "-n", "2", sys.executable, *STUDY, "--executor=mpi", "--seeds=2"],
        cwd=tmp_path / "mpi", env=ENVIRONMENT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "commands"
    for _ in range(3):  # What chooses strengths, then what was chosen.
        printed = commands.run(*STUDY[1:], "--print_commands", "--seeds=2", cwd=folder)
        assert printed.returncode == 0, printed.stderr
        lines = [line for line in printed.stdout.splitlines() if line.startswith("python -m")]
        if not lines:
            break
        assert f"Missing: {len(lines)} training" in printed.stderr
        for line in lines:
            ran = commands.run(*shlex.split(line)[2:], cwd=folder)
            assert ran.returncode == 0, ran.stderr
    assert tables(folder) == tables(tmp_path / "mpi")

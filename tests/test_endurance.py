"""Many steps, learners and runs: what a process keeps of them has a bound."""

import functools
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

from maml.experiments import sweep
from maml.experiments.executors import local

SCRIPT = pathlib.Path(__file__).parents[1] / "benchmarks/endurance.py"


@pytest.fixture(scope="module")
def script():
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("endurance_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def number_of_process(_):
    return {"process": os.getpid()}


@pytest.mark.slow
def test_processes_of_a_study_are_replaced_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(local, "JOBS_A_PROCESS", 2)
    executor = local.Local(1)
    jobs = {str(index): functools.partial(number_of_process, index) for index in range(3)}
    found = [record["process"] for record in sweep.run(jobs, executor, "jobs").values()]
    assert found[0] == found[1] != found[2]
    # One more job fits beside the last one; it stays in the process.
    again = sweep.run({"3": functools.partial(number_of_process, 3)}, executor, "jobs")
    assert again["3"]["process"] == found[2]
    fifth = sweep.run({"4": functools.partial(number_of_process, 4)}, executor, "jobs")
    assert fifth["4"]["process"] != found[2]
    executor.stop(wait=True)


def test_growth_is_the_slope_after_the_first_quarter(script):
    records = [(count, 100.0 + max(0, 8 - count) * 50 + 2 * count) for count in range(1, 33)]
    assert script.growth(records) == pytest.approx(2.0)


@pytest.mark.slow
def test_steps_leave_memory_as_it_is(script):
    assert script.growth(script.steps(600)) * 1000 < 10  # MiB in 1,000 steps.


@pytest.mark.slow
def test_learners_that_are_gone_leave_a_few_mebibytes():
    """TensorFlow keeps their compiled graphs, and no call frees them: this must not grow.

    In a process of its own: graphs that are not rewritten, as in the tests, take four times more.
    """
    code = "import endurance; print(endurance.growth(endurance.learners(10)))"
    environment = os.environ | {"PYTHONPATH": f"{SCRIPT.parent}{os.pathsep}{SCRIPT.parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 20

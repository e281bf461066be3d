"""Many steps, learners and runs: what a process keeps of them has a bound."""

import functools
import gc
import importlib.util
import os
import pathlib
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

import maml
import mine
from maml.experiments import sweep
from maml.experiments.executors import local
from mine.estimators import training

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


@pytest.mark.exhaustive
def test_learners_that_are_gone_leave_memory_as_it_is():
    """In a process of its own, where graphs are rewritten as in commands."""
    code = "import endurance; print(endurance.growth(endurance.learners(10)))"
    environment = os.environ | {"PYTHONPATH": f"{SCRIPT.parent}{os.pathsep}{SCRIPT.parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2


def assert_gone(graphs):
    """Asserts that of weak references to graphs none leads to one."""
    keras.utils.clear_session()
    gc.collect()
    held = [type(of) for graph in graphs if graph() for of in gc.get_referrers(graph())]
    assert graphs and not held


class Watched(maml.Regularizer):
    """Changes nothing, and keeps weak references to the graphs that it is traced in."""

    def __init__(self):
        super().__init__()
        self.graphs = []

    def term(self, learner, episode, features, prediction, seed, training):
        if not tf.executing_eagerly():
            self.graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
        return tf.zeros([]), {}


@pytest.mark.parametrize("regularizer", ["label_mi", "prediction_mi"])
def test_the_graph_of_a_learner_goes_with_it(regularizer):
    """TensorFlow keeps the graph of each tf.custom_gradient, such as Keras adds gradients up by."""
    watched = Watched()
    added = maml.REGULARIZERS[regularizer](maml.LabelScale(), bound="mine")
    made = toys.learner("cnp", maml.NormalHead(), 9, [watched, added])
    made.compile("adam", critic_optimizer="adam")
    made.fit(toys.Lines(), batch_size=2, steps=2, verbose=0)
    graphs = watched.graphs
    assert graphs and graphs[-1]() is not None
    del made, added, watched
    assert_gone(graphs)


def test_the_graph_of_an_estimate_goes_with_it(monkeypatch):
    graphs, step = [], training.Trainer.step

    def watched(self, pairs):
        graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
        step(self, pairs)

    monkeypatch.setattr(training.Trainer, "step", watched)
    x = np.random.default_rng(0).standard_normal(100)
    mine.estimate(x, x**2, steps=50, folds=2, progress=False)
    assert_gone(graphs)

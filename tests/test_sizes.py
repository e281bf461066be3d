"""Sizes that no machine holds are refused in a sentence, at once; those that work are not."""

import cad_samples
import commands
import pytest
import toys

import maml
import mine
from maml.experiments import training
from maml.tasks.sizes import weights_that_fit
from mine.reporting.processes import resources
from pose_data import make_cad, rendering

HUGE = 10**9


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"task.shots": HUGE}, "shots"),
        ({"task.queries": HUGE}, "queries"),
        ({"meta_batch_size": HUGE}, "meta_batch_size"),
        ({"eval_batch_size": HUGE}, "eval_batch_size"),
        ({"episodes_per_task": HUGE}, "episodes_per_task"),
        ({"num_relabelings": HUGE}, "num_relabelings"),
        ({"learner.inner_steps": 1_000_000}, "inner_steps"),
        ({"learner.test_inner_steps": 1_000_000}, "test_inner_steps"),
        ({"learner": "imaml", "learner.solver_steps": 1_000_000}, "solver_steps"),
        ({"network.hidden": (HUGE,)}, "hidden"),
        ({"network_options": "hidden=1000000:1000000"}, "hidden"),
        ({"learner": "cnp", "learner.dim_r": HUGE}, "dim_r"),
        ({"learner": "bmaml", "learner.particles": HUGE}, "particles"),
        ({"learner": "bmaml", "learner.leader_steps": HUGE}, "leader_steps"),
        ({"learner": "platipus", "learner.num_samples": HUGE}, "num_samples"),
        ({"learner": "latent_np", "learner.dim_latent": HUGE}, "dim_latent"),
        ({"learner": "tnp", "learner.depth": HUGE}, "depth"),
        ({"learner": "tnp", "learner.width": HUGE}, "width"),
        ({"task": "bandit", "task.trajectories": HUGE}, "trajectories"),
        ({"task": "navigation", "task.horizon": HUGE}, "horizon"),
        (
            {"learner": "cnp", "regularizer": "mine", "mine.hidden": (HUGE, 2)},
            "prediction_mi.hidden",
        ),
    ],
)
def test_a_run_that_no_machine_holds_is_refused(tmp_path, given, name):
    told = rf"Invalid value for `{name}.*needs about [\d.,]+ .B of memory; there are [\d.,]+ GB"
    with pytest.raises(ValueError, match=told):
        training.run(toys.small(given), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options", [{"folds": HUGE}, {"negatives": HUGE}, {"negatives": HUGE, "batch_size": HUGE}]
)
def test_an_estimate_that_no_machine_holds_is_refused(options):
    x = toys.np.random.default_rng(0).normal(size=[400, 2])
    with pytest.raises(ValueError, match="Invalid value for `(folds|negatives)`"):
        mine.estimate(x, x, progress=False, **options)


def test_memory_that_numpy_is_not_given_is_told_in_a_sentence(tmp_path):
    many = ["--task=bandit", f"--task_options=arms={HUGE}", f"--logdir={tmp_path / 'run'}"]
    done = commands.run("maml.rl.train", *many)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "Error: There is too little memory (Unable to allocate" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", ["functions", "sinusoid"])
def test_more_functions_than_memory_holds_are_refused(monkeypatch, task):
    monkeypatch.setattr(resources, "memory", lambda: 8e9)
    with pytest.raises(ValueError, match="`train_tasks`: expected one that fits this machine"):
        maml.TASKS.make(task, train_tasks=2_000_000_000)


def test_memory_that_tensorflow_is_not_given_is_told_in_a_sentence(tmp_path):
    script = tmp_path / "all.py"
    script.write_text(
        "import tensorflow as tf\n"
        "from mine.reporting import commands\n"
        "commands.run(lambda: tf.zeros([2**31 - 1, 2**20]))\n"
    )
    done = commands.run(str(script))
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "Error: There is too little memory (OOM when allocating tensor with sh" in done.stderr


def test_what_may_just_fit_is_not_refused(monkeypatch):
    monkeypatch.setattr(resources, "memory", lambda: 1000.0)
    resources.require("hidden", 1, 2000.0)
    with pytest.raises(ValueError, match="received 7, which needs about 2 KB of memory; there are"):
        resources.require("hidden", 7, 2001.0)
    with pytest.raises(ValueError, match="needs about 5 TB of disk space; there are 0.5 KB|500"):
        resources.require("num_images", 7, 5e12, there=500.0)


def test_weights_are_counted_while_they_are_made(monkeypatch):
    import keras

    monkeypatch.setattr(resources, "memory", lambda: 1200.0)
    before = keras.layers.Layer.add_weight
    with weights_that_fit():
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(10)])
    with pytest.raises(ValueError, match=r"a layer of \(4, 100\) weights"), weights_that_fit():
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(100)])
    assert keras.layers.Layer.add_weight is before and maml is not None


def test_files_that_no_disk_holds_are_not_begun(tmp_path):
    models = cad_samples.write_cad(tmp_path / "CAD")
    told = "Invalid value for `{}`: expected one that fits .* which needs about .* of disk space"
    with pytest.raises(ValueError, match=told.format("num_per_class")):
        make_cad.make_set(tmp_path / "made", HUGE)
    with pytest.raises(ValueError, match=told.format("num_images")):
        settings = rendering.Settings(num_images=10**12)
        rendering.render_dataset(models, tmp_path / "data", settings)
    flags = [f"--CAD_dir={models}", f"--output_dir={tmp_path / 'more'}", f"--variants={10**12}"]
    done = commands.run("pose_data.vary_cad", *flags)
    assert done.returncode == 1 and "of disk space" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["CAD"]


@pytest.mark.parametrize("name", ["samples", "seeds"])
def test_a_benchmark_that_no_machine_holds_is_not_begun(tmp_path, name):
    with pytest.raises(ValueError, match=f"Invalid value for `{name}`.* of memory"):
        mine.benchmark(["gaussian"], output=tmp_path / "out", **{name: 10**12})
    assert not list(tmp_path.iterdir())

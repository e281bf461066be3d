"""Training and evaluation of learners on registered tasks, by command line and from Python."""

import dataclasses
import functools
import json
import shlex

import commands
import numpy as np
import pytest
import toys
from marks import exhaustive

import maml
from maml import evaluate
from maml.diagnostics.calibration import PLACES
from maml.diagnostics.conditions import RESPONSE
from maml.experiments import callbacks, read_history, read_results, training
from maml.experiments.config import Config
from maml.tasks.image_file import ImageFile

PYMETA = [
    "--dataset=sinusoid", "--num_train_samples_per_class=10", "--num_test_samples_per_class=100",
    "--num_inner_training_iterations=5", "--inner_batch_size=10", "--meta_lr=0.001",
    "--inner_lr=0.01", "--meta_batch_size=5", "--num_validation_batches=10",
]  # fmt: skip


def run(module, *arguments, cwd):
    return commands.run(f"maml.{module}", *arguments, cwd=cwd)


def is_picture(path):
    return path.read_bytes()[1:4] == b"PNG"


@pytest.mark.slow
def test_commands_of_pymeta_run_as_they_are_written(tmp_path):
    process = run(
        "train", *PYMETA, "--metamodel=imaml", "--imaml_lambda_reg=0.5", "--imaml_cg_steps=3",
        "--model_save_filename=saved/model.h5", "--num_outer_metatraining_iterations=4", "--seed=1",
        "--num_test_tasks=100", "--num_validation_tasks=100",
        cwd=tmp_path,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "iMAML: mse " in process.stdout and "; normalization: none" in process.stdout
    learner = maml.load(tmp_path / "saved/model.h5")
    assert (learner.regularization, learner.solver_steps, learner.inner_batch_size) == (0.5, 3, 10)
    record = read_results(tmp_path / "saved/model")
    assert record["config"]["task_options"]["queries"] == 100 and record["cost"]["steps"] == 4
    assert record["config"]["learner_options"]["inner_steps"] == 5
    assert (record["seed"], record["config"]["seed"], record["method"]) == (1, 1, "iMAML")
    command = record["provenance"]["command"]
    assert command.startswith("python -m maml.train --dataset=sinusoid")
    for name in ("curves.png", "diagnosis.png", "fits.png"):
        assert is_picture(tmp_path / "saved/model" / name)
    again = run("evaluate", "--model_save_filename=saved/model.h5", "--inner=0,2",
                "--num_test_tasks=10", cwd=tmp_path)  # fmt: skip
    assert again.returncode == 0, again.stderr
    written = json.loads((tmp_path / "saved/model/evaluation.json").read_text())
    rows = written["rows"]
    assert [row["inner_steps"] for row in rows] == [0, 2]
    none, two = (row["diagnosis"]["splits"]["held_out"] for row in rows)
    assert none["tasks"] == 10 == written["config"]["num_test_tasks"]
    none, two = none["scores"], two["scores"]
    assert none["right"]["mean"] == pytest.approx(none["no_support"]["mean"], rel=1e-6)
    assert two["right"]["mean"] != pytest.approx(two["no_support"]["mean"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "learner"),
    [
        *exhaustive(("clusters", "reptile")),
        ("functions", "maml"),
        ("nme_sinusoid", "cnp"),
    ],
)
def test_tasks_train_and_are_scored(task, learner, tmp_path):
    own = {"task": task, "learner": learner, "task.shots": 3, "task.queries": 4}
    config = toys.small(own | {"num_test_tasks": 12})
    folder = tmp_path / "run"
    record = training.run(config, folder, verbose=0)
    problem, found = config.make_problem(), maml.load(folder / "learner.keras")
    assert type(found) is maml.LEARNERS[learner]
    # Each split's scores are of its own tasks.
    evaluator = problem.evaluator(found)
    metric, means = record["metric"], {}
    for split, tasks in (("train", 8), ("validation", 8), ("test", 12)):
        means[split] = record["scores"][split][metric]["mean"]
        part = {"train": "training", "test": "held_out"}.get(split)
        if part:
            reported = maml.MemorizationReport(**record["diagnosis"]).splits[part]
            assert reported["tasks"] == min(tasks, problem.families[split].num_tasks)
            assert reported["scores"]["right"]["mean"] == pytest.approx(means[split])
        family = problem.families[split]
        for name, value in evaluator(family, 1, 4, 0, tasks).items():
            if name.endswith(("label_covariance", "label_variance", *RESPONSE, *PLACES)):
                continue  # For the report alone.
            mean = record["scores"][split][name]["mean"]
            np.testing.assert_allclose(mean, value.mean(), rtol=1e-3, atol=1e-5)
    assert task == "clusters" or len(set(means.values())) == 3
    assert (folder / "fits.png").exists() == (metric == "mse")
    assert record == read_results(folder) and record["schema"] == 2
    rows = evaluate.evaluate(folder / "learner.keras", [0, 3], {"num_test_tasks": 8})["rows"]
    assert len(rows) == (1 if learner == "cnp" else 2)


@pytest.mark.slow
def test_a_run_does_not_go_on_with_other_images(tmp_path):
    content = ImageFile.load(toys.characters())
    content.save(tmp_path / "a.npz")
    config = toys.small(
        {"learner": "cnp", "task": "omniglot", "task.ways": 3, "task.shots": 1, "task.queries": 2}
        | {"task.data": str(tmp_path / "a.npz"), "network.filters": 2}
    )
    record = training.run(config, tmp_path / "m", verbose=0, pictures=False)
    assert record["data"] == {"images": content.checksum()}
    go_on = functools.partial(
        training.run, config, tmp_path / "m", resume=True, verbose=0, pictures=False
    )
    assert go_on() == record
    dataclasses.replace(content, images=255 - content.images).save(tmp_path / "a.npz")
    with pytest.raises(FileExistsError, match="other data"):
        go_on()


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        # README of pyMeta, https://github.com/spiglerg/pyMeta.
        "--dataset=omniglot --metamodel=fomaml --num_output_classes=5 "
        "--num_train_samples_per_class=5 --num_test_samples_per_class=15 "
        "--num_inner_training_iterations=5 --inner_batch_size=-1 --meta_lr=0.001 --inner_lr=0.01 "
        "--meta_batch_size=5 --num_validation_batches=10 --model_save_filename=saved/model.h5 "
        "--num_outer_metatraining_iterations=4",
        # README of MAML-Tensorflow, https://github.com/HilbertXu/MAML-Tensorflow.
        *exhaustive("--dataset=miniimagenet --mode=train --n_way=5 --k_shot=1 --k_query=15"),
    ],
)
def test_commands_of_the_ancestors_classify_images(flags, tmp_path):
    task = flags.split()[0].removeprefix("--dataset=")
    small = [
        f"--data={toys.characters()}", "--network_options=filters=4", "--num_test_tasks=10",
        "--num_validation_tasks=10", "--steps=4", "--meta_batch_size=2",
        "--num_validation_batches=1", "--inner_steps=1",
    ]  # fmt: skip
    process = run("train", *flags.split(), *small, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "accuracy " in process.stdout and "current batch (transductive)" in process.stdout
    file = "saved/model.h5" if task == "omniglot" else "saved/model.keras"
    learner = maml.load(tmp_path / file)
    assert learner.inner_batch_size is None and learner.inner_steps == 1
    record = read_results(tmp_path / "saved/model")
    assert record["diagnosis"]["splits"]["held_out"]["tasks"] == 10
    assert record["config"]["network_options"]["filters"] == 4
    for name in ("curves.png", "episodes.png", "confusion.png"):
        assert is_picture(tmp_path / "saved/model" / name)
    if task != "omniglot":
        return
    # As it was trained, whatever is not said anew.
    again = run("train", "--mode=test", f"--model_save_filename={file}", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert str(maml.MemorizationReport(**record["diagnosis"])) in again.stdout


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """A run of MAML on sinusoids: its configuration, folder and record."""
    config = toys.small({"task.shots": 3, "task.queries": 4})
    folder = tmp_path_factory.mktemp("run") / "maml"
    return config, folder, training.run(config, folder, verbose=0, pictures=False)


@pytest.mark.slow
def test_a_learner_is_scored_on_other_tasks_but_keeps_what_it_was_trained_with(small_run):
    path = small_run[1] / "learner.keras"
    changed = {"task.shots": "5", "num_test_tasks": 9, "learner.test_inner_steps": "7"}
    learner, config = evaluate.load_trained(path, changed)
    assert config.task_options["shots"] == 5 and config.task_options["queries"] == 4
    assert config.num_test_tasks == 9 and learner.test_inner_steps == 7
    learner, _ = evaluate.load_trained(path, {"learner.test_inner_steps": "none"})
    assert learner.test_inner_steps is None
    same = {"learner.inner_steps": "2", "learner.inner_lr": "0.0100"}
    assert evaluate.load_trained(path, same)[1].learner_options["inner_steps"] == 2
    other = evaluate.load_trained(path, {"task": "functions", "task.noise": "0.5"})[1]
    assert (other.task, other.task_options) == (
        "functions",
        {"shots": 3, "queries": 4, "noise": 0.5},
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"learner.inner_steps": "4"},
            "learner.inner_steps=2, not 4: when a learner is scored, only options of tasks and",
        ),
        ({"learner_options": "inner_steps=4"}, "learner.inner_steps=2, not 4"),
        ({"learner": "cnp"}, "learner=maml, not cnp"),
        ({"regularizer": "label_mi"}, "regularizer=none, not label_mi"),
        ({"network.hidden": "9"}, "network.hidden="),
        ({"head.scale": "0.25"}, "head.scale="),
        ({"meta_lr": 0.5}, "meta_lr=0.001, not 0.5"),
    ],
)
def test_options_that_a_learner_was_not_trained_with_are_refused(small_run, changed, told):
    with pytest.raises(ValueError, match=f"learner.keras was trained with {told}"):
        evaluate.evaluate(small_run[1] / "learner.keras", [1], changed)


def test_tasks_of_other_shapes_are_refused_unless_the_learner_takes_them(small_run, tmp_path):
    path = small_run[1] / "learner.keras"
    changed = {"task": "linear_regression", "task.inputs": 2, "num_test_tasks": 4}
    told = (
        r"expected inputs of shape \[1\] and labels of shape \[1\].*received inputs of shape \[2\]"
    )
    with pytest.raises(ValueError, match=told):
        evaluate.evaluate(path, [1], changed)
    assert not (path.parent / evaluate.RESULTS).exists()
    # A prototypical network takes classes that it was not trained with, and as many as there are.
    given = {"task": "clusters", "learner": "protonet", "task.ways": 3, "task.shots": 1}
    config = toys.small(given | {"task.queries": 2})
    problem = config.make_problem()
    learner = config.make_learner(problem)
    learner.create_weights(problem.train.sample(2, [0, 0]))
    learner.check_takes(problem.test)
    learner.check_takes(toys.small(given | {"task.ways": 4}).make_problem().test)


def test_a_split_of_one_task_is_refused_before_anything_is_trained(small_run, tmp_path):
    config = toys.small({"task": "linear_regression", "task.train_tasks": 1})
    told = "Invalid number of train tasks: expected 2 or more.*received 1"
    with pytest.raises(ValueError, match=told):
        training.run(config, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()
    changed = {"task": "functions", "task.train_tasks": 1}
    with pytest.raises(ValueError, match=told):
        evaluate.evaluate(small_run[1] / "learner.keras", [1], changed)


def test_a_run_that_fails_before_its_first_checkpoint_leaves_nothing(monkeypatch, tmp_path):
    def stop(*_args, **_kwargs):
        raise FloatingPointError("not finite")

    monkeypatch.setattr(callbacks.StopOnDivergence, "on_train_batch_end", stop, raising=False)
    with pytest.raises(FloatingPointError, match="not finite"):
        training.run(toys.small({"learner": "cnp"}), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_a_learner_without_its_run_takes_no_option_of_training(small_run, tmp_path):
    (tmp_path / "learner.keras").write_bytes((small_run[1] / "learner.keras").read_bytes())
    assert evaluate.load_trained(tmp_path / "learner.keras", {"task": "sinusoid"})
    with pytest.raises(ValueError, match="'meta_lr' has no effect on a trained learner: when a"):
        evaluate.load_trained(tmp_path / "learner.keras", {"task": "sinusoid", "meta_lr": 6.0})


def test_a_configuration_that_is_missing_or_of_another_version_is_told(small_run, tmp_path):
    config, folder, _ = small_run
    for name in ("learner.keras", "config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    path, file = tmp_path / "learner.keras", tmp_path / "config.json"
    known = json.loads(file.read_text())["config"]
    # An option that is newer than the run has its default.
    older = {name: value for name, value in known.items() if name != "meta_lr_decay"}
    file.write_text(json.dumps({"config": older}))
    assert (
        evaluate.load_trained(path, {})[1] == evaluate.load_trained(folder / "learner.keras", {})[1]
    )
    with pytest.raises(ValueError, match="trained with meta_lr_decay=False, not True"):
        evaluate.load_trained(path, {"meta_lr_decay": True})
    for unknown in ({"zeal": 1}, {"learner_options": {"zeal": 1}}):
        file.write_text(json.dumps({"config": known | unknown}))
        told = r"config\.json cannot be used with this version: .*'zeal'"
        with pytest.raises(ValueError, match=told):
            evaluate.load_trained(path, {})
    file.unlink()
    with pytest.raises(ValueError, match="config.json is missing, so name the tasks"):
        evaluate.load_trained(path, {})
    assert evaluate.load_trained(path, {"task": "functions"})[1].task == "functions"


@pytest.mark.slow
def test_a_run_that_is_resumed_under_another_name_writes_its_learner_there(small_run, tmp_path):
    config, folder, first = small_run
    go_on = functools.partial(training.run, config, folder, resume=True, verbose=0)
    paths = [folder / "learner.keras", tmp_path / "model.h5", tmp_path / "model.keras"]
    assert all(go_on(learner_path=path) == first for path in paths[1:])
    episode = config.make_problem().test.sample(3, [0, 0])
    answers = [maml.load(path)(episode) for path in paths]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


@pytest.mark.slow
def test_training_stops_early_and_keeps_the_best_weights_when_cut_too(tmp_path):
    """A rate that grows: soon no later epoch is as good as an early one."""
    config = toys.small(
        {"task": "clusters", "learner": "protonet", "task.shots": 1, "task.queries": 3}
        | {"patience": 2, "regularizer": "label_mi", "steps": 40, "meta_lr": 0.3}
    )
    whole = training.run(config, tmp_path / "whole", verbose=0, pictures=False)
    history = read_history(tmp_path / "whole/history.csv")
    values = history["validation_accuracy"]
    best = int(values.argmax())
    assert len(values) == best + 3 < 20 and whole["cost"]["steps"] == 2 * len(values)
    assert "label_mi_nats" in whole["terms"]
    assert whole["terms"] == {name: history[f"val_{name}"][best] for name in whole["terms"]}
    problem = config.make_problem()
    learner = maml.load(tmp_path / "whole/learner.keras")
    again = problem.evaluator(learner)(problem.validation, 1, 4, 1, 4)["accuracy"]
    assert again.mean() == pytest.approx(values[best])

    # Cut after the last checkpoint, before the results: it neither trains on nor forgets.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.saving, "save", lambda *_: (_ for _ in ()).throw(InterruptedError))
        with pytest.raises(InterruptedError):
            training.run(config, tmp_path / "cut", verbose=0, pictures=False)
    cut = training.run(config, tmp_path / "cut", resume=True, verbose=0, pictures=False)
    assert cut["cost"]["steps"] == whole["cost"]["steps"]
    assert cut["diagnosis"] == whole["diagnosis"] and cut["terms"] == whole["terms"]


@pytest.mark.parametrize(
    ("scores", "larger", "best"),
    [
        ([1.0, 3.0, 3.0, 2.0], True, 1),
        ([1.0, 3.0, 0.5, 2.0], False, 2),
        ([float("nan"), 1.0, 0.5], False, 2),
        ([float("inf"), 1.0, 0.5], True, 1),
    ],
)
def test_the_best_epoch_is_the_first_of_the_best_that_are_numbers(scores, larger, best):
    assert callbacks.best_epoch(scores, larger) == best


@pytest.mark.slow
def test_options_of_tasks_reach_them_and_the_command_repeats_the_run(tmp_path):
    options = "test_shape=square; x_range=-1:2.5; noise=0.5;told=true"
    config = toys.small({"task": "functions", "task_options": options})
    problem = config.make_problem()
    assert problem.test.shape == "square" and problem.train.shape == "sine"
    assert problem.test.x_range == (-1, 2.5) and problem.test.noise == 0.5
    assert problem.test.sample(2, [0, 0]).query_x.shape[-1] == 4
    typed = shlex.split(training.as_command(config, tmp_path / "run"))[3:]
    assert typed[0] == "--task=functions"
    assert "--task_options=test_shape=square;x_range=-1.0:2.5;noise=0.5;told=true" in typed
    process = run("train", *typed, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    record = read_results(tmp_path / "run")
    assert record["config"] == config.describe(problem)
    assert json.loads((tmp_path / "run/config.json").read_text())["config"] == record["config"]


@pytest.mark.slow
def test_training_lowers_the_error(tmp_path):
    config = toys.small(
        {"learner": "fomaml", "steps": 600, "steps_per_epoch": 300, "num_test_tasks": 200}
        | {"network.hidden": (40, 40)}
    )
    record = training.run(config, tmp_path / "run", verbose=0, pictures=False)
    test = {name: score["mean"] for name, score in record["scores"]["test"].items()}
    assert test["mse"] < 0.9 * test["constant_mse"]
    assert test["mse"] < 0.9 * test["no_support_mse"]


@pytest.mark.slow
def test_a_run_that_was_cut_resumes_to_the_same_numbers(tmp_path):
    own = {"task": "nme_sinusoid", "learner": "cnp"}
    config = toys.small(own | {"regularizer": "mr_w,mine"})
    go = functools.partial(training.run, verbose=0, pictures=False)
    whole = go(config, tmp_path / "whole")

    class Cut(Exception):
        pass

    def stop(*_args, **_kwargs):
        raise Cut

    with pytest.MonkeyPatch.context() as patch:
        # After the first epoch's checkpoint, before the second epoch.
        patch.setattr(
            callbacks.StopOnDivergence,
            "on_epoch_begin",
            lambda self, epoch, logs=None: stop() if epoch else None,
            raising=False,
        )
        with pytest.raises(Cut):
            go(config, tmp_path / "cut")
    assert not (tmp_path / "cut/learner.keras").exists()
    with pytest.raises(FileExistsError, match="pass --resume"):
        go(config, tmp_path / "cut")
    cut = go(config, tmp_path / "cut", resume=True)
    assert cut["diagnosis"] == whole["diagnosis"] and cut["scores"] == whole["scores"]
    assert cut["terms"] == whole["terms"] and cut["cost"]["steps"] == 4
    other = toys.small(own | {"regularizer": "mine"})
    with pytest.raises(FileExistsError, match="other regularizer"):
        go(other, tmp_path / "cut", resume=True)


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (
            "train",
            ["--model_save_filename=model.pkl"],
            "expected a file ending in .keras or .h5; received model.pkl",
        ),
        ("train", ["--model_save_filename=m.h5", "--dataset=tea"], "Unknown task 'tea': expected"),
        ("train", ["--model_save_filename=m.h5", "--metamodel=tea"], "Unknown learner 'tea'"),
        ("train", ["--model_save_filename=m.h5", "--steps=7", "--steps_per_epoch=2"], "--steps:"),
        (
            "train",
            ["--model_save_filename=m.h5", "--shots=0"],
            "--shots: expected a whole number, 1 or more",
        ),
        (
            "train",
            ["--model_save_filename=m.h5", "--inner_steps=-1"],
            "--inner_steps: expected a whole number, 0 or more; received -1",
        ),
        (
            "train",
            ["--dataset=clusters", "--ways=1"],
            "--ways: expected a whole number, 2 or more; received 1",
        ),
        ("train", ["--model_save_filename=m.h5", "--logdir=run"], "Leave one of them out."),
        ("train", ["--model_save_filename=m.h5", "--task_options=tea"], "expected name=value"),
        ("train", ["--model_save_filename=m.h5", "--task_options=tea=1"], "'tea' has no effect"),
        (
            "train",
            ["--model_save_filename=m.h5", "--task_options=shots=1", "--shots=2"],
            "'shots' of the task is given twice",
        ),
        ("train", ["--dataset=omniglot"], "omniglot.npz"),
        ("train", ["--mode=test"], "saved/model.keras"),
        ("evaluate", ["--model_save_filename=nothing.h5"], "nothing.h5"),
        ("evaluate", ["--model_save_filename=nothing.h5", "--inner=x"], "whole numbers"),
        ("evaluate", ["--model_save_filename=m.h5", "--test_inner_steps=3"], "those of --inner"),
        (
            "train",
            ["--model_save_filename=m.h5", "--dataset=functions", "--task_options=noise=abc"],
            "Error: Invalid value for noise of --task_options: expected float, received 'abc'.",
        ),
    ],
)
def test_errors_are_one_sentence(module, arguments, message, tmp_path):
    process = run(module, *arguments, cwd=tmp_path)
    assert process.returncode != 0 and message in process.stderr
    assert "Traceback" not in process.stderr and process.stderr.count("Error: ") == 1
    assert not list(tmp_path.iterdir())


def test_inner_steps_of_a_learner_that_has_none_are_refused(tmp_path):
    config = toys.small({"learner": "cnp"})
    problem = config.make_problem()
    learner = config.make_learner(problem)
    learner.create_weights(problem.train.sample(2, [0, 0]))
    maml.save(learner, tmp_path / "cnp.keras")
    evaluate.load_trained(tmp_path / "cnp.keras", {"task": "sinusoid"})
    steps = {"learner.test_inner_steps": "3"}
    with pytest.raises(ValueError, match="cnp.keras has no inner steps: leave out"):
        evaluate.load_trained(tmp_path / "cnp.keras", {"task": "sinusoid"} | steps)
    with pytest.raises(ValueError, match="'inner_steps' has no effect with learner cnp: it is an"):
        Config.of({"learner": "cnp", "learner.inner_steps": 3})


def test_the_meta_learning_rate_falls_to_zero_along_a_cosine():
    config = toys.small({"meta_lr": 0.4, "meta_lr_decay": True})
    problem = config.make_problem()
    learner = config.make_learner(problem)
    learner.create_weights(problem.train.sample(2, [0, 0]))
    training.compile_learner(learner, config)
    rates = [float(learner.optimizer.learning_rate)]
    for _ in range(config.steps):
        learner.optimizer.iterations.assign_add(1)
        rates.append(float(learner.optimizer.learning_rate))
    expected = 0.2 * (1 + np.cos(np.pi * np.arange(config.steps + 1) / config.steps))
    np.testing.assert_allclose(rates, expected, atol=1e-7)

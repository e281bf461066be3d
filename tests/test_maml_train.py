"""Training and evaluation of learners on registered tasks, by command line and from Python."""

import dataclasses
import functools
import json
import pathlib
import re
import shlex

import commands
import numpy as np
import pytest
import toys

import maml
from maml import evaluate, train
from maml.core.registry import check_kinds
from maml.experiments import runs, tables
from maml.experiments.callbacks import best_epoch
from maml.tasks.image_file import ImageFile

ROOT = pathlib.Path(__file__).parent.parent
PYMETA = [
    "--dataset=sinusoid", "--num_train_samples_per_class=10", "--num_test_samples_per_class=100",
    "--num_inner_training_iterations=5", "--inner_batch_size=10", "--meta_lr=0.001",
    "--inner_lr=0.01", "--meta_batch_size=5", "--num_validation_batches=10",
]  # fmt: skip
SMALL = {
    "steps": 4, "steps_per_epoch": 2, "meta_batch_size": 4, "num_validation_batches": 1,
    "num_test_tasks": 6, "num_validation_tasks": 6,
    "inner_steps": 2, "hidden": 8, "dim_r": 8, "dim_z": 8,
}  # fmt: skip


def run(module, *arguments, cwd=ROOT):
    return commands.run(f"maml.{module}", *arguments, cwd=cwd)


def test_commands_of_pymeta_run_as_they_are_written(tmp_path):
    process = run(
        "train", *PYMETA, "--metamodel=imaml", "--imaml_lambda_reg=0.5", "--imaml_cg_steps=3",
        "--model_save_filename=saved/model.h5", "--num_outer_metatraining_iterations=4", "--seed=1",
        "--num_test_tasks=100", "--num_validation_tasks=100",
        cwd=tmp_path,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "iMAML: mse " in process.stdout and "no normalisation" in process.stdout
    learner = maml.load(tmp_path / "saved/model.h5")
    assert (learner.regularization, learner.solver_steps, learner.inner_batch_size) == (0.5, 3, 10)
    record = json.loads((tmp_path / "saved/model/results.json").read_text())
    assert record["config"]["queries"] == 100 and record["steps"] == 4
    assert record["command"].startswith("python -m maml.train --dataset=sinusoid")
    for name in ("curves.png", "fits.png"):
        assert (tmp_path / "saved/model" / name).read_bytes()[1:4] == b"PNG"
    again = run("evaluate", "--model_save_filename=saved/model.h5", "--inner=0,2",
                "--num_test_tasks=10", cwd=tmp_path)  # fmt: skip
    assert again.returncode == 0, again.stderr
    rows = json.loads((tmp_path / "saved/model/evaluation.json").read_text())["rows"]
    assert [row["inner_steps"] for row in rows] == [0, 2]
    none, two = (row["diagnosis"] for row in rows)
    assert none["after"] == none["before"] and two["after"] != two["before"]


@pytest.mark.parametrize(
    ("dataset", "learner"),
    [("clusters", "reptile"), ("functions", "maml"), ("nme_sinusoid", "cnp")],
)
def test_datasets_train_and_are_scored(dataset, learner, tmp_path):
    sizes = SMALL | {"shots": 3, "queries": 4, "num_test_tasks": 8}
    config = train.Config(dataset=dataset, learner=learner, **sizes)
    record = train.train(config, tmp_path / "model.keras", verbose=0)
    for split, tasks in (("train", 6), ("validation", 6), ("test", 8)):
        diagnosis = maml.Diagnosis(**record["diagnosis"][split])
        assert diagnosis.tasks == min(tasks, getattr(config.problem(), split).num_tasks)
        assert np.isfinite(diagnosis.after["mean"]) and diagnosis.verdict
    assert type(maml.load(tmp_path / "model.keras")) is maml.LEARNERS[learner]
    # Each split's score is of its own tasks.
    found, problem = maml.load(tmp_path / "model.keras"), config.problem()
    evaluator = problem.evaluator(found)
    for split, count in (("train", 6), ("validation", 6), ("test", 8)):
        alone = train.diagnose(evaluator, getattr(problem, split), problem, config, count, "")
        np.testing.assert_allclose(
            record["diagnosis"][split]["after"]["mean"], alone.after["mean"], rtol=1e-4
        )
    ends = [
        record["diagnosis"][split]["after"]["mean"] for split in ("train", "validation", "test")
    ]
    assert dataset == "clusters" or len(set(ends)) == 3
    drawn = (tmp_path / "model/fits.png").exists()
    assert drawn == (diagnosis.metric == "mse")
    rows = evaluate.evaluate(tmp_path / "model.keras", [0, 3], num_test_tasks=8)["rows"]
    assert len(rows) == (1 if learner == "cnp" else 2)


def test_a_run_does_not_go_on_with_other_images(tmp_path):
    given = {"learner": "cnp", "dataset": "omniglot", "ways": 3, "shots": 1, "queries": 2}
    given |= SMALL | {"task_options": "filters=2"}
    content = ImageFile.load(toys.characters())
    content.save(tmp_path / "a.npz")
    config = train.Config(data=str(tmp_path / "a.npz"), **given)
    record = train.train(config, tmp_path / "m.keras", verbose=0, pictures=False)
    go_on = functools.partial(
        train.train, config, tmp_path / "m.keras", resume=True, verbose=0, pictures=False
    )
    assert go_on() == record
    dataclasses.replace(content, images=255 - content.images).save(tmp_path / "a.npz")
    with pytest.raises(FileExistsError, match="other data"):
        go_on()


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
        "--dataset=miniimagenet --mode=train --n_way=5 --k_shot=1 --k_query=15",
    ],
)
def test_commands_of_the_ancestors_classify_images(flags, tmp_path):
    dataset = flags.split()[0].removeprefix("--dataset=")
    small = [
        f"--data={toys.characters()}", "--task_options=filters=4", "--num_test_tasks=10",
        "--num_validation_tasks=10", "--steps=4", "--meta_batch_size=2",
        "--num_validation_batches=1", "--inner_steps=1",
    ]  # fmt: skip
    process = run("train", *flags.split(), *small, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "accuracy " in process.stdout and "current batch (transductive)" in process.stdout
    file = "saved/model.h5" if dataset == "omniglot" else "saved/model.keras"
    record = json.loads((tmp_path / "saved/model/results.json").read_text())
    assert record["diagnosis"]["test"]["tasks"] == 10
    for name in ("curves.png", "episodes.png", "confusion.png"):
        assert (tmp_path / "saved/model" / name).read_bytes()[1:4] == b"PNG"
    # As it was trained, whatever is not said anew.
    again = run("train", "--mode=test", f"--model_save_filename={file}", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert str(maml.Diagnosis(**record["diagnosis"]["test"])) in again.stdout


def test_a_learner_is_scored_on_other_tasks_but_keeps_what_it_was_trained_with(tmp_path):
    path = tmp_path / "model.keras"
    train.train(train.Config(shots=3, queries=4, **SMALL), path, verbose=0, pictures=False)
    learner, config = train.trained(path, shots=5, num_test_tasks=9, test_inner_steps=7)
    assert (config.shots, config.queries, config.num_test_tasks) == (5, 4, 9)
    assert learner.test_inner_steps == 7
    assert train.trained(path, test_inner_steps=-1)[0].test_inner_steps is None
    train.trained(path, inner_steps=SMALL["inner_steps"])
    with pytest.raises(ValueError, match="trained with --inner_steps=2, not 4: leave it out"):
        train.trained(path, inner_steps=4)
    with pytest.raises(ValueError, match="trained with --learner=maml, not cnp"):
        evaluate.evaluate(path, [1], learner="cnp")
    file = tmp_path / "model/config.json"
    known = json.loads(file.read_text())["config"]
    older = {name: value for name, value in known.items() if name != "mi_draws"}
    file.write_text(json.dumps({"config": older}))
    with pytest.raises(ValueError, match="trained with --mi_draws=1, not 8"):
        train.trained(path, mi_draws=8)
    file.write_text(json.dumps({"config": known | {"zeal": 1}}))
    with pytest.raises(ValueError, match=r"config\.json has options that are not known here: zeal"):
        train.trained(path)
    file.unlink()
    with pytest.raises(ValueError, match="config.json is missing, so name the tasks"):
        train.trained(path)
    assert train.trained(path, dataset="functions")[1].dataset == "functions"


def test_a_run_that_is_resumed_under_another_name_writes_its_learner_there(tmp_path):
    config = train.Config(learner="cnp", **SMALL)
    first = train.train(config, tmp_path / "model.h5", verbose=0, pictures=False)
    second = train.train(config, tmp_path / "model.keras", resume=True, verbose=0, pictures=False)
    assert second == json.loads(json.dumps(first))
    episode = config.problem().test.sample(3, [0, 0])
    answers = [maml.load(tmp_path / f"model{suffix}")(episode) for suffix in (".h5", ".keras")]
    np.testing.assert_array_equal(*answers)


def test_training_stops_early_and_keeps_the_best_weights_when_cut_too(tmp_path):
    """A rate that grows: soon no later epoch is as good as an early one."""
    config = train.Config(
        dataset="clusters", learner="protonet", shots=1, queries=3, patience=2,
        regularizer="mine", **(SMALL | {"steps": 40, "meta_lr": 0.3}),
    )  # fmt: skip
    whole = train.train(config, tmp_path / "whole.keras", verbose=0, pictures=False)
    history = runs.read_history(tmp_path / "whole/history.csv")
    values = history["validation_accuracy"]
    best = int(values.argmax())
    assert len(values) == best + 3 < 20 and whole["steps"] == 2 * len(values)
    assert whole["terms"] and whole["terms"] == {
        name: history[f"val_{name}"][best] for name in whole["terms"]
    }
    problem = config.problem()
    learner = maml.load(tmp_path / "whole.keras")
    again = problem.evaluator(learner)(problem.validation, 1, 4, 1, 4)["accuracy"]
    assert again.mean() == pytest.approx(values[best])

    # Cut after the last checkpoint, before the results: it neither trains on nor forgets.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.maml, "save", lambda *_: (_ for _ in ()).throw(InterruptedError))
        with pytest.raises(InterruptedError):
            train.train(config, tmp_path / "cut.keras", verbose=0, pictures=False)
    cut = train.train(config, tmp_path / "cut.keras", resume=True, verbose=0, pictures=False)
    assert cut["steps"] == whole["steps"] and cut["diagnosis"] == whole["diagnosis"]


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
    assert best_epoch(scores, larger) == best


def test_options_of_tasks_reach_them_and_the_command_repeats_the_run(tmp_path):
    options = "test_shape=square; x_range=-1:2.5; noise=0.5;told=true"
    config = train.Config(dataset="functions", task_options=options, **SMALL)
    problem = config.problem()
    assert problem.test.shape == "square" and problem.train.shape == "sine"
    assert problem.test.x_range == (-1, 2.5) and problem.test.noise == 0.5
    assert problem.test.sample(2, [0, 0]).query_x.shape[-1] == 4
    typed = shlex.split(train.as_command(config, tmp_path / "model.keras"))[3:]
    assert typed[0] == "--dataset=functions" and f"--task_options={options}" in typed
    process = run("train", *typed)
    assert process.returncode == 0, process.stderr
    assert json.loads((tmp_path / "model/config.json").read_text())["config"] == runs.as_config(
        config
    )


def test_training_lowers_the_error(tmp_path):
    sizes = {"steps": 600, "steps_per_epoch": 300, "num_test_tasks": 200}
    config = train.Config(learner="fomaml", **(SMALL | sizes))
    record = train.train(config, tmp_path / "model.keras", verbose=0, pictures=False)
    test = record["diagnosis"]["test"]
    assert test["after"]["mean"] < 0.9 * test["chance"]["mean"]
    assert test["after"]["mean"] < 0.9 * test["before"]["mean"]


def test_a_run_that_was_cut_resumes_to_the_same_numbers(tmp_path):
    config = train.Config(
        dataset="nme_sinusoid", learner="cnp", regularizer="weights,mine", **SMALL
    )
    run = functools.partial(train.train, verbose=0, pictures=False)
    whole = run(config, tmp_path / "whole.keras")

    class Cut(Exception):
        pass

    def stop(*_args, **_kwargs):
        raise Cut

    with pytest.MonkeyPatch.context() as patch:
        # After the first epoch's checkpoint, before the second epoch.
        patch.setattr(
            runs.callbacks.StopOnDivergence,
            "on_epoch_begin",
            lambda self, epoch, logs=None: stop() if epoch else None,
            raising=False,
        )
        with pytest.raises(Cut):
            run(config, tmp_path / "cut.keras")
    assert not (tmp_path / "cut.keras").exists()
    with pytest.raises(FileExistsError, match="pass --resume"):
        run(config, tmp_path / "cut.keras")
    cut = run(config, tmp_path / "cut.keras", resume=True)
    assert cut["diagnosis"] == whole["diagnosis"]
    other = train.Config(dataset="nme_sinusoid", learner="cnp", regularizer="mine", **SMALL)
    with pytest.raises(FileExistsError, match="other regularizer"):
        run(other, tmp_path / "cut.keras", resume=True)


def test_an_option_that_is_newer_than_a_run_keeps_neither_its_folder_nor_its_name(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Newer(train.Config):
        zeal: float = 0.5

    older = train.Config(**SMALL)
    runs.claim_run_dir(tmp_path, older, resume=False)
    runs.claim_run_dir(tmp_path, Newer(**SMALL), resume=True)
    assert tables.run_name(Newer(**SMALL)) == tables.run_name(older)
    eager = Newer(**SMALL, zeal=1.0)
    with pytest.raises(FileExistsError, match="other zeal"):
        runs.claim_run_dir(tmp_path, eager, resume=True)
    assert tables.run_name(eager) != tables.run_name(older)


def test_a_run_goes_on_with_its_data_alone_as_far_as_it_says_which(tmp_path):
    config, data = train.Config(**SMALL), {"train": "a"}
    runs.claim_run_dir(tmp_path, config, resume=False, data=data)
    # A newer version says more than the run does.
    runs.claim_run_dir(tmp_path, config, resume=True, data=data | {"train_images": "b"})
    with pytest.raises(FileExistsError, match="other data"):
        runs.claim_run_dir(
            tmp_path, config, resume=True, data={"train": "others", "train_images": "b"}
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("hidden=40.5", "hidden is Sequence[int], not 40.5."),
        ("hidden=40:8.5", "hidden is Sequence[int], not (40, 8.5)."),
        ("noise=abc", "noise is float, not 'abc'."),
        ("amplitude=5", "amplitude is Sequence[float], not 5."),
        ("told=1", "told is bool, not 1."),
        ("shape=3", "shape is str, not 3."),
        ("seed_=1", "take no option 'seed_'"),
        ("test_noise=abc", "test_noise is float | None, not 'abc'."),
        ("test_phase=1", "test_phase is Sequence[float] | None, not 1."),
    ],
)
def test_options_of_tasks_are_of_their_kind(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        train.Config(dataset="functions", task_options=options).problem()


def test_options_of_tasks_may_be_all_that_their_annotations_allow():
    allowed = "noise=1;hidden=8:8;told=true;amplitude=1:2;test_noise=0.5;test_shape=square"
    train.Config(dataset="functions", task_options=allowed).problem()

    def own(scale=1, ends: tuple[float, float] = (0, 1), either: int | str = 0, odd: "int" = 0): ...

    class Handed:
        def __init__(self, **others): ...

    typed = {"scale": 0.5, "ends": (0, 2), "either": "a", "odd": 0.5}
    check_kinds(typed, own)
    check_kinds(typed, Handed)
    for name, value in {"ends": 1, "either": 0.5}.items():
        with pytest.raises(TypeError, match=f"{name} is .* not {value}"):
            check_kinds({name: value}, own)


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("train", ["--model_save_filename=model.pkl"], "in a .keras or .h5 file"),
        ("train", ["--model_save_filename=m.h5", "--dataset=tea"], "no task 'tea'; there are"),
        ("train", ["--model_save_filename=m.h5", "--metamodel=tea"], "no learner 'tea'"),
        ("train", ["--model_save_filename=m.h5", "--steps=7", "--steps_per_epoch=2"], "7 steps"),
        ("train", ["--model_save_filename=m.h5", "--shots=0"], "shots"),
        ("train", ["--model_save_filename=m.h5", "--task_options=tea"], "write name=value"),
        ("train", ["--model_save_filename=m.h5", "--task_options=tea=1"], "take no option 'tea'"),
        ("train", ["--model_save_filename=m.h5", "--task_options=shots=1"], "no option 'shots'"),
        ("train", ["--dataset=omniglot"], "no file 'omniglot.npz' of images"),
        ("train", ["--mode=test"], "no file saved/model.keras"),
        ("evaluate", ["--model_save_filename=nothing.h5"], "no file nothing.h5"),
        ("evaluate", ["--model_save_filename=nothing.h5", "--inner=x"], "whole numbers"),
        ("evaluate", ["--model_save_filename=m.h5", "--test_inner_steps=3"], "those of --inner"),
        (
            "train",
            ["--model_save_filename=m.h5", "--dataset=functions", "--task_options=noise=abc"],
            "Error: --task_options=noise=abc: noise is float, not 'abc'.",
        ),
    ],
)
def test_errors_are_one_sentence(module, arguments, message, tmp_path):
    process = run(module, *arguments, cwd=tmp_path)
    assert process.returncode != 0 and message in process.stderr
    assert "Traceback" not in process.stderr and not list(tmp_path.iterdir())


def test_inner_steps_of_a_learner_that_has_none_are_refused(tmp_path):
    config = train.Config(learner="cnp", **SMALL)
    learner = config.make_learner(*_parts(config.problem()))
    learner.create_weights(config.problem().train.sample(2, [0, 0]))
    maml.save(learner, tmp_path / "cnp.keras")
    train.trained(tmp_path / "cnp.keras", dataset="sinusoid")
    with pytest.raises(ValueError, match="cnp.keras has no inner steps: leave out"):
        train.trained(tmp_path / "cnp.keras", dataset="sinusoid", test_inner_steps=3)


def test_the_meta_learning_rate_falls_to_nothing_along_a_cosine():
    config = train.Config(meta_lr=0.4, meta_lr_decay=True, **SMALL)
    learner = config.make_learner(*_parts(config.problem()))
    learner.create_weights(config.problem().train.sample(2, [0, 0]))
    config.compile(learner)
    rates = [float(learner.optimizer.learning_rate)]
    for _ in range(config.steps):
        learner.optimizer.iterations.assign_add(1)
        rates.append(float(learner.optimizer.learning_rate))
    expected = 0.2 * (1 + np.cos(np.pi * np.arange(config.steps + 1) / config.steps))
    np.testing.assert_allclose(rates, expected, atol=1e-7)


def _parts(problem):
    return problem.networks, problem.head, problem.label_transform

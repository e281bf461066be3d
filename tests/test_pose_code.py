"""Training, scoring and comparing on a tiny data set, in process and as a user runs it."""

import csv
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import commands
import hands
import keras
import numpy as np
import pytest
from hands import FLAGS, splits, tiny
from PIL import Image

import maml
from maml import compare
from maml.experiments import Config, read_history, training
from maml.experiments.command_line import SHORT
from maml.experiments.results import find_results
from mine import reporting
from mine.reporting import environment
from pose_code import baselines, predict
from pose_code.data import describe, is_among
from pose_code.presets import PRESETS, preset_options
from pose_data import pickles
from pose_data.tasks import PERIOD, PoseTasks

ROOT = pathlib.Path(__file__).parent.parent
METHODS = {
    "none": {},
    "normal head": {"head": "normal", "regularizer": "prediction_mi"},
    "Label-MI by MINE": {"regularizer": "label_mi", "label_mi.bound": "mine"},
    "together": {
        "regularizer": "mr_w,mr_a,weight_decay,label_augmentation,label_mi",
        "label_augmentation.probability": 0.5, "network.precision": "mixed_bfloat16",
    },
    "shared tower": {
        "regularizer": "mr_w,label_mi", "network.shared_tower": True, "mr_w.layers": ("tower",),
    },
    "normalized": {
        "network.embedding_normalization": "layer", "regularizer": "prediction_mi",
    },
    "changed images": {
        "task.image_augmentation": ("all",), "head": "von_mises", "head.harmonics": 2,
    },
    "by step": {"network.normalization": "step"},
    "frozen": {
        "network.normalization": "frozen", "learner.inner_optimizer": "adam",
        "learner.inner_clip": 1.0,
    },
}  # fmt: skip
CASES = [
    *(("cnp", method) for method in ("normal head", "Label-MI by MINE", "together")),
    ("acnp", "normalized"),
    ("relative", "changed images"),
    ("maml", "shared tower"),
    ("maml++", "by step"),
    ("reptile", "frozen"),
    ("imaml", "none"),
]
DRAWN = ("shared tower", "normal head")
"""Methods whose pictures are drawn too."""
# FOMAML, ANIL and Meta-SGD differ from MAML in what adapts, not in what they are given.
LEARNERS = {name for name in maml.LEARNERS if not maml.LEARNERS[name].classification_only}
LEARNERS -= {"fomaml", "anil", "metasgd"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    hands.write(folder)
    return folder


@pytest.fixture(scope="module")
def seeds_dir(data_dir, tmp_path_factory):
    """Two runs that differ in their seed, 0 and 1, in folders of these names."""
    folder = tmp_path_factory.mktemp("seeds")
    for seed in range(2):
        training.run(tiny(data_dir, seed=seed), folder / str(seed), verbose=0)
    return folder


def run(module, *arguments, cwd=ROOT):
    return commands.run(f"pose_code.{module}", *arguments, cwd=cwd)


def test_no_learner_or_regularizer_is_left_out():
    assert {learner for learner, _ in CASES} == LEARNERS
    assert {method for _, method in CASES} == set(METHODS)
    named = ",".join(of.get("regularizer", "none") for of in METHODS.values()).split(",")
    of_policies = {"action_mi"}
    assert set(named) - {"none"} == set(maml.REGULARIZERS) - of_policies


def test_validation_objects_are_neither_trained_on_nor_tested(data_dir):
    chosen = {"task.num_validation": 3}
    families = tiny(data_dir, **chosen).make_problem().families
    again = tiny(data_dir, **chosen, seed=5).make_problem().families
    assert {name: family.names for name, family in families.items()} == {
        name: family.names for name, family in again.items()
    }
    train, validation, test = (families[name] for name in ("train", "validation", "test"))
    assert len(train.names) == 5
    assert sorted(train.names + validation.names) == [f"hand/train{i}" for i in range(8)]
    assert test.names == [f"hand/val{i}" for i in range(8)]
    everything = tiny(data_dir).make_problem().families
    assert list(everything) == ["train", "test"]
    whole = everything["train"]
    for family in (train, validation):
        for index, name in enumerate(family.names):
            there = whole.names.index(name)
            np.testing.assert_array_equal(family.images[index], whole.images[there])
            np.testing.assert_array_equal(family.angles[index], whole.angles[there])


def test_objects_of_another_folder_are_trained_on_as_well(data_dir):
    own = splits(data_dir, num_validation=2)
    both = splits(data_dir, num_validation=2, extra_data_dir=str(data_dir))
    # Those that are kept back here are not trained on by that way, either.
    assert both["train"].names == own["train"].names * 2
    assert both["train"].num_tasks == 12 and both["test"].names == own["test"].names
    np.testing.assert_array_equal(both["train"].images[:6], own["train"].images)
    assert both["train"].checksums == own["train"].checksums * 2


def test_without_names_nothing_tells_which_extra_objects_are_held_out(data_dir, tmp_path):
    """The pickles of the original project come without a split.json."""
    shutil.copytree(data_dir, tmp_path / "unnamed")
    (tmp_path / "unnamed/split.json").unlink()
    assert splits(tmp_path / "unnamed")["train"].num_tasks == 8
    for own, extra in ((data_dir, tmp_path / "unnamed"), (tmp_path / "unnamed", data_dir)):
        with pytest.raises(ValueError, match=r"unnamed/split\.json is missing.*extra objects"):
            splits(own, num_validation=2, extra_data_dir=str(extra))


@pytest.mark.parametrize(
    ("name", "mesh", "there", "expected"),
    [
        ("car/1", "a", "a", True),
        ("car/1", "a", "b", False),
        ("car/1", None, "b", True),
        ("car/1", "a", None, True),
        ("car/2", "a", "a", True),
        ("car/2", None, "a", False),
        ("car/1~3", "c", "a", True),
    ],
)
def test_an_object_is_known_by_its_shape_or_else_by_its_name(name, mesh, there, expected):
    held_out = {"car/1": there, "car/9": "z"}
    assert is_among(name, {name: mesh}, held_out) == expected
    assert not is_among("boat/1", {"boat/1": "y"}, held_out)
    # A variant is as good as what it is one of, by whatever name; so is a variant of a variant.
    for variant in ("boat/1~2", "boat/1~2~1"):
        assert is_among(variant, {variant: "x", "boat/1": "z"}, held_out)
    assert is_among("car/1~3~1", {}, held_out)


def test_a_set_is_known_by_its_images_whatever_is_made_of_them(data_dir, tmp_path):
    """Images in other orientations have the same angles."""

    def described(folder, **given):
        return describe(splits(folder, num_validation=2, **given))

    own = described(data_dir)
    assert described(data_dir, image_size=5, cropped=True) == own
    shutil.copytree(data_dir, tmp_path / "turned")
    images, labels = pickles.load(data_dir / "val_data.pkl")
    images[1][3] = images[1][3].T
    pickles.dump([images, labels], tmp_path / "turned/val_data.pkl")
    turned = described(tmp_path / "turned")
    assert {name for name in own if own[name] != turned[name]} == {"test_images"}


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("{", r"split\.json: expected .*data_gen\.py"),
        ('{"train": ["a"]}', r"split\.json: expected .*data_gen\.py"),
        ('{"train": ["a"], "val": 3}', r"split\.json: expected .*data_gen\.py"),
        ('{"train": ["a", 3], "val": ["b"]}', r"split\.json: expected .*data_gen\.py"),
        (
            '{"train": ["a"], "val": ["b"]}',
            "expected the names of the 8 objects of train_data.pkl; received 1 names",
        ),
    ],
)
def test_names_that_do_not_fit_are_refused(data_dir, tmp_path, split, message):
    shutil.copytree(data_dir, tmp_path / "other")
    (tmp_path / "other/split.json").write_text(split)
    with pytest.raises(ValueError, match=message):
        splits(tmp_path / "other")


def test_a_single_test_object_is_refused(data_dir, tmp_path):
    images, labels = pickles.load(data_dir / "val_data.pkl")
    pickles.dump([images[:1], labels[:1]], tmp_path / "val_data.pkl")
    shutil.copy(data_dir / "train_data.pkl", tmp_path)
    with pytest.raises(ValueError, match="one test object, too few"):
        splits(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_validation": 7}, "leave two or more of 8 objects to train on; received 7"),
        ({"num_validation": 1}, "too few"),
        ({"other_shots": "5,a"}, "`other_shots`: expected a sequence of int, received '5,a'"),
        ({"image_augmentation": "rain"}, "expected some of shift.* received 'rain'"),
        ({"image_augmentation": "none,shift"}, "expected some of shift.* received 'none'"),
    ],
)
def test_objects_and_images_that_cannot_be_are_refused(data_dir, given, message):
    with pytest.raises(ValueError, match=message):
        tiny(data_dir, **{f"task.{name}": value for name, value in given.items()}).make_problem()


@pytest.mark.slow
@pytest.mark.parametrize(("learner", "method"), CASES)
def test_every_method_trains_and_is_scored(learner, method, data_dir, tmp_path):
    drawn = method in DRAWN
    settings = tiny(data_dir, learner=learner, **METHODS[method])
    result = training.run(settings, tmp_path, verbose=0, pictures=drawn)
    assert json.loads((tmp_path / "results.json").read_text())["method"] == result["method"]
    for split in ("train", "test"):
        scores = result["scores"][split]
        for score in ("mse", "no_support_mse", "swap_gap", "angle", "label_information_lower"):
            assert np.isfinite(scores[score]["mean"])
            assert scores[score]["ci95"] > 0
    report = maml.MemorizationReport(**result["diagnosis"])
    right = report.splits["held_out"]["scores"]["right"]
    assert right["mean"] == pytest.approx(scores["mse"]["mean"])
    assert report.normalization == result["normalization"]
    assert result["cost"]["steps"] == 4 and result["cost"]["skipped_steps"] == 0
    assert set(result["scores"]["test"]["objects"]) == {f"hand/val{i}" for i in range(8)}
    assert {"tensorflow", "keras"} <= set(result["provenance"]["versions"])
    said = training.sentence(result)
    assert f"; {report.verdict} (" in said
    assert f"mse {scores['mse']['mean']:.4g}" in said and result["normalization"] in said
    for name in ("curves.png", "predictions.png", "diagnosis.png") if drawn else ():
        assert (tmp_path / name).read_bytes()[1:4] == b"PNG"
    assert list(tmp_path.glob("tensorboard/train/events*"))
    assert type(maml.load(tmp_path / "learner.keras")) is maml.LEARNERS[learner]


@pytest.mark.slow
def test_same_seed_same_numbers_and_another_seed_others(data_dir, seeds_dir, tmp_path):
    again = training.run(tiny(data_dir), tmp_path, verbose=0, pictures=False)
    first, other = (
        json.loads((seeds_dir / str(seed) / "results.json").read_text()) for seed in range(2)
    )
    errors = [record["scores"]["test"]["mse"] for record in (again, first, other)]
    assert errors[0] == errors[1] != errors[2]


class Cut(keras.callbacks.Callback):
    """Ends the run in the middle of its second epoch, as a kill would."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 3:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_run_that_was_cut_resumes_to_the_same_results(data_dir, tmp_path):
    labels = {"regularizer": "label_mi", "label_mi.bound": "mine"}
    method = tiny(data_dir, **labels)
    train = functools.partial(training.run, verbose=0, pictures=False)
    whole = train(method, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(method, tmp_path / "cut", extra_callbacks=[Cut()])
    with pytest.raises(FileExistsError, match="--resume"):
        train(method, tmp_path / "cut")
    with pytest.raises(FileExistsError, match="other meta_lr"):
        train(tiny(data_dir, **labels, meta_lr=0.5), tmp_path / "cut", resume=True)
    resumed = train(method, tmp_path / "cut", resume=True)
    assert resumed["scores"] == whole["scores"] and resumed["terms"] == whole["terms"]
    assert resumed["cost"]["steps"] == 4
    curves = [read_history(tmp_path / name / "history.csv") for name in ("whole", "cut")]
    np.testing.assert_allclose(curves[0]["test_mse"], curves[1]["test_mse"], rtol=1e-6)
    again = train(method, tmp_path / "cut", resume=True)
    assert again == resumed
    # A learner that is gone is written again from the checkpoint; without it nothing is trained.
    files = {path.name: path.read_bytes() for path in (tmp_path / "cut").glob("*.*")}
    (tmp_path / "cut/learner.keras").unlink()
    assert train(method, tmp_path / "cut", resume=True) == resumed
    assert (tmp_path / "cut/learner.keras").exists()
    for name in ("learner.keras", "checkpoint.weights.h5"):
        (tmp_path / "cut" / name).unlink()
    assert train(method, tmp_path / "cut", resume=True) == resumed
    for name in ("results.json", "history.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == files[name]


def test_history_counts_the_later_of_two_rows_of_an_epoch(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,val_loss\n0,5.0,NA\n1,4.0,NA\n1,3.0,NA\n")
    np.testing.assert_array_equal(read_history(path)["loss"], [5.0, 3.0])


@pytest.mark.slow
def test_training_adapts_to_hands_it_has_not_seen(tmp_path):
    """With many hands to learn from there is nothing to memorize, and the answer is in reach."""
    images, angles = hands.hands(300, 12, seed=2)
    train, held_out = (images[:280], angles[:280]), (images[280:], angles[280:])
    hands.write_images(tmp_path, train, held_out)
    settings = Config.of(
        {
            "task.data_dir": str(tmp_path), "task.cropped": False, "task.image_size": 16,
            "head": "circular", "head.knots": 30, "regularizer": "label_mi", "label_mi.warmup": 0,
        },
        preset_options("quick"),
    )  # fmt: skip
    problem = settings.make_problem()
    learner = settings.make_learner(problem)
    learner.create_weights(problem.train.sample(2, [0, 0]))
    learner.compile(keras.optimizers.Adam(2e-3))
    learner.fit(problem.train.dataset(16, 0), steps_per_epoch=700, verbose=0)
    record = training.score(problem.evaluator(learner), problem, settings, verbose=False)
    score = record["scores"]["test"]
    assert score["angle"]["median"] < 25
    assert score["swap_gap"]["mean"] > 4
    assert score["label_information_lower"]["mean"] > 1


def test_median_angle_is_of_single_queries_not_of_episodes(data_dir):
    names = ["mse", "mismatched_support_mse", "angle", "no_support_angle"]
    values = dict.fromkeys(names, np.zeros((8, 3, 5)))
    # In each episode four good answers and one that is the wrong way round.
    values["angle"] = np.broadcast_to([1.0, 2.0, 3.0, 4.0, 180.0], (8, 3, 5))
    problem = tiny(data_dir).make_problem()
    found = problem.summarize(values, problem.test)
    assert found["angle"]["median"] == 3 and found["angle"]["mean"] == 38
    assert found["angle"]["within_30"] == 0.8 and found["angle"]["beyond_150"] == 0.2
    assert found["objects"]["hand/val1"]["angle"] == 38


def test_pixel_kernel_finds_the_image_it_has_seen():
    images, angles = hands.hands(3, 8, seed=3)
    tasks = PoseTasks(images, angles, 4, 4)
    episode = tasks.episodes(np.arange(3), [0, 0])
    learner = baselines.PixelKernel(0.01, 16)
    memory = learner.encode(episode.support_x, episode.support_y)
    answer = learner.decode(memory, episode.support_x).mode()
    off = np.mod(answer - episode.support_y + PERIOD / 2, PERIOD) - PERIOD / 2
    np.testing.assert_allclose(off, 0, atol=0.05)
    nothing = learner.decode(learner.initial_state(3), episode.query_x)
    np.testing.assert_allclose(nothing.log_prob(episode.query_y), -np.log(PERIOD), atol=1e-4)


def score_baselines(data_dir, folder):
    return baselines.run(tiny(data_dir), folder, "python -m pose_code.baselines")


def test_constant_scores_the_variance_of_the_labels(data_dir, tmp_path):
    constant, kernel = (of["scores"]["test"] for of in score_baselines(data_dir, tmp_path))
    assert constant["mse"]["mean"] == pytest.approx(PERIOD**2 / 12, rel=0.25)
    assert constant["swap_gap"]["mean"] == pytest.approx(0, abs=1e-6)
    assert constant["label_information_lower"]["mean"] == pytest.approx(0, abs=1e-4)
    assert kernel["label_information_lower"]["mean"] > 0.1


def test_table_of_runs_and_baselines(data_dir, seeds_dir, tmp_path):
    shutil.copytree(seeds_dir, tmp_path / "cnp")
    score_baselines(data_dir, tmp_path)
    text = compare.compare([str(tmp_path)], str(tmp_path / "table"))
    assert text.splitlines()[0].startswith("| method | seeds |")
    assert "| CNP | 2 |" in text and "| constant predictor | 1 |" in text
    rows = json.loads((tmp_path / "table/table.json").read_text())["rows"]
    angle = "scores.test.angle"
    assert all(0 <= row[f"{angle}.within_30"] + row[f"{angle}.beyond_150"] <= 1 for row in rows)
    for name in ("no_support_mse", "mismatched_support_mse"):
        assert all(row[f"scores.train.{name}.mean"] > 0 for row in rows)
    errors = [row["scores.test.mse.mean"] for row in rows]
    assert errors == sorted(errors)
    for name in ("table.png", "curves.png"):
        assert (tmp_path / "table" / name).read_bytes()[1:4] == b"PNG"


@pytest.mark.slow
def test_methods_of_one_name_are_told_apart_and_a_run_counts_once(data_dir, seeds_dir, tmp_path):
    for name in ("0", "1"):
        shutil.copytree(seeds_dir / name, tmp_path / name)
    narrow = tiny(data_dir, **{"learner.hidden": (7, 7)})
    training.run(narrow, tmp_path / "7", verbose=0, pictures=False)
    older = json.loads((tmp_path / "1/results.json").read_text())
    del older["config"]["num_relabelings"], older["data"]["test_images"]
    del older["config"]["learner_options"]["dim_z"]
    (tmp_path / "1/results.json").write_text(json.dumps(older))
    shutil.copytree(tmp_path / "0", tmp_path / "0 again")
    found = compare.find_runs([str(tmp_path), str(tmp_path / "0")])
    assert len(find_results(tmp_path)) == 4
    assert {row["method"]: sorted(row["seeds"]) for row in compare.tabulate(found)} == {
        "CNP (learner_options.hidden=[8, 8])": [0, 1],
        "CNP (learner_options.hidden=[7, 7])": [0],
    }


def test_other_training_objects_are_told_apart_and_other_test_images_refused(seeds_dir, tmp_path):
    for name in ("0", "1"):
        shutil.copytree(seeds_dir / name, tmp_path / name)
    path = tmp_path / "1/results.json"
    record = json.loads(path.read_text())
    more = record | {"data": record["data"] | {"train": "others", "train_objects": 9}}
    path.write_text(json.dumps(more))
    text = compare.compare([str(tmp_path)], str(tmp_path / "out"))
    assert "| CNP (train=others, train_objects=9) | 1 |" in text
    assert "train objects 8 or 9" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    turned = record["data"] | {"test_images": "turned"}
    for data in (turned, turned | {"test": record["data"]["test"]}):
        # Of another seed or of the same, beside runs that do not say which images they had, too.
        for seed in (0, 1):
            path.write_text(json.dumps(record | {"data": data, "seed": seed}))
            with pytest.raises(ValueError, match="cannot be compared, since they differ in test"):
                compare.compare([str(tmp_path)], str(tmp_path / "out"))
        older = dict(record["data"])
        del older["test_images"]
        (tmp_path / "2").mkdir(exist_ok=True)
        (tmp_path / "2/results.json").write_text(json.dumps(record | {"data": older, "seed": 2}))


def test_a_run_without_a_score_is_the_last_of_a_table(data_dir, tmp_path):
    score_baselines(data_dir, tmp_path)
    path = tmp_path / "constant/results.json"
    record = json.loads(path.read_text())
    for error in (None, 0.1):
        record["scores"]["test"]["mse"]["mean"] = error
        path.write_text(json.dumps(record))
        rows = compare.tabulate(compare.find_runs([str(tmp_path)]))
        assert [row["method"].split()[0] for row in rows].index("constant") == (error is None)


def test_the_table_says_on_how_many_episodes_it_rests(seeds_dir, tmp_path):
    shutil.copytree(seeds_dir / "0", tmp_path / "0")
    assert "episodes per task 2" in compare.compare([str(tmp_path)], str(tmp_path / "out"))


def test_a_package_that_is_not_there_loses_no_run(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "no-such-package"))
    versions = reporting.provenance("pose_code.train")["versions"]
    assert versions["numpy"] == np.__version__ and versions["no-such-package"] is None


def test_runs_on_other_data_are_not_put_into_one_table(data_dir, tmp_path):
    score_baselines(data_dir, tmp_path / "a")
    shutil.copytree(tmp_path / "a/constant", tmp_path / "b/constant")
    path = tmp_path / "b/constant/results.json"
    record = json.loads(path.read_text())
    record["data"]["test"] = "other"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="cannot be compared, since they differ in test"):
        compare.find_runs([str(tmp_path)])
    with pytest.raises(FileNotFoundError, match="no finished run"):
        compare.find_runs([str(tmp_path / "none")])


@pytest.fixture(scope="module")
def large_dir(tmp_path_factory):
    """Images of noise, as many and as large as the presets ask for."""
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    parts = [(rng.integers(0, 255, (2, 30, 128, 128), np.uint8), rng.random((2, 30)))] * 2
    hands.write_images(folder, *parts)
    return folder


def preset(name, data_dir, **given):
    """A run of a preset, nothing changed but what is given."""
    options = preset_options(name, given.get("learner"))
    return Config.of({"task.data_dir": str(data_dir)} | given, options)


@pytest.mark.parametrize("learner", ["cnp", "maml"])
def test_unbounded_outputs_and_a_critic_without_a_power_penalty_are_refused(large_dir, learner):
    critic = {"regularizer": "mr_w, prediction_mi", "learner": learner}
    critic["prediction_mi.power_penalty"] = 0.0
    unfit = preset("paper", large_dir, **critic)
    with pytest.raises(ValueError, match="critic can be exploited.*`bounds`.*power_penalty"):
        unfit.make_learner(unfit.make_problem())
    for remedy in (
        {"head.bounds": (-1.0, 11.0)}, {"head": "circular"}, {"prediction_mi.power_penalty": 1.0}
    ):  # fmt: skip
        fit = preset("paper", large_dir, **critic | remedy)
        assert fit.make_learner(fit.make_problem()).regularizers


SAME = {
    "critic_lr": "critic_lr", "steps": "steps", "steps_per_epoch": "steps_per_epoch",
    "meta_batch_size": "meta_batch_size", "meta_lr": "meta_lr", "meta_lr_decay": "meta_lr_decay",
    "weight_decay": "weight_decay", "eval_episodes": "episodes_per_task",
    "information_draws": "num_relabelings", "shots": "task.shots", "queries": "task.queries",
    "image_size": "task.image_size", "cropped": "task.cropped",
    "num_validation": "task.num_validation", "extra_data_dir": "task.extra_data_dir",
    "image_augmentation": "task.image_augmentation", "other_shots": "task.other_shots",
    "dim_w": "network.dim_w", "filters": "network.filters", "precision": "network.precision",
    "normalization": "network.normalization", "shared_tower": "network.shared_tower",
    "embedding_normalization": "network.embedding_normalization",
    "dim_r": "learner.dim_r", "dim_z": "learner.dim_z", "interaction": "learner.interaction",
    "hidden": "learner.hidden", "heads": "learner.heads",
    "inner_lr": "learner.inner_lr", "inner_steps": "learner.inner_steps",
    "test_inner_steps": "learner.test_inner_steps", "inner_clip": "learner.inner_clip",
    "inner_optimizer": "learner.inner_optimizer", "recompute": "learner.recompute",
    "inner_batch_size": "learner.inner_batch_size", "adapt_only": "learner.adapt_only",
    "task_map": "learner.task_map", "multi_step": "learner.multi_step",
    "regularization": "learner.regularization", "solver": "learner.solver",
    "solver_steps": "learner.solver_steps", "damping": "learner.damping",
    "knots": "head.knots", "harmonics": "head.harmonics", "bounds": "head.bounds",
    "head": "head",
    "mi_bound": "label_mi.bound", "mi_weight": "label_mi.weight", "mi_warmup": "label_mi.warmup",
    "mi_draws": "label_mi.num_relabelings", "mi_cap": "label_mi.cap",
    "prediction_bound": "prediction_mi.bound", "prediction_weight": "prediction_mi.weight",
    "prediction_warmup": "prediction_mi.warmup", "prediction_cap": "prediction_mi.cap",
    "mi_noise": "prediction_mi.noise", "mi_power_penalty": "prediction_mi.power_penalty",
    "kl_weight": "mr_w.weight", "kl_sigma": "mr_w.sigma", "kl_layers": "mr_w.layers",
    "bottleneck_weight": "mr_a.weight", "l2_weight": "weight_decay.weight",
    "augment_probability": "label_augmentation.probability",
}  # fmt: skip
"""Options of the runs behind the committed tables, as they were called -> what they are called."""

EVERY = {
    "critic_lr": 1e-3, "steps_per_epoch": 100, "meta_batch_size": 10, "meta_lr": 1e-3,
    "meta_lr_decay": False, "weight_decay": 0.0, "eval_episodes": 40, "information_draws": 8,
    "shots": 15, "queries": 15, "image_size": 0, "cropped": False, "num_validation": 0,
    "extra_data_dir": "", "image_augmentation": [], "other_shots": [], "dim_w": 64, "filters": 64,
    "precision": "float32", "normalization": "batch", "shared_tower": False,
    "embedding_normalization": "none", "mi_bound": "ba", "mi_weight": 0.5, "mi_warmup": 0,
    "mi_draws": 1, "mi_cap": 0.0, "prediction_bound": "mine", "prediction_weight": 0.5,
    "prediction_cap": 0.0, "mi_noise": 0.0, "mi_power_penalty": 1.0, "kl_weight": 1e-5,
    "kl_sigma": 0.1, "kl_layers": None, "bottleneck_weight": 1e-3, "l2_weight": 1e-4,
    "augment_probability": 1.0,
}  # fmt: skip
"""What they were in every preset, unless it says otherwise."""

CONTEXT = {"dim_r": 100, "dim_z": 64, "interaction": 64, "hidden": [100, 100]}
ADAPTING = {
    "inner_lr": 0.01, "inner_steps": 5, "test_inner_steps": None, "inner_optimizer": "sgd",
    "inner_clip": None, "inner_batch_size": None, "adapt_only": None, "task_map": "auto",
    "recompute": False,
}  # fmt: skip
BY_LEARNER = {
    "cnp": CONTEXT, "acnp": CONTEXT | {"heads": 8},
    "relative": {"interaction": 64, "hidden": [100, 100]},
    "maml": ADAPTING, "fomaml": ADAPTING, "anil": ADAPTING, "metasgd": ADAPTING,
    "reptile": ADAPTING, "maml++": ADAPTING | {"multi_step": 1000},
    "imaml": ADAPTING
    | {"regularization": 2.0, "solver": "cg", "solver_steps": 5, "damping": 0.0},
}  # fmt: skip
"""Options of the learners, which presets may change too."""

QUICK = {
    "cropped": True, "image_size": 40, "shots": 5, "queries": 5, "head": "", "knots": 60,
}  # fmt: skip
CPU = {
    "cropped": True, "image_size": 40, "embedding_normalization": "layer", "queries": 5,
    "image_augmentation": ["shift", "scale", "brightness"], "head": "von_mises", "knots": 360,
    "harmonics": 2, "meta_batch_size": 4, "meta_lr_decay": True,
}  # fmt: skip
PAPER = {"head": "normal", "bounds": None}
BY_PRESET = {
    ("quick", "embedding"): QUICK
    | {"meta_batch_size": 16, "steps": 2000, "mi_warmup": 500, "eval_episodes": 20},
    ("quick", "network"): QUICK
    | {"dim_w": 196, "filters": 16, "meta_batch_size": 4, "steps": 500, "mi_warmup": 100}
    | {"eval_episodes": 5},
    ("cpu", "embedding"): CPU
    | {"steps": 8000, "steps_per_epoch": 1000, "mi_warmup": 500, "mi_draws": 8},
    ("cpu", "network"): CPU
    | {"dim_w": 196, "filters": 16, "steps": 6000, "steps_per_epoch": 500, "mi_warmup": 200}
    | {"inner_lr": 0.1, "inner_steps": 3, "test_inner_steps": 5},
    ("paper", "embedding"): PAPER | {"interaction": 0, "steps": 140_000},
    ("paper", "network"): PAPER
    | {"dim_w": 196, "shots": 10, "queries": 10, "steps": 10_000, "meta_lr": 5e-4}
    | {"inner_lr": 0.002, "inner_steps": 5, "test_inner_steps": 20, "weight_decay": 2.0},
}
"""What a preset says otherwise, for each kind of network."""


@pytest.mark.parametrize("learner", sorted(BY_LEARNER))
@pytest.mark.parametrize("name", PRESETS)
def test_presets_give_the_options_of_the_committed_tables(name, learner, large_dir):
    own = BY_PRESET[name, maml.LEARNERS[learner].network_kind]
    expected = EVERY | BY_LEARNER[learner] | own
    expected["prediction_warmup"] = expected["mi_warmup"]
    known = {"task", "learner", "network", "head"}
    regularizers = "label_mi,prediction_mi,mr_w,mr_a,weight_decay,label_augmentation"
    chosen = preset(name, large_dir, learner=learner, regularizer=regularizers)
    found = {}
    for key, value in chosen.describe(chosen.make_problem()).items():
        role = key.removesuffix("_options")
        prefix = f"{role}." if role in known else ""
        found |= {f"{prefix}{k}": v for k, v in value.items()} if role != key else {key: value}
    assert {old: found[SAME[old]] for old in expected} == expected
    # All options, those that did not exist, or could not be changed, among them.
    fixed = {
        "task": "pose", "task.data_dir": str(large_dir), "learner": learner, "seed": 0,
        "regularizer": regularizers, "patience": 0, "num_validation_batches": 3,
        "num_validation_tasks": 1_000_000, "num_test_tasks": 1_000_000, "eval_batch_size": 16,
        "information_every": 1,
    }  # fmt: skip
    assert fixed.items() <= found.items()


def test_every_learner_has_presets():
    for name in PRESETS:
        for learner in maml.LEARNERS:
            assert Config.of({}, preset_options(name, learner)).learner == learner
        with pytest.raises(ValueError, match="Unknown learner 'mlp'"):
            preset_options(name, "mlp")


@pytest.mark.parametrize(
    "typed", ["warmup=3;num_relabelings=2", "label_mi.warmup=3;num_relabelings=2"]
)
def test_options_that_are_typed_replace_those_of_a_preset(typed, data_dir):
    given = {"regularizer": "label_mi", "regularizer_options": typed}
    found = Config.of(given, preset_options("cpu")).regularizers["label_mi"]
    assert found == {"warmup": 3, "num_relabelings": 2}
    given = {"regularizer": "mine", "regularizer_options": "mine.warmup=3"}
    assert Config.of(given, preset_options("cpu")).regularizers == {"prediction_mi": {"warmup": 3}}


@pytest.mark.slow
def test_command_line_trains_resumes_and_compares(data_dir, tmp_path):
    common = [f"--data_dir={data_dir}", f"--logdir={tmp_path / 'run'}"]
    common += [*FLAGS, "--regularizer=label_mi", "--regularizer_options=warmup=2"]
    first = run("train", *common, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "on test tasks" in first.stdout
    record = json.loads((tmp_path / "run/results.json").read_text())
    command = record["provenance"]["command"]
    assert command.startswith("python -m pose_code.train --data_dir=")
    options = tiny(data_dir, regularizer="label_mi")
    assert record["config"] == options.describe(options.make_problem())
    again = run("train", *common, "--resume")
    assert again.returncode == 0 and "on test tasks" in again.stdout
    table = commands.run("maml.compare", f"--runs={tmp_path}", f"--output={tmp_path}", cwd=ROOT)
    assert table.returncode == 0 and record["method"] in table.stdout


@pytest.mark.slow
def test_the_pose_task_is_found_by_its_entry_point(data_dir, seeds_dir, tmp_path):
    words = [flag for flag in FLAGS if not flag.startswith("--learner_options")]
    words += [
        "--learner=cnp",
        "--learner_options=hidden=8:8;interaction=64",
        "--eval_batch_size=16",
    ]
    process = commands.run(
        "maml.train", "--task=pose", f"--data_dir={data_dir}", f"--logdir={tmp_path}", *words
    )
    assert process.returncode == 0, process.stderr
    records = [json.loads((of / "results.json").read_text()) for of in (tmp_path, seeds_dir / "0")]
    # A command has TensorFlow rewrite its graphs, which the tests leave out.
    errors = [record["scores"]["test"]["mse"]["mean"] for record in records]
    assert errors[0] == pytest.approx(errors[1], rel=1e-4)


@pytest.mark.slow
def test_a_learner_of_ones_own_is_one_file(data_dir, tmp_path):
    """That of the page, written to a file as it stands there, by the command that stands there."""
    text = (ROOT / "docs/how_to/own_learner.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (learner,) = [block for block in blocks if "LEARNERS.register" in block]
    (tmp_path / "neighbours.py").write_text(learner)
    command = next(line for line in text.splitlines() if "--import=neighbours.py" in line)
    filled = command.replace("DATA", str(data_dir)).replace("LOGS", "logs").split()[3:]
    flags = [flag for flag in FLAGS if not flag.startswith("--learner_options")]
    process = run("train", *filled, *flags, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    record = json.loads((tmp_path / "logs/neighbours/results.json").read_text())
    assert record["method"].startswith("Neighbours + Label-MI")
    maml.import_files([str(tmp_path / "neighbours.py")])
    assert maml.load(tmp_path / "logs/neighbours/learner.keras").network_kind == "embedding"


def test_options_add_up_over_flags_and_the_last_value_counts(data_dir, tmp_path):
    """So FLAGS of a recipe take no option of the recipe away."""
    more = ["--network_options=embedding_normalization=layer", "--network_options=dim_w=9"]
    more += ["--learner_options=dim_r=7;hidden=6:6"]
    process = run("train", f"--data_dir={data_dir}", f"--logdir={tmp_path}", *FLAGS, *more)
    assert process.returncode == 0, process.stderr
    config = json.loads((tmp_path / "config.json").read_text())["config"]
    networks = config["network_options"]
    assert (networks["dim_w"], networks["embedding_normalization"]) == (9, "layer")
    assert (config["learner_options"]["dim_r"], config["learner_options"]["hidden"]) == (7, [6, 6])


@pytest.mark.slow
def test_a_recipe_trains_and_tabulates(data_dir, tmp_path):
    given = {"DATA_DIR": data_dir, "PRESET": "quick", "FLAGS": " ".join(FLAGS)}
    process = recipes("cnp", LOG_DIR=tmp_path, **given)
    assert process.returncode == 0, process.stderr
    assert "| CNP |" in (tmp_path / "cnp/table.md").read_text()
    # Refused before those that are known begin.
    unknown = recipes("mr_cnp_w", "nothing", DATA_DIR=data_dir, LOG_DIR=tmp_path / "none")
    assert unknown.returncode != 0 and "unknown recipe mr_cnp_w" in unknown.stderr
    unknown = recipes("cnp", "nothing", DATA_DIR=data_dir, LOG_DIR=tmp_path / "none")
    assert unknown.returncode != 0 and "unknown recipe nothing" in unknown.stderr
    assert "train" not in unknown.stderr and not (tmp_path / "none").exists()


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_every_command_of_the_recipes_has_options_that_exist(preset, large_dir, tmp_path):
    # It says what it was to run, a word a line.
    (tmp_path / "python").write_text("#!/bin/sh\nprintf '%s\\t' \"$@\"; echo\n")
    (tmp_path / "python").chmod(0o755)
    process = recipes(DATA_DIR="D", LOG_DIR="L", PRESET=preset, first=tmp_path)
    assert process.returncode == 0, process.stderr
    lines = [line.split("\t")[:-1] for line in process.stdout.splitlines()]
    trained = [words for words in lines if words[1] == "pose_code.train"]
    assert len(trained) == len({" ".join(words) for words in trained}) >= 13
    assert [words[1] for words in lines if words not in trained].count("maml.compare") >= 2
    if preset == "cpu":  # Regularizers are compared at equal networks and lengths.
        for learner in ("cnp", "maml"):
            ours = [words for words in trained if f"--learner={learner}" in words]
            regularizers = r"--(regularizer|regularizer_options|logdir)="
            rest = [[word for word in words if not re.match(regularizers, word)] for words in ours]
            assert len({tuple(sorted(words)) for words in rest}) == 1
    for _, module, *words in lines:
        checked = commands.run(module, *words, "--only_check_args")
        assert checked.returncode == 0, checked.stderr
    for _, _, *words in trained:
        given = dict(word.removeprefix("--").split("=", 1) for word in words if word != "--resume")
        assert given.pop("preset") == preset and given.pop("logdir")
        given |= {"data_dir": large_dir, "seed": int(given["seed"])}
        for name in ("steps", "meta_lr", "weight_decay"):
            given |= {name: json.loads(given[name])} if name in given else {}
        dotted = {f"{SHORT[k][0]}.{k}" if k in SHORT else k: v for k, v in given.items()}
        config = Config.of(dotted | {"task.data_dir": str(large_dir)}, preset_options(preset))
        problem = config.make_problem()
        learner = config.make_learner(problem)
        assert len(learner.regularizers) >= len(config.regularizers)
        if "mr_w" in config.regularizers:  # A layer that is named must be there.
            learner.create_weights(problem.train.sample(2, [0, 0]))


def recipes(*names, first=pathlib.Path(sys.executable).parent, **variables):
    """Runs recipes, with the programs of a folder before all others."""
    path = os.pathsep.join([str(first), os.environ["PATH"]])
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    return subprocess.run(
        [ROOT / "pose_code/run.sh", *names],
        env=environment | {"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


SMALL = ("--task_options=cropped=false;image_size=16", "--shots=3", "--queries=3")


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("train", ["--data_dir=nowhere", "--logdir={tmp}"], "nowhere/train_data.pkl"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", *SMALL, "--shots=0"], "--shots:"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--shots=three"], "--shots:"),
        ("train", ["--logdir={tmp}", "--learner=mlp"], "Unknown learner 'mlp': expected one of"),
        ("train", ["--logdir={tmp}", "--learner_options=inner_lr=0.1"],
         "'inner_lr' has no effect with learner cnp: it is an option of maml"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", *SMALL, "--regularizer=mr_w,tea"],
         "Unknown regularizer 'tea'"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", *SMALL,
                   "--network_options=shared_tower=true"], "leave out shared_tower"),
        ("train", ["--logdir={tmp}", "--import=nothing.py"], "no file nothing.py"),
        ("train", ["--data_dir={data}"], "logdir"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--steps=7", "--steps_per_epoch=2"],
         "expected a multiple of 2"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--task_options=image_size=3"],
         "received 3 for images of 10 x 10; give another image_size"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--shots=3", "--queries=3",
                   "--task_options=image_size=8;cropped=false"],
         "needs 16: give a larger image_size"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--shots=9",
                   "--task_options=image_size=0;cropped=false"], "more (--num_images)"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", *SMALL, "--meta_lr=1e30", "--steps=20",
                   "--steps_per_epoch=10"], "Lower the learning rates"),
        ("baselines", ["--data_dir=nowhere", "--logdir={tmp}"], "nowhere/train_data.pkl"),
    ],
)  # fmt: skip
def test_errors_are_one_sentence(module, arguments, message, data_dir, tmp_path):
    filled = [a.format(data=data_dir, tmp=tmp_path / "log") for a in arguments]
    process = run(module, *filled)
    assert process.returncode != 0
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert not list(tmp_path.rglob("results.json"))


def test_a_table_of_no_runs_is_refused_in_one_sentence(tmp_path):
    process = commands.run("maml.compare", f"--runs={tmp_path / 'log'}")
    assert process.returncode != 0 and "no finished run" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task.other_shots": (7,)}, r"at most 8 in all.* received 7 \+ 3"),
        ({"task.other_shots": (0,)}, "expected at least 1, received 0"),
        ({"task.other_shots": "1,a"}, "expected a sequence of int"),
        ({"task.other_shots": (2, 2)}, "`other_shots`: expected each value once"),
        ({"learner": "mlp"}, "Unknown learner"),
        ({"learner": "maml", "regularizer": "mr_a"}, "give it an embedding"),
    ],
)
def test_what_is_refused_claims_no_folder(data_dir, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        training.run(tiny(data_dir, **options), tmp_path / "log", verbose=0)
    assert not (tmp_path / "log").exists()


@pytest.mark.slow
def test_environment_is_left_alone():
    """Importing the package for a notebook defines no flags and touches no global seed."""
    code = (
        "from absl import flags; import pose_code.train, maml.compare, pose_code.baselines;"
        "import pose_code.study, pose_code.predict;"
        "assert 'data_dir' not in flags.FLAGS"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ, capture_output=True)


# -- answers about images of one's own ----------------------------------------------------------


@pytest.fixture(scope="module")
def asked(data_dir, tmp_path_factory):
    """A trained learner, and folders of a support set and of queries."""
    folder = tmp_path_factory.mktemp("asked")
    settings = tiny(data_dir, **{"task.image_augmentation": ("shift",)})
    training.run(settings, folder / "run", verbose=0)
    images, angles = hands.hands(1, 8, 5)
    for name in ("support", "query"):
        (folder / name).mkdir()
    rows = ["image,degrees"]
    for index, (image, angle) in enumerate(zip(images[0], angles[0], strict=True)):
        of = "support" if index < 5 else "query"
        # Ever so large, in colour: the command makes images what the learner knows.
        large = Image.fromarray(image).resize((256, 256), Image.Resampling.BOX)
        large.convert("RGB").save(folder / of / f"{index}.png")
        if of == "support":
            rows.append(f"{index}.png,{angle * 360 - 720:.3f}")
    (folder / "support" / "angles.csv").write_text("\n".join(rows) + "\n")
    return folder


def ask(folder, *more):
    flags = {"model": "run/learner.keras", "support": "support", "query": "query", "output": "out"}
    flags |= dict(flag.removeprefix("--").split("=") for flag in more)
    return run("predict", *(f"--{name}={folder / value}" for name, value in flags.items()))


@pytest.mark.slow
def test_predict_answers_what_the_learner_does(asked):
    process = ask(asked)
    assert process.returncode == 0, process.stderr
    with (asked / "out/predictions.csv").open() as file:
        found = {row["image"]: float(row["degrees"]) for row in csv.DictReader(file)}
    assert list(found) == ["5.png", "6.png", "7.png"]
    assert (asked / "out/predictions.png").stat().st_size > 1000
    learner = maml.load(asked / "run/learner.keras")
    images, angles = hands.hands(1, 8, 5)
    # 16 pixels to 256 to 128 to 16 again: blocks of one value, and Lanczos rings at their edges.
    x, y = images[..., None].astype(np.float32) / 255, (angles[..., None] * 10).astype(np.float32)
    state = learner.encode(learner.features(x[:, :5]), y[:, :5])
    expected = learner.decode(state, learner.features(x[:, 5:])).mode().numpy()[0, :, 0] * 36
    apart = (np.array(list(found.values())) - expected + 180) % 360 - 180
    assert np.abs(apart).max() < 10


@pytest.mark.parametrize("side", [16, 41, 80])
@pytest.mark.parametrize("cropped", [False, True])
def test_predict_makes_images_what_a_learner_of_any_size_knows(asked, side, cropped):
    options = {"cropped": cropped, "image_size": 0}
    images = predict.read_images([asked / "query/5.png"], options, side)
    assert images.shape == (1, side, side, 1) and 0 <= images.min() < images.max() <= 1


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--support=query", "angles.csv is missing: write a table of two columns"),
        ("--query=run/tensorboard", "holds no images"),
        ("--query=nowhere", "no folder"),
        ("--model=query/5.png", "config.json is missing"),
        ("--model=query/none.keras", "There is no file"),
    ],
)
def test_predict_says_what_is_missing(asked, flag, message):
    process = ask(asked, flag)
    assert process.returncode == 1 and message in process.stderr
    assert process.stderr.count("Error:") == 1 and "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image,degrees\n0.png,ten\n", "line 2: needs a name and a number"),
        ("image,degrees\n0.png,nan\n", "line 2: nan is no angle"),
        ("image,degrees\n0.png\n", "line 2: needs a name and a number"),
        ("image,degrees\n,3\n", "line 2: needs a name and a number"),
        ("degrees,image\n3\n", "line 2: needs a name and a number"),
        ("image,degrees\n0.png,3\n0.png,4\n", "line 3: 0.png has an angle already"),
        ("name,degrees\n0.png,3\n", "line 1: must name the columns image,degrees"),
        ("image;degrees\n0.png;3\n", "line 1: must name the columns image,degrees"),
        ("", "line 1: must name the columns image,degrees"),
        ("image,degrees\n", "has no lines"),
        ("image,degrees\n9.png,3\n", "9.png is missing, but angles.csv names it"),
    ],
)
def test_predict_refuses_tables_that_say_nothing(asked, tmp_path, table, message):
    shutil.copytree(asked / "support", tmp_path / "support")
    (tmp_path / "support/angles.csv").write_text(table)
    with pytest.raises(ValueError, match=message):
        predict.predict_angles(asked / "run/learner.keras", tmp_path / "support", asked / "query")


def test_predict_reads_tables_as_spreadsheets_save_them(tmp_path):
    table = tmp_path / "angles.csv"
    table.write_text("image,degrees\r\nü.png,-30.5\r\n", encoding="utf-8-sig", newline="")
    assert predict.read_angles(tmp_path) == {"ü.png": -30.5}
    table.write_text("image,degrees\nü.png,3\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"angles\.csv is no UTF-8"):
        predict.read_angles(tmp_path)


def test_predict_knows_learners_of_before_an_option_was_there(asked, tmp_path):
    shutil.copytree(asked / "run", tmp_path / "run")
    content = json.loads((tmp_path / "run/config.json").read_text())
    del content["config"]["num_relabelings"]
    for name in ("cropped", "other_shots"):
        del content["config"]["task_options"][name]
    (tmp_path / "run/config.json").write_text(json.dumps(content))
    folders = asked / "support", asked / "query"
    _, found = predict.predict_angles(tmp_path / "run/learner.keras", *folders)
    _, expected = predict.predict_angles(asked / "run/learner.keras", *folders)
    assert {name: of[1] for name, of in found.items()} == {
        name: of[1] for name, of in expected.items()
    }


def spoil_queries(asked, folder):
    """Queries of which one can be used, with many that cannot, or are no images."""
    query = shutil.copytree(asked / "query", folder / "query")
    whole = (query / "6.png").read_bytes()
    (query / "6.png").write_bytes(whole[: len(whole) // 2])
    Image.new("L", (40, 40), 9).save(query / "7.png")
    Image.new("L", (40, 20)).save(query / "8.png")
    os.mkfifo(query / "9.png")
    (query / "._5.png").write_bytes(whole)
    shutil.copy(query / "5.png", query / os.fsdecode(b"\xff.png"))  # No UTF-8.
    (query / "notes.txt").write_text("text")
    (query / "folder.png").mkdir()
    return query


@pytest.mark.slow
def test_predict_answers_what_it_can_and_names_the_rest(asked, tmp_path):
    spoil_queries(asked, tmp_path)
    process = ask(asked, f"--query={tmp_path / 'query'}", f"--output={tmp_path / 'out'}")
    assert process.returncode == 1 and "Traceback" not in process.stderr
    with (tmp_path / "out/predictions.csv").open() as file:
        assert [row["image"] for row in csv.DictReader(file)] == ["5.png", r"\udcff.png"]
    for named in (
        "6.png is not a readable image", "7.png has no contrast", "8.png is 40 x 20 pixels",
        "9.png is no regular file", "._5.png", "notes.txt", "folder.png",
        "Error: 4 images without an answer",
    ):  # fmt: skip
        assert named in process.stderr, named


def test_predict_sees_photos_upright_and_on_white(asked, tmp_path):
    options, plain = {"cropped": False, "image_size": 0}, Image.open(asked / "query/5.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    plain.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    ink = 255 - np.asarray(plain.convert("L"))
    black = Image.fromarray(np.stack([0 * ink, ink], axis=-1), "LA")
    black.save(tmp_path / "clear.png")
    deep = np.asarray(plain.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    expected = predict.read_images([asked / "query/5.png"], options, 16)
    for name in ("turned", "clear", "deep"):
        found = predict.read_images([tmp_path / f"{name}.png"], options, 16)
        np.testing.assert_allclose(found, expected, atol=1.01 / 255)


def test_predict_does_not_squeeze_an_image_into_a_square(asked, tmp_path):
    shutil.copytree(asked / "query", tmp_path / "query")
    Image.new("L", (40, 20)).save(tmp_path / "query/6.png")
    with pytest.raises(ValueError, match=r"6\.png is 40 x 20 pixels, not a square"):
        predict.predict_angles(asked / "run/learner.keras", asked / "support", tmp_path / "query")


def test_predict_names_an_image_that_is_cut_short(asked, tmp_path):
    shutil.copytree(asked / "query", tmp_path / "query")
    whole = (asked / "query/6.png").read_bytes()
    (tmp_path / "query/6.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"6\.png is not a readable image"):
        predict.predict_angles(asked / "run/learner.keras", asked / "support", tmp_path / "query")

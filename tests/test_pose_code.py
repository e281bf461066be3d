"""Training, scoring and comparing on a tiny data set, in process and as a user runs it."""

import csv
import dataclasses
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
from hands import TINY, tiny
from PIL import Image

import maml
from maml.experiments import runs
from pose_code import baselines, compare, config, experiment, predict, scores
from pose_data import pickles
from pose_data.tasks import PERIOD, PoseTasks

ROOT = pathlib.Path(__file__).parent.parent
METHODS = {
    "plain": {},
    "linear": {"head": "linear", "regularizer": "mine", "mi_target": "prediction"},
    "labels by mine": {"regularizer": "mine", "mi_bound": "mine"},
    "together": {
        "regularizer": "weights,activations,decay,augment,mine", "augment_probability": 0.5,
        "precision": "mixed_bfloat16",
    },
    "shared tower": {"regularizer": "weights,mine", "shared_tower": True, "kl_layers": "tower"},
    "normalised": {
        "embedding_normalization": "layer", "regularizer": "mine", "mi_target": "prediction",
    },
    "changed images": {"image_augmentation": "all", "head": "vonmises", "harmonics": 2},
    "by step": {"normalization": "step"},
    "frozen": {"normalization": "frozen", "inner_optimizer": "adam", "inner_clip": 1.0},
}  # fmt: skip
CASES = [
    *(("cnp", method) for method in ("linear", "labels by mine", "together")),
    ("acnp", "normalised"),
    ("relative", "changed images"),
    ("maml", "shared tower"),
    ("maml++", "by step"),
    ("reptile", "frozen"),
    ("imaml", "plain"),
]
DRAWN = ("shared tower", "linear")
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
        experiment.train(tiny(seed=seed), data_dir, folder / str(seed), verbose=0)
    return folder


def run(module, *arguments, cwd=ROOT):
    return commands.run(f"pose_code.{module}", *arguments, cwd=cwd)


def test_no_learner_or_regularizer_is_left_out():
    assert {learner for learner, _ in CASES} == LEARNERS
    assert {method for _, method in CASES} == set(METHODS)
    named = ",".join(of.get("regularizer", "none") for of in METHODS.values()).split(",")
    assert set(named) - {"none"} == set(maml.REGULARIZERS)


def test_validation_objects_are_neither_trained_on_nor_tested(data_dir):
    chosen = tiny(num_validation=3)
    families = experiment.load_tasks(data_dir, chosen)
    again = experiment.load_tasks(data_dir, dataclasses.replace(chosen, seed=5))
    assert {name: family.names for name, family in families.items()} == {
        name: family.names for name, family in again.items()
    }
    train, validation, test = (families[name] for name in ("train", "validation", "test"))
    assert len(train.names) == 5
    assert sorted(train.names + validation.names) == [f"hand/train{i}" for i in range(8)]
    assert test.names == [f"hand/val{i}" for i in range(8)]
    everything = experiment.load_tasks(data_dir, tiny())
    assert list(everything) == ["train", "test"]
    whole = everything["train"]
    for family in (train, validation):
        for index, name in enumerate(family.names):
            there = whole.names.index(name)
            np.testing.assert_array_equal(family.images[index], whole.images[there])
            np.testing.assert_array_equal(family.angles[index], whole.angles[there])


def test_objects_of_another_folder_are_trained_on_as_well(data_dir):
    own = experiment.load_tasks(data_dir, tiny(num_validation=2))
    both = experiment.load_tasks(data_dir, tiny(num_validation=2, extra_data_dir=str(data_dir)))
    # Those that are kept back here are not trained on by that way, either.
    assert both["train"].names == own["train"].names * 2
    assert both["train"].num_tasks == 12 and both["test"].names == own["test"].names
    np.testing.assert_array_equal(both["train"].images[:6], own["train"].images)
    assert both["train"].checksums == own["train"].checksums * 2


def test_without_names_nothing_tells_which_extra_objects_are_held_out(data_dir, tmp_path):
    """The pickles of the original project come without a split.json."""
    shutil.copytree(data_dir, tmp_path / "unnamed")
    (tmp_path / "unnamed/split.json").unlink()
    assert experiment.load_tasks(tmp_path / "unnamed", tiny())["train"].num_tasks == 8
    for own, extra in ((data_dir, tmp_path / "unnamed"), (tmp_path / "unnamed", data_dir)):
        settings = tiny(num_validation=2, extra_data_dir=str(extra))
        with pytest.raises(ValueError, match=r"unnamed/split\.json is missing.*extra objects"):
            experiment.load_tasks(own, settings)


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
    assert experiment.is_among(name, {name: mesh}, held_out) == expected
    assert not experiment.is_among("boat/1", {"boat/1": "y"}, held_out)
    # A variant is as good as what it is one of, by whatever name; so is a variant of a variant.
    for variant in ("boat/1~2", "boat/1~2~1"):
        assert experiment.is_among(variant, {variant: "x", "boat/1": "z"}, held_out)
    assert experiment.is_among("car/1~3~1", {}, held_out)


def test_a_set_is_known_by_its_images_whatever_is_made_of_them(data_dir, tmp_path):
    """Images in other orientations have the same angles."""

    def described(folder, **given):
        return scores.describe(experiment.load_tasks(folder, tiny(num_validation=2, **given)))

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
        ("{", "is not a split.json of data_gen.py"),
        ('{"train": ["a"]}', "is not a split.json of data_gen.py"),
        ('{"train": ["a"], "val": 3}', "is not a split.json of data_gen.py"),
        ('{"train": ["a", 3], "val": ["b"]}', "is not a split.json of data_gen.py"),
        ('{"train": ["a"], "val": ["b"]}', "names 1 objects and train_data.pkl holds 8"),
    ],
)
def test_names_that_do_not_fit_are_refused(data_dir, tmp_path, split, message):
    shutil.copytree(data_dir, tmp_path / "other")
    (tmp_path / "other/split.json").write_text(split)
    with pytest.raises(ValueError, match=message):
        experiment.load_tasks(tmp_path / "other", tiny())


def test_a_single_test_object_is_refused(data_dir, tmp_path):
    images, labels = pickles.load(data_dir / "val_data.pkl")
    pickles.dump([images[:1], labels[:1]], tmp_path / "val_data.pkl")
    shutil.copy(data_dir / "train_data.pkl", tmp_path)
    with pytest.raises(ValueError, match="one test object, too few"):
        experiment.load_tasks(tmp_path, tiny())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_validation": 7}, "leave 8 objects too few"),
        ({"num_validation": 1}, "too few"),
        ({"other_shots": "5,a"}, "--other_shots takes whole numbers"),
        ({"image_augmentation": "rain"}, "received 'rain'"),
    ],
)
def test_objects_and_images_that_cannot_be_are_refused(data_dir, given, message):
    with pytest.raises(ValueError, match=message):
        settings = tiny(**given)
        experiment.load_tasks(data_dir, settings)
        experiment.build(settings, 16)
        settings.shots_to_score()


@pytest.mark.parametrize(("learner", "method"), CASES)
def test_every_method_trains_and_is_scored(learner, method, data_dir, tmp_path):
    drawn = method in DRAWN
    settings = tiny(learner=learner, **METHODS[method])
    result = experiment.train(settings, data_dir, tmp_path, verbose=0, pictures=drawn)
    assert json.loads((tmp_path / "results.json").read_text())["method"] == result["method"]
    for split in ("train", "test"):
        for score in ("mse", "no_support_mse", "swap_gap", "angle", "information_lower"):
            assert np.isfinite(result[split][score]["mean"])
            assert result[split][score]["ci95"] > 0
        diagnosis = maml.Diagnosis(**result["diagnosis"][split])
        assert diagnosis.after == result[split]["mse"]
        assert diagnosis.normalization == result["normalization"]
    assert result["steps"] == 4 and result["skipped_steps"] == 0
    assert set(result["test"]["objects"]) == {f"hand/val{i}" for i in range(8)}
    assert {"tensorflow", "keras"} <= set(result["versions"])
    assert diagnosis.verdict + " (held-out)" in scores.sentence(result)
    for name in ("curves.png", "predictions.png", "diagnosis.png") if drawn else ():
        assert (tmp_path / name).read_bytes()[1:4] == b"PNG"
    assert list(tmp_path.glob("tensorboard/train/events*"))
    assert type(maml.load(tmp_path / "learner.keras")) is maml.LEARNERS[learner]


def test_same_seed_same_numbers_and_another_seed_others(data_dir, seeds_dir, tmp_path):
    again = experiment.train(tiny(), data_dir, tmp_path, verbose=0, pictures=False)
    first, other = (
        json.loads((seeds_dir / str(seed) / "results.json").read_text()) for seed in range(2)
    )
    assert again["test"]["mse"] == first["test"]["mse"] != other["test"]["mse"]


class Cut(keras.callbacks.Callback):
    """Ends the run in the middle of its second epoch, as a kill would."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 3:
            raise KeyboardInterrupt


def test_run_that_was_cut_resumes_to_the_same_results(data_dir, tmp_path):
    method = tiny(regularizer="mine", mi_bound="mine")
    train = functools.partial(experiment.train, data_dir=data_dir, verbose=0, pictures=False)
    whole = train(method, logdir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(method, logdir=tmp_path / "cut", extra_callbacks=[Cut()])
    with pytest.raises(FileExistsError, match="--resume"):
        train(method, logdir=tmp_path / "cut")
    with pytest.raises(FileExistsError, match="other meta_lr"):
        other = tiny(regularizer="mine", mi_bound="mine", meta_lr=0.5)
        train(other, logdir=tmp_path / "cut", resume=True)
    resumed = train(method, logdir=tmp_path / "cut", resume=True)
    assert resumed["test"] == whole["test"]
    assert resumed["steps"] == 4
    curves = [runs.read_history(tmp_path / name / "history.csv") for name in ("whole", "cut")]
    np.testing.assert_allclose(curves[0]["test_mse"], curves[1]["test_mse"], rtol=1e-6)
    again = train(method, logdir=tmp_path / "cut", resume=True)
    assert again["date"] == resumed["date"] and again["test"] == resumed["test"]
    # A learner that is gone is written again from the checkpoint; without it nothing is trained.
    files = {path.name: path.read_bytes() for path in (tmp_path / "cut").glob("*.*")}
    (tmp_path / "cut/learner.keras").unlink()
    assert train(method, logdir=tmp_path / "cut", resume=True) == resumed
    assert (tmp_path / "cut/learner.keras").exists()
    for name in ("learner.keras", "checkpoint.weights.h5"):
        (tmp_path / "cut" / name).unlink()
    assert train(method, logdir=tmp_path / "cut", resume=True) == resumed
    for name in ("results.json", "history.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == files[name]


def test_history_counts_the_later_of_two_rows_of_an_epoch(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,val_loss\n0,5.0,NA\n1,4.0,NA\n1,3.0,NA\n")
    np.testing.assert_array_equal(runs.read_history(path)["loss"], [5.0, 3.0])


def test_training_adapts_to_hands_it_has_not_seen(tmp_path):
    """With many hands to learn from there is nothing to memorize, and the answer is in reach."""
    images, angles = hands.hands(300, 12, seed=2)
    train_tasks, held_out = (
        PoseTasks(images[:280], angles[:280], 5, 5),
        PoseTasks(images[280:], angles[280:], 5, 5),
    )
    settings = config.from_preset(
        "quick", cropped=False, image_size=16, knots=30, regularizer="mine", mi_warmup=0
    )
    learner = experiment.build(settings, 16)
    learner.create_weights(train_tasks.sample(2, [0, 0]))
    learner.compile(keras.optimizers.Adam(2e-3))
    learner.fit(train_tasks.dataset(16, 0), steps_per_epoch=700, verbose=0)
    evaluator = experiment.evaluator_of(learner, settings)
    score = experiment.score(
        evaluator, {"train": train_tasks, "test": held_out}, settings, verbose=0
    )["test"]
    assert score["angle"]["median"] < 25
    assert score["swap_gap"]["mean"] > 4
    assert score["information_lower"]["mean"] > 1


def test_median_angle_is_of_single_queries_not_of_episodes():
    names = ["mse", "mismatched_support_mse", "angle", "no_support_angle"]
    values = dict.fromkeys(names, np.zeros((2, 3, 5)))
    # In each episode four good answers and one that is the wrong way round.
    values["angle"] = np.broadcast_to([1.0, 2.0, 3.0, 4.0, 180.0], (2, 3, 5))
    found = scores.summarise(values, ["chair/01", "chair/02"])
    assert found["angle"]["median"] == 3 and found["angle"]["mean"] == 38
    assert found["angle"]["within_30"] == 0.8 and found["angle"]["beyond_150"] == 0.2
    assert found["objects"]["chair/02"]["angle"] == 38


def test_pixel_kernel_finds_the_image_it_has_seen():
    images, angles = hands.hands(3, 8, seed=3)
    tasks = PoseTasks(images, angles, 4, 4)
    episode = tasks.episodes(np.arange(3), [0, 0])
    learner = baselines.PixelKernel(0.01, 16)
    memory = learner.encode(episode.support_x, episode.support_y)
    answer = learner.predict(memory, episode.support_x).mode()
    off = np.mod(answer - episode.support_y + PERIOD / 2, PERIOD) - PERIOD / 2
    np.testing.assert_allclose(off, 0, atol=0.05)
    nothing = learner.predict(learner.initial_state(3), episode.query_x)
    np.testing.assert_allclose(nothing.log_prob(episode.query_y), -np.log(PERIOD), atol=1e-4)


def test_constant_scores_the_variance_of_the_labels(data_dir, tmp_path):
    constant, kernel = baselines.run(tiny(), data_dir, tmp_path)
    assert constant["test"]["mse"]["mean"] == pytest.approx(PERIOD**2 / 12, rel=0.25)
    assert constant["test"]["swap_gap"]["mean"] == pytest.approx(0, abs=1e-6)
    assert constant["test"]["information_lower"]["mean"] == pytest.approx(0, abs=1e-4)
    assert kernel["test"]["information_lower"]["mean"] > 0.1


def test_table_of_runs_and_baselines(data_dir, seeds_dir, tmp_path):
    shutil.copytree(seeds_dir, tmp_path / "cnp")
    baselines.run(tiny(), data_dir, tmp_path)
    text = compare.compare([str(tmp_path)], str(tmp_path / "table"))
    assert text.splitlines()[0].startswith("| method | seeds |")
    assert "| CNP | 2 |" in text and "| constant: nothing learned | 1 |" in text
    rows = json.loads((tmp_path / "table/table.json").read_text())["rows"]
    assert all(0 <= row["within_30"] + row["beyond_150"] <= 1 for row in rows)
    assert all(row["train_no_support_mse"] > 0 and row["train_swap_mse"] > 0 for row in rows)
    assert [r["mse"]["mean"] for r in rows] == sorted(r["mse"]["mean"] for r in rows)
    for name in ("table.png", "curves.png"):
        assert (tmp_path / "table" / name).read_bytes()[1:4] == b"PNG"


def test_methods_of_one_name_are_told_apart_and_a_run_counts_once(data_dir, seeds_dir, tmp_path):
    for name in ("0", "1"):
        shutil.copytree(seeds_dir / name, tmp_path / name)
    experiment.train(tiny(hidden=7), data_dir, tmp_path / "7", verbose=0, pictures=False)
    older = json.loads((tmp_path / "1/results.json").read_text())
    del older["config"]["mi_draws"], older["data"]["test_images"]
    (tmp_path / "1/results.json").write_text(json.dumps(older))
    shutil.copytree(tmp_path / "0", tmp_path / "0 again")
    runs_found = compare.find_runs([str(tmp_path), str(tmp_path / "0")])
    assert len(runs_found) == 4
    rows = {row["method"]: row for row in compare.tabulate(compare.distinguish_methods(runs_found))}
    hidden = tiny().hidden
    assert {name: row["seeds"] for name, row in rows.items()} == {
        f"CNP (hidden={hidden})": 2,
        "CNP (hidden=7)": 1,
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
    assert "8 or 9 meta-training" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {len(compare.COLUMNS) + 1}
    turned = record["data"] | {"test_images": "turned"}
    for data in (turned, turned | {"test": record["data"]["test"]}):
        # Of another seed or of the same, beside runs that do not say which images they had, too.
        for seed in (0, 1):
            path.write_text(json.dumps(record | {"data": data, "seed": seed}))
            with pytest.raises(ValueError, match="different data"):
                compare.compare([str(tmp_path)], str(tmp_path / "out"))
        older = dict(record["data"])
        del older["test_images"]
        (tmp_path / "2").mkdir(exist_ok=True)
        (tmp_path / "2/results.json").write_text(json.dumps(record | {"data": older, "seed": 2}))


def test_a_run_without_a_score_is_the_last_of_a_table(data_dir, tmp_path):
    baselines.run(tiny(), data_dir, tmp_path)
    path = tmp_path / "constant/results.json"
    record = json.loads(path.read_text())
    for error in (None, 0.1):
        record["test"]["mse"]["mean"] = error
        path.write_text(json.dumps(record))
        rows = compare.tabulate(compare.find_runs([str(tmp_path)]))
        assert [row["method"].split()[0] for row in rows].index("constant:") == (error is None)


def test_the_table_says_on_how_many_episodes_it_rests(data_dir, seeds_dir, tmp_path):
    shutil.copytree(seeds_dir / "0", tmp_path / "0")
    more = tiny(eval_episodes=3, seed=1)
    experiment.train(more, data_dir, tmp_path / "1", verbose=0, pictures=False)
    assert "2 or 3 episodes of each" in compare.compare([str(tmp_path)], str(tmp_path / "out"))


def test_a_package_that_is_not_there_loses_no_run(monkeypatch):
    monkeypatch.setattr(scores, "PACKAGES", ("numpy", "no-such-package"))
    versions = scores.surroundings("pose_code.train")["versions"]
    assert versions["numpy"] == np.__version__ and versions["no-such-package"] is None


def test_runs_on_other_data_are_not_put_into_one_table(data_dir, tmp_path):
    baselines.run(tiny(), data_dir, tmp_path / "a")
    shutil.copytree(tmp_path / "a/constant", tmp_path / "b/constant")
    path = tmp_path / "b/constant/results.json"
    record = json.loads(path.read_text())
    record["data"]["test"] = "other"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="different data"):
        compare.distinguish_methods(compare.find_runs([str(tmp_path)]))
    with pytest.raises(FileNotFoundError, match="no finished run"):
        compare.find_runs([str(tmp_path / "none")])


def test_unbounded_outputs_and_free_critic_without_a_power_budget_are_refused():
    free = {"regularizer": "weights, mine", "mi_target": "prediction", "mi_power_penalty": 0.0}
    settings = config.from_preset("paper", **free)
    with pytest.raises(ValueError, match="--bound_outputs"):
        experiment.build(settings, 32)


def test_presets_hold_known_fields_of_known_learners():
    for preset in config.PRESETS:
        for learner in maml.LEARNERS:
            assert config.from_preset(preset, learner=learner).learner == learner
    paper = config.from_preset("paper", learner="maml")
    assert (paper.inner_lr, paper.inner_steps, paper.test_inner_steps) == (0.002, 5, 20)
    assert (paper.meta_lr, paper.shots, paper.steps, paper.dim_w) == (5e-4, 10, 10_000, 196)


def test_command_line_trains_resumes_and_compares(data_dir, tmp_path):
    flags = [f"--{name}={value}" for name, value in TINY.items()]
    common = [f"--data_dir={data_dir}", f"--logdir={tmp_path / 'run'}"]
    first = run("train", *common, *flags, "--regularizer=mine", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "held-out squared error" in first.stdout
    record = json.loads((tmp_path / "run/results.json").read_text())
    assert record["command"].startswith("python -m pose_code.train --data_dir=")
    again = run("train", *common, *flags, "--regularizer=mine", "--resume")
    assert again.returncode == 0 and "held-out squared error" in again.stdout
    table = run("compare", f"--logdirs={tmp_path}", f"--output={tmp_path}")
    assert table.returncode == 0 and record["method"] in table.stdout


def test_a_learner_of_ones_own_is_one_file(data_dir, tmp_path):
    """The README's, written to a file as it stands there, by the command that stands there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (learner,) = [block for block in blocks if "LEARNERS.register" in block]
    (tmp_path / "neighbours.py").write_text(learner)
    command = next(line for line in text.splitlines() if "--import=neighbours.py" in line)
    flags = [f"--{name}={value}" for name, value in TINY.items()]
    filled = command.replace("DATA", str(data_dir)).replace("LOGS", "logs").split()[3:]
    process = run("train", *filled, *flags, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    record = json.loads((tmp_path / "logs/neighbours/results.json").read_text())
    assert record["method"].startswith("neighbours + information on labels")
    maml.import_files([str(tmp_path / "neighbours.py")])
    assert maml.load(tmp_path / "logs/neighbours/learner.keras").network_kind == "embedding"


def test_a_recipe_trains_and_tabulates(data_dir, tmp_path):
    flags = " ".join(f"--{name}={value}" for name, value in TINY.items())
    process = recipes("cnp", DATA_DIR=data_dir, LOG_DIR=tmp_path, PRESET="quick", FLAGS=flags)
    assert process.returncode == 0, process.stderr
    assert "| CNP |" in (tmp_path / "cnp/table.md").read_text()
    # Refused before those that are known begin.
    unknown = recipes("mr_cnp_w", "nothing", DATA_DIR=data_dir, LOG_DIR=tmp_path / "none")
    assert unknown.returncode != 0 and "no recipe nothing" in unknown.stderr
    assert "train" not in unknown.stderr and not (tmp_path / "none").exists()


@pytest.mark.parametrize("preset", ["paper", "cpu"])
def test_every_command_of_the_recipes_has_flags_that_exist(preset, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\necho $@\n")  # It says what it was to run.
    (tmp_path / "python").chmod(0o755)
    process = recipes(DATA_DIR="D", LOG_DIR="L", PRESET=preset, first=tmp_path)
    assert process.returncode == 0, process.stderr
    lines = [line.split() for line in process.stdout.splitlines()]
    trained = [words for words in lines if words[1] == "pose_code.train"]
    assert len(trained) == len({" ".join(words) for words in trained}) >= 13
    assert [words[1] for words in lines if words not in trained].count("pose_code.compare") >= 2
    if preset == "cpu":  # Measures are compared at equal networks and lengths.
        for learner in ("cnp", "maml"):
            ours = [words for words in trained if f"--learner={learner}" in words]
            measures = r"--(regularizer|logdir|mi_|kl_|bottleneck_)"
            rest = [[word for word in words if not re.match(measures, word)] for words in ours]
            assert len({tuple(sorted(words)) for words in rest}) == 1
    for _, module, *words in lines:
        checked = commands.run(module, *words, "--only_check_args")
        assert checked.returncode == 0, checked.stderr


def recipes(*names, first=pathlib.Path(sys.executable).parent, **variables):
    """Runs recipes, with the programs of a folder before all others."""
    path = os.pathsep.join([str(first), os.environ["PATH"]])
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    return subprocess.run(
        [ROOT / "pose_code/run.sh", *names],
        env=environment | {"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("train", ["--data_dir=nowhere", "--logdir={tmp}"], "nowhere/train_data.pkl"),
        ("train", ["--logdir={tmp}", "--shots=0"], "shots"),
        ("train", ["--logdir={tmp}", "--learner=mlp"], "no learner 'mlp'; there are"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--image_size=16", "--cropped=false",
                   "--shots=3", "--queries=3", "--regularizer=weights,tea"],
         "no regularizer 'tea'"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--image_size=16", "--cropped=false",
                   "--shots=3", "--queries=3", "--shared_tower"], "leave out --shared_tower"),
        ("train", ["--logdir={tmp}", "--import=nothing.py"], "no file nothing.py"),
        ("train", ["--data_dir={data}"], "logdir"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--steps=7", "--steps_per_epoch=2"],
         "7 steps"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--image_size=3"],
         "do not shrink to 3 x 3: give an --image_size that divides 10"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--image_size=8", "--cropped=false",
                   "--shots=3", "--queries=3"], "needs 16: give a larger --image_size"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--image_size=0", "--cropped=false",
                   "--shots=9"], "more (--num_images)"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--meta_lr=1e30", "--image_size=16",
                   "--cropped=false", "--shots=3", "--queries=3", "--steps=20",
                   "--steps_per_epoch=10"], "Lower the learning rates"),
        ("baselines", ["--data_dir=nowhere", "--logdir={tmp}"], "nowhere/train_data.pkl"),
        ("compare", ["--logdirs={tmp}"], "no finished run"),
    ],
)  # fmt: skip
def test_errors_are_one_sentence(module, arguments, message, data_dir, tmp_path):
    filled = [a.format(data=data_dir, tmp=tmp_path / "log") for a in arguments]
    process = run(module, *filled)
    assert process.returncode != 0
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert not list(tmp_path.rglob("results.json"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"other_shots": "7"}, "7 support"),
        ({"other_shots": "0"}, "of 1 or more"),
        ({"other_shots": "1,a"}, "whole numbers"),
        ({"learner": "mlp"}, "no learner"),
        ({"learner": "maml", "regularizer": "activations"}, "give it an embedding"),
    ],
)
def test_what_is_refused_claims_no_folder(data_dir, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        experiment.train(tiny(**options), data_dir, tmp_path / "log", verbose=0)
    assert not (tmp_path / "log").exists()


def test_environment_is_left_alone():
    """Importing the package for a notebook defines no flags and touches no global seed."""
    code = (
        "from absl import flags; import pose_code.train, pose_code.compare, pose_code.baselines;"
        "assert 'data_dir' not in flags.FLAGS"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ, capture_output=True)


# -- answers about images of one's own ----------------------------------------------------------


@pytest.fixture(scope="module")
def asked(data_dir, tmp_path_factory):
    """A trained learner, and folders of a support set and of queries."""
    folder = tmp_path_factory.mktemp("asked")
    settings = tiny(image_augmentation="shift")
    experiment.train(settings, data_dir, folder / "run", verbose=0)
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
    settings = tiny(cropped=cropped, image_size=0)
    images = predict.read_images([asked / "query/5.png"], settings, side)
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
        predict.predict(asked / "run/learner.keras", tmp_path / "support", asked / "query")


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
    del content["config"]["mi_draws"]
    (tmp_path / "run/config.json").write_text(json.dumps(content))
    folders = asked / "support", asked / "query"
    _, found = predict.predict(tmp_path / "run/learner.keras", *folders)
    _, expected = predict.predict(asked / "run/learner.keras", *folders)
    assert {name: of[1] for name, of in found.items()} == {
        name: of[1] for name, of in expected.items()
    }


def test_predict_does_not_squeeze_an_image_into_a_square(asked, tmp_path):
    shutil.copytree(asked / "query", tmp_path / "query")
    Image.new("L", (40, 20)).save(tmp_path / "query/6.png")
    with pytest.raises(ValueError, match=r"6\.png is 40 x 20 pixels, not a square"):
        predict.predict(asked / "run/learner.keras", asked / "support", tmp_path / "query")


def test_predict_names_an_image_that_is_cut_short(asked, tmp_path):
    shutil.copytree(asked / "query", tmp_path / "query")
    whole = (asked / "query/6.png").read_bytes()
    (tmp_path / "query/6.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"6\.png is not a whole image"):
        predict.predict(asked / "run/learner.keras", asked / "support", tmp_path / "query")

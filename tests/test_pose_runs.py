"""Runs of the pose task: cut, resumed, scored beside baselines, and put into tables."""

import functools
import json
import re
import shutil

import hands
import keras
import numpy as np
import pytest
from hands import tiny

from maml import compare
from maml.experiments import Config, read_history, training
from maml.experiments.report import comparison
from maml.experiments.results import find_results
from mine import reporting
from mine.reporting import environment
from pose_code import baselines
from pose_code.presets import preset_options
from pose_data.tasks import PERIOD, PoseTasks


@pytest.fixture(scope="module")
def seeds_dir(data_dir, tmp_path_factory):
    """Two runs that differ in their seed, 0 and 1, in folders of these names."""
    folder = tmp_path_factory.mktemp("seeds")
    for seed in range(2):
        training.run(tiny(data_dir, seed=seed), folder / str(seed), verbose=0)
    return folder


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
    """Those of critics are in test_maml_train.py."""
    labels = {"regularizer": "label_mi"}
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
    found = comparison.find_runs([str(tmp_path), str(tmp_path / "0")])
    assert len(find_results(tmp_path)) == 4
    assert {row["method"]: sorted(row["seeds"]) for row in comparison.tabulate(found)} == {
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
        rows = comparison.tabulate(comparison.find_runs([str(tmp_path)]))
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
        comparison.find_runs([str(tmp_path)])
    with pytest.raises(FileNotFoundError, match="no finished run"):
        comparison.find_runs([str(tmp_path / "none")])

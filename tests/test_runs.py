"""Folders of runs, results.json, and tables of many runs against plain numpy."""

import dataclasses
import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
import toys
from scipy import stats

from maml.experiments import (
    aggregation,
    load_runs,
    read_config,
    read_history,
    read_results,
    results,
    training,
)
from maml.experiments.run_folder import claim_run_dir
from maml.experiments.study import run_name
from mine import reporting

CONFIG = {"task": "sinusoid", "task_options": {"shots": 5, "data": "here"}, "steps": 4}

# -- the folder -----------------------------------------------------------------------------------

HOLD = """
import pathlib, sys, time
from maml.experiments.run_folder import claim_run_dir
with claim_run_dir(sys.argv[1], {"steps": 4}, False, {}):
    pathlib.Path(sys.argv[2]).touch()
    sys.stdin.read()
"""


def test_two_processes_do_not_share_a_folder(tmp_path):
    """The second is told so, and leaves the first's folder as it is; then the lock is free."""
    folder, ready = tmp_path / "run", tmp_path / "ready"
    command = [sys.executable, "-c", HOLD, str(folder), str(ready)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            toys.waited(ready.exists)
            before = {path.name: path.read_bytes() for path in folder.iterdir()}
            assert set(before) == {"config.json", ".lock"}
            for resume in (False, True):
                with pytest.raises(
                    FileExistsError, match=r"Another process works in .*run \(process \d+\): wait"
                ):
                    claimed(folder, {"steps": 4}, resume)
            assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
        finally:
            process.stdin.close()
    assert process.returncode == 0
    with claim_run_dir(folder, {"steps": 4}, True, {}):
        pass
    assert {path.name for path in folder.iterdir()} <= {"config.json", ".lock"}


def test_a_run_that_is_under_way_is_told_in_a_sentence(tmp_path):
    config = toys.small({"learner": "cnp"})
    settings = config.describe(config.make_problem())
    told = pytest.raises(FileExistsError, match="Another process works in")
    with claim_run_dir(tmp_path, settings, False, {}), told:
        training.run(config, tmp_path, resume=True, verbose=0)
    assert not (tmp_path / "results.json").exists()


def test_a_process_that_was_killed_leaves_no_lock_behind(tmp_path):
    folder, ready = tmp_path / "run", tmp_path / "ready"
    command = [sys.executable, "-c", HOLD, str(folder), str(ready)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        toys.waited(ready.exists)
        process.kill()
    with claim_run_dir(folder, {"steps": 4}, True, {}):
        pass


def claimed(folder, config, resume=True, **options):
    with claim_run_dir(folder, config, resume, options.pop("data", {}), **options):
        pass


@pytest.mark.parametrize(
    ("changed", "different"),
    [
        ({"steps": 5}, "steps"),
        ({"task": "functions", "steps": 5}, "steps, task"),
        ({"task_options": {"shots": 6, "data": "here"}}, "task_options: shots"),
    ],
)
def test_a_folder_holds_one_run(tmp_path, changed, different):
    claimed(tmp_path, CONFIG, resume=False)
    claimed(tmp_path, CONFIG)
    with pytest.raises(FileExistsError, match="holds a run: pass --resume to go on, or another"):
        claimed(tmp_path, CONFIG, resume=False)
    with pytest.raises(FileExistsError, match=f"holds a run with other {different}: pass"):
        claimed(tmp_path, CONFIG | changed)
    # Where the data is says nothing of what it is.
    claimed(tmp_path, CONFIG | {"task_options": {"shots": 5, "data": "elsewhere"}})


def test_a_run_that_failed_before_it_trained_leaves_its_folder_to_others(tmp_path):
    for config in (CONFIG, CONFIG | {"steps": 5}):
        with pytest.raises(ZeroDivisionError), claim_run_dir(tmp_path, config, False, {}):
            raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), claim_run_dir(tmp_path, CONFIG, False, {}):
        (tmp_path / "checkpoint.weights.h5").write_text("")
        raise ZeroDivisionError
    with pytest.raises(FileExistsError, match="holds a run: pass --resume to go on, or another"):
        claimed(tmp_path, CONFIG, resume=False)
    with pytest.raises(ZeroDivisionError), claim_run_dir(tmp_path, CONFIG, True, {}):
        raise ZeroDivisionError
    claimed(tmp_path, CONFIG)


def test_a_file_is_no_folder_of_a_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="expected a folder, received .*file, a file; name"):
        claimed(tmp_path / "file", CONFIG)


def test_a_run_goes_on_with_its_data_alone_as_far_as_it_says_which(tmp_path):
    data = {"train": "a"}
    claimed(tmp_path, CONFIG, resume=False, data=data)
    # A newer version says more than the run does.
    claimed(tmp_path, CONFIG, data=data | {"train_images": "b"})
    with pytest.raises(FileExistsError, match="other data"):
        claimed(tmp_path, CONFIG, data={"train": "others", "train_images": "b"})


def test_an_option_that_is_newer_than_a_run_keeps_neither_its_folder_nor_its_name(tmp_path):
    """An option of the run, or of a component."""
    config = toys.small({"learner": "cnp", "regularizer": "label_mi"})
    problem = config.make_problem()
    newer = config.describe(problem)

    def complete(content):
        return type(config)(**content).describe(problem)

    older = {key: dict(of) if isinstance(of, dict) else of for key, of in newer.items()}
    del older["meta_lr_decay"], older["task_options"]["told"]
    del older["regularizer_options"]["label_mi.cap"]
    claimed(tmp_path, older, resume=False)
    claimed(tmp_path, newer, complete=complete)
    for field, options in (
        ("meta_lr_decay", {"meta_lr_decay": True}),
        ("task_options: told", {"task_options": {**config.task_options, "told": True}}),
        ("regularizer_options: label_mi.cap", {"regularizer_options": "cap=0.5"}),
    ):
        eager = dataclasses.replace(config, **options)
        with pytest.raises(FileExistsError, match=f"other {field}: pass another folder"):
            claimed(tmp_path, eager.describe(problem), complete=complete)
        assert run_name(eager) != run_name(config)
    # What stands at its default renames no run.
    assert run_name(dataclasses.replace(config, meta_lr_decay=False)) == run_name(config)
    (tmp_path / "config.json").write_text(json.dumps({"config": older | {"zeal": 1}}))
    with pytest.raises(ValueError, match=r"config\.json cannot be used with this version"):
        claimed(tmp_path, newer, complete=complete)


def test_runs_are_named_by_their_options_but_not_by_where_their_data_is():
    config = toys.small({"task": "omniglot", "task.data": toys.characters(), "seed": 3})
    name = run_name(config)
    assert re.fullmatch(r"MAML-[0-9a-f]{8}-seed3", name)
    moved = {"data": "elsewhere.npz"}
    assert run_name(dataclasses.replace(config, task_options=moved)) == name
    other = dataclasses.replace(config, task_options={**moved, "ways": 3})
    assert run_name(other) != name
    named = toys.small({"learner": "cnp", "regularizer": "mr_a,label_mi"})
    assert run_name(named).startswith("CNP_MR_A_0.001_Label_MI_1-")


# -- results.json ---------------------------------------------------------------------------------


def record(method="CNP", seed=0, test=1.0, **others):
    """What results.json holds, with a test error and intervals."""
    scores = {
        split: {
            "mse": {"mean": test + add, "ci95": 0.5},
            "swap_gap": {"mean": 2 * test, "ci95": 0.25},
            "label_information_lower": {"mean": 1 / test, "ci95": 0.125},
        }
        for split, add in (("train", -0.5), ("test", 0.0))
    }
    content = {
        "method": method, "seed": seed, "config": {"learner": "cnp", "task_options": {"shots": 5}},
        "data": {}, "metric": "mse", "normalization": "no normalization",
        "scores": scores, "diagnosis": {"verdict": "adapts"},
        "cost": {"steps": 7, "train_seconds": 2.0, "seconds_per_step": 0.5},
        "provenance": {"command": f"run {seed}", "hardware": "two"},
    }  # fmt: skip
    return content | others


@pytest.fixture
def runs(tmp_path):
    """A folder of five runs: three of CNP, two of MAML."""
    errors = [("CNP", 0, 1.0), ("CNP", 1, 3.0), ("MAML", 0, 0.5), ("CNP", 2, 5.0), ("MAML", 2, 2.5)]
    for method, seed, test in errors:
        folder = tmp_path / "runs" / f"{method}{seed}"
        folder.mkdir(parents=True)
        results.write_results(record(method, seed, test), folder)
    return tmp_path / "runs"


def test_results_come_back_as_they_were_written(runs):
    content = record("MAML", 0, 0.5)
    assert read_results(runs / "MAML0") == {"schema": results.SCHEMA, **content}
    assert read_results(runs / "MAML0/results.json") == read_results(runs / "MAML0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 0}, r"Invalid `schema` in .*results\.json: expected 2, received 0\. Read it"),
        ({"schema": None}, "expected 2, received None"),
        ({"scores": ...}, r"results\.json is no record of a run: it has no 'scores'"),
        ({"provenance": ...}, "it has no 'provenance'"),
        ({"schema": ...}, r"results\.json: expected the results .* without 'schema'"),
    ],
)
def test_records_of_another_kind_are_refused(runs, change, message):
    path = runs / "CNP0/results.json"
    content = json.loads(path.read_text()) | change
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not ...}))
    for read in (read_results, load_runs, results.find_results):
        with pytest.raises(ValueError, match=message):
            read(runs if read is not read_results else path)


@pytest.mark.slow
def test_a_run_writes_all_that_a_record_holds(tmp_path):
    config = toys.small({"learner": "cnp", "task": "nme_sinusoid", "regularizer": "mine"})
    written = training.run(config, tmp_path / "run", verbose=0, pictures=False)
    known = {name for name in results.KINDS if "." not in name}
    assert known | {"schema", "terms", "further"} == set(written)
    assert written["method"] == config.method_name() and written["metric"] == "mse"
    assert set(written["scores"]) == {"train", "validation", "test"}
    assert set(written["diagnosis"]["splits"]) == {"training", "held_out"}
    for scores in written["scores"].values():
        assert set(scores) == {
            "mse", "no_support_mse", "mismatched_support_mse", "constant_mse", "swap_gap",
            "label_information_lower", "label_information_upper", "support_information_lower",
            "support_information_upper", "mismatched_labels_mse", "relabeled_mse",
            "relabeled_constant_mse", "nll", "coverage_90", "calibration_error",
        }  # fmt: skip
        assert all(set(score) == {"mean", "ci95"} for score in scores.values())
    assert {"prediction_mi_nats", "prediction_mi_power_ratio"} <= set(written["terms"])
    assert set(written["cost"]) == {
        "steps", "seconds_per_step", "train_seconds", "skipped_steps", "seconds"
    }  # fmt: skip
    assert {"command", "git_commit", "hardware", "versions", "date"} <= set(written["provenance"])
    assert read_config(tmp_path / "run").describe(config.make_problem()) == written["config"]
    (frame,) = load_runs(tmp_path).to_dict("records")
    assert frame["config.learner_options.dim_r"] == 8 and frame["folder"] == str(tmp_path / "run")
    assert frame["scores.test.mse.mean"] == written["scores"]["test"]["mse"]["mean"]
    history = read_history(tmp_path / "run/history.csv")
    assert history["step"].tolist() == [2, 4]
    assert written["cost"]["seconds_per_step"] == history["seconds_per_step"][1]
    np.testing.assert_allclose(
        written["cost"]["train_seconds"], 2 * history["seconds_per_step"].sum()
    )


@pytest.mark.parametrize("text", ["{}", "junk", "[1]", '{"config": '])
def test_damaged_files_of_a_run_are_named(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"results\.json"):
        reporting.read_json(path, "config")
    with pytest.raises(ValueError, match=r"results\.json"):
        read_results(tmp_path)
    path.write_text(json.dumps({"config": 1}))
    assert reporting.read_json(path, "config") == {"config": 1}


def test_a_mean_that_is_no_number_is_none_after_it_was_written_too(tmp_path):
    path = tmp_path / "results.json"
    reporting.write_json({"error": {"mean": math.inf, "ci95": math.nan}, "best": math.nan}, path)
    read = reporting.read_json(path, "error")
    assert math.isnan(read["error"]["mean"]) and f"{read['error']['mean']:.3f}" == "nan"
    assert read["error"]["ci95"] is None and read["best"] is None


@pytest.mark.parametrize(
    "text", ["", "junk\n", "epoch,loss\n", "epoch,loss\n0,many\n", "epoch,loss\n1,2\n0"]
)
def test_a_damaged_history_is_named(tmp_path, text):
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"history\.csv is damaged"):
        read_history(path)


def test_an_epoch_that_was_logged_twice_counts_once(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss\n0,3.0\n1,NA\n1,2.0\n")
    assert read_history(path)["loss"].tolist() == [3.0, 2.0]


# -- tables of runs -------------------------------------------------------------------------------


def half_width(values):
    return stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))


def test_runs_are_loaded_as_a_table(runs):
    frame = load_runs(runs)
    assert len(frame) == 5 and sorted(frame["method"].unique()) == ["CNP", "MAML"]
    cnp = frame[frame["method"] == "CNP"].sort_values("seed")
    assert cnp["scores.test.mse.mean"].tolist() == [1.0, 3.0, 5.0]
    assert cnp["config.task_options.shots"].tolist() == [5, 5, 5]
    assert cnp["diagnosis.verdict"].tolist() == ["adapts"] * 3
    assert cnp["folder"].tolist() == [str(runs / f"CNP{seed}") for seed in range(3)]
    assert len(load_runs(runs / "CNP1")) == 1
    with pytest.raises(FileNotFoundError, match="holds no finished run"):
        load_runs(runs / "nowhere")


def test_rows_are_means_over_seeds_with_intervals(runs):
    cnp, maml = aggregation.aggregate(load_runs(runs), ["method"], ["metric"])
    assert (cnp["method"], cnp["metric"], cnp["seeds"]) == ("CNP", "mse", [0, 1, 2])
    assert (maml["method"], maml["seeds"], maml["diverged"]) == ("MAML", [0, 2], 0)
    assert cnp["commands"] == ["run 0", "run 1", "run 2"] and len(cnp["folders"]) == 3
    expected = {
        "mse": [1.0, 3.0, 5.0],
        "swap_gap": [2.0, 6.0, 10.0],
        "label_information_lower": [1, 1 / 3, 0.2],
    }
    for name, values in expected.items():
        found = aggregation.interval_of(cnp, f"scores.test.{name}")
        assert found["mean"] == pytest.approx(np.mean(values))
        assert found["ci95"] == pytest.approx(half_width(values))
    assert (cnp["cost.steps"], cnp["cost.train_seconds"]) == (7.0, 2.0)
    assert math.isnan(aggregation.interval_of(cnp, "scores.test.angle")["mean"])


def test_a_single_run_has_its_own_interval_over_tasks():
    (row,) = aggregation.aggregate(aggregation.as_frame([record()]), ["method"])
    assert aggregation.interval_of(row, "scores.test.mse") == {"mean": 1.0, "ci95": 0.5}
    # A score of one task has none, which JSON writes as null.
    one = record()
    one["scores"]["test"]["mse"]["ci95"] = None
    (row,) = aggregation.aggregate(aggregation.as_frame([one]), ["method"])
    found = aggregation.interval_of(row, "scores.test.mse")
    assert found["mean"] == 1.0 and math.isnan(found["ci95"])


def test_divergences_are_counted_and_left_out_of_means():
    lost = {"method": "CNP", "seed": 0, "diverged": "NaN", "folder": "seed0"}
    ended = [
        record(seed=seed, test=test, folder=f"seed{seed}") for seed, test in ((1, 1.0), (2, 3))
    ]
    frame = aggregation.as_frame([lost, *ended, lost | {"method": "MAML"}])
    cnp, maml = aggregation.aggregate(frame, ["method"], ["metric"])
    assert (cnp["seeds"], cnp["diverged"]) == ([0, 1, 2], 1)
    assert cnp["scores.test.mse.mean"] == 2.0
    assert cnp["scores.test.mse.ci95"] == pytest.approx(12.7062, rel=1e-4)
    # Of the first run that ended: its pictures are shown.
    assert cnp["folders"] == ["seed1", "seed2"] and cnp["metric"] == "mse"
    assert (maml["seeds"], maml["diverged"]) == ([0], 1) and "folders" not in maml


def test_gains_are_paired_by_seed(runs):
    frame = load_runs(runs)
    cnp, maml = (frame[frame["method"] == name] for name in ("CNP", "MAML"))
    found = aggregation.paired_gain(cnp, maml, "mse")
    assert found["mean"] == pytest.approx(np.mean([0.5, 2.5]))
    assert found["ci95"] == pytest.approx(half_width([0.5, 2.5]))
    assert aggregation.paired_gain(maml, cnp, "mse")["mean"] == -found["mean"]
    accuracies = aggregation.paired_gain(cnp, maml, "mse", larger_is_better=True)
    assert accuracies == {"mean": -found["mean"], "ci95": found["ci95"]}
    assert aggregation.paired_gain(cnp[cnp["seed"] == 1], maml, "mse") is None
    assert aggregation.paired_gain(cnp, maml, "angle") is None
    # Of one seed, without objects, there is no interval.
    one = aggregation.paired_gain(cnp[cnp["seed"] == 0], maml, "mse")
    assert one["mean"] == 0.5 and math.isnan(one["ci95"])


def test_a_gain_of_one_seed_is_paired_by_object():
    def frame(test, errors):
        content = record(test=test)
        content["scores"]["test"]["objects"] = {name: {"mse": e} for name, e in errors.items()}
        return aggregation.as_frame([content])

    first = frame(2.0, {"cup": 3.0, "a.b": 1.0, "car": 2.0})
    second = frame(1.0, {"cup": 0.5, "a.b": 1.5, "car": 1.0})
    found = aggregation.paired_gain(first, second, "mse")
    assert found["mean"] == pytest.approx(np.mean([2.5, -0.5, 1.0]))
    assert found["ci95"] == pytest.approx(half_width([2.5, -0.5, 1.0]))


def test_rank_correlations_are_of_runs_in_their_groups():
    points = [(0.1, 0.9), (0.2, 0.5), (0.3, 0.6), (0.4, 0.2), (0.5, math.nan)]
    frame = aggregation.as_frame(
        {"row": "MR-A" if nats < 0.35 else "MR-W", "nats": nats, "error": error}
        for nats, error in points
    )
    groups = {"all": ("MR-A", "MR-W"), "MR-W": ("MR-W",), "none": ("x",)}
    found = aggregation.correlate(frame, groups, "nats", "error")
    assert found["all"]["models"] == 4 and math.isclose(found["all"]["spearman"], -0.8)
    assert found["all"]["pairs"] == [list(point) for point in points[:4]]
    assert found["MR-W"]["models"] == 1 and math.isnan(found["MR-W"]["spearman"])
    assert found["none"]["models"] == 0 and found["none"]["pairs"] == []
    assert math.isnan(found["none"]["spearman"])


@pytest.mark.parametrize("left", ["results.json", "checkpoint.weights.h5"])
@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_whose_configuration_is_gone_is_refused(tmp_path, left, resume):
    """It would be taken for a run of whatever options are asked for."""
    (tmp_path / left).write_bytes(b"of another run")
    with pytest.raises(FileExistsError, match=f"holds {left} of a run, but no config.json"):
        claimed(tmp_path, CONFIG, resume)
    assert not (tmp_path / "config.json").exists()

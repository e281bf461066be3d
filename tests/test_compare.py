"""The table of many runs: which may stand in it, and how they are named."""

import copy
import json
import math
import re

import pytest

from maml import compare
from maml.experiments import results
from maml.experiments.report import comparison

CONFIG = {
    "task": "clusters",
    "task_options": {"ways": 5, "labels": "shuffled", "data_dir": "here"},
    "num_test_tasks": 600,
    "episodes_per_task": 1,
    "steps": 100,
}


def record(method="MAML", **config):
    """The record of a run, with some of its options in place of others."""
    split = {
        name: {"mean": 0.5, "ci95": 0.1}
        for name in ("accuracy", "swap_gap", "label_information_lower", "label_information_upper")
    }
    return {
        "method": method, "seed": 0, "config": copy.deepcopy(CONFIG) | config, "data": {},
        "metric": "accuracy", "normalization": "no normalization",
        "scores": {"train": split, "test": split}, "diagnosis": {"verdict": "adapts"},
        "cost": {"steps": 100, "seconds_per_step": 0.1},
        "provenance": {"command": "python", "hardware": "two"},
    }  # fmt: skip


def found(folder, *records):
    """What a comparison finds of runs that were written to a folder."""
    for number, content in enumerate(records):
        (folder / str(number)).mkdir(exist_ok=True)
        results.write_results(content, folder / str(number))
    return comparison.find_runs([str(folder)])


def task_options(**changed):
    return {"task_options": CONFIG["task_options"] | changed}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": "omniglot"}, "differ in task: received clusters in"),
        (task_options(ways=20), "differ in task_options.ways: received 5 in"),
        ({"num_test_tasks": 100}, "differ in num_test_tasks: received 600 in"),
        ({"episodes_per_task": 4}, "differ in episodes_per_task: received 1 in"),
    ],
)
def test_scores_on_other_tasks_are_not_compared(changed, message, tmp_path):
    with pytest.raises(ValueError, match=f"cannot be compared, since they {re.escape(message)}"):
        found(tmp_path, record(), record("CNP", **changed))


def test_places_of_data_and_options_of_newer_versions_are_no_other_tasks(tmp_path):
    newer = record("CNP", **task_options(data_dir="there", later=1))
    assert [of["method"] for of in found(tmp_path, record(), newer)] == ["MAML", "CNP"]


def test_runs_on_other_training_tasks_are_named_by_them(tmp_path):
    runs = found(tmp_path, record(), record("CNP", **task_options(labels="fixed")))
    assert [of["method"] for of in runs] == [
        "MAML (task_options.labels=shuffled)",
        "CNP (task_options.labels=fixed)",
    ]


@pytest.mark.parametrize("folders", [[], [""]])
def test_no_folder_of_runs_is_refused(folders, tmp_path):
    with pytest.raises(ValueError, match="Invalid value for `runs`: expected folders of runs, rec"):
        compare.compare(folders, str(tmp_path))


def put(content, name, value):
    """A record with another value at a dotted name; ... for none."""
    *within, last = name.split(".")
    part = content
    for key in within:
        part = part[key]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return content


@pytest.mark.parametrize(
    "name",
    [*results.KINDS, "scores.test.accuracy", "scores.train.accuracy", "scores.test.accuracy.mean"],
)
@pytest.mark.parametrize("value", [..., None, [], "x", 0.5, {}, True])
def test_a_damaged_record_is_refused_or_stands_in_the_table(name, value, tmp_path):
    (tmp_path / "0").mkdir()
    text = json.dumps({"schema": results.SCHEMA} | put(record(), name, value), default=str)
    (tmp_path / "0/results.json").write_text(text)
    try:
        comparison.tabulate(comparison.find_runs([str(tmp_path)]))
    except ValueError as error:
        assert str(tmp_path / "0/results.json") in str(error)
        assert str(error).startswith("Invalid ") or "it has no " in str(error)
    else:
        assert type(value) in (str, float, dict) or name.endswith(".mean") and value is None


@pytest.mark.parametrize("name", ["accuracy", "swap_gap", "label_information_upper"])
def test_a_score_that_is_no_number_has_its_place_in_the_table(name, tmp_path):
    for split in ("train", "test"):
        lost = put(record(), f"scores.{split}.{name}", {"mean": math.nan, "ci95": math.nan})
        results.write_results(lost, tmp_path)
        assert "| MAML | 1 |" in compare.compare([str(tmp_path)], str(tmp_path / "out"))


def test_angles_that_one_run_lacks_are_none_in_the_table(tmp_path):
    with_angle = put(record(), "scores.test.angle", {"mean": 5.0, "ci95": 1.0, "median": 4.0})
    for number, content in enumerate((with_angle, record("CNP"))):
        (tmp_path / str(number)).mkdir()
        results.write_results(content, tmp_path / str(number))
    text = compare.compare([str(tmp_path)], str(tmp_path / "out"))
    assert "4°" in text and "nan°" in text


def test_runs_of_densities_show_likelihood_and_calibration_where_they_have_them(tmp_path):
    old, new = record(), record("CNP", **task_options(train_tasks=8))
    test = new["scores"]["test"] | {
        "nll": {"mean": 1.234, "ci95": 0.1},
        "calibration_error": {"mean": 0.056, "ci95": 0.01},
    }
    new["scores"] = new["scores"] | {"test": test}
    rows = comparison.tabulate(found(tmp_path, old, new))
    titles = comparison.columns(rows)
    texts = {row["method"].split(" (")[0]: comparison.cells(row, rows) for row in rows}
    shown = {name: dict(zip(titles, cells, strict=True)) for name, cells in texts.items()}
    assert shown["CNP"]["test NLL"] == "1.23 ± 0.10"
    assert shown["CNP"]["calibration error"] == "0.06 ± 0.01"
    assert shown["MAML"]["test NLL"] == ""
    only = comparison.tabulate([record()])
    assert "test NLL" not in comparison.columns(only)

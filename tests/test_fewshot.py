"""The few-shot study: its tables, what it chooses, how it goes on, and what it reports."""

import dataclasses
import json
import pathlib
import re
import shlex

import commands
import pytest
import toys

from maml.experiments import Config, read_results
from maml.experiments.executors.base import DIVERGED
from maml.experiments.selection import each
from maml.experiments.study import Plan, Table, rows_of, run_study
from maml.studies import fewshot

SMALL = {
    "task.ways": 3, "task.shots": 1, "task.queries": 2, "meta_batch_size": 2, "steps": 2,
    "steps_per_epoch": 2, "num_validation_batches": 1, "num_test_tasks": 6,
    "num_validation_tasks": 4, "network.filters": 2,
}  # fmt: skip
FILES = {"omniglot": toys.characters(), "miniimagenet": toys.characters()}
TOLD = {"provenance": {"command": "python", "hardware": "two", "date": "today"}, "workers": 2}


@pytest.mark.parametrize("name", fewshot.TABLES)
def test_tables_hold_options_that_exist(name, tmp_path):
    plan = Plan(fewshot.with_files(FILES), tmp_path)
    table = plan.chosen[name]
    assert set(fewshot.PUBLISHED.get(name, {})) <= set(table.rows)
    for row in table.rows.values():
        for options in row:
            config = plan.config(name, options, 3)
            assert isinstance(config, Config) and config.seed == 3
            assert config.steps % config.epoch_steps() == 0
            assert set(config.network_options) <= {"filters", "normalization"}
            sizes = {"ways": 2, "shots": 1, "queries": 1}
            small = dataclasses.replace(config, task_options={**config.task_options, **sizes})
            problem = small.make_problem()
            assert problem.mutually_exclusive == (not name.startswith("fixed"))
            learner = small.make_learner(problem)
            assert len(learner.regularizers) == (config.regularizer != "none")


def test_tables_whose_file_is_not_given_are_left_out():
    study = fewshot.with_files({"omniglot": "a.npz", "miniimagenet": ""})
    assert list(study.tables) == [name for name in fewshot.TABLES if name != "miniimagenet5"]
    assert {table.base["task.data"] for table in study.tables.values()} == {"a.npz"}
    assert [table.seeds for table in study.tables.values()] == [1, 1, 1, 3, 1, 3, 3]
    assert study.metric == "accuracy" and study.larger_is_better and study.pictures


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A plan of two rows, one with a choice, its result, and where it was run."""
    rows = {
        "near": [{"learner": "protonet"}],
        "augmented": [
            {"learner": "protonet", **options}
            for options in each("probability", (0.5, 1.0), regularizer="label_augmentation")
        ],
    }
    base = {"task": "omniglot", "task.data": toys.characters(), **SMALL}
    tables = {"omniglot5": Table("Three ways", base, rows, seeds=2)}
    folder = tmp_path_factory.mktemp("fewshot")
    plan = Plan(dataclasses.replace(fewshot.STUDY, tables=tables), folder / "runs")

    with pytest.MonkeyPatch.context() as patch:
        toys.run_in_process(patch)
        result = run_study(plan)
        times = {path: path.stat().st_mtime_ns for path in folder.rglob("results.json")}
        again = run_study(plan)
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("results.json")}
    for key in ("tables", "sweep", "training_seconds"):
        assert json.dumps(again[key]) == json.dumps(result[key])
    return plan, result, folder


@pytest.mark.slow
def test_the_study_chooses_trains_and_resumes(finished):
    plan, result, folder = finished
    near, augmented = result["tables"]["omniglot5"]["rows"]
    assert near["seeds"] == augmented["seeds"] == [0, 1]
    assert len(near["commands"]) == 2 and near["scores.test.accuracy.ci95"] > 0
    # Strengths are chosen by the accuracy on validation classes: the largest.
    assert len(result["sweep"]) == 2
    best = max(result["sweep"], key=lambda row: row["scores.validation.accuracy.mean"])
    assert augmented["options"] == best["options"]
    # The command of a row is that of its run, seed and all.
    words = shlex.split(near["commands"][1])
    given = dict(word[2:].split("=", 1) for word in words[3:])
    assert given["seed"] == "1" and given["learner"] == "protonet"
    assert "ways=3" in given["task_options"].split(";")
    assert given["logdir"] == near["folders"][1]
    assert len(list(folder.rglob("results.json"))) == 2 + 3
    record = read_results(near["folders"][0])
    assert record["provenance"]["command"] == near["commands"][0]
    for name in ("curves.png", "episodes.png", "confusion.png"):
        assert (pathlib.Path(near["folders"][0]) / name).exists()


def test_the_study_reports(finished, tmp_path):
    plan, result, _ = finished
    text = fewshot.write(result | TOLD, plan, tmp_path)
    near = result["tables"]["omniglot5"]["rows"][0]
    assert "| augmented | p = " in text and "current batch (transductive)" in text
    about = fewshot.TABLES["omniglot5"].about
    assert f"## {about} (`characters.npz`)" in text
    assert near["commands"][0] in text.splitlines()
    rows = [line for line in text.splitlines() if line.startswith(("| method", "| near"))]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1
    accuracy = 100 * near["scores.test.accuracy.mean"]
    assert f"| {accuracy:.1f} ± " in rows[1]
    assert "## Every strength that was tried" in text
    for name in ("curves_omniglot5", "episodes_omniglot5", "confusion_omniglot5"):
        assert (tmp_path / f"{name}.png").read_bytes()[1:4] == b"PNG"
    # The page is made of its JSON file.
    kept = json.loads((tmp_path / "fewshot.json").read_text())
    assert "\n".join(fewshot.page(kept)) + "\n" == text == (tmp_path / "fewshot.md").read_text()


def test_a_divergence_is_a_row(finished, tmp_path):
    plan, result, _ = finished
    runs = result["runs"]
    near = runs[runs["row"] == "near"]
    lost = near.assign(diverged="the loss became NaN", row="wild", options='{"learner": "maml"}')
    (wild,) = rows_of(lost[near.columns.tolist() + ["diverged"]], fewshot.STUDY)
    tables = {"omniglot5": {"about": "Three ways", "base": {}, "rows": [wild]}}
    told = result | TOLD | {"tables": tables, "sweep": [wild]}
    text = fewshot.write(told, plan, tmp_path)
    assert text.count("| wild |  | 2 (2 diverged) | diverged |") == 1
    assert not (tmp_path / "episodes_omniglot5.png").exists()


def test_pictures_of_a_row_are_of_the_first_run_that_ended(finished):
    _, result, _ = finished
    runs = result["runs"]
    near = runs[runs["row"] == "near"].sort_values("seed")
    cut = near.assign(diverged=["NaN", None])
    (row,) = rows_of(cut, fewshot.STUDY)
    assert row["folders"] == [near["folder"].iloc[1]] and row[DIVERGED] == 1
    assert row["seeds"] == [0, 1] and len(row["commands"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "Give a file of images by --omniglot or --miniimagenet"),
        (["--omniglot=x.npz", "--tables=miniimagenet5"], "--tables: expected some of omniglot5"),
        (["--omniglot=nowhere.npz", "--tables=omniglot5"], "There is no nowhere.npz: expected"),
        (["--omniglot=x.npz", "--tables=chairs"], "--tables: expected some of"),
        (["--omniglot=x.npz", "--rows=hope"], "--rows: expected some of MAML"),
        (["--omniglot=nowhere.npz", "--tables="], "--tables: expected at least one value"),
    ],
)
def test_the_command_says_what_is_wrong(flags, message, tmp_path):
    folders = [f"--logdir={tmp_path / 'runs'}", f"--output={tmp_path / 'results'}", "--workers=1"]
    process = commands.run("maml.studies.fewshot", *folders, *flags)
    assert process.returncode != 0 and message in process.stderr
    assert process.stderr.strip().splitlines()[-1].startswith("Error: ")
    assert not (tmp_path / "results").exists()

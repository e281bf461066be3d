"""The few-shot study: its tables, what it chooses, how it goes on, and what it reports."""

import json
import re

import commands
import pytest
import toys

from maml import train
from maml.core.registry import parse_options
from maml.experiments import sweep
from maml.experiments.options import Options
from maml.experiments.tables import Table
from maml.studies import fewshot, fewshot_report
from maml.studies.fewshot_tables import PUBLISHED, TABLES

SMALL = {
    "ways": 3, "shots": 1, "queries": 2, "meta_batch_size": 2, "steps": 2, "steps_per_epoch": 2,
    "num_validation_batches": 1, "num_test_tasks": 6, "num_validation_tasks": 4,
    "task_options": "filters=2",
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables_hold_options_that_exist(name):
    table = TABLES[name]
    plan = fewshot.Study(TABLES, {table.base["dataset"]: str(toys.characters())}, None)
    assert set(PUBLISHED.get(name, {})) <= set(table.rows)
    for row in table.rows.values():
        for options in row:
            config = plan.config(table, options, 3)
            assert isinstance(config, Options) and config.seed == 3
            assert config.steps % config.epoch_steps() == 0
            problem = config.problem(ways=2, shots=1, queries=1)
            assert problem.mutually_exclusive == (name != "fixed")
            known = {"filters", "normalization", "rotations"}
            assert set(parse_options(config.task_options)) <= known
            config.make_learner(problem.networks, problem.head, problem.label_transform)


def test_strengths_are_chosen_by_validation_classes():
    diagnosis = {of: {"after": {"mean": mean}} for of, mean in
                 {"train": 0.9, "validation": 0.7, "test": 0.6}.items()}  # fmt: skip
    assert fewshot.error({"diagnosis": diagnosis}) == pytest.approx(0.3)


def test_the_study_chooses_trains_resumes_and_reports(tmp_path):
    rows = {
        "near": [{"learner": "protonet"}],
        "augmented": [
            {"learner": "protonet", "regularizer": "augment", "augment_probability": probability}
            for probability in (0.5, 1.0)
        ],
    }
    tables = {"three": Table("Three ways", {"dataset": "omniglot"} | SMALL, rows, seeds=2)}
    data = {"omniglot": str(toys.characters())}
    plan = fewshot.Study(tables, data, tmp_path / "runs", seeds=None)
    result = fewshot.study(plan)
    near, augmented = result["tables"]["three"]["rows"]
    assert near["seeds"] == augmented["seeds"] == [0, 1]
    assert len(near["commands"]) == 2 and near["accuracy"]["test"]["after"]["ci95"] > 0
    best = min(result["sweep"], key=lambda row: -row["accuracy"]["validation"]["after"]["mean"])
    assert augmented["options"] == best["options"] and len(result["sweep"]) == 2
    # The command of a row is that of its run, seed and all.
    words = dict(word[2:].split("=", 1) for word in near["commands"][1].split()[3:])
    assert words["seed"] == "1" and words["ways"] == "3" and words["learner"] == "protonet"

    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob(train.RESULTS)}
    assert len(times) == 2 + 3
    assert json.dumps(fewshot.study(plan)) == json.dumps(result)
    assert times == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob(train.RESULTS)}

    told = {"command": "python", "hardware": "two", "date": "today", "workers": 2}
    text = fewshot_report.markdown(result | told)
    assert "| augmented | p = " in text and "current batch (transductive)" in text
    assert "## Three ways (`characters.npz`)" in text
    assert near["commands"][0] in text.splitlines()
    rows = [line for line in text.splitlines() if line.startswith(("| method", "| near"))]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1
    for name, histories in fewshot.curves(result).items():
        fewshot_report.draw_curves(histories, tmp_path / f"{name}.png")
    fewshot_report.copy_pictures(result, tmp_path)
    for name in ("three", "episodes_three", "confusion_three"):
        assert (tmp_path / f"{name}.png").read_bytes()[1:4] == b"PNG"


def test_a_divergence_is_a_row():
    record = {"table": "three", "row": "wild", "options": {"learner": "maml"}, "seed": 0}
    rows = fewshot.tabulate([record | {"folder": "x", sweep.DIVERGED: "the loss became NaN"}])
    table = {"about": "Three ways", "images": "x.npz", "rows": rows}
    result = {"tables": {"three": table}, "sweep": rows}
    told = {"command": "python", "hardware": "two", "date": "today", "workers": 2}
    text = fewshot_report.markdown(result | told)
    assert "| wild |  | 1 (1 diverged) | diverged |" in text
    assert fewshot.curves(result) == {"three": {}}


def test_pictures_of_a_row_are_of_the_first_run_that_ended():
    interval = {"mean": 0.5, "ci95": 0.1}
    scores = {key: interval for key in ("after", "before", "swapped")}
    scores["label_information"] = {"lower": interval}
    common = {"table": "three", "row": "wild", "options": {}, "config": {"learner": "maml"}}
    common |= {"diagnosis": dict.fromkeys(("train", "validation", "test"), scores)}
    names = ("normalization", "steps", "hardware", "train_seconds", "seconds_per_step", "command")
    common |= dict.fromkeys(names, 1)
    runs = [common | {"seed": seed, "folder": f"seed{seed}"} for seed in range(3)]
    (row,) = fewshot.tabulate([runs[0] | {sweep.DIVERGED: "NaN"}, *runs[1:]])
    assert row["folder"] == "seed1" and row[sweep.DIVERGED] == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give a file of images by --omniglot or --miniimagenet"),
        (["--tables=miniimagenet5"], "give the file of images by --miniimagenet"),
        (["--omniglot=nowhere.npz", "--tables=omniglot5"], "no file 'nowhere.npz' of images"),
        (["--tables=chairs"], "--tables has 'chairs'"),
        (["--methods=hope"], "--methods has 'hope'"),
        (["--omniglot=nowhere.npz", "--tables="], "--tables is empty"),
    ],
)
def test_the_command_says_what_is_wrong(flags, message, tmp_path):
    folders = [f"--logdir={tmp_path / 'runs'}", f"--output={tmp_path / 'results'}"]
    process = commands.run("maml.studies.fewshot", *folders, *flags)
    assert process.returncode != 0 and message in process.stderr
    assert process.stderr.strip().splitlines()[-1].startswith("Error: ")
    assert not (tmp_path / "results").exists()

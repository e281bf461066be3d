"""The pose study: what it chooses, its tables, and objects that look alike from several sides."""

import dataclasses
import json
import math
import re
import shlex
import subprocess
import sys

import commands
import hands
import numpy as np
import pytest

import maml
from maml.experiments import aggregation, ensembles, selection
from maml.experiments.executors.base import DIVERGED
from maml.experiments.executors.local import shared
from maml.experiments.study import Both, Plan, Table, run_study
from pose_code import study, study_report, symmetry
from pose_code.presets import PRESETS
from pose_code.tables import TABLES, more_objects
from pose_data.tasks import PoseTasks


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "hands"
    folder.mkdir()
    hands.write(folder)
    return folder


def test_a_disc_is_alike_from_all_sides_a_bar_from_two_and_a_hand_from_none():
    images, angles = hands.hands(1, 60, seed=1)
    hand, angles = images[0], angles[0]
    bar = np.maximum(hand, hand[:, ::-1, ::-1])
    rng = np.random.default_rng(0)
    disc = np.repeat(hand[:1], 60, axis=0) + rng.integers(0, 2, hand.shape, dtype=np.uint8)
    found = symmetry.asymmetries(PoseTasks(np.stack([hand, bar, disc]), np.stack([angles] * 3)))
    hand, bar, disc = found.values()
    assert bar < symmetry.ALIKE < 0.85 < hand
    # Noise alone is as far from one image as from another.
    assert disc == pytest.approx(1, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TABLES, "objects"])
def test_tables_hold_options_that_exist(name, data_dir, tmp_path):
    table = (TABLES | {"objects": more_objects("elsewhere")})[name]
    base = {key: of for key, of in table.base.items() if key != "task.extra_data_dir"}
    plans = {
        preset: Plan(study.make_study("data", preset, "elsewhere" * (name == "objects")), tmp_path)
        for preset in PRESETS
    }
    problem = hands.tiny(data_dir).make_problem()
    for row in table.rows.values():
        if isinstance(row, Both):
            assert set(row) <= set(table.rows)
            continue
        for options in row:
            for plan in plans.values():
                chosen = plan.config(name, options, 0)
                assert chosen.task_options["data_dir"] == "data"
                shots = table.base.get("task.shots", 15)
                assert chosen.task_options["shots"] == shots
                assert chosen.task_options["num_validation"] == 6
                given = chosen.dotted()
                # What a row says has an effect, and so has what all rows have in common.
                assert all(given.get(key) == options[key] for key in options if "." in key)
                kept = {key for key in base if key in given}
                assert all(given[key] == (options | base)[key] for key in kept - set(options))
        # A layer that is named must be there.
        settings = hands.tiny(data_dir, **(base | row[0]))
        learner = settings.make_learner(problem)
        learner.create_weights(problem.train.sample(2, [0, 0]))
        assert len({selection.strength(options) for options in row}) == len(row)


def record(row, validation, test, seed=0):
    """Of a run, as a study has it."""
    scores = {
        "validation": {
            "mse": {"mean": validation},
            "label_information_lower": {"mean": 1 / validation},
            "swap_gap": {"mean": validation},
        },
        "test": {"mse": {"mean": test}},
    }
    return {"table": "t", "row": row, "options": "{}", "seed": seed, "scores": scores}


def test_rank_correlations_leave_out_what_diverged():
    records = [record("a", value, value**2) for value in (0.5, 2.0, 1.0)]
    lost = [
        {"table": "t", "row": "a", "seed": 0, DIVERGED: "NaN"},
        record("a", 9, np.nan),
    ]
    runs = aggregation.as_frame([*records, *lost])
    for name, expected in (("label_information_lower", -1), ("swap_gap", 1)):
        columns = f"scores.validation.{name}.mean", "scores.test.mse.mean"
        found = aggregation.correlate(runs, {"all": ("a",), "of none": ("b",)}, *columns)
        assert found["all"]["models"] == len(found["all"]["pairs"]) == 3
        assert found["all"]["spearman"] == expected
        assert found["of none"]["models"] == 0 and math.isnan(found["of none"]["spearman"])


def test_gains_are_paired_by_seeds_and_of_one_seed_by_objects():
    def runs(**errors):
        records = []
        for seed, values in errors.items():
            objects = {str(i): {"mse": value} for i, value in enumerate(values)}
            test = {"mse": {"mean": np.mean(values)}, "objects": objects}
            records.append({"seed": int(seed[1:]), "scores": {"test": test}})
        return aggregation.as_frame(records)

    plain = runs(s0=(4.0, 8.0), s1=(1.0, 3.0))
    lost = aggregation.as_frame([{"seed": 2, DIVERGED: "NaN"}])
    plain = aggregation.pd.concat([plain, lost])

    def gain(**errors):
        return aggregation.paired_gain(plain, runs(**errors), "mse")

    # Differences of 1 and 3: a mean of 2, and Student's t of one degree of freedom, 12.706.
    found = gain(s0=(3.0, 7.0), s1=(-2.0, 0.0), s2=(1.0, 1.0))
    assert found == pytest.approx({"mean": 2, "ci95": 12.706}, rel=1e-4)
    assert gain(s1=(0.0, 0.0)) == pytest.approx({"mean": 2, "ci95": 12.706}, rel=1e-4)
    assert gain(s2=(1.0, 1.0)) is None


def plan_of(data_dir, logdir, tables, seeds=None, **given):
    """A study of tiny runs."""
    made = study.make_study(str(data_dir), "quick")
    own = hands.TINY | given

    def defaults(row):
        return {**made.defaults(row), **own}

    base = {"task.data_dir": str(data_dir)}
    tables = {
        name: dataclasses.replace(table, base=base | table.base) for name, table in tables.items()
    }
    tiny = dataclasses.replace(made, tables=tables, defaults=defaults)
    return Plan(tiny, logdir, seeds=seeds, executor=shared(2))


PROVENANCE = {
    "workers": 2,
    "provenance": {"command": "python", "hardware": "two", "date": "today"},
}
GIVEN = {
    "task.num_validation": 4, "task.other_shots": (2,), "task.image_augmentation": ("shift",),
}  # fmt: skip


@pytest.mark.slow
def test_the_study_chooses_trains_resumes_and_reports(data_dir, tmp_path):
    regularizers = {
        "none": [{"regularizer": "none"}],
        "labels": selection.each("weight", (0.5, 1.0), regularizer="label_mi"),
    }
    same = {"none": [{"regularizer": "none", "learner": "cnp"}]}
    tables = {
        "one": Table("Regularizers", {"learner": "cnp"}, regularizers, seeds=1),
        "two": Table("The same run again", {}, same, seeds=2),
    }
    plan = plan_of(data_dir, tmp_path / "runs", tables, **GIVEN)
    result = run_study(plan) | PROVENANCE
    output = tmp_path / "results"
    output.mkdir()
    text = study.write(result, plan, output)

    rows = {row["row"]: row for row in result["tables"]["one"]["rows"]}
    assert list(rows) == list(regularizers)
    assert [row["seeds"] for row in rows.values()] == [[0]] * 2
    (row,) = result["tables"]["two"]["rows"]
    assert row["seeds"] == [0, 1] and row["scores.test.mse.ci95"] > 0
    assert rows["none"]["gain"] is None and row["gain"] is None
    errors = [rows[name]["scores.test.mse.mean"] for name in regularizers]
    assert rows["labels"]["gain"]["mean"] == pytest.approx(errors[0] - errors[1], abs=1e-5)
    # Two seeds answer together as well, from one file that answers about images too.
    assert row["ensemble"]["scores"]["mse"]["mean"] > 0 and rows["labels"]["ensemble"] is None
    (ensemble,) = (tmp_path / "runs/ensembles").glob("*/learner.keras")
    assert len(maml.load(ensemble).members) == 2 and (ensemble.parent / "config.json").exists()
    # Of other runs, such as those that were trained anew, it is another.
    content = json.loads((ensemble.parent / ensembles.SCORES).read_text())
    content["members"][1] = "another"
    content["scores"]["mse"] = {"mean": 0, "ci95": 0}
    (ensemble.parent / ensembles.SCORES).write_text(json.dumps(content))
    tried = [row for row in result["sweep"] if row["row"] == "labels"]
    assert [len(row["seeds"]) for row in tried] == [1, 1]
    best = min(tried, key=lambda row: row["scores.validation.mse.mean"])["options"]
    assert rows["labels"]["options"] == best and best["label_mi.weight"] in (0.5, 1.0)
    assert rows["labels"]["further.shots.2.mse.mean"] > 0
    assert len(aggregation.objects_of(rows["labels"], "mse")) == 8

    # What two tables want is trained once, with two seeds; there are two baselines.
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("results.json")}
    assert len(times) == 2 + 2 + 2
    again = run_study(plan)
    for name in ("tables", "sweep", "training_seconds"):
        assert json.dumps(again[name]) == json.dumps(result[name])
    assert times == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("results.json")}

    # The command that stands beside a row makes the same numbers, in a process as a study's are.
    command = shlex.split(rows["labels"]["commands"][0])[1:]
    command = [sys.executable, *command, f"--logdir={tmp_path / 'alone'}"]
    alone = subprocess.run(command, capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr
    scores = json.loads((tmp_path / "alone/results.json").read_text())["scores"]
    assert scores["test"]["mse"]["mean"] == rows["labels"]["scores.test.mse.mean"]

    # Predictors without training are scored as the runs are, whatever was scored before.
    more = plan_of(data_dir, tmp_path / "runs", tables, **GIVEN, episodes_per_task=4)
    config = more.config("two", {}, 0)
    problem = config.make_problem()
    constants = [
        aggregation.objects_of(of[0], "mse")
        for of in (result["baselines"], study._baselines(more, config, problem))
    ]
    assert len(constants[0]) == 8 and constants[0] != constants[1]
    turned = dataclasses.replace(problem, data=problem.data | {"test_images": "turned"})
    with pytest.raises(ValueError, match="scores of other data: pass another --logdir"):
        study._baselines(more, config, turned)

    assert text == (output / "pose.md").read_text()
    assert "## Regularizers, 4 steps\n" in text
    assert "| labels | λ = " in text and "| kernel regression on pixels" in text
    assert "| hand (8) |" in text and "| hand/val0 |" in text
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    # What the file holds is enough to write the page again.
    kept = json.loads((output / "pose.json").read_text())
    assert "\n".join(study_report.page(kept)) + "\n" == text
    for name in ("curves_one", "curves_two", "predictions", "information"):
        assert (output / f"{name}.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.slow
def test_a_row_whose_runs_diverged_says_so(in_process, data_dir, tmp_path):
    wild = {"wild": [{"meta_lr": 1e15}]}
    given = {"task.num_validation": 2, "steps": 20, "steps_per_epoch": 10}
    tables = {"one": Table("Learning rates", {"learner": "cnp"}, wild | {"calm": [{}]}, seeds=1)}
    plan = plan_of(data_dir, tmp_path / "runs", tables, **given)
    result = run_study(plan) | PROVENANCE
    text = study.write(result, plan, tmp_path)
    assert re.search(r"\| wild \|  \| 1 \(1 diverged\) \| diverged \|", text)
    assert "| calm |  | 1 |" in text and "squared error (" in text
    assert result["tables"]["one"]["rows"][1]["gain"] is None
    # Alone it leaves nothing to compare.
    alone = dataclasses.replace(plan, rows=("wild",))
    with pytest.raises(ValueError, match="All runs diverged.*not finite.*Lower the learning rates"):
        run_study(alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data_dir=nowhere"], "nowhere"),
        (["--data_dir=nowhere", "--tables=chairs"], "--tables: expected some of cnp"),
        (["--data_dir=nowhere", "--rows=hope"], "--rows: expected some of none, weight decay"),
        (["--data_dir=nowhere", "--tables=objects"], "needs --extra_data_dir"),
        (
            ["--data_dir=nowhere", "--extra_data_dir=x", "--tables=cnp,objects"],
            "--tables: expected some of objects; received 'cnp'",
        ),
    ],
)
def test_the_command_says_what_is_wrong(flags, message, tmp_path):
    folders = [f"--logdir={tmp_path / 'runs'}", f"--output={tmp_path / 'results'}", "--workers=1"]
    process = commands.run("pose_code.study", *folders, *flags)
    assert process.returncode != 0
    assert process.stderr.strip().splitlines()[-1].startswith("Error: ")
    assert message in process.stderr and not (tmp_path / "results").exists()

"""The pose study: what it chooses, its tables, and objects that look alike from several sides."""

import dataclasses
import json
import re
import shlex

import commands
import hands
import numpy as np
import pytest

import maml
from maml.experiments import selection, sweep
from maml.experiments.tables import Both, Table
from pose_code import config, experiment, study, study_report, symmetry, together
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


@pytest.mark.parametrize("name", [*TABLES, "objects"])
def test_tables_hold_options_that_exist(name):
    table = (TABLES | {"objects": more_objects("elsewhere")})[name]
    tasks = PoseTasks(*hands.hands(2, 8, seed=0), 3, 3)
    for row in table.rows.values():
        if isinstance(row, Both):
            assert set(row) <= set(table.rows)
            continue
        for options in row:
            for preset in config.PRESETS:
                config.from_preset(preset, **(table.base | options))
        # A layer that is named must be there.
        settings = hands.tiny(**(table.base | row[0]))
        learner = experiment.build(settings, 16)
        learner.create_weights(tasks.sample(2, [0, 0]))
        assert len({selection.strength(options) for options in row}) == len(row)


def record(row, validation, **more):
    scores = {split: {"mse": {"mean": value}} for split, value in more.items()}
    return {"table": "t", "row": row, "options": {"s": validation}, "seed": 0} | {
        "validation": {
            "mse": {"mean": validation},
            "information_lower": {"mean": 1 / validation},
            "swap_gap": {"mean": validation},
        },
        **scores,
    }


def test_rank_correlations_leave_out_what_diverged():
    records = [record("a", value, test=value**2) for value in (0.5, 2.0, 1.0)]
    lost = [record("a", 9, test=0) | {sweep.DIVERGED: "NaN"}, record("a", 9, test=np.nan)]
    found = study.correlate([*records, *lost])
    assert len(found["models"]) == 3
    assert found["spearman"] == {"information": -1, "swap_gap": 1}


def test_gains_are_paired_by_seeds_and_of_one_seed_by_objects():
    def run(seed, *errors):
        objects = {str(i): {"mse": value} for i, value in enumerate(errors)}
        return {"seed": seed, "test": {"mse": {"mean": np.mean(errors)}, "objects": objects}}

    plain = [run(0, 4.0, 8.0), run(1, 1.0, 3.0), {"seed": 2, sweep.DIVERGED: "NaN"}]
    # Differences of 1 and 3: a mean of 2, and Student's t of one degree of freedom, 12.706.
    found = study.gain(plain, [run(0, 3.0, 7.0), run(1, -2.0, 0.0), run(2, 1.0, 1.0)])
    assert found == pytest.approx({"mean": 2, "ci95": 12.706}, rel=1e-4)
    found = study.gain(plain, [run(1, 0.0, 0.0)])
    assert found == pytest.approx({"mean": 2, "ci95": 12.706}, rel=1e-4)
    assert study.gain(plain, [run(2, 1.0, 1.0)]) is None


def test_the_study_chooses_trains_resumes_and_reports(data_dir, tmp_path):
    measures = {
        "nothing": [{"regularizer": "none"}],
        "labels": [{"regularizer": "mine", "mi_weight": weight} for weight in (0.5, 1.0)],
    }
    same = {"nothing": [{"regularizer": "none", "learner": "cnp"}]}
    tables = {
        "one": Table("Measures", {"learner": "cnp"}, measures, seeds=1),
        "two": Table("The same run again", {}, same, seeds=2),
    }
    changed = hands.TINY | {"num_validation": 4, "other_shots": "2", "image_augmentation": "shift"}
    plan = study.Study(tables, str(data_dir), tmp_path / "runs", "quick", changed=changed)
    result = study.study(plan)

    rows = {row["row"]: row for row in result["tables"]["one"]["rows"]}
    assert list(rows) == list(measures)
    assert [row["seeds"] for row in rows.values()] == [[0]] * 2
    (row,) = result["tables"]["two"]["rows"]
    assert row["seeds"] == [0, 1] and row["mse"]["ci95"] > 0
    assert rows["nothing"]["gain"] is None and row["gain"] is None
    errors = [rows[name]["mse"]["mean"] for name in measures]
    assert rows["labels"]["gain"]["mean"] == pytest.approx(errors[0] - errors[1], abs=1e-5)
    # Two seeds answer together as well, from one file that answers about images too.
    assert row["together"]["mse"]["mean"] > 0 and rows["labels"]["together"] is None
    (ensemble,) = (tmp_path / "runs/together").glob("*/learner.keras")
    assert len(maml.load(ensemble).members) == 2 and (ensemble.parent / "config.json").exists()
    # Of other runs, such as those that were trained anew, it is another.
    content = json.loads((ensemble.parent / together.SCORES).read_text())
    content |= {"members": [*content["members"][:1], "another"], "mse": {"mean": 0, "ci95": 0}}
    (ensemble.parent / together.SCORES).write_text(json.dumps(content))
    tried = [row for row in result["sweep"] if row["row"] == "labels"]
    best = min(tried, key=lambda row: row["validation_mse"])["options"]["mi_weight"]
    assert rows["labels"]["options"]["mi_weight"] == best
    assert set(rows["labels"]["shots"]) == {"2"} and len(rows["labels"]["objects"]) == 8

    # What two tables want is trained once, with two seeds; there are two baselines.
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("results.json")}
    assert len(times) == 2 + 2 + 2
    again = study.study(plan)
    assert json.dumps(again) == json.dumps(result)
    assert times == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("results.json")}

    # The command that stands beside a row makes the same numbers.
    command = shlex.split(rows["labels"]["commands"][0])[2:]
    alone = commands.run(*command, f"--logdir={tmp_path / 'alone'}")
    assert alone.returncode == 0, alone.stderr
    record = json.loads((tmp_path / "alone/results.json").read_text())
    assert record["test"]["mse"]["mean"] == rows["labels"]["mse"]["mean"]

    # What learns nothing is scored as the runs are, whatever was scored in this folder before.
    changed = changed | {"eval_episodes": 2 * hands.TINY["eval_episodes"]}
    more = dataclasses.replace(plan, tables={"two": tables["two"]}, seeds=1, changed=changed)
    constants = [of["baselines"][0]["objects"] for of in (result, study.study(more))]
    assert constants[0] != constants[1]
    turned = result["data"] | {"test_images": "turned"}
    with pytest.raises(FileExistsError, match="scores of other data: pass another --logdir"):
        study._baselines(more, more.config(tables["two"], {}, 0), turned)

    result |= {"command": "python", "hardware": "two", "date": "today", "workers": 2}
    text = study_report.markdown(result)
    assert "## Measures, 4 steps\n" in text
    assert "| labels | λ = " in text and "| pixel kernel regression" in text
    assert "| hand (8) |" in text and "| hand/val0 |" in text
    widths = {
        len(re.findall(r"(?<!\\)\|", line))
        for line in study_report._table(result["tables"]["one"]["rows"], result)
    }
    assert len(widths) == 1
    study_report.draw(result, str(data_dir), tmp_path)
    for name in ("curves_one", "curves_two", "predictions", "information"):
        assert (tmp_path / f"{name}.png").read_bytes()[1:4] == b"PNG"


def test_a_study_whose_runs_all_diverged_reports_that(data_dir, tmp_path):
    tables = {"one": Table("Measures", {"learner": "cnp"}, {"wild": [{"meta_lr": 1e30}]}, seeds=1)}
    changed = hands.TINY | {"num_validation": 2, "steps": 20, "steps_per_epoch": 10}
    plan = study.Study(tables, str(data_dir), tmp_path / "runs", "quick", 1, 1, changed=changed)
    result = study.study(plan) | {"command": "python", "hardware": "two", "date": "today"}
    text = study_report.markdown(result)
    assert "| wild |  | 1 |  | diverged |" in text and "squared error (" in text
    study_report.draw(result, str(data_dir), tmp_path)
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data_dir=nowhere"], "nowhere"),
        (["--data_dir=nowhere", "--tables=chairs"], "--tables has 'chairs'"),
        (["--data_dir=nowhere", "--methods=hope"], "--methods has 'hope'"),
        (["--data_dir=nowhere", "--tables=objects"], "needs --extra_data_dir"),
        (
            ["--data_dir=nowhere", "--extra_data_dir=x", "--tables=cnp,objects"],
            "--tables has 'cnp'",
        ),
    ],
)
def test_the_command_says_what_is_wrong(flags, message, tmp_path):
    folders = [f"--logdir={tmp_path / 'runs'}", f"--output={tmp_path / 'results'}"]
    process = commands.run("pose_code.study", *folders, *flags)
    assert process.returncode != 0
    assert process.stderr.strip().splitlines()[-1].startswith("Error: ")
    assert message in process.stderr and not (tmp_path / "results").exists()

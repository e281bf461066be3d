"""The study of the number of training tasks at which learners stop memorizing."""

import math

import matplotlib.colors
import matplotlib.image
import numpy as np
import pandas as pd
import pytest

import maml
from maml.experiments.executors.local import shared
from maml.experiments.study import Plan, run_study
from maml.studies import crossings
from maml.studies import threshold as study
from mine import reporting

COUNTS = [2, 8, 16, 64]
TINY = {
    "steps": 2, "steps_per_epoch": 2, "meta_batch_size": 4, "num_validation_batches": 1,
    "num_test_tasks": 4, "num_validation_tasks": 4, "episodes_per_task": 1,
}  # fmt: skip
TOLD = {"provenance": {"command": "python", "hardware": "two", "date": "today"}, "workers": 1}


def test_the_threshold_is_where_a_value_linear_in_octaves_crosses_zero():
    """By hand: the value rises from -1 to 1 between 8 and 16."""
    assert crossings.crossing(COUNTS, [-4, -1, 1, 2]) == pytest.approx(3.5)
    assert crossings.crossing(COUNTS, [1, 1, 1, 1]) == 1.0
    assert crossings.crossing(COUNTS, [-1, -1, -1, -1]) == math.inf


def test_of_several_crossings_the_first_counts():
    """With many tasks both exact answers become one, and the value is noise."""
    assert crossings.crossing(COUNTS, [-1, 1, 0.1, -0.1]) == pytest.approx(2.0)
    assert crossings.crossing(COUNTS, [1, -1, 1, 1]) == 1.0


def runs(**shift):
    """Runs whose log-ratio is 0 at log2 M = 4 less a shift, for two seeds half an octave apart."""
    rows = []
    for method, octaves in {"none": 0.0, **shift}.items():
        for seed in (0, 1):
            for count in COUNTS:
                log_ratio = 4 + seed / 2 - octaves - math.log2(count)
                rows.append(
                    {"table": f"cnp_{method}", "row": str(count), "seed": seed}
                    | {"further.distance.test.ridge.mean": math.exp(log_ratio)}
                    | {"further.distance.test.memorizer.mean": 1.0}
                )
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_shifts_are_paired_by_seed():
    found = crossings.shifts(
        crossings.crossings(runs(label_mi=2.0, weight_decay=-9.0), study.nearer), COUNTS[0]
    )
    rows = {row["method"]: row for row in found}
    assert rows["none"]["log2"]["mean"] == pytest.approx(4.25) and rows["none"]["octaves"] is None
    assert rows["label_mi"]["octaves"] == pytest.approx({"mean": 2.0, "ci95": 0.0}, abs=1e-9)
    assert rows["label_mi"]["seeds"] == [0, 1]
    assert rows["weight_decay"]["log2"] is None and rows["weight_decay"]["octaves"] is None


def test_a_threshold_at_the_least_number_of_tasks_is_that_or_fewer():
    """By hand: with Label-MI the seeds have 0.75, below the least count, and 1.25 octaves."""
    result = {}
    crossings.keep(result, runs(label_mi=3.25, weight_decay=0.0), study.nearer)
    rows = {row["method"]: row for row in result["thresholds"]}
    assert [rows[of]["at_least"] for of in crossings.METHODS] == [0, 1, 0]
    text = "\n".join(crossings.section(result, study.LEARNERS))
    assert "| no regularizer | 2 | 19 | 4.25 ± 3.18 |" in text
    assert "| Label-MI | 2 | 2 or fewer | 1.12 ± 1.59 | 8.7 or more | 3.12 ± 1.59 or more |" in text
    assert "| weight decay | 2 | 19 | 4.25 ± 3.18 | 1 | 0.00 ± 0.00 |" in text


def test_where_all_thresholds_may_be_less_nothing_is_said_of_how_far_they_move():
    result = {}
    crossings.keep(result, runs(none=3.25, label_mi=3.25), study.nearer)
    assert [row["octaves"] for row in result["thresholds"]] == [None, None]
    assert [row["at_least"] for row in result["thresholds"]] == [1, 1]


def test_runs_that_diverged_are_left_out():
    table = runs()
    lost = (table["row"] == "2") & (table["seed"] == 0)
    table.loc[lost, "further.distance.test.ridge.mean"] = np.nan
    assert crossings.crossings(table, study.nearer)["cnp_none"] == pytest.approx({0: 4.0, 1: 4.5})


def test_distances_of_the_exact_learners_are_zero_and_what_lies_between():
    problem = maml.TASKS.make("linear_regression", inputs=2, shots=3, queries=4, train_tasks=3)
    ridge, memorizer = (
        maml.make_learner(kind, problem.networks, problem.head)
        for kind in ("ridge", "posterior_over_tasks")
    )
    of_ridge, of_memorizer = (study.distances(of, problem, 30) for of in (ridge, memorizer))
    for split in ("train", "test"):
        assert of_ridge[split]["ridge"]["mean"] == of_memorizer[split]["memorizer"]["mean"] == 0
        between = of_ridge[split]["between"]
        assert of_ridge[split]["memorizer"] == of_memorizer[split]["ridge"] == between
        assert between["mean"] > 0.01
    batches = [*problem.test.fixed(1, study.BATCH, 0, 30)]
    gaps = [np.mean((ridge(e) - memorizer(e)) ** 2, axis=(1, 2)) for e in batches]
    assert of_ridge["test"]["between"]["mean"] == pytest.approx(np.concatenate(gaps).mean(), 1e-5)


def test_every_row_of_a_registered_learner_is_a_valid_run():
    plan = Plan(study.STUDY, None)
    for name, table in study.TABLES.items():
        if table.base["learner"] in maml.LEARNERS:
            for row in table.rows.values():
                assert plan.config(name, row[0], 0).epoch_steps() == 2500


@pytest.mark.slow
def test_the_study_runs_goes_on_and_writes_its_page(in_process, tmp_path):
    small = {"learner.hidden": (8,), "network.embedding": (8,)}
    tables, rows = ("cnp_none",), ("2", "8")
    plan = Plan(study.STUDY, tmp_path / "runs", tables, rows, 1, shared(1), TINY | small)
    result = run_study(plan) | TOLD
    text = study.write(result, plan, tmp_path / "out")
    assert "| CNP | no regularizer | 1 |" in text and "## CNP, no regularizer" in text
    assert (tmp_path / "out" / "threshold.png").read_bytes()[1:4] == b"PNG"
    folders = sorted((tmp_path / "runs").iterdir())
    stamps = [(folder / "results.json").stat().st_mtime_ns for folder in folders]
    again = run_study(plan) | TOLD
    assert study.write(again, plan, tmp_path / "out") == text and len(folders) == 2
    assert stamps == [(folder / "results.json").stat().st_mtime_ns for folder in folders]


def test_a_study_of_one_number_of_tasks_is_drawn_as_dots(tmp_path):
    def pixels(value):
        names = [f"distance.test.{name}" for name in ("ridge", "memorizer", "between")]
        row = {f"further.{name}.mean": value * (1 + index) for index, name in enumerate(names)}
        row |= {"row": "8", f"scores.test.{crossings.INFORMATION}.mean": value}
        result = {"tables": {"cnp_none": {"rows": [row]}}, "thresholds": []}
        study.draw(result, tmp_path / "threshold.png")
        found = matplotlib.image.imread(tmp_path / "threshold.png")[..., :3]
        colour = matplotlib.colors.to_rgb(reporting.COLOURS[0])
        return np.sum(np.abs(found - colour).max(-1) < 0.05)

    assert pixels(0.5) > pixels(math.nan)  # The legend alone.

"""Studies: grids of runs, what is chosen from them, tables, words and pictures."""

import functools
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import time

import commands
import numpy as np
import pytest
import tensorflow as tf

import maml
from maml import train
from maml.experiments import selection, sweep, tables
from maml.studies import (
    memorization,
    memorization_report,
    robustness,
    robustness_report,
    sinusoids,
    task_shift,
)
from maml.studies.function_errors import Scorer
from maml.tasks.regression import FunctionRange

ROOT = pathlib.Path(__file__).parent.parent
TINY = {
    "steps": 2, "steps_per_epoch": 2, "meta_batch_size": 4, "num_validation_batches": 1,
    "num_test_tasks": 4, "num_validation_tasks": 4,
    "inner_steps": 1, "hidden": 8, "dim_r": 8, "dim_z": 8,
}  # fmt: skip


# -- the grid ---------------------------------------------------------------------------------


def square(x):
    if x == 3:
        raise FloatingPointError("too large")
    return {"square": x**2, "process": os.getpid()}


def refuse():
    raise ValueError("no such thing")


def test_jobs_run_in_other_processes_and_a_divergence_is_a_result():
    jobs = {str(x): functools.partial(square, x) for x in (2, 3, 1)}
    records = sweep.run(jobs, 1, "squares")
    assert list(records) == ["2", "3", "1"]
    assert [records[name].get("square") for name in records] == [4, None, 1]
    assert records["3"] == {sweep.DIVERGED: "too large"}
    assert records["2"]["process"] == records["1"]["process"] != os.getpid()
    with pytest.raises(ValueError, match="no such thing"):
        sweep.run({"a": refuse, "b": functools.partial(square, 1)}, 1, "errors")


def test_a_process_that_is_killed_is_told_in_a_sentence():
    with pytest.raises(OSError, match="killed, perhaps for want of memory.*goes on"):
        sweep.run({"a": functools.partial(os._exit, 1)}, 1, "killed")
    assert sweep.run({"2": functools.partial(square, 2)}, 1, "again")["2"]["square"] == 4


def test_workers_end_with_the_process_that_was_killed(tmp_path):
    program = tmp_path / "jobs.py"
    program.write_text(
        "import functools, os, pathlib, time\n"
        "from maml.studies import grid\n"
        "def job(folder):\n"
        "    (pathlib.Path(folder) / str(os.getpid())).touch()\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        f"    grid.run({{'a': functools.partial(job, {str(tmp_path / 'pids')!r})}}, 1, 'long')\n"
    )
    (tmp_path / "pids").mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, program], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        pids = waited(lambda: list((tmp_path / "pids").iterdir()))
        process.send_signal(signal.SIGKILL)
    worker = pathlib.Path("/proc") / pids[0].name
    waited(lambda: not worker.exists() or "Z" in (worker / "stat").read_text().split()[2])


def waited(condition, seconds=120):
    """What a condition gives once it holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("It never came to hold.")


# -- tables -----------------------------------------------------------------------------------


def test_a_table_chooses_by_one_seed_combines_what_was_chosen_and_runs_all_seeds():
    measures = {
        "both": tables.Both("MR-W", "labels"),
        "nothing": [{"regularizer": "none"}],
        "MR-W": selection.each("kl_weight", (1.0, 0.75), regularizer="weights", kl_layers="all"),
        "labels": selection.each("mi_weight", (0.1, 0.5, 2.0), regularizer="mine"),
    }
    once = {"nothing": [{"regularizer": "none"}]}
    given = {
        "a": tables.Table("Measures", {}, measures, seeds=2),
        "b": tables.Table("Once", {}, once, seeds=1),
    }
    calls = []

    def run(wanted, title):
        calls.append((title, wanted))
        return [want._asdict() for want in wanted]

    def error(record):
        options = record["options"]
        return abs(options.get("kl_weight", 0.25) - 0.25) + abs(options.get("mi_weight", 0) - 0.5)

    tried, final = tables.train(given, run, error, None)
    assert [title for title, _ in calls] == [
        "Choosing strengths", "Combining", "Training with all seeds"
    ]  # fmt: skip
    assert [len(wanted) for _, wanted in calls] == [2 + 3, 2, 4 * 2 + 1]
    assert len(tried) == 5 + 2 and all(record["seed"] == 0 for record in tried)
    rows = {(record["table"], record["row"]): record["options"] for record in final}
    assert list(rows) == [("a", row) for row in measures] + [("b", "nothing")]
    assert rows["a", "MR-W"]["kl_weight"] == 0.75 and rows["a", "labels"]["mi_weight"] == 0.5
    # A third of its strength is better still beside the other, and nothing else is lost.
    assert rows["a", "both"] == {
        "regularizer": "weights,mine", "kl_weight": 0.25, "kl_layers": "all", "mi_weight": 0.5
    }  # fmt: skip

    # What a row is put together from is chosen although it is not wanted itself.
    tried, final = tables.train(given, run, error, 3, ["both"])
    assert len(tried) == 5 + 2
    # More seeds than a table's own, if they are asked for.
    assert [(record["row"], record["seed"]) for record in final] == [("both", s) for s in range(3)]


# -- the memorization table -------------------------------------------------------------------


def record(learner, method, validation, test, strength=0.0, seed=0, shots=5, nats=0.1):
    """A run as the study sees it."""
    scores = {"train": 0.1, "validation": validation, "test": test}
    diagnosis = {
        split: {
            "after": {"mean": score},
            "swap_gap": {"mean": 1.0},
            "label_information": {"lower": {"mean": nats}},
        }
        for split, score in scores.items()
    }
    return {
        "learner": learner, "method": method, "options": {"regularizer": method, "s": strength},
        "shots": shots, "seed": seed, "diagnosis": diagnosis, "steps": 7, "train_seconds": 2.0,
        "command": "python", "terms": {},
    }  # fmt: skip


def test_strengths_are_chosen_on_validation_tasks_for_each_learner():
    diverged = record("cnp", "MR-W", 0, 0, 9.0) | {sweep.DIVERGED: "NaN"}
    records = [
        record("cnp", "MR-W", 0.5, 0.1, 1.0),
        record("cnp", "MR-W", 0.3, 0.9, 2.0),
        record("cnp", "MR-W", 0.4, 0.0, 3.0),
        record("maml", "MR-W", 0.2, 0.9, 1.0),
        diverged,
    ]
    chosen = memorization.choose(records)
    assert chosen["cnp", "MR-W"]["s"] == 2.0 and chosen["maml", "MR-W"]["s"] == 1.0


def test_what_a_method_chooses_from_has_different_names():
    """They are names of files too."""
    for methods in memorization.SINGLE.values():
        assert len({memorization_report.strength(method) for method in methods}) == len(methods)


def test_combinations_are_of_the_chosen_strengths_and_of_thirds():
    first = {"regularizer": "weights", "kl_weight": 0.3}
    second = {"regularizer": "mine", "mi_target": "prediction", "mi_weight": 3.0}
    both = selection.combined(first, second)
    assert all(one["regularizer"] == "weights,mine" for one in both)
    assert all(one["mi_target"] == "prediction" for one in both)
    weights = sorted((round(one["kl_weight"], 6), one["mi_weight"]) for one in both)
    assert weights == [(0.1, 3.0), (0.3, 3.0)]


def test_rows_are_means_over_seeds_and_count_divergences():
    records = [record("cnp", "MINE", 1, test, seed=seed) for seed, test in enumerate((1.0, 3.0))]
    records.append(record("cnp", "MINE", 0, 0, seed=2) | {sweep.DIVERGED: "NaN"})
    (row,) = memorization.tabulate(records)
    assert row["mean"] == 2.0 and math.isclose(row["ci95"], 12.7062, rel_tol=1e-4)
    assert (row["seeds"], row[sweep.DIVERGED], row["steps"]) == ([0, 1, 2], 1, 7)


def test_rank_correlations_are_of_distinct_runs_in_their_groups():
    points = [(0.1, 0.9), (0.2, 0.5), (0.3, 0.6), (0.4, 0.2)]
    records = [
        record("cnp", "MR-A", 0, test, strength=i, nats=nats)
        for i, (nats, test) in enumerate(points)
    ]
    lost = record("cnp", "MR-A", 0, math.nan, strength=9, nats=0.5)
    found = memorization.correlate([*records, *records[:2], lost])
    group = found["not trained on it"]
    assert group["models"] == 4 and math.isclose(group["spearman"], -0.8)
    assert math.isnan(found["trained on it, by a free critic"]["spearman"])


def test_the_memorization_study_runs_resumes_and_reports(tmp_path, monkeypatch):
    chosen = {"nothing": 1, "MR-W": 2, "MINE": 1}
    fewer = {name: memorization.SINGLE[name][:count] for name, count in chosen.items()}
    monkeypatch.setattr(memorization, "SINGLE", fewer)
    monkeypatch.setattr(memorization, "COMBINED", {"MR-W + MINE": ("MR-W", "MINE")})
    monkeypatch.setitem(memorization.LEARNERS, "cnp", {"learner": "cnp"})
    plan = memorization.Study(tmp_path, ("cnp",), (3,), 2, 2, TINY)
    result = memorization.study(plan)
    assert [row["regularizer"] for row in result["rows"]] == [*chosen, "MR-W + MINE"]
    assert all(row["seeds"] == [0, 1] and row["shots"] == 3 for row in result["rows"])
    assert len(result["sweep"]) == 4 + 2
    mine = [row for row in result["sweep"] if row["method"] == "MINE"]
    assert all(row["power_ratio"] > 0 for row in mine)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("results.json")}
    assert len(times) == 8 + 2
    again = memorization.study(plan)
    assert json.dumps(again) == json.dumps(result)
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("results.json")}
    result |= {"command": "python", "hardware": "two", "date": "today", "workers": 2}
    text = memorization_report.markdown(result)
    assert "| CNP | MR-W + MINE | β = " in text and "rank correlation" in text
    memorization_report.draw_sweep(result, tmp_path / "sweep.png")
    memorization_report.draw_correlation(result, tmp_path / "diagnosis.png")
    assert all((tmp_path / f"{n}.png").read_bytes()[1:4] == b"PNG" for n in ("sweep", "diagnosis"))


def test_a_study_whose_runs_all_diverged_reports_that(tmp_path):
    records = [
        record("cnp", method, 0, 0) | {sweep.DIVERGED: "NaN"} for method in ("nothing", "MINE")
    ]
    for one in records:
        one["options"]["mi_weight"] = 0.3
    result = {
        "rows": memorization.tabulate(records),
        "sweep": [memorization.summary(one) for one in records],
        "correlation": memorization.correlate(records),
        "training_seconds": 0.0,
    }
    told = {"command": "python", "hardware": "two", "date": "today", "workers": 2}
    assert memorization_report.markdown(result | told).count("| diverged |") == 4
    memorization_report.draw_sweep(result, tmp_path / "sweep.png")
    memorization_report.draw_correlation(result, tmp_path / "diagnosis.png")


# -- sinusoids and drift ----------------------------------------------------------------------


class Answers:
    """A learner whose answer is a number times x after its support set, and 0 before."""

    test_inner_steps = 1

    def __init__(self, slope):
        self.slope = slope

    def features(self, x):
        return x

    def encode(self, x, y):
        return tf.fill([x.shape[0], 1, 1], self.slope)

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1, 1])

    def predict(self, d, x):
        return maml.NormalHead()(d * x)


def test_scores_are_against_the_truth_without_noise():
    ranges = FunctionRange(shape="linear", amplitude=(6.0, 6.0), phase=(0.0, 0.0), noise=3.0)
    family = ranges.draw(10, 3, 20, tf.constant([0, 0]))
    slope = float(family.true_labels([0], tf.ones([1, 1, 1]))[0, 0, 0])
    after, before, power = Scorer(Answers(slope))(family, tasks=10, batch_size=5)
    np.testing.assert_allclose(after, 0.0, atol=1e-10)
    np.testing.assert_allclose(before, power)
    after, before, power = Scorer(Answers(slope / 2))(family, tasks=10, batch_size=5)
    np.testing.assert_allclose(after, power / 4, rtol=1e-5)
    assert after.shape == (10,)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A network that is fine-tuned at test time: its options, file and record."""
    config = sinusoids.config("pretrained", 3, 0, TINY | {"inner_steps": 0})
    path = tmp_path_factory.mktemp("pretrained") / "p.keras"
    return config, path, sinusoids.job(config, path, "pretrained")


def test_the_sinusoid_job_scores_each_number_of_steps_and_chooses_rates(pretrained, tmp_path):
    config, path, record = pretrained
    assert list(record["errors"]) == [str(count) for count in sinusoids.COUNTS]
    assert len(set(record["errors"].values())) == len(sinusoids.COUNTS)
    again = sinusoids.job(config, path, "pretrained")
    assert again == record
    oracle = sinusoids.config("oracle", 3, 0, TINY | {"inner_steps": 0})
    errors = sinusoids.job(oracle, tmp_path / "o.keras", "oracle")["errors"]
    assert len(set(errors.values())) == 1
    keys = [("pretrained", 3, 0), ("pretrained", 3, 1), ("oracle", 3, 0)]
    lost = {sweep.DIVERGED: ""}
    rows = sinusoids.tabulate(dict(zip(keys, [record, record, lost], strict=True)))
    assert [row["inner_steps"] for row in rows[:-1]] == list(sinusoids.COUNTS)
    assert rows[2]["mean"] == record["errors"]["5"] and rows[2]["ci95"] == 0.0
    result = {"command": "c", "hardware": "h", "date": "d", "training_seconds": 60, "workers": 2}
    text = sinusoids.markdown(result | {"rows": rows})
    assert "| oracle | 3 | diverged |" in text and "of 2 diverged" not in text
    rows = sinusoids.tabulate(dict(zip(keys, [lost, record, record], strict=True)))
    assert "(1 of 2 diverged) |" in sinusoids.markdown(result | {"rows": rows})


def test_the_rate_of_fine_tuning_is_the_best_on_validation_tasks(pretrained):
    config, path, record = pretrained
    errors = record["errors"]
    learner, problem = maml.load(path), config.problem()
    learner.test_inner_steps, found = 5, {}
    for learner.inner_lr in sinusoids.RATES:
        scorer = Scorer(learner)
        found[scorer(problem.validation)[0].mean()] = scorer(problem.test)[0].mean()
    assert len(found) == len(sinusoids.RATES)
    np.testing.assert_allclose(errors["5"], found[min(found)], rtol=1e-5)
    assert min(abs(errors["5"] / of - 1) for of in found) > 1e-3, "no validation error"


@pytest.mark.parametrize(
    ("solved", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.3, 0.0], 1.5),
        ([0.9, 0.8, 0.4, 0.9, 0.9], 0.75),
        ([0.9, 0.4, 0.7, 0.3, 0.0], 0.0),
        ([0.2, 0.6, 0.6, 0.6, 0.6], 3.0),
    ],
)
def test_the_limit_is_where_half_of_the_tasks_are_solved(solved, expected):
    assert math.isclose(task_shift.limit([0.0, 0.0, 1.0, 2.0, 3.0], solved), expected)


def test_axes_begin_inside_the_training_distribution():
    for axis in task_shift.AXES.values():
        assert axis.distances[0] == 0 and axis.distances == sorted(axis.distances)
        assert sum(distance > 0 for distance in axis.distances) >= 4


def test_the_study_of_drift_scores_reports_and_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(task_shift, "TASKS", 100)
    plan = sinusoids.Study(tmp_path / "runs", seeds=2)
    records, scores = {}, {}
    for name, options in {"MAML": {"learner": "maml"}, "CNP": {"learner": "cnp"}}.items():
        for seed in range(2):
            config = train.Config(**(TINY | options | {"shots": 10, "seed": seed}))
            path = plan.path(name, 10, seed)
            records[name, 10, seed] = train.train(config, path, verbose=0, pictures=False)
            scores.setdefault(name, []).append(task_shift.drift(path))
            assert task_shift.drift(path) == scores[name][-1]
    result = task_shift.aggregate(scores)
    zero = [result["MAML"]["axes"][axis][0]["error"]["mean"] for axis in ("noise", "range of x")]
    assert zero[0] == pytest.approx(zero[1])  # Both are the training distribution.
    steps = result["MAML"]["inner_steps"]
    assert steps[0]["error"] == steps[0]["before"] and not result["CNP"]["inner_steps"]
    text = robustness_report.words(result)
    assert "drifts best" in text and "octaves above" in text
    table = robustness.rows(result, records)
    values = sum(len(axis.values) for axis in task_shift.AXES.values()) + len(task_shift.SHAPED)
    assert len(table) == 2 * values and table[0]["seeds"] == [0, 1]
    run = {"command": "python", "hardware": "two", "date": "today"}
    assert "| shape | square |" in robustness_report.markdown(run | {"rows": table, "answer": text})
    json.dumps(table)
    plan.path("MAML", 10, 0).unlink()  # As after a divergence: the next seed is drawn.
    robustness_report.draw(result, plan, tmp_path)
    assert len(list(tmp_path.glob("*.png"))) == 5 + 2


@pytest.mark.parametrize(
    ("module", "flag", "message"),
    [
        ("memorization", "--learners=tea", "--learners has 'tea'; there are cnp, metasgd, maml"),
        ("memorization", "--learners=cnp,cnp", "--learners has 'cnp' twice"),
        ("memorization", "--shots=x", "--shots takes whole numbers"),
        ("sinusoids", "--shots=5,0", "--shots takes whole numbers of 1 or more"),
        ("sinusoids", "--shots=5,05", "--shots has 5 twice"),
        ("robustness", "--shots=", "--shots is empty"),
        ("sinusoids", "--steps=7000", "no whole number of epochs"),
    ],
)
def test_studies_refuse_in_one_sentence(module, flag, message, tmp_path):
    folders = [f"--logdir={tmp_path / 'runs'}", f"--output={tmp_path / 'out'}"]
    process = commands.run(f"maml.studies.{module}", *folders, flag, cwd=ROOT)
    assert process.returncode != 0 and message in process.stderr
    assert not (tmp_path / "out").exists()


def test_tables_without_a_row_that_is_asked_for_are_left_out():
    every = {name: tables.Table(name, {}, {row: [{}] for row in rows}) for name, rows in
             {"one": ["a", "b, too"], "two": ["b, too", "c"]}.items()}  # fmt: skip
    assert list(tables.selected(every, ["one", "two"], None)) == ["one", "two"]
    assert list(tables.selected(every, ["one", "two"], ["c"])) == ["two"]
    for names, rows, told in (
        (["one"], ["c"], "--methods has 'c'; there are a, \"b, too\"."),
        ([], None, "--tables is empty"),
        (["one", "one"], None, "--tables has 'one' twice"),
        (["one"], ["a", "a"], "--methods has 'a' twice"),
        (["one"], [], "--methods is empty"),
        (["three"], None, "--tables has 'three'"),
        (["one"], ["d"], "--methods has 'd'"),
    ):
        with pytest.raises(ValueError, match=told):
            tables.selected(every, names, rows)


@pytest.mark.parametrize("lost", [None, math.nan, math.inf])
def test_a_run_whose_error_is_not_finite_is_not_chosen(lost):
    records = [{"options": "lost", "error": lost}, {"options": "kept", "error": 3.0}]
    assert selection.best(records, lambda record: record["error"]) == "kept"

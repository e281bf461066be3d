"""Studies: jobs side by side, what is chosen from them, tables, words and pictures."""

import dataclasses
import functools
import json
import math
import os
import pathlib
import re
import signal
import subprocess
import sys

import commands
import numpy as np
import pytest
import tensorflow as tf
import toys

import maml
from maml.experiments import Config, report, run_folder, selection, sweep, training
from maml.experiments.executors.base import DIVERGED
from maml.experiments.executors.local import shared
from maml.experiments.study import Both, Plan, Study, Table, Wanted, run_name, run_study
from maml.learners import saving
from maml.studies import fewshot, memorization, robustness, task_shift
from maml.studies.function_errors import Scorer
from maml.tasks.regression import FunctionRange

ROOT = pathlib.Path(__file__).parent.parent
TINY = {
    "steps": 2, "steps_per_epoch": 2, "meta_batch_size": 4, "num_validation_batches": 1,
    "num_test_tasks": 4, "num_validation_tasks": 4,
}  # fmt: skip
TOLD = {"provenance": {"command": "python", "hardware": "two", "date": "today"}, "workers": 2}


def is_picture(path):
    return path.read_bytes()[1:4] == b"PNG"


# -- jobs side by side ------------------------------------------------------------------------


def square(x):
    if x == 3:
        raise FloatingPointError("too large")
    return {"square": x**2, "process": os.getpid()}


def refuse():
    raise ValueError("no such thing")


@pytest.mark.slow
def test_jobs_run_in_other_processes_and_a_divergence_is_a_result():
    jobs = {str(x): functools.partial(square, x) for x in (2, 3, 1)}
    records = sweep.run(jobs, shared(1), "squares")
    assert list(records) == ["2", "3", "1"]
    assert [records[name].get("square") for name in records] == [4, None, 1]
    assert records["3"] == {DIVERGED: "too large"}
    assert records["2"]["process"] == records["1"]["process"] != os.getpid()
    with pytest.raises(ValueError, match="no such thing"):
        sweep.run({"a": refuse, "b": functools.partial(square, 1)}, shared(1), "errors")


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_in_a_sentence():
    with pytest.raises(OSError, match="killed, perhaps for want of memory.*goes on"):
        sweep.run({"a": functools.partial(os._exit, 1)}, shared(1), "killed")
    assert sweep.run({"2": functools.partial(square, 2)}, shared(1), "again")["2"]["square"] == 4


@pytest.mark.slow
def test_workers_end_with_the_process_that_was_killed(tmp_path):
    program = tmp_path / "jobs.py"
    program.write_text(
        "import functools, os, pathlib, time\n"
        "from maml.experiments import sweep\n"
        "from maml.experiments.executors.local import shared\n"
        "def job(folder):\n"
        "    (pathlib.Path(folder) / str(os.getpid())).touch()\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        f"    jobs = {{'a': functools.partial(job, {str(tmp_path / 'pids')!r})}}\n"
        "    sweep.run(jobs, shared(1), 'long')\n"
    )
    (tmp_path / "pids").mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, program], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        pids = toys.waited(lambda: list((tmp_path / "pids").iterdir()))
        process.send_signal(signal.SIGKILL)
    worker = pathlib.Path("/proc") / pids[0].name
    toys.waited(lambda: not worker.exists() or "Z" in (worker / "stat").read_text().split()[2])


# -- tables -----------------------------------------------------------------------------------

ROWS = {
    "both": Both("MR-W", "Label-MI"),
    "none": [{"regularizer": "none"}],
    "MR-W": selection.each("weight", (1.0, 0.75), regularizer="mr_w", layers=("all",)),
    "Label-MI": selection.each("weight", (0.1, 0.5, 2.0), regularizer="label_mi"),
}
TABLES = {
    "a": Table("Methods", {"learner": "cnp", "mr_w.sigma": 0.5}, ROWS, seeds=2),
    "b": Table("Once", {}, {"none": [{"regularizer": "none"}]}, seeds=1),
    "c": Table("More shots", {"learner": "cnp", "task.shots": 20}, ROWS, seeds=1, chosen_in="a"),
}


def distance(config):
    """A made-up error, least for the weights 0.25 of MR-W and 0.5 of Label-MI."""
    own = config.regularizers
    weights = own.get("mr_w", {}).get("weight", 0.25), own.get("label_mi", {}).get("weight", 0)
    return abs(weights[0] - 0.25) + abs(weights[1] - 0.5)


@pytest.fixture
def made_up(monkeypatch):
    """Titles and configurations of the jobs of each sweep, whose runs are made up."""
    calls = []

    def run(jobs, workers, title):
        configs = {name: job.args[0] for name, job in jobs.items()}
        calls.append((title, configs))
        return {
            name: {
                "scores": {
                    split: {"mse": {"mean": distance(config) + config.seed * more, "ci95": 0.5}}
                    for split, more in (("validation", 0), ("test", 1))
                },
                "cost": {"train_seconds": 1.0, "seconds_per_step": 1.0},
                "provenance": {"command": " ".join(config.as_flags())},
            }
            for name, config in configs.items()
        }

    monkeypatch.setattr(sweep, "run", run)
    return calls


def test_a_table_chooses_by_one_seed_combines_what_was_chosen_and_runs_all_seeds(made_up, tmp_path):
    study = Study("made_up", "Made up", {name: TABLES[name] for name in "ab"})
    result = run_study(Plan(study, tmp_path))
    assert [title for title, _ in made_up] == [
        "Choosing strengths", "Combining", "Training with all seeds"
    ]  # fmt: skip
    assert [len(configs) for _, configs in made_up] == [2 + 3, 2, 4 * 2 + 1]
    tried = [config for _, configs in made_up[:2] for config in configs.values()]
    assert all(config.seed == 0 for config in tried) and len(result["sweep"]) == 5 + 2
    rows = {
        (name, row["row"]): row["options"]
        for name, table in result["tables"].items()
        for row in table["rows"]
    }
    assert list(rows) == [("a", row) for row in ROWS] + [("b", "none")]
    assert rows["a", "MR-W"]["mr_w.weight"] == 0.75
    assert rows["a", "Label-MI"]["label_mi.weight"] == 0.5
    # A third of its strength is better still beside the other, and nothing else is lost.
    assert rows["a", "both"] == {
        "regularizer": "mr_w,label_mi", "mr_w.weight": 0.25, "mr_w.layers": ["all"],
        "label_mi.weight": 0.5,
    }  # fmt: skip
    # Options of components that a row does not choose are left out of it.
    final = {config.method_name(): config for config in made_up[2][1].values()}
    assert final["CNP + MR-W (β = 0.75)"].regularizers["mr_w"]["sigma"] == 0.5
    assert final["CNP"].regularizer_options == {} and final["MAML"].learner == "maml"
    # Numbers of a row are means over seeds, and gains are over the first row, paired by seed.
    table = {row["row"]: row for row in result["tables"]["a"]["rows"]}
    assert table["none"]["seeds"] == [0, 1] and result["tables"]["b"]["rows"][0]["seeds"] == [0]
    assert table["none"]["scores.test.mse.mean"] == pytest.approx(0.5 + 0.5)
    assert table["both"]["gain"] is None
    assert table["none"]["gain"] == pytest.approx({"mean": -0.5, "ci95": 0.0})
    assert result["training_seconds"] == 7 + 9 - 3  # A run that chose, too, counts once.


def test_rows_that_are_asked_for_are_run_and_what_they_are_put_together_from(made_up, tmp_path):
    study = Study("made_up", "Made up", TABLES)
    result = run_study(Plan(study, tmp_path, tables=("a",), rows=("both",), seeds=3))
    # What a row is put together from is chosen although it is not wanted itself.
    assert len(result["sweep"]) == 5 + 2
    # More seeds than a table's own, if they are asked for.
    (row,) = result["tables"]["a"]["rows"]
    assert (row["row"], row["seeds"]) == ("both", [0, 1, 2])
    assert [len(configs) for _, configs in made_up] == [5, 2, 3]


def test_a_table_takes_what_another_has_chosen(made_up, tmp_path):
    """Though it was not asked for: nothing is chosen with 20 shots."""
    result = run_study(Plan(Study("made_up", "Made up", TABLES), tmp_path, tables=("c",)))
    shots = [[c.task_options.get("shots") for c in configs.values()] for _, configs in made_up]
    assert shots == [[None] * 5, [None] * 2, [20] * 4]
    rows = {row["row"]: row["options"] for row in result["tables"]["c"]["rows"]}
    assert rows["both"]["mr_w.weight"] == 0.25 and rows["Label-MI"]["label_mi.weight"] == 0.5


def test_tables_without_a_row_that_is_asked_for_are_left_out(tmp_path):
    every = {name: Table(name, {}, {row: [{}] for row in rows}) for name, rows in
             {"one": ["a", "b, too"], "two": ["b, too", "c"]}.items()}  # fmt: skip
    study = Study("made_up", "Made up", every)

    def chosen(tables, rows):
        return list(Plan(study, tmp_path, tuple(tables), tuple(rows)).chosen)

    assert chosen(["one", "two"], []) == chosen([], []) == ["one", "two"]
    assert chosen(["one", "two"], ["c"]) == ["two"]
    for tables, rows, told in (
        (["one"], ["c"], "`rows`: expected some of a, \"b, too\"; received 'c'"),
        (["one", "one"], [], "`tables`: expected each value once, received 'one' twice"),
        (["one"], ["a", "a"], "`rows`: expected each value once, received 'a' twice"),
        (["three"], [], "`tables`: expected some of one, two; received 'three'"),
        (["one"], ["d"], "`rows`: expected some of"),
    ):
        with pytest.raises(ValueError, match=told):
            chosen(tables, rows)


@pytest.mark.parametrize("lost", [None, math.nan, math.inf])
def test_a_run_whose_error_is_not_finite_is_not_chosen(lost):
    records = [{"options": "lost", "error": lost}, {"options": "kept", "error": 3.0}]
    assert selection.best(records, lambda record: record["error"]) == "kept"


def test_options_that_were_tried_are_told_apart():
    """Strengths by their symbols, others by name where the rows of a name differ in them."""
    options = [
        {"regularizer": "mr_w", "mr_w.weight": 0.1, "learner.chaser": True, "steps": 5},
        {"regularizer": "mr_w", "mr_w.weight": 0.2, "learner.inner_lr": 0.5, "steps": 5},
    ]
    told = selection.varied([{"options": own} for own in options])
    assert told == ["β = 0.1, chaser = true", "β = 0.2, inner lr = 0.5"]


def test_combinations_are_of_the_chosen_strengths_and_of_thirds():
    first = {"regularizer": "mr_w", "mr_w.weight": 0.3}
    second = {"regularizer": "prediction_mi", "prediction_mi.weight": 3.0, "task.signed": False}
    both = selection.combined(first, second)
    assert all(one["regularizer"] == "mr_w,prediction_mi" for one in both)
    assert all(one["task.signed"] is False for one in both)
    weights = sorted((round(one["mr_w.weight"], 6), one["prediction_mi.weight"]) for one in both)
    assert weights == [(0.1, 3.0), (0.3, 3.0)]


@pytest.mark.parametrize("study", [memorization.STUDY, robustness.STUDY], ids=lambda s: s.name)
def test_runs_of_a_study_have_names_and_strengths_of_their_own(study, tmp_path):
    """They are names of folders, too; each run makes its networks."""
    plan, names = Plan(study, tmp_path), {}
    for table, of in study.tables.items():
        for row, options in of.rows.items():
            if isinstance(options, Both):
                assert set(options) <= set(of.rows)
                continue
            last = options[0]
            told = [memorization._strength({"options": own}) for own in options]
            assert len(set(told)) == len(told)
            for own in options:
                config = plan.config(table, own, 3)
                assert config.seed == 3 and config.steps % config.epoch_steps() == 0
                described = json.dumps(dataclasses.asdict(config), sort_keys=True)
                assert names.setdefault(run_name(config), described) == described
                assert "seed3" in run_name(config) and row
    some = plan.config(table, last, 0)
    some.make_learner(some.make_problem())


# -- the memorization table -------------------------------------------------------------------

CNP = {"learner.hidden": (8,), "learner.dim_r": 8, "learner.dim_z": 8, "network.embedding": (8,)}


@pytest.fixture
def small_memorization(tmp_path):
    """The first options of some rows, at a tiny size."""
    counts = {"none": 1, "MR-W": 2, "Prediction-MI (MINE)": 1}
    rows = {name: memorization.ROWS[name][:count] for name, count in counts.items()}
    rows["MR-W + Prediction-MI (MINE)"] = memorization.ROWS["MR-W + Prediction-MI (MINE)"]
    table = dataclasses.replace(memorization.TABLES["cnp_5"], rows=rows)
    study = dataclasses.replace(memorization.STUDY, tables={"cnp_5": table})
    return Plan(study, tmp_path / "runs", seeds=2, changed=TINY | CNP | {"task.shots": 3})


@pytest.mark.slow
def test_the_memorization_study_runs_resumes_and_reports(small_memorization, in_process, tmp_path):
    plan = small_memorization
    result = run_study(plan)
    rows = result["tables"]["cnp_5"]["rows"]
    assert [row["row"] for row in rows] == [
        "none", "MR-W", "Prediction-MI (MINE)", "MR-W + Prediction-MI (MINE)"
    ]  # fmt: skip
    assert all(row["seeds"] == [0, 1] and row["diverged"] == 0 for row in rows)
    assert len(result["sweep"]) == 2 + 2
    assert all(row["gain"] is None for row in result["sweep"])  # Strengths of one seed.
    mine = [row for row in result["sweep"] if row["row"].endswith("(MINE)")]
    assert all(row["terms.prediction_mi_power_ratio"] > 0 for row in mine)
    assert set(result["runs"]["config.task_options.shots"]) == {3}
    # The strength that was chosen had the least validation error.
    tried = [row for row in result["sweep"] if row["row"] == "MR-W"]
    best = min(tried, key=lambda row: row["scores.validation.mse.mean"])
    assert rows[1]["options"] == best["options"]

    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("results.json")}
    assert len(times) == 4 * 2 + 2
    again = run_study(plan)
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("results.json")}
    for key in ("tables", "sweep", "training_seconds"):
        assert json.dumps(again[key]) == json.dumps(result[key])

    (tmp_path / "out").mkdir()
    text = memorization.write(result | TOLD, plan, tmp_path / "out")
    assert "## CNP, 5 shots" in text and "| MR-W + Prediction-MI (MINE) | β = " in text
    assert "Rank correlation" in text and "not trained on information, CNP | " in text
    assert "| positive scales |" in text.replace("λ = 0.1, ", "")
    assert (tmp_path / "out/memorization.md").read_text() == text
    kept = json.loads((tmp_path / "out/memorization.json").read_text())
    assert [row["row"] for row in kept["tables"]["cnp_5"]["rows"]] == [row["row"] for row in rows]
    for monitor in memorization.MONITORS:
        groups = kept[monitor]
        assert groups["all"]["models"] == 10 and groups["not trained on information"]["models"] == 5
    for name in ("sweep", "diagnosis"):
        assert is_picture(tmp_path / f"out/{name}.png")
    # A page is made of its JSON file, and each row's command makes its run.
    assert "\n".join(memorization.page(kept)) + "\n" == text
    command = rows[1]["commands"][1]
    assert command.startswith("python -m maml.train --task=nme_sinusoid --learner=cnp")
    assert "--seed=1" in command and "--regularizer_options=mr_w.weight=" in command


def test_groups_of_the_correlation_hold_every_row_once():
    rows = [row for group in memorization.GROUPS.values() for row in group]
    assert sorted(rows) == sorted(memorization.ROWS)


def test_divergences_are_told_in_tables_and_pictures(small_memorization, monkeypatch, tmp_path):
    """Of a row all of whose runs diverged, and of one that lost one; and of a study, an error."""
    lost = {DIVERGED: "the loss became NaN"}
    content = {
        "scores": {
            split: dict.fromkeys(("mse", "label_information_lower"), {"mean": 1.0, "ci95": 0.5})
            for split in ("validation", "test")
        },
        "config": {"learner": "cnp"}, "cost": {"train_seconds": 1.0, "seconds_per_step": 1.0},
        "provenance": {"command": "python", "hardware": "two"},
    }  # fmt: skip

    def run(jobs, workers, title):
        def ended(config):
            return "mr_w" not in config.regularizer and (config.regularizer, config.seed) != (
                "prediction_mi", 0,
            )  # fmt: skip

        return {name: content if ended(job.args[0]) else lost for name, job in jobs.items()}

    monkeypatch.setattr(sweep, "run", run)
    result = run_study(small_memorization)
    rows = {row["row"]: row for row in result["tables"]["cnp_5"]["rows"]}
    assert [row["diverged"] for row in rows.values()] == [0, 2, 1, 2]
    assert rows["Prediction-MI (MINE)"]["provenance.hardware"] == "two"
    text = memorization.write(result | TOLD, small_memorization, tmp_path)
    assert text.count("| 2 (2 diverged) | diverged |") == 2
    assert "| Prediction-MI (MINE) | λ = 0.1, positive scales | 2 (1 diverged) |" in text
    assert len(re.findall(r"\(1 diverged\) \| diverged", text)) == 4  # Each of those that chose.
    assert is_picture(tmp_path / "sweep.png") and is_picture(tmp_path / "diagnosis.png")
    monkeypatch.setattr(sweep, "run", lambda jobs, *_: dict.fromkeys(jobs, lost))
    with pytest.raises(ValueError, match="All runs diverged; the last: the loss became NaN"):
        run_study(small_memorization)


@pytest.mark.slow
def test_the_command_of_a_study_trains_in_processes_and_writes_its_page(tmp_path):
    command = [
        sys.executable, "-m", "maml.studies.memorization", "--logdir=runs", "--output=out/of/it",
        "--tables=cnp_5", "--rows=none", "--seeds=1", "--steps=2", "--workers=1",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert process.returncode == 0, process.stderr
    assert "tables, pictures and report.html in out/of/it." in process.stdout
    html = (tmp_path / "out/of/it/report.html").read_text()
    assert memorization.STUDY.question in html and "Memorization report" in html
    page = (tmp_path / "out/of/it/memorization.md").read_text()
    assert page in process.stdout and "| none |" in page and "maml.studies.memorization" in page
    (folder,) = (tmp_path / "runs").iterdir()
    assert {"results.json", "learner.keras"} <= {path.name for path in folder.iterdir()}


# -- sinusoids and shifts ---------------------------------------------------------------------


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

    def decode(self, state, x):
        return maml.NormalHead()(state * x)


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


MAML = {"network.hidden": (8,)}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A network that is fine-tuned at test time, and one that is told the parameters."""
    folder, found = tmp_path_factory.mktemp("pretrained"), {}
    plan = Plan(robustness.STUDY, folder, changed=TINY | MAML | {"task.shots": 3})
    for row, (options,) in robustness.YARDSTICKS.items():
        config = plan.config("shots_5", options, 0)
        record = training.run(config, folder / row, verbose=0, pictures=False)
        found[row] = config, folder / row, robustness.further(folder / row, record)
    return found


@pytest.mark.slow
def test_errors_are_after_each_number_of_steps_and_told_learners_need_none(pretrained):
    _, _, found = pretrained["pretrained"]
    assert list(found) == ["mse_after"]  # Shifts are of learners that adapt, with 10 shots.
    errors = {count: of["mean"] for count, of in found["mse_after"].items()}
    assert list(errors) == [str(count) for count in robustness.COUNTS]
    assert len(set(errors.values())) == len(robustness.COUNTS)
    config, folder, found = pretrained["oracle"]
    assert len({of["mean"] for of in found["mse_after"].values()}) == 1
    assert config.make_problem().test.sample(2, [0, 0]).query_x.shape[-1] == 4
    scores = Scorer(saving.load(folder / "learner.keras"))(config.make_problem().test)
    assert found["mse_after"]["5"]["mean"] == pytest.approx(scores[0].mean(), rel=1e-5)


def test_the_rate_of_fine_tuning_is_the_best_on_validation_tasks(pretrained):
    config, folder, found = pretrained["pretrained"]
    learner, problem = saving.load(folder / "learner.keras"), config.make_problem()
    learner.test_inner_steps, tried = 5, {}
    for learner.inner_lr in robustness.RATES:
        scorer = Scorer(learner)
        tried[scorer(problem.validation)[0].mean()] = scorer(problem.test)[0].mean()
    assert len(tried) == len(robustness.RATES)
    error = found["mse_after"]["5"]["mean"]
    np.testing.assert_allclose(error, tried[min(tried)], rtol=1e-5)
    assert min(abs(error / of - 1) for of in tried) > 1e-3, "no validation error"


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


@pytest.mark.slow
def test_the_study_of_shifts_scores_resumes_reports_and_draws(in_process, monkeypatch, tmp_path):
    monkeypatch.setattr(task_shift, "TASKS", 100)
    base = robustness.COMMON | TINY | MAML | {"learner.inner_steps": 2} | CNP
    base |= {"network.hidden": (8,), "task.shots": 10}
    rows = {name: robustness.LEARNERS[name] for name in ("MAML", "CNP")}
    study = dataclasses.replace(
        robustness.STUDY, tables={"shots_10": Table("10 support points", base, rows)}
    )
    plan = Plan(study, tmp_path / "runs", seeds=2)
    result = run_study(plan)
    learned, context = result["tables"]["shots_10"]["rows"]
    assert [row["seeds"] for row in (learned, context)] == [[0, 1]] * 2
    zero = [
        task_shift.read_score(learned, f"shift.{axis}", "0", "error")
        for axis in ("noise", "range of x")
    ]
    assert zero[0] == pytest.approx(zero[1]) and zero[0]["ci95"] > 0  # Both as in training.
    kept = json.loads((pathlib.Path(learned["folders"][0]) / "robustness.json").read_text())
    assert kept["shots"]["10"]["error"]["mean"] == pytest.approx(
        kept["shift"]["noise"]["0"]["error"]["mean"]
    )
    none = [
        task_shift.read_score(learned, "inner_steps", "0", score)
        for score in ("error", "no_support")
    ]
    assert none[0] == none[1]
    assert "further.inner_steps.0.error.mean" not in context
    pretrained = {"row": "pretrained", "seeds": [0, 1]}  # It has no errors under shifts.
    table = {"rows": [learned, pretrained, context]}
    assert robustness.shifted_rows({"tables": {"shots_10": table}}) == [learned, context]
    # Nothing is trained or scored again.
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("r*.json")}
    assert len(times) == 2 * 4
    again = run_study(plan)
    assert json.dumps(again["tables"]) == json.dumps(result["tables"])
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("r*.json")}

    (tmp_path / "out").mkdir()
    text = robustness.write(result | TOLD, plan, tmp_path / "out")
    assert "tolerates the largest shifts" in text and "octaves above" in text
    values = sum(len(axis.values) for axis in task_shift.AXES.values()) + len(task_shift.SHAPED)
    kinds = "|".join([*task_shift.AXES, "shape"])
    assert len(re.findall(rf"^\| ({kinds}) \|", text, re.MULTILINE)) == values
    assert re.search(r"^\| shape \| square \| ", text, re.MULTILINE)
    assert len(list((tmp_path / "out").glob("*.png"))) == 5 + 2
    assert all(is_picture(path) for path in (tmp_path / "out").glob("*.png"))


def test_a_learner_that_diverges_in_inner_steps_is_told():
    rows = [
        {"row": "pretrained", "seeds": [0, 1], "diverged": 1, "further.mse_after.0.mean": 1.0,
         "further.mse_after.0.ci95": 0.25, "cost.train_seconds": 3.0, "options": {}},
        {"row": "oracle", "seeds": [0], "diverged": 1, "options": {}},
    ]  # fmt: skip
    lines = report.table(robustness.COLUMNS, rows)
    assert lines[2].startswith("| pretrained | 2 (1 diverged) | 1.000 ± 0.250 | diverges |")
    assert lines[3].startswith("| oracle | 1 (1 diverged) | diverged |")


# -- what commands refuse ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "flags", "message"),
    [
        ("memorization", ["--tables=tea"], "--tables: expected some of cnp_5, cnp_10, metasgd_5"),
        ("memorization", ["--tables=cnp_5,cnp_5"], "--tables: expected each value once"),
        ("memorization", ["--tables="], "--tables: expected at least one value, received none"),
        ("memorization", ["--rows=tea"], "--rows: expected some of none, MR-W"),
        ("memorization", ["--rows="], "--rows: expected at least one value, received none"),
        ("robustness", ["--rows=MAML,MAML"], "--rows: expected each value once"),
        ("memorization", ["--seeds=1000000000"], "--seeds: expected one that fits this machine"),
        ("robustness", ["--steps=7000"], "--steps: expected a multiple of 3000"),
    ],
)
def test_studies_refuse_in_one_sentence(module, flags, message, tmp_path):
    folders = [f"--logdir={tmp_path / 'runs'}", f"--output={tmp_path / 'out'}"]
    process = commands.run(f"maml.studies.{module}", *folders, *flags, cwd=ROOT)
    assert process.returncode == 1 and message in process.stderr
    assert process.stderr.count("Error: ") == 1 and "Traceback" not in process.stderr
    assert not list(tmp_path.iterdir())


def test_a_run_that_a_study_wants_is_the_one_that_its_command_makes(tmp_path):
    """Of each study, and of a row that has options of every kind."""
    plan = Plan(fewshot.with_files({"omniglot": toys.characters()}), tmp_path)
    for table, row in (("omniglot5", "Reptile, not transductive"), ("fixed", "MR-W")):
        (want, *_) = [
            Wanted(table, row, options, 2) for options in plan.chosen[table].rows[row]
        ]  # fmt: skip
        config = plan.config(table, want.options, 2)
        words = plan._command(config, tmp_path / "run")(config).split()
        assert words[:3] == ["python", "-m", "maml.train"] and words[-1].startswith("--logdir=")
        assert isinstance(config, Config) and run_folder.CONFIG == "config.json"
        text = " ".join(words)
        for key, value in want.options.items():
            name = key.rpartition(".")[2]
            assert f"{name}={str(value).lower()}" in text, key

"""benchmarks/learners.py: all ways to train are the same mathematics, and the page says what is."""

import ast
import importlib
import json
import os
import pathlib
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
from marks import exhaustive

ROOT = pathlib.Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
OWN = {"ours", "ours_learners", "workloads", "page", "environments"}
"""Modules of ``peers/`` that run in this project's environment."""


@pytest.fixture
def module(monkeypatch):
    """``module(NAME)`` imports a script of benchmarks or of its folder ``peers``."""
    monkeypatch.syspath_prepend(str(PEERS))
    monkeypatch.syspath_prepend(str(PEERS.parent))
    return importlib.import_module


@pytest.mark.parametrize("path", sorted(PEERS.glob("*.py")), ids=lambda path: path.stem)
def test_what_runs_in_other_environments_imports_nothing_of_this_project(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [
        of.name for node in ast.walk(tree) if isinstance(node, ast.Import) for of in node.names
    ]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    packages = {name.partition(".")[0] for name in names}
    assert path.stem in OWN or not packages & {"maml", "mine", "pose_code", "pose_data", *OWN}


def losses(module, workload, entry):
    """The first loss, and the mean of two steps that start again at the first batch."""
    workloads, problem = module("workloads"), module("problem")
    chosen = {"workload": workload, "size": "small", "tasks": 0, "precision": "float32"}
    made = workloads.make(**chosen)
    written = workloads.problem(made, made.make_learner(), chosen)
    script, name = entry
    steps = module(script).ENTRIES[name](problem.Problem(*written))
    return [steps(1), steps(2)]


OURS, TF1 = ("ours_learners", "fit"), ("tf1_learners", "session")


@pytest.mark.parametrize(
    "workload",
    [
        "pose-cnp",
        pytest.param("omniglot", marks=pytest.mark.slow),
        *exhaustive("pose-maml"),
    ],
)
def test_a_static_graph_has_the_losses_of_fit(module, workload):
    ours, theirs = losses(module, workload, OURS), losses(module, workload, TF1)
    assert ours == pytest.approx(theirs, rel=2e-4) and ours[0] != pytest.approx(ours[1], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("term", ["Label-MI", "Prediction-MI"])
def test_an_information_term_leaves_the_task_loss_before_the_first_update(module, term):
    plain = losses(module, "pose-cnp", OURS)
    found = losses(module, "pose-cnp", ("ours_learners", f"fit, {term}"))
    assert found[0] == pytest.approx(plain[0], rel=1e-6)
    assert found[1] != pytest.approx(plain[1], rel=1e-6)


def test_half_precision_has_nearly_the_losses_of_single(module):
    policy = keras.config.dtype_policy()
    plain = losses(module, "pose-cnp", OURS)
    try:
        found = losses(module, "pose-cnp", ("ours_learners", "fit, bfloat16"))
    finally:
        keras.config.set_dtype_policy(policy)
    assert found == pytest.approx(plain, rel=1e-2) and found[0] != plain[0]


def test_a_problem_is_read_as_it_was_written(module, tmp_path):
    problem = module("problem")
    layers = {
        "a b": [{"kind": "dense", "weights": 2}, {"kind": "relu", "weights": 0}],
        "c": [{"kind": "norm", "weights": 1}],
    }
    weights = {"a b": [np.eye(2), np.ones(2)], "c": [np.arange(3.0)]}
    batches = [tuple(np.full((1, 2), 10 * b + i) for i in range(4)) for b in range(11)]
    problem.write(problem.Problem({"layers": layers}, weights, batches), tmp_path / "it.npz")
    read = problem.read(tmp_path / "it.npz")
    assert [len(own) for own in read.by_layer("a b")] == [2, 0]
    assert (read.by_layer("c")[0][0] == np.arange(3.0)).all()
    assert len(read.batches) == 11 and read.batches[10][3][0, 0] == 103


@pytest.mark.parametrize(
    ("size", "stride", "zeros"), [(28, 2, (0, 1)), (7, 2, (1, 1)), (5, 1, (1, 1)), (2, 2, (0, 1))]
)
def test_padding_is_that_of_tensorflow(module, size, stride, zeros):
    assert module("problem").same_padding(size, stride) == zeros


CHATTY = """
import os, sys
sys.path.insert(0, {peers!r})
import worker
def ready(problem):
    os.system("echo from below")
    print("ready", len(problem.batches))
    def steps(count):
        print("step")
        if count == 3:
            raise ValueError("three is too many")
        return float("nan") if count == 2 else count / 4
    return steps
worker.serve({{"it": ready}}, ["numpy"])
"""


def test_a_process_answers_each_line_until_it_fails(module, tmp_path, monkeypatch):
    problem, learners = module("problem"), module("learners")
    problem.write(problem.Problem({"layers": {}}, {}, [(np.ones(1),) * 4]), tmp_path / "it.npz")
    (tmp_path / "chatty.py").write_text(CHATTY.format(peers=str(PEERS)))
    monkeypatch.setattr(learners.Entry, "python", property(lambda _: sys.executable))
    entry = learners.Entry(str(tmp_path / "chatty.py"), "it")
    worker = learners.Worker(entry, tmp_path / "it.npz", tmp_path / "errors.txt")
    assert worker.answer()["versions"] == f"numpy {np.__version__}"
    first, second = worker.steps(1), worker.steps(2)
    assert first["loss"] == 0.25 and first["steps"] == 1 and first["peak_mib"] > 1
    assert second["loss"] is None
    with pytest.raises(learners.Failed, match="ValueError: three is too many"):
        worker.steps(3)
    worker.end()
    assert learners.difference([1.0, 2.0], [1.0, 1.6]) == pytest.approx(0.25)
    assert learners.difference([1.0, None], [1.0, 1.6]) is None


def test_an_environment_that_is_missing_is_a_row_with_its_reason(module, tmp_path, monkeypatch):
    learners = module("learners")
    monkeypatch.setattr(learners.Entry, "python", property(lambda _: tmp_path / "none"))
    entries = {"x": learners.Entry("x.py", "it")}
    workers, rows = learners.start(entries, (1,), 1e-3, tmp_path / "no.npz", tmp_path, None)
    assert not workers and rows[0]["failure"].startswith("no environment (No such file")


def rounds(*given):
    """Rounds of one step, of (milliseconds, processors that others took)."""
    return [
        {"wall_s": ms / 1e3, "cpu_s": ms / 1e3, "steps": 1, "peak_mib": 10.0, "load": 1.0,
         "others": others} for ms, others in given
    ]  # fmt: skip


def test_medians_are_of_quiet_rounds_if_there_are_three(module):
    page = module("peers.page")
    of = page.summary({"rounds": rounds((1, 0), (2, 0.1), (3, 0), (90, 1.5), (95, 1.5))}, 0.2)
    assert of["wall_ms"] == pytest.approx(2) and of["quiet"]
    of = page.summary({"rounds": rounds((1, 0), (2, 0.1), (90, 1.5))}, 0.2)
    assert of["wall_ms"] == pytest.approx(2) and not of["quiet"]
    assert page.summary({"rounds": []}, 0.2) is None


def test_the_page_marks_what_is_not_comparable(module):
    page = module("peers.page")
    row = {"versions": "v 1", "first_s": 2.0, "difference": 1e-6, "equal": True}
    rows = [
        row | {"entry": "ours", "rounds": rounds((2, 0), (2, 0), (2, 0))},
        row | {"entry": "busy", "rounds": rounds((1, 1.0))},
        row | {"entry": "other", "difference": 0.5, "equal": False, "rounds": rounds((3, 0))},
        {
            "entry": "ours, more",
            "versions": "v 1",
            "first_s": 2.0,
            "same": False,
            "rounds": rounds((4, 0)),
        },
        {"entry": "absent", "failure": "it is not there", "rounds": []},
    ]
    told = {"title": "work", "quiet": 0.2, "multiply_adds": 2e6, "peak_rate": 1e10, "rows": rows}
    exact = [{"entry": "ours"}, {"entry": "busy", "difference": 2e-12}, {"entry": "other"}]
    text = "\n".join(page.table(told | {"exact": exact}))
    # 2 million in 2 ms are a tenth of 10 thousand million in a second.
    assert "| ours | 2.00 | 1.00 | 2.00 ± 0.00 | 2.00 | 10.0 | 2.0 | 10.0% | 1e-06 |" in text
    assert "| busy * | 1.00 | 0.50 |" in text and "| other * | 3.00 | 1.50 |" in text
    assert "5e-01 ! |" in text and "| absent | failed: it is not there |" in text
    assert "| ours, more * | 4.00 | 2.00 |" in text and "| another objective |" in text
    assert "busy 2e-12, other not known." in text
    # The other's losses differ: it is not compared, however fast it is.
    assert "2.00 of the time of busy and 2.00 of the time of processors of busy." in text


def test_half_precision_is_compared_with_all_and_single_precision_with_single(module):
    page = module("peers.page")
    row = {"versions": "v 1", "first_s": 2.0, "difference": 1e-6, "equal": True}
    times = {"ours": 4, "ours, bfloat16": 3, "other": 8, "other, bfloat16": 6}
    rows = [row | {"entry": name, "rounds": rounds((ms, 0))} for name, ms in times.items()]
    rows[3]["equal"] = False
    told = {"title": "work", "quiet": 0.2, "multiply_adds": 2e6, "peak_rate": 1e10, "rows": rows}
    text = "\n".join(page.table(told))
    assert "Of the others' least, ours takes 0.50 of the time of other and" in text
    assert (
        "Of the others' least, in either precision, ours, bfloat16 takes 0.50 of the time of "
        "other, bfloat16 and"
    ) in text


def test_a_run_writes_its_workload_and_keeps_the_others(module, tmp_path, monkeypatch):
    problem, learners = module("problem"), module("learners")
    (tmp_path / "chatty.py").write_text(CHATTY.format(peers=str(PEERS)))

    def make_problem(workload, path, **chosen):
        problem.write(problem.Problem({"layers": {}}, {}, [(np.ones(1),) * 4]), path)
        return {"multiply_adds": 2e6, "peak_rate": 1e10}

    entry = learners.Entry(str(tmp_path / "chatty.py"), "it")
    entries = {"ours": entry, "other": entry}
    made = {
        name: learners.Workload(name, entries, compared=(1, 4), exact=name == "b") for name in "ab"
    }
    given = {"output": str(tmp_path), "size": "small", "rounds": 3, "quiet": 9, "wait": 0}
    given |= {"workloads": ["b"], "entries": ["other"], "seconds": 0}
    monkeypatch.setattr(learners.Entry, "python", property(lambda _: sys.executable))
    monkeypatch.setattr(learners, "make_problem", make_problem)
    monkeypatch.setattr(learners, "WORKLOADS", made)
    monkeypatch.setattr(learners, "FLAGS", types.SimpleNamespace(**given))
    learners.main()
    learners.FLAGS.workloads = ["a"]
    learners.main()
    results = json.loads((tmp_path / "learners.json").read_text())
    assert list(results) == ["a", "b"]
    for result in results.values():
        for row in result["rows"]:
            assert row["losses"] == [0.25, 1.0] and row["difference"] == 0 and row["equal"]
            assert len(row["rounds"]) == 3 and row["versions"].startswith("numpy")
    assert [row["difference"] for row in results["b"]["exact"]] == [0]
    assert (tmp_path / "learners.png").stat().st_size > 1000
    assert "## B" in (tmp_path / "learners.md").read_text()
    (tmp_path / "learners.json").write_text("{")
    with pytest.raises(SystemExit, match="Remove it or change --output"):
        learners.main()


@pytest.mark.slow
def test_peers_have_the_losses_of_ours(tmp_path):
    """Of the environments in the folder that the variable PEERS names; the files are written."""
    peers = os.environ.get("PEERS")
    if not peers:
        pytest.skip("PEERS names no folder of benchmarks/peers/environments.py")
    command = [sys.executable, PEERS.parent / "learners.py", "--workloads=sinusoid-1"]
    command += [f"--peers={peers}", f"--output={tmp_path}", "--size=small", "--rounds=1"]
    command.append("--seconds=0.1")
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads((tmp_path / "learners.json").read_text()).values()
    for row in result["rows"]:
        if "no environment" not in row.get("failure", "") and "not installed" not in row.get(
            "failure", ""
        ):
            assert row.get("equal"), row
    assert (tmp_path / "learners.md").exists() and (tmp_path / "learners.png").exists()

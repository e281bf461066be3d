"""The benchmarks: words that are no flags; the table of mutual_information.py, and its resuming."""

import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys

import commands
import numpy as np
import pytest

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
TASK = "normal-1x1"


# Without render.py, which needs what only [bench] installs.
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", sorted({path.stem for path in BENCHMARKS.glob("*.py")} - {"render"})
)
def test_a_word_that_is_no_flag_is_refused(name, tmp_path):
    process = commands.run(str(BENCHMARKS / f"{name}.py"), "steps=5", cwd=tmp_path)
    assert process.returncode != 0 and "received 'steps=5'" in process.stderr
    assert "Traceback" not in process.stderr and not list(tmp_path.iterdir())


@pytest.fixture
def script():
    """The script as a module."""
    path = BENCHMARKS / "mutual_information.py"
    spec = importlib.util.spec_from_file_location("mutual_information_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report(script, rows):
    """A report of (seed, estimator, nats, seconds) on one task whose truth is taken to be 0.4."""
    keys = ("seed", "estimator", "nats", "seconds")
    rows = [
        {"task": TASK, "truth": 0.4, "peak_mib": 100} | dict(zip(keys, r, strict=True))
        for r in rows
    ]
    about = {
        name: {"settings": {"steps": 7}, "versions": "package 1.0"} for name in script.ESTIMATORS
    }
    given = {"command": "-", "date": "-", "cores": 2, "python": "-", "samples": 1000, "seeds": 2}
    return given | {"estimators": about, "rows": rows}


def test_table_gives_means_errors_and_ratios(script):
    rows = [
        (0, "ours", 0.3, 2.0),
        (1, "ours", 0.5, 4.0),
        (0, "KSG", 0.8, 6.0),
        (1, "KSG", 0.6, 6.0),
    ]
    text = script.table(report(script, rows))
    # Errors of opposite signs do not cancel in the mean of the absolute errors.
    assert f"| {TASK} | 0.400 | **0.400 (0.100)** | 0.700 (0.300) |" in text
    assert (
        "| median absolute error, nats |  | 0.100 | 0.300 |\n| over ours |  | 1.00 | 3.00 |" in text
    )
    assert "| median seconds |  | 3.0 | 6.0 |\n| over ours |  | 1.00 | 2.00 |" in text
    assert "- KSG (package 1.0): steps=7" in text


def test_an_estimate_that_is_no_number_is_an_infinite_error(script):
    rows = [(0, "ours", 0.3, 2.0), (0, "KSG", None, 6.0)]
    text = script.table(report(script, rows))
    assert f"| {TASK} | 0.400 | **0.300 (0.100)** | nan (inf) |" in text


def test_a_stopped_run_goes_on_where_it_was(script, tmp_path, monkeypatch):
    calls = []

    def estimate(name, samples, seed):
        if len(calls) == 3:
            calls.append("stopped")
            raise KeyboardInterrupt
        calls.append((name, seed))
        line = {"nats": 0.4, "seconds": 1.0, "peak_mib": 1.0}
        return line | {"settings": {}, "versions": "package 1.0"}

    monkeypatch.setattr(script, "estimate", estimate)
    path = tmp_path / "report.json"
    with pytest.raises(KeyboardInterrupt):
        script.fill(script.resume(path, 1000), path, [TASK], 2)
    script.fill(script.resume(path, 1000), path, [TASK], 2)
    expected = [(name, seed) for seed in range(2) for name in script.ESTIMATORS]
    assert [call for call in calls if call != "stopped"] == expected
    with pytest.raises(SystemExit, match="remove it or change --output"):
        script.resume(path, 2000)


def test_a_worker_prints_one_line_whatever_the_estimator_prints(tmp_path):
    np.savez(tmp_path / "samples.npz", x=np.zeros((5, 2)), y=np.zeros((5, 1)))
    (tmp_path / "chatty.py").write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(BENCHMARKS / 'peers')!r})\n"
        "import worker\n"
        "def estimate(x, y, seed):\n"
        "    print('step 1')\n"
        "    return x.shape[1] + seed if seed else float('nan'), {'steps': 1}\n"
        "worker.run({'mine': estimate}, ['numpy'])\n"
    )

    def run(seed):
        command = [sys.executable, tmp_path / "chatty.py", "--estimator=mine", f"--seed={seed}"]
        command.append(f"--samples={tmp_path / 'samples.npz'}")
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    line = run(seed=3)
    assert line["nats"] == 5 and line["settings"] == {"steps": 1}
    assert line["versions"] == f"numpy {np.__version__}"
    assert line["seconds"] > 0 and math.isfinite(line["peak_mib"])
    assert run(seed=0)["nats"] is None


@pytest.mark.slow
def test_a_fuzzer_guided_by_coverage_ends_with_its_figures(tmp_path):
    pytest.importorskip("atheris")
    command = [sys.executable, BENCHMARKS / "fuzz.py", "--fuzzers=any_polygon", "--seconds=2"]
    command.append(f"--output={tmp_path}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    row = json.loads(done.stdout.splitlines()[0])
    assert row["inputs"] > 10 and row["edges"] > 20 and row["kept"] > 1 and not row["failure"]
    (written,) = json.loads((tmp_path / "fuzz.json").read_text()).values()
    assert written["inputs"] == row["inputs"] and "--seconds=2" in written["command"]
    assert f"| {row['inputs']:,} |" in (tmp_path / "fuzz.md").read_text()


@pytest.mark.slow
def test_a_fuzzer_guided_by_coverage_prints_the_input_that_failed(tmp_path):
    pytest.importorskip("atheris")
    (tmp_path / "test_it.py").write_text(
        f"import sys; sys.path.insert(0, {str(BENCHMARKS.parent / 'tests/fuzz')!r})\n"
        "from budget import fuzzed\n"
        "from hypothesis import strategies as st\n"
        "@fuzzed(1, st.integers())\n"
        "def test_small(tmp_path, number):\n"
        "    assert tmp_path.exists() and number < 500\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-s", tmp_path / "test_it.py"]
    environment = os.environ | {"FUZZ_GUIDED": f"-max_total_time=20 -artifact_prefix={tmp_path}/"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode != 0 and "FAILED with {'number': " in done.stdout

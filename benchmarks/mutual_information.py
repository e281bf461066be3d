"""Mutual information: our estimator beside those of the package benchmark-mi, on the same samples.

    python benchmarks/mutual_information.py --output=results/benchmarks --seeds=3 --samples=10000

Every estimator works at its defaults, each time in a fresh process. On each sample all of them take
turns, so that a busy machine is busy for all. Every estimate is saved at once, and the same command
goes on where it was stopped; the whole takes about an hour on two cores. Writes
``mutual_information.md`` and ``mutual_information.json``.

The other package needs old versions of its own, from Python 3.10 or 3.11: the first run makes an
environment for it beside this file.
"""

import datetime
import itertools
import json
import math
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import venv
import zlib

import numpy as np
from absl import flags

from mine import benchmarks, reporting
from mine.reporting import commands
from mine.reporting.progress import ProgressBar

FLAGS = flags.FLAGS

_HERE = pathlib.Path(__file__).resolve().parent
_PEERS = _HERE / "peers"
_ENVIRONMENT = _HERE / ".venv-peers"

ESTIMATORS = {
    "ours": (pathlib.Path(sys.executable), "ours.py"),
    "MINE": (_ENVIRONMENT / "bin" / "python", "benchmark_mi.py"),
    "InfoNCE": (_ENVIRONMENT / "bin" / "python", "benchmark_mi.py"),
    "KSG": (_ENVIRONMENT / "bin" / "python", "benchmark_mi.py"),
}
"""Name in the table -> the Python and the script in ``peers/`` that estimate."""
_NOTES = """\
Beside the defaults all but KSG are given the seed of the sample, and those of benchmark-mi
`verbose=False`, in their favour: no progress bar to draw. The seconds of ours include its second
opinions, nearest neighbours and a normal fit. MINE and InfoNCE of benchmark-mi train on half of the
pairs; every `test_every_n_steps` they are valued on the other half, the best value is the answer,
and two in a row that are no better end the training. KSG averages over `neighborhoods`; it measures
all distances, those of ten pairs at a time."""


def define_flags() -> None:
    """Defines this script's flags."""
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table.")
    flags.DEFINE_list("tasks", list(benchmarks.TASKS), "Names of tasks, all by default.")
    flags.DEFINE_integer("seeds", 3, "Samples of each task: seeds 0, 1, ...", 1)
    flags.DEFINE_integer("samples", 10_000, "Pairs of each sample.", 1000)


def make_environment() -> None:
    """Makes the other package's environment, unless it is there with these requirements."""
    requirements = _PEERS / "requirements.txt"
    done = _ENVIRONMENT / requirements.name  # Written last: its absence means half made.
    if done.exists() and done.read_text() == requirements.read_text():
        return
    if not (3, 10) <= sys.version_info < (3, 12):
        sys.exit("Error: benchmark-mi needs Python 3.10 or 3.11; run this script with one of them.")
    print(f"Making {_ENVIRONMENT}.", file=sys.stderr)
    venv.create(_ENVIRONMENT, clear=True, with_pip=True, symlinks=True)
    pip = [_ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", requirements]
    if subprocess.run(pip).returncode:
        sys.exit(f"Error: pip could not install {requirements}; what it says is above.")
    reporting.write(requirements.read_bytes(), done)


def estimate(name: str, samples: pathlib.Path, seed: int) -> dict:
    """Runs one estimator in a fresh process; returns its line, see ``peers/worker.py``."""
    python, script = ESTIMATORS[name]
    done = subprocess.run(
        [python, _PEERS / script, f"--samples={samples}", f"--estimator={name}", f"--seed={seed}"],
        # The other package's JAX knows the CPU only.
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        sys.exit(f"Error: {name} failed: {reason}")
    return json.loads(done.stdout)


def error(row: dict) -> float:
    """Absolute error of one estimate in nats; infinite if it is not a number."""
    return math.inf if row["nats"] is None else abs(row["nats"] - row["truth"])


def mean(values: list[float | None]) -> float:
    """Their mean, NaN if any is none."""
    return math.nan if None in values else statistics.fmean(values)


def table(report: dict) -> str:
    """Returns the report as Markdown."""
    rows = report["rows"]
    names = [name for name in ESTIMATORS if any(row["estimator"] == name for row in rows)]
    of = {name: [row for row in rows if row["estimator"] == name] for name in names}
    lines = [
        "# Mutual information: ours beside benchmark-mi",
        "",
        f"`{report['command']}`, {report['date']}, {report['cores']} cores, no GPU, Python "
        f"{report['python']}. {report['samples']:,} pairs, seeds: {report['seeds']}. Mean estimate "
        "in nats; in parentheses the mean absolute error, least in bold. Seconds are those of the "
        "call in a fresh process, compilation included, imports not.",
        "",
    ]
    cells_of = []
    for task in dict.fromkeys(row["task"] for row in rows):
        here = {name: [row for row in of[name] if row["task"] == task] for name in names}
        errors = {name: statistics.fmean(map(error, here[name])) for name in names if here[name]}
        cells = []
        for name in names:
            if name not in errors:
                cells.append("")
                continue
            cell = f"{mean([row['nats'] for row in here[name]]):.3f} ({errors[name]:.3f})"
            cells.append(f"**{cell}**" if errors[name] == min(errors.values()) else cell)
        truth = next(row["truth"] for row in rows if row["task"] == task)
        cells_of.append([task, f"{truth:.3f}", *cells])
    for label, measure, digits in (
        ("median absolute error, nats", error, 3),
        ("median seconds", lambda row: row["seconds"], 1),
        ("median peak MiB of the process", lambda row: row["peak_mib"], 0),
    ):
        medians = [statistics.median(map(measure, of[name])) for name in names]
        cells_of.append([label, "", *(f"{median:,.{digits}f}" for median in medians)])
        cells_of.append(["over ours", "", *(f"{median / medians[0]:.2f}" for median in medians)])
    lines += reporting.markdown_table(["task", "truth", *names], cells_of)
    lines += ["", "Settings, which are the defaults:", ""]
    for name in names:
        about = report["estimators"][name]
        settings = ", ".join(f"{key}={value}" for key, value in about["settings"].items())
        lines.append(f"- {name} ({about['versions']}): {settings}")
    lines += ["", _NOTES]
    return "\n".join(lines) + "\n"


def resume(path: pathlib.Path, samples: int) -> dict:
    """The report of an earlier run, or an empty one; ends the program if it does not fit."""
    if not path.exists():
        return {"samples": samples, "estimators": {}, "rows": []}
    try:
        report = json.loads(path.read_text())
        fits = report["samples"] == samples and all(
            row["truth"] == benchmarks.TASKS[row["task"]].nats for row in report["rows"]
        )
    except (ValueError, KeyError):
        fits = False
    if not fits:
        sys.exit(f"Error: {path} is of other tasks or samples; remove it or change --output.")
    return report


def fill(report: dict, path: pathlib.Path, tasks: list[str], seeds: int) -> None:
    """Adds the estimates that are missing to the report, and saves it after each."""
    done = {(row["task"], row["seed"], row["estimator"]) for row in report["rows"]}
    todo = list(itertools.product(tasks, range(seeds), ESTIMATORS))
    with tempfile.TemporaryDirectory() as folder:
        samples = pathlib.Path(folder) / "samples.npz"
        for task, seed, name in (bar := ProgressBar(todo, unit=" estimates")):
            if (task, seed, name) in done:
                continue
            bar.set_postfix_str(f"{task}, seed {seed}: {name}")
            # A seed of its own for each task: many share a normal beneath, and must not share its
            # samples.
            own = zlib.crc32(f"{task} {seed}".encode())
            x, y = benchmarks.TASKS[task].sample(report["samples"], own)
            np.savez(samples, x=x, y=y)
            line = estimate(name, samples, seed)
            report["estimators"][name] = {key: line.pop(key) for key in ("settings", "versions")}
            row = {"task": task, "truth": benchmarks.TASKS[task].nats, "seed": seed}
            report["rows"].append(row | {"estimator": name} | line)
            reporting.write_json(report, path)


def main() -> None:
    """Estimates what is missing, prints the table, and writes it."""
    for task in FLAGS.tasks:
        if task not in benchmarks.TASKS:
            sys.exit(f"Error: no task {task}; there are {', '.join(benchmarks.TASKS)}.")
    output = pathlib.Path(FLAGS.output) / "mutual_information.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    report = resume(output, FLAGS.samples) | {
        "command": shlex.join(["python", *sys.argv]),
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "seeds": FLAGS.seeds,
    }
    make_environment()
    fill(report, output, FLAGS.tasks, FLAGS.seeds)
    reporting.write_tables(report, table(report), output.parent, output.stem)
    print(table(report))


if __name__ == "__main__":
    define_flags()
    commands.run(main)

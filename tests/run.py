"""Runs files of tests, each in a process of its own, as many at once as there are cores.

    python tests/run.py [FILES] [OPTIONS_OF_PYTEST]

Without files: all. A process of its own, since TensorFlow keeps the graphs of learners that are
gone (its issues 62854 and 124972), 12 GB over all tests. Each is a fork of one that has the
libraries loaded, see ``commands.py``. Long files start first, so that cores end together. Each
file's seconds of processor time are printed, and the longest files at the end.
"""

import concurrent.futures
import os
import pathlib
import sys
import tempfile
import time

import commands

ROOT = pathlib.Path(__file__).parent.parent
LONG = (
    "test_every_combination.py", "test_maml.py", "test_notebooks.py", "test_pose_runs.py",
    "test_replicas.py", "test_rl.py", "test_ten_things.py", "test_testing.py",
)  # fmt: skip
"""Files of which few lines are marked as slow, and which take over a minute of a core."""

NO_TESTS = 5
"""Exit status of pytest where the options leave no test of a file."""


def files_of(arguments):
    """The files of tests among arguments -> what is asked of each: itself, or tests of it."""
    named = [word for word in arguments if pathlib.Path(word.split("::")[0]).exists()]
    for word in arguments:
        if word not in named and word.split("::")[0].endswith(".py") and not word.startswith("-"):
            sys.exit(f"Error: expected a file of tests; received {word}, which does not exist.")
    asked = {}
    for word in named or [str(ROOT / "tests")]:
        path = pathlib.Path(word.split("::")[0])
        folders = [path, path / "fuzz"] if path.is_dir() else []
        found = [file for folder in folders for file in sorted(folder.glob("test_*.py"))]
        for file in found or [path]:
            asked.setdefault(file, []).append(word.replace(str(path), str(file), 1))
    return named, asked


def haste(file):
    """Sorts those first that take long: the known ones, then those with many slow tests."""
    return file.name not in LONG, -file.read_text("utf-8").count("mark.slow")


def timed(*words):
    """Runs pytest; returns what it gives, and seconds: of processors, of all commands, and wall."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
        started = time.perf_counter()
        done = commands.run("pytest", *words, timeout=None, **{commands.SECONDS: file.name})
        return done, sum(map(float, file)), time.perf_counter() - started


def main(arguments):
    """Runs them, prints what pytest prints of each, and returns the exit status."""
    named, asked = files_of(arguments)
    flags = ["-q", *(word for word in arguments if word not in named)]
    spent = {}

    def run(file):
        done, spent[file], wall = timed(*flags, *asked[file])
        took = f"{spent[file]:.1f} s of processor time in {wall:.1f} s"
        print(f"== {file}\n{done.stdout}{done.stderr}{took}\n", flush=True)
        return done.returncode

    slowest_first = sorted(asked, key=haste)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        statuses = dict(zip(slowest_first, pool.map(run, slowest_first), strict=True))
    print(f"{sum(spent.values()):.0f} s of processor time; the longest:")
    for file in sorted(spent, key=spent.get, reverse=True)[:10]:
        print(f"{spent[file]:7.1f} s {file}")
    failed = {str(file): status for file, status in statuses.items() if status not in (0, NO_TESTS)}
    for file, status in failed.items():
        print(f"FAILED {file}: " + (f"signal {-status}" if status < 0 else f"status {status}"))
    print(f"{len(statuses) - len(failed)} of {len(statuses)} files passed")
    return 1 if failed or set(statuses.values()) == {NO_TESTS} else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

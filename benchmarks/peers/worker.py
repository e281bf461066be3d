"""What a package's process answers, in lines of JSON: the same for every package.

A script beside this one says what its package offers and calls :func:`run` for one estimate:

    python benchmarks/peers/ours.py --samples=SAMPLES.npz --estimator=ours --seed=0

or :func:`serve`, for a process that makes training steps for as long as it is asked to:

    python benchmarks/peers/ours_learners.py --problem=PROBLEM.npz --entry=fit

It imports nothing but NumPy and absl, as it runs in the environment of each package.
"""

import contextlib
import json
import math
import os
import pathlib
import re
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata

import numpy as np
from absl import app, flags
from problem import Problem, read

FLAGS = flags.FLAGS

Estimate = Callable[[np.ndarray, np.ndarray, int], tuple[float, dict]]
"""``estimate(x, y, seed)``, x [n, dim_x] and y [n, dim_y], gives nats and its settings."""

Steps = Callable[[int], float]
"""``steps(count)`` trains that long, through the batches in turn from the first, and gives the mean
of the losses before each update, once all is computed."""


def run(estimators: dict[str, Estimate], packages: list[str]) -> None:
    """Estimates once and prints nats, wall seconds, peak MiB, settings and versions.

    The seconds are those of the call alone, imports excluded. As the process is fresh, whatever the
    call compiles is included.

    Args:
        estimators: by name, what this package offers.
        packages: the distributions whose versions are reported.
    """
    flags.DEFINE_string("samples", None, "File .npz with x [n, dim_x] and y [n, dim_y].")
    flags.DEFINE_enum("estimator", None, list(estimators), "Which one.")
    flags.DEFINE_integer("seed", 0, "Seed of the estimator.", 0)
    flags.mark_flags_as_required(["samples", "estimator"])

    def main(_):
        with np.load(FLAGS.samples) as samples:
            x, y = samples["x"], samples["y"]
        with answering() as answer:
            start = time.perf_counter()
            nats, settings = estimators[FLAGS.estimator](x, y, FLAGS.seed)
            seconds = time.perf_counter() - start
            answer(
                nats=nats if math.isfinite(nats) else None,  # JSON has no NaN.
                seconds=seconds,
                peak_mib=peak_mib(),
                settings=settings,
                versions=versions(packages),
            )

    app.run(main)


def serve(entries: Mapping[str, Callable[[Problem], Steps]], packages: list[str]) -> None:
    """Trains on a problem as long as standard input asks for it.

    Prints seconds of the preparation, imports excluded, and versions. Then, for each line
    ``{"steps": COUNT}``: their mean loss, seconds by the clock and of processors, and peak MiB.

    Args:
        entries: by name, ways of this package to train; each gets ready for a problem.
        packages: the distributions whose versions are reported.
    """
    flags.DEFINE_string("problem", None, "File .npz of the problem.")
    flags.DEFINE_enum("entry", None, list(entries), "Which way to train.")
    flags.mark_flags_as_required(["problem", "entry"])

    def main(_):
        problem = read(FLAGS.problem)
        with answering() as answer:
            start = time.perf_counter()
            steps = entries[FLAGS.entry](problem)
            answer(seconds=time.perf_counter() - start, versions=versions(packages))
            for line in sys.stdin:
                count = json.loads(line)["steps"]
                clock, processors = time.perf_counter(), time.process_time()
                loss = float(steps(count))
                answer(
                    wall_s=time.perf_counter() - clock,
                    cpu_s=time.process_time() - processors,
                    loss=loss if math.isfinite(loss) else None,
                    peak_mib=peak_mib(),
                )

    app.run(main)


@contextlib.contextmanager
def answering():
    """Within it standard output is for answers, a line of JSON each: what a package prints, in
    Python or below it, goes to standard error. Gives the function that answers."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", buffering=1) as output:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield lambda **line: print(json.dumps(line, default=str), file=output)


def versions(packages: list[str]) -> str:
    """The packages with their versions, in a line; without those that are not installed."""
    found = []
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return ", ".join(found)


def peak_mib() -> float:
    """Most memory this process has held, in MiB (Linux).

    getrusage will not do: its peak of a process includes that of the one that started it.
    """
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024

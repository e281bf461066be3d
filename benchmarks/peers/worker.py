"""One estimate in a process of its own, as one line of JSON: the same for every package.

A script beside this one says what its package's estimators are and calls :func:`run`:

    python benchmarks/peers/ours.py --samples=SAMPLES.npz --estimator=ours --seed=0

It imports nothing but NumPy and absl, as it runs in the environment of each package.
"""

import contextlib
import json
import math
import pathlib
import re
import sys
import time
from collections.abc import Callable
from importlib import metadata

import numpy as np
from absl import app, flags

from mine.reporting.flag_words import define_seed

FLAGS = flags.FLAGS

Estimate = Callable[[np.ndarray, np.ndarray, int], tuple[float, dict]]
"""``estimate(x, y, seed)``, x [n, dim_x] and y [n, dim_y], gives nats and its settings."""


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
    define_seed("Seed of the estimator.")
    flags.mark_flags_as_required(["samples", "estimator"])

    def main(_):
        with np.load(FLAGS.samples) as samples:
            x, y = samples["x"], samples["y"]
        # Standard output is for the one line: what an estimator prints goes elsewhere.
        with contextlib.redirect_stdout(sys.stderr):
            start = time.perf_counter()
            nats, settings = estimators[FLAGS.estimator](x, y, FLAGS.seed)
            seconds = time.perf_counter() - start
        line = {
            "nats": nats if math.isfinite(nats) else None,  # JSON has no NaN.
            "seconds": seconds,
            "peak_mib": peak_mib(),
            "settings": settings,
            "versions": " ".join(f"{name} {metadata.version(name)}," for name in packages)[:-1],
        }
        print(json.dumps(line, default=str))

    app.run(main)


def peak_mib() -> float:
    """Most memory this process has held, in MiB (Linux).

    getrusage will not do: its peak of a process includes that of the one that started it.
    """
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024

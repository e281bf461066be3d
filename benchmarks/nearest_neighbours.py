"""Mutual information by nearest neighbours: this library beside scikit-learn, on the same samples.

    python benchmarks/nearest_neighbours.py --output=results/benchmarks

Both are KSG's estimator with three neighbours, of two numbers. In turn, in one process; medians
over rounds. Writes ``nearest_neighbours.md`` and ``nearest_neighbours.json``.
"""

import os
import pathlib
import statistics
import time

import numpy as np
import sklearn
from absl import flags
from sklearn.feature_selection import mutual_info_regression

from mine import reporting
from mine.estimators import classical
from mine.reporting import commands
from mine.reporting.progress import ProgressBar

NEIGHBOURS = 3


def ours(x: np.ndarray, y: np.ndarray) -> float:
    """Nats of two columns [n]."""
    return classical.ksg(x[:, np.newaxis], y[:, np.newaxis], neighbours=NEIGHBOURS).nats


def theirs(x: np.ndarray, y: np.ndarray) -> float:
    """Nats of two columns [n]."""
    (nats,) = mutual_info_regression(
        x[:, np.newaxis], y, n_neighbors=NEIGHBOURS, discrete_features=False, random_state=0
    )
    return float(nats)


ESTIMATORS = {"ours": ours, "scikit-learn": theirs}


def timed(estimate, x, y) -> dict:
    """What an estimate gives, and takes."""
    clock, processors = time.perf_counter(), time.process_time()
    nats = estimate(x, y)
    return {
        "nats": nats,
        "seconds": time.perf_counter() - clock,
        "processor_seconds": time.process_time() - processors,
    }


def measure(samples: int, rounds: int) -> list[dict]:
    """Of each estimator its answer and medians; variables are normal, of unit variance."""
    rng = np.random.default_rng(samples)
    x, noise = rng.normal(size=(2, samples))
    y = 0.8 * x + 0.6 * noise
    # The first round makes both ready: threads, and what is imported late.
    found = [
        {name: timed(estimate, x, y) for name, estimate in ESTIMATORS.items()}
        for _ in ProgressBar(range(rounds + 1), desc=f"{samples:,} samples", unit="round")
    ][1:]
    return [
        {
            "samples": samples, "estimator": name, "nats": found[0][name]["nats"],
            **{
                key: statistics.median(of[name][key] for of in found)
                for key in ("seconds", "processor_seconds")
            },
        } for name in ESTIMATORS
    ]  # fmt: skip


def table(result: dict) -> str:
    """The result as Markdown."""
    cells = []
    for own, other in zip(result["rows"][::2], result["rows"][1::2], strict=True):
        for row in (own, other):
            cells.append([
                f"{row['samples']:,}", row["estimator"], f"{row['nats']:.4f}",
                f"{1e3 * row['seconds']:.1f}", f"{1e3 * row['processor_seconds']:.1f}",
                f"{row['seconds'] / other['seconds']:.2f}",
            ])  # fmt: skip
    columns = ("samples", "", "nats", "ms", "ms of processors", "time over scikit-learn")
    lines = [
        "# Nearest neighbours: ours beside scikit-learn",
        "",
        f"`{result['command']}`; {result['hardware']}; {result['date']}; scikit-learn "
        f"{result['scikit_learn']}.",
        "",
        "I(x; y) of two correlated normal variables by KSG's estimator with "
        f"{NEIGHBOURS} neighbours; the truth is {result['truth']:.4f} nats. Medians of "
        f"{result['rounds']} rounds, both in turn. scikit-learn adds noise of 1e-10 to its inputs. "
        f"Load of {os.cpu_count()} cores before: {result['load']:.1f}.",
        "",
        *reporting.markdown_table(columns, cells),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, and writes what is found."""
    given = flags.FLAGS
    result = reporting.provenance("benchmarks/nearest_neighbours.py")
    result |= {
        "scikit_learn": sklearn.__version__, "rounds": given.rounds, "truth": -np.log(0.6),
        "load": os.getloadavg()[0],
    }  # fmt: skip
    result["rows"] = [row for samples in given.samples for row in measure(samples, given.rounds)]
    text = table(result)
    print(text)
    reporting.write_tables(result, text, pathlib.Path(given.output), "nearest_neighbours")


if __name__ == "__main__":
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table.")
    flags.DEFINE_multi_integer("samples", [1_000, 10_000, 100_000], "Numbers of them.", 10)
    flags.DEFINE_integer("rounds", 11, "Rounds of both.", 1)
    commands.run(main)

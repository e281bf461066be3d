"""Estimators on tasks of known information: a table and a picture of estimates against truths.

    python -m mine.benchmarks --suite=standard --output=OUT

Every estimate is written to ``estimates.json`` at once. The same command resumes a run, and with
more estimators, tasks or seeds makes the missing estimates only. Choose a new folder after a change
of the library, since finished estimates are not repeated. Writes ``table.md``, ``table.json`` and
``estimates.png`` at the end.
"""

import functools
import math
import pathlib
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence

import matplotlib.figure
import numpy as np
from absl import flags

from mine import reporting
from mine.benchmarks.suites import SUITES, Suite, SuiteEstimate
from mine.reporting import commands
from mine.reporting.processes import resources
from mine.reporting.progress import ProgressBar

PAIR, RECORD = 100, 500  # Bytes of a pair of samples, and of an estimate, at least.

ESTIMATES = "estimates.json"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def estimate(suite: Suite, estimator: str, task: str, samples: int, seed: int) -> dict:
    """One estimate and its record: names, seed, nats, interval, warnings and seconds.

    If training diverges, the nats are NaN and the reason is among the warnings.
    """
    # Each task has its own seed: many are maps of one normal, and must not share its samples.
    sample_seed = zlib.crc32(f"{task} {seed}".encode())
    started = time.perf_counter()
    try:
        found = suite.estimators[estimator](suite.tasks[task], samples, sample_seed, seed)
    except ArithmeticError as error:
        found = SuiteEstimate(math.nan, (math.nan, math.nan), (str(error),))
    seconds = time.perf_counter() - started
    return {
        "estimator": estimator,
        "task": task,
        "seed": seed,
        "nats": float(found.nats),
        "interval": [float(end) for end in found.interval],
        "warnings": list(found.warnings),
        "seconds": seconds,
    }


class Store:
    """The estimates so far, in a file that is replaced after each of them.

    Args:
        path: of the file, which may be absent.
        samples: pairs of each estimate.

    Raises:
        ValueError: the file is damaged, or its estimates are from another number of samples.
    """

    def __init__(self, path: pathlib.Path, samples: int):
        self.path, self.samples, self.records = path, samples, {}
        if path.exists():
            content = reporting.read_json(path, "samples", "estimates")
            if content["samples"] != samples:
                raise ValueError(
                    f"Invalid value for `samples`: expected {content['samples']}, as in {path}; "
                    f"received {samples}; choose another --output."
                )
            found = content["estimates"]
            if not isinstance(found, list) or not all(map(_is_record, found)):
                raise ValueError(
                    f"Invalid file {path}: expected the estimates of a run; received a damaged "
                    "file; remove it and run again."
                )
            self.records = {self.key(**record): record for record in found}

    @staticmethod
    def key(estimator, task, seed, **_) -> tuple:
        return estimator, task, seed

    def add(self, record: dict):
        """Adds a record, and writes the file."""
        self.records[self.key(**record)] = record
        reporting.write_json(
            {"samples": self.samples, "estimates": list(self.records.values())}, self.path
        )


def _is_record(record) -> bool:
    """Whether this is what :func:`estimate` returns, after it was written: NaN is null."""
    if not isinstance(record, dict):
        return False
    interval, warnings = record.get("interval"), record.get("warnings")
    numbers = [record.get("nats"), *(interval if isinstance(interval, list) else [])]
    return (
        all(isinstance(record.get(name), str) for name in ("estimator", "task"))
        and all(isinstance(record.get(name), float | int) for name in ("seed", "seconds"))
        and len(numbers) == 3
        and all(value is None or isinstance(value, float | int) for value in numbers)
        and isinstance(warnings, list)
    )


def tabulate(records: list[dict], tasks: dict) -> tuple[list[dict], dict[str, dict]]:
    """Aggregates estimates over seeds, and over tasks.

    Args:
        records: of :func:`estimate`.
        tasks: of the suite.

    Returns:
        A row for each task: ``task``, ``dimensions``, ``truth`` and for each estimator
        ``mean`` and ``ci95`` over seeds. And for each estimator, over tasks and seeds: the number
        of estimates, of intervals that contain the truth and of estimates with warnings, median
        seconds, and the median absolute error, where NaN counts as infinite.
    """
    estimators = list(dict.fromkeys(record["estimator"] for record in records))
    rows = []
    for task in dict.fromkeys(record["task"] for record in records):
        row = {
            "task": task,
            "dimensions": tasks[task].dimensions,
            "truth": tasks[task].nats,
            "estimates": {},
        }
        for estimator in estimators:
            nats = [r["nats"] for r in records if (r["task"], r["estimator"]) == (task, estimator)]
            row["estimates"][estimator] = reporting.mean_interval(nats)
        rows.append(row)
    summary = {}
    for estimator in estimators:
        group = [record for record in records if record["estimator"] == estimator]
        truths = np.array([tasks[record["task"]].nats for record in group])
        low, high = np.array([record["interval"] for record in group], np.float64).T
        high = np.where(np.isnan(high) & ~np.isnan(low), np.inf, high)  # No upper end: null.
        nats = np.array([record["nats"] for record in group], np.float64)
        errors = np.abs(np.where(np.isfinite(nats), nats, np.inf) - truths)
        summary[estimator] = {
            "estimates": len(group),
            "intervals_with_truth": int(np.sum((low <= truths) & (truths <= high))),
            "with_warnings": sum(bool(record["warnings"]) for record in group),
            "median_seconds": float(np.median([record["seconds"] for record in group])),
            "median_absolute_error": float(np.median(errors)),
        }
    return rows, summary


def markdown(rows: list[dict], summary: dict[str, dict], run: dict) -> str:
    """The table in Markdown, with a legend and its provenance."""

    def cell(mean, ci95):
        return f"{mean:.3f}" + ("" if math.isnan(ci95) else f" ± {ci95:.3f}")

    def sums(title, text):
        return [title, "", "", *(text(sums) for sums in summary.values())]

    seeds = ", ".join(map(str, run["seeds"]))
    over = f"mean ± 95 % interval (Student's t) over seeds {seeds}" if seeds != "0" else "seed 0"
    columns = ["task", "dimensions", "truth", *summary]
    found = [
        [
            row["task"],
            row["dimensions"],
            f"{row['truth']:.3f}",
            *(cell(**estimate) for estimate in row["estimates"].values()),
        ]
        for row in rows
    ]
    found += [
        sums("median seconds", lambda of: f"{of['median_seconds']:.2f}"),
        sums("with warnings", lambda of: f"{of['with_warnings']} / {of['estimates']}"),
        sums("truth in interval", lambda of: f"{of['intervals_with_truth']} / {of['estimates']}"),
        sums("**median absolute error**", lambda of: f"**{of['median_absolute_error']:.3f}**"),
    ]
    lines = [
        "# Estimates of known mutual information",
        "",
        *reporting.markdown_table(columns, found),
        "",
        f"Nats, {run['samples']} samples, {over}. The last four rows are over all tasks and seeds.",
        "",
        f"`{run['command']}`, {run['hardware']}, {run['date']}.",
    ]
    return "\n".join(lines) + "\n"


def picture(rows: list[dict], summary: dict[str, dict], path: pathlib.Path):
    """Draws mean estimates with their 95 % intervals against truths, as a PNG."""
    figure = matplotlib.figure.Figure(figsize=(6.5, 6), layout="constrained")
    axis = figure.subplots()
    truths = np.array([row["truth"] for row in rows])
    limit = 1.05 * truths.max()
    axis.plot([0, limit], [0, limit], color="black", linewidth=0.8, label="truth")
    for index, estimator in enumerate(summary):
        found = [row["estimates"][estimator] for row in rows]
        axis.errorbar(
            # Side by side, since some tasks share one truth, and good estimators one estimate.
            truths + limit * 0.006 * (index - (len(summary) - 1) / 2),
            [of["mean"] for of in found],
            yerr=np.nan_to_num([of["ci95"] for of in found]),
            color=reporting.COLOURS[index % len(reporting.COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=5,
            linestyle="none",
            elinewidth=0.8,
            alpha=0.75,
            label=estimator,
        )
    axis.set(xlabel="true mutual information, nats", ylabel="estimate, nats")
    axis.legend()
    reporting.picture(figure, path)


def _of_callable(function: Callable, task, samples, sample_seed, seed) -> SuiteEstimate:
    """One estimate of a function of one's own."""
    found = function(*task.sample(samples, sample_seed))
    nats = getattr(found, "nats", found)
    if np.ndim(nats) or np.asarray(nats).dtype.kind not in "fiu":
        raise ValueError(
            "Invalid value returned by an estimator: expected nats, a number, or an object with "
            f"`nats`; received a {type(found).__name__}."
        )
    interval = getattr(found, "interval", (math.nan, math.nan))
    return SuiteEstimate(float(nats), interval, getattr(found, "warnings", ()))


def benchmark(
    estimators: Sequence[str] | Mapping[str, Callable] | Callable | None = None,
    suite: str = "standard",
    tasks: Sequence[str] | None = None,
    samples: int = 2000,
    seeds: int = 1,
    output: str = "mine_benchmark",
) -> str:
    """Makes the missing estimates, then the table and the picture.

    Args:
        estimators: names of the suite's; None for its default ones; or any function ``estimate(x,
            y) -> nats`` of arrays [n, dim], or several by name. It may return an object with
            ``nats``, ``interval`` and ``warnings``. In the suite "conditional" it is given y, d, x.
        suite: a name of :data:`mine.benchmarks.suites.SUITES`.
        tasks: names of the suite's; None for all.
        samples: pairs for each estimate.
        seeds: number of seeds, which are 0, 1, ...
        output: the folder to write to.

    Returns:
        The table in Markdown.

    Raises:
        ValueError: a name is unknown, or the folder holds estimates of another sample size.
    """
    if suite not in SUITES:
        raise ValueError(
            f"Invalid value for `suite`: expected one of {', '.join(SUITES)}; received {suite!r}."
        )
    chosen = SUITES[suite]
    if callable(estimators):
        estimators = {getattr(estimators, "__name__", "estimator"): estimators}
    if isinstance(estimators, Mapping):
        own = {name: functools.partial(_of_callable, of) for name, of in estimators.items()}
        chosen = chosen._replace(estimators={**chosen.estimators, **own})
    estimators = list(estimators or chosen.default_estimators)
    tasks = list(tasks or chosen.tasks)
    for kind, names, known in (
        ("task", tasks, chosen.tasks),
        ("estimator", estimators, chosen.estimators),
    ):
        for name in names:
            if name not in known:
                raise ValueError(
                    f"Invalid value for `{kind}s`: expected names of the suite {suite}, "
                    f"{', '.join(known)}; received {name!r}."
                )
    resources.require("samples", samples, samples * PAIR)
    resources.require("seeds", seeds, seeds * len(tasks) * len(estimators) * RECORD)
    folder = pathlib.Path(output)
    store = Store(folder / ESTIMATES, samples)
    folder.mkdir(parents=True, exist_ok=True)
    keys = [(e, t, s) for s in range(seeds) for t in tasks for e in estimators]
    with ProgressBar(keys, unit="estimate") as bar:
        for estimator, task, seed in bar:
            bar.set_postfix_str(f"{estimator} on {task}, seed {seed}")
            if (estimator, task, seed) not in store.records:
                store.add(estimate(chosen, estimator, task, samples, seed))
    rows, summary = tabulate([store.records[key] for key in keys], chosen.tasks)
    run = {"samples": samples, "seeds": list(range(seeds))} | reporting.provenance(
        "mine.benchmarks"
    )
    text = markdown(rows, summary, run)
    reporting.write_tables({"rows": rows, "estimators": summary} | run, text, folder, "table")
    picture(rows, summary, folder / "estimates.png")
    return text


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_enum("suite", "standard", list(SUITES), "Suite of tasks of known information.")
    flags.DEFINE_list(
        "estimators", None, "Names of estimators, comma-separated; default: those of the suite."
    )
    flags.DEFINE_list("tasks", None, "Names of tasks, comma-separated; default: all of the suite.")
    flags.DEFINE_integer("samples", 10_000, "Pairs for each estimate.", lower_bound=1)
    flags.DEFINE_integer("seeds", 3, "Number of seeds, which are 0, 1, ...", lower_bound=1)
    flags.DEFINE_string("output", None, "Folder of the estimates and the table.", required=True)


def main() -> None:
    """Runs the command."""
    given = flags.FLAGS
    try:
        text = benchmark(
            given.estimators,
            given.suite,
            given.tasks,
            given.samples,
            given.seeds,
            given.output,
        )
        print(text)
    except ValueError as error:
        sys.exit(f"Error: {error}")


def cli() -> None:
    """The command ``mine-benchmark``."""
    define_flags()
    commands.run(main, ["output"])

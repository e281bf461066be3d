"""How often the interval of the information holds it, how wide it is, and how exact the estimate.

    python benchmarks/information_interval.py --output=results/benchmarks

On the tasks of mine.benchmarks, on which the interval was tuned, and on others, on which it was
not; conditional ones too. Every estimate is saved at once, and the same command goes on where it
was stopped; ``--render`` writes the page again from what is there. Writes
``information_interval.json`` and ``.md``.
"""

import json
import math
import pathlib
import time
import zlib

import numpy as np
from absl import flags
from scipy import special

import mine
from mine import benchmarks, reporting
from mine.estimators import classical
from mine.estimators.preprocessing import Preprocessor
from mine.reporting import commands

FLAGS = flags.FLAGS


def circle(width: float) -> benchmarks.Task:
    """Points on a circle, y turned from x by an angle that is uniform on ``width`` radians.

    I = log(2 pi / width): the entropy of a uniform angle less that of the turn.
    """

    def draw(n, rng):
        angle = rng.uniform(0, 2 * np.pi, n)
        turned = angle + rng.uniform(-width / 2, width / 2, n)
        return tuple(np.stack([np.cos(a), np.sin(a)], axis=1) for a in (angle, turned))

    nats = math.log(2 * math.pi / width)
    return benchmarks.Task("circle-2x2", 2, 2, nats, "entropy of uniform angles", draw)


def gamma_exponential(theta: float) -> benchmarks.Task:
    """x of Gamma(theta), y exponential of the rate x: I = psi(theta + 1) - log theta."""

    def draw(n, rng):
        x = rng.gamma(theta, size=(n, 1))
        return x, rng.exponential(size=(n, 1)) / x

    source = "Darbellay & Vajda 2000; Kraskov et al. 2004 (arXiv cond-mat/0305641), section III"
    nats = float(special.digamma(theta + 1)) - math.log(theta)
    return benchmarks.Task("gamma-exponential-1x1", 1, 1, nats, source, draw)


def five_values() -> benchmarks.Task:
    """x is 0, ..., 4 and y uniform on [x, x + 2]: I = log 5 - 4/5 log 2."""

    def draw(n, rng):
        x = rng.integers(0, 5, (n, 1)).astype(float)
        return x, x + rng.uniform(0, 2, (n, 1))

    source = "Gao et al. 2017 (arXiv 1709.06212)"
    return benchmarks.Task("five-values-1x1", 1, 1, math.log(5) - 0.8 * math.log(2), source, draw)


def random_normal(seed: int = 0) -> benchmarks.Task:
    """Normal x [n, 4] and y [n, 2] of a covariance that is drawn: A A' of normal A, 6 by 8."""
    factor = np.random.default_rng(seed).standard_normal((6, 8))
    return benchmarks.multinormal(factor @ factor.T, 4)


def independent(name: str, dim: int, draw_one) -> benchmarks.Task:
    """Samples of x and y that have nothing to do with each other; ``draw_one(rng, shape)``."""

    def draw(n, rng):
        return draw_one(rng, (n, dim)), draw_one(rng, (n, dim))

    return benchmarks.Task(f"independent-{name}-{dim}x{dim}", dim, dim, 0.0, "none", draw)


OTHERS = {
    task.name: task
    for task in (
        benchmarks.student(3, 3, 3),
        benchmarks.gaussian(2, 1.0),
        benchmarks.half_cube(benchmarks.student(1, 2, 2)),
        benchmarks.swiss_roll(0.9),
        random_normal(),
        gamma_exponential(1.0),
        five_values(),
        benchmarks.additive_noise(0.3),
    )
}
"""Tasks on which nothing was tuned."""

INDEPENDENT = {
    task.name: task
    for task in (
        independent("normal", 1, lambda rng, shape: rng.standard_normal(shape)),
        independent("normal", 3, lambda rng, shape: rng.standard_normal(shape)),
        independent("student", 1, lambda rng, shape: rng.standard_t(2, shape)),
    )
}
"""Tasks without any information: the interval must reach down to 0."""

SUITES = {
    "tuned on": benchmarks.TASKS,
    "not tuned on": OTHERS,
    "given z": benchmarks.CONDITIONAL,
    "circle": {"circle-2x2": circle(1.0)},
    "independent": INDEPENDENT,
}


def define_flags() -> None:
    """Defines this script's flags."""
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the records and the page.")
    flags.DEFINE_list("suites", ["tuned on", "not tuned on"], f"Among {', '.join(SUITES)}.")
    flags.DEFINE_list("samples", ["1000", "3000", "10000"], "Numbers of samples.")
    flags.DEFINE_integer("seeds", 5, "Samples of each task and size: seeds 0, 1, ...", 1)
    flags.DEFINE_bool("render", False, "Write the page from the records that are there.")


def record(suite: str, name: str, samples: int, seed: int) -> dict:
    """One estimate, nearest neighbours alone on the same samples, and the time of the estimate."""
    task = SUITES[suite][name]
    arrays = task.sample(samples, zlib.crc32(f"{name} {seed} x{samples}".encode()))
    clock, cpu = time.perf_counter(), time.process_time()
    found = mine.estimate(*arrays, seed=seed, progress=False)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    low, high = found.interval
    ksg = classical.ksg(*(Preprocessor("rank").fit(part)(part) for part in arrays))
    return {
        "suite": suite,
        "task": name,
        "truth": task.nats,
        "samples": samples,
        "seed": seed,
        "nats": found.nats,
        "interval": [low, high],  # None for no upper end.
        "bound": found.bound_nats,
        "bound_interval": list(found.bound_interval),
        "ksg": ksg.nats,
        "ksg_interval": [ksg.nats - 1.96 * ksg.error, ksg.nats + 1.96 * ksg.error],
        "seconds": clock,
        "cpu_seconds": cpu,
    }


def holds(of: dict, name: str) -> bool:
    """Whether the interval of a record holds the information."""
    low, high = of[name]
    return low <= of["truth"] <= (math.inf if high is None else high)


def has_end(of: dict) -> bool:
    """Whether an interval has an upper end."""
    return of["interval"][1] is not None and of["interval"][1] < math.inf


def half_width(records: list[dict]) -> float:
    """The median half-width of the intervals that have an upper end."""
    widths = [(of["interval"][1] - of["interval"][0]) / 2 for of in records if has_end(of)]
    return float(np.median(widths)) if widths else math.nan


def width(records: list[dict]) -> str:
    """The same as a cell of a table."""
    half = half_width(records)
    return "at least" if math.isnan(half) else f"{half:.3f}"


def errors(records: list[dict], name: str) -> float:
    """The median absolute error of ``nats``, ``bound`` or ``ksg``."""
    return float(np.median([abs(of[name] - of["truth"]) for of in records]))


def page(records: list[dict], run: dict) -> str:
    """The tables, as Markdown."""
    rows = []
    for suite in SUITES:
        for samples in sorted({of["samples"] for of in records}):
            group = [of for of in records if (of["suite"], of["samples"]) == (suite, samples)]
            if not group:
                continue
            held = [sum(holds(of, key) for of in group) for key in ("interval", "bound_interval")]
            held.append(sum(holds(of, "ksg_interval") for of in group))
            rows.append(
                [
                    suite,
                    f"{samples:,}",
                    f"{len(group)}",
                    f"{held[0]} ({held[0] / len(group):.1%})",
                    f"{held[1]}",
                    f"{held[2]}",
                    f"{sum(not has_end(of) for of in group)}",
                    width(group),
                    *(f"{errors(group, name):.4f}" for name in ("nats", "bound", "ksg")),
                    f"{np.median([of['cpu_seconds'] for of in group]):.1f}",
                ]
            )
    header = [
        "problems",
        "samples",
        "estimates",
        "interval holds",
        "bound's own",
        "KSG's own",
        "at least",
        "half-width",
        "error",
        "bound's",
        "KSG's",
        "CPU seconds",
    ]
    largest = max(of["samples"] for of in records)
    each = []
    for suite, tasks in SUITES.items():
        for name in tasks:
            group = [of for of in records if (of["task"], of["samples"]) == (name, largest)]
            group = [of for of in group if of["suite"] == suite]
            if group:
                means = [np.mean([of[key] for of in group]) for key in ("nats", "bound", "ksg")]
                held = sum(holds(of, "interval") for of in group)
                cells = [f"{mean:.3f}" for mean in (group[0]["truth"], *means)]
                each.append([name, suite, *cells, f"{held} / {len(group)}", width(group)])
    lines = [
        "# The interval of the information",
        "",
        *reporting.origins([run]),
        "",
        "`mine.estimate` at its defaults. Intervals are of 95 %; half-widths and errors in nats, "
        "medians; an interval without an upper end says at least, and has no half-width.",
        "",
        *reporting.markdown_table(header, rows),
        "",
        f"Each problem at {largest:,} samples, means over seeds in nats:",
        "",
        *reporting.markdown_table(
            ["problem", "", "truth", "estimate", "bound", "KSG", "interval holds", "half-width"],
            each,
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Makes the missing records, and writes the page."""
    folder = pathlib.Path(FLAGS.output)
    path = folder / "information_interval.json"
    folder.mkdir(parents=True, exist_ok=True)
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"records": []}
    records = content["records"]
    run = {key: value for key, value in content.items() if key != "records"}
    done = {(of["suite"], of["task"], of["samples"], of["seed"]) for of in records}
    todo = [
        (suite, name, int(samples), seed)
        for seed in range(0 if FLAGS.render else FLAGS.seeds)
        for samples in sorted(map(int, FLAGS.samples), reverse=True)
        for suite in FLAGS.suites
        for name in SUITES[suite]
    ]
    for key in todo:
        if key not in done:
            records.append(record(*key))
            run = reporting.provenance("benchmarks/information_interval.py")
            reporting.write_json({"records": records} | run, path)
    text = page(records, run)
    print(text)
    reporting.write_tables({"records": records} | run, text, folder, "information_interval")


if __name__ == "__main__":
    define_flags()
    commands.run(main)

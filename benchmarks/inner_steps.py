"""Memory and time of a training step of MAML against its inner steps, with and without recompute.

    python benchmarks/inner_steps.py --output=results/benchmarks

Each case runs in a fresh process, whose peak of memory is its own; the three repeats take turns.
Writes ``inner_steps.md`` and ``inner_steps.json``.
"""

import concurrent.futures
import itertools
import multiprocessing
import pathlib
import resource
import statistics
import time

import numpy as np
from absl import flags
from steps import noise_problem

from mine import reporting
from mine.reporting import commands
from mine.reporting.progress import ProgressBar

INNER_STEPS = (1, 2, 5, 10, 20)
TIMED = 5
REPEATS = 3


def measure(inner_steps: int, recompute: bool) -> dict:
    """One case, in this process: seconds to trace, milliseconds a step, MiB that training adds."""
    config, problem = noise_problem(
        8, **{"learner": "maml", "learner.inner_steps": inner_steps, "learner.recompute": recompute}
    )
    learner, tasks = config.make_learner(problem), problem.train
    learner.create_weights(tasks.sample(2, [0, 0]))
    learner.compile("adam")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    learner.make_train_function()
    batches = iter(tasks.dataset(config.meta_batch_size, 0))
    times = []
    for _ in range(TIMED + 1):
        started = time.perf_counter()
        np.asarray(learner.train_function(batches)["loss"])
        times.append(time.perf_counter() - started)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "inner_steps": inner_steps,
        "recompute": recompute,
        "first_step_s": times[0],
        "step_ms": 1000 * statistics.median(times[1:]),
        "mib": (after - before) / 1024,
    }


def table(rows: list[dict], run: dict) -> str:
    """The medians over repeats as Markdown; ``run`` is :func:`mine.reporting.provenance`."""

    def median(steps, recompute, key):
        found = [r[key] for r in rows if (r["inner_steps"], r["recompute"]) == (steps, recompute)]
        return statistics.median(found)

    cells = []
    for steps in INNER_STEPS:
        mib, ms, first = (
            [median(steps, recompute, key) for recompute in (False, True)]
            for key in ("mib", "step_ms", "first_step_s")
        )
        cells.append(
            [
                f"{steps}", f"{mib[0]:,.0f}", f"{mib[1]:,.0f}", f"{mib[1] / mib[0]:.2f}",
                f"{ms[0]:,.0f}", f"{ms[1]:,.0f}", f"{ms[1] / ms[0]:.2f}",
                f"{first[0]:.0f}", f"{first[1]:.0f}",
            ]
        )  # fmt: skip
    columns = (
        "inner steps", "MiB", "MiB, recompute", "ratio", "ms a step", "ms, recompute", "ratio",
        "first step, s", "first, recompute",
    )  # fmt: skip
    lines = [
        "# Inner steps: memory and time of a training step of MAML",
        "",
        f"`{run['command']}`, quick preset (4 tasks of 5 + 5 images of 40 x 40), second order, "
        f"{run['hardware']}, {run['date']}. Medians of {REPEATS} processes. MiB: by "
        "how much the peak of the process grows in training, tracing included.",
        "",
        *reporting.markdown_table(columns, cells, left=0),
    ]
    return "\n".join(lines) + "\n"


def main():
    output = pathlib.Path(flags.FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)
    path, rows = output / "inner_steps.json", []
    cases = list(itertools.product(range(REPEATS), INNER_STEPS, (False, True)))
    context = multiprocessing.get_context("spawn")
    for _, inner_steps, recompute in ProgressBar(cases, unit="case"):
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as fresh:
            rows.append(fresh.submit(measure, inner_steps, recompute).result())
    run = reporting.provenance("benchmarks/inner_steps.py")
    text = table(rows, run)
    print(text)
    reporting.write(text.encode(), path.with_suffix(".md"))
    reporting.write_json(run | {"rows": rows}, path)


if __name__ == "__main__":
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table.")
    commands.run(main)

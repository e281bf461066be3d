"""How much faster is a study by two processes than by one?

    python benchmarks/study_workers.py --output=results/benchmarks

Trains the same CNPs of the memorization study by 1 and by 2 processes in turn, each time from
nothing, so that the start of processes counts. Other work on the machine takes more from the clock
than from processor time: both are reported, and the machine's load before each. Writes
``study_workers.md`` and ``study_workers.json``.
"""

import functools
import os
import pathlib
import resource
import tempfile
import time

import maml  # noqa: F401 (first: it silences TensorFlow's start-up messages)

# isort: split
import numpy as np
from absl import flags

from maml.experiments import sweep
from maml.experiments.config import Config
from maml.experiments.executors.local import Local
from maml.experiments.training import run
from maml.studies.memorization import TABLES
from mine import reporting
from mine.reporting import commands
from mine.reporting.progress import ProgressBar


def jobs(folder: pathlib.Path, trainings: int, steps: int) -> dict:
    """Trainings of a study by their names."""
    base = {**TABLES["cnp_5"].base, "steps": steps, "steps_per_epoch": steps}
    return {
        str(seed): functools.partial(
            run, Config.of({"seed": seed}, base), folder / str(seed), verbose=0, pictures=False
        )
        for seed in range(trainings)
    }


def processor_seconds() -> float:
    """Of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(workers: int, trainings: int, steps: int) -> dict:
    """Seconds of all trainings, by the clock and of processors."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        start, used = time.perf_counter(), processor_seconds()
        with Local(workers) as executor:
            sweep.run(jobs(pathlib.Path(folder), trainings, steps), executor, f"{workers} at once")
        wall, used = time.perf_counter() - start, processor_seconds() - used
    return {"workers": workers, "seconds": wall, "processor_seconds": used, "load": load}


def main():
    given = flags.FLAGS
    rounds = [
        [timed(workers, given.trainings, given.steps) for workers in (1, 2)]
        for _ in ProgressBar(range(given.rounds), unit="round")
    ]
    told = reporting.provenance("benchmarks/study_workers.py")
    ratios = [one["seconds"] / two["seconds"] for one, two in rounds]
    costs = [two["processor_seconds"] / one["processor_seconds"] for one, two in rounds]
    result = told | {
        "trainings": given.trainings, "steps": given.steps, "rounds": rounds,
        "speed_up": float(np.median(ratios)), "processor_time_ratio": float(np.median(costs)),
    }  # fmt: skip
    cells = [
        [
            str(number), str(of["workers"]), f"{of['seconds']:.0f}",
            f"{of['processor_seconds']:.0f}", f"{of['load']:.1f}",
        ]
        for number, pair in enumerate(rounds, 1) for of in pair
    ]  # fmt: skip
    columns = ("round", "processes", "seconds", "seconds of processors", "load before")
    lines = [
        "# A study by two processes",
        "",
        f"`{told['command']}`; {told['hardware']}, {os.cpu_count()} cores; {told['date']}.",
        "",
        f"{given.trainings} trainings of a CNP, {given.steps} steps each, with the start of the "
        "processes. Load: processes of the whole machine that want a core, mean of a minute.",
        "",
        *reporting.markdown_table(columns, cells),
        "",
        f"Two processes are {result['speed_up']:.2f} times as fast as one (median of rounds), and "
        f"use {result['processor_time_ratio']:.2f} times the processor time.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    reporting.write_tables(result, text, pathlib.Path(given.output), "study_workers")


if __name__ == "__main__":
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table.")
    flags.DEFINE_integer("trainings", 8, "Trainings of the study.", 1)
    flags.DEFINE_integer("steps", 2500, "Steps of each.", 1)
    flags.DEFINE_integer("rounds", 3, "Rounds of both.", 1)
    commands.run(main)

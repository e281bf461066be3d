"""Does memory stay flat over many steps, many learners in one process, and many runs of a study?

    python benchmarks/endurance.py --output=results/benchmarks

Trains one learner on sinusoids for --steps and one on images of 40 x 40 for --pose_steps; makes,
trains and drops --learners in one process; runs --runs tiny runs by the processes of a study. Each
part has a process of its own. Growth is the slope of the resident memory after the first quarter.
Writes ``endurance.md`` and ``.json``, where parts that --parts leaves out stay as they are.
"""

import concurrent.futures
import ctypes
import functools
import gc
import multiprocessing
import os
import pathlib
import tempfile

import maml  # First: it silences TensorFlow's start-up messages.

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import flags

from maml.experiments import sweep, training
from maml.experiments.config import Config
from maml.experiments.executors.local import shared
from mine import reporting
from mine.reporting import commands

PARTS = ("steps", "pose_steps", "learners", "trimmed", "runs")

TINY = {
    "task": "sinusoid", "learner": "cnp", "steps": 4, "steps_per_epoch": 2, "meta_batch_size": 4,
    "num_validation_batches": 1, "num_test_tasks": 6, "num_validation_tasks": 6,
}  # fmt: skip


def resident() -> float:
    """Memory of this process, MiB; Linux."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def growth(records: list[tuple[int, float]]) -> float:
    """MiB for each one more, after the first quarter of ``(number, MiB)``."""
    late = np.array(records[len(records) // 4 :])
    return float(np.polyfit(late[:, 0], late[:, 1], 1)[0])


class Watch(keras.callbacks.Callback):
    """Memory after every epoch."""

    def __init__(self, each: int):
        super().__init__()
        self.each, self.records = each, []

    def on_epoch_end(self, epoch, logs=None):
        self.records.append(((epoch + 1) * self.each, resident()))


def learner():
    """A small learner of sinusoids, with its problem."""
    problem = maml.TASKS.make("sinusoid")
    made = maml.make_learner("cnp", problem.networks, problem.head)
    made.compile("adam")
    return made, problem


def steps(count: int) -> list[tuple[int, float]]:
    """Memory after each fiftieth of the steps of one training."""
    made, problem = learner()
    return train(made, problem.train, 4, count)


def pose_steps(count: int) -> list[tuple[int, float]]:
    """The same of a learner of images."""
    from steps import noise_problem  # The script beside this one.

    config, problem = noise_problem(24, learner="cnp")
    made = config.make_learner(problem)
    made.compile("adam", critic_optimizer="adam")
    return train(made, problem.train, config.meta_batch_size, count)


def train(made: maml.MetaLearner, tasks, batch_size: int, count: int) -> list[tuple[int, float]]:
    """Memory after each fiftieth of the steps."""
    watch = Watch(max(1, count // 50))
    made.fit(
        tasks, batch_size=batch_size, epochs=count // watch.each, steps_per_epoch=watch.each,
        verbose=0, callbacks=[watch],
    )  # fmt: skip
    return watch.records


def learners(count: int, trim: bool = False) -> list[tuple[int, float]]:
    """Memory after each of some learners, which were trained for two steps and are gone.

    Args:
        count: of learners.
        trim: whether glibc gives memory that is free back to the system after each.
    """
    # Each learner is a new graph: TensorFlow would advise against it for pages.
    tf.get_logger().setLevel("ERROR")
    records = []
    for number in range(1, count + 1):
        made, problem = learner()
        made.fit(problem.train, batch_size=4, steps=2, verbose=0)
        del made, problem
        keras.utils.clear_session()
        gc.collect()
        if trim:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        records.append((number, resident()))
    return records


def tiny_run(folder: str, seed: int) -> dict:
    """A run of a study; the memory of its process, and the process."""
    config = Config.of(TINY | {"seed": seed}, {})
    training.run(config, pathlib.Path(folder) / str(seed), verbose=False)
    return {"process": os.getpid(), "mib": resident()}


def runs(count: int, workers: int) -> list[tuple[int, float]]:
    """Memory of the process of each run of a study."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = {str(seed): functools.partial(tiny_run, folder, seed) for seed in range(count)}
        found = sweep.run(jobs, shared(workers), "Runs")
    return [(number + 1, record["mib"]) for number, record in enumerate(found.values())]


def measure(part: str) -> dict:
    """What one part gives: its title, its memory, and what made it."""
    given = flags.FLAGS
    titles = {
        "steps": ("steps of one training, sinusoids", steps, given.steps),
        "pose_steps": ("steps of one training, images", pose_steps, given.pose_steps),
        "learners": ("learners in one process", learners, given.learners),
        "trimmed": ("learners, memory trimmed", learners, given.learners, True),
        "runs": ("runs of a study", runs, given.runs, given.workers),
    }
    title, function, *arguments = titles[part]
    if part == "runs":  # Which has processes of its own.
        records = function(*arguments)
    else:
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as fresh:
            records = fresh.submit(function, *arguments).result()
    row = {
        "what": title,
        "count": records[-1][0],
        "first_mib": records[0][1],
        "last_mib": records[-1][1],
        "most_mib": max(mib for _, mib in records),
        "growth_mib": growth(records),
    }
    return reporting.provenance("benchmarks/endurance.py") | row | {"records": records}


def table(found: dict[str, dict]) -> str:
    """The parts as a page."""
    cells = [
        [
            row["what"], f"{row['count']:,}", f"{row['first_mib']:,.0f}", f"{row['last_mib']:,.0f}",
            f"{row['most_mib']:,.0f}", f"{row['growth_mib']:.4f}",
        ]
        for row in found.values()
    ]  # fmt: skip
    columns = ("what", "count", "MiB, first", "MiB, last", "MiB, most", "MiB each")
    lines = [
        "# Endurance: memory over steps, learners and runs",
        "",
        "MiB: resident memory of the process; each: slope after the first quarter.",
        "",
        *reporting.markdown_table(columns, cells),
        "",
        *reporting.origins(found.values()),
    ]
    return "\n".join(lines) + "\n"


def main():
    output = pathlib.Path(flags.FLAGS.output)
    path = output / "endurance.json"
    kept = reporting.read_json(path) if path.exists() else {}
    for part in flags.FLAGS.parts:
        kept[part] = measure(part)
        found = {name: kept[name] for name in PARTS if name in kept}
        reporting.write_tables(found, table(found), output, "endurance")
    print(table(found))


if __name__ == "__main__":
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table.")
    flags.DEFINE_multi_enum("parts", PARTS, PARTS, "Parts to run; others stay in the table.")
    flags.DEFINE_integer("steps", 100_000, "Steps of one training.", lower_bound=50)
    flags.DEFINE_integer("pose_steps", 2_000, "Steps of one training on images.", lower_bound=50)
    flags.DEFINE_integer("learners", 200, "Learners in one process.", lower_bound=8)
    flags.DEFINE_integer("runs", 500, "Runs of a study.", lower_bound=8)
    flags.DEFINE_integer("workers", 2, "Processes of the study.", lower_bound=1)
    commands.run(main)

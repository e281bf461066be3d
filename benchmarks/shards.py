"""Trains on images that are larger than memory: how much memory, and at which cost in time?

    python benchmarks/shards.py --output=results/benchmarks

Writes a set of random images in shards, and trains a CNP on it with the quick preset: in a process
whose memory beyond that of a training on 24 objects is limited to --limit GiB by the system; then
in turn with the same training on images in memory, of a set that is small enough. A block of images
is compared with its checksum when it is first read, so steps are timed before and after all blocks
have been read. Writes ``shards.md`` and ``shards.json``.
"""

import concurrent.futures
import json
import multiprocessing
import pathlib
import resource
import tempfile
import time

import maml  # noqa: F401 (first: it silences TensorFlow's start-up messages)

# isort: split
import numpy as np
import tensorflow as tf
from absl import flags

from maml.experiments.config import Config
from mine import reporting
from mine.reporting import commands
from mine.reporting.progress import ProgressBar
from mine.reporting.shards import writing
from pose_code import problem as pose_problem  # noqa: F401 (registers the task)
from pose_code.presets import preset_options
from pose_data import pickles, records

IMAGES, SIDE, FEW = 50, 128, 24


def blocks(objects: int, seed: int):
    """Random images [images, side, side] of one object after the other."""
    rng = np.random.default_rng(seed)
    for _ in range(objects):
        yield rng.integers(0, 256, (IMAGES, SIDE, SIDE), np.uint8)


def write_set(folder: pathlib.Path, objects: int, shards: int) -> None:
    """Writes a set of random images, and of some more to test on; 0 shards for pickles."""
    folder.mkdir()
    tables, names = {}, {}
    for number, (split, count) in enumerate(zip(records.SPLITS, (objects, FEW), strict=True)):
        labels = np.random.default_rng(number).uniform(size=(count, IMAGES, 3))
        names[split] = [f"noise/{split}{index}" for index in range(count)]
        name = f"{split}_data"
        if not shards:
            content = [list(map(list, blocks(count, number))), labels.tolist()]
            pickles.dump(content, folder / f"{name}.pkl")
            continue
        (folder / name).mkdir()
        index = writing.write_shards(
            blocks(count, number), folder / name, shards, count, stacked=True
        )
        file, _ = writing.write_labels(labels, folder / name)
        tables[name] = index | {records.LABELS: file}
    summary = names | ({records.SHARDS: tables} if shards else {})
    (folder / records.SPLIT).write_text(json.dumps(records.sealed(summary, {})))


def made(folder: pathlib.Path):
    """Learner, problem and configuration of a training on a set."""
    config = Config.of(
        {"learner": "cnp", "task.data_dir": str(folder)}, preset_options("quick", "cnp")
    )
    problem = config.make_problem()
    learner = config.make_learner(problem)
    learner.create_weights(problem.train.sample(2, [0, 0]))
    learner.compile("adam")
    return learner, problem, config.meta_batch_size


def field(name: str) -> int:
    """Bytes of a field of /proc/self/status."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def train(folders: list[pathlib.Path], steps: int, limit: float) -> dict:
    """Trains on one set after the other; after the first the limit holds, in GiB, 0 for none."""
    peaks = []
    for number, folder in enumerate(folders):
        if number and limit:
            most = field("VmData") + int(limit * 2**30)
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        learner, problem, batch = made(folder)
        learner.fit(problem.train, batch_size=batch, steps=steps, verbose=0)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {"objects": problem.train.num_tasks, "peaks_mib": peaks}


def timed(stored: pathlib.Path, in_memory: pathlib.Path, rounds: int, steps: int) -> dict:
    """Milliseconds of a training step, of the clock and of processors; medians of rounds."""
    learner, problem, batch = made(in_memory)
    step = tf.function(learner.train_step, autograph=False)
    families = {
        "in memory": problem.train,
        "shards, first reading": None,
        "shards, later": made(stored)[1].train,
    }
    for number in range(families["shards, later"].num_tasks):
        families["shards, later"].object_images(number)
    times = {name: [] for name in families}
    for number in ProgressBar(range(rounds), unit="round"):
        families["shards, first reading"] = made(stored)[1].train
        for name, family in families.items():
            stream = iter(family.dataset(batch, number))
            for _ in range(5):  # What the stream holds in store.
                float(step(next(stream))["loss"])
            start = time.perf_counter(), time.process_time()
            for _ in range(steps):
                float(step(next(stream))["loss"])
            ends = time.perf_counter(), time.process_time()
            times[name].append([1000 * (b - a) / steps for a, b in zip(start, ends, strict=True)])
            del stream
    return {name: np.median(of, axis=0).tolist() for name, of in times.items()}


def fresh(function, *arguments):
    """What a function gives in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def main():
    given = flags.FLAGS
    size = given.objects * IMAGES * SIDE**2
    with tempfile.TemporaryDirectory(dir=given.folder) as root:
        large, small, few = (pathlib.Path(root) / name for name in ("large", "small", "few"))
        start = time.perf_counter()
        write_set(large, given.objects, given.shards)
        written = time.perf_counter() - start
        write_set(small, 200, 0)
        write_set(few, FEW, 0)
        own = fresh(train, [few, few], given.steps, 0)
        limited = fresh(train, [few, large], given.steps, given.limit)
        times = fresh(timed, large, small, given.rounds, given.round_steps)
    told = reporting.provenance("benchmarks/shards.py")
    result = told | {
        "bytes": size, "limit_gib": given.limit, "write_seconds": written, "steps": given.steps,
        "own_mib": own["peaks_mib"][-1], "peak_mib": limited["peaks_mib"][-1],
        "step_ms": times,
    }  # fmt: skip
    ours, limit = result["peak_mib"] - result["own_mib"], given.limit * 1024
    base = times["in memory"]
    cells = [
        [name, f"{wall:.1f}", f"{wall / base[0]:.2f}", f"{used:.1f}", f"{used / base[1]:.2f}"]
        for name, (wall, used) in times.items()
    ]
    columns = ("images", "ms a step", "ratio", "ms of processors", "ratio")
    lines = [
        "# Training on images that are larger than memory",
        "",
        f"`{told['command']}`; {told['hardware']}; {told['date']}.",
        "",
        f"{given.objects:,} objects x {IMAGES} images of {SIDE} x {SIDE}, {size / 1e9:.2f} GB in "
        f"{given.shards} shards. CNP, quick preset (crops to 80 x 80, shrinks to 40 x 40), "
        f"{given.steps} steps.",
        "",
        f"Memory: the largest resident memory of the process was {result['peak_mib']:,.0f} MiB, of "
        f"the same training on {FEW} objects {result['own_mib']:,.0f} MiB: {ours:,.0f} MiB more. "
        f"The system allowed {limit:,.0f} MiB of data (RLIMIT_DATA) beyond what the process had "
        f"after a training on {FEW} objects. What the system keeps of files in its cache does not "
        "count.",
        "",
        f"Time: medians of {given.rounds} rounds of {given.round_steps} steps in turn.",
        "",
        *reporting.markdown_table(columns, cells),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    reporting.write_tables(result, text, pathlib.Path(given.output), "shards")


if __name__ == "__main__":
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table.")
    flags.DEFINE_string("folder", None, "Folder for the images while it runs; default: /tmp.")
    flags.DEFINE_integer("objects", 2700, "Objects of the large set.", lower_bound=FEW)
    flags.DEFINE_integer("shards", 16, "Files of the large set.", lower_bound=1)
    flags.DEFINE_integer("steps", 200, "Steps of the trainings of which memory is taken.", 1)
    flags.DEFINE_integer("rounds", 5, "Rounds of timing.", 1)
    flags.DEFINE_integer("round_steps", 20, "Steps of a round.", 1)
    flags.DEFINE_float("limit", 2, "GiB of memory beyond that of a small training.", 0)
    commands.run(main)

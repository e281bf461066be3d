"""Does a training step wait for its episodes? Times sampling alone, steps alone, and both together.

    python benchmarks/episodes.py --omniglot=omniglot.npz --miniimagenet=miniimagenet.npz

Episodes are drawn while the step before is computed, so together they should take what steps take
alone. Writes ``episodes.md`` and ``episodes.json``.
"""

import pathlib
import time

import maml  # First: it silences TensorFlow's start-up messages.

# isort: split
import numpy as np
import tensorflow as tf
from absl import flags

from mine import reporting
from mine.reporting import commands
from mine.reporting.progress import ProgressBar

_MAML = {"learner": "maml", "inner_lr": 0.1, "inner_steps": 1}
CASES = {
    "omniglot, MAML, 5 ways": ("omniglot", {"ways": 5, "queries": 1}, 16, _MAML),
    "omniglot, MAML, 20 ways": ("omniglot", {"ways": 20, "queries": 1}, 8, _MAML),
    "omniglot, prototypical network, 5 ways": (
        "omniglot", {"ways": 5, "queries": 5}, 16, {"learner": "protonet"},
    ),
    "mini-ImageNet, prototypical network, 5 ways": (
        "miniimagenet", {"ways": 5, "queries": 5}, 4, {"learner": "protonet"},
    ),
}  # fmt: skip
"""Case -> data set, its options, tasks of a step, the learner's options."""


def measure(data: str, dataset: str, given: dict, tasks: int, learner: dict, steps: int) -> dict:
    """Milliseconds of each of the three, medians of rounds that take turns."""
    problem = maml.TASKS.make(dataset, data=data, shots=1, **given)
    options = dict(learner)
    model = maml.make_learner(options.pop("learner"), problem.networks, problem.head, **options)
    model.create_weights(problem.train.sample(2, [0, 0]))
    model.compile("adam")
    step = tf.function(model.train_step, autograph=False)
    ready = problem.train.sample(tasks, [0, 0])
    step(ready)
    # Two streams: one would have episodes in store when its turn comes.
    streams = [iter(problem.train.dataset(tasks, seed)) for seed in (0, 1)]

    def sample():
        next(streams[0])

    def train_ready():
        float(step(ready)["loss"])

    def train():
        float(step(next(streams[1]))["loss"])

    works = {"sampling_ms": sample, "step_ms": train_ready, "together_ms": train}
    times = {name: [] for name in works}
    for _ in range(5):
        for name, work in works.items():
            # A pipeline draws ahead: it has nothing in store after as many as it keeps.
            for _ in range(5):
                work()
            start = time.perf_counter()
            for _ in range(steps):
                work()
            times[name].append(1000 * (time.perf_counter() - start) / steps)
    return {name: float(np.median(values)) for name, values in times.items()}


def main():
    values = flags.FLAGS
    output = pathlib.Path(values.output)
    rows = []
    for name, (dataset, *case) in ProgressBar(CASES.items(), unit="case"):
        if getattr(values, dataset):
            found = measure(getattr(values, dataset), dataset, *case, values.steps)
            rows.append({"case": name, "tasks": case[1]} | found)
    told = reporting.provenance("benchmarks/episodes.py")
    columns = (
        "case", "tasks", "sampling, ms", "a step on a batch at hand", "on fresh episodes", "ratio",
    )  # fmt: skip
    cells = [
        [
            row["case"], f"{row['tasks']}", f"{row['sampling_ms']:.1f}", f"{row['step_ms']:.0f}",
            f"{row['together_ms']:.0f}", f"{row['together_ms'] / row['step_ms']:.2f}",
        ]
        for row in rows
    ]  # fmt: skip
    lines = [
        "# Does a training step wait for its episodes?",
        "",
        f"`{told['command']}`; {told['hardware']}; {told['date']}. Medians of five rounds in turn.",
        "",
        *reporting.markdown_table(columns, cells),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    reporting.write_tables(told | {"rows": rows}, text, output, "episodes")


if __name__ == "__main__":
    flags.DEFINE_string("omniglot", "", "File of Omniglot, of maml.tasks.prepare.")
    flags.DEFINE_string("miniimagenet", "", "File of mini-ImageNet, of maml.tasks.prepare.")
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table.")
    flags.DEFINE_integer("steps", 10, "Steps of a round.", lower_bound=1)
    commands.run(main)

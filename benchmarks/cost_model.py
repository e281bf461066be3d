"""How good are the estimates of ``--dry_run``? Compares them with trainings of some steps.

    python benchmarks/cost_model.py --output=results/benchmarks

Trainings differ in learner, tasks, shots, inner steps, size of networks and of images. Each is
estimated in a process of its own and trained in another. Times are of processors, which other work
on the machine disturbs less than the clock. Writes ``cost_model.md``, ``.json`` and ``.png``.
"""

import concurrent.futures
import itertools
import multiprocessing
import os
import pathlib
import tempfile
import time

import numpy as np
from absl import flags

from mine import reporting
from mine.reporting import commands, pictures
from mine.reporting.progress import ProgressBar

VECTORS = (
    {"learner": "maml", "learner.inner_steps": 1},
    {"learner": "maml", "learner.inner_steps": 5},
    {"learner": "maml", "learner.inner_steps": 1, "meta_batch_size": 200, "task.shots": 50},
    {"learner": "maml", "learner.inner_steps": 1, "network.hidden": (200, 200)},
    {"learner": "cnp"},
    {"learner": "cnp", "meta_batch_size": 400, "task.shots": 50, "task.queries": 50},
    {"learner": "acnp"},
    {"learner": "acnp", "meta_batch_size": 100, "task.shots": 100, "task.queries": 100},
)
IMAGES = (
    {"learner": "maml", "learner.inner_steps": 1, "size": 20},
    {"learner": "maml", "learner.inner_steps": 1, "size": 40},
    {"learner": "maml", "learner.inner_steps": 3, "size": 40},
    {"learner": "maml", "learner.inner_steps": 1, "size": 40, "network.filters": 32},
    {"learner": "cnp", "size": 20},
    {"learner": "cnp", "size": 40},
    {"learner": "cnp", "size": 80, "meta_batch_size": 8},
    {"learner": "acnp", "size": 40, "meta_batch_size": 8, "task.shots": 10},
)
NEW = (
    {"learner": "metasgd", "learner.inner_steps": 3, "meta_batch_size": 50},
    {"learner": "tnp", "meta_batch_size": 50},
    {"learner": "cnp", "regularizer": "label_mi", "meta_batch_size": 100},
    {"learner": "fomaml", "learner.inner_steps": 2, "size": 40},
)
"""Trainings of which no measurement was looked at when the model's numbers were chosen."""

QUANTITIES = {
    "step": ("training step", "ms"), "first": ("first step", "s"), "memory": ("memory", "MB"),
}  # fmt: skip


def write_noise(folder: pathlib.Path, size: int) -> None:
    """Writes noise as images of this size, with labels, as pose data."""
    from pose_data import pickles

    rng = np.random.default_rng(0)
    for name in ("train_data.pkl", "val_data.pkl"):
        images = rng.integers(0, 255, (24, 50, size, size), np.uint8)
        labels = rng.uniform(size=(24, 50, 1)).tolist()
        pickles.dump([list(map(list, images)), labels], folder / name)


def configuration(case: dict, folder: pathlib.Path):
    """The configuration of a case; images of size s are in the folder ``s``."""
    from maml.experiments.config import Config
    from pose_code import problem  # noqa: F401 (registers the task)
    from pose_code.presets import preset_options

    given = {name: value for name, value in case.items() if name != "size"}
    if "size" not in case:
        return Config.of({"task": "sinusoid"} | given)
    data = {"task.data_dir": str(folder / str(case["size"]))}
    own = {"task.cropped": False, "task.image_size": 0}
    return Config.of(given | data | own, preset_options("quick", case["learner"]))


def estimated(case: dict, folder: pathlib.Path) -> dict:
    """What is estimated of a case: seconds of processors, and MB that training adds."""
    from maml.experiments import determinism, preparing
    from maml.experiments.cost import estimate, machine

    determinism.share_cores()
    config = configuration(case, folder)
    step = estimate.estimate_step(*preparing.prepared(config), config, machine.measured())
    return {
        "step": 1e3 * step.seconds, "first": step.first_seconds, "memory": step.memory / 1e6,
        "multiply_adds": step.work.multiply_adds,
    }  # fmt: skip


def trained(case: dict, folder: pathlib.Path) -> dict:
    """What some steps of a case took, in the units of :func:`estimated`."""
    import keras

    from maml.experiments import determinism, preparing
    from maml.experiments.cost.estimate import peak_memory

    determinism.share_cores()
    config = configuration(case, folder)
    problem, learner = preparing.prepared(config)
    together = preparing.steps_together(problem, config)
    preparing.compile_learner(learner, config, steps_per_execution=together)
    before, times = peak_memory(), [time.process_time()]

    class Timer(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            np.asarray(logs["loss"])  # Waits until the step is done.
            times.append(time.process_time())

    batches = problem.train.dataset(config.meta_batch_size, config.seed)
    steps = 4 * together
    learner.fit(batches, steps_per_epoch=steps, verbose=0, callbacks=[Timer()])
    spent = np.diff(times)
    return {
        "step": 1e3 * float(np.median(spent[1:])) / together, "first": float(spent[0]),
        "memory": (peak_memory() - before) / 1e6, "load": os.getloadavg()[0],
    }  # fmt: skip


def name_of(case: dict) -> str:
    """A case in a few words."""
    words = {"meta_batch_size": "tasks", "regularizer": "with"}
    rest = [
        f"{words.get(key, key.rpartition('.')[2].replace('_', ' '))} {value}"
        for key, value in case.items()
        if key not in ("learner", "size")
    ]
    kind = f"images {case['size']} x {case['size']}" if "size" in case else "vectors"
    return ", ".join([f"{case['learner']}, {kind}", *rest])


def summary(rows: list[dict]) -> dict:
    """Of each quantity: ratios of estimates to measurements."""
    found = {}
    for name in QUANTITIES:
        ratios = np.array([row["estimated"][name] / row["measured"][name] for row in rows])
        found[name] = {
            "median": float(np.median(ratios)), "least": float(ratios.min()),
            "largest": float(ratios.max()),
            "within_2": float(np.mean((ratios >= 1 / 2) & (ratios <= 2))),
        }  # fmt: skip
    return found


def draw(rows: list[dict], path: pathlib.Path) -> None:
    """Draws estimates against measurements."""
    from matplotlib import ticker

    figure, axes = pictures.new_axes(len(QUANTITIES), size=(4, 4))
    kinds = {"vectors": ("o", VECTORS), "images": ("s", IMAGES), "not fitted to": ("^", NEW)}
    for axis, (name, (title, unit)) in zip(axes[0], QUANTITIES.items(), strict=True):
        pairs = [(row["measured"][name], row["estimated"][name]) for row in rows]
        ends = np.array([0.7 * np.min(pairs), 1.4 * np.max(pairs)])
        axis.plot(ends, ends, color="grey", linewidth=1)
        axis.fill_between(ends, ends / 2, ends * 2, color="grey", alpha=0.15, linewidth=0)
        for label, (marker, _) in kinds.items():
            own = [p for p, row in zip(pairs, rows, strict=True) if row["kind"] == label]
            if not own:
                continue
            axis.plot(*np.transpose(own), marker, label=label, markersize=5)
        axis.set(
            xscale="log", yscale="log", xlabel=f"measured, {unit}", ylabel=f"estimated, {unit}",
            title=title, xlim=ends, ylim=ends,
        )  # fmt: skip
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_locator(ticker.LogLocator(subs=(1, 2, 5), numticks=8))
            side.set_major_formatter("{x:g}")
            side.set_minor_locator(ticker.NullLocator())
    axes[0][0].legend(frameon=False)
    reporting.picture(figure, path)


def page(result: dict) -> str:
    """The result as Markdown."""
    cells = [
        [
            row["case"] + " *" * (row["kind"] == "not fitted to"),
            f"{row['estimated']['multiply_adds'] / 1e6:,.0f}",
            *(
                f"{row[of][name]:,.3g}" for name in QUANTITIES for of in ("measured", "estimated")
            ),
        ]
        for row in result["rows"]
    ]  # fmt: skip
    columns = ["training", "million multiply-adds a step"]
    for title, unit in QUANTITIES.values():
        columns += [f"{title}, {unit}", "estimated"]
    ratios = [
        [
            title, *(f"{result['summary'][name][of]:.2f}" for of in ("median", "least", "largest")),
            f"{result['summary'][name]['within_2']:.0%}",
        ]
        for name, (title, _) in QUANTITIES.items()
    ]  # fmt: skip
    loads = [row["measured"]["load"] for row in result["rows"]]
    lines = [
        "# Estimates of --dry_run against trainings",
        "",
        f"`{result['command']}`; {result['hardware']}, {os.cpu_count()} cores; {result['date']}.",
        "",
        "Times are of processors: the machine was shared (load, mean of a minute, "
        f"{min(loads):.1f} to {max(loads):.1f}). A step is the median of some steps after the "
        "first; the first has its trace with it. Memory is what training adds to the peak of the "
        "process. Rates are measured before each estimate; the other numbers of the model, such "
        "as operations that a node costs before the first step, were fitted to an earlier run of "
        "the trainings that are not marked *. "
        f"{len(result['rows'])} of {len(VECTORS + IMAGES + NEW)} trainings were compared.",
        "",
        *reporting.markdown_table(columns, cells),
        "",
        "Estimate over measurement:",
        "",
        *reporting.markdown_table(
            ("", "median", "least", "largest", "within a factor of 2"), ratios
        ),
        "",
        "![Estimated against measured](cost_model.png)",
    ]
    return "\n".join(lines) + "\n"


def main():
    output = pathlib.Path(flags.FLAGS.output)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["maml.experiments.sweep", "pose_code.problem"])
    kinds = {"vectors": VECTORS, "images": IMAGES, "not fitted to": NEW}
    # In turn, so that a stop leaves some of each.
    turns = itertools.zip_longest(*([(kind, of) for of in own] for kind, own in kinds.items()))
    cases = [pair for turn in turns for pair in turn if pair]
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for size in {case["size"] for _, case in cases if "size" in case}:
            (folder / str(size)).mkdir()
            write_noise(folder / str(size), size)
        # Each process does one thing, so that its memory is that of this thing.
        options = {"mp_context": context, "max_tasks_per_child": 1}
        with concurrent.futures.ProcessPoolExecutor(1, **options) as pool:
            for kind, case in ProgressBar(cases, unit="training"):
                row = {"case": name_of(case), "kind": kind, "options": case}
                for key, function in (("measured", trained), ("estimated", estimated)):
                    row[key] = pool.submit(function, case, folder).result()
                write([*rows, row], output)
                rows.append(row)


def write(rows: list[dict], output: pathlib.Path) -> None:
    """Writes the table and the picture of what is done, so that a stop loses one training."""
    result = reporting.provenance("benchmarks/cost_model.py")
    result |= {"summary": summary(rows), "rows": rows}
    reporting.write_tables(result, page(result), output, "cost_model")
    draw(rows, output / "cost_model.png")


if __name__ == "__main__":
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table and the picture.")
    commands.run(main)

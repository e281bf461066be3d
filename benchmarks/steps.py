"""Does step 100 of every learner cost what step 2 costs? Times each training step.

    python benchmarks/steps.py --output=results/benchmarks

A step that is traced or compiled anew takes a hundred times longer than its neighbours; a leak
grows with the step. ``--xla=auto`` compiles by XLA what ``fit`` does, some learners of sinusoids,
``always`` and ``never`` all and none of them. Writes ``steps.md`` and ``steps.json``.
"""

import pathlib
import tempfile
import time

import maml  # First: it silences TensorFlow's start-up messages.

# isort: split
import keras
import numpy as np
from absl import flags

from maml.experiments.config import Config
from mine import reporting
from mine.reporting import commands
from mine.reporting.progress import ProgressBar
from pose_code import problem as pose_problem  # noqa: F401 (registers the task)
from pose_code.presets import preset_options
from pose_data import pickles

CASES = {
    "CNP": {"learner": "cnp"},
    "CNP, Label-MI (ba)": {"learner": "cnp", "regularizer": "label_mi"},
    "CNP, Label-MI (mine)": {
        "learner": "cnp", "regularizer": "label_mi", "label_mi.bound": "mine",
    },
    "CNP, Prediction-MI (mine)": {"learner": "cnp", "regularizer": "prediction_mi"},
    "MAML": {"learner": "maml"},
    "FOMAML": {"learner": "fomaml"},
    "MAML, Label-MI (ba)": {"learner": "maml", "regularizer": "label_mi"},
}  # fmt: skip


XLA = {"auto": "auto", "always": True, "never": False}
"""Choice -> what ``compile`` is given."""


class StepTimer(keras.callbacks.Callback):
    """Wall time of every step, in milliseconds."""

    def __init__(self):
        super().__init__()
        self.milliseconds = []

    def on_train_batch_begin(self, batch, logs=None):
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        # Logs are tensors: reading one waits until the step is done.
        np.asarray(logs["loss"])
        self.milliseconds.append(1000 * (time.perf_counter() - self.started))


SINUSOIDS = {
    f"{name}, sinusoids": name
    for name in maml.LEARNERS
    if not maml.LEARNERS[name].classification_only
    and maml.LEARNERS[name].network_kind != "prior"  # Those train nothing.
}


def time_sinusoids(steps: int, name: str) -> list[float]:
    """Milliseconds of each training step of one learner: 25 sinusoids, 10 shots, 5 inner steps."""
    problem = maml.TASKS.make("sinusoid")
    learner = maml.make_learner(name, problem.networks, problem.head)
    return time_fit(learner, problem.train, 25, steps)


def noise_problem(objects: int, **given):
    """A run of the quick preset on noise as images of 40 x 40: its configuration and problem."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("train_data.pkl", "val_data.pkl"):
            images = rng.integers(0, 255, (objects, 30, 40, 40), np.uint8)
            labels = rng.uniform(size=(objects, 30, 1)).tolist()
            pickles.dump([list(map(list, images)), labels], pathlib.Path(folder) / name)
        own = {"task.data_dir": folder, "task.cropped": False, "task.image_size": 0}
        config = Config.of(given | own, preset_options("quick", given["learner"]))
        return config, config.make_problem()


def time_poses(steps: int, **given) -> list[float]:
    """Milliseconds of each training step of one case, on noise as images."""
    config, problem = noise_problem(24, **given)
    learner = config.make_learner(problem)
    return time_fit(learner, problem.train, config.meta_batch_size, steps)


def time_fit(learner, tasks: maml.TaskFamily, batch_size: int, steps: int) -> list[float]:
    """Milliseconds of each step of a training."""
    learner.create_weights(tasks.sample(2, [0, 0]))
    learner.compile(
        "adam",
        critic_optimizer="adam" if learner.critic_variables else None,
        jit_compile=XLA[flags.FLAGS.xla],
    )
    timer = StepTimer()
    dataset = tasks.dataset(batch_size, 0)
    learner.fit(dataset, steps_per_epoch=steps, verbose=0, callbacks=[timer])
    return timer.milliseconds


def main():
    output = pathlib.Path(flags.FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)
    rows = []
    chosen = flags.FLAGS.cases or [*CASES, *SINUSOIDS]
    for name in ProgressBar(chosen, unit="case"):
        if name in CASES:
            times = np.array(time_poses(110, **CASES[name]))
        else:
            times = np.array(time_sinusoids(110, SINUSOIDS[name]))
        early, late = np.median(times[1:11]), np.median(times[-11:])
        rows.append(
            {
                "case": name,
                "first_ms": times[0],
                "steps_2_to_11_ms": early,
                "steps_100_to_110_ms": late,
                "ratio": late / early,
                "slowest_after_first_ms": times[1:].max(),
            }
        )
    columns = (
        "case", "step 1", "steps 2-11", "steps 100-110", "late / early", "slowest after step 1",
    )  # fmt: skip
    cells = [
        [
            row["case"], f"{row['first_ms']:.0f}", f"{row['steps_2_to_11_ms']:.1f}",
            f"{row['steps_100_to_110_ms']:.1f}", f"{row['ratio']:.2f}",
            f"{row['slowest_after_first_ms']:.0f}",
        ]
        for row in rows
    ]  # fmt: skip
    made = reporting.provenance("benchmarks/steps.py")
    lines = [
        "# Cost of training steps, early and late",
        "",
        f"`{made['command']}`; {made['hardware']}; {made['date']}; medians, wall milliseconds. "
        "Step 1 is traced. Pose: quick preset; sinusoids: 25 tasks of 10 shots, 5 inner steps.",
        "",
        *reporting.markdown_table(columns, cells),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    reporting.write(text.encode(), output / "steps.md")
    reporting.write_json(rows, output / "steps.json")


if __name__ == "__main__":
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table.")
    flags.DEFINE_enum("xla", "auto", list(XLA), "Which training steps XLA compiles.")
    flags.DEFINE_multi_enum("cases", [], [*CASES, *SINUSOIDS], "Rows of the table. [all]")
    commands.run(main)

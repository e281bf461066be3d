"""How many projections of images it takes until a learner stops memorizing them.

    python -m maml.studies.image_threshold --omniglot=omniglot.npz \\
        --logdir=output/image_threshold --output=results/image_threshold

Tasks that see images through a random projection each, with labels of their own (Kirsch et al.
2022, arXiv 2212.04458, on Omniglot; ``projected_images``): few of them are recognized by a query
alone. For each number M of training tasks the study trains learners, without a regularizer, with
Label-MI, and with weight decay, and measures their accuracy on new tasks, of new projections and
new classes. The threshold M* is the least number of training tasks at which a learner is half as
much better than chance on new tasks as on training tasks. The file is of
:mod:`maml.tasks.prepare`.

Writes ``image_threshold.{md,json}`` and a picture.
"""

import dataclasses
import math
import pathlib
from collections.abc import Mapping

from absl import flags

from maml.experiments import report, study_command
from maml.experiments.study import Plan, Study
from maml.studies import crossings

COUNTS = tuple(4**power for power in range(1, 8))
"""Numbers of training tasks M."""

WAYS = 5

COMMON = {
    "task": "projected_images", "task.ways": WAYS, "task.shots": 5, "task.queries": 5,
    "task.features": 32, "steps": 4000, "steps_per_epoch": 1000, "meta_batch_size": 16,
    "meta_lr_decay": True, "num_validation_batches": 2, "num_test_tasks": 300,
    "num_validation_tasks": 150,
}  # fmt: skip

LEARNERS = {
    "tnp": ("TNP", {}),
    "cnp": ("CNP", {}),
    "maml": ("MAML", {"learner.inner_lr": 0.1, "learner.inner_steps": 1}),
}
"""Learner -> its name in tables and its options."""

LEARNED = 0.1
"""Accuracy above chance on training tasks below which too little was learned to speak of."""

TABLES = crossings.tables(COMMON, LEARNERS, COUNTS, dict.fromkeys(LEARNERS, 1))

STUDY = Study(
    "image_threshold",
    "When does a learner stop memorizing projections of images?",
    TABLES,
    metric="accuracy",
    larger_is_better=True,
    question="From how many training tasks on does a learner classify images of new tasks half as "
    "well as those of training tasks, and do regularizers lower that number?",
)


def generalizes(runs):
    """The share of what is above chance that remains on new tasks, less a half.

    Args:
        runs: of :func:`maml.experiments.study.run_study`.

    Returns:
        Of each run; NaN where nothing was learned on training tasks either.
    """
    train, test = (
        runs[f"scores.{split}.accuracy.mean"].astype(float) - 1 / WAYS
        for split in ("train", "test")
    )
    return (test / train).where(train > LEARNED) - 0.5


COLUMNS = (
    report.Column("training tasks M", lambda row: row["row"], left=True),
    report.SEEDS,
    report.score("training tasks, %", "train.accuracy", 1, 100),
    report.score("without support, %", "train.no_support_accuracy", 1, 100),
    report.score("another's support, %", "train.mismatched_support_accuracy", 1, 100),
    report.score("new tasks, %", "test.accuracy", 1, 100),
    report.information(),
    report.VERDICT,
    report.RUN_SECONDS,
)

NOTE = (
    "Accuracy, mean ± 95 % interval over seeds, or over tasks where there is one seed; chance is "
    f"{100 / WAYS:.0f} %. On training tasks with their support sets, without, and with another "
    "task's. New tasks have new projections and new classes. M\\*: the least number of training "
    "tasks at which a learner is half as much better than chance on new tasks as on training "
    f"tasks, interpolated. Runs within {100 * LEARNED:.0f} % of chance on training tasks do not "
    "count."
)


def page(result: dict) -> list[str]:
    """The page of the study."""
    return [
        *report.header(result, STUDY.title, NOTE),
        *crossings.section(result, LEARNERS),
        *report.sections(result, COLUMNS),
    ]


def _accuracies(axes, rows_of: Mapping[str, list]) -> None:
    """Draws accuracies on new and on training tasks, and chance."""
    for method, rows in rows_of.items():
        for split, line, tasks in (("test", "o-", "new tasks"), ("train", "--", "training tasks")):
            values = [100 * row.get(f"scores.{split}.accuracy.mean", math.nan) for row in rows]
            label, style = f"{crossings.TITLES[method]}, {tasks}", crossings.colour(method)
            axes.semilogx(crossings.counts_of(rows), values, line, base=2, label=label, **style)
    axes.axhline(100 / WAYS, color="black", linewidth=0.5)
    axes.set_ylabel("accuracy, %")


def draw(result: Mapping, path: pathlib.Path) -> None:
    """Accuracy on training and on new tasks, and the label information, against M."""
    crossings.draw(result, LEARNERS, _accuracies, path, marker="o")


def write(result: dict, plan: Plan, output: pathlib.Path) -> str:
    """Writes the page and the picture."""
    crossings.keep(result, result["runs"], generalizes)
    text = report.write(result, page(result), output, STUDY.name)
    draw(result, output / "image_threshold.png")
    return text


def with_file(path: str) -> Study:
    """The study on the images of a file.

    Raises:
        ValueError: none is given.
    """
    if not path:
        raise ValueError("Give a file of images by --omniglot.")
    tables = {
        name: dataclasses.replace(table, base=table.base | {"task.data": path})
        for name, table in TABLES.items()
    }
    return dataclasses.replace(STUDY, tables=tables)


def cli():
    """The command."""
    study_command.define_flags(STUDY)
    flags.DEFINE_string("omniglot", "", "File of Omniglot, of maml.tasks.prepare.")
    study_command.run(
        lambda: with_file(flags.FLAGS.omniglot), write, "maml.studies.image_threshold"
    )


if __name__ == "__main__":
    cli()

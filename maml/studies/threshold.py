"""How many training tasks it takes until a learner stops memorizing them.

    python -m maml.studies.threshold --logdir=output/threshold --output=results/threshold

Linear regression of M training vectors (Raventos et al. 2023, arXiv 2306.15063), small: D = 4
inputs and K = 8 shots. Two answers are known in closed form: that of the exact memorizer, the
posterior over the M training vectors, and that of ridge regression, which is best on new tasks. For
each M the study trains learners, without a regularizer, with Label-MI, and with weight decay, and
measures the mean squared distance of their answers to both. The threshold M* is the least number
of training tasks at which a learner's answers to new tasks are nearer to ridge regression than to
the memorizer. Only the first crossing counts: with more and more tasks the memorizer's answers
become those of ridge regression, and both distances become equal.

Writes ``threshold.{md,json}`` and a picture.
"""

import math
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from maml.core.registry import make_learner
from maml.experiments import report, study_command
from maml.experiments.aggregation import interval_of
from maml.experiments.run_folder import LEARNER, read_config
from maml.experiments.study import Plan, Study
from maml.learners import saving
from maml.studies import crossings
from mine.reporting import format_interval, mean_interval
from mine.reporting.pictures import marker_of

COUNTS = tuple(2**power for power in range(1, 13))
"""Numbers of training tasks M."""

COMMON = {
    "task": "linear_regression", "task.inputs": 4, "task.shots": 8, "task.queries": 8,
    "steps": 10_000, "steps_per_epoch": 2500, "meta_batch_size": 32, "meta_lr_decay": True,
    "num_validation_batches": 4, "episodes_per_task": 40, "num_test_tasks": 150,
    "num_validation_tasks": 150,
}  # fmt: skip

LEARNERS = {
    "tnp": ("TNP", {}),
    "cnp": ("CNP", {"meta_lr": 3e-3}),
    "maml": ("MAML", {"learner.inner_lr": 0.05, "learner.inner_steps": 3}),
}
"""Learner -> its name in tables and its options."""

SEEDS = {"tnp": 1, "cnp": 5, "maml": 1}
"""Learner -> seeds unless told: a training of the transformer takes four times as long."""

TABLES = crossings.tables(COMMON, LEARNERS, COUNTS, SEEDS)

YARDSTICKS = {"ridge": "ridge", "memorizer": "posterior_over_tasks"}
"""What distances are measured to -> the exact learner."""

TASKS, BATCH = 500, 25
"""Episodes of each split that distances are measured on, and tasks of a batch."""


def distances(learner, problem, tasks: int = TASKS) -> dict[str, dict[str, dict[str, float]]]:
    """How far a learner's answers are from those of the exact memorizer and of ridge regression.

    Args:
        learner: trained on the problem's training tasks.
        problem: ``linear_regression`` of a number of training tasks.
        tasks: episodes of each split; small families give several of each task.

    Returns:
        Split ("train", "test") -> "ridge" and "memorizer", the mean squared distance of expected
        labels, and "between", that of ridge and memorizer: each a ``mean`` and ``ci95`` over
        episodes, in the label's unit squared.
    """
    exact = {
        name: make_learner(kind, problem.networks, problem.head)
        for name, kind in YARDSTICKS.items()
    }

    @tf.function(autograph=False)
    def squares(episode):
        own, answers = learner(episode), {name: of(episode) for name, of in exact.items()}
        pairs = {name: (own, answer) for name, answer in answers.items()}
        pairs["between"] = tuple(answers.values())
        return {name: tf.reduce_mean((a - b) ** 2, axis=(1, 2)) for name, (a, b) in pairs.items()}

    found = {}
    for split in ("train", "test"):
        family = problem.families[split]
        count = min(tasks, family.num_tasks)
        batches = [squares(e) for e in family.fixed(max(1, tasks // count), BATCH, 0, count)]
        found[split] = {
            name: mean_interval(np.concatenate([batch[name] for batch in batches]))
            for name in batches[0]
        }
    return found


def further(folder: pathlib.Path, record: Mapping) -> dict:
    """The :func:`distances` of a run, under ``distance``."""
    learner, problem = saving.load(folder / LEARNER), read_config(folder).make_problem()
    return {"distance": distances(learner, problem)}


STUDY = Study(
    "threshold",
    "When does a learner stop memorizing?",
    TABLES,
    further=further,
    question="From how many training tasks on are a learner's answers nearer to ridge regression "
    "than to the memorizer, and do regularizers lower that number?",
)


def nearer(runs):
    """How much nearer to ridge regression than to the memorizer answers to new tasks are.

    Args:
        runs: of :func:`maml.experiments.study.run_study`.

    Returns:
        The logarithm of the ratio of both distances, positive where ridge regression is nearer.
    """
    ridge, memorizer = (
        np.log(runs[f"further.distance.test.{name}.mean"].astype(float).clip(lower=1e-12))
        for name in YARDSTICKS
    )
    return memorizer - ridge


def _distance(title: str, split: str, name: str) -> report.Column:
    def text(row):
        interval = interval_of(row, f"further.distance.{split}.{name}")
        return "" if math.isnan(interval["mean"]) else format_interval(interval, 3)

    return report.Column(title, text)


COLUMNS = (
    report.Column("training tasks M", lambda row: row["row"], left=True),
    report.SEEDS,
    report.score("train MSE", "train.mse", 3),
    report.score("test MSE", "test.mse", 3),
    _distance("to ridge, test", "test", "ridge"),
    _distance("to memorizer, test", "test", "memorizer"),
    _distance("to ridge, train", "train", "ridge"),
    _distance("to memorizer, train", "train", "memorizer"),
    report.information(),
    report.VERDICT,
    report.RUN_SECONDS,
)

NOTE = (
    "Mean ± 95 % interval over seeds. Distances: mean squared difference of expected labels to "
    "those of ridge regression, and of the exact memorizer, the posterior over the training tasks. "
    "0.25 is the noise. M\\*: the least number of training tasks at which answers to new tasks are "
    "nearer to ridge regression, interpolated; with more tasks the memorizer and ridge regression "
    "become equal, and so do both distances (dotted: the distance between the two answers)."
)


def page(result: dict) -> list[str]:
    """The page of the study."""
    return [
        *report.header(result, STUDY.title, NOTE),
        *crossings.section(result, LEARNERS),
        *report.sections(result, COLUMNS),
    ]


def _distances(axes, rows_of: Mapping[str, list]) -> None:
    """Draws distances of answers to new tasks to both exact learners, and that between these."""
    between = {}
    for method, rows in rows_of.items():
        counts = crossings.counts_of(rows)
        for count, row in zip(counts, rows, strict=True):
            between[count] = row.get("further.distance.test.between.mean", math.nan)
        for name, line in (("ridge", "-"), ("memorizer", "--")):
            values = [row.get(f"further.distance.test.{name}.mean", math.nan) for row in rows]
            style = {"marker": marker_of(values)} | crossings.colour(method)
            label = f"{crossings.TITLES[method]}, to {name}"
            axes.loglog(counts, values, line, base=2, label=label, **style)
    counts = sorted(between)
    exact = [between[count] for count in counts]
    marker = marker_of(exact)
    axes.loglog(counts, exact, "k:", base=2, label="ridge to memorizer", marker=marker)
    axes.set_ylabel("squared distance, new tasks")


def draw(result: dict, path: pathlib.Path) -> None:
    """Distances to both exact learners on new tasks, and the label information, against M."""
    crossings.draw(result, LEARNERS, _distances, path)


def write(result: dict, plan: Plan, output: pathlib.Path) -> str:
    """Writes the page and the picture."""
    crossings.keep(result, result["runs"], nearer)
    text = report.write(result, page(result), output, STUDY.name)
    draw(result, output / "threshold.png")
    return text


def cli():
    """The command."""
    study_command.define_flags(STUDY)
    study_command.run(STUDY, write, "maml.studies.threshold")


if __name__ == "__main__":
    cli()

"""Ambiguous regression: does a learner's density hold all that fits the support set?

    python -m maml.studies.ambiguity --logdir=output/ambiguity --output=results/ambiguity

A few noisy points may be of a sinusoid or of a line (``sinusoid_or_line``,
Finn et al. 2018, arXiv 1806.02817). Learners are compared by the likelihood of query labels, by
the coverage of their 90 % intervals, by calibration, and by whether they draw both answers where
exact Bayes has two. Settings are chosen by the likelihood on validation tasks, of one seed.

Writes ``ambiguity.{md,json}`` and a picture of predictive draws.
"""

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from maml.core.episodes import Episode
from maml.core.seeds import Stream, stream
from maml.experiments import report, study_command
from maml.experiments.run_folder import LEARNER, read_config
from maml.experiments.study import Plan, Study, Table
from maml.learners import saving
from maml.learners.exact.posteriors import GridPosterior
from maml.tasks.problem import Problem
from mine import reporting
from mine.reporting import mean_interval
from mine.reporting.pictures import new_axes

COMMON = {
    "task": "sinusoid_or_line", "head": "gaussian", "steps": 10_000, "steps_per_epoch": 2000,
    "meta_batch_size": 16, "meta_lr": 0.002, "meta_lr_decay": True,
}  # fmt: skip

_ADAPTS = {"learner.inner_lr": 0.01, "learner.inner_steps": 5, "learner.inner_clip": 10.0}

ROWS = {
    "MAML": [{"learner": "maml"} | _ADAPTS],
    "PLATIPUS": [
        {"learner": "platipus", "learner.divergence_weight": weight} | _ADAPTS
        for weight in (0.1, 1.0)
    ],
    "BMAML": [{"learner": "bmaml", "learner.chaser": chaser} | _ADAPTS for chaser in (False, True)],
    "Latent NP": [{"learner": "latent_np"}],
    "exact Bayes": [{"learner": "grid_posterior"}],
}
"""All predict a density whose width is learned, so that MAML can say how uncertain it is."""

TABLES = {"sinusoid_or_line": Table("Sinusoid or line, 5 shots", COMMON, ROWS)}

AMBIGUOUS = (0.1, 0.9)
"""Posterior probability of a line between which a task is ambiguous."""

NEAR, APART = 2.0, 4.0
"""In standard deviations of the noise: a draw is near an answer; two answers differ."""

DRAWN = 0.05
"""Share of draws near an answer from which on that answer counts as drawn."""

TASKS, DRAWS = 60, 100
"""Ambiguous tasks that are scored, and draws at each query."""


class Ambiguous(NamedTuple):
    """Test tasks with two answers.

    Attributes:
        tasks: their numbers, [tasks].
        episode: one of each.
        answers: expected labels if it is a sinusoid, and if it is a line, [2, tasks, queries].
        differ: whether these differ, [tasks, queries].
    """

    tasks: np.ndarray
    episode: Episode
    answers: np.ndarray
    differ: np.ndarray


def ambiguous_tasks(problem: Problem, count: int = TASKS, batch_size: int = 100) -> Ambiguous:
    """The first test tasks, with fixed episodes, that exact Bayes finds ambiguous.

    Args:
        problem: of ``sinusoid_or_line``.
        count: how many; fewer if there are not as many.
        batch_size: tasks whose posterior is computed at once.
    """
    prior = problem.networks.prior
    exact = GridPosterior(prior, problem.head)
    found: list = []
    for tasks, seed in problem.test.fixed_tasks(1, batch_size, 0):
        episode = problem.test.episodes(tf.constant(tasks), seed)
        parameters, log_weights = exact.encode(episode.support_x, episode.support_y)
        posterior, is_line = tf.nn.softmax(log_weights), parameters[..., 0]
        line = tf.reduce_sum(posterior * is_line, axis=-1)
        own = np.flatnonzero((line > AMBIGUOUS[0]) & (line < AMBIGUOUS[1]))
        if not len(own):
            continue
        values = prior.values(tf.gather(parameters, own), tf.gather(episode.query_x, own))
        answers, is_line = [], tf.gather(is_line, own)
        for kind in (1 - is_line, is_line):
            weights = tf.gather(posterior, own) * kind
            weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
            answers.append(tf.reduce_sum(values * weights[:, tf.newaxis], axis=-1))
        found.append((tasks[own], *(tf.gather(part, own) for part in episode), np.stack(answers)))
        if sum(len(of[0]) for of in found) >= count:
            break
    tasks, *parts, answers = zip(*found, strict=True)
    answers = np.concatenate(answers, axis=1)[:, :count]
    differ = np.abs(answers[0] - answers[1]) > APART * prior.noise
    episode = Episode(*(tf.concat(part, axis=0)[:count] for part in parts))
    return Ambiguous(np.concatenate(tasks)[:count], episode, answers, differ)


def predictive_draws(learner, episode: Episode, count: int) -> np.ndarray:
    """Draws of each query label from a learner's density, [draws, tasks, queries]."""

    @tf.function(autograph=False)
    def draws():
        prediction = learner.predict_distribution(*episode[:3])
        seeds = tf.random.split(stream(0, Stream.PREDICTIVE_SAMPLES), count)
        return tf.map_fn(prediction.sample, seeds, fn_output_signature=episode.query_x.dtype)

    return draws().numpy()[..., 0]


def score_modes(learner, ambiguous: Ambiguous, noise: float, count: int = DRAWS) -> dict:
    """How a learner draws where there are two answers.

    Args:
        learner: trained.
        ambiguous: the tasks.
        noise: standard deviation of the noise in labels.
        count: number of draws at each query.

    Returns:
        Over tasks ``mean`` and ``ci95`` of ``both_answers``, the share of queries of which each
        answer is near :data:`DRAWN` of the draws or more, and of ``near_answers``, the share of
        draws that are near one of both.
    """
    drawn = predictive_draws(learner, ambiguous.episode, count)
    near = np.abs(drawn - ambiguous.answers[:, np.newaxis]) < NEAR * noise
    shares = near.mean(axis=1)
    scores = {"both_answers": (shares >= DRAWN).all(axis=0), "near_answers": shares.sum(axis=0)}
    told = ambiguous.differ.any(axis=1)
    return {
        name: mean_interval(
            [of[own].mean() for of, own in zip(value[told], ambiguous.differ[told], strict=True)]
        )
        for name, value in scores.items()
    }


def further(folder: pathlib.Path, record: Mapping) -> dict:
    """The scores of draws of a run."""
    problem = read_config(folder).make_problem()
    learner = saving.load(folder / LEARNER)
    return score_modes(learner, ambiguous_tasks(problem), problem.networks.prior.noise)


STUDY = Study(
    "ambiguity",
    "Ambiguous regression: a sinusoid or a line",
    TABLES,
    "nll",
    further=further,
    question="Which learners predict both answers where the support set fits a sinusoid and a "
    "line?",
)

COLUMNS = (
    report.Column("learner", lambda row: row["row"], left=True),
    report.SEEDS,
    report.NLL,
    report.Column("less than MAML's by", report.GAIN.text),
    report.COVERAGE,
    report.CALIBRATION,
    report.score("test MSE", "test.mse"),
    report.score("both answers drawn", "both_answers", of="further"),
    report.score("draws near an answer", "near_answers", of="further"),
    report.RUN_SECONDS,
)

NOTE = (
    "Mean ± 95 % interval over seeds; of a single seed over tasks, where there is one. NLL: "
    "negative log-likelihood of query labels, in nats. The columns of draws are of test tasks for "
    f"which exact Bayes gives a line a probability of {AMBIGUOUS[0]} to {AMBIGUOUS[1]}, at queries "
    f"where line and sinusoid differ by {APART:g} standard deviations of the noise or more; near "
    f"is within {NEAR:g} standard deviations. Both answers drawn: share of queries where "
    f"{DRAWN:.0%} of the draws or more are near each answer. Draws near an answer: share of draws "
    "that are near either answer; it is small where one broad density covers both."
)


def page(result: dict) -> list[str]:
    """The page of the study."""
    return [
        *report.header(result, STUDY.title, NOTE),
        *report.sections(result, COLUMNS, commands=True),
        *report.sweep_section(result, "nll", "NLL", 3),
    ]


def draw(learners: Mapping[str, object], problem: Problem, path: pathlib.Path, tasks: int = 3):
    """Draws from the densities of learners on some ambiguous tasks, a row of panels for each.

    Args:
        learners: by what they are called.
        problem: of ``sinusoid_or_line``.
        path: of the PNG.
        tasks: how many are shown.
    """
    episode = ambiguous_tasks(problem, tasks).episode
    x = np.linspace(-5, 5, 120, dtype=np.float32)
    wide = episode._replace(query_x=tf.constant(np.tile(x[:, None], (len(episode[0]), 1, 1))))
    figure, axes = new_axes(len(episode[0]), len(learners), (3.2, 2.2))
    for row, (name, learner) in zip(axes, learners.items(), strict=True):
        drawn = predictive_draws(learner, wide, 40)
        for task, ax in enumerate(row):
            every = np.broadcast_to(x, drawn[:, task].shape)
            ax.plot(every.ravel(), drawn[:, task].ravel(), ".", markersize=1, alpha=0.3)
            points = episode.support_x[task, :, 0], episode.support_y[task, :, 0]
            ax.plot(*points, "o", color="black", markersize=4)
            ax.set(ylim=(-12, 12))
        row[0].set(ylabel=name)
    reporting.picture(figure, path, dpi=100)


def write(result: dict, plan: Plan, output: pathlib.Path) -> str:
    """Writes the page, and the picture of draws of each row's first seed."""
    text = report.write(result, page(result), output, STUDY.name)
    rows = [row for of in result["tables"].values() for row in of["rows"]]
    ended = [row for row in rows if len(row["seeds"]) > row["diverged"]]
    folders = {row["row"]: pathlib.Path(row["folders"][0]) for row in ended}
    problem = read_config(next(iter(folders.values()))).make_problem()
    learners = {name: saving.load(folder / LEARNER) for name, folder in folders.items()}
    draw(learners, problem, output / "draws.png")
    return text


def cli():
    """The command."""
    study_command.define_flags(STUDY)
    study_command.run(STUDY, write, "maml.studies.ambiguity")


if __name__ == "__main__":
    cli()

"""The study of ambiguous regression: which tasks have two answers, and who draws both."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from test_studies import CNP, TINY, TOLD, is_picture

import maml
from maml.experiments.study import Plan, Table, run_study
from maml.learners.exact.posteriors import GridPosterior
from maml.studies import ambiguity


@pytest.fixture(scope="module")
def problem():
    return maml.TASKS.make("sinusoid_or_line", queries=6)


@pytest.fixture(scope="module")
def ambiguous(problem):
    return ambiguity.ambiguous_tasks(problem, 6)


def test_ambiguous_tasks_have_two_answers_that_fit_the_support_set(problem, ambiguous):
    """Each answer is a mean of functions of its kind alone, as least squares finds some."""
    assert len(ambiguous.tasks) == 6 and ambiguous.differ.any() and not ambiguous.differ.all()
    x, y = (part.numpy()[..., 0] for part in ambiguous.episode[:2])
    for task in range(6):
        of_line = np.stack([x[task], np.ones(5)], axis=1)
        of_sine = np.stack([np.sin(x[task]), -np.cos(x[task])], axis=1)
        for design in (of_sine, of_line):
            residual = y[task] - design @ np.linalg.lstsq(design, y[task], rcond=None)[0]
            assert np.sqrt(np.mean(residual**2)) < 3 * problem.networks.prior.noise


class Answers:
    """Draws around the given answers, [modes, tasks, queries], each of them as often."""

    def __init__(self, means, scale):
        self.means, self.scale = tf.constant(means[..., np.newaxis], tf.float32), scale

    def predict_distribution(self, *_):
        return maml.mix(maml.Normal(self.means, self.scale))


def test_a_density_of_both_answers_scores_and_of_one_or_of_their_mean_does_not(ambiguous):
    both, one, mean = (
        ambiguity.score_modes(Answers(means, 0.3), ambiguous, 0.3)
        for means in (
            ambiguous.answers,
            ambiguous.answers[:1],
            ambiguous.answers.mean(axis=0, keepdims=True),
        )
    )
    assert both["both_answers"]["mean"] == 1.0 and one["both_answers"]["mean"] < 0.3
    # Within two standard deviations are 95 % of a normal.
    assert both["near_answers"]["mean"] == pytest.approx(0.954, abs=0.02)
    assert mean["near_answers"]["mean"] < 0.5


def test_exact_bayes_draws_both_answers(problem, ambiguous):
    learner = GridPosterior(problem.networks.prior, problem.head)
    learner.create_weights(ambiguous.episode)
    scores = ambiguity.score_modes(learner, ambiguous, problem.networks.prior.noise)
    assert scores["both_answers"]["mean"] > 0.5 < scores["near_answers"]["mean"]


@pytest.mark.slow
def test_the_study_runs_resumes_and_draws(in_process, monkeypatch, tmp_path):
    monkeypatch.setattr(ambiguity, "TASKS", 2)
    rows = {"CNP": [{"learner": "cnp"}], "exact Bayes": ambiguity.ROWS["exact Bayes"]}
    small = ambiguity.COMMON | TINY | CNP | {"learner.points": 12}
    table = Table("tiny", small, rows, seeds=1)
    study = dataclasses.replace(ambiguity.STUDY, tables={"sinusoid_or_line": table})
    plan = Plan(study, tmp_path / "runs")
    result = run_study(plan)
    plain, exact = result["tables"]["sinusoid_or_line"]["rows"]
    assert exact["scores.test.nll.mean"] < plain["scores.test.nll.mean"]
    assert {"scores.test.coverage_90.mean", "further.both_answers.mean"} <= set(plain)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.json")}
    assert json.dumps(run_study(plan)["tables"]) == json.dumps(result["tables"])
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.json")}
    (tmp_path / "out").mkdir()
    text = ambiguity.write(result | TOLD, plan, tmp_path / "out")
    assert "| exact Bayes | 1 | " in text and "90 % coverage" in text
    assert "--task=sinusoid_or_line" in text and "--learner=cnp" in text
    assert is_picture(tmp_path / "out/draws.png")


def test_every_row_has_a_configuration(tmp_path):
    """That of a density whose width is learned."""
    plan = Plan(ambiguity.STUDY, tmp_path)
    for row, several in ambiguity.ROWS.items():
        for options in several:
            config = plan.config("sinusoid_or_line", options, 0)
            assert config.head == "gaussian", row


def test_steps_that_a_study_is_given_are_those_of_learners_that_are_trained(tmp_path):
    plan = Plan(ambiguity.STUDY, tmp_path, changed={"steps": 4})
    for row, several in ambiguity.ROWS.items():
        for options in several:
            steps = plan.config("sinusoid_or_line", options, 0).steps
            assert steps == (1 if row == "exact Bayes" else 4)

"""Likelihood, coverage and calibration of densities, against closed forms."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from toys import Lines, learner

import maml
from maml.diagnostics.calibration import calibration, density_scores

RNG = np.random.default_rng(0)
TASKS, QUERIES = 400, 50
LABELS = tf.constant(RNG.normal(2.0, 0.5, (TASKS, QUERIES, 1)))


def gaussian(scale, bias=0.0):
    ones = tf.ones_like(LABELS)
    return maml.Gaussian((2 + bias) * ones, scale * ones)


def found(prediction, y=LABELS):
    return calibration({k: v.numpy() for k, v in density_scores(prediction, y).items()})


@pytest.mark.parametrize("scale", [0.5, 0.25, 1.0])
def test_coverage_is_that_of_the_interval_under_the_true_deviation(scale):
    """The interval of q has the half-width 1.645 scale: its true probability is in closed form."""
    scores = found(gaussian(scale))
    half = stats.norm.ppf(0.95) * scale
    expected = 1 - 2 * stats.norm(0, 0.5).sf(half)
    assert scores["coverage_90"]["mean"] == pytest.approx(expected, abs=0.01)
    assert 0 < scores["coverage_90"]["ci95"] < 0.01
    levels = np.arange(1, 10) / 10
    shares = 1 - 2 * stats.norm(0, 0.5).sf(stats.norm.ppf((1 + levels) / 2) * scale)
    error = np.mean(np.abs(shares - levels))
    assert scores["calibration_error"]["mean"] == pytest.approx(error, abs=0.01)
    assert scores["calibration_error"]["ci95"] < 0.01


def test_a_bias_is_seen_too():
    assert found(gaussian(0.5, bias=1.0))["coverage_90"]["mean"] == pytest.approx(
        stats.norm.cdf(1.645 - 2) - stats.norm.cdf(-1.645 - 2), abs=0.01
    )


@pytest.mark.parametrize(
    "prediction",
    [
        maml.Normal(2 * tf.ones_like(LABELS), 0.5),
        gaussian(0.5),
        maml.Mixture(maml.Normal(tf.stack([2 * tf.ones_like(LABELS)] * 2), 0.5)),
    ],
    ids=["normal", "gaussian", "mixture"],
)
def test_the_right_density_has_uniform_levels_and_the_least_likelihood_loss(prediction):
    scores = density_scores(prediction, LABELS)
    levels = scores["interval_level"].numpy()
    assert levels.shape == (TASKS, QUERIES)
    assert stats.kstest(levels.ravel(), "uniform").pvalue > 1e-3
    entropy = stats.norm(2, 0.5).entropy()
    assert np.mean(scores["nll"]) == pytest.approx(entropy, abs=0.02)


def test_a_mixture_of_two_modes_is_right_about_labels_of_both():
    rng = np.random.default_rng(1)
    side = np.where(rng.random((TASKS, QUERIES, 1)) < 0.3, -2.0, 3.0)
    y = tf.constant(rng.normal(side, 0.4))
    ends = tf.stack([tf.fill(y.shape, tf.constant(end, tf.float64)) for end in (-2.0, 3.0)])
    weights = np.log([0.3, 0.7])[:, None, None]
    right = found(maml.Mixture(maml.Normal(ends, 0.4), tf.constant(weights)), y)
    assert right["coverage_90"]["mean"] == pytest.approx(0.9, abs=0.01)
    assert right["calibration_error"]["mean"] < 0.01
    swapped = found(maml.Mixture(maml.Normal(ends, 0.4), tf.constant(weights[::-1].copy())), y)
    assert swapped["calibration_error"]["mean"] > 0.1


@pytest.mark.parametrize("middle", [0.3, 5.0, 9.9])
def test_levels_on_a_circle_are_probabilities_of_arcs(middle):
    """By a sum over a fine grid; and uniform for the labels that the density draws."""
    knots = np.cos(2 * np.pi * (np.arange(12) / 12 - middle / 10)) * 2
    density = maml.Circular(tf.constant(knots)[tf.newaxis], 10.0)
    centre = density.mode().numpy()[0, 0]
    grid = (np.arange(200_000) + 0.5) / 20_000
    distance = np.abs((grid - centre + 5) % 10 - 5)
    mass = np.exp(maml.Circular(tf.constant(knots), 10.0).log_prob(grid[:, None])) / 20_000
    for y in (0.0, 1.7, 4.2, 9.99):
        reach = abs((y - centre + 5) % 10 - 5)
        expected = mass[distance <= reach].sum()
        level = density.interval_level(tf.constant([[y]], tf.float64))
        assert float(level[0, 0]) == pytest.approx(expected, abs=1e-4)
    many = maml.Circular(tf.constant(np.tile(knots, (4000, 1))), 10.0)
    levels = many.interval_level(many.sample([1, 2])).numpy()[:, 0]
    assert stats.kstest(levels, "uniform").pvalue > 1e-3


def test_labels_of_several_coordinates_count_one_by_one():
    y = tf.constant(RNG.normal(size=(50, 40, 2)) * [1.0, 3.0])
    prediction = maml.Gaussian(tf.zeros_like(y), tf.ones_like(y))
    assert density_scores(prediction, y)["interval_level"].shape == (50, 80)
    expected = (0.9 + 1 - 2 * stats.norm.sf(1.645 / 3)) / 2
    assert found(prediction, y)["coverage_90"]["mean"] == pytest.approx(expected, abs=0.02)


def test_the_calibration_error_of_classes_is_the_gap_of_confidence_and_accuracy():
    labels = tf.one_hot(np.where(RNG.random((TASKS, QUERIES)) < 0.7, 0, 1), 2)
    for confidence in (0.7, 0.9, 0.99):
        logits = np.log([confidence, 1 - confidence])
        prediction = maml.Categorical(tf.constant(np.tile(logits, (TASKS, QUERIES, 1)), tf.float32))
        scores = found(prediction, labels)
        expected = abs(confidence - 0.7)
        assert scores["calibration_error"]["mean"] == pytest.approx(expected, abs=0.01)
        assert "coverage_90" not in scores


def test_gaps_of_two_confidences_do_not_cancel():
    """Half of the answers are too sure, half not sure enough, by 0.2 each."""
    sure = np.arange(QUERIES) % 2 == 0
    right = RNG.random((TASKS, QUERIES)) < np.where(sure, 0.7, 0.8)
    confidence = np.where(sure, 0.9, 0.6)
    logits = np.log(np.stack([confidence, 1 - confidence], axis=-1))
    prediction = maml.Categorical(tf.constant(np.tile(logits, (TASKS, 1, 1))))
    labels = tf.one_hot(np.where(right, 0, 1), 2, dtype=tf.float64)
    assert found(prediction, labels)["calibration_error"]["mean"] == pytest.approx(0.2, abs=0.01)


def test_the_evaluator_scores_the_density_of_the_right_support_set():
    family = Lines()
    model = learner("cnp", maml.GaussianHead(), 9)
    episode = next(family.fixed(1, 8, 0))
    model.create_weights(episode)
    values = maml.Evaluator(model, num_relabelings=3)(family, 1, 8, 0)
    prediction = model.decode(model.adapt(*episode[:2]), model.features(episode.query_x))
    nll = -prediction.log_prob(episode.query_y)
    np.testing.assert_allclose(values["nll"][:, 0], nll, rtol=1e-4)
    level = prediction.interval_level(episode.query_y)[..., 0]
    np.testing.assert_allclose(values["interval_level"][:, 0], level, atol=1e-4)
    problem = maml.TASKS.make("sinusoid")
    summary = problem.summarize(values, family)
    assert {"nll", "coverage_90", "calibration_error"} <= set(summary)
    assert "interval_level" not in summary
    assert summary["nll"]["mean"] == pytest.approx(float(np.mean(nll)), rel=1e-4)

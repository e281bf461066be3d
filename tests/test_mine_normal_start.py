"""Critics start at the best critic of a normal fit: closed forms."""

import numpy as np
import pytest
from scipy import stats

import mine
from mine import benchmarks
from mine.estimators import cross_fitting
from mine.estimators.normal_start import normal_form
from mine.estimators.options import Options
from mine.estimators.training import Pairs


def standard(values):
    return (values - values.mean(axis=0)) / values.std(axis=0)


def log_ratio(x, y, covariance=None):
    """log p(x, y) / p(x) p(y) of a normal distribution, of the samples' covariance by default."""
    both, dim = np.hstack([x, y]), x.shape[1]
    covariance = both.T @ both / len(both) if covariance is None else covariance
    blocks = (both, covariance), (x, covariance[:dim, :dim]), (y, covariance[dim:, dim:])
    joint, *margins = (stats.multivariate_normal(cov=of).logpdf(part) for part, of in blocks)
    return joint - sum(margins)


def test_the_form_is_the_log_density_ratio():
    x, y = benchmarks.dense(2, 3, 0.4).sample(50_000, 0)
    x, y = standard(x), standard(y)
    form, constant = normal_form(x, y)
    z = np.hstack([x, y])
    scores = np.einsum("ni,ij,nj->n", z, form, z) + constant
    expected = log_ratio(x, y, 0.6 * np.eye(5) + 0.4)
    np.testing.assert_allclose(scores, expected, atol=0.2)
    assert np.abs(scores - expected).mean() < 0.01
    np.testing.assert_allclose(form, form.T, atol=1e-12)


def test_columns_that_tell_no_more_change_no_score():
    x, y = (standard(part) for part in benchmarks.dense(2, 1, 0.5).sample(1000, 1))
    doubled = standard(np.hstack([x, x[:, :1] - 2 * x[:, 1:]]))
    scores = []
    for part in (x, doubled):
        form, constant = normal_form(part, y)
        z = np.hstack([part, y])
        scores.append(np.einsum("ni,ij,nj->n", z, form, z) + constant)
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-8)


@pytest.mark.parametrize(("n", "dim"), [(100, 60), (1000, 20), (200, 1)])
def test_correlations_by_chance_are_no_start(n, dim):
    """Independent samples: next to nothing is left, whatever the dimensions."""
    values = np.random.default_rng(0).standard_normal((2, n, dim))
    form, constant = normal_form(*(standard(part) for part in values))
    assert np.isfinite(form).all() and 0 <= constant < 0.1


def test_copies_have_a_finite_form():
    x = standard(np.random.default_rng(0).standard_normal((500, 2)))
    form, constant = normal_form(x, x)
    assert np.isfinite(form).all() and 10 < constant < 20


@pytest.mark.parametrize("dim", [1, 4, 8])
def test_a_critic_starts_there(dim):
    """Beyond five dimensions too, where the form is scaled down."""
    x, y = benchmarks.gaussian(dim, 0.8).sample(5000, 0)
    pairs = Pairs((x.astype(np.float32),), y.astype(np.float32))
    options = Options().resolve(dim)
    trainer = cross_fitting.build_trainer(lambda seed: mine.Concatenated(seed=seed), pairs, options)
    trainer.start(pairs)
    joint, _ = trainer.scores(trainer.theta, pairs, 1)
    expected = log_ratio(standard(x), standard(y))
    # The cap squashes what is far from zero.
    near = np.abs(expected) < 2
    np.testing.assert_allclose(joint.numpy()[near], expected[near], atol=0.15)
    trainer.reset()
    assert not trainer.scores(trainer.theta, pairs, 1)[0].numpy().any()


@pytest.mark.slow
def test_strong_normal_dependence_is_found_in_few_samples():
    """Without such a start 3 nats of these 10 were missing."""
    x, y = benchmarks.gaussian(5, 10.0).sample(2000, 0)
    found = mine.estimate(x, y, folds=2, second_opinions=False, progress=False)
    assert found.bound_nats == pytest.approx(10.0, abs=1.0)

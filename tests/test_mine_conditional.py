"""Conditional information, by each of its estimators."""

import math

import numpy as np
import pytest

import mine
from mine import benchmarks
from mine.estimators import conditional

PROBLEM = benchmarks.linear_gaussian(2, 0.5)


@pytest.mark.slow
def test_chain_rule_finds_the_linear_gaussian_information():
    y, d, x = PROBLEM.sample(4000, 0)
    found = mine.estimate(y, d, x, progress=False)
    assert found.nats == pytest.approx(PROBLEM.nats, abs=0.12)
    assert found.interval[0] < PROBLEM.nats < found.interval[1] < PROBLEM.nats + 0.2
    assert len(found.curves) == 10 and found.samples == 4000
    assert found.second_opinions["gaussian"] == pytest.approx(PROBLEM.nats, abs=0.03)


@pytest.mark.parametrize("critic", ["free", "likelihood"])
def test_direct_finds_the_linear_gaussian_information(critic):
    y, d, x = PROBLEM.sample(4000, 0)
    known = PROBLEM.log_prob if critic == "likelihood" else None
    found = conditional.direct(y, d, x, PROBLEM.redraw(x, 4, 1)[0], log_prob=known, progress=False)
    assert found.nats == pytest.approx(PROBLEM.nats, abs=0.06 if known else 0.12)
    assert len(found.curves) == 5 and found.samples == 4000  # Six features: five folds.


def test_direct_and_plug_in_find_nothing_in_a_model_that_ignores_its_condition():
    ignores = benchmarks.linear_gaussian(2, 0)
    y, d, x = ignores.sample(4000, 0)
    found = conditional.direct(y, d, x, ignores.redraw(x, 4, 3)[0], progress=False)
    assert abs(found.nats) <= 0.01
    every = ignores.log_prob(y[:50, None], d[:50], x[:50, None])
    for part in mine.plug_in(every):
        assert abs(part.numpy()) <= 0.01


def test_direct_refuses_what_does_not_fit():
    y, d, x = PROBLEM.sample(200, 0)
    with pytest.raises(
        ValueError, match=r"`others`: expected \[200, k, 2\]; received \[200, 4, 1\]"
    ):
        conditional.direct(y, d, x, PROBLEM.redraw(x, 4, 1)[0][..., :1])
    with pytest.raises(ValueError, match="`others`: expected finite numbers"):
        conditional.direct(y, d, x, PROBLEM.redraw(x, 4, 1)[0] * math.nan)
    for wrong in ({"negatives": "all"}, {"negatives": "all", "bound": "infonce"}):
        with pytest.raises(ValueError, match="since `others` holds the negatives"):
            conditional.direct(y, d, x, PROBLEM.redraw(x, 4, 1)[0], **wrong)


def test_likelihood_critic_of_a_model_that_ignores_its_condition_finds_nothing():
    """Its untrained scores are no constant, so what it fails to unlearn would be below zero."""
    ignores = benchmarks.linear_gaussian(5, 0)
    y, d, x = ignores.sample(2000, 0)
    others, _ = ignores.redraw(x, 16, 1)
    found = mine.direct(y, d, x, others, log_prob=ignores.log_prob, progress=False)
    assert abs(found.nats) <= 0.01


def test_what_is_missing_or_empty_is_said():
    x = np.random.default_rng(0).standard_normal(200)
    with pytest.raises(ValueError, match="Missing argument `y`"):
        mine.estimate(x, None)
    with pytest.raises(ValueError, match="expected at least 100; received 0"):
        mine.estimate(np.zeros((0, 3)), np.zeros((0, 1)))
    for options, told in (
        ({"bound": "infonce"}, "`others` holds the negatives"),
        ({"critic": "x"}, "hidden"),
    ):
        with pytest.raises(ValueError, match=told):
            mine.direct(x, x, x, np.zeros((200, 2, 1)), **options)
    with pytest.raises(ValueError, match="`others`: expected at least one draw"):
        mine.direct(x, x, x, np.zeros((200, 0, 1)))


def test_plug_in_of_categories_is_the_expectation_of_plug_in_over_what_is_drawn():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(3, 0.4), size=4)
    found = mine.plug_in_categories(np.log(p))
    lower = upper = 0.0
    for n in range(4):
        others = np.delete(p, n, axis=0).mean(0)
        lower += (p[n] * np.log(p[n] / p.mean(0))).sum() / 4
        upper += (p[n] * np.log(p[n] / others)).sum() / 4
    np.testing.assert_allclose(found, [lower, upper], rtol=1e-10)
    # And of plug_in itself, over draws of y from each.
    y = np.array([rng.choice(3, size=20_000, p=row) for row in p])
    drawn = mine.plug_in(np.log(p[np.newaxis, :, :][:, :, y].squeeze(0)).swapaxes(0, 1))
    np.testing.assert_allclose([part.numpy().mean() for part in drawn], found, atol=0.02)


def test_plug_in_of_some_categories_brackets_the_information_over_all():
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.full(5, 0.3), size=200)
    truth = mine.categorical(np.log(p)).numpy()
    chosen = np.array([rng.choice(200, size=3, replace=False) for _ in range(2000)])
    found = mine.plug_in_categories(np.log(p[chosen]).swapaxes(0, 1))
    lower, upper = (part.numpy().mean() for part in found)
    assert lower < truth < upper
    with pytest.raises(ValueError, match=r"n >= 2 conditions; received \[1"):
        mine.plug_in_categories(np.log(p[:1]))

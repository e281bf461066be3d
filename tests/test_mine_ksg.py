"""Nearest neighbours: the same as by hand, and right where samples are equal or nearly so."""

import math

import numpy as np
import pytest
from scipy import special, stats

import mine
from mine.estimators import classical


def by_hand(x, y, z=None, k=5):
    """KSG from all distances: counts of the samples nearer than the k-th neighbour, itself one."""
    parts = [x, y] if z is None else [x, y, z]
    gaps = [np.abs(part[:, None] - part[None]).max(axis=2) for part in parts]
    joint = np.max(gaps, axis=0)
    radius = np.maximum(np.sort(joint, axis=1)[:, k], 1e-300)[:, None]

    def psi(*which):
        return special.digamma((np.max(which, axis=0) < radius).sum(axis=1))

    if z is None:
        return np.mean(psi(joint) + special.digamma(len(x)) - psi(gaps[0]) - psi(gaps[1]))
    return np.mean(psi(joint) + psi(gaps[2]) - psi(gaps[0], gaps[2]) - psi(gaps[1], gaps[2]))


def normal(rng, n, rho=0.8):
    x, noise = rng.standard_normal((2, n, 1))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


SAMPLES = {
    "numbers": lambda rng, x, y: (x, y),
    "columns": lambda rng, x, y: (np.hstack([x, rng.standard_normal((len(x), 2))]), y),
    "label and number": lambda rng, x, y: (x > 0, y),
    "labels": lambda rng, x, y: (np.digitize(x, [-1, 0, 1]), np.digitize(y, [0, 0.5])),
    "rounded": lambda rng, x, y: (np.round(x, 1), np.round(y, 1)),
    "far from zero": lambda rng, x, y: (x + 1e9, y - 1e12),
    "of all sizes": lambda rng, x, y: (x**15, np.sinh(20 * y)),
    "copies": lambda rng, x, y: (np.repeat(x[:50], 8, axis=0), np.repeat(y[:50], 8, axis=0)),
    "one value often": lambda rng, x, y: (np.maximum(x, 0), np.maximum(y, 0.5)),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_ksg_is_what_all_distances_give(kind):
    rng = np.random.default_rng(0)
    x, y = (np.asarray(part, float) for part in SAMPLES[kind](rng, *normal(rng, 400)))
    z = np.round(x[:, :1] + rng.standard_normal((400, 1)), 1)
    assert classical.ksg(x, y).nats == pytest.approx(by_hand(x, y), abs=1e-12)
    assert classical.ksg(x, y, z).nats == pytest.approx(by_hand(x, y, z), abs=1e-12)
    assert classical.ksg(x, y, neighbours=3).nats == pytest.approx(by_hand(x, y, k=3), abs=1e-12)


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_column_given_twice_changes_nothing(kind):
    rng = np.random.default_rng(1)
    x, y = (np.asarray(part, float) for part in SAMPLES[kind](rng, *normal(rng, 400)))
    once = mine.estimate(x, y, bound="ksg")
    assert mine.estimate(np.hstack([x, x]), y, bound="ksg") == once
    assert mine.estimate(np.hstack([x, x]), np.hstack([y, y]), bound="ksg") == once


def label_and_number(rng, n):
    """0.205: log 2 less the entropy of the label given the number, by quadrature."""
    label = rng.integers(0, 2, n)
    return label, label + 0.7 * rng.standard_normal(n)


def zero_inflated_poisson(rng, n):
    """Gao et al. 2017, where 0.256 is the information if a zero told whether it was put in.

    It does not tell: the test that follows derives 0.230.
    """
    rate = rng.exponential(size=n)
    return rate, np.where(rng.random(n) < 0.15, 0, rng.poisson(rate))


def test_a_zero_inflated_poisson_has_less_information_than_was_published():
    """By summation over counts and quadrature over rates, the mixture of each rate in both terms.

    Gao et al. give 0.85 (2 log 2 - gamma - sum log k / 2^k), the information of the Poisson part
    times its share, as if a zero that was put in could be told from one that was drawn.
    """
    counts, share = np.arange(200), 0.85
    rates, weights = np.polynomial.laguerre.laggauss(60)  # Of exponential rates.
    given = share * stats.poisson.pmf(counts, rates[:, np.newaxis])
    given[:, 0] += 1 - share
    overall = share * 0.5 ** (counts + 1)
    overall[0] += 1 - share
    nats = weights @ special.rel_entr(given, overall).sum(axis=1)
    poisson = 2 * math.log(2) - np.euler_gamma - sum(math.log(k) / 2**k for k in range(2, 60))
    assert nats == pytest.approx(0.230, abs=5e-4)
    assert share * poisson == pytest.approx(0.256, abs=5e-4)


def five_values(rng, n):
    """Gao et al. 2017: y is uniform on [x, x + 2], and I = log 5 - 4/5 log 2."""
    x = rng.integers(0, 5, n)
    return x, x + rng.uniform(0, 2, n)


def independent(rng, n):
    return rng.integers(0, 2, n), rng.standard_normal(n)


def many_labels(rng, n):
    return rng.integers(0, 30, n), rng.standard_normal(n)


def rounded(rng, n):
    return (np.round(part, 1) for part in normal(rng, n))


def table(rng, n):
    """Five of nine samples are on the diagonal; I is a sum over cells."""
    cells = (np.ones((5, 5)) + 4 * np.eye(5)) / 45
    return np.divmod(rng.choice(25, n, p=cells.ravel()), 5)


@pytest.mark.parametrize(
    ("draw", "nats"),
    [
        (independent, 0.0),
        (many_labels, 0.0),
        (label_and_number, 0.205),
        (zero_inflated_poisson, 0.230),
        (five_values, 1.055),
        (rounded, -0.5 * math.log(1 - 0.8**2)),
        (table, 5 / 9 * math.log(25 / 9) + 4 / 9 * math.log(5 / 9)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_labels_counts_and_rounded_numbers_are_right(draw, nats):
    found = [
        mine.estimate(*draw(np.random.default_rng(seed), 4000), bound="ksg").nats
        for seed in range(3)
    ]
    assert np.mean(found) == pytest.approx(nats, abs=0.02)


def test_conditional_information_of_labels_is_right():
    """The number follows the label, whatever the condition."""
    rng = np.random.default_rng(3)
    label, number = label_and_number(rng, 6000)
    z = rng.integers(0, 3, 6000)
    found = mine.estimate(label, number + 5 * z, z, bound="ksg").nats
    assert found == pytest.approx(0.205, abs=0.02)
    assert mine.estimate(label, rng.standard_normal(6000), z, bound="ksg").nats == pytest.approx(
        0, abs=0.02
    )

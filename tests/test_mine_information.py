"""From a bound to the information: simulated samples, what a bound lacks, where intervals end."""

import json
import math

import numpy as np
import pytest

import mine
from mine import benchmarks
from mine.estimators.classical import Classical
from mine.estimators.preprocessing import Preprocessor
from mine.estimators.result import of_bound
from mine.estimators.uncertainty import information, simulation
from mine.estimators.uncertainty.simulation import Neighbours


def bound_of(nats, half=0.02, samples=10_000):
    """A bound with a symmetric interval of its own."""
    return of_bound("mine", nats, (nats - half, nats + half), samples)


def independent(seed, n):
    """Two samples that have nothing to do with each other."""
    return np.random.default_rng([seed, n]).standard_normal((2, n))


# -- simulated samples ----------------------------------------------------------------------------


@pytest.mark.parametrize(("dim_x", "dim_y", "df"), [(1, 1, 1.0), (2, 3, 4.0), (5, 1, 0.3)])
def test_degrees_of_freedom_are_those_of_the_information(dim_x, dim_y, df):
    nats = benchmarks.student(dim_x, dim_y, df).nats
    blocks = [(1, dim_x), (1, dim_y), (-1, dim_x + dim_y)]
    assert simulation.degrees_of_freedom(nats, blocks) == pytest.approx(df, rel=1e-6)
    assert simulation.degrees_of_freedom(-1.0, blocks) == simulation.MOST
    assert simulation.degrees_of_freedom(1e3, blocks) == simulation.FEWEST


def test_simulated_samples_have_the_information_asked_for(monkeypatch):
    """Where nearest neighbours find nothing, all is lacking: the information asked for."""
    monkeypatch.setattr(simulation.classical, "ksg", lambda *_: Classical(0.0, 0.0))
    x, y = benchmarks.bivariate_normal(0.6).sample(4000, 0)
    for nats in (0.3, 0.9):
        lacking = simulation._lacking([x, y], nats, np.random.default_rng(0))
        assert lacking == pytest.approx(nats, abs=0.06)
    y, d, x = benchmarks.linear_gaussian(2, 0.5).sample(4000, 0)
    for nats in (0.5, 0.6):  # A third variable tells the tails, and leaves little to add.
        lacking = simulation._lacking([y, d, x], nats, np.random.default_rng(0))
        assert lacking == pytest.approx(nats, abs=0.06)


@pytest.mark.parametrize(
    ("name", "n"), [("normal-1x1", 2000), ("gaussian-5x5", 1000), ("half-cube-sparse-3x3", 2000)]
)
def test_corrected_neighbours_are_the_information(name, n):
    task = benchmarks.TASKS[name]
    for first in (0.0, task.nats):  # Whatever it begins with.
        found = simulation.measure(*task.sample(n, 1), nats=first)
        assert found.nats + found.lacking == pytest.approx(task.nats, abs=0.08)


def test_columns_that_tell_no_more_change_no_correction():
    x, y = benchmarks.dense(2, 2, 0.5).sample(1000, 0)
    found = simulation.measure(x, y)
    assert simulation.measure(np.hstack([x, x]), y) == found
    constant = simulation.measure(np.tile(x, 30), y)  # More columns than correlations can tell.
    assert constant == found


# -- what a bound lacks ---------------------------------------------------------------------------


def test_what_is_lacking_is_the_distance_where_it_is_exact_and_the_prior_where_it_is_not():
    assert information.lacked(0.3, 1e-4, 0.02, True)[1] == pytest.approx(0.3, abs=0.01)
    quantiles = information.lacked(0.3, 1e9, 0.02, True)
    half_cauchy = 0.02 * np.tan(np.pi / 2 * np.array([0.025, 0.5, 0.975]))
    assert quantiles == pytest.approx(half_cauchy, rel=0.02)
    low, middle, high = information.lacked(0.0, 1e9, 0.02, False)
    assert low == pytest.approx(-high, rel=0.05) and middle == pytest.approx(0, abs=1e-4)


def test_quantiles_of_what_is_lacking_are_those_of_the_posterior():
    """Against sums over a fine grid of the density itself."""
    distance, error, scale = 0.05, 0.03, 0.02
    points = np.linspace(0, 2, 2_000_001)
    density = np.exp(-(((points - distance) / error) ** 2) / 2) / (1 + (points / scale) ** 2)
    share = np.cumsum(density) / density.sum()
    expected = points[np.searchsorted(share, [0.025, 0.5, 0.975])]
    found = information.lacked(distance, error, scale, True)
    assert found == pytest.approx(expected, abs=5e-4)


def test_a_lower_bound_is_never_lowered_but_a_difference_of_bounds_is():
    neighbours = Neighbours(nats=0.8, error=0.01, lacking=0.0)
    assert information.complete(bound_of(1.0), neighbours).nats >= 1.0
    lowered = information.complete(bound_of(1.0), neighbours, bounded=False)
    assert lowered.nats == pytest.approx(0.8, abs=0.02)


def test_the_interval_of_independent_samples_reaches_down_to_0():
    """By a critic that found exactly that; 95 % of them at least, and of nearest neighbours."""
    low = []
    for seed in range(60):
        x, y = (
            Preprocessor("rank").fit(part)(part) for part in independent(seed, 500)[..., np.newaxis]
        )
        neighbours = simulation.measure(x, y, seed=seed)
        found = information.complete(bound_of(0.0, half=0.0, samples=500), neighbours)
        low.append(found.interval[0])
    assert np.mean(np.array(low) > 0) <= 0.05


@pytest.mark.parametrize("bound", ["ksg", "gaussian"])
@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_intervals_of_classical_estimates_hold_the_information(bound, correlation):
    held, truth = 0, -0.5 * math.log(1 - correlation**2)
    for seed in range(60):
        x, noise = independent(seed, 400)
        y = correlation * x + math.sqrt(1 - correlation**2) * noise
        low, high = mine.estimate(x, y, bound=bound, seed=seed).interval
        held += low <= truth <= high
    assert held >= 54


def test_an_interval_holds_its_estimate_and_nothing_negative():
    for nats in (-0.01, 0.0, 0.3):
        for at in (-0.05, 0.0, 0.31):
            for bounded in (True, False):
                found = information.complete(bound_of(nats), Neighbours(at, 0.01, 0.0), bounded)
                low, high = found.interval
                assert low <= found.nats <= high
                assert low >= min(0.0, found.nats) and high >= 0


# -- at least -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "neighbours", "why"),
    [
        (0.6, Neighbours(0.7, 0.01, 0.25), "point to 0.95 nats"),
        (9.8, Neighbours(6.0, 0.01, 3.5), "near log n"),
        (0.9, Neighbours(0.3, 0.01, 0.6), "is correction"),
    ],
)
def test_at_least_is_said_where_no_upper_end_can_be_given(bound, neighbours, why):
    found = information.complete(bound_of(bound), neighbours)
    assert found.interval == (pytest.approx(bound - 0.02), math.inf)
    assert why in found.warnings[-1] and "no upper end" in found.warnings[-1]
    assert f"(at least {bound - 0.02:.3f} at 95 %, without an upper end)" in str(found)


def test_a_bound_alone_says_at_least():
    found = bound_of(0.5)
    assert found.nats == found.bound_nats == 0.5 and found.interval == (0.48, math.inf)
    assert bound_of(0.01).interval == (0.0, math.inf)
    assert bound_of(-0.01).interval == (-0.01, math.inf)


@pytest.mark.parametrize("high", [math.inf, 0.7])
def test_estimates_survive_json_as_it_is_defined(high):
    found = mine.Estimate(
        0.5, (0.4, high), "mine", 1000, 0.48, (0.4, 0.56), curves=((0.1, 0.2),),
        second_opinions={"ksg": 0.4}, warnings=("w",),
    )  # fmt: skip
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert mine.Estimate.from_dict(json.loads(text)) == found


@pytest.mark.parametrize("bound", ["ksg", "gaussian"])
def test_classical_estimates_say_at_least_on_a_spiral_and_keep_their_value(bound):
    x, y = benchmarks.TASKS["spiral-sparse-3x3"].sample(2000, 0)
    found = mine.estimate(x, y, bound=bound)
    assert math.isinf(found.interval[1]) and found.nats == found.bound_nats
    assert found.interval[0] <= found.bound_interval[0] + 1e-9


@pytest.mark.parametrize("name", ["sparse-5x5", "student-2x2-df2", "bimodal-1x1"])
def test_intervals_hold_the_information_though_nearest_neighbours_miss_it(name):
    task = benchmarks.TASKS[name]
    held = 0
    for seed in range(4):
        low, high = mine.estimate(*task.sample(1000, seed), bound="ksg").interval
        held += low <= task.nats <= high
    assert held >= 3


def test_conditional_intervals_hold_the_information_though_nearest_neighbours_miss_it():
    problem = benchmarks.linear_gaussian(2, 0.6)
    found = [mine.estimate(*problem.sample(1000, seed), bound="ksg") for seed in range(4)]
    assert np.mean([of.bound_nats for of in found]) < problem.nats - 0.1
    assert sum(of.interval[0] <= problem.nats <= of.interval[1] for of in found) >= 3
    assert all(of.interval[1] < problem.nats + 0.4 for of in found)


@pytest.mark.parametrize("n", [150, 3000])
def test_labels_are_counted_and_not_taken_for_numbers(n):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    copy = mine.estimate(labels, labels, bound="ksg")
    other = mine.estimate(labels, rng.integers(0, 4, n), bound="ksg")
    for found, nats in ((copy, math.log(3)), (other, 0.0)):
        assert found.interval[0] <= nats <= found.interval[1] < nats + 0.4
        assert not found.warnings


@pytest.mark.slow
def test_the_default_says_of_the_spiral_what_it_can():
    task = benchmarks.TASKS["spiral-sparse-3x3"]
    found = mine.estimate(*task.sample(4000, 0), progress=False)
    assert math.isinf(found.interval[1]) and found.interval[0] < task.nats
    assert found.bound_nats < found.nats == pytest.approx(task.nats, abs=0.2)

"""What arrays mine takes, how it preprocesses them, and estimates without a critic."""

import math

import numpy as np
import pytest
from scipy import special, stats

import mine
from mine import benchmarks
from mine.estimators import classical, preprocessing

NORMAL = benchmarks.bivariate_normal(0.8)


# -- samples --------------------------------------------------------------------------------------


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape)


def spoilt(value, row):
    x = numbers(200, 2)
    x[row, 1] = value
    return x


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (numbers(200), numbers(300), "the same in all arrays; received x has 200, y has 300"),
        (numbers(99), numbers(99), "expected at least 100; received 99"),
        (spoilt(math.nan, 7), numbers(200), "`x`: .* NaN .* in 1 of 200 .* first in sample 7"),
        (numbers(200), spoilt(-math.inf, 9), "`y`: .* NaN or infinite .* first in sample 9"),
        (np.full(200, 3.0), numbers(200), "`x`: .* column 0, which is 3 in every sample"),
        (numbers(200), numbers(200, 2) * [1, 0], "`y`: .* received column 1, which is"),
        (numbers(200).astype(object), numbers(200), "`x`: expected real numbers; received object"),
        (numbers(200).astype(str), numbers(200), "`x`: expected real numbers; received <U"),
        (numbers(200) + 0j, numbers(200), "`x`: expected real numbers; received complex128"),
        (numbers(200, 2, 2, 1), numbers(200), r"`x`: expected \[n\], .* received \[200, 2, 2, 1\]"),
        (numbers(200), 3.0, r"`y`: expected \[n\], .* received \[\]"),
        (numbers(200, 0), numbers(200), r"`x`: expected \[n\], .* received \[200, 0\]"),
        (numbers(200, 5, 0), numbers(200), r"`x`: expected \[n\], .* received \[200, 5, 0\]"),
    ],
    ids=[
        "lengths", "few", "nan", "infinite", "constant", "constant-column", "object", "str",
        "complex", "rank-4", "rank-0", "no-features", "sets-without-features",
    ],
)  # fmt: skip
def test_unusable_samples_are_refused_with_the_reason(x, y, message):
    with pytest.raises(ValueError, match=message):
        preprocessing.check(x=x, y=y)
    with pytest.raises(ValueError, match=message):
        mine.estimate(x, y, bound="gaussian")


def test_usable_samples_become_float64_columns():
    integers = np.arange(200) % 7
    checked = preprocessing.check(x=integers, y=integers > 3, z=None, s=numbers(200, 4, 2))
    assert list(checked) == ["x", "y", "s"]
    assert [value.shape for value in checked.values()] == [(200, 1), (200, 1), (200, 4, 2)]
    assert all(value.dtype == np.float64 for value in checked.values())
    np.testing.assert_array_equal(checked["x"][:, 0], integers)


def test_rank_gives_normal_scores_of_mid_ranks():
    rng = np.random.default_rng(1)
    x = np.stack([rng.standard_cauchy(300), rng.integers(0, 5, 300)], axis=1)
    expected = special.ndtri((stats.rankdata(x, axis=0) - 0.5) / 300)
    np.testing.assert_allclose(preprocessing.Preprocessor("rank").fit(x)(x), expected, rtol=1e-12)


def test_rank_clamps_to_the_range_it_was_fitted_to():
    x = numbers(200, 1)
    found = preprocessing.Preprocessor("rank").fit(x)(
        np.array([[-1e9], [x.min()], [x.max()], [1e9]])
    )
    edge = special.ndtri(0.5 / 200)
    np.testing.assert_allclose(found[:, 0], [edge, edge, -edge, -edge], rtol=1e-12)


def test_rank_of_new_samples_lies_between_their_neighbours():
    x = np.arange(200.0)[:, None]
    found = preprocessing.Preprocessor("rank").fit(x)(np.array([[10.0], [10.5], [11.0]]))[:, 0]
    assert found[0] < found[1] < found[2]
    assert found[1] == pytest.approx(special.ndtri(11 / 200))


def test_rank_of_sets_ranks_all_elements_together():
    sets = numbers(100, 3, 2)
    flat = preprocessing.Preprocessor("rank").fit(sets.reshape(-1, 2))(sets.reshape(-1, 2))
    np.testing.assert_array_equal(
        preprocessing.Preprocessor("rank").fit(sets)(sets), flat.reshape(sets.shape)
    )


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_standard_has_zero_mean_and_unit_deviation_at_any_scale(scale):
    x = scale * (numbers(500, 2) + [3, 0])
    found = preprocessing.Preprocessor("standard").fit(x)(x)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=0), 1, rtol=1e-12)


def test_none_leaves_samples_as_they_are():
    x = numbers(200, 2)
    np.testing.assert_array_equal(preprocessing.Preprocessor("none").fit(x)(x), x)


# -- classical estimators -------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.9])
@pytest.mark.parametrize("estimator", [classical.ksg, classical.gaussian], ids=["ksg", "gaussian"])
def test_classical_estimators_find_the_bivariate_normal(estimator, rho):
    task = benchmarks.bivariate_normal(rho)
    found = estimator(*task.sample(5000, 0))
    assert found.nats == pytest.approx(task.nats, abs=0.04)
    assert 0 <= found.error < 0.04


@pytest.mark.parametrize("name", ["gaussian-5x5", "dense-3x3", "sparse-5x5"])
def test_gaussian_finds_normals_of_several_dimensions(name):
    task = benchmarks.TASKS[name]
    assert classical.gaussian(*task.sample(20_000, 0)).nats == pytest.approx(task.nats, abs=0.04)


@pytest.mark.parametrize("name", ["bimodal-1x1", "additive-0.75", "additive-0.1"])
def test_ksg_finds_what_is_not_normal(name):
    task = benchmarks.TASKS[name]
    found = classical.ksg(*task.sample(5000, 0)).nats
    assert found == pytest.approx(task.nats, abs=0.08)


def test_gaussian_and_ksg_find_conditional_information():
    problem = benchmarks.linear_gaussian(2, 0.5)
    found = classical.gaussian(*problem.sample(20_000, 1)).nats
    assert found == pytest.approx(problem.nats, abs=0.02)
    assert classical.gaussian(*problem.sample(20_000, 1)[:2]).nats < problem.nats - 0.1
    problem = benchmarks.linear_gaussian(1, 0.5)
    found = classical.ksg(*problem.sample(5000, 1)).nats
    assert found == pytest.approx(problem.nats, abs=0.06)


def test_ksg_of_categories_is_their_entropy():
    x = np.random.default_rng(2).integers(0, 4, (2000, 1)).astype(float)
    assert classical.ksg(x, x).nats == pytest.approx(math.log(4), abs=0.02)


def test_ksg_is_finite_on_duplicates():
    x, y = NORMAL.sample(200, 3)
    x, y = np.repeat(x, 8, axis=0), np.repeat(y, 8, axis=0)
    for z in (None, np.repeat(numbers(200, 1), 8, axis=0)):
        assert np.isfinite(classical.ksg(x, y, z)).all()


def test_gaussian_does_not_depend_on_units():
    x, y = NORMAL.sample(500, 0)
    expected = classical.gaussian(x, y)
    for scale in (1e-9, 1e9):
        np.testing.assert_allclose(classical.gaussian(scale * x, y), expected, rtol=1e-6)


@pytest.mark.parametrize("preprocess", preprocessing.PREPROCESSES)
def test_gaussian_does_not_change_by_columns_that_others_give(preprocess):
    x, y = NORMAL.sample(500, 1)
    w = numbers(500, 2)

    def nats(*arrays):
        return mine.estimate(*arrays, bound="gaussian", preprocess=preprocess).nats

    once = nats(x, y)
    for more in (np.hstack([x, x]), np.hstack([x, -x, x])):
        assert nats(more, y) == pytest.approx(once, abs=1e-9)
        assert nats(more, np.hstack([y, y])) == pytest.approx(once, abs=1e-9)
        assert nats(more, y, w) == pytest.approx(nats(x, y, w), abs=1e-9)
        assert nats(x, y, np.hstack([w, w])) == pytest.approx(nats(x, y, w), abs=1e-9)
    assert nats(x, y, x) == pytest.approx(0, abs=1e-9)
    if preprocess != "rank":
        total = np.hstack([x, w, x + w[:, :1]])
        assert nats(total, y) == pytest.approx(nats(np.hstack([x, w]), y), abs=1e-9)


def test_gaussian_is_the_ratio_of_determinants():
    x, y = numbers(300, 2), numbers(300, 3)[:, ::-1] + numbers(300, 1)
    z = x[:, :1] + y[:, 1:2] + np.random.default_rng(1).normal(size=(300, 1))

    def log_det(*parts):
        return np.linalg.slogdet(np.atleast_2d(np.cov(np.hstack(parts), rowvar=False)))[1]

    two = (log_det(x) + log_det(y) - log_det(x, y)) / 2
    assert classical.gaussian(x, y).nats == pytest.approx(two, abs=1e-9)
    three = (log_det(x, z) + log_det(y, z) - log_det(z) - log_det(x, y, z)) / 2
    assert classical.gaussian(x, y, z).nats == pytest.approx(three, abs=1e-9)


def test_gaussian_is_finite_on_copies():
    x = numbers(500, 2)
    assert 5 < classical.gaussian(x, x).nats < math.inf
    assert np.isfinite(classical.gaussian(np.hstack([x, x]), numbers(500, 1))).all()


@pytest.mark.parametrize("bound", ["ksg", "gaussian"])
def test_classical_bounds_need_no_critic(bound):
    x, y = NORMAL.sample(3000, 4)
    found = mine.estimate(x, y, bound=bound)
    assert found.bound == bound and found.samples == 3000
    assert not (found.curves or found.second_opinions or found.warnings)
    assert found.interval[0] < NORMAL.nats < found.interval[1]
    problem = benchmarks.linear_gaussian(1, 0.5)
    found = mine.estimate(*problem.sample(3000, 4), bound=bound)
    assert found.nats == pytest.approx(problem.nats, abs=0.08)
    with pytest.raises(ValueError, match="Invalid argument `steps`: .* trains no critic"):
        mine.estimate(x, y, bound=bound, steps=100)
    with pytest.raises(ValueError, match="`x`: .* received sets"):
        mine.estimate(numbers(200, 4, 1), numbers(200), bound=bound)


def test_gaussian_survives_squares_that_are_no_numbers():
    x, noise = np.random.default_rng(0).standard_normal((2, 500))
    y = 0.8 * x + 0.6 * noise
    values = [
        mine.estimate(scale * x, y, bound="gaussian", preprocess="none").nats
        for scale in (1.0, 1e200, 1e-200)
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-9)


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bound": "tea"}, "`bound`: expected one of mine, dv.* received 'tea'"),
        ({"critic": "tea"}, "`critic`: expected one of concatenated.* received 'tea'"),
        ({"preprocess": "tea"}, "`preprocess`: expected one of rank, .* received 'tea'"),
        ({"bound": "infonce", "negatives": 4}, "compares all pairs of a batch"),
        ({"negatives": 0}, "`negatives`: expected an integer from 1 .* received 0"),
        ({"negatives": "some"}, "`negatives`: expected an integer from 1 .* received 'some'"),
        ({"folds": 1}, "`folds`: expected an integer from 2 .* received 1"),
        ({"batch_size": 1}, "`batch_size`: expected an integer from 2 .* received 1"),
        ({"steps": 49}, "`steps`: expected an integer from 50 .* received 49"),
        ({"steps": 100.0}, "`steps`: expected an integer from 50 .* received 100.0"),
        ({"patience": 0}, "`patience`: expected an integer from 1 .* received 0"),
        ({"seed": -1}, "`seed`: expected an integer from 0 .* received -1"),
        ({"learning_rate": 0.0}, r"`learning_rate`: expected a number in \(0, 1\]; received 0.0"),
        ({"learning_rate": math.nan}, r"`learning_rate`: .* in \(0, 1\]; received nan"),
    ],
    ids=[
        "bound", "critic", "preprocess", "infonce-negatives", "no-negatives", "some-negatives",
        "folds", "batch-size", "steps", "float-steps", "patience", "seed", "learning-rate",
        "nan-learning-rate",
    ],
)  # fmt: skip
def test_senseless_options_are_refused_with_what_there_is(given, message):
    with pytest.raises(ValueError, match=message):
        mine.Options(**given)


def test_numpy_integers_are_whole_numbers():
    assert mine.Options(steps=np.int64(100), seed=np.uint8(3)) == mine.Options(steps=100, seed=3)


@pytest.mark.parametrize("critic", ["separable", "bilinear"])
@pytest.mark.parametrize("bound", ["mine", "dv", "nwj"])
def test_combinations_known_to_diverge_are_refused_with_the_reason(bound, critic):
    with pytest.raises(ValueError, match=f"bound='{bound}'.* training diverges, .* 'infonce'"):
        mine.Options(bound=bound, critic=critic, negatives="all")
    mine.Options(bound=bound, critic=critic, negatives=1)
    mine.Options(bound="js", critic=critic, negatives="all")


def test_defaults_depend_on_dimensions_and_never_override():
    few, many = mine.Options().resolve(5), mine.Options().resolve(6)
    assert (few.negatives, few.folds, few.batch_size, few.learning_rate) == (1, 5, 512, 0.01)
    assert (many.negatives, many.folds, many.batch_size, many.learning_rate) == (8, 5, 128, 0.005)
    everything = mine.Options(bound="infonce").resolve(2)
    assert (everything.negatives, everything.batch_size) == ("all", 256)
    given = mine.Options(negatives=3, folds=4, batch_size=32, learning_rate=0.1)
    assert given.resolve(6) == given


def test_too_many_folds_are_refused():
    x, y = NORMAL.sample(100, 0)
    with pytest.raises(
        ValueError, match="`folds`: expected .* of 100 samples.* received 11, which leaves 9"
    ):
        mine.estimate(x, y, folds=11)

"""Functions of many shapes against plain numpy and scipy, and the ranges they are drawn from."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import signal, stats

import maml
from maml.tasks.regression import SHAPES, FunctionRange

SEED = tf.constant([4, 2])
REACH = 5 + math.pi


def normalized(values, coefficients):
    return values / np.abs(coefficients).sum()


# Of theta [n] and coefficients [k] in float64. Scipy's waves start each period at their lowest or
# at a jump; ours go up through 0 there, as the sine does.
REFERENCE = {
    "sine": lambda theta, c: np.sin(theta),
    "square": lambda theta, c: signal.square(theta),
    "triangle": lambda theta, c: signal.sawtooth(theta + np.pi / 2, 0.5),
    "sawtooth": lambda theta, c: signal.sawtooth(theta + np.pi),
    "harmonics": lambda theta, c: normalized(c @ np.sin(np.outer([1, 2, 3], theta)), c),
    "damped_sine": lambda theta, c: np.sin(theta) / np.exp(np.abs(theta) / (2 * np.pi)),
    "polynomial": lambda theta, c: normalized(np.poly1d(c[::-1])(theta / REACH), c),
    "step": lambda theta, c: np.where(theta < 0, -1.0, 1.0),
    "linear": lambda theta, c: theta / REACH,
}
# Where each of them jumps; a point this near to a jump may fall to either side in float32.
JUMPS = {"square": np.arange(-40, 40) * np.pi, "step": np.zeros(1)}
JUMPS["sawtooth"] = JUMPS["square"][1::2]
NEAR = 1e-4
WAVES = ("sine", "square", "triangle", "sawtooth", "harmonics")
MEAN_SQUARES = {"sine": 1 / 2, "square": 1, "triangle": 1 / 3, "sawtooth": 1 / 3, "step": 1}

shapes = pytest.mark.parametrize("shape", sorted(SHAPES))


def wide(shape, **changes):
    """A range in which everything differs between tasks."""
    return FunctionRange(shape, (-2.0, 3.0), (-4.0, 4.0), (0.5, 3.0), **changes)


def coefficients(family):
    """Of each task, [tasks, coefficients]."""
    return np.array(family.coefficients).reshape(-1, family.num_tasks).T


def truth(family, task, x):
    """Labels of one task at x [n] in float64, and which of the points are at no jump."""
    values = [family.amplitude, family.frequency, family.phase]
    amplitude, frequency, phase = (float(v[task]) for v in values)
    theta = frequency * x.astype(np.float64) - phase
    y = amplitude * REFERENCE[family.shape](theta, coefficients(family)[task].astype(np.float64))
    jumps = JUMPS.get(family.shape, np.array([np.inf]))
    return y, np.abs(theta[:, None] - jumps).min(axis=1) > NEAR


def points(episode):
    """Support and queries of an episode together, x and y."""
    pairs = zip(episode[:2], episode[2:], strict=True)
    return [np.concatenate(pair, axis=1)[..., 0] for pair in pairs]


# -- shapes -------------------------------------------------------------------------------------


@shapes
def test_labels_are_those_of_the_formula(shape):
    """Of the same tasks each time that they are drawn, in episodes and at inputs of one's own."""
    family = wide(shape).draw(50, 30, 30, SEED)
    tasks = tf.constant([7, 49, 7, 0, 31])
    own = np.linspace(-6, 9, 60, dtype=np.float32)
    curves = family.true_labels(tasks, own[None, :, None])
    assert curves.shape == (5, 60, 1) and curves.dtype == tf.float32
    drawn = [points(family.episodes(tasks, SEED + i)) for i in range(2)]
    assert np.abs(drawn[0][0] - drawn[1][0]).max() > 1
    for x, y in [*drawn, (np.tile(own, (5, 1)), curves[..., 0].numpy())]:
        for row, task in enumerate(tasks.numpy()):
            expected, smooth = truth(family, task, x[row])
            assert smooth.mean() > 0.9
            np.testing.assert_allclose(y[row][smooth], expected[smooth], rtol=1e-4, atol=1e-4)


@shapes
def test_the_amplitude_bounds_the_default_functions(shape):
    """And the mean square is the one that the docstring states."""
    family = FunctionRange(shape).draw(500, 1, 1, SEED)
    x = tf.linspace(-5.0, 5.0, 201)[tf.newaxis, :, tf.newaxis]
    highest = np.abs(family.true_labels(tf.range(500), x)).max(axis=(1, 2))
    size = highest / family.amplitude.numpy()
    assert 0.75 < size.max() <= 1 + 1e-5
    if shape in MEAN_SQUARES:
        theta = tf.linspace(-math.pi, math.pi, 20_001)
        mean = np.mean(SHAPES[shape](theta) ** 2)
        assert mean == pytest.approx(MEAN_SQUARES[shape], rel=1e-3)


@pytest.mark.parametrize("shape", WAVES)
def test_waves_have_the_period_of_two_pi(shape):
    theta = np.arange(-99, 100, 2) / 10  # At no jump, which are at multiples of pi.
    draws = np.random.default_rng(1).uniform(-1, 1, 3 if shape == "harmonics" else 0)
    f, half, whole = (
        SHAPES[shape](tf.constant(theta + turns, tf.float32), *draws.astype(np.float32))
        for turns in (0, np.pi, 2 * np.pi)
    )
    np.testing.assert_allclose(whole, f, atol=2e-5)
    assert np.abs(half - f).max() > 0.5


@shapes
def test_an_oracle_reads_x_and_no_code_beside_it(shape):
    family = FunctionRange(shape).draw(3, 1, 1, SEED)
    x = tf.random.stateless_normal([3, 7, 4], SEED)
    coded, plain = (family.true_labels(tf.range(3), part) for part in (x, x[..., :1]))
    assert coded.shape == (3, 7, 1)
    np.testing.assert_array_equal(coded, plain)


# -- what is drawn ------------------------------------------------------------------------------


@shapes
def test_parameters_are_uniform_in_their_ranges(shape):
    family = wide(shape).draw(3000, 1, 1, SEED)
    known = [
        (family.amplitude, -2, 3),
        (family.phase, -4, 4),
        (family.frequency, 0.5, 3),
        *((values, -1, 1) for values in family.coefficients),
    ]
    assert len(known) == 3 + {"harmonics": 3, "polynomial": 4}.get(shape, 0)
    quantiles = np.array([(values.numpy() - low) / (high - low) for values, low, high in known])
    assert quantiles.min() >= 0 and quantiles.max() <= 1
    for values in quantiles:
        assert stats.kstest(values, "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(quantiles) - np.eye(len(known))).max() < 0.07


def test_x_is_uniform_in_its_range_and_noise_normal_in_all_labels():
    base = wide("triangle", x_range=(2.0, 3.0))
    noisy = dataclasses.replace(base, noise=0.3)
    episodes = [
        within.draw(40, 100, 150, SEED).episodes(tf.range(40), SEED) for within in (base, noisy)
    ]
    (x, clean), (same_x, y) = (points(episode) for episode in episodes)
    np.testing.assert_array_equal(x, same_x)
    assert stats.kstest(x.ravel() - 2, "uniform").pvalue > 1e-3
    noise = (y - clean) / 0.3
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    for part in (noise[:, :100], noise[:, 100:]):
        assert part.std() == pytest.approx(1, rel=0.04)
    # The oracle leaves the noise out.
    oracle = noisy.draw(40, 1, 1, SEED).true_labels(tf.range(40), x[..., None])
    np.testing.assert_allclose(oracle[..., 0], clean, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [("shape", "polynomial"), ("amplitude", (5.0, 10.0)), ("phase", (1, 9)), ("frequency", (2, 3))],
)
def test_a_perturbation_leaves_all_else_of_a_task_as_it_was(name, value):
    base = FunctionRange("harmonics", frequency=(0.5, 1.5))
    family, perturbed = (
        within.draw(501, 1, 1, SEED)
        for within in (base, dataclasses.replace(base, **{name: value}))
    )
    for kept in {"amplitude", "phase", "frequency"} - {name}:
        np.testing.assert_array_equal(getattr(family, kept), getattr(perturbed, kept))
    np.testing.assert_array_equal(family.coefficients, perturbed.coefficients[:3])
    if name == "shape":
        assert perturbed.shape == value
    else:
        ranks = [np.argsort(np.argsort(getattr(f, name))) for f in (family, perturbed)]
        np.testing.assert_array_equal(*ranks)
        assert getattr(perturbed, name).numpy().min() >= value[0]


# -- the problem --------------------------------------------------------------------------------


def test_the_defaults_are_the_sinusoids_of_maml():
    ours, theirs = maml.TASKS.make("functions"), maml.TASKS.make("sinusoid")
    for split in ("train", "validation", "test"):
        family, known = getattr(ours, split), getattr(theirs, split)
        episode = family.episodes(tf.range(9), SEED)
        for part, same in zip(episode, known.episodes(tf.range(9), SEED), strict=True):
            np.testing.assert_array_equal(part, same)
        x = episode.query_x.numpy()
        amplitude, phase = (v.numpy()[:9, None, None] for v in (family.amplitude, family.phase))
        np.testing.assert_allclose(episode.query_y, amplitude * np.sin(x - phase), atol=1e-5)


def test_only_the_test_differs_where_it_is_told_to():
    trained = {
        "shape": "damped_sine",
        "amplitude": (1.0, 2.0),
        "phase": (0.0, 1.0),
        "frequency": (2.0, 3.0),
        "noise": 0.1,
        "x_range": (-1.0, 1.0),
    }
    tested = {
        "shape": "sawtooth",
        "amplitude": (4.0, 5.0),
        "phase": (2.0, 3.0),
        "frequency": (5.0, 6.0),
        "noise": 0.2,
        "x_range": (7.0, 8.0),
    }
    for changed in [*([name] for name in tested), list(tested)]:
        problem = maml.TASKS.make(
            "functions", **trained, **{f"test_{name}": tested[name] for name in changed}
        )
        expected = trained | {name: tested[name] for name in changed}
        for family, known in (
            (problem.train, trained),
            (problem.validation, trained),
            (problem.test, expected),
        ):
            assert family.shape == known["shape"] and family.noise == known["noise"]
            for name in ("amplitude", "phase", "frequency"):
                values, (low, high) = getattr(family, name).numpy(), known[name]
                assert low <= values.min() < low + 0.01 and high - 0.01 < values.max() <= high
            x = family.sample(20, SEED).query_x.numpy()
            assert known["x_range"][0] <= x.min() and x.max() <= known["x_range"][1]


def test_functions_that_are_all_one_are_not_mutually_exclusive():
    one = {"amplitude": (1, 1), "phase": (0, 0), "frequency": (1, 1)}
    assert not maml.TASKS.make("functions", **one).mutually_exclusive
    assert maml.TASKS.make("functions", shape="harmonics", **one).mutually_exclusive
    for name, value in (("amplitude", (1, 2)), ("phase", (0, 1)), ("frequency", (1, 2))):
        assert maml.TASKS.make("functions", **{**one, name: value}).mutually_exclusive


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": "cosine"}, "Unknown shape 'cosine': expected one of sine, square"),
        ({"test_shape": "cosine"}, "Unknown shape 'cosine': expected one of sine, square"),
        ({"amplitude": (5, 1)}, r"`amplitude`: expected a range \(low, .*; received \(5, 1\)\."),
        ({"test_phase": (3.0,)}, r"`test_phase`: expected a range .* received \(3\.0,\)\."),
        ({"test_phase": 3.0}, r"`test_phase`: expected a range .* received 3\.0\."),
        ({"frequency": (1, math.nan)}, r"`frequency`: expected a range .* received \(1, nan\)\."),
        ({"x_range": (-5, math.inf)}, r"`x_range`: expected a range .* received \(-5, inf\)\."),
        ({"x_range": (-5, 0, 5)}, r"`x_range`: expected a range .* received \(-5, 0, 5\)\."),
        ({"noise": -0.1}, r"`noise`: expected a finite number, 0 or more; received -0\.1\."),
    ],
)
def test_functions_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        maml.TASKS.make("functions", **options)


@pytest.mark.parametrize("task", ["sinusoid", "functions"])
def test_training_tasks_may_be_few(task):
    few, many = maml.TASKS.make(task, train_tasks=100), maml.TASKS.make(task)
    assert few.train.num_tasks == 100 and many.train.num_tasks == 1_000_000
    np.testing.assert_array_equal(few.test.amplitude, many.test.amplitude)
    assert not np.isin(few.train.amplitude, few.test.amplitude).any()
    assert few.mutually_exclusive and not maml.TASKS.make(task, train_tasks=1).mutually_exclusive
    with pytest.raises(ValueError, match="`train_tasks`: expected a whole number, 0 or more"):
        maml.TASKS.make(task, train_tasks=-1)


@pytest.mark.parametrize("options", [{"shots": 1.5}, {"queries": 2.0}, {"shots": None}])
@pytest.mark.parametrize("task", ["sinusoid", "nme_sinusoid", "clusters", "linear_regression"])
def test_numbers_of_examples_are_whole(task, options):
    """A half of an example was taken for one, or ended in a traceback."""
    ((name, value),) = options.items()
    told = f"`{name}`: expected a whole number, 1 or more; received {value}"
    with pytest.raises(ValueError, match=told):
        maml.TASKS.make(task, **options)

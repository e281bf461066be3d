"""Estimates from arrays: cross-fitting, intervals, reasons for doubt, files."""

import itertools
import json
import math
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from marks import exhaustive

import mine
from mine import benchmarks
from mine.bound_names import BOUNDS
from mine.estimators.training import Pairs, Trainer
from mine.estimators.uncertainty import intervals

ROOT = pathlib.Path(__file__).parent.parent
QUICK = {"steps": 100, "folds": 2, "progress": False}
NORMAL = benchmarks.bivariate_normal(0.8)


# -- estimates ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def normal():
    """Samples of a bivariate normal and the default estimate; no test may change them."""
    x, y = NORMAL.sample(3000, 0)
    return x, y, mine.estimate(x, y, progress=False)


@pytest.mark.slow
def test_estimate_of_a_bivariate_normal(normal):
    found = normal[2]
    assert found.nats == pytest.approx(NORMAL.nats, abs=0.06)
    assert found.interval[0] < NORMAL.nats < found.interval[1] < found.nats + 0.1
    assert found.bound_interval[0] < found.bound_nats < found.bound_interval[1]
    assert found.bound == "mine" and found.samples == 3000 and found.ceiling is None
    assert len(found.curves) == 5 and all(0 < len(curve) <= 15 for curve in found.curves)
    assert not found.warnings


def test_training_that_diverges_is_said_so():
    class Overflowing(keras.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

        def call(self, inputs, training=False):
            return self.scale * tf.exp(200 * (inputs[0] * inputs[1])[..., 0])

    x, y = NORMAL.sample(400, 0)
    with pytest.raises(
        ArithmeticError,
        match="expected finite scores of the critic; received others after 50 steps",
    ):
        mine.estimate(x, y, critic=lambda seed: Overflowing(), **QUICK)


def test_values_too_large_for_float32_are_refused_unless_rescaled():
    x, y = NORMAL.sample(400, 0)
    with pytest.raises(
        ValueError, match="`x`: expected magnitudes up to 1e.18 .* preprocess='rank'"
    ):
        mine.estimate(1e200 * x, y, preprocess="none", **QUICK)
    assert mine.estimate(1e200 * x, y, preprocess="standard", **QUICK).nats > 0.2


def test_second_opinions_come_with_a_critic_unless_declined(normal):
    x, y, found = normal
    assert set(found.second_opinions) == {"ksg", "gaussian"}
    for nats in found.second_opinions.values():
        assert nats == pytest.approx(NORMAL.nats, abs=0.06)
    assert "second opinions: ksg 0." in str(found)
    alone = mine.estimate(x, y, second_opinions=False, **QUICK)
    assert alone.second_opinions == {} and "second" not in str(alone)


@pytest.mark.slow
def test_same_seed_same_estimate():
    x, y = NORMAL.sample(400, 0)
    first, again, other = (mine.estimate(x, y, seed=seed, **QUICK) for seed in (3, 3, 4))
    assert first == again
    assert first.nats != other.nats and first.curves != other.curves


@pytest.mark.slow
@pytest.mark.parametrize("bound", ["mine", "js", *exhaustive("infonce")])
def test_independent_samples_have_no_information(bound):
    x, y = np.random.default_rng(5).normal(size=(2, 2000))
    found = mine.estimate(x, y, bound=bound, batch_size=64, second_opinions=False, progress=False)
    assert abs(found.nats) < 0.02


@pytest.mark.parametrize(
    ("bound", "critic"),
    [
        *itertools.product(BOUNDS, ["concatenated"]),
        *itertools.product(["mine", "infonce"], ["separable", "bilinear", "deepsets"]),
    ],
)
def test_every_bound_and_every_critic_trains(bound, critic):
    """Critics score pairs, or for InfoNCE all pairs of a batch."""
    x, y = benchmarks.bivariate_normal(0.9).sample(400, 6)
    found = mine.estimate(x, y, bound=bound, critic=critic, second_opinions=False, **QUICK)
    assert found.bound == bound and math.isfinite(found.nats)
    assert np.isfinite(found.bound_interval).all() and len(found.curves) == 2
    assert (found.ceiling is None) == (bound != "infonce")
    assert found.nats < benchmarks.bivariate_normal(0.9).nats + 0.3


@pytest.mark.slow
def test_deep_sets_find_the_information_in_a_mean():
    """y is the mean of five standard normal elements plus noise: I = log(1 + 1 / 5 s^2) / 2."""
    rng, noise = np.random.default_rng(7), 0.2
    x = rng.normal(size=(2000, 5, 1))
    y = x.mean(axis=1) + noise * rng.normal(size=(2000, 1))
    truth = 0.5 * math.log1p(1 / (5 * noise**2))
    found = mine.estimate(x, y, critic="deepsets", folds=2, steps=400, progress=False)
    assert truth - 0.3 < found.nats < truth + 0.1
    assert found.second_opinions == {}


def test_samples_that_are_sets_need_deep_sets():
    with pytest.raises(ValueError, match="expected 'deepsets' .* flatten the samples"):
        mine.estimate(np.eye(200).reshape(200, 200, 1)[:, :5], np.arange(200))


@pytest.mark.slow
def test_bound_whose_untrained_value_is_below_zero_still_finds_independence():
    """NWJ of equal scores is -1/e nats, so training has to count from there."""
    x, y = np.random.default_rng(0).standard_normal((2, 1000))
    assert abs(mine.estimate(x, y, bound="nwj", second_opinions=False).nats) < 0.02


@pytest.mark.slow
def test_critic_standardises_what_is_not_preprocessed():
    rng = np.random.default_rng(0)
    x, noise = rng.standard_normal((2, 2000))
    y = 1e-6 * (0.8 * x + 0.6 * noise)
    found = mine.estimate(1e6 * x, y, preprocess="none", second_opinions=False)
    assert found.nats == pytest.approx(-np.log(0.6), abs=0.1)


@pytest.mark.slow
def test_infonce_needs_its_batch_and_a_second_fit_forgets_the_first(tmp_path):
    x, y, more = np.random.default_rng(0).standard_normal((3, 400))
    fitted = mine.MINE(bound="infonce", steps=50, progress=False).fit(x, y)
    with pytest.raises(ValueError, match="at least 120, the batch size of this InfoNCE"):
        mine.MINE(bound="infonce", steps=50, folds=2, progress=False).fit(
            np.tile(x, 4), np.tile(y, 4)
        ).estimate(x[:100], y[:100])
    again = fitted.fit(np.stack([x, more], axis=1), y)
    assert len(again.estimate().curves) == 5
    np.save(tmp_path / "array.npy", x)
    with pytest.raises(ValueError, match="expected a file that mine.MINE.save wrote"):
        mine.MINE.load(tmp_path / "array.npy")


# -- reasons for doubt ----------------------------------------------------------------------------


def equal_scores(n):
    return intervals.Scores(tf.zeros([n]), tf.zeros([16, n]))


def test_nothing_is_warned_of_without_reason():
    for bound in ("mine", "dv", "nwj", "js"):
        assert intervals.warnings(bound, 0.5, 1000, [equal_scores(500)] * 2, 128) == []


def test_warns_near_log_n():
    found = intervals.warnings("mine", math.log(1000) - 1.9, 1000, [equal_scores(500)] * 2, 128)
    assert (
        len(found) == 1
        and "With 1000 samples no bound is reliable near log n = 6.9 nats" in found[0]
    )
    assert not intervals.warnings("mine", math.log(1000) - 2.1, 1000, [equal_scores(500)] * 2, 128)


def test_warns_where_few_negatives_decide():
    marginal = np.zeros((16, 500), np.float32)
    marginal[0, :3] = 20
    (found,) = intervals.warnings(
        "dv", 1.0, 500, [intervals.Scores(tf.zeros([500]), marginal)], 128
    )
    assert "rests on 3 effective negatives" in found


def test_warns_of_smile():
    (found,) = intervals.warnings("smile", 0.5, 500, [equal_scores(500)], 128)
    assert "not a bound, since it clips the normalizer: the value can be too high" in found


@pytest.mark.slow
def test_strong_dependence_in_few_samples_is_warned_of():
    x, noise = np.random.default_rng(8).normal(size=(2, 200))
    found = mine.estimate(x, x + 1e-3 * noise, progress=False)
    assert any("log n = 5.3 nats" in warning for warning in found.warnings)
    assert "warning: With 200 samples no bound" in str(found)


@pytest.mark.slow
def test_info_nce_warns_near_its_ceiling():
    x, noise = np.random.default_rng(9).normal(size=(2, 400))
    found = mine.estimate(x, x + 0.01 * noise, bound="infonce", batch_size=8, **QUICK)
    assert found.bound_nats < found.ceiling < found.nats
    assert found.ceiling == pytest.approx(math.log(8))
    assert math.isinf(found.interval[1])
    assert any("is at most 2.08 nats" in warning for warning in found.warnings)
    assert any("ksg estimate is higher" in warning for warning in found.warnings)


# -- held-out scores ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("bound", ["dv", "nwj"])
def test_intervals_hold_the_information_at_the_best_critic(bound):
    """Of 200 repetitions with 500 held-out pairs, deranged as in training, at least 88 %."""
    rho, n, hits = 0.6, 500, 0
    truth = -0.5 * math.log(1 - rho**2)

    def score(x, y):
        quadratic = (x**2 + y**2) * rho**2 - 2 * rho * x * y
        return truth - quadratic / (2 * (1 - rho**2)) + (bound == "nwj")

    for repetition in range(200):
        x, noise = np.random.default_rng(repetition).normal(size=(2, n))
        y = rho * x + math.sqrt(1 - rho**2) * noise
        marginal = [score(x, np.roll(y, 1 + k * (n // 17))) for k in range(16)]
        scores = intervals.Scores(*(tf.constant(s, tf.float32) for s in (score(x, y), marginal)))
        spread = intervals.replicates(bound, scores, tf.constant([repetition, 0])).numpy()
        low, high = intervals.interval(float(intervals.value(bound, scores)), spread)
        hits += low <= truth <= high
    assert hits >= 0.88 * 200


def test_interval_is_symmetric_and_as_wide_as_the_spread():
    low, high = intervals.interval(1.0, np.array([0.0, 2.0]))
    assert (low, high) == pytest.approx((1 - 1.96 * math.sqrt(2), 1 + 1.96 * math.sqrt(2)))


class Same(keras.layers.Layer):
    """One where x and y are equal, else zero."""

    def build(self, _):
        self.unused = self.add_weight(name="unused", shape=(1,))

    def call(self, inputs):
        x, y = inputs
        return tf.cast(tf.reduce_all(x == y, axis=-1), tf.float32)


@pytest.mark.parametrize(
    ("n", "negatives"), [(2, 1), (3, 2), (7, 6), (17, 16), (100, 1), (100, 16), (10, 40), (2, 8)]
)
def test_no_sample_is_its_own_negative(n, negatives):
    x = np.arange(n, dtype=np.float32)[:, None]
    pairs = Pairs((x,), x)
    trainer = Trainer(Same(), mine.Objective("dv"), keras.optimizers.Adam(), negatives, pairs)
    joint, marginal = trainer.scores(trainer.theta, pairs, negatives)
    np.testing.assert_array_equal(joint, np.ones(n))
    np.testing.assert_array_equal(marginal, np.zeros((negatives, n)))
    np.testing.assert_array_equal(trainer.all_scores(trainer.theta, pairs), np.eye(n))


# -- files ----------------------------------------------------------------------------------------

OTHER_PROCESS = """
import json, sys
import numpy as np
import mine

loaded = mine.MINE.load(sys.argv[1])
new = np.load(sys.argv[2])
estimates = loaded.estimate(), loaded.estimate(new["x"], new["y"])
print(json.dumps([found.to_dict() for found in estimates]))
"""


@pytest.fixture(scope="module")
def fitted():
    """A fitted MINE; no test may fit it again."""
    return mine.MINE(seed=1, **QUICK).fit(*NORMAL.sample(600, 0))


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    """The file of a fitted MINE; no test may change it."""
    path = tmp_path_factory.mktemp("mine") / "fitted.npz"
    fitted.save(path)
    return path


def as_json(estimate):
    return json.loads(json.dumps(estimate.to_dict()))


@pytest.mark.slow
def test_saved_critics_estimate_the_same_in_another_process(fitted, saved, tmp_path):
    x, y = NORMAL.sample(300, 1)
    np.savez(tmp_path / "new.npz", x=x, y=y)
    process = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, saved, tmp_path / "new.npz"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    first, new = json.loads(process.stdout)
    assert first == as_json(fitted.estimate())
    # Sums of float32 on several threads.
    expected = as_json(fitted.estimate(x, y))
    for name in ("nats", "bound_nats", "bound_interval"):
        assert new.pop(name) == pytest.approx(expected.pop(name), rel=1e-5)
    assert new.pop("interval")[1] is expected.pop("interval")[1] is None
    assert new == expected
    assert new["samples"] == 300


def test_a_saved_file_holds_no_pickles_and_stands_alone(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["fitted.npz"]
    with np.load(saved, allow_pickle=False) as file:
        assert {array.dtype.kind for array in dict(file).values()} <= set("fiU")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:100],
        lambda content: b"",
        lambda content: b"tea",
        lambda content: content.replace(b"options", b"opinion"),
    ],
    ids=["half", "start", "empty", "text", "renamed"],
)
def test_damaged_files_are_refused_in_one_sentence(damage, saved, tmp_path):
    path = tmp_path / "damaged.npz"
    path.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(ValueError, match="expected a file that mine.MINE.save wrote") as refused:
        mine.MINE.load(path)
    assert "\n" not in str(refused.value)


def test_files_of_something_else_and_missing_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", tea=np.zeros(3))
    with pytest.raises(ValueError, match="expected a file that mine.MINE.save wrote"):
        mine.MINE.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError, match="missing.npz"):
        mine.MINE.load(tmp_path / "missing.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"shapes": "[[1000000000], [1]]"},
        {"shapes": "[[], [1]]"},
        {"shapes": '["x", "y"]'},
        {"shapes": "[" * 100_000},
        {"table_x": np.array(["tea"])},
        {"table_y": np.full((600, 1), np.nan)},
        {
            "options": json.dumps(
                {"critic": "concatenated", "preprocess": "rank", "folds": 2**31 - 1}
            )
        },
        {"estimate": json.dumps({"curves": [], "interval": "ab", "warnings": [], "nats": None})},
        {"estimate": "[]"},
        {"weights_0_0": np.array(["tea"])},
        {"weights_0_0": np.full(1, np.nan)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_files_made_up_of_parts_that_do_not_fit_are_refused(change, saved, tmp_path):
    with np.load(saved) as file:
        content = dict(file) | change
    if content["weights_0_0"].size == 1 and content["weights_0_0"].dtype.kind == "f":
        with np.load(saved) as file:
            content["weights_0_0"] = np.full_like(file["weights_0_0"], np.nan)
    np.savez(tmp_path / "changed.npz", **content)
    with pytest.raises(ValueError, match="Cannot load .*changed.npz: expected") as refused:
        mine.MINE.load(tmp_path / "changed.npz")
    assert "\n" not in str(refused.value)


def test_a_critic_of_ones_own_is_needed_again_to_load(tmp_path):
    def critic(seed):
        return mine.Concatenated((16,), seed=seed)

    x, y = NORMAL.sample(400, 2)
    fitted = mine.MINE(critic=critic, preprocess="standard", **QUICK).fit(x, y)
    fitted.save(tmp_path / "own.npz")
    with pytest.raises(ValueError, match="Missing argument `critic`"):
        mine.MINE.load(tmp_path / "own.npz")
    loaded = mine.MINE.load(tmp_path / "own.npz", critic=critic)
    assert loaded.estimate() == fitted.estimate()
    assert loaded.estimate(x[:200], y[:200]) == fitted.estimate(x[:200], y[:200])


def test_nothing_is_estimated_or_saved_before_fitting(tmp_path):
    for unfitted in (lambda: mine.MINE().estimate(), lambda: mine.MINE().save(tmp_path / "a.npz")):
        with pytest.raises(ValueError, match=r"call fit\(x, y\) first"):
            unfitted()
    assert not list(tmp_path.iterdir())


def test_samples_of_another_shape_are_refused(fitted):
    with pytest.raises(
        ValueError, match=r"`x`: expected samples of shape \[1\], .* of shape \[2\]"
    ):
        fitted.estimate(*np.hsplit(np.random.default_rng(0).normal(size=(200, 3)), [2]))


def test_new_samples_are_scored_by_every_critic(fitted):
    x, y = NORMAL.sample(2000, 3)
    found = fitted.estimate(x, y)
    assert found.samples == 2000 and found.curves == fitted.estimate().curves
    assert 0.2 < found.nats < NORMAL.nats + 0.05
    assert fitted.estimate(x, np.roll(y, 1, axis=0)).nats < 0

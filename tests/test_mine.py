"""Bounds, critics and conditional information against closed forms and plain numpy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

import mine
from mine import bounds

BOUNDS = {
    "dv": mine.donsker_varadhan,
    "js": mine.jensen_shannon,
    "mine": lambda joint, marginal: mine.mine(joint, marginal, mine.Normalizer.initial())[0],
}


def gaussian_scores(rho, n, rng):
    """The best critic's scores, log p(x, y) / p(x) p(y), on joint and on shuffled pairs."""
    x = rng.standard_normal(n)
    y = rho * x + math.sqrt(1 - rho**2) * rng.standard_normal(n)

    def score(x, y):
        quadratic = (x**2 + y**2) * rho**2 - 2 * rho * x * y
        return -0.5 * math.log(1 - rho**2) - quadratic / (2 * (1 - rho**2))

    return score(x, y).astype(np.float32), score(x, np.roll(y, 1)).astype(np.float32)


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_bounds_are_the_information_at_the_best_critic(name, rho):
    joint, marginal = gaussian_scores(rho, 200_000, np.random.default_rng(0))
    truth = -0.5 * math.log(1 - rho**2)
    assert BOUNDS[name](joint, marginal).nats.numpy() == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("scale", [-200.0, 100.0, 1e4])
def test_values_and_gradients_are_finite_at_extreme_scores(name, scale):
    joint = tf.Variable(tf.linspace(scale, scale + 1, 8))
    marginal = tf.Variable(tf.linspace(-scale, scale, 8))
    with tf.GradientTape() as tape:
        bound = BOUNDS[name](joint + 0.0, marginal + 0.0)
    gradients = tape.gradient(bound.surrogate, [joint, marginal])
    assert np.isfinite([bound.surrogate, bound.nats]).all()
    assert all(np.isfinite(g).all() for g in gradients)


def test_log_mean_exp_matches_scipy():
    scores = np.random.default_rng(1).normal(0, 50, (3, 4, 5)).astype(np.float32)
    expected = special.logsumexp(scores, axis=(0, 2)) - math.log(15)
    np.testing.assert_allclose(bounds.log_mean_exp(scores, axis=(0, 2)), expected, rtol=1e-5)
    whole = special.logsumexp(scores) - math.log(60)
    np.testing.assert_allclose(bounds.log_mean_exp(scores), whole, rtol=1e-5)


def test_jensen_shannon_surrogate_by_hand():
    bound = mine.jensen_shannon(tf.constant([0.0]), tf.constant([math.log(3.0)]))
    assert bound.surrogate.numpy() == pytest.approx(-math.log(2) - math.log(4))
    assert bound.nats.numpy() == pytest.approx(-math.log(3.0))


def test_running_normaliser_is_a_weighted_mean_without_start_up_bias():
    batches, rate = np.array([3.0, -2.0, 5.0, 0.0]), 0.1
    state = mine.Normalizer.initial(tf.float64)
    for index, log_mean in enumerate(batches):
        state = state.update(tf.constant(log_mean, tf.float64), rate)
        weights = rate * (1 - rate) ** np.arange(index, -1, -1)
        expected = np.log(np.average(np.exp(batches[: index + 1]), weights=weights))
        assert state.log_value.numpy() == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="rate"):
        state.update(tf.constant(0.0), 0.0)


def test_mine_divides_its_gradient_by_the_running_mean():
    state = mine.Normalizer.initial().update(tf.constant(2.0), 0.5)
    marginal = tf.Variable([0.5, -1.0, 1.5])
    with tf.GradientTape() as tape:
        bound, after = mine.mine(tf.constant([1.0]), marginal + 0.0, state, rate=0.5)
    mean = np.exp(after.log_value)
    np.testing.assert_allclose(
        tape.gradient(bound.surrogate, marginal), -np.exp(marginal.numpy()) / 3 / mean, rtol=1e-5
    )
    expected = 1.0 - np.log(np.exp(marginal.numpy()).mean())
    assert bound.nats.numpy() == pytest.approx(expected, rel=1e-5)


def test_effective_sample_size_at_its_ends():
    assert mine.effective_sample_size(tf.zeros([2, 5])).numpy() == pytest.approx(10, rel=1e-5)
    assert mine.effective_sample_size(tf.constant([500.0, 0, 0])).numpy() == pytest.approx(1)


def test_plug_in_brackets_the_linear_gaussian_information():
    """y = d + sigma e with normal d and e: I(y; d) = log(1 + 1 / sigma^2) / 2."""
    rng, n, sigma = np.random.default_rng(2), 64, 0.5
    d = rng.standard_normal((n, 2000))
    y = d + sigma * rng.standard_normal(d.shape)
    log_prob = -0.5 * ((y[:, None] - d[None]) / sigma) ** 2 - math.log(sigma * math.sqrt(2 * np.pi))
    lower, upper = (part.numpy().mean() for part in mine.plug_in(log_prob))
    truth = 0.5 * math.log(1 + 1 / sigma**2)
    assert lower < truth < upper
    assert upper - lower < 0.05


def test_plug_in_of_a_model_that_ignores_its_condition_is_zero():
    log_prob = np.repeat(np.random.default_rng(3).normal(size=(8, 1, 10)), 8, axis=1)
    for part in mine.plug_in(log_prob):
        np.testing.assert_allclose(part, 0, atol=1e-12)


def test_plug_in_refuses_what_it_cannot_average():
    with pytest.raises(ValueError, match="n >= 2"):
        mine.plug_in(np.zeros((1, 1, 3)))
    with pytest.raises(ValueError, match="n >= 2"):
        mine.plug_in(np.zeros((4, 3, 3)))


def test_categorical_information_is_exact():
    p = np.array([[[0.5, 0.5, 0.0]], [[0.0, 0.25, 0.75]]])
    with np.errstate(divide="ignore"):
        value = mine.categorical(np.log(p)).numpy()
    expected = special.entr(p.mean(0)).sum(-1) - special.entr(p).sum(-1).mean(0)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    certain = np.log(np.maximum(np.eye(4), 1e-300))
    assert mine.categorical(certain).numpy() == pytest.approx(math.log(4))


def test_standardize_uses_all_it_has_seen_and_only_that():
    layer = mine.Standardize(rate=0.3, dtype="float64")
    x = np.random.default_rng(4).normal([5.0, -1.0], [0.1, 30.0], (500, 2))
    np.testing.assert_array_equal(layer(x), x)  # Nothing seen yet.
    layer(x, training=True)
    np.testing.assert_allclose(layer(x), (x - x.mean(0)) / x.std(0), rtol=1e-6)


def test_capped_scores_keep_small_values_and_order():
    scores = tf.constant([-1e4, -1.0, 0.0, 0.1, 1e4])
    capped = mine.cap(scores).numpy()
    assert np.all(np.diff(capped) > 0)
    assert np.abs(capped).max() <= mine.SCORE_CAP
    assert capped[3] == pytest.approx(0.1, rel=1e-3)


def test_set_encoder_does_not_see_order():
    layer = mine.SetEncoder((8, 4), seed=1)
    x = np.random.default_rng(5).normal(size=(3, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(layer(x), layer(x[:, ::-1]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("critic", ["free", "likelihood"])
def test_trained_critics_find_the_linear_gaussian_information(critic):
    """Held-out Donsker-Varadhan value of critics trained on y = d + sigma e."""
    sigma = 0.5
    truth = 0.5 * math.log(1 + 1 / sigma**2)
    model = mine.Concatenated(seed=3) if critic == "free" else mine.Likelihood(seed=3)

    def score(y, d, training):
        if critic == "free":
            return model([y, d], training=training)
        log_prob = -0.5 * ((y - d)[:, 0] / sigma) ** 2 - math.log(sigma * math.sqrt(2 * math.pi))
        return model(log_prob, [y], training=training)

    def bound(seed, n, training):
        d = tf.random.stateless_normal([n, 1], [seed, 0])
        y = d + sigma * tf.random.stateless_normal([n, 1], [seed, 1])
        return mine.donsker_varadhan(
            score(y, d, training), score(y, tf.roll(d, 1, axis=0), training)
        )

    bound(0, 8, training=False)
    optimizer = keras.optimizers.Adam(3e-3)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(seed):
        with tf.GradientTape() as tape:
            loss = -bound(seed, 512, training=True).surrogate
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    for seed in tf.range(1, 401):
        step(seed)
    held_out = bound(10_000, 20_000, training=False).nats.numpy()
    assert held_out == pytest.approx(truth, abs=0.06)

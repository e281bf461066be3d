"""Bounds, objective, critics and conditional information against closed forms and plain numpy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

import mine
from mine import bounds, critics, objective
from mine.bound_names import PAIRED_BOUNDS

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


@pytest.mark.parametrize("scale", [-200.0, 100.0])
def test_nwj_and_its_gradient_are_finite_at_extreme_scores(scale):
    joint = tf.Variable(tf.linspace(scale, scale + 1, 8))
    marginal = tf.Variable(tf.linspace(-scale, scale, 8))
    with tf.GradientTape() as tape:
        nats = mine.nwj(joint + 0.0, marginal + 0.0).nats
    assert np.isfinite(nats)
    assert all(np.isfinite(g).all() for g in tape.gradient(nats, [joint, marginal]))


@pytest.mark.parametrize("scale", [-200.0, 100.0, 1e4])
def test_smile_and_info_nce_are_finite_at_extreme_scores(scale):
    scores = tf.Variable(tf.reshape(tf.linspace(-scale, scale, 36), [6, 6]))
    assert np.isfinite(mine.smile(*mine.split_pairs(scores + 0.0)))
    with tf.GradientTape() as tape:
        nats = mine.info_nce(scores + 0.0).nats
    assert np.isfinite(nats) and np.isfinite(tape.gradient(nats, scores)).all()


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


def test_nwj_by_hand():
    """Mean of the joint scores, less the mean of exp(T - 1)."""
    bound = mine.nwj(tf.constant([1.0, 4.0]), tf.constant([1.0, 1 + math.log(3.0)]))
    assert bound.nats.numpy() == bound.surrogate.numpy() == pytest.approx(2.5 - (1 + 3) / 2)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_nwj_is_the_information_one_above_the_log_density_ratio(rho):
    joint, marginal = gaussian_scores(rho, 200_000, np.random.default_rng(0))
    truth = -0.5 * math.log(1 - rho**2)
    assert mine.nwj(joint + 1, marginal + 1).nats.numpy() == pytest.approx(truth, abs=0.02)


def test_nwj_is_never_above_donsker_varadhan():
    rng = np.random.default_rng(6)
    for scale in (0.1, 1.0, 3.0):
        joint, marginal = rng.normal(0, scale, (2, 50)).astype(np.float32)
        below, above = mine.nwj(joint, marginal).nats, mine.donsker_varadhan(joint, marginal).nats
        assert below <= above


def test_nwj_goes_on_along_its_tangent():
    marginal = tf.Variable([1 + bounds.LINEAR_FROM, 3 + bounds.LINEAR_FROM])
    with tf.GradientTape() as tape:
        nats = mine.nwj(tf.constant([0.0]), marginal + 0.0).nats
    edge = math.exp(bounds.LINEAR_FROM)
    assert nats.numpy() == pytest.approx(-edge * (1 + 3) / 2, rel=1e-5)
    np.testing.assert_allclose(tape.gradient(nats, marginal), [-edge / 2] * 2, rtol=1e-5)


def test_smile_is_donsker_varadhan_with_clipped_negatives():
    rng = np.random.default_rng(7)
    joint, marginal = rng.normal(0, 4, 40), rng.normal(0, 4, (5, 40))
    for clip in (0.5, 5.0, 100.0):
        expected = joint.mean() - np.log(np.exp(np.clip(marginal, -clip, clip)).mean())
        assert mine.smile(joint, marginal, clip).numpy() == pytest.approx(expected, rel=1e-6)


def test_smile_can_exceed_the_information():
    joint, marginal = gaussian_scores(0.99, 50_000, np.random.default_rng(8))
    assert mine.smile(joint, marginal, clip=0.5) > -0.5 * math.log(1 - 0.99**2) + 0.2


def test_info_nce_is_the_mean_log_softmax_of_the_diagonal():
    scores = np.random.default_rng(9).normal(0, 3, (7, 7))
    terms = np.diag(scores) - np.log(np.exp(scores).mean(axis=1))
    bound = mine.info_nce(scores)
    assert bound.nats.numpy() == bound.surrogate.numpy() == pytest.approx(terms.mean(), rel=1e-12)


def test_info_nce_reaches_its_ceiling_and_no_more():
    for size in (2, 16):
        ceiling = mine.info_nce_ceiling(size)
        assert ceiling == pytest.approx(math.log(size))
        assert mine.info_nce(100.0 * np.eye(size)).nats.numpy() == pytest.approx(ceiling)


def test_info_nce_does_not_see_a_function_of_x():
    scores = np.random.default_rng(10).normal(0, 2, (6, 6))
    shifted = scores + np.arange(6.0)[:, None]
    assert mine.info_nce(shifted).nats.numpy() == pytest.approx(mine.info_nce(scores).nats.numpy())


@pytest.mark.parametrize("size", [2, 3, 7])
def test_split_pairs_leaves_the_diagonal_out_of_the_negatives(size):
    scores = np.arange(size**2, dtype=np.float32).reshape(size, size)
    joint, marginal = mine.split_pairs(scores)
    np.testing.assert_array_equal(joint, np.diag(scores))
    np.testing.assert_array_equal(marginal, scores[~np.eye(size, dtype=bool)])


@pytest.mark.parametrize("split", [mine.info_nce, mine.split_pairs], ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 2, 2)], ids=str)
def test_scores_of_all_pairs_must_be_square(split, shape):
    with pytest.raises(ValueError, match="B, B"):
        split(np.zeros(shape))


def test_split_pairs_needs_two_pairs():
    with pytest.raises(ValueError, match="B >= 2"):
        mine.split_pairs(np.zeros((1, 1)))


def test_running_normalizer_is_a_weighted_mean_without_start_up_bias():
    batches, momentum = np.array([3.0, -2.0, 5.0, 0.0]), 0.9
    state = mine.Normalizer.initial(tf.float64)
    for index, log_mean in enumerate(batches):
        state = state.update(tf.constant(log_mean, tf.float64), momentum)
        weights = (1 - momentum) * momentum ** np.arange(index, -1, -1)
        expected = np.log(np.average(np.exp(batches[: index + 1]), weights=weights))
        assert state.log_value.numpy() == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="momentum"):
        state.update(tf.constant(0.0), 1.0)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999])
def test_momentum_is_one_minus_the_weight_of_the_newest_batch_to_the_last_digit(momentum):
    """Weights of the running means in float32: of momentum, and of the newest batch's weight."""
    rate = round(1 - momentum, 6)
    state = mine.Normalizer(tf.constant(-0.5), tf.constant(-0.25)).update(
        tf.constant(2.0), momentum
    )
    keep, take = math.log1p(-rate) if rate < 1 else -math.inf, math.log(rate)
    for found, old, new in zip(state, (-0.5, -0.25), (2.0, 0.0), strict=True):
        kept, taken = tf.constant(old) + keep, tf.constant(new) + take
        expected = tf.maximum(kept, taken) + tf.math.log1p(tf.exp(-tf.abs(kept - taken)))
        assert found.numpy() == expected.numpy()
    layer = mine.Standardize(momentum=momentum)
    x = np.random.default_rng(0).normal(3.0, 2.0, (50, 2)).astype(np.float32)
    layer(x, training=True)
    assert layer.weight.numpy() == np.float32(rate)
    np.testing.assert_array_equal(layer.first, np.float32(rate) * tf.reduce_mean(x, 0))


def test_mine_divides_its_gradient_by_the_running_mean():
    state = mine.Normalizer.initial().update(tf.constant(2.0), 0.5)
    marginal = tf.Variable([0.5, -1.0, 1.5])
    with tf.GradientTape() as tape:
        bound, after = mine.mine(tf.constant([1.0]), marginal + 0.0, state, momentum=0.5)
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
    layer = mine.Standardize(momentum=0.7, dtype="float64")
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


def test_set_encoder_sees_the_real_elements_only():
    x = np.random.default_rng(5).normal(2, 3, (3, 6, 2)).astype(np.float32)
    mask = np.array([[1, 0, 1, 0, 0, 1], [1, 1, 0, 1, 0, 0], [0, 0, 0, 1, 1, 1]], bool)
    real = tf.constant(x[mask].reshape(3, 3, 2))
    expected, *found = (mine.SetEncoder((8, 4), seed=1) for _ in range(4))
    for _ in range(2):
        values = expected(real, training=True)
        for layer, garbage in zip(found, (0.0, 50.0, np.nan), strict=True):
            padded = tf.constant(np.where(mask[..., None], x, garbage), tf.float32)
            got = layer(padded, training=True, mask=tf.constant(mask))
            np.testing.assert_allclose(got, values, rtol=1e-5, atol=1e-6)


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


# -- objective ------------------------------------------------------------------------------------


@pytest.fixture
def scores():
    """Joint [9] and marginal scores [4, 9]."""
    rng = np.random.default_rng(11)
    return tf.constant(rng.normal(1, 1, 9)), tf.constant(rng.normal(0, 1, (4, 9)))


@pytest.mark.parametrize(
    ("name", "surrogate", "nats"),
    [
        ("dv", mine.donsker_varadhan, mine.donsker_varadhan),
        ("nwj", mine.nwj, mine.nwj),
        ("js", mine.jensen_shannon, mine.donsker_varadhan),
    ],
    ids=["dv", "nwj", "js"],
)
def test_objective_is_the_bound_of_its_name(name, surrogate, nats, scores):
    bound = mine.Objective(name, dtype="float64")(*scores)
    assert bound.surrogate.numpy() == surrogate(*scores).surrogate.numpy()
    assert bound.nats.numpy() == nats(*scores).nats.numpy()
    assert objective.read(name, *scores).numpy() == bound.nats.numpy()


def test_smile_objective_ascends_jensen_shannon_and_reads_smile(scores):
    bound = mine.Objective("smile", dtype="float64")(*scores)
    assert bound.surrogate.numpy() == mine.jensen_shannon(*scores).surrogate.numpy()
    assert bound.nats.numpy() == mine.smile(*scores).numpy()
    assert objective.read("smile", *scores).numpy() == bound.nats.numpy()


def test_mine_objective_keeps_its_running_mean_in_training_only(scores):
    layer = mine.Objective("mine", momentum=0.8, dtype="float64")
    state = mine.Normalizer.initial(tf.float64)
    for shift in (0.0, 2.0, -1.0):
        before = [variable.numpy() for variable in layer.variables]
        batch = (scores[0], scores[1] + shift)
        layer(*batch)
        np.testing.assert_array_equal([v.numpy() for v in layer.variables], before)
        expected, state = mine.mine(*batch, state, 0.8)
        bound = layer(*batch, training=True)
        assert bound.surrogate.numpy() == pytest.approx(expected.surrogate.numpy(), rel=1e-12)
        assert bound.nats.numpy() == mine.donsker_varadhan(*batch).nats.numpy()
    assert layer.log_sum.numpy() == pytest.approx(state.log_sum.numpy(), rel=1e-12)
    assert layer.log_weight.numpy() == pytest.approx(state.log_weight.numpy(), rel=1e-12)


def test_a_batch_that_is_no_number_leaves_the_running_mean_alone(scores):
    layer = mine.Objective("mine", dtype="float64")
    layer(*scores, training=True)
    before = [variable.numpy() for variable in layer.variables]
    layer(scores[0], scores[1] * math.nan, training=True)
    np.testing.assert_array_equal([v.numpy() for v in layer.variables], before)


def test_objective_of_all_pairs_splits_them_or_is_info_nce():
    scores = np.random.default_rng(12).normal(size=(5, 5))
    for name in PAIRED_BOUNDS:
        layer = mine.Objective(name, dtype="float64")
        expected = layer(*mine.split_pairs(scores))
        for found, known in zip(layer.all_pairs(scores), expected, strict=True):
            assert found.numpy() == known.numpy()
    bound = mine.Objective("infonce", dtype="float64").all_pairs(scores)
    assert bound.nats.numpy() == mine.info_nce(scores).nats.numpy()


def test_objective_refuses_what_it_cannot_do(scores):
    with pytest.raises(ValueError, match="`bound`: expected one of mine, dv.*received 'tea'"):
        mine.Objective("tea")
    with pytest.raises(ValueError, match="call `all_pairs`"):
        mine.Objective("infonce")(*scores)


# -- critics --------------------------------------------------------------------------------------


def vectors(n, features):
    return np.random.default_rng(n).normal(1, 2, (n, features)).astype(np.float32)


def stir(critic, inputs):
    """Builds the critic, lets it take moments and gives it random weights."""
    critic(inputs, training=True)
    rng = np.random.default_rng(13)
    for variable in critic.trainable_variables:
        variable.assign(rng.normal(0, 0.1, variable.shape))
    return critic


CRITICS = {
    "concatenated": (mine.Concatenated, vectors(5, 3), vectors(4, 2)),
    "plain": (lambda: mine.Concatenated((8,), quadratic=False), vectors(5, 3), vectors(4, 2)),
    "separable": (mine.Separable, vectors(5, 3), vectors(4, 2)),
    "bilinear": (mine.Bilinear, vectors(5, 3), vectors(4, 2)),
    "deepsets-of-a-set-and-a-vector": (
        lambda: mine.DeepSets([True, False]),
        vectors(30, 3).reshape(5, 6, 3),
        vectors(4, 2),
    ),
    "deepsets-of-two-sets": (
        lambda: mine.DeepSets([True, True]),
        vectors(30, 3).reshape(5, 6, 3),
        vectors(28, 2).reshape(4, 7, 2),
    ),
}


@pytest.mark.parametrize("name", CRITICS)
def test_broadcasting_scores_all_pairs_as_one_by_one(name):
    make, x, y = CRITICS[name]
    critic = stir(make(), [x[:4], y])
    scores = critic([x[:, None], y[None]]).numpy()
    assert scores.shape == (5, 4) and scores.std() > 0.01
    one_by_one = [
        [critic([x[i : i + 1], y[j : j + 1]]).numpy()[0] for j in range(4)] for i in range(5)
    ]
    np.testing.assert_allclose(scores, one_by_one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CRITICS)
def test_scores_stay_under_their_cap(name):
    make, x, y = CRITICS[name]
    scores = stir(make(), [x[:4], y])([1e4 * x[:4], -1e4 * y])
    assert np.abs(scores).max() <= mine.SCORE_CAP


def test_deep_sets_do_not_see_order():
    make, x, y = CRITICS["deepsets-of-two-sets"]
    critic, rng = stir(make(), [x[:4], y]), np.random.default_rng(14)
    shuffled = [x[:4, rng.permutation(6)], y[:, ::-1]]
    assert not np.allclose(critic([x[:4], y]), critic([-x[:4], y]), atol=1e-2)
    np.testing.assert_allclose(critic([x[:4], y]), critic(shuffled), rtol=1e-4, atol=1e-5)


def test_quadratic_form_of_all_inputs_side_by_side():
    x, y = vectors(6, 3), vectors(6, 2)
    critic = mine.Concatenated((4,), cap=math.inf)
    np.testing.assert_array_equal(critic([x, y]), np.zeros(6))
    form = np.random.default_rng(15).normal(size=(5, 5)).astype(np.float32)
    critic.form.assign(form)
    z = np.concatenate([x, y], axis=1)
    np.testing.assert_allclose(critic([x, y]), np.einsum("ni,ij,nj->n", z, form, z), rtol=1e-4)


def test_bilinear_is_a_bilinear_form_of_standardised_inputs():
    x, y = vectors(50, 3), vectors(50, 2)[::-1]
    critic = stir(mine.Bilinear(cap=math.inf), [x, y])
    u, v = ((value - value.mean(0)) / value.std(0) for value in (x, y))
    expected = np.einsum("ni,ij,nj->n", u, critic.kernel.numpy(), v) + critic.bias.numpy()
    np.testing.assert_allclose(critic([x, y]), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("critic", [mine.Separable, mine.Bilinear], ids=lambda c: c.__name__)
def test_critics_of_two_sides_refuse_a_third(critic):
    with pytest.raises(ValueError, match="expected two, x and y; received 3"):
        critic()([vectors(4, 2)] * 3)


@pytest.mark.parametrize(("features", "units"), [((1, 1), 64), ((2, 5), 64), ((6, 1), 128)])
def test_default_hidden_layers_grow_with_the_largest_input(features, units):
    assert critics.default_hidden(features) == (units, units)
    critic = mine.Concatenated()
    critic([vectors(3, size) for size in features])
    assert critic.kernel.shape == (sum(features), units)
    assert [block.kernel.shape for block in critic.blocks] == [(units, units), (units, 1)]


@pytest.mark.parametrize("name", ["concatenated", "bilinear", "deepsets-of-two-sets"])
def test_critics_that_start_at_zero_scores(name):
    make, x, y = CRITICS[name]
    np.testing.assert_array_equal(make()([x[:4], y]), np.zeros(4))

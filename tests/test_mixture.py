"""Mixtures over samples, by hand and by quadrature."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, special, stats

import maml

SEED = tf.constant([5, 7])
RNG = np.random.default_rng(0)
LOCATION = RNG.normal(size=(3, 2, 4, 2))
SCALE = RNG.uniform(0.2, 2, LOCATION.shape)
LOG_WEIGHTS = RNG.normal(size=(3, 2, 1))
WEIGHTS = special.softmax(LOG_WEIGHTS, axis=0)


def gaussians(log_weights=None):
    return maml.Mixture(maml.Gaussian(tf.constant(LOCATION), tf.constant(SCALE)), log_weights)


def test_the_density_is_the_weighted_mean_of_the_parts_densities():
    y = RNG.normal(size=(2, 4, 2))
    each = stats.norm(LOCATION, SCALE).pdf(y).prod(-1)
    np.testing.assert_allclose(gaussians().log_prob(y), np.log(each.mean(0)), rtol=1e-12)
    weighted = (WEIGHTS * each).sum(0)
    found = gaussians(tf.constant(LOG_WEIGHTS + 7)).log_prob(y)
    np.testing.assert_allclose(found, np.log(weighted), rtol=1e-12)


def test_labels_with_more_axes_broadcast_as_the_diagnosis_asks():
    y = RNG.normal(size=(5, 2, 4, 2))
    mixture = gaussians(tf.constant(LOG_WEIGHTS))
    each = np.stack([mixture.log_prob(one) for one in y])
    np.testing.assert_allclose(mixture.log_prob(y), each, rtol=1e-12)
    assert mixture.cdf(y).shape == y.shape


def test_moments_and_cdf_match_quadrature():
    location, scale = np.array([-1.0, 2.0, 2.5]), np.array([0.3, 1.0, 0.1])
    parts = maml.Gaussian(tf.constant(location[:, None]), tf.constant(scale[:, None]))
    mixture = maml.Mixture(parts, tf.math.log(tf.constant([0.2, 0.5, 0.3], tf.float64)))
    grid = np.linspace(-12, 13, 200_001)
    density = stats.norm(location, scale).pdf(grid[:, None]) @ [0.2, 0.5, 0.3]
    mean = integrate.trapezoid(grid * density, grid)
    deviation = np.sqrt(integrate.trapezoid((grid - mean) ** 2 * density, grid))
    np.testing.assert_allclose(mixture.mean(), [mean], rtol=1e-8)
    np.testing.assert_allclose(mixture.standard_deviation(), [deviation], rtol=1e-8)
    np.testing.assert_allclose(mixture.critic_features(), [mean, deviation], rtol=1e-8)
    below = integrate.trapezoid(density[grid <= 1.0], grid[grid <= 1.0])
    np.testing.assert_allclose(mixture.cdf(np.array([1.0])), [below], rtol=1e-6)


def test_the_mode_is_the_densest_of_the_parts_modes():
    # The heaviest part is wide; the narrow one of little weight is denser.
    parts = maml.Gaussian(tf.constant([[[0.0]], [[3.0]]]), tf.constant([[[10.0]], [[0.1]]]))
    mixture = maml.Mixture(parts, tf.math.log([[0.8], [0.2]]))
    np.testing.assert_array_equal(mixture.mode(), [[3.0]])


def test_samples_have_the_mixtures_distribution():
    many = tf.ones([1, 20_000, 1])
    location = tf.concat([-2 * many, 3 * many], axis=0)
    mixture = maml.Mixture(maml.Normal(location, 0.5), tf.math.log([[0.3], [0.7]]))
    drawn = mixture.sample(SEED).numpy()[:, 0]

    def cdf(y):
        return 0.3 * stats.norm(-2, 0.5).cdf(y) + 0.7 * stats.norm(3, 0.5).cdf(y)

    assert stats.kstest(drawn, cdf).pvalue > 1e-3


@pytest.mark.parametrize("kind", [maml.Categorical, lambda logits: maml.Circular(logits, 10.0)])
def test_classes_and_circles_mix_into_their_own_kind(kind):
    logits = RNG.normal(size=(3, 2, 5))
    probabilities = np.einsum("s,sbk->bk", [0.2, 0.5, 0.3], special.softmax(logits, axis=-1))
    weights = np.log([[0.2], [0.5], [0.3]])
    mixed = maml.mix(kind(tf.constant(logits)), tf.constant(weights))
    assert type(mixed) is type(kind(tf.constant(logits)))
    expected = kind(np.log(probabilities)).critic_features()
    np.testing.assert_allclose(mixed.critic_features(), expected, rtol=1e-9)
    equal = maml.mix(kind(tf.constant(logits)))
    singles = [kind(tf.constant(part)) for part in logits]
    expected = maml.mix(singles).critic_features()
    np.testing.assert_allclose(equal.critic_features(), expected, rtol=1e-9)


def test_normal_distributions_of_a_list_keep_their_own_scales():
    parts = [maml.Normal(tf.constant([[0.0]], tf.float64), scale) for scale in (0.3, 2.0)]
    expected = np.log(np.mean([stats.norm(0, scale).pdf(1.5) for scale in (0.3, 2.0)]))
    found = maml.mix(parts).log_prob(tf.constant([[1.5]], tf.float64))
    np.testing.assert_allclose(found, [expected], rtol=1e-9)


def test_one_part_is_that_part_and_has_its_loss():
    head = maml.NormalHead(dim=2, scale=0.3)
    part = maml.Normal(tf.constant(LOCATION[0]), 0.3)
    alone = maml.mix(maml.Normal(tf.constant(LOCATION[:1]), 0.3))
    y = tf.constant(RNG.normal(size=(2, 4, 2)))
    np.testing.assert_allclose(alone.log_prob(y), part.log_prob(y), rtol=1e-12)
    np.testing.assert_allclose(head.loss(alone, y), head.loss(part, y), rtol=1e-9)
    np.testing.assert_array_equal(alone.sample(SEED).shape, part.sample(SEED).shape)


def test_gradients_reach_all_parts_and_weights():
    values = [tf.Variable(LOCATION), tf.Variable(SCALE), tf.Variable(LOG_WEIGHTS)]
    y = RNG.normal(size=(2, 4, 2))

    def nats():
        parts = maml.Gaussian(values[0], values[1])
        return tf.reduce_sum(maml.Mixture(parts, values[2]).log_prob(y))

    with tf.GradientTape() as tape:
        value = nats()
    for variable, gradient in zip(values, tape.gradient(value, values), strict=True):
        moved = RNG.normal(size=variable.shape)
        variable.assign_add(1e-6 * moved)
        up = nats()
        variable.assign_sub(2e-6 * moved)
        down = nats()
        variable.assign_add(1e-6 * moved)
        expected = np.sum(gradient * moved)
        np.testing.assert_allclose((up - down) / 2e-6, expected, rtol=1e-6)

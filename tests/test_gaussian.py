"""Regression with a learned variance."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from toys import Lines, finite_differences, learner

import maml

SEED = tf.constant([5, 7])


def test_log_prob_matches_scipy():
    rng = np.random.default_rng(0)
    y, location = rng.normal(size=(2, 7, 3))
    scale = rng.uniform(0.1, 3, (7, 3))
    found = maml.Gaussian(tf.constant(location), tf.constant(scale)).log_prob(tf.constant(y))
    np.testing.assert_allclose(found, stats.norm(location, scale).logpdf(y).sum(-1), rtol=1e-12)


def test_outputs_are_the_mean_and_the_scale_of_garnelo_et_al():
    outputs = np.array([[1.0, -2.0, 0.5, -40.0]])
    prediction = maml.GaussianHead(dim=2)(tf.constant(outputs))
    np.testing.assert_array_equal(prediction.mean(), [[1.0, -2.0]])
    expected = 0.1 + 0.9 * np.log1p(np.exp([[0.5, -40.0]]))
    np.testing.assert_allclose(prediction.standard_deviation(), expected, rtol=1e-12)
    other = maml.GaussianHead(min_scale=2.0, softplus_scale=3.0)(tf.constant([[0.0, 0.0]]))
    np.testing.assert_allclose(other.standard_deviation(), [[2 + 3 * np.log(2)]], rtol=1e-6)


def test_samples_have_mean_and_variance():
    many = tf.ones([40_000, 1])
    samples = maml.Gaussian(3 * many, 0.5 * many).sample(SEED).numpy()[:, 0]
    assert stats.kstest(samples, stats.norm(3, 0.5).cdf).pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["maml", "relative-cnp"])
def test_meta_gradient_equals_finite_differences(kind):
    episode = Lines(dtype=tf.float64).sample(3, SEED)
    model = learner(kind, maml.GaussianHead(), 9, dtype="float64")
    model.create_weights(episode)

    def objective():
        return model.objective(episode, SEED, training=True)[0]

    with tf.GradientTape() as tape:
        value = objective()
    found = tape.gradient(value, model.learner_variables, unconnected_gradients="zero")
    expected = finite_differences(objective, model.learner_variables)
    size = max(np.abs(e).max() for e in expected)
    for gradient, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=0, atol=1e-6 * size)


def test_critics_see_both_and_their_noise_has_no_gradient():
    location, scale = tf.Variable([[1.0, 2.0]]), tf.Variable([[0.5, 1.5]])
    with tf.GradientTape(persistent=True) as tape:
        prediction = maml.Gaussian(location, scale)
        features, noise = prediction.critic_features(), prediction.critic_noise + 0.0 * location
    np.testing.assert_array_equal(features, [[1.0, 2.0, 0.5, 1.5]])
    np.testing.assert_array_equal(tape.gradient(features, scale), [[1.0, 1.0]])
    assert float(prediction.critic_noise) == 1.0
    assert tape.gradient(noise, scale) is None


def test_relative_labels_move_the_mean_only():
    head, y = maml.GaussianHead(dim=2), tf.constant([[10.0, 20.0]])
    prediction = head(head.relative(tf.constant([[1.0, 2.0, 0.3, -0.3]]), y))
    np.testing.assert_allclose(prediction.mean(), [[11.0, 22.0]])
    still = head(tf.constant([[1.0, 2.0, 0.3, -0.3]])).standard_deviation()
    np.testing.assert_array_equal(prediction.standard_deviation(), still)


@pytest.mark.slow
@pytest.mark.parametrize("term", [maml.LabelMI, maml.PredictionMI])
def test_it_trains_with_the_information_terms_and_learns_where_it_errs(term):
    model = learner("cnp", maml.GaussianHead(), 9, [term(maml.LabelScale(), weight=0.1)])
    model.compile("adam", jit_compile=False)
    history = model.fit(Lines(), batch_size=8, steps=200, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all() and history["task_loss"][1] < history["task_loss"][0]


@pytest.mark.parametrize("options", [{"min_scale": 0.0}, {"min_scale": 1.0}])
def test_scales_that_are_not_positive_are_refused(options):
    with pytest.raises(ValueError, match="expected a (positive|finite) number"):
        maml.GaussianHead(**options)


def test_it_is_registered_and_saved(tmp_path):
    head = maml.HEADS.make("gaussian", min_scale=0.2, dim=1)
    model, episode = learner("cnp", head, 9), Lines().sample(3, SEED)
    model.create_weights(episode)
    maml.save(model, tmp_path / "model.keras")
    loaded = maml.load(tmp_path / "model.keras")
    assert loaded.head.min_scale == 0.2
    np.testing.assert_array_equal(loaded(episode), model(episode))

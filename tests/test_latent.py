"""Neural processes with a latent variable: the CNP they contain, their bound and their mixture."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats
from toys import Lines, perceptron

import maml
from maml.learners.probabilistic.latent import Latent

SEED = tf.constant([3, 1])
EPISODE = Lines(shots=4, dtype=tf.float64).sample(3, SEED)
SIZES = {"hidden": (7,), "dim_r": 6, "dim_z": 4, "dtype": "float64", "initializer_seed": 2}
SMALL = SIZES | {"dim_latent": 2, "num_samples": 3}


def made(kind, **options):
    embedding, head = perceptron(9, 6, dtype="float64"), maml.GaussianHead()
    model = kind(embedding, head, **options)
    model.create_weights(EPISODE)
    return model


def embedded(model, episode=EPISODE):
    return episode._replace(
        support_x=model.features(episode.support_x), query_x=model.features(episode.query_x)
    )


def test_divergence_of_latent_variables_is_the_integral():
    rng = np.random.default_rng(0)
    ours, other = (Latent(rng.normal(size=2), rng.uniform(0.2, 1, size=2)) for _ in range(2))
    expected = 0
    for one, two in zip(zip(*ours, strict=True), zip(*other, strict=True), strict=True):
        p, q = stats.norm(*one), stats.norm(*two)
        ratio = lambda z, p=p, q=q: p.pdf(z) * (p.logpdf(z) - q.logpdf(z))  # noqa: E731
        expected += integrate.quad(ratio, one[0] - 9 * one[1], one[0] + 9 * one[1])[0]
    np.testing.assert_allclose(ours.kl(other), expected, rtol=1e-6)
    np.testing.assert_allclose(ours.kl(ours), 0, atol=1e-12)


def test_divergences_are_finite_whatever_a_network_gives():
    outputs = tf.constant([[3.0, -1e4], [-1e3, 1e4], [0.0, -2.0]])
    latent = Latent.of_any_width(outputs)
    np.testing.assert_allclose(latent.sigma[2], np.exp(-1), rtol=1e-6)
    ours, others = (Latent(*(tf.expand_dims(part, axis) for part in latent)) for axis in (0, 1))
    divergence = ours.kl(others).numpy()
    assert np.isfinite(divergence).all() and (divergence >= 0).all()
    np.testing.assert_allclose(np.diag(divergence), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "plain"), [(maml.LatentNP, maml.CNP), (maml.AttentiveLatentNP, maml.AttentiveCNP)]
)
def test_without_a_latent_variable_it_is_the_conditional_neural_process(kind, plain):
    model, expected = made(kind, dim_latent=0, **SIZES), made(plain, **SIZES)
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for training in (False, True):
        loss, prediction = model.task_loss(embedded(model), training)
        known, same = expected.task_loss(embedded(expected), training)
        np.testing.assert_allclose(loss, known, rtol=1e-12)
        np.testing.assert_allclose(prediction.mean(), same.mean(), rtol=1e-12)
        y = EPISODE.query_y
        np.testing.assert_allclose(prediction.log_prob(y), same.log_prob(y), rtol=1e-12)


def by_hand(layers, x, last=True):
    """``x`` after dense layers, rectified but for the last."""
    for index, layer in enumerate(layers):
        kernel, bias = (part.numpy() for part in (layer.kernel, layer.bias))
        x = x @ kernel + bias
        x = x if last and index == len(layers) - 1 else np.maximum(x, 0)
    return x


def latent_by_hand(model, x, y):
    """Mean and standard deviation of q(z | D), D the examples of one task."""
    pairs = np.concatenate([x, by_hand([model.lift], y)], axis=1)
    of_elements = by_hand(model.statistic.of_elements, pairs, last=False)
    pooled = np.append(of_elements.mean(axis=0), np.log(1 + len(x)))
    mean, raw = np.split(by_hand(model.statistic.of_sets, pooled), 2)
    return mean, 0.1 + 0.9 / (1 + np.exp(-raw))


@pytest.mark.parametrize("deterministic", [True, False])
def test_training_loss_is_the_bound_by_hand_and_the_prediction_a_mixture(deterministic):
    model = made(maml.LatentNP, deterministic=deterministic, **SMALL)
    x, y, query_x, query_y = (part.numpy() for part in embedded(model))
    kind = {"dtype": tf.float64}
    noise = [
        tf.random.stateless_normal(shape, maml.core.episodes.fold_in(model.noise_seed, use), **kind)
        for use, shape in enumerate(([3, 1, 2], [3, 3, 2]))
    ]
    bounds, densities, means = [], [], []
    for task in range(3):
        mean, sigma = latent_by_hand(model, x[task], y[task])
        both = np.concatenate([x[task], query_x[task]]), np.concatenate([y[task], query_y[task]])
        all_mean, all_sigma = latent_by_hand(model, *both)

        def density(z, task=task):
            context = z
            if deterministic:
                labels = by_hand([model.lift], y[task])
                r = by_hand(model.encoder, np.concatenate([x[task], labels], 1)).mean(axis=0)
                context = np.concatenate([by_hand([model.project], r), z])
            context = np.tile(context, (len(query_x[task]), 1))
            location, raw = np.split(
                by_hand(model.decoder, np.concatenate([context, query_x[task]], 1)), 2, axis=1
            )
            q = stats.norm(location, 0.1 + 0.9 * np.log1p(np.exp(raw)))
            return q.logpdf(query_y[task])[:, 0], location

        likelihood = np.mean(
            [density(all_mean + all_sigma * e)[0].sum() for e in noise[1][:, task].numpy()]
        )
        kl = np.sum(
            np.log(sigma / all_sigma)
            + (all_sigma**2 + (all_mean - mean) ** 2) / (2 * sigma**2)
            - 0.5
        )
        bounds.append((likelihood - kl) / len(query_x[task]))
        drawn = [density(mean + sigma * e) for e in noise[0][:, 0].numpy()]
        densities.append(np.log(np.mean(np.exp([log for log, _ in drawn]), axis=0)))
        means.append(np.mean([location for _, location in drawn], axis=0))
    loss, prediction = model.task_loss(embedded(model), training=True)
    np.testing.assert_allclose(loss, -np.mean(bounds), rtol=1e-9)
    np.testing.assert_allclose(prediction.log_prob(query_y), densities, rtol=1e-9)
    np.testing.assert_allclose(prediction.mean(), means, rtol=1e-9)
    # Outside of training it is the mixture that is scored.
    held_out, _ = model.task_loss(embedded(model))
    np.testing.assert_allclose(held_out, -np.mean(densities), rtol=1e-9)


def test_padding_changes_no_bound():
    model = made(maml.LatentNP, **SMALL)
    real = tf.constant([[True, True, False, True]] * 3)
    x, y = (tf.where(real[..., tf.newaxis], part, 3.0) for part in EPISODE[:2])
    found = maml.PaddedEpisode(x, y, *EPISODE[2:], real)
    shots = EPISODE._replace(**{
        name: tf.gather(part, [0, 1, 3], axis=1)
        for name, part in zip(("support_x", "support_y"), (x, y), strict=True)
    })  # fmt: skip
    losses = [model.task_loss(embedded(model, e), training=True)[0] for e in (found, shots)]
    np.testing.assert_allclose(*losses, rtol=1e-9)


def test_noise_is_that_of_the_step_in_training_and_always_the_same_elsewhere():
    model = made(maml.LatentNP, **SMALL)
    values = [
        [float(model.objective(EPISODE, [0, seed], training)[0]) for seed in (1, 1, 2)]
        for training in (True, False)
    ]
    assert values[0][0] == values[0][1] != values[0][2]
    assert values[1][0] == values[1][1] == values[1][2]
    state = model.adapt(EPISODE.support_x, EPISODE.support_y)
    same = model.decode(state, model.features(EPISODE.query_x)).mean()
    np.testing.assert_array_equal(same, model(EPISODE))


@pytest.mark.parametrize(
    "head", [maml.CategoricalHead(2), maml.CircularHead(3.0, 5), maml.NormalHead()]
)
def test_predictions_stay_of_the_kind_that_heads_and_metrics_know(head):
    model = maml.LatentNP(perceptron(9, 6), head, **SMALL | {"dtype": "float32"})
    x, _, query_x, _ = (tf.cast(part, tf.float32) for part in EPISODE)
    y = tf.one_hot(tf.zeros([3, 4], tf.int32), 2) if head.label_dim == 2 else x[..., :1]
    prediction = model.predict_distribution(x, y, query_x)
    expected = {"CategoricalHead": "Categorical", "CircularHead": "Circular"}
    assert type(prediction).__name__ == expected.get(type(head).__name__, "Mixture")
    assert np.isfinite(prediction.log_prob(y[:, :3])).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim_latent": -1}, "`dim_latent`: expected a whole number, 0 or more; received -1"),
        ({"dim_latent": 1.5}, "`dim_latent`: expected a whole number, 0 or more; received 1.5"),
        ({"dim_latent": "3"}, "`dim_latent`: expected a whole number, 0 or more; received '3'"),
        ({"num_samples": None}, "`num_samples`: expected a whole number, 1 or more; received None"),
        ({"deterministic": "no"}, "`deterministic`: expected True or False; received 'no'"),
        ({"hidden": ("5",)}, "`hidden`: expected a whole number, 1 or more; received '5'"),
        ({"num_samples": 0}, "`num_samples`: expected a whole number, 1 or more; received 0"),
        ({"dim_latent": 0, "deterministic": False}, "the decoder would not depend on"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made(maml.LatentNP, **SIZES | options)


def test_one_hidden_layer_may_be_a_number():
    assert made(maml.LatentNP, **SIZES | {"hidden": 6}).hidden == (6,)

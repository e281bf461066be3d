"""The Neural Statistician: its bound and its answers by hand, and what labels tell it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from test_latent import by_hand
from toys import perceptron

import maml
from maml import testing
from maml.nn.convolutions import convolutional_networks, image_decoder

SIZES = {"hidden": (7,), "dim_c": 3, "dim_z": 2, "dtype": "float64", "initializer_seed": 2}


def clusters():
    """Three classes of two shots and one query each, of two tasks."""
    rng = np.random.default_rng(0)
    label = np.tile(np.eye(3), (2, 3, 1))
    x = rng.normal(size=(2, 9, 4)) + label @ rng.normal(size=(2, 3, 4))
    return maml.Episode(*(tf.constant(p) for p in (x[:, :6], label[:, :6], x[:, 6:], label[:, 6:])))


EPISODE = clusters()


def made():
    model = maml.NeuralStatistician(
        perceptron(4, 5, dtype="float64"), maml.CategoricalHead(3), **SIZES
    )
    model.create_weights(EPISODE)
    return model


@pytest.fixture
def quiet(monkeypatch):
    """Without noise, and with all examples of a class in its statistic."""
    kind = maml.NeuralStatistician
    monkeypatch.setattr(kind, "_noise", lambda self, shape, use: tf.zeros(shape, tf.float64))
    monkeypatch.setattr(kind, "_part_of", lambda self, members: members)


def latent_by_hand(layers, x):
    mean, raw = np.split(by_hand(layers, x), 2)
    return mean, np.exp(raw / 2)


def statistic_by_hand(model, features):
    elements = by_hand(model.statistic.of_elements, features, last=False)
    pooled = np.append(elements.mean(axis=0), np.log(1 + len(features)))
    return latent_by_hand(model.statistic.of_sets, pooled)


def kl(mean, sigma, other, scale):
    terms = np.log(scale / sigma) + (sigma**2 + (mean - other) ** 2) / (2 * scale**2) - 0.5
    return terms.sum()


def test_logits_are_divergences_of_the_statistics_of_the_classes_from_the_querys():
    model = made()
    features, queries = (model.represent(part).numpy() for part in EPISODE[::2])
    shown = model.predict_distribution(*EPISODE[:3])
    for task in range(2):
        for index, query in enumerate(queries[task]):
            own = statistic_by_hand(model, query[np.newaxis])
            logits = np.array(
                [-kl(*statistic_by_hand(model, features[task][k::3]), *own) for k in range(3)]
            )
            expected = logits - np.log(np.exp(logits).sum())
            np.testing.assert_allclose(shown.log_probabilities[task, index], expected, rtol=1e-7)


def test_training_loss_is_the_bound_by_hand(monkeypatch):
    monkeypatch.setattr(maml.NeuralStatistician, "_part_of", lambda self, members: members)
    model = made()
    noise = [model._noise(shape, use).numpy() for use, shape in enumerate(([2, 3, 3], [2, 9, 2]))]
    x = np.concatenate([EPISODE.support_x, EPISODE.query_x], axis=1)
    features = model.represent(x).numpy()
    bounds = np.zeros(2)
    for task in range(2):
        for k in range(3):
            mean, sigma = statistic_by_hand(model, features[task][k::3])
            bounds[task] -= kl(mean, sigma, 0, 1)
            c = mean + sigma * noise[0][task, k]
            prior = latent_by_hand(model.prior_of_z, c)
            for index in range(k, 9, 3):
                posterior = latent_by_hand(
                    model.posterior_of_z, np.append(features[task, index], c)
                )
                z = posterior[0] + posterior[1] * noise[1][task, index]
                location, raw = np.split(by_hand(model.decoder, np.append(c, z)), 2)
                q = stats.norm(location, 0.1 + 0.9 * np.log1p(np.exp(raw)))
                bounds[task] += q.logpdf(x[task, index]).sum() - kl(*posterior, *prior)
    loss, _ = model.task_loss(EPISODE, training=True)
    np.testing.assert_allclose(loss, -np.mean(bounds) / 9, rtol=1e-8)


def test_labels_say_which_examples_are_of_one_class_and_nothing_else(quiet):
    model = made()
    loss, _ = model.task_loss(EPISODE, training=True)
    order = [2, 0, 1]
    renamed = EPISODE._replace(
        support_y=tf.gather(EPISODE.support_y, order, axis=2),
        query_y=tf.gather(EPISODE.query_y, order, axis=2),
    )
    np.testing.assert_allclose(model.task_loss(renamed, training=True)[0], loss, rtol=1e-12)
    moved = EPISODE._replace(query_y=tf.roll(EPISODE.query_y, 1, axis=1))
    assert abs(model.task_loss(moved, training=True)[0] - loss) > 1e-6


def test_neither_padding_nor_a_class_without_examples_changes_the_bound(quiet):
    model = made()
    # Without the third class, and the fourth shot, which is of the first.
    chosen = EPISODE._replace(
        **{n: tf.gather(getattr(EPISODE, n), [0, 1, 4], axis=1) for n in EPISODE._fields[:2]},
        **{n: getattr(EPISODE, n)[:, :2] for n in EPISODE._fields[2:]},
    )
    mask = tf.constant([[True, True, False, False, True, False]] * 2)
    padded = maml.PaddedEpisode(*EPISODE[:2], *chosen[2:], mask)
    losses = [model.task_loss(e, training=True)[0] for e in (padded, chosen)]
    np.testing.assert_allclose(*losses, rtol=1e-12)
    state = model.encode_episode(chosen)
    features = model.represent(chosen.support_x)[0].numpy()
    total = sum(
        np.sum(0.5 * (m**2 + s**2 - 1) - np.log(s))
        for m, s in (statistic_by_hand(model, features[of]) for of in ([0], [1, 2]))
    )  # Prior divergences of the two classes alone.
    known = [np.sum(0.5 * (m**2 + s**2 - 1) - np.log(s)) for m, s in zip(*state, strict=True)]
    assert total > 0 and np.isfinite(known).all()


def test_a_statistic_sees_a_random_part_of_a_class_never_nothing():
    model = made()
    members = np.zeros([500, 3, 8])
    members[:, 0, :5], members[:, 1, 5] = 1, 1
    part = model._part_of(tf.constant(members)).numpy()
    assert ((part == 0) | (part == 1)).all() and (part <= members).all()
    sizes = part.sum(axis=2)
    assert (sizes[:, 1] == 1).all() and (sizes[:, 2] == 0).all()
    counts = np.bincount(sizes[:, 0].astype(int), minlength=6)
    # A share is uniform, so is the number of examples below it: 0 to 5, and 1 for 0.
    expected = 500 * np.array([2, 1, 1, 1, 1]) / 6
    assert counts[0] == 0 and stats.chisquare(counts[1:], expected).pvalue > 1e-3


def test_images_are_bernoulli_pixels_of_any_size():
    networks = convolutional_networks((10, 9, 1), filters=4, pooling=False)
    model = maml.make_learner(
        "neural_statistician", networks, maml.CategoricalHead(3), hidden=(6,), dim_c=3, dim_z=2
    )
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(2, 4, 5)).astype(np.float32)
    pixels = rng.uniform(size=(2, 4, 10, 9, 1)).astype(np.float32)
    logits = model.decoder[0](codes.reshape(-1, 5)).numpy().reshape(2, 4, 10, 9, 1)
    p = 1 / (1 + np.exp(-logits.astype(float)))
    expected = pixels * np.log(p) + (1 - pixels) * np.log(1 - p)
    found = model.log_likelihood(tf.constant(codes), tf.constant(pixels))
    np.testing.assert_allclose(found, expected.sum(axis=(2, 3, 4)), rtol=1e-4)
    float64 = keras.DTypePolicy("float64")
    for shape in [(1, 1, 3), (28, 28, 1), (7, 6, 2)]:
        decoder = image_decoder(5, shape, 4, 0, float64)
        assert decoder(np.ones([2, 5])).shape == (2, *shape)
        assert decoder(np.ones([2, 5])).dtype == tf.float64


@pytest.mark.slow
def test_a_statistician_of_images_keeps_the_contract():
    networks = convolutional_networks((10, 9, 1), filters=4, pooling=False, normalization="layer")
    learner = maml.make_learner(
        "neural_statistician", networks, maml.CategoricalHead(3), hidden=(6,), dim_c=3, dim_z=2
    )
    testing.check_learner(learner, input_shape=(10, 9, 1))


def test_other_heads_and_sizes_are_refused():
    with pytest.raises(ValueError, match="expects a CategoricalHead"):
        maml.NeuralStatistician(perceptron(4, 5), maml.NormalHead())
    with pytest.raises(ValueError, match="`dim_c`: expected a whole number, 1 or more; received 0"):
        maml.NeuralStatistician(perceptron(4, 5), maml.CategoricalHead(3), dim_c=0)
    assert maml.NeuralStatistician(perceptron(4, 5), maml.CategoricalHead(3), 7).hidden == (7,)

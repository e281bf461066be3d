"""MetaMix and MLTI: what is mixed with what, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from toys import Lines, perceptron

import maml
from maml.core.episodes import fold_in
from maml.regularizers.metamix import MetaMix
from maml.regularizers.mlti import MLTI

SEED = tf.constant([3, 1])


def episodes_of_classes(tasks=3, ways=3, shots=2, queries=2):
    """Batches of vectors and one-hot labels, in another order in each task."""
    rng = np.random.default_rng(0)
    parts = []
    for count in (shots, queries):
        every = np.repeat(np.arange(ways), count)
        labels = np.stack([rng.permutation(every) for _ in range(tasks)])
        parts += [rng.normal(size=(tasks, ways * count, 4)), np.eye(ways)[labels]]
    return maml.Episode(*(tf.constant(part, tf.float32) for part in parts))


def padded(episode, sizes):
    mask = tf.sequence_mask(sizes, episode.support_y.shape[1])
    x, y = (tf.where(mask[..., None], part, 99.0) for part in episode[:2])
    return maml.PaddedEpisode(x, y, *episode[2:], mask)


@pytest.mark.parametrize("kind", [MetaMix, MLTI])
@pytest.mark.parametrize("episode", [Lines().sample(3, SEED), episodes_of_classes()])
def test_a_weight_of_one_is_the_identity(kind, episode):
    found = kind().interpolated(episode, tf.ones([3]), SEED)
    for part, own in zip(found, episode, strict=True):
        np.testing.assert_array_equal(part, own)


@pytest.mark.parametrize("kind", [MetaMix, MLTI])
def test_weights_are_of_the_beta_distribution_and_of_the_seed(kind, monkeypatch):
    weights = []

    def interpolated(self, episode, weight, seed):
        weights.append(weight)
        return episode

    monkeypatch.setattr(kind, "interpolated", interpolated)
    episode = Lines(shots=1, queries=1).sample(2000, SEED)
    for seed in (SEED, SEED, fold_in(SEED, 1)):
        kind(alpha=0.5).augment(episode, seed)
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 0.5
    assert stats.kstest(weights[0], stats.beta(0.5, 0.5).cdf).pvalue > 0.01


def test_metamix_mixes_each_query_with_a_shot_of_its_task():
    episode = episodes_of_classes()
    weight = np.array([0.0, 0.25, 0.5], np.float32)
    found = MetaMix().interpolated(episode, tf.constant(weight), SEED)
    assert found[:2] == episode[:2]
    drawn = set()
    for task, share in enumerate(weight):
        for query in range(6):
            rest = found.query_x[task, query] - share * episode.query_x[task, query]
            far = np.abs(rest / (1 - share) - episode.support_x[task]).max(axis=-1)
            shot = int(far.argmin())
            assert far[shot] < 1e-5
            drawn.add(shot)
            label = share * episode.query_y[task, query]
            label += (1 - share) * episode.support_y[task, shot]
            np.testing.assert_allclose(found.query_y[task, query], label, atol=1e-6)
    assert len(drawn) > 3


def test_metamix_draws_no_padding():
    episode = padded(Lines(shots=4).sample(3, SEED), [4, 1, 2])
    found = MetaMix().interpolated(episode, tf.zeros([3]), SEED)
    assert np.abs(found.query_x).max() < 90 and found.support_mask is episode.support_mask


def test_mlti_interpolates_two_tasks_label_by_label():
    episode = Lines().sample(4, SEED)
    found = MLTI().interpolated(episode, tf.constant([0.0, 0.25, 0.5, 0.9]), SEED)
    # With a weight of zero it is the other task.
    (other,) = [
        j for j in range(4) if np.allclose(found.support_x[0], episode.support_x[j], atol=1e-6)
    ]
    assert other != 0
    for task, share in enumerate([0.0, 0.25, 0.5, 0.9]):
        for part, own in zip(found, episode, strict=True):
            expected = share * own[task] + (1 - share) * own[(task + other) % 4]
            np.testing.assert_allclose(part[task], expected, atol=1e-5)


def test_mlti_keeps_the_labels_of_classes_and_mixes_their_examples():
    episode = episodes_of_classes()
    found = MLTI().interpolated(episode, tf.constant([0.3] * 3), SEED)
    for name in ("support", "query"):
        x, y = (getattr(episode, f"{name}_{part}") for part in "xy")
        mixed, labels = (getattr(found, f"{name}_{part}") for part in "xy")
        np.testing.assert_allclose(labels, y, atol=1e-6)
        for task in range(3):
            for shot in range(y.shape[1]):
                rest = (mixed[task, shot] - 0.3 * x[task, shot]) / 0.7
                far = np.abs(np.asarray(x) - rest).max(axis=-1)
                other, partner = np.unravel_index(far.argmin(), far.shape)
                assert far.min() < 1e-5 and other != task
                np.testing.assert_array_equal(y[other, partner], y[task, shot])


def test_mlti_interpolates_numbers_of_several_coordinates_in_their_order():
    rng = np.random.default_rng(0)
    sizes = (2, 5, 4), (2, 5, 3), (2, 6, 4), (2, 6, 3)
    episode = maml.Episode(*(tf.constant(rng.normal(size=size), tf.float32) for size in sizes))
    found = MLTI().interpolated(episode, tf.zeros([2]), SEED)
    for part, own in zip(found, episode, strict=True):
        np.testing.assert_allclose(part, own[::-1], atol=1e-6)


@pytest.mark.parametrize("episode", [Lines(shots=4).sample(3, SEED), episodes_of_classes()])
def test_mlti_of_padded_sets_mixes_real_shots_only(episode):
    found = MLTI().interpolated(padded(episode, [3, 1, 2]), tf.constant([0.5] * 3), SEED)
    assert np.all(tf.reduce_any(found.support_mask, axis=1))
    assert np.abs(tf.boolean_mask(found.support_x, found.support_mask)).max() < 40


@pytest.mark.parametrize("kind", [MetaMix, MLTI])
def test_what_makes_no_sense_is_refused(kind):
    with pytest.raises(ValueError, match="numbers or classes; received those of CircularHead"):
        kind().check_head(maml.CircularHead(1.0))
    with pytest.raises(ValueError, match="`probability`: expected at most 1, received 2"):
        kind(probability=2.0)
    with pytest.raises(ValueError, match="`alpha`: expected a finite number above 0"):
        kind(alpha=0.0)


@pytest.mark.parametrize("kind", [MetaMix, MLTI])
def test_labels_that_wrap_are_refused_in_a_training_step(kind):
    """A mean of 1 and 359 degrees would be 180."""
    episode = Lines().sample(3, SEED)
    learner = maml.CNP(perceptron(9, 4), maml.CircularHead(1.0), (4,), 4, 4, regularizers=[kind()])
    learner.create_weights(episode)
    with pytest.raises(ValueError, match="numbers or classes; received those of CircularHead"):
        learner.objective(episode, SEED, training=True)

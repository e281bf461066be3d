"""The memory module against a matching network and against a loop in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from toys import perceptron

import maml
from maml.learners.parallel import replicas

SEED = tf.constant([3, 1])
WAYS = 3


def episode_of(labels, tasks=2, seed=0):
    """Vectors of noise with these labels in the support sets, and a query of each class."""
    rng = np.random.default_rng(seed)
    parts = []
    for classes in (labels, range(WAYS)):
        y = np.eye(WAYS)[np.asarray(classes)]
        parts += [rng.normal(size=(tasks, len(y), 4)), np.broadcast_to(y, (tasks, *y.shape))]
    return maml.Episode(*(tf.constant(part, tf.float32) for part in parts))


def made(episode, **options):
    learner = maml.MemoryModule(perceptron(4, 5), maml.CategoricalHead(WAYS), **options)
    learner.create_weights(episode)
    return learner


def test_one_shot_of_each_class_is_a_matching_network():
    """Each shot finds a slot of another label, so that the memory is the support set."""
    episode = episode_of([2, 0, 1])
    learner = made(episode, slots=7, temperature=0.3)
    network = maml.MatchingNetwork(learner.embedding, learner.head, temperature=0.3)
    network.create_weights(episode)
    ours, theirs = (
        one.predict_distribution(*episode[:3]).log_probabilities for one in (learner, network)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def unit(vector):
    return vector / np.linalg.norm(vector)


def written(slots, x, y):
    """Keys, labels and ages of one task's memory, a loop over its shots."""
    keys, labels, ages = np.zeros((slots, x.shape[-1])), [None] * slots, np.full(slots, 2**30)
    for q, label in zip(x, np.argmax(y, axis=-1), strict=True):
        q, full = unit(q), [s for s in range(slots) if labels[s] is not None]
        nearest = max(full, key=lambda s: keys[s] @ q, default=None)
        slot = nearest if full and labels[nearest] == label else int(np.argmax(ages))
        keys[slot] = unit(q + keys[slot]) if slot == nearest and labels[slot] == label else q
        labels[slot], ages = label, ages + 1
        ages[slot] = 0
    return keys, labels, ages


@pytest.mark.parametrize("slots", [2, 4, 9])
def test_shots_are_written_as_by_a_loop(slots):
    """Right labels are averaged, and the oldest slot is overwritten where there are too few."""
    episode = episode_of([0, 1, 0, 2, 2, 1, 0, 0])
    learner = made(episode, slots=slots)
    x = learner.features(episode.support_x)
    keys, labels, ages = learner.encode(x, episode.support_y)
    averaged = False
    for task in range(2):
        expected = written(slots, x[task].numpy(), episode.support_y[task].numpy())
        np.testing.assert_allclose(keys[task], expected[0], atol=1e-5)
        np.testing.assert_array_equal(ages[task], expected[2])
        for slot, label in enumerate(expected[1]):
            assert labels[task, slot] == (-1 if label is None else label)
        averaged |= sum(label is not None for label in expected[1]) < min(slots, 8)
    assert averaged or slots < 9


def test_the_order_of_shots_matters_where_a_class_has_several():
    episode = episode_of([0, 1, 0, 2, 2, 1, 0, 0])
    learner = made(episode)
    turned = episode._replace(
        **{k: getattr(episode, k)[:, ::-1] for k in ("support_x", "support_y")}
    )
    assert np.abs(learner(turned) - learner(episode)).max() > 1e-3


def test_the_loss_is_the_margin_between_the_nearest_right_and_wrong_key():
    episode = episode_of([0, 1, 2, 0])
    learner = made(episode, margin=0.4)
    state = learner.encode(learner.features(episode.support_x), episode.support_y)
    losses = []
    for task in range(2):
        keys, labels = state[0][task].numpy(), state[1][task].numpy()
        for q, y in zip(learner.features(episode.query_x)[task].numpy(), range(WAYS), strict=True):
            near = [(k @ unit(q), v) for k, v in zip(keys, labels, strict=True) if v >= 0]
            right = max(cosine for cosine, label in near if label == y)
            wrong = max(cosine for cosine, label in near if label != y)
            losses.append(max(0, wrong - right + 0.4))
    assert sum(loss > 0 for loss in losses) > 0
    _, logs = learner.objective(episode, SEED, training=True)
    np.testing.assert_allclose(logs["task_loss"], np.mean(losses), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clear": "no"}, "`clear`: expected True or False; received 'no'"),
        ({"slots": None}, "`slots`: expected a whole number, 1 or more; received None"),
    ],
)
def test_values_of_another_kind_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made(episode_of([0, 1, 2]), **options)


def test_a_memory_without_the_right_label_has_no_loss():
    episode = episode_of([0, 0, 0])
    learner = made(episode)
    state = learner.encode(learner.features(episode.support_x), episode.support_y)
    x = learner.features(episode.query_x)
    assert not np.any(learner.margin_loss(state, x, episode.query_y))


def test_a_memory_that_is_kept_answers_without_a_support_set_and_is_saved(tmp_path):
    """Fixed labels, memorized by construction."""
    episode = episode_of([0, 1, 2], tasks=4)
    learner = made(episode, clear=False, slots=20)
    again = episode._replace(query_x=episode.support_x, query_y=episode.support_y)
    before = learner.decode(learner.initial_state(4), learner.features(again.query_x))
    np.testing.assert_allclose(before.mean(), 1 / WAYS, atol=1e-6)
    learner.compile("adam")
    learner.fit(again, verbose=0)
    maml.save(learner, tmp_path / "learner.keras")
    for one in (learner, maml.load(tmp_path / "learner.keras")):
        after = one.decode(one.initial_state(4), one.features(again.query_x))
        answered = np.argmax(after.mean(), -1) == np.argmax(again.query_y, -1)
        assert answered.mean() > 0.9
    kept = [tf.convert_to_tensor(part).numpy() for part in learner.kept]
    learner(episode)  # Predictions write into copies.
    for part, own in zip(learner.kept, kept, strict=True):
        np.testing.assert_array_equal(part, own)
    assert not made(episode).non_trainable_variables


class NextLabel(maml.Regularizer):
    def augment(self, episode, seed):
        y = (tf.roll(part, 1, axis=-1) for part in episode[1::2])
        return maml.Episode(*(part for pair in zip(episode[::2], y, strict=True) for part in pair))


def test_a_memory_that_is_kept_has_the_labels_of_augmented_tasks():
    episode = episode_of([0, 1, 2], tasks=1)
    learner = made(episode, clear=False, slots=5, regularizers=[NextLabel()])
    learner.objective(episode, SEED, training=True)
    np.testing.assert_array_equal(learner.kept[1], [1, 2, 0, -1, -1])


def test_a_memory_that_is_kept_is_of_one_device(monkeypatch):
    episode = episode_of([0, 1, 2])
    learner = made(episode, clear=False)
    monkeypatch.setattr(replicas, "count", lambda: 2)
    with pytest.raises(ValueError, match="`clear`: expected True on several devices"):
        learner.remember(episode)

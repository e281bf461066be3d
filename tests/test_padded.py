"""Support sets of any size: padding changes no prediction, and arrays in memory are tasks."""

import numpy as np
import pytest
import tensorflow as tf
from marks import exhaustive
from scipy import stats
from toys import UNREGISTERED, Lines, learner, perceptron

import maml
from maml.core.episodes import as_episode
from maml.core.label_transforms import with_support_labels_of

SEED = tf.constant([5, 7])
TRANSDUCTIVE = ("maml-batch", "maml-step")


def padded(episode, sizes, garbage=3.0):
    """The first shots of each task, and garbage in the place of the others."""
    shots = episode.support_y.shape[1]
    mask = tf.sequence_mask(sizes, shots)
    keep = tf.cast(mask, episode.support_x.dtype)[..., tf.newaxis]
    return maml.PaddedEpisode(
        support_x=episode.support_x * keep + garbage * (1 - keep),
        support_y=episode.support_y * keep + (1 - keep) * tf.cast(garbage, keep.dtype),
        query_x=episode.query_x,
        query_y=episode.query_y,
        support_mask=mask,
    )


def assert_padding_changes_nothing(model, episode, sizes):
    model.create_weights(episode)
    found = model(padded(episode, sizes))
    for task, size in enumerate(sizes):
        alone = maml.Episode(*(part[task : task + 1] for part in episode))
        alone = alone._replace(
            support_x=alone.support_x[:, :size], support_y=alone.support_y[:, :size]
        )
        np.testing.assert_allclose(found[task], model(alone)[0], rtol=1e-4, atol=1e-5)
    full = [episode.support_y.shape[1]] * len(sizes)
    np.testing.assert_allclose(model(padded(episode, full)), model(episode), rtol=1e-4, atol=1e-5)


PADDED = ("maml", "imaml", "cnp", *(kind for kind in UNREGISTERED if kind not in TRANSDUCTIVE))


@pytest.mark.parametrize("kind", PADDED)
def test_padding_changes_no_prediction(kind):
    model = learner(kind, maml.NormalHead(), 9)
    assert_padding_changes_nothing(model, Lines(shots=5).sample(3, SEED), [5, 2, 3])


@pytest.mark.parametrize("kind", PADDED)
def test_without_a_shot_no_prediction_depends_on_padding(kind):
    model, episode = learner(kind, maml.NormalHead(), 9), Lines(shots=5).sample(3, SEED)
    model.create_weights(episode)
    found = model(padded(episode, [5, 0, 3]))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(model(padded(episode, [5, 0, 3], 50.0)), found, atol=1e-5)


@pytest.mark.parametrize("kind", ["acnp", "relative-cnp"])
def test_without_a_shot_attention_gives_what_it_gives_before_any_shot(kind):
    model, episode = learner(kind, maml.NormalHead(), 9), Lines(shots=5).sample(3, SEED)
    model.create_weights(episode)
    queries = model.embed(episode.query_x)
    expected = model.decode(model.initial_state(3), queries).mean()
    np.testing.assert_allclose(model(padded(episode, [0, 0, 0])), expected, atol=1e-5)


def test_labels_of_another_task_are_lent_in_the_order_of_real_shots():
    x = tf.reshape(tf.range(10.0), [2, 5, 1])
    mask = tf.constant([[True, True, False, False, False], [False, False, True, True, True]])
    episode = maml.PaddedEpisode(x, 10 * x, x, x, mask)
    lent = with_support_labels_of(episode, tf.constant([1, 0]))
    np.testing.assert_array_equal(lent.support_mask, [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]])
    real = lent.support_y.numpy()[lent.support_mask.numpy()][:, 0]
    np.testing.assert_array_equal(real, [70, 80, 0, 10])


def test_metamix_leaves_the_queries_of_a_task_without_shots():
    episode = padded(Lines(shots=5).sample(3, SEED), [5, 0, 3], 1e6)
    mixed = maml.MetaMix().augment(episode, SEED)
    np.testing.assert_allclose(mixed.query_x[1], episode.query_x[1], rtol=1e-5)
    assert np.abs(mixed.query_x).max() < 1e3 and np.any(mixed.query_x[0] != episode.query_x[0])


@pytest.mark.parametrize("kind", [maml.PrototypicalNetwork, maml.MatchingNetwork])
def test_padding_changes_no_prediction_of_classes(kind):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(3, 9, 4)), tf.float32)
    y = tf.one_hot(tf.constant([[0, 1, 2, 0, 1, 2, 0, 1, 2]] * 3), 3)
    episode = maml.Episode(x[:, :6], y[:, :6], x[:, 6:], y[:, 6:])
    model = kind(perceptron(4, 5), maml.CategoricalHead(3))
    assert_padding_changes_nothing(model, episode, [6, 3, 4])


def test_padding_changes_no_prediction_of_an_ensemble():
    head, episode = maml.CircularHead(10.0, 11), Lines(shots=5).sample(3, SEED)
    members = [learner(kind, head, 9) for kind in ("cnp", "acnp")]
    for member in members:
        member.create_weights(episode)
    assert_padding_changes_nothing(maml.Ensemble(members), episode, [5, 2, 3])


def gradients(model, batch):
    with tf.GradientTape() as tape:
        objective, _ = model.objective(batch, SEED, training=True)
    return tape.gradient(objective, model.learner_variables, unconnected_gradients="zero")


MINIBATCHES = tuple(f"{kind}-minibatch" for kind in ("maml", "imaml", "maml++", "reptile"))


@pytest.mark.parametrize("kind", ["cnp", "maml", "maml-recompute", "reptile", *MINIBATCHES])
def test_padding_changes_no_gradient_wherever_it_stands(kind):
    episode = Lines(shots=5, dtype=tf.float64).sample(2, SEED)
    kind, minibatch, _ = kind.partition("-minibatch")
    options = {"inner_batch_size": 2} if minibatch else {}
    model = learner(kind, maml.NormalHead(), 9, dtype="float64", **options)
    model.create_weights(episode)
    short = episode._replace(support_x=episode.support_x[:, :3], support_y=episode.support_y[:, :3])
    first = padded(episode, [3, 3])
    last = first._replace(
        **{n: tf.roll(getattr(first, n), 2, axis=1) for n in first._fields if n[:3] == "sup"}
    )
    for batch in (first, last):
        for found, expected in zip(gradients(model, batch), gradients(model, short), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", TRANSDUCTIVE)
def test_networks_that_normalize_by_the_batch_refuse_padding(kind):
    model, episode = learner(kind, maml.NormalHead(), 9), Lines(shots=5).sample(3, SEED)
    model.create_weights(episode)
    with pytest.raises(ValueError, match="current batch.*which padding would be part of"):
        model(padded(episode, [5, 2, 3]))


def test_learner_whose_encode_takes_no_mask_refuses_padding():
    class Mean(maml.MetaLearner):
        def encode(self, x, y, training=False):
            return tf.reduce_mean(y, axis=1)

        def decode(self, state, x):
            return self.head(tf.repeat(state[:, tf.newaxis], tf.shape(x)[1], axis=1))

        def initial_state(self, batch_size):
            return tf.zeros([batch_size, 1])

    episode = Lines().sample(3, SEED)
    model = Mean(maml.NormalHead())
    assert model(episode).shape == (3, 3, 1)
    with pytest.raises(ValueError, match="Mean: expected sets of one size.*no argument `mask`"):
        model(padded(episode, [4, 2, 3]))


@pytest.mark.parametrize(
    "transform", [maml.LabelScale(), maml.LabelSwap(), maml.OtherTask(), maml.SameTask()]
)
def test_label_transforms_keep_the_mask_of_what_they_take(transform):
    sizes, garbage = [5, 2, 3], 1e9
    changed = transform(padded(Lines(shots=5).sample(3, SEED), sizes, garbage), SEED)
    real = changed.support_mask.numpy()
    assert real.any(axis=1).all()
    for part in (changed.support_x, changed.support_y):
        assert np.abs(part.numpy()[real]).max() < garbage / 10


@pytest.mark.parametrize("transform", [maml.LabelScale(), maml.OtherTask(), maml.SameTask()])
def test_padding_changes_no_prediction_mi(transform):
    term = maml.PredictionMI(transform)
    model, rng = learner("cnp", maml.NormalHead(), 9, [term]), np.random.default_rng(1)
    batches = [
        padded(Lines(shots=5).sample(3, SEED), [3, 3, 3], garbage) for garbage in (0.0, 1.0, 50.0)
    ]
    model.create_weights(batches[0])
    for variable in model.critic_variables:  # They start as a critic that sees no set.
        variable.assign(variable + rng.normal(0, 0.3, variable.shape))
    start = model.get_weights()

    def logs(batch):
        model.set_weights(start)
        model.objective(batch, SEED, training=True)  # Takes in the moments.
        return model.objective(batch, SEED)[1]["prediction_mi_nats"].numpy()

    found = [logs(batch) for batch in batches]
    np.testing.assert_allclose(found, found[0], rtol=1e-4, atol=1e-6)
    if transform.relabels_queries:  # SameTask draws one number for each shot, padding included.
        short = batches[0]._asdict()
        del short["support_mask"]
        short = maml.Episode(**short)
        short = short._replace(support_x=short.support_x[:, :3], support_y=short.support_y[:, :3])
        np.testing.assert_allclose(found[0], logs(short), rtol=1e-3, atol=1e-5)


def test_padding_changes_no_running_statistics():
    episode, found = Lines(shots=5).sample(3, SEED), []
    for garbage in (0.0, 1e3):
        model = learner("maml-frozen", maml.NormalHead(), 9)
        model.compile("adam", jit_compile=False)
        batch = padded(episode, [2, 5, 3], garbage)
        model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_same_task_draws_real_shots_wherever_they_stand():
    episode = padded(Lines(shots=5).sample(3, SEED), [2, 3, 1], 1e9)
    order = tf.constant([4, 0, 3, 1, 2])
    parts = {n: tf.gather(getattr(episode, n), order, axis=1) for n in episode._fields[:2]}
    mask = tf.gather(episode.support_mask, order, axis=1)
    changed = maml.SameTask()(episode._replace(**parts, support_mask=mask), SEED)
    assert np.abs(changed.support_y).max() < 1e8 and np.abs(changed.support_x).max() < 1e8


def test_predict_episode_takes_a_mask():
    model, episode = learner("cnp", maml.NormalHead(), 9), Lines(shots=5).sample(3, SEED)
    model.create_weights(episode)
    batch = padded(episode, [5, 2, 3])
    found = model.predict_episode(
        batch.support_x, batch.support_y, batch.query_x, support_mask=batch.support_mask
    )
    np.testing.assert_allclose(found, model(batch), rtol=1e-6)


# -- arrays in memory -----------------------------------------------------------------------------


def tasks(sizes=(20, 15, 30)):
    """Inputs that name their task and place, and labels that repeat them."""
    x = [np.stack([np.full(n, float(t)), np.arange(n)], axis=1) for t, n in enumerate(sizes)]
    return x, [part[:, :1] * 100 + part[:, 1:] for part in x]


def test_episodes_draw_examples_of_their_task_once_and_pad_by_repeating():
    family = maml.ArrayTasks(*tasks(), shots=(2, 5), queries=4)
    assert family.num_tasks == 3
    episode = family.episodes(tf.constant([2, 0, 1, 1]), SEED)
    assert [part.shape for part in episode] == [
        (4, 5, 2), (4, 5, 1), (4, 4, 2), (4, 4, 1), (4, 5)
    ]  # fmt: skip
    for task, x, y, qx, qy, mask in zip([2, 0, 1, 1], *(p.numpy() for p in episode), strict=True):
        size = mask.sum()
        assert 2 <= size <= 5 and mask[:size].all()
        drawn = [*x[:size, 1], *qx[:, 1]]
        assert len(set(drawn)) == len(drawn)  # No example twice, none in both.
        assert (x[:, 0] == task).all() and (qx[:, 0] == task).all()
        np.testing.assert_array_equal(x[size:], x[np.arange(size, 5) % size])
        np.testing.assert_array_equal(y[:, 0], 100 * task + x[:, 1])
        np.testing.assert_array_equal(qy[:, 0], 100 * task + qx[:, 1])


def test_support_sizes_are_uniform_and_examples_equally_likely():
    family = maml.ArrayTasks(*tasks([8]), shots=(1, 4), queries=2)
    episode = family.episodes(tf.zeros([4000], tf.int32), SEED)
    sizes = np.bincount(tf.reduce_sum(tf.cast(episode.support_mask, tf.int32), 1))[1:]
    assert stats.chisquare(sizes).pvalue > 1e-3
    queries = np.bincount(episode.query_x[..., 1].numpy().astype(int).ravel())
    assert len(queries) == 8 and stats.chisquare(queries).pvalue > 1e-3


def test_same_seed_same_episodes_and_a_fixed_size_has_no_mask():
    x, y = (np.stack([part[:15] for part in of]) for of in tasks())
    family = maml.ArrayTasks(x, y, shots=5, queries=10)
    one, same = (family.sample(3, SEED) for _ in range(2))
    assert isinstance(one, maml.Episode) and one.support_x.dtype == tf.float32
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["maml", *exhaustive("cnp", "acnp", "relative-cnp")],
)
def test_learners_train_on_arrays_of_random_support_sizes(kind):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (16, 30, 1))
    y = x * rng.uniform(-2, 2, (16, 1, 1))
    family = maml.ArrayTasks(x, y, shots=(3, 10), queries=10)
    term = maml.LabelMI(maml.LabelScale(), warmup_nats=0.0)
    model = learner(kind, maml.NormalHead(), 1, [term])
    model.compile("adam", jit_compile=False)
    history = model.fit(family, batch_size=4, steps=4, validation_data=family, validation_steps=1,
                        verbose=0).history  # fmt: skip
    assert np.isfinite(history["loss"]).all() and np.isfinite(history["val_loss"]).all()
    assert model.predict(family, batch_size=4, steps=2, verbose=0).shape == (8, 10, 1)
    evaluate = maml.Evaluator(model, label_transform=maml.LabelScale(), num_relabelings=2)
    scores = evaluate(family, per_task=1, batch_size=4, seed=0)
    assert all(np.isfinite(values).all() for values in scores.values())


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (*tasks(), {"shots": (5, 12), "queries": 5}, "task 1 has 15, and 17 are needed"),
        (*tasks(), {"shots": (5, 2)}, "0 < fewest <= most"),
        (*tasks(), {"shots": (3, 5, 7)}, r"`shots`: expected .* received \(3, 5, 7\)"),
        (*tasks(), {"shots": 5.0}, "`shots`: expected a whole number.*received 5.0"),
        (*tasks(), {"shots": (3, 5.5)}, "`shots`: expected a whole number"),
        (*tasks(), {"queries": 5.0}, "`queries`: expected a whole number, 1 or more; rec"),
        (np.full([3, 30, 2], np.nan), np.zeros([3, 30, 1]), {}, "`x`: expected finite real"),
        (np.zeros([3, 30, 2]), np.full([3, 30, 1], np.inf), {}, "`y`: expected finite real"),
        (np.zeros([3, 30, 2]), np.full([3, 30, 1], 1e39), {}, r"received 1e\+39 in example 0"),
        ([np.zeros([30, 2]), np.diag([np.nan] * 30)[:, 28:]], [np.zeros([30, 1])] * 2, {},
         "`x`: expected finite .* received nan in example 28 of task 1. Clean"),
        (np.zeros([3, 30, 0, 0]), np.zeros([3, 30, 1]), {}, r"received the shape \[30, 0, 0\]"),
        (np.zeros([3, 30, 2]), np.zeros([3, 30, 0]), {}, "`y`: expected .*one or more in each"),
        (np.zeros([3, 30, 2], complex), np.zeros([3, 30, 1]), {}, "of dtype complex128"),
        (np.zeros([3, 30, 2]), np.full([3, 30, 1], "a"), {}, "`y`: expected finite real numbers"),
        (np.zeros([3, 5, 2]), np.zeros([3, 5]), {},
         r"labels \[n, dim\].*Use y\[..., None\] if.*np.eye"),
        (np.zeros([3, 5, 2]), np.zeros([2, 5, 1]), {}, "received 3 and 2 tasks"),
        (np.zeros([3, 5, 2]), np.zeros([3, 4, 1]), {}, "as many as labels"),
        ([np.zeros([9, 2]), np.zeros([9, 3])], [np.zeros([9, 1])] * 2, {"shots": 2, "queries": 2},
         "task 1 has"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        maml.ArrayTasks(x, y, **options)


@pytest.mark.parametrize("shots", [np.int64(5), np.array([3, 5]), [np.int32(3), 5]])
def test_numbers_of_numpy_are_numbers_of_shots(shots):
    episode = maml.ArrayTasks(*tasks(), shots=shots, queries=4).sample(2, SEED)
    assert episode.support_x.shape == (2, 5, 2)


def test_an_episode_of_five_parts_is_padded():
    parts = [1, 2, 3, 4, 5]
    assert as_episode(parts).support_mask == 5
    assert isinstance(as_episode(parts[:4]), maml.Episode)

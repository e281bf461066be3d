"""Training steps that take the gradient of each task in the loop over tasks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import GRADIENT_BASED, VARIANTS, learner

import maml
from maml.core.episodes import Episode, PaddedEpisode
from maml.learners.gradient_based import inner_loop, task_gradient

SEED = tf.constant([3, 4], tf.int32)


def episode(padded=False):
    """Three tasks of four shots and three queries, in float64; padded: fewer real shots."""
    rng = np.random.default_rng(0)
    shapes = [(3, 4, 2), (3, 4, 1), (3, 3, 2), (3, 3, 1)]
    parts = [tf.constant(rng.normal(size=shape)) for shape in shapes]
    mask = [[True, False, True, False], [True] * 4, [True, True, True, False]]
    return PaddedEpisode(*parts, tf.constant(mask)) if padded else Episode(*parts)


def made(kind, batch, regularizers=(), **options):
    """A learner that takes task after task, with its weights."""
    options = {"task_map": "map_fn"} | options
    model = learner(kind, maml.NormalHead(), 2, regularizers, "float64", **options)
    model.create_weights(batch)
    return model


def step(model, batch, fit):
    """Loss, gradient by all weights, and prediction of a training step."""
    with tf.GradientTape() as tape:
        loss, _, prediction, _ = model.forward(batch, SEED, True, fit=fit)
    found = tape.gradient(loss, model.trainable_variables, unconnected_gradients="zero")
    return loss.numpy(), [g.numpy() for g in found], prediction.mean().numpy()


def check_equal(model, batch):
    """The training step has the loss, gradient and prediction of the objective."""
    expected, found = (step(model, batch, fit) for fit in (False, True))
    assert any(np.abs(gradient).max() > 1e-3 for gradient in expected[1])
    for own, other in zip(
        [found[0], *found[1], found[2]], [expected[0], *expected[1], expected[2]], strict=True
    ):
        np.testing.assert_allclose(own, other, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("kind", [*GRADIENT_BASED, *VARIANTS])
def test_its_gradient_is_that_of_the_objective(kind):
    batch = episode()
    check_equal(made(kind, batch), batch)


@pytest.mark.parametrize("kind", ["maml", "maml-minibatch", "maml-embedding", "metasgd"])
def test_padded_support_sets(kind):
    batch = episode(padded=True)
    check_equal(made(kind, batch), batch)


def test_without_inner_steps():
    batch = episode()
    check_equal(made("maml", batch, inner_steps=0), batch)


class Shrink(maml.Regularizer):
    """A term that goes through the prediction it is given."""

    def term(self, learner, episode, features, prediction, seed, training):
        return tf.reduce_mean(prediction.mean() ** 2), {}


REGULARIZERS = {
    "MR-A": lambda **kwargs: maml.MRA(weight=0.1, **kwargs),
    "MR-W": lambda **kwargs: maml.MRW(weight=0.01, **kwargs),
    "weight decay": lambda **kwargs: maml.WeightDecay(weight=0.1, **kwargs),
    "Label-MI": lambda **kwargs: maml.LabelMI(maml.LabelScale(), warmup_nats=0.0, **kwargs),
    "of a user": Shrink,
}


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("embedding", [False, True])
def test_beside_regularizers(name, embedding):
    batch = episode()
    model = made(
        "maml-embedding" if embedding else "maml", batch, [REGULARIZERS[name](dtype="float64")]
    )
    check_equal(model, batch)


def is_constant(model, batch):
    """Whether the prediction of a training step has no gradient: the loop has taken the loss's."""
    with tf.GradientTape() as tape:
        mean = model.forward(batch, SEED, True, fit=True)[2].mean()
    return all(g is None for g in tape.gradient(mean, model.trainable_variables))


def test_which_learners_take_it():
    batch = episode()

    class Own(maml.MAML):
        def decode(self, state, x, step=0):
            return super().decode(state, x)

    assert is_constant(made("maml", batch), batch)
    assert not is_constant(made("maml", batch, task_map="vectorized"), batch)
    assert not is_constant(made("maml", batch, [Shrink(dtype="float64")]), batch)
    assert not is_constant(made("maml++", batch), batch)
    own = made("maml", batch)
    own = Own(own.network, own.head, task_map="map_fn", inner_steps=2, dtype="float64")
    own.create_weights(batch)
    assert not is_constant(own, batch)


def test_training_learns_and_tells_where_an_inner_loss_was_not_finite():
    batch = episode()
    model = made("maml", batch)
    model.compile(keras.optimizers.Adam(0.05))
    before = model.evaluate(batch, verbose=0, return_dict=True)["loss"]
    model.fit(batch, epochs=40, verbose=0)
    assert model.evaluate(batch, verbose=0, return_dict=True)["loss"] < 0.5 * before
    labels = batch.support_y.numpy()
    labels[1] = 1e200
    model.train_on_batch(batch._replace(support_y=tf.constant(labels)))
    assert "task 2" in model.divergence()


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kind", ["maml", "maml-embedding", "maml-minibatch", "metasgd"])
def test_relabeled_tasks_have_their_gradient_in_a_loop_too(kind, padded, monkeypatch):
    batch, loops = episode(padded=padded), []
    options = {"num_relabelings": 2, "warmup_nats": 0.0, "weight": 0.7, "dtype": "float64"}
    model = made(kind, batch, [maml.LabelMI(maml.LabelScale(), **options)])
    mean_loss = task_gradient.mean_loss
    monkeypatch.setattr(
        task_gradient, "mean_loss", lambda *given: loops.append(0) or mean_loss(*given)
    )
    check_equal(model, batch)
    assert len(loops) == 2  # Of the tasks and of the relabeled ones, in fit only.


class Broken(maml.LabelTransform):
    """Relabels the first task by labels that are not finite."""

    relabels_queries = True

    def __call__(self, episode, seed):
        first = tf.one_hot(0, tf.shape(episode.support_y)[0], 1e200, 1.0, dtype=tf.float64)
        return episode._replace(support_y=first[:, tf.newaxis, tf.newaxis] * episode.support_y)


@pytest.mark.parametrize("task_map", ["map_fn", "unrolled"])
def test_a_step_whose_relabeled_tasks_diverge_is_skipped_at_weight_zero_too(task_map):
    batch = episode()
    model = made("maml", batch, [maml.LabelMI(Broken(), dtype="float64")], task_map=task_map)
    model.compile(keras.optimizers.Adam(0.05), jit_compile=False)
    before = [v.numpy() for v in model.trainable_variables]
    assert model.train_on_batch(batch, return_dict=True)["skipped_steps"] == 1
    for old, new in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_a_tower_of_a_users_own_learns():
    batch = episode()

    class Tower(maml.MAML):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

        def embed(self, x):
            return x * tf.convert_to_tensor(self.scale)

    own = made("maml", batch)
    model = Tower(own.network, own.head, task_map="map_fn", inner_steps=2, dtype="float64")
    model.create_weights(batch)
    check_equal(model, batch)
    with tf.GradientTape() as tape:
        loss = model.forward(batch, SEED, True, fit=True)[0]
    assert abs(tape.gradient(loss, model.scale.value)) > 1e-3


def test_one_inner_step_makes_the_weights_and_leaves_the_others_as_they_are(monkeypatch):
    batch, counts = episode(), []
    model = learner("maml", maml.NormalHead(), 2, (), "float64", task_map="map_fn", inner_steps=3)
    descend = inner_loop.descend

    def counted(loss, weights, arguments, rates, *options):
        counts.append(len(rates))
        return descend(loss, weights, arguments, rates, *options)

    monkeypatch.setattr(inner_loop, "descend", counted)
    model.create_weights(batch)
    assert set(counts) == {1}
    counts.clear()
    model.adapt(batch.support_x, batch.support_y)
    assert set(counts) == {3}


def test_hooks_of_a_users_own_take_all_inner_steps_from_the_start():
    batch, counts = episode(), []

    class Counted(maml.MAML):
        def encode_path(self, *given, **options):
            path = super().encode_path(*given, **options)
            counts.append(len(path) - 1)
            return path

    own = made("maml", batch)
    model = Counted(own.network, own.head, task_map="map_fn", inner_steps=3, dtype="float64")
    model.create_weights(batch)
    assert set(counts) == {3}

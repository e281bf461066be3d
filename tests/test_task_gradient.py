"""Training steps that take the gradient of each task in the loop over tasks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import GRADIENT_BASED, VARIANTS, learner

import maml
from maml.core.episodes import Episode, PaddedEpisode
from maml.learners.gradient_based import inner_loop

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
def test_likelihoods_of_queries_have_the_gradient_of_their_mean(kind, padded):
    batch = episode(padded=padded)
    model, found = made(kind, batch), []
    for log_prob in (maml.MAML.query_log_prob, maml.MetaLearner.query_log_prob):
        with tf.GradientTape() as tape:
            embedded = batch._replace(
                support_x=model.features(batch.support_x), query_x=model.features(batch.query_x)
            )
            values = log_prob(model, embedded, training=True)
            mean = 0.7 * tf.reduce_mean(values)
        gradient = tape.gradient(mean, model.trainable_variables, unconnected_gradients="zero")
        assert values.shape == (3, 3)
        found.append([values, *gradient])
    assert any(np.abs(gradient).max() > 1e-3 for gradient in found[0][1:])
    for own, other in zip(*found, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-8, atol=1e-11)


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

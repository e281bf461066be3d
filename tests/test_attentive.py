"""The attentive neural process: its attention worked out by hand, and what it is good for."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Lines, learner, perceptron

import maml
from maml.core.episodes import Episode

SEED = tf.constant([3, 1])


class Recall(maml.TaskFamily):
    """Labels without a rule, asked for at the support inputs themselves."""

    num_tasks = 1000

    def episodes(self, tasks, seed):
        where, what = tf.unstack(tf.random.split(seed, 2))
        x = tf.random.stateless_normal([tf.shape(tasks)[0], 6, 2], where)
        x = tf.math.l2_normalize(x, axis=-1)
        y = tf.random.stateless_normal([tf.shape(tasks)[0], 6, 1], what)
        return Episode(x, y, x, y)


def test_prediction_is_softmax_attention_over_the_shots_by_hand():
    episode = Lines(dtype=tf.float64).sample(2, SEED)
    model = learner("acnp", maml.NormalHead(), 9, dtype="float64")
    model.create_weights(episode)
    rng = np.random.default_rng(0)
    for layer in (model.attention, *model.decoder):
        layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    keys, values = model.encode(model.embed(episode.support_x), episode.support_y)
    queries = model.embed(episode.query_x)
    prediction = model.decode([keys, values], queries).mean()

    # Weights of keras.layers.MultiHeadAttention: [features, heads, 2] thrice, and [heads, 2, dim].
    to_query, to_key, to_value, to_output = model.attention.get_weights()
    for task in range(2):
        x, key, value = queries[task].numpy(), keys[task].numpy(), values[task].numpy()
        context = np.zeros((len(x), 4))
        for head in range(2):
            scores = (x @ to_query[:, head]) @ (key @ to_key[:, head]).T / np.sqrt(2)
            weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            context += weights @ (value @ to_value[:, head]) @ to_output[head]
        outputs = np.concatenate([context, x], axis=1)
        for layer in model.decoder:
            kernel, bias = layer.get_weights()
            outputs = outputs @ kernel + bias
            outputs = np.maximum(outputs, 0) if layer is not model.decoder[-1] else outputs
        # Keras has 1 / sqrt(2) in single precision.
        np.testing.assert_allclose(prediction[task], outputs, rtol=1e-7)


@pytest.mark.parametrize("interaction", [0, 5])
def test_order_of_the_shots_does_not_matter_and_their_labels_do(interaction):
    episode = Lines(shots=5, dtype=tf.float64).sample(3, SEED)
    embedding = perceptron(9, 6, dtype="float64")
    model = maml.AttentiveCNP(
        embedding, maml.NormalHead(), hidden=(7,), interaction=interaction, dtype="float64"
    )
    order = [3, 0, 4, 1, 2]
    x, y = (tf.gather(part, order, axis=1) for part in episode[:2])
    expected = model(episode)
    np.testing.assert_allclose(
        model(episode._replace(support_x=x, support_y=y)), expected, rtol=0, atol=1e-12
    )
    assert np.abs(model(episode._replace(support_y=y)) - expected).max() > 1e-3


def test_prior_has_the_form_of_a_task_state_and_an_empty_context():
    episode = Lines().sample(3, SEED)
    model = learner("acnp", maml.NormalHead(), 9)
    state = model.encode(model.embed(episode.support_x), episode.support_y)
    prior = model.initial_state(3)
    for part, known in zip(prior, state, strict=True):
        assert (part.shape[0], part.shape[2]) == (known.shape[0], known.shape[2])
        assert part.dtype == known.dtype
    queries = model.embed(episode.query_x)
    empty = tf.concat([tf.zeros([3, 3, 4]), queries], axis=-1)
    for layer in model.decoder:
        empty = layer(empty)
    np.testing.assert_allclose(model.decode(prior, queries).mean(), empty, rtol=1e-5)


def test_initial_weights_follow_from_the_seed():
    def weights(seed):
        model = learner("acnp", maml.NormalHead(), 9, seed=seed)
        model.create_weights(Lines().sample(2, SEED))
        return model.get_weights()

    for one, same in zip(weights(1), weights(1), strict=True):
        np.testing.assert_array_equal(one, same)
    pairs = zip(weights(1), weights(2), strict=True)
    assert all(np.any(one != other) for one, other in pairs if np.any(one))


def test_layers_on_the_way_of_queries_leave_out_those_that_read_the_support_alone():
    model = learner("acnp", maml.NormalHead(), 9)
    model.create_weights(Lines().sample(2, SEED))
    layers = model.query_layers()
    attention = model.attention
    assert all(any(layer is part for layer in layers) for part in model.decoder)
    assert any(layer is attention.query_dense for layer in layers)
    assert not any(
        layer is part for layer in layers for part in (attention.value_dense, *model.encoder)
    )


@pytest.mark.slow
def test_attention_recalls_labels_that_a_mean_over_shots_forgets():
    """To look six labels up is learned in 200 steps; to write them all into one vector is not."""

    def error(kind):
        model = kind(
            perceptron(2, 16),
            maml.NormalHead(),
            hidden=(32,),
            dim_r=32,
            dim_z=32,
        )
        model.create_weights(Recall().sample(2, SEED))
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
        model.fit(Recall().dataset(32, seed=0), steps_per_epoch=200, verbose=0)
        test = Recall().dataset(200, seed=1).take(1)
        return model.evaluate(test, verbose=0, return_dict=True)["mse"]

    assert error(maml.AttentiveCNP) < 0.5 * error(maml.CNP)

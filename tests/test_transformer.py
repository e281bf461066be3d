"""The transformer neural process: a block by hand, order, prefixes, and what queries see."""

import numpy as np
import pytest
import tensorflow as tf
from toys import Lines, perceptron

import maml
from maml.nn.transformer import transformer

SEED = tf.constant([3, 1])
EPISODE = Lines(shots=4, dtype=tf.float64).sample(2, SEED)


def made(episode=EPISODE, **options):
    """A small learner in float64, its weights moved away from where layers start."""
    options = {"width": 6, "depth": 2, "heads": 2, "feedforward": 5, "dtype": "float64"} | options
    model = maml.TransformerNeuralProcess(
        perceptron(9, 4, dtype="float64"), maml.NormalHead(), **options
    )
    model.create_weights(episode)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign_add(rng.normal(0, 0.3, variable.shape))
    return model


def test_a_block_is_attention_and_a_perceptron_behind_normalizations_by_hand():
    (block,), _ = transformer(1, 6, 2, 5, seed=0, dtype="float64")
    rng = np.random.default_rng(0)
    x, context = rng.normal(size=(2, 3, 6)), rng.normal(size=(2, 4, 6))
    seen = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 1]], bool)
    block(x, context)
    for variable in block.variables:
        variable.assign(rng.normal(size=variable.shape))

    def normalized(layer, tokens):
        gamma, beta = layer.get_weights()
        centred = tokens - tokens.mean(axis=-1, keepdims=True)
        return gamma * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-3) + beta

    tokens, known = (normalized(block.attention_norm, part) for part in (x, context))
    query, key, value, output = block.attention.get_weights()
    after = x.copy()
    for head in range(2):
        scores = np.einsum("tqf,tkf->tqk", tokens @ query[:, head], known @ key[:, head])
        weights = np.where(seen, np.exp(scores / np.sqrt(3)), 0)
        weights /= weights.sum(axis=-1, keepdims=True)
        after += weights @ (known @ value[:, head]) @ output[head]
    hidden = normalized(block.perceptron_norm, after)
    first, last = (layer.get_weights() for layer in block.perceptron)
    expected = after + np.maximum(hidden @ first[0] + first[1], 0) @ last[0] + last[1]
    # Keras has 1 / sqrt(3) in single precision.
    np.testing.assert_allclose(block(x, context, seen[np.newaxis]), expected, rtol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_order_of_the_shots_matters_only_where_they_see_those_before_them(causal):
    model, order = made(causal=causal), [3, 0, 2, 1]
    x, y = (tf.gather(part, order, axis=1) for part in EPISODE[:2])
    expected = model(EPISODE)
    moved = np.abs(model(EPISODE._replace(support_x=x, support_y=y)) - expected).max()
    assert moved > 1e-3 if causal else moved < 1e-12
    assert np.abs(model(EPISODE._replace(support_y=y)) - expected).max() > 1e-3


@pytest.mark.parametrize("sizes", [None, [4, 2]])
def test_causal_loss_is_that_of_every_prefix_encoded_alone(sizes):
    model, episode = made(causal=True), EPISODE
    if sizes:
        real = tf.reverse(tf.sequence_mask(sizes, 4), axis=[1])  # Padding stands before the shots.
        episode = maml.PaddedEpisode(*EPISODE, real)
    found, prediction = model.task_loss(_embedded(model, episode), training=True)
    losses = []
    for task in range(2):
        first = 4 - sizes[task] if sizes else 0
        x, y, query_x, query_y = (part[task : task + 1] for part in EPISODE)
        x, y, own = x[:, first:], y[:, first:], []
        for count in range(x.shape[1]):
            state = model.initial_state(1)
            if count:
                state = model.encode(model.embed(x[:, :count]), y[:, :count])
            guess = model.decode(state, model.embed(x[:, count : count + 1])).mean()
            own.append(((guess - y[:, count : count + 1]) ** 2).numpy().item())
        state = model.encode(model.embed(x), y)
        queries = model.decode(state, model.embed(query_x)).mean()
        own += ((queries - query_y) ** 2).numpy().ravel().tolist()
        losses.append(np.mean(own))
        np.testing.assert_allclose(prediction.mean()[task], queries[0], rtol=1e-9)
    np.testing.assert_allclose(found, np.mean(losses), rtol=1e-9)
    # Scores of held-out tasks are of the queries alone, as of every other learner.
    expected = tf.reduce_mean((prediction.mean() - EPISODE.query_y) ** 2)
    np.testing.assert_allclose(model.task_loss(_embedded(model, episode))[0], expected, rtol=1e-9)


def _embedded(model, episode):
    return episode._replace(
        support_x=model.features(episode.support_x), query_x=model.features(episode.query_x)
    )


def test_padding_changes_no_prediction_of_the_causal_form():
    model = made(causal=True)
    real = tf.constant([[False, True, False, True], [True, True, True, True]])
    x, y = (tf.where(real[..., tf.newaxis], part, 3.0) for part in EPISODE[:2])
    found = model(maml.PaddedEpisode(x, y, *EPISODE[2:], real))
    shots = EPISODE._replace(support_x=x[:, 1::2], support_y=y[:, 1::2])
    np.testing.assert_allclose(found[0], model(shots)[0], rtol=1e-9)
    np.testing.assert_allclose(found[1], model(EPISODE)[1], rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 7}, "`width`: expected a multiple of the 2 heads; received 7. Use 6"),
        ({"depth": 0}, "`depth`: expected a whole number, 1 or more; received 0"),
        ({"feedforward": 1.5}, "`feedforward`: expected a whole number"),
        ({"depth": None}, "`depth`: expected a whole number, 1 or more; received None"),
        ({"causal": "no"}, "`causal`: expected True or False; received 'no'"),
    ],
)
def test_sizes_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made(**options)

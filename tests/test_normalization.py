"""Running statistics of frozen normalization: of what they are, when they move, what they skip."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Lines, learner

import maml
from maml.nn import normalization

SEED = tf.constant([1, 2])
FAMILY = Lines()


def made(*regularizers, **options):
    """A learner, and its frozen layer."""
    model = learner("maml-frozen", maml.NormalHead(), 9, regularizers, inner_steps=1, **options)
    model.create_weights(FAMILY.sample(2, SEED))
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)  # The weights stay.
    frozen = normalization.FrozenBatchNormalization
    (layer,) = [part for part in model.network.layers if isinstance(part, frozen)]
    return model, layer


def statistics(layer):
    return np.array([layer.mean / layer.weight, layer.variance / layer.weight])


def fit(model, episodes):
    data = tf.data.Dataset.from_generator(
        lambda: iter(episodes),
        output_signature=maml.Episode(*(tf.TensorSpec(p.shape, p.dtype) for p in episodes[0])),
    )
    model.fit(data, verbose=0)


@pytest.mark.slow
def test_statistics_are_means_over_training_steps_in_which_old_ones_fade():
    model, layer = made()
    batches = [FAMILY.sample(3, [0, number]) for number in range(4)]
    fit(model, batches)
    inputs = [FAMILY.sample(2, SEED).support_x, *(batch.support_x for batch in batches)]
    values = [model.network.layers[0](tf.reshape(x, [-1, 9])).numpy() for x in inputs]
    weights = 0.99 ** np.arange(len(values))[::-1]
    moments = [np.array([v.mean(0), v.var(0)]) for v in values]
    expected = np.average(moments, axis=0, weights=weights)
    np.testing.assert_allclose(statistics(layer), expected, rtol=1e-4, atol=1e-6)

    model.evaluate(FAMILY.dataset(3, seed=9).take(1), verbose=0)
    np.testing.assert_allclose(statistics(layer), expected, rtol=1e-4, atol=1e-6)


def test_a_batch_that_is_no_number_leaves_the_statistics_alone():
    model, layer = made()
    before = statistics(layer)
    batch = FAMILY.sample(3, SEED)
    fit(model, [batch._replace(support_x=batch.support_x * math.nan)])
    np.testing.assert_array_equal(statistics(layer), before)


def test_statistics_are_of_what_the_network_is_given():
    """Behind a bottleneck its inputs are not the learner's own features."""
    bottleneck = maml.MRA()
    model, layer = made(bottleneck, embedding=True)
    for state in (layer.weight, layer.mean, layer.variance):
        state.assign(tf.zeros_like(state))
    bottleneck.posterior.mean.bias.assign(tf.fill([4], 3.0))
    batch = FAMILY.sample(3, SEED)
    fit(model, [batch])
    inputs = tf.reshape(model.embed(batch.support_x), [-1, 4]) + 3.0
    values = model.network.layers[0](inputs).numpy()
    np.testing.assert_allclose(statistics(layer)[0], values.mean(0), rtol=1e-4)


@pytest.mark.parametrize(("mode", "axes"), [("batch", (0, 1, 2)), ("layer", (1, 2, 3))])
def test_large_means_cost_no_precision(mode, axes):
    """Single precision has seven digits: a mean of 1,000 leaves four to a variance of one."""
    x = np.random.default_rng(0).standard_normal((6, 5, 4, 3)) + 1000
    layer = normalization.layer(mode)
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-3)
    np.testing.assert_allclose(layer(x.astype(np.float32)), expected, atol=1e-3)


@pytest.mark.parametrize("mode", ["batch", "layer"])
def test_second_derivatives_are_those_of_the_formula(mode):
    """Against finite differences of the first derivative, in double precision."""
    rng = np.random.default_rng(1)
    x, direction = (tf.constant(rng.standard_normal((4, 2, 3))) for _ in range(2))
    layer = normalization.layer(mode, dtype="float64")
    layer(x)
    layer.gamma.assign([0.5, 1.5, -2.0])

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(tf.sin(layer(x)) ** 2)
        return tape.gradient(value, x)

    with tf.GradientTape() as tape:
        tape.watch(x)
        along = tf.reduce_sum(gradient(x) * direction)
    step = 1e-5
    expected = (gradient(x + step * direction) - gradient(x - step * direction)) / (2 * step)
    np.testing.assert_allclose(tape.gradient(along, x), expected, rtol=1e-6, atol=1e-8)

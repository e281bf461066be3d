"""Which weights of a network adapt, and which networks can."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import maml
from maml.nn.functional import Functional, tensors
from pose_code import networks


def dense(units, inputs, name, seed=0):
    initializer = keras.initializers.GlorotNormal(seed)
    layer = keras.layers.Dense(units, kernel_initializer=initializer, name=name)
    return keras.Sequential([keras.Input((inputs,)), layer], name=f"part_{units}")


class Subclassed(keras.Model):
    """Layers of one name, and a weight of its own."""

    def __init__(self):
        super().__init__()
        self.parts = [keras.layers.Dense(2, name="same"), keras.layers.Dense(3, name="same")]
        self.factor = self.add_weight(name="factor", shape=(3,), initializer="ones")

    def call(self, x, training=None):
        for part in self.parts:
            x = part(x)
        return x * self.factor


def test_all_weights_adapt_whatever_their_layers_are_called():
    network = Subclassed()
    network(tf.ones([1, 4]))
    functional = Functional(network)
    assert len(functional.variables) == 5 and not functional.shared


class NoTrainingArgument(keras.Model):
    """Its ``call`` takes inputs only, and a layer within behaves otherwise in training."""

    def __init__(self):
        super().__init__()
        self.dense, self.norm = keras.layers.Dense(3), keras.layers.BatchNormalization()

    def call(self, x):
        return self.norm(self.dense(x))


def test_a_network_whose_call_takes_no_training_argument_is_called_in_training_mode():
    network, x = NoTrainingArgument(), tf.constant([[1.0], [2.0], [6.0]])
    network(x)
    weights = tensors(network.trainable_variables)
    y = Functional(network)(weights, [], x)
    kernel, bias, gamma, beta = (weight.numpy() for weight in weights)
    hidden = x.numpy() @ kernel + bias
    epsilon = network.norm.epsilon
    expected = gamma * (hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + epsilon) + beta
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    # The weights are arguments; nothing of the network itself changes.
    moved = Functional(network)([*weights[:2], 2 * weights[2], weights[3] + 1], [], x)
    np.testing.assert_allclose(moved, 2 * expected + 1, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(network.norm.moving_mean, tf.zeros(3))


def test_layers_are_chosen_by_name():
    network = keras.Sequential([keras.Input((4,)), dense(3, 4, "first"), dense(2, 3, "second")])
    functional = Functional(network, ["second"])
    assert [v.shape for v in functional.variables] == [(3, 2), (2,)]
    assert [v.shape for v in functional.shared] == [(4, 3), (3,)]
    # A network within the network is a layer, with all that is in it.
    assert [v.shape for v in Functional(network, ["part_3"]).variables] == [(4, 3), (3,)]
    with pytest.raises(ValueError, match="no layer of the network: third; its layers are.*first"):
        Functional(network, ["first", "third"])


def test_names_that_several_layers_share_choose_none():
    network = keras.Sequential([keras.Input((4,)), dense(3, 4, "same"), dense(2, 3, "same")])
    with pytest.raises(ValueError, match="several layers of the network at once: same"):
        Functional(network, ["same"])


def test_anil_adapts_the_last_layer_of_networks_within_networks():
    size = 16
    body = networks.convolutions(3, dim_w=4, filters=2)
    network = networks.chained(networks.tower(size, dim_w=4), body)
    model = maml.ANIL(network, maml.NormalHead(3))
    head = body.get_layer("head")
    assert [id(v) for v in model.functional.variables] == [id(head.kernel), id(head.bias)]


def test_dense_layers_behind_a_tower_by_hand():
    """Rectified between, and with weights of their own, drawn apart from those of the tower."""
    body = networks.dense(2, (16, 3), dim_w=16, seed=4)
    (a, b), (c, d), (e, f) = ([w.numpy() for w in layer.weights] for layer in body.layers[1:])
    x = np.random.default_rng(0).normal(size=(4, 16)).astype(np.float32)
    expected = np.maximum(np.maximum(x @ a + b, 0) @ c + d, 0) @ e + f
    np.testing.assert_allclose(body(x), expected, rtol=1e-4, atol=1e-5)
    tower = networks.tower(16, dim_w=16, seed=4)
    assert not {float(w[0, 0]) for w in (a, c, e)} & {
        float(w.numpy().flat[0]) for w in tower.weights
    }
    assert np.array_equal(networks.dense(2, (16, 3), dim_w=16, seed=4).get_weights()[0], a)


@pytest.mark.parametrize("kind", ["maml", "cnp"])
@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.Dropout(0.5, name="drop"), "layers drop: expected layers that draw no noise"),
        (keras.layers.GaussianNoise(0.1, name="jitter"), "layers jitter: expected"),
        (
            keras.layers.Dense(1, kernel_regularizer="l2", name="small"),
            "small/kernel: it is not",
        ),
        (keras.layers.Dropout(0.0, name="idle"), None),
        (keras.layers.Dense(1), None),
    ],
)
def test_what_keras_does_in_training_only_is_refused_where_it_would_go_unheeded(
    kind, layer, message
):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1), layer])
    learner = maml.make_learner(
        kind, maml.Networks(lambda outputs: network, lambda: network), maml.NormalHead()
    )
    episode = maml.Episode(*(tf.ones([2, 3, size]) for size in (2, 1, 2, 1)))
    if message is None:
        learner.create_weights(episode)
    else:
        with pytest.raises(ValueError, match=message):
            learner.create_weights(episode)


@pytest.mark.slow
def test_recurrent_networks_train_unless_they_are_noisy():
    def learner(rate):
        recurrent = keras.layers.LSTM(1, dropout=rate, name="lstm")
        network = keras.Sequential([keras.Input((3, 1)), recurrent])
        return maml.MAML(network, maml.NormalHead(), inner_steps=1)

    episode = maml.Episode(*(tf.ones(shape) for shape in ([2, 3, 3, 1], [2, 3, 1]) * 2))
    model = learner(0.0)
    model.create_weights(episode)
    model.compile("sgd")
    (loss,) = model.fit(tf.data.Dataset.from_tensors(episode), verbose=0).history["loss"]
    assert loss > 0
    with pytest.raises(ValueError, match="layers lstm_cell"):
        learner(0.1).create_weights(episode)

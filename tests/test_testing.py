"""The public checks of learners and regularizers, over every entry of the registries."""

import keras
import pytest
import tensorflow as tf

import maml
from maml import testing
from maml.core.options import parameters
from maml.nn.mlp import mlp_networks


def make(name):
    """A small learner of the registry, for the labels that it takes."""
    entry = maml.LEARNERS[name]
    head = maml.CategoricalHead(3) if entry.classification_only else maml.NormalHead()
    return maml.make_learner(name, mlp_networks(2, (8,), (8, 6)), head)


@pytest.mark.parametrize("name", maml.LEARNERS)
def test_every_learner_keeps_the_contract(name):
    testing.check_learner(make(name))


@pytest.mark.parametrize("name", maml.REGULARIZERS)
def test_every_regularizer_keeps_the_contract(name):
    entry = maml.REGULARIZERS[name]
    given = {"label_transform": maml.LabelScale()} if "label_transform" in parameters(entry) else {}
    testing.check_regularizer(entry(**given))


class Forgetful(maml.CNP):
    """Its empty state has another structure."""

    def initial_state(self, batch_size):
        return [super().initial_state(batch_size)]


class Mixing(maml.CNP):
    """Tasks of a batch share their state."""

    def encode(self, x, y, training=False):
        state = super().encode(x, y, training)
        return state + tf.reduce_mean(state, axis=0, keepdims=True)


class Loud(maml.Regularizer):
    """Logs what it does not list."""

    title = "loud"

    def term(self, learner, episode, features, prediction, seed, training):
        return tf.zeros([]), {"volume": tf.ones([])}


def test_the_checks_find_what_breaks_the_contract():
    embedding = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    with pytest.raises((ValueError, TypeError)):
        testing.check_learner(Forgetful(embedding, maml.NormalHead()))
    embedding = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    with pytest.raises(AssertionError, match="other tasks of its batch"):
        testing.check_learner(Mixing(embedding, maml.NormalHead()))
    with pytest.raises((AssertionError, KeyError)):
        testing.check_regularizer(Loud())

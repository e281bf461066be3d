"""The public checks of learners and regularizers, over every entry of the registries."""

import keras
import pytest
import tensorflow as tf
import toys
from marks import exhaustive

import maml
from maml import testing
from maml.core.options import parameters
from maml.nn.convolutions import convolutional_networks
from maml.nn.mlp import mlp_networks

SMALL = {"inner_steps": 2, "num_samples": 2, "particles": 2, "depth": 2}
"""Options that make learners smaller that have them."""


def make(name):
    """A small learner of the registry, for the labels that it takes."""
    entry = maml.LEARNERS[name]
    head = maml.CategoricalHead(3) if entry.classification_only else maml.NormalHead()
    options = {key: SMALL[key] for key in SMALL.keys() & set(maml.LEARNERS.options(name))}
    return maml.make_learner(name, mlp_networks(2, (8,), (8, 6)), head, **options)


@pytest.mark.parametrize("name", [*filter(toys.trains, maml.LEARNERS)])
def test_every_learner_keeps_the_contract(name):
    testing.check_learner(make(name))


@pytest.mark.parametrize("name", maml.REGULARIZERS)
def test_every_regularizer_keeps_the_contract(name):
    entry = maml.REGULARIZERS[name]
    given = {"label_transform": maml.LabelScale()} if "label_transform" in parameters(entry) else {}
    testing.check_regularizer(entry(**given))


@pytest.mark.parametrize("name", [*filter(toys.trains, maml.LEARNERS)])
def test_gradients_of_every_learner_are_checked_in_float64(name):
    learner = make(name)
    copy, episode = testing._for_differences(type(learner), learner.get_config(), (2,))
    assert episode.query_y.dtype == tf.float64 and len(copy.learner_variables) > 0
    assert {weight.dtype for weight in copy.learner_variables} == {"float64"}
    assert copy.exact_gradient == (name not in ("bmaml", "fomaml", "imaml", "memory", "reptile"))


def embedding():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "tanh")])


# -- learners that break the contract -------------------------------------------------------------


class Forgetful(maml.CNP):
    """Its empty state has another structure."""

    def initial_state(self, batch_size):
        return [super().initial_state(batch_size)]


class OneTask(maml.CNP):
    """Its empty state is always that of one task."""

    def initial_state(self, batch_size):
        return super().initial_state(1)


class Mixing(maml.CNP):
    """Tasks of a batch share their state."""

    def encode(self, x, y, training=False):
        state = super().encode(x, y, training)
        return state + tf.reduce_mean(state, axis=0, keepdims=True)


class MixingInTraining(maml.CNP):
    """Tasks of a batch share their state in training only."""

    def encode(self, x, y, training=False):
        state = super().encode(x, y, training)
        return state + tf.reduce_mean(state, axis=0, keepdims=True) if training else state


class Transductive(maml.CNP):
    """Queries of a task see each other."""

    def decode(self, state, x):
        return super().decode(state, x + tf.reduce_mean(x, axis=1, keepdims=True))


class IgnoresMask(maml.CNP):
    """Takes a mask, and treats padding as shots."""

    def encode(self, x, y, training=False, mask=None):
        return super().encode(x, y, training)


class RefusesMask(maml.CNP):
    """Takes a mask, and fails when it is given one."""

    def encode(self, x, y, training=False, mask=None):
        return super().encode(x, y, training) if mask is None else mask + y


class IgnoresSupport(maml.CNP):
    """Its state is the same whatever the support set holds."""

    def encode(self, x, y, training=False):
        return tf.zeros_like(super().encode(x, y, training))


@tf.custom_gradient
def doubled(x):
    return tf.identity(x), lambda upstream: 2 * upstream


class WrongGradient(maml.CNP):
    """The gradient of its embedding is twice what it should be."""

    def embed(self, x):
        return doubled(super().embed(x))


class WrongDecoder(maml.FOMAML):
    """As the first-order learner that it is, its gradient is none of the objective."""

    def decode(self, state, x, **step):
        return super().decode([doubled(part) for part in state], x, **step)


class NoDistribution(maml.CNP):
    def decode(self, state, x):
        return x


class NoTraining(maml.CNP):
    def encode(self, x, y):
        return super().encode(x, y)


class NoOptions(maml.CNP):
    def __init__(self, embedding, head):
        super().__init__(embedding, head)


class Narrow(maml.CNP):
    """Its empty state has another size."""

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 3])


class NoInitialState(maml.CNP):
    initial_state = None


class Noisy(maml.CNP):
    """Draws from a global random state."""

    def decode(self, state, x):
        return super().decode(state + tf.random.normal(tf.shape(state), dtype=state.dtype), x)


class Untold(maml.CNP):
    """Keeps an argument under another name."""

    def __init__(self, embedding, head, scale: float = 1.0, **kwargs):
        super().__init__(embedding, head, **kwargs)
        self.factor = scale


class Changing(maml.CNP):
    """Keeps another value than it was given."""

    def __init__(self, embedding, head, scale: float = 1.0, **kwargs):
        super().__init__(embedding, head, **kwargs)
        self.scale = scale * 2


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Forgetful, "initial_state returns another structure than encode"),
        (OneTask, "expected a leading axis of 3 tasks"),
        (Mixing, "A task's prediction depends on the other tasks of its batch"),
        (MixingInTraining, "In training, a task's prediction depends on the other tasks"),
        (Transductive, "depends on the other queries"),
        (IgnoresMask, "depends on the padding of its support set"),
        (RefusesMask, "an argument `mask`, and .* is raised"),
        (IgnoresSupport, "do not depend on the support labels"),
        (WrongGradient, "gradient of the objective differs from its finite difference"),
        (NoDistribution, "decode of NoDistribution returns a .*: expected a distribution"),
        (NoTraining, "encode of NoTraining cannot be called: .* argument 'training'"),
        (NoOptions, "constructor of NoOptions.* raises TypeError: .*; take .*options"),
        (Narrow, r"decode of Narrow, given .* sizes \[\[3\]\], where encode returns"),
        (NoInitialState, "initial_state is no method"),
        (Noisy, "Two predictions of the same episode differ"),
        (Untold, "takes `scale`, and there is no attribute of this name"),
        (Changing, r"other values of \['scale'\]"),
    ],
)
def test_a_learner_that_breaks_the_contract_is_found(kind, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_learner(kind(embedding(), maml.NormalHead()))


def test_a_wrong_gradient_of_a_first_order_learner_is_found():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(AssertionError, match="at a constant task state differs.*the task state"):
        testing.check_learner(WrongDecoder(network, maml.NormalHead()))


def test_normalization_by_the_current_batch_may_depend_on_other_queries():
    layers = [keras.layers.Dense(4, "tanh"), maml.CurrentBatchNormalization()]
    network = keras.Sequential([keras.Input((2,)), *layers])
    testing.check_learner(maml.CNP(network, maml.NormalHead()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["protonet", *exhaustive("maml++")])
def test_networks_of_images_keep_the_contract(name):
    """Thousands of rectifiers, whose kinks finite differences meet."""
    networks = convolutional_networks((28, 28, 1), filters=16)
    learner = maml.make_learner(name, networks, maml.CategoricalHead(5))
    testing.check_learner(learner, input_shape=(28, 28, 1))


# -- regularizers that break the contract ---------------------------------------------------------


class Term(maml.Regularizer):
    """Half the mean square of predictions, a regularizer that keeps the contract."""

    title, metric_names = "term", ("square",)

    def __init__(self, weight: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def value(self, prediction):
        return tf.reduce_mean(prediction.mean() ** 2) / 2

    def term(self, learner, episode, features, prediction, seed, training):
        square = self.value(prediction)
        return self.weight * square, {"square": square}


class Stopped(Term):
    """Its term has no gradient."""

    def value(self, prediction):
        return tf.stop_gradient(super().value(prediction))


class Doubled(Term):
    """Its term has twice its gradient."""

    def value(self, prediction):
        return doubled(super().value(prediction))


class Scaled(Doubled):
    """Says that its gradient is another one on purpose."""

    exact_gradient = False


class StoppedAndScaled(Stopped):
    """Says so too, and has none."""

    exact_gradient = False


class DoubledFeatures(maml.Regularizer):
    """The gradient of its features is wrong; it has no term."""

    title = "doubled features"

    def transform(self, features, seed=None):
        return doubled(features)


class Loud(Term):
    """Logs what it does not list."""

    metric_names = ()


class Quiet(Term):
    """Lists what it does not log."""

    metric_names = ("square", "volume")


class Losing(Term):
    """Loses an argument when it is saved."""

    def get_config(self):
        return {k: v for k, v in super().get_config().items() if k != "weight"}


class Hiding(Term):
    """Keeps an argument under another name."""

    def __init__(self, weight: float = 0.1, power: float = 2.0, **kwargs):
        super().__init__(weight, **kwargs)
        self.exponent = power


class Alone(Term):
    """Its term is a scalar without logs."""

    def term(self, *args, **kwargs):
        return super().term(*args, **kwargs)[0]


class TermWithoutTraining(Term):
    def term(self, learner, episode, features, prediction, seed):
        return super().term(learner, episode, features, prediction, seed, False)


def test_a_regularizer_that_keeps_the_contract_passes():
    testing.check_regularizer(Term())
    testing.check_regularizer(Scaled())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Stopped, "gradient of the term differs from its finite difference"),
        (Doubled, "gradient of the term differs from its finite difference"),
        (StoppedAndScaled, "gradient of the term is zero"),
        (DoubledFeatures, "objective with the regularizer differs from its finite difference"),
        (Loud, r"logs \['square'\], which metric_names does not list"),
        (Quiet, r"lists \['volume'\], which term never logs"),
        (Alone, r"term of Alone returns a .*: expected a pair, \(term, logs\)"),
        (TermWithoutTraining, "term of TermWithoutTraining cannot be called: .*'training'"),
        (Losing, r"loses the arguments \['weight'\]"),
        (Hiding, "takes `power`, and there is no attribute"),
    ],
)
def test_a_regularizer_that_breaks_the_contract_is_found(kind, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_regularizer(kind())


def test_the_package_shows_its_checks():
    assert maml.testing is testing

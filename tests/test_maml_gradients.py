"""Meta-gradients against finite differences and against work by hand, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import GRADIENT_BASED, UNREGISTERED, VARIANTS, Lines, finite_differences, learner

import maml
from maml.nn import task_map
from maml.regularizers.label_mi import scale_gradient

SEED = tf.constant([3, 1])
PERIOD = 10.0


def gradient_of(model, episode, variables):
    """As in training, in a graph: run eagerly, few tasks are not vectorised."""

    @tf.function(autograph=False)
    def gradients():
        with tf.GradientTape() as tape:
            objective, _ = model.objective(episode, SEED, training=True)
        return tape.gradient(objective, variables, unconnected_gradients="zero")

    return gradients()


@pytest.mark.parametrize("tasks", [task_map.UNROLLED_EAGERLY, task_map.UNROLLED_EAGERLY + 1])
def test_few_tasks_outside_a_graph_have_the_same_objective(tasks):
    episode = Lines(dtype=tf.float64).sample(tasks, SEED)
    model = learner("maml", maml.NormalHead(), 9, dtype="float64")
    model.create_weights(episode)
    graph = tf.function(lambda: model.objective(episode, SEED)[0], autograph=False)
    np.testing.assert_allclose(model.objective(episode, SEED)[0], graph(), rtol=1e-12)


def assert_close(gradients, expected):
    scale = max(np.abs(e).max() for e in expected)
    for gradient, reference in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=0, atol=1e-6 * scale)


# Losses are those of the head: one learner that adapts and one that does not tell whether the
# second head's are right.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "head"),
    [(k, maml.NormalHead()) for k in ("maml", "cnp", *UNREGISTERED)]
    + [(k, maml.CircularHead(PERIOD, 7)) for k in ("maml", "cnp")],
)
def test_meta_gradient_equals_finite_differences(kind, head):
    episode = Lines(dtype=tf.float64).sample(3, SEED)
    model = learner(kind, head, 9, dtype="float64")
    model.create_weights(episode)
    variables = model.learner_variables
    expected = finite_differences(
        lambda: model.objective(episode, SEED, training=True)[0], variables
    )
    assert_close(gradient_of(model, episode, variables), expected)


# Terms without a critic are in test_regularizers.py.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "term", "bound"),
    [
        ("maml", maml.LabelMI, "dv"),
        ("maml", maml.PredictionMI, "js"),
        ("cnp", maml.PredictionMI, "js"),
    ],
)
def test_gradient_with_information_term_equals_finite_differences(kind, term, bound):
    """At weight 1 nothing is rescaled, so the sum of both players' objectives has this gradient."""
    episode = Lines(dtype=tf.float64).sample(3, SEED)
    options = {"weight": 1.0, "warmup_nats": 0.0, "hidden": (4,), "dtype": "float64"}
    term = term(maml.LabelScale(), bound, **options)
    model = learner(kind, maml.NormalHead(), 9, [term], "float64")
    model.create_weights(episode)
    for variable in term.critic_variables:  # Away from the kinks of rectifiers at zero.
        variable.assign(variable + 0.1)

    def objective():
        return model.objective(episode, SEED, training=False)[0]

    variables = model.learner_variables + term.critic_variables
    model.objective(episode, SEED, training=True)  # The critic's moments take something in.
    with tf.GradientTape() as tape:
        value = objective()
    gradients = tape.gradient(value, variables, unconnected_gradients="zero")
    assert_close(gradients, finite_differences(objective, variables))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "bound"),
    [("label", "mine"), ("label", "dv"), ("prediction", "mine"), ("prediction", "js")],
)
def test_one_pass_gives_each_player_its_own_gradient(kind, bound):
    """The learner's gradient is that of task loss - lambda I, the critic's that of -I."""
    episode = Lines(dtype=tf.float64).sample(3, SEED)
    weight = 0.3

    def build(weight):
        options = {"weight": weight, "dtype": "float64"}
        if kind == "label":
            term = maml.LabelMI(maml.LabelScale(), bound, warmup_nats=0.0, **options)
        else:
            term = maml.PredictionMI(maml.LabelScale(), bound, power_penalty=0.0, **options)
        model = learner("cnp", maml.NormalHead(), 9, [term], "float64")
        model.create_weights(episode)
        return model, term

    (model, term), (plain, whole) = build(weight), build(1.0)
    players = model.learner_variables, term.critic_variables
    learner_gradient, critic_gradient = gradient_of(model, episode, players)

    with tf.GradientTape(persistent=True) as tape:
        objective, logs = plain.objective(episode, SEED, training=True)
        information = logs["task_loss"] - objective
        two_pass = logs["task_loss"] - weight * information
        critic_loss = -information
    assert_close(learner_gradient, tape.gradient(two_pass, plain.learner_variables))
    assert_close(critic_gradient, tape.gradient(critic_loss, whole.critic_variables))


def test_scale_gradient_is_the_identity_forward():
    x = tf.Variable([1.1, -2.7])
    with tf.GradientTape() as tape:
        y = scale_gradient(x + 0.0, tf.constant(0.25))
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(tape.gradient(y, x), [0.25, 0.25])


@pytest.mark.parametrize("steps", [1, 3])
def test_first_order_maml_is_first_order_in_every_step(steps):
    """Its gradient is the query loss's at the adapted weights, as if they had been the start."""
    episode = Lines(dtype=tf.float64).sample(1, SEED)
    model = learner("fomaml", maml.NormalHead(), 9, dtype="float64", inner_steps=steps)
    model.create_weights(episode)
    variables = model.network.trainable_variables
    adapted = [w[0] for w in model.encode(episode.support_x, episode.support_y, training=True)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(adapted)
        outputs = model.functional(adapted, [], episode.query_x[0])
        loss = tf.reduce_mean((outputs - episode.query_y[0]) ** 2)
    assert_close(gradient_of(model, episode, variables), tape.gradient(loss, adapted))

    second_order = learner("maml", maml.NormalHead(), 9, dtype="float64", inner_steps=steps)
    second_order.create_weights(episode)
    full = gradient_of(second_order, episode, second_order.network.trainable_variables)
    assert any(
        np.abs(a - b).max() > 1e-3 for a, b in zip(full, tape.gradient(loss, adapted), strict=True)
    )


@pytest.mark.parametrize("kind", [*GRADIENT_BASED, *VARIANTS])
def test_weights_adapt(kind):
    """Consistent gradients of a loop that stands still would pass every other test."""
    episode = Lines(dtype=tf.float64).sample(2, SEED)
    model = learner(kind, maml.NormalHead(), 9, dtype="float64")
    adapted = model.encode(model.features(episode.support_x), episode.support_y, training=True)
    for start, end in zip(model.initial_state(2), adapted, strict=True):
        assert np.all(np.abs(end - start).max(axis=tuple(range(1, end.shape.rank))) > 1e-4)
    assert not np.allclose(adapted[-1][0], adapted[-1][1])


@pytest.mark.parametrize("variant", ["recompute", "map_fn", "unrolled"])
def test_how_it_is_computed_changes_nothing(variant):
    episode = Lines(dtype=tf.float64).sample(3, SEED)
    values, gradients = [], []
    for kind in ("maml", f"maml-{variant}"):
        model = learner(kind, maml.NormalHead(), 9, dtype="float64")
        model.create_weights(episode)
        values.append(model(episode))
        gradients.append(gradient_of(model, episode, model.learner_variables))
    np.testing.assert_allclose(values[0], values[1], rtol=1e-12)
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_a_list_of_no_layers_that_adapt_is_refused():
    with pytest.raises(ValueError, match="no trainable weights that could adapt"):
        learner("maml", maml.NormalHead(), 9, adapt_only=[])


def test_without_inner_steps_the_prior_predicts():
    episode = Lines(dtype=tf.float64).sample(2, SEED)
    model = learner("maml", maml.NormalHead(), 9, dtype="float64", test_inner_steps=0)
    expected = model.decode(model.initial_state(2), episode.query_x).mean()
    np.testing.assert_array_equal(model(episode), expected)


def test_multi_step_loss_needs_a_step():
    with pytest.raises(ValueError, match="expects 1 or more.*received 0"):
        learner("maml++", maml.NormalHead(), 9, inner_steps=0)


def test_inner_step_by_hand():
    """One step of squared error on y = w x + b from (w, b): plain numpy says where it lands."""
    x, y = np.array([[1.0], [2.0], [-1.0]]), np.array([[2.0], [1.0], [0.0]])
    network = keras.Sequential(
        [keras.Input((1,), dtype="float64"), keras.layers.Dense(1, dtype="float64")]
    )
    network.set_weights([np.array([[0.5]]), np.array([0.1])])
    model = maml.MAML(network, maml.NormalHead(), inner_lr=0.1, inner_steps=1, dtype="float64")
    w, b = (w[0] for w in model.encode(tf.constant(x[None]), tf.constant(y[None])))
    error = 0.5 * x + 0.1 - y
    assert w.numpy().item() == pytest.approx(0.5 - 0.1 * (2 * error * x).mean(), abs=1e-12)
    assert b.numpy().item() == pytest.approx(0.1 - 0.1 * (2 * error).mean(), abs=1e-12)
    assert network.get_weights()[0].item() == 0.5  # The network's own weights stay.


@pytest.mark.parametrize("kind", ["maml", "cnp", *UNREGISTERED])
def test_batch_of_tasks_equals_loop_over_tasks(kind):
    episode = Lines(dtype=tf.float64).sample(4, SEED)
    model = learner(kind, maml.NormalHead(), 9, dtype="float64")
    model.create_weights(episode)
    together = model(episode)
    for task in range(4):
        alone = model(maml.Episode(*(part[task : task + 1] for part in episode)))
        np.testing.assert_allclose(together[task], alone[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["Batch", "Layer", "Group"])
def test_keras_normalization_is_refused_where_its_second_derivative_matters(kind):
    options = {"groups": 1} if kind == "Group" else {}
    norm = getattr(keras.layers, f"{kind}Normalization")(name="norm", **options)
    network = keras.Sequential([keras.Input((2,)), norm, keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="norm.*CurrentBatchNormalization"):
        maml.MAML(network, maml.NormalHead())
    maml.MAML(network, maml.NormalHead(), first_order=True)


def test_current_batch_normalization_equals_keras_in_training_mode():
    x = np.random.default_rng(0).normal(2.0, 3.0, (16, 4, 4, 3)).astype(np.float32)
    ours = maml.CurrentBatchNormalization()(x)
    theirs = keras.layers.BatchNormalization()(x, training=True)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)

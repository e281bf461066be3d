"""PLATIPUS and BMAML against MAML, against work in NumPy and against finite differences."""

import numpy as np
import pytest
import tensorflow as tf
from toys import Lines, finite_differences, perceptron

import maml
from maml.core.episodes import fold_in
from maml.learners.probabilistic.abml import ABML
from maml.learners.probabilistic.bmaml import BMAML, stein_directions
from maml.learners.probabilistic.platipus import PLATIPUS
from maml.learners.probabilistic.weight_samples import normal_divergence

SEED = tf.constant([3, 1])
EPISODE = Lines(dtype=tf.float64).sample(2, SEED)
ADAPTS = {"inner_lr": 0.1, "inner_steps": 2, "dtype": "float64"}


def made(kind, head=None, **options):
    """A learner with the weights that MAML has, too."""
    head = head or maml.NormalHead()
    learner = kind(perceptron(9, head.units, 0, "float64"), head, **(ADAPTS | options))
    learner.create_weights(EPISODE)
    return learner


def with_gradient(learner, variables, seed=SEED):
    with tf.GradientTape() as tape:
        objective, _ = learner.objective(EPISODE, seed, training=True)
    return objective, tape.gradient(objective, variables, unconnected_gradients="zero")


def assert_is_maml(learner, tolerance):
    """Same predictions, loss and meta-gradient of the network's weights."""
    plain = made(maml.MAML, learner.head)
    np.testing.assert_allclose(learner(EPISODE), plain(EPISODE), atol=tolerance)
    for ours, theirs in zip(
        learner.encode(EPISODE.support_x, EPISODE.support_y),
        plain.encode(EPISODE.support_x, EPISODE.support_y),
        strict=True,
    ):
        np.testing.assert_allclose(ours[:, 0], theirs, atol=tolerance)
    ours, theirs = (with_gradient(one, one.network.trainable_variables) for one in (learner, plain))
    np.testing.assert_allclose(ours[0], theirs[0], atol=tolerance)
    for gradient, expected in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(gradient, expected, atol=tolerance * 10)


@pytest.mark.parametrize("head", [maml.NormalHead(), maml.GaussianHead()])
def test_one_particle_is_maml(head):
    assert_is_maml(made(BMAML, head, particles=1, chaser=False), 1e-12)


@pytest.mark.parametrize("head", [maml.NormalHead(), maml.GaussianHead()])
def test_platipus_without_variance_is_maml(head):
    learner = made(PLATIPUS, head, sigma=1e-12, num_samples=2, num_train_samples=2)
    for rate in (learner.prior_rate, learner.posterior_rate):
        rate.assign(0.0)
    assert_is_maml(learner, 1e-8)


# -- PLATIPUS -------------------------------------------------------------------------------------


def test_divergence_of_normals_is_its_integral():
    rng = np.random.default_rng(0)
    mean, other = rng.normal(size=(2, 2, 3))
    log_s, log_o = rng.normal(0, 0.3, (2, 3))
    found = normal_divergence([mean], [log_s], [other], [log_o])
    grid = np.linspace(-12, 12, 20001)[:, None, None]

    def log_density(m, log_scale):
        return -0.5 * ((grid - m) / np.exp(log_scale)) ** 2 - log_scale - np.log(2 * np.pi) / 2

    q, p = log_density(mean, log_s), log_density(other, log_o)
    expected = np.trapezoid(np.exp(q) * (q - p), grid, axis=0).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_the_loss_of_platipus_is_the_bound_per_query():
    """With a mean likelihood, the divergence is divided by the number of queries."""
    (once, _), (twice, _) = (
        with_gradient(made(PLATIPUS, divergence_weight=weight, sigma=0.1), [])
        for weight in (1.0, 2.0)
    )
    learner = made(PLATIPUS, sigma=0.1)
    x, y = EPISODE.support_x, EPISODE.support_y
    queries = EPISODE.query_x, EPISODE.query_y
    start = learner.network.get_weights()

    def moved(x, y):  # One step of gradient descent at rate 0.1 from the shared weights.
        single = made(maml.MAML, inner_steps=1)
        return single.encode(x, y)

    square = sum(
        np.sum((np.asarray(a) - np.asarray(b)) ** 2, axis=tuple(range(1, len(a.shape))))
        for a, b in zip(moved(x, y), moved(*queries), strict=True)
    )
    nats = np.mean(square) / (2 * 0.1**2)  # Equal variances.
    assert len(start) and nats > 0.1
    np.testing.assert_allclose(twice - once, nats / EPISODE.query_y.shape[1], rtol=1e-6)


def test_draws_belong_to_the_step_in_training_and_to_the_seed_elsewhere():
    learner = made(PLATIPUS, num_samples=2, sigma=0.1)
    one = with_gradient(learner, [])[0]
    np.testing.assert_array_equal(one, with_gradient(learner, [])[0])
    assert with_gradient(learner, [], fold_in(SEED, 1))[0] != one
    # Elsewhere tasks of one support set have one state, whose samples differ.
    x, y = (tf.repeat(part[:1], 2, axis=0) for part in EPISODE[:2])
    state = learner.encode(x, y)
    assert all(part.shape[1] == 2 for part in state)
    for part in state:
        np.testing.assert_allclose(part[0], part[1], rtol=1e-12)
        assert np.abs(part[:, 0] - part[:, 1]).max() > 1e-2
    other = made(PLATIPUS, num_samples=2, sigma=0.1, seed=1).encode(x, y)
    assert np.abs(other[0] - state[0]).max() > 1e-2
    with learner._drawing(SEED):
        inside = learner.encode(x, y, training=True)
    assert inside[0].shape[1] == 1 and np.abs(inside[0][0] - inside[0][1]).max() > 1e-2


# -- ABML -----------------------------------------------------------------------------------------


def test_abml_without_variance_or_divergence_adapts_as_maml():
    learner, plain = made(ABML, sigma=1e-10, num_samples=2, divergence_weight=0.0), made(maml.MAML)
    support = EPISODE[:2]
    for ours, theirs in zip(learner.encode(*support), plain.encode(*support), strict=True):
        np.testing.assert_allclose(ours[:, 1], theirs, atol=1e-7)
    np.testing.assert_allclose(learner(EPISODE), plain(EPISODE), atol=1e-7)


def test_inner_steps_of_abml_take_the_next_shots_in_turn():
    few = {"inner_batch_size": 2, "inner_steps": 3}
    learner = made(ABML, sigma=1e-10, num_samples=2, divergence_weight=0.0, **few)
    np.testing.assert_allclose(learner(EPISODE), made(maml.MAML, **few)(EPISODE), atol=1e-7)
    mask = tf.constant([[True] * 3 + [False]] * EPISODE.support_y.shape[0])
    short = EPISODE._replace(support_x=EPISODE.support_x[:, :3], support_y=EPISODE.support_y[:, :3])
    for order in ([0, 1, 2, 3], [3, 0, 1, 2]):  # Padding stands last, or first.
        parts = [tf.gather(part, order, axis=1) for part in (*EPISODE[:2], mask)]
        padded = maml.PaddedEpisode(*parts[:2], *EPISODE[2:], parts[2])
        np.testing.assert_allclose(learner(padded), learner(short), atol=1e-9)


def test_the_divergence_holds_the_posterior_of_abml_near_its_prior():
    x, y = EPISODE[:2]

    def nats(weight):
        learner = made(ABML, divergence_weight=weight, sigma=0.5, inner_lr=0.01)
        return normal_divergence(*learner.posterior_path(x, y)[-1], *learner.prior())

    free, held = nats(0.0), nats(10.0)
    assert np.all(held < free) and np.all(held > 0)


def test_the_loss_of_abml_is_the_bound_over_all_its_points():
    """With no inner step q is the prior, whose divergence is 0 and whose draws are known."""
    learner = made(ABML, inner_steps=0, sigma=1e-10)
    plain = made(maml.MAML, inner_steps=0)
    losses = [
        (plain.decode(plain.initial_state(2), x).mean() - y) ** 2
        for x, y in (EPISODE[:2], EPISODE[2:4])
    ]
    expected = tf.reduce_mean(tf.concat(losses, axis=1))
    np.testing.assert_allclose(with_gradient(learner, [])[0], expected, rtol=1e-7)
    x, y = EPISODE[:2]
    adapted = made(ABML, sigma=0.1, num_train_samples=2)
    nats = normal_divergence(*adapted.posterior_path(x, y, True)[-1], *adapted.prior())
    assert np.all(nats > 0.1)


# -- BMAML ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 4])
def test_stein_directions_are_those_of_numpy(count):
    """A loop over pairs: the mean of kernels times gradients, less that of kernels' slopes."""
    rng = np.random.default_rng(count)
    shapes, shots = [(3, 2), (2,)], np.array([4.0, 7.0])
    particles, gradients = ([rng.normal(size=(2, count, *s)) for s in shapes] for _ in range(2))
    found = stein_directions([tf.constant(p) for p in particles], gradients, tf.constant(shots))
    found = np.concatenate([np.reshape(part, [2, count, -1]) for part in found], axis=-1)
    for task in range(2):
        phi, g = (
            np.concatenate([p[task].reshape(count, -1) for p in parts], axis=-1)
            for parts in (particles, gradients)
        )
        pairs = [np.sum((phi[i] - phi[j]) ** 2) for i in range(count) for j in range(i)]
        h = np.median(pairs) / np.log(count)
        for i in range(count):
            total = np.zeros_like(phi[i])
            for j in range(count):
                k = np.exp(-np.sum((phi[j] - phi[i]) ** 2) / h)
                slope = -2 / h * (phi[j] - phi[i]) * k
                total += k * g[j] - slope / shots[task]
            np.testing.assert_allclose(found[task, i], total / count, rtol=1e-9, atol=1e-12)


def test_particles_that_coincide_move_by_their_gradients():
    particles = [tf.ones([1, 3, 2], tf.float64)]
    gradients = [tf.constant([[[1.0, 0.0], [2.0, 0.0], [3.0, 3.0]]], tf.float64)]
    (found,) = stein_directions(particles, gradients, tf.ones([1], tf.float64))
    np.testing.assert_allclose(found, np.full((1, 3, 2), [2.0, 1.0]))


@pytest.mark.slow
def test_the_meta_gradient_of_bmaml_equals_finite_differences():
    learner = made(BMAML, particles=3, chaser=False)
    variables = learner.learner_variables
    assert len(variables) == 3 * 4
    expected = finite_differences(
        lambda: learner.objective(EPISODE, SEED, training=True)[0], variables
    )
    found = with_gradient(learner, variables)[1]
    for gradient, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, reference, atol=1e-6)


def test_the_chaser_follows_a_leader_that_saw_the_queries_and_stands_still():
    learner = made(BMAML, particles=2)
    x, y = (tf.concat(parts, axis=1) for parts in (EPISODE[::2], EPISODE[1::2]))
    follower = learner.encode(EPISODE.support_x, EPISODE.support_y, training=True)
    leader = learner.stein_path(follower, x, y, 1)[-1]
    assert all(np.abs(a - b).max() > 1e-4 for a, b in zip(follower, leader, strict=True))
    variables = learner.learner_variables
    objective, found = with_gradient(learner, variables)
    with tf.GradientTape() as tape:
        here = learner.encode(EPISODE.support_x, EPISODE.support_y, training=True)
        distance = sum(
            tf.reduce_sum((a - b) ** 2) / 2 for a, b in zip(here, leader, strict=True)
        )  # Of two tasks.
    for gradient, expected in zip(found, tape.gradient(distance, variables), strict=True):
        np.testing.assert_allclose(gradient, expected, atol=1e-12)
    mixture = learner.decode(follower, EPISODE.query_x)
    loss = tf.reduce_mean(learner.head.loss(mixture, EPISODE.query_y))
    np.testing.assert_allclose(objective, loss, rtol=1e-12)


def test_particles_start_apart_and_as_large():
    first, second = made(BMAML, particles=2), made(BMAML, particles=2, initializer_seed=1)
    for start, other in zip(first.starts(), second.starts(), strict=True):
        np.testing.assert_array_equal(start[0], other[0])
        np.testing.assert_array_equal(*(np.sort(np.ravel(part)) for part in start))
    kernel = first.starts()[0]
    assert np.abs(kernel[0] - kernel[1]).max() > 0.1
    assert np.abs(kernel[1] - second.starts()[0][1]).max() > 0.1


@pytest.mark.parametrize(
    "options", [{"inner_optimizer": "adam"}, {"inner_batch_size": 2}, {"recompute": True}]
)
def test_bmaml_refuses_what_its_steps_do_not_have(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"`{name}`: expected .* Leave it out"):
        made(BMAML, **options)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (BMAML, {"chaser": "no"}, "`chaser`: expected True or False; received 'no'"),
        (BMAML, {"particles": None}, "`particles`: expected a whole number, 1 or more; received"),
        (BMAML, {"initializer_seed": 1.5}, "`initializer_seed`: expected a whole number, 0 or"),
        (PLATIPUS, {"num_samples": None}, "`num_samples`: expected a whole number, 1 or more"),
        (PLATIPUS, {"inner_steps": 1.5}, "`inner_steps`: expected a whole number, 0 or more"),
    ],
)
def test_values_of_another_kind_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        made(kind, **options)

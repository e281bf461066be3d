"""Implicit MAML against the closed form of ridge regression and converged finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import finite_differences, perceptron

import maml
from maml.learners.gradient_based.implicit import SOLVERS, conjugate_gradient, neumann

SEED = tf.constant([3, 1])


def episodes(tasks=2, shots=30, queries=4, inputs=3, seed=0):
    """Tasks of unrelated numbers, float64."""
    rng = np.random.default_rng(seed)
    shapes = [(shots, inputs), (shots, 1), (queries, inputs), (queries, 1)]
    return maml.Episode(*(tf.constant(rng.normal(size=(tasks, *shape))) for shape in shapes))


def linear(regularization=1.0, inner_steps=35, solver_steps=3, **options):
    """A learner of y = x w, with as many weights as solver steps; it starts away from zero."""
    dense = keras.layers.Dense(1, use_bias=False, dtype="float64")
    network = keras.Sequential([keras.Input((3,), dtype="float64"), dense])
    network.set_weights([np.array([[-1.0], [0.5], [1.0]])])
    return maml.IMAML(
        network,
        maml.NormalHead(),
        regularization=regularization,
        inner_lr=1 / (regularization + 2),
        inner_steps=inner_steps,
        solver_steps=solver_steps,
        task_map="map_fn",
        dtype="float64",
        **options,
    )


def nonlinear(task_map="map_fn", inner_steps=40, solver_steps=10):
    """A tanh network whose first layer adapts; its last and the embedding are shared by tasks."""
    network = perceptron(2, 1, seed=0, dtype="float64")
    return maml.IMAML(
        network,
        maml.NormalHead(),
        embedding=perceptron(3, 2, seed=10, dtype="float64"),
        adapt_only=[network.layers[0].name],
        inner_lr=0.2,
        inner_steps=inner_steps,
        regularization=3.0,
        solver_steps=solver_steps,
        task_map=task_map,
        dtype="float64",
    )


def meta_gradient(model):
    """A function from episodes to the gradient at all variables of the learner, as one vector."""

    @tf.function(autograph=False)
    def gradient(episode):
        with tf.GradientTape() as tape:
            objective, _ = model.objective(episode, SEED, training=True)
        parts = tape.gradient(objective, model.learner_variables)
        return tf.concat([tf.reshape(part, [-1]) for part in parts], 0)

    return gradient


# -- ridge regression -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("damping", [0.0, 3.0])
def test_linear_network_is_ridge_regression_around_the_start(damping):
    """phi* = (H + I)^-1 (2 x'y / n + theta) at lambda = 1; the meta-gradient follows from it."""
    episode = episodes()
    model = linear(damping=damping)
    theta = model.network.get_weights()[0]
    (adapted,) = model.encode(episode.support_x, episode.support_y, training=True)
    expected = np.zeros_like(theta)
    for task, (x, y, query_x, query_y) in enumerate(
        zip(*(part.numpy() for part in episode), strict=True)
    ):
        hessian = 2 * x.T @ x / len(x)
        phi = np.linalg.solve(hessian + np.eye(3), 2 * x.T @ y / len(x) + theta)
        np.testing.assert_allclose(adapted[task], phi, rtol=0, atol=1e-8)
        query_gradient = 2 * query_x.T @ (query_x @ phi - query_y) / len(query_x)
        held = np.eye(3) + hessian / (1 + damping)
        expected += np.linalg.solve(held, query_gradient) / 2
    gradient = meta_gradient(model)(episode)
    assert np.linalg.norm(gradient - expected[:, 0]) < 1e-6 * np.linalg.norm(expected)


def test_a_task_without_support_loss_leaves_the_query_gradient_alone():
    """Where the support is flat, H = 0: the weights stay, and so does the gradient."""
    episode = episodes()
    episode = episode._replace(support_x=tf.zeros_like(episode.support_x))
    model = linear(inner_steps=2)
    theta = model.network.get_weights()[0]
    x, y = (part.numpy().reshape(-1, part.shape[-1]) for part in episode[2:])
    expected = 2 * x.T @ (x @ theta - y) / len(x)
    np.testing.assert_allclose(meta_gradient(model)(episode), expected[:, 0], rtol=1e-12)


# -- converged finite differences -----------------------------------------------------------------


@pytest.mark.slow
def test_meta_gradient_equals_finite_differences_of_the_converged_objective():
    """At the weights that adapt, those that do not, and the embedding."""
    episode = episodes(shots=6, seed=1)
    model = nonlinear()
    gradient = meta_gradient(model)(episode)
    differences = finite_differences(
        lambda: model.objective(episode, SEED, training=True)[0], model.learner_variables
    )
    expected = np.concatenate([np.ravel(part) for part in differences])
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("damping", [0.0, 3.0])
def test_labels_have_the_gradient_of_their_influence_on_the_solution(damping):
    """A label that were itself predicted would get it: ridge regression says what it is.

    With damping it is the influence on a solution that is held by so much more.
    """
    episode = episodes(tasks=1)
    model = linear(damping=damping)
    labels = tf.constant(episode.support_y)
    with tf.GradientTape() as tape:
        tape.watch(labels)
        (adapted,) = model.encode(episode.support_x, labels, training=True)
        first = adapted[0, 0, 0]
    x = episode.support_x[0].numpy()
    held = 2 * x.T @ x / len(x) + (1 + damping) * np.eye(3)
    expected = np.linalg.solve(held, 2 * x.T / len(x))[0]
    np.testing.assert_allclose(tape.gradient(first, labels)[0, :, 0], expected, atol=1e-12)


# -- solvers --------------------------------------------------------------------------------------


def system(n=8, seed=0):
    """A random symmetric positive definite matrix, a right-hand side, and a product with it."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    matrix = root @ root.T + np.eye(n)
    return matrix, rng.normal(size=n), lambda v: tf.linalg.matvec(tf.constant(matrix), v)


def test_conjugate_gradient_is_exact_after_as_many_steps_as_unknowns():
    matrix, b, matvec = system()
    exact = np.linalg.solve(matrix, b)
    np.testing.assert_allclose(conjugate_gradient(matvec, tf.constant(b), 8), exact, rtol=1e-8)
    # Steepest descent, which is easily taken for it, is nowhere near by then.
    x, residual = np.zeros(8), b
    for _ in range(8):
        x = x + residual * (residual @ residual) / (residual @ matrix @ residual)
        residual = b - matrix @ x
    assert np.linalg.norm(x - exact) > 1e-2 * np.linalg.norm(exact)


def test_conjugate_gradient_stays_at_a_solution_it_has_found():
    _, b, _ = system()
    solution = conjugate_gradient(lambda v: 3 * v, tf.constant(b), 5)
    np.testing.assert_allclose(solution, b / 3, rtol=1e-15)
    nothing = conjugate_gradient(lambda v: 3 * v, tf.zeros([4]), 5)
    np.testing.assert_array_equal(nothing, np.zeros(4))


def test_neumann_series_converges_where_eigenvalues_are_below_two():
    matrix, b, _ = system()
    matrix = matrix / np.linalg.eigvalsh(matrix).max() + 0.5 * np.eye(8)  # In (0.5, 1.5].
    matvec = tf.function(lambda v: tf.linalg.matvec(tf.constant(matrix), v))
    exact = np.linalg.solve(matrix, b)
    errors = [np.linalg.norm(neumann(matvec, tf.constant(b), k) - exact) for k in (0, 1, 10, 60)]
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 1e-12 * np.linalg.norm(exact)


@pytest.mark.slow
def test_solver_is_an_argument_by_name_or_as_a_function():
    episode = episodes()

    def gradient(solver, solver_steps=1):
        model = linear(20.0, inner_steps=3, solver=solver, solver_steps=solver_steps)
        return meta_gradient(model)(episode)

    exact = gradient("cg", 3)
    np.testing.assert_allclose(gradient("neumann", 20), exact, rtol=1e-10)
    first_order = gradient(lambda matvec, b, steps: b)
    double = gradient(lambda matvec, b, steps: (steps + 1) * b)
    np.testing.assert_allclose(double, 2 * first_order, rtol=1e-12)
    assert np.abs(first_order - exact).max() > 1e-3


# -- as a learner ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_gradient_is_the_same_however_tasks_are_mapped_and_for_a_loop_over_tasks():
    episode = episodes(tasks=3, shots=6)
    gradients = [
        meta_gradient(nonlinear(task_map, 3, 3))(episode)
        for task_map in ("map_fn", "vectorized", "unrolled")
    ]
    one_task = meta_gradient(nonlinear("map_fn", 3, 3))
    alone = [one_task(maml.Episode(*(part[t : t + 1] for part in episode))) for t in range(3)]
    for gradient in gradients:
        np.testing.assert_allclose(gradient, np.mean(alone, axis=0), rtol=1e-10, atol=1e-12)


def test_only_the_last_of_the_weights_visited_has_a_gradient():
    episode = episodes()
    model = linear(inner_steps=3)
    (variable,) = model.network.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        states = model.encode_path(episode.support_x, episode.support_y, training=True)
    start, *before, last = [tape.gradient(state, variable) for state in states]
    np.testing.assert_array_equal(start, np.full((3, 1), 2.0))  # Once for each task.
    assert before == [None, None]
    assert np.abs(last).min() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "cholesky"}, f"expected one of {', '.join(SOLVERS)}, or a function"),
        ({"regularization": 0.0}, "`regularization`: expected a finite number above 0"),
        ({"solver_steps": 0}, "`solver_steps`: expected a whole number, 1 or more"),
        ({"damping": -1.0}, "`damping`: expected a finite number, 0 or more"),
        ({"first_order": True}, "Use FOMAML"),
        ({"recompute": True}, "expected False, since no inner step is kept anyway"),
    ],
)
def test_options_without_a_meaning_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        linear(**options)


def test_keras_normalization_is_refused_since_products_with_the_hessian_need_second_derivatives():
    network = keras.Sequential(
        [keras.Input((2,)), keras.layers.BatchNormalization(name="norm"), keras.layers.Dense(1)]
    )
    with pytest.raises(ValueError, match="norm.*CurrentBatchNormalization"):
        maml.IMAML(network, maml.NormalHead())

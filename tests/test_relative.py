"""The relative neural process: its answer by hand, and that it moves as labels move."""

import numpy as np
import pytest
import tensorflow as tf
from toys import Lines, learner, perceptron

import maml

SEED = tf.constant([3, 1])


def made(head, seed=0):
    """A learner of random weights, and episodes with labels that suit its head."""
    episode = Lines(dtype=tf.float64).sample(3, SEED)
    model = learner("relative-cnp", head, 9, dtype="float64", seed=seed)
    if isinstance(head, maml.CategoricalHead):
        chosen = tf.random.stateless_uniform([3, 4], SEED, 0, 4, tf.int32)
        labels = tf.one_hot(chosen, 4, dtype=tf.float64)
        episode = episode._replace(support_y=labels, query_y=labels[:, :3])
    model.create_weights(episode)
    rng = np.random.default_rng(seed)
    for variable in model.learner_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model, episode


def test_the_answer_is_a_weighted_mean_over_shots_by_hand():
    model, episode = made(maml.NormalHead())
    shots, queries = (model.embed(x).numpy() for x in (episode.support_x, episode.query_x))
    prediction = model(episode).numpy()
    first, last = (layer.get_weights() for layer in model.comparison)
    (a, a_bias), (b, b_bias) = (layer.get_weights() for layer in model.products)
    for task, x, query in np.ndindex(3, 3, 1):
        own, scores, answers = queries[task, x], [], []
        for shot, y in zip(shots[task], episode.support_y[task].numpy(), strict=True):
            pair = np.concatenate([own, shot, (own @ a + a_bias) * (shot @ b + b_bias)])
            score, difference = np.maximum(pair @ first[0] + first[1], 0) @ last[0] + last[1]
            scores.append(score)
            answers.append(y[0] + difference)
        weights = np.exp(scores - np.max(scores))
        expected = weights @ answers / weights.sum()
        np.testing.assert_allclose(prediction[task, x, query], expected, rtol=1e-9)


def test_numbers_shift_with_the_labels_of_the_support():
    model, episode = made(maml.NormalHead())
    shifted = episode._replace(support_y=episode.support_y + 3.5)
    np.testing.assert_allclose(model(shifted), model(episode) + 3.5, rtol=1e-9)


def test_densities_on_a_circle_turn_with_the_labels_of_the_support():
    head = maml.CircularHead(10.0, 20)
    model, episode = made(head)

    def at(shift):
        d = model.encode(model.embed(episode.support_x), episode.support_y + shift)
        return model.decode(d, model.embed(episode.query_x)).log_knots.numpy()

    assert np.ptp(at(0.0), axis=-1).max() > 0.5
    # Three knots are 1.5; what lies between knots turns too, which knots cannot show exactly.
    np.testing.assert_allclose(at(1.5), np.roll(at(0.0), 3, axis=-1), atol=1e-9)
    np.testing.assert_allclose(at(10.0), at(0.0), atol=1e-9)


def test_a_turned_density_is_a_trigonometric_polynomial():
    head = maml.CircularHead(10.0, 40)
    rng = np.random.default_rng(0)
    coefficients, y = rng.normal(size=head.relative_units), 3.3
    cosines, sines = np.split(coefficients, 2)
    order, knots = np.arange(1, 13), 10.0 * np.arange(40) / 40
    apart = 2 * np.pi * (knots[:, None] - y) / 10.0 * order
    expected = np.cos(apart) @ cosines + np.sin(apart) @ sines
    result = head.relative(tf.constant(coefficients[None]), tf.constant([[y]], tf.float64))
    np.testing.assert_allclose(result[0], expected, rtol=1e-9, atol=1e-9)


def test_von_mises_densities_turn_with_the_labels_of_the_support():
    """By whole knots exactly."""
    model, episode = made(maml.VonMisesHead(10.0, 2, 20))

    def at(shift):
        d = model.encode(model.embed(episode.support_x), episode.support_y + shift)
        return model.decode(d, model.embed(episode.query_x)).log_knots.numpy()

    np.testing.assert_allclose(at(1.5), np.roll(at(0.0), 3, axis=-1), atol=1e-9)


def test_classes_permute_with_the_labels_of_the_support():
    model, episode = made(maml.CategoricalHead(4))
    order = [2, 0, 3, 1]
    permuted = episode._replace(support_y=tf.gather(episode.support_y, order, axis=-1))
    np.testing.assert_allclose(
        model(permuted), tf.gather(model(episode), order, axis=-1), rtol=1e-9
    )


def test_labels_of_a_class_that_no_shot_has_are_neither_likely_nor_ruled_out():
    head = maml.CategoricalHead(3)
    result = head.relative(tf.constant([[2.0], [-1.0]]), tf.constant([[1.0, 0, 0], [0, 0, 1.0]]))
    np.testing.assert_array_equal(result, [[2, 0, 0], [0, 0, -1]])


def test_a_bounded_head_is_relative_about_its_middle():
    head = maml.NormalHead(bounds=(-1.0, 11.0))
    y, zero = tf.constant([[5.0], [5.5]]), tf.zeros([2, 1])
    np.testing.assert_allclose(head(head.relative(zero, y)).mean(), [[5.0], [5.5]], atol=0.01)


def test_relabeling_teaches_a_relative_learner_nothing():
    """The loss of turned tasks is that of the tasks: there is no memory for it to unlearn."""
    model, episode = made(maml.CircularHead(10.0, 20))
    turn = tf.constant([0.5, 3.0, 8.5], tf.float64)[:, tf.newaxis, tf.newaxis]  # Whole knots.
    turned = episode._replace(
        support_y=(episode.support_y + turn) % 10, query_y=(episode.query_y + turn) % 10
    )
    loss, same = (model.objective(one, SEED)[1]["task_loss"] for one in (episode, turned))
    np.testing.assert_allclose(same, loss, rtol=1e-9)


def test_a_head_that_knows_no_relative_answer_is_refused():
    class Own(maml.Head):
        units = 1

        def __call__(self, outputs):
            return maml.NormalHead()(outputs)

    with pytest.raises(ValueError, match="Own has no labels relative to another"):
        maml.RelativeCNP(perceptron(3, 4), Own())

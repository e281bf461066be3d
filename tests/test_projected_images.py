"""Random projections of images, on a file of synthetic characters."""

import numpy as np
import pytest
import tensorflow as tf
import toys

import maml

SEED = tf.constant([3, 1])


def made(**options):
    return maml.TASKS.make("projected_images", data=toys.characters(), queries=3, **options)


def test_each_task_sees_standardized_images_through_a_matrix_of_its_own():
    family = made(ways=3, shots=2, train_tasks=8, features=6).train
    tasks = tf.constant([5, 2, 5])
    episode, plain = family.episodes(tasks, SEED), family.images.episodes(tasks, SEED)
    matrices = family.projections(tasks).numpy()
    assert matrices.shape == (3, 256, 6)
    every = family.images.images.numpy() / 255
    for part in ("support", "query"):
        images = getattr(plain, f"{part}_x").numpy().reshape(3, -1, 256)
        expected = (images - every.mean()) / every.std() @ matrices
        np.testing.assert_allclose(getattr(episode, f"{part}_x"), expected, atol=1e-4)
        labels = getattr(episode, f"{part}_y")
        np.testing.assert_array_equal(labels, getattr(plain, f"{part}_y"))
    np.testing.assert_array_equal(matrices[0], matrices[2])
    assert abs(np.corrcoef(matrices[0].ravel(), matrices[1].ravel())[0, 1]) < 0.1
    assert matrices.std() == pytest.approx(1 / 16, rel=0.05)
    assert np.abs(matrices.mean()) < 0.01


def test_the_number_of_tasks_is_what_is_asked_for_and_tests_are_of_other_classes():
    problem = made(ways=3, shots=2, train_tasks=4)
    assert problem.train.num_tasks == 4 and problem.test.num_tasks == 2000
    assert made(ways=2, shots=1).train.num_tasks == 1_000_000
    assert not problem.mutually_exclusive
    pictures = [getattr(problem, split).images.images for split in ("train", "validation", "test")]
    assert [len(of) for of in pictures] == [8 * 20] * 3
    known = {of.numpy().tobytes() for of in pictures[0]}
    assert not known & {of.numpy().tobytes() for of in pictures[2]}
    one, other = (family.projections(tf.constant([0])) for family in (problem.train, problem.test))
    assert not np.allclose(one, other)


def test_as_many_classes_as_ways_leave_permutations_of_labels():
    members = made(ways=3, shots=2, train_tasks=60, classes=3).train.images.members.numpy()
    assert {tuple(sorted(row)) for row in members} == {(0, 1, 2)}
    assert len({tuple(row) for row in members}) == 6


def test_the_support_set_tells_the_classes_of_a_new_task():
    episode = made(ways=5, shots=5, train_tasks=2).test.sample(20, SEED)
    x, y = episode.support_x.numpy(), episode.support_y.numpy()
    means = np.einsum("tkf,tkc->tcf", x, y) / 5
    distance = ((episode.query_x.numpy()[:, :, None] - means[:, None]) ** 2).sum(-1)
    assert np.mean(distance.argmin(-1) == episode.query_y.numpy().argmax(-1)) > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 2, "ways": 3}, "`classes`: expected 3 .the ways. to 8, .*received 2"),
        ({"classes": 9}, "`classes`: expected 5 .the ways. to 8, .*received 9"),
        ({"ways": 9}, "9 ways are too many"),
        ({"split": "colours"}, "has no split 'colours'; it has classes, characters"),
        ({"shots": 18}, "18 support and 3 query images of a class do not fit"),
        ({"features": 0}, "`features`: expected a whole number, 1 or more"),
        ({"train_tasks": -1}, "`train_tasks`: expected a whole number, 0 or more"),
    ],
)
def test_what_the_file_does_not_have_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made(**options)

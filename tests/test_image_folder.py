"""Few-shot tasks from a folder of class folders."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import maml

SEED = tf.constant([5, 7])


def write(folder, classes=15, per_class=5, side=12):
    """Images of a colour for each class, with a black corner."""
    rng = np.random.default_rng(0)
    for index in range(classes):
        (folder / f"class{index:02d}").mkdir(parents=True)
        colour = rng.integers(0, 255, 3, np.uint8)
        for number in range(per_class):
            image = np.full((side, side, 3), colour)
            image[-1, -1] = 0
            Image.fromarray(image).save(folder / f"class{index:02d}" / f"{number}.png")


def test_a_folder_is_three_families_of_tasks_with_networks_that_fit(tmp_path):
    write(tmp_path / "images")
    problem = maml.image_folder(tmp_path / "images", ways=2, shots=1, queries=2, size=16)
    for family in (problem.train, problem.validation, problem.test):
        episode = family.sample(3, SEED)
        assert episode.support_x.shape == (3, 2, 16, 16, 3) and episode.query_y.shape == (3, 4, 2)
        # Each class has one colour: a query looks like the shot of its label.
        shots, queries = (p.numpy().mean((2, 3)) for p in (episode.support_x, episode.query_x))
        distance = np.abs(queries[:, :, None] - shots[:, None]).sum(-1)
        np.testing.assert_array_equal(distance.argmin(-1), np.argmax(episode.query_y, -1))
    learner = maml.make_learner("protonet", problem.networks, problem.head)
    learner.compile("adam", metrics=problem.metrics)
    history = learner.fit(problem.train, batch_size=2, steps=2, verbose=0).history
    assert 0 <= history["accuracy"][0] <= 1


def test_grey_images_have_one_channel(tmp_path):
    write(tmp_path / "images")
    problem = maml.image_folder(tmp_path / "images", 2, 1, 2, size=8, color=False)
    assert problem.train.sample(1, SEED).support_x.shape == (1, 2, 8, 8, 1)


def test_folders_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`path`: expected a folder of class folders"):
        maml.image_folder(tmp_path / "nowhere")
    write(tmp_path / "images", classes=6)
    # Of 29 classes 19 are for training, 4 for validation; of 30 there are 19, 5 and 6.
    with pytest.raises(ValueError, match="5 ways are too many.*received 1 and 1.*folder of 30 cla"):
        maml.image_folder(tmp_path / "images", size=8)
    for options in ({"size": 8.5}, {"ways": 2.0}, {"shots": 0}, {"workers": 0}):
        name = min(options)
        with pytest.raises(ValueError, match=f"`{name}`: expected a whole number, 1 or more"):
            maml.image_folder(tmp_path / "images", **options)
    write(tmp_path / "more")
    with pytest.raises(ValueError, match="do not fit"):
        maml.image_folder(tmp_path / "more", 2, 4, 2, size=8)

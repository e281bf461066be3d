"""The pose family over pickles."""

import json

import numpy as np
import pytest
import tensorflow as tf

from pose_data import pickles
from pose_data.tasks import PERIOD, PoseTasks, crop, shrink

SEED = tf.constant([1, 2])


@pytest.fixture
def numbered():
    """Image j of object i is filled with 10 i + j and has the angle (10 i + j) / 100."""
    number = np.arange(40).reshape(4, 10)
    images = np.broadcast_to(number[..., None, None], (4, 10, 8, 8)).astype(np.uint8)
    return images, number / 100


def write(folder, images, angles, name="train_data.pkl"):
    labels = [[[0.5, 0.5, float(a)] for a in row] for row in angles]
    pickles.dump([[list(of_object) for of_object in images], labels], folder / name)
    return folder / name


def test_images_keep_their_labels_and_support_and_query_are_disjoint(numbered):
    family = PoseTasks(*numbered, shots=4, queries=5)
    episode = family.episodes(tf.constant([2, 0, 3]), SEED)
    for x, y, n in (
        (episode.support_x, episode.support_y, 4),
        (episode.query_x, episode.query_y, 5),
    ):
        assert x.shape == (3, n, 8, 8, 1) and y.shape == (3, n, 1)
        number = x[:, :, 0, 0, :] * 255
        np.testing.assert_allclose(y, number / 100 * PERIOD, rtol=1e-5)
        np.testing.assert_array_equal(np.round(number[..., 0]) // 10, [[2] * n, [0] * n, [3] * n])
    both = np.concatenate([episode.support_y, episode.query_y], axis=1)[..., 0]
    assert all(len(set(row)) == 9 for row in both)


def test_every_image_is_drawn_about_equally_often(numbered):
    family = PoseTasks(*numbered, shots=1, queries=1)
    counts = np.zeros(10)
    for seed in range(100):
        episode = family.episodes(tf.range(4), [seed, 0])
        drawn = np.round(np.mod(episode.support_y.numpy().ravel() * 10, 10)).astype(int) % 10
        counts += np.bincount(drawn, minlength=10)
    assert counts.min() > 15 and counts.max() < 65  # 40 expected.


def test_load_reads_what_data_gen_writes(numbered, tmp_path):
    path = write(tmp_path, *numbered)
    names = ["a/1", "a/2", "b/1", "b/2"]
    (tmp_path / "split.json").write_text(json.dumps({"train": names, "val": []}))
    family = PoseTasks.load(path, "train", image_size=4, shots=2, queries=2)
    assert family.names == names
    assert family.image_size == 4
    np.testing.assert_array_equal(family.images[:, :, 0, 0], numbered[0][:, :, 0, 0])
    np.testing.assert_allclose(family.angles, numbered[1], rtol=1e-6)


@pytest.mark.parametrize("side", [128, 256])
def test_crop_keeps_the_part_an_object_can_reach(side):
    images = np.zeros((1, side, side), np.uint8)
    images[:, 14 * side // 128 : 94 * side // 128, 24 * side // 128 : 104 * side // 128] = 200
    cropped = crop(images)
    assert cropped.shape == (1, 80 * side // 128, 80 * side // 128)
    assert (cropped == 200).all()


def test_load_crops_before_it_shrinks(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (2, 4, 128, 128), np.uint8)
    path = write(tmp_path, images, np.zeros((2, 4)))
    family = PoseTasks.load(path, image_size=40, cropped=True, shots=1, queries=1)
    np.testing.assert_array_equal(family.images, shrink(crop(images), 40))


def test_colour_images_of_the_original_are_read(numbered, tmp_path):
    images = np.repeat(numbered[0][..., None], 4, axis=-1)
    family = PoseTasks.load(write(tmp_path, images, numbered[1]), shots=2, queries=2)
    np.testing.assert_array_equal(family.images, numbered[0])


def test_shrink_averages_blocks():
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    np.testing.assert_array_equal(shrink(image, 2), [[[2, 4], [10, 12]]])  # Rounded to even.
    with pytest.raises(ValueError, match="expected a divisor of the side"):
        shrink(image, 3)


@pytest.mark.parametrize(("side", "size"), [(80, 40), (128, 8), (15, 5), (6, 1), (256, 2), (7, 7)])
def test_shrink_is_the_rounded_mean_of_each_block(side, size):
    images = np.random.default_rng(side).integers(0, 256, (2, 3, side, side), np.uint8)
    step, expected = side // size, np.empty((2, 3, size, size), np.uint8)
    for row in range(size):
        for column in range(size):
            top, left = row * step, column * step
            block = images[..., top : top + step, left : left + step].astype(np.float64)
            expected[..., row, column] = np.rint(block.sum(axis=(-2, -1)) / step**2)
    np.testing.assert_array_equal(shrink(images, size), expected)
    assert shrink(np.full((1, side, side), 255, np.uint8), size).min() == 255


def test_unfit_data_is_one_sentence_that_names_it(numbered, tmp_path):
    with pytest.raises(ValueError, match="expected at most 10 in all, .* received 6 \\+ 5"):
        PoseTasks(*numbered, shots=6, queries=5)
    with pytest.raises(ValueError, match="uint8"):
        PoseTasks(numbered[0].astype(np.float32), numbered[1])
    pickles.dump([1, 2, 3], tmp_path / "odd.pkl")
    with pytest.raises(ValueError, match="odd.pkl.*data_gen"):
        PoseTasks.load(tmp_path / "odd.pkl")
    whole = write(tmp_path, *numbered).read_bytes()
    (tmp_path / "cut.pkl").write_bytes(whole[:-100])
    for name in ("cut.pkl", "missing.pkl"):
        with pytest.raises(pickles.PickleError, match=name):
            PoseTasks.load(tmp_path / name)


@pytest.mark.parametrize("value", [17.0, 2 * np.pi, 1e30, -0.25, 1.01, np.nan, np.inf])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_labels_beyond_their_range_are_named(numbered, tmp_path, value, column):
    images, angles = numbered
    labels = [[[0.5, 0.5, float(a)] for a in row] for row in angles]
    labels[2][7][column] = value
    pickles.dump([[list(of) for of in images], labels], tmp_path / "train_data.pkl")
    told = r"train_data.pkl: expected values in \[0, 1\].* received {:g} for image 7 of object {}; "
    with pytest.raises(ValueError, match=told.format(value, 2).replace("+", r"\+")):
        PoseTasks.load(tmp_path / "train_data.pkl", shots=2, queries=2)
    names = ["a/1", "a/2", "b/1", "b/2"]
    (tmp_path / "split.json").write_text(json.dumps({"train": names, "val": []}))
    with pytest.raises(ValueError, match=told.format(value, "b/1").replace("+", r"\+")):
        PoseTasks.load(tmp_path / "train_data.pkl", "train", shots=2, queries=2)
    if column == 2:
        with pytest.raises(ValueError, match="Invalid `angles`: .*image 7 of object 2; divide"):
            PoseTasks(images, np.array(labels)[..., 2], shots=2, queries=2)


def test_the_ends_of_the_range_are_in_it(numbered):
    images, angles = numbered
    angles[0, :2] = 0, 1 + 1e-8
    assert PoseTasks(images, angles, shots=2, queries=2).num_tasks == 4


@pytest.mark.parametrize(
    "shape", [(4, 10, 0, 0), (4, 10, 8, 0), (0, 10, 8, 8), (4, 10, 8, 8, 0), (4, 10, 8)]
)
def test_images_without_pixels_are_refused(tmp_path, shape):
    images, angles = np.zeros(shape, np.uint8), np.zeros(shape[:2])
    with pytest.raises(ValueError, match="train_data.pkl: expected .*images"):
        PoseTasks.load(write(tmp_path, images, angles), shots=2, queries=2)
    with pytest.raises(ValueError, match="Invalid `images`"):
        PoseTasks(images, angles, shots=2, queries=2)


def test_pixels_that_are_lost_by_cropping_are_missed(tmp_path):
    path = write(tmp_path, np.zeros((4, 10, 1, 1), np.uint8), np.zeros((4, 10)))
    with pytest.raises(ValueError, match="one pixel, or more"):
        PoseTasks.load(path, cropped=True, shots=2, queries=2)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ([[np.zeros((2, 2))] * 6] * 2, [[[0.5]] * 6] * 2),
        ([[np.zeros((2, 2), np.uint8)] * 6] * 2, [[0.5] * 6] * 2),
        ([[np.zeros((2, 2), np.uint8)] * 6] * 2, [[[0.5]] * 5] * 2),
        ([[np.zeros((2, 2), np.uint8)] * 6] * 2, [[[10**400]] * 6] * 2),
        ([np.uint8(3)] * 2, [[[0.5]] * 6] * 2),
        (3.0, 4.0),
    ],
)
def test_other_content_is_refused_in_a_sentence(tmp_path, images, labels):
    pickles.dump([images, labels], tmp_path / "train_data.pkl")
    with pytest.raises(ValueError, match="train_data.pkl: expected .*data_gen") as error:
        PoseTasks.load(tmp_path / "train_data.pkl", shots=2, queries=2)
    assert "\n" not in str(error.value)

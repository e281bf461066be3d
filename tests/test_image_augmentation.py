"""Image augmentation: each kind on images whose changes are known."""

import numpy as np
import pytest
import tensorflow as tf

import maml
from pose_code.augmentation import KINDS, ImageAugmentation

SEED = tf.constant([3, 4])


def spots(tasks=3, images=8, side=20):
    """Images of one blurred spot each, off the middle; labels are numbers between 0 and 10."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    at = rng.uniform(7, 12, (tasks, images, 2, 1, 1))
    bright = np.exp(-((y - at[:, :, 0]) ** 2 + (x - at[:, :, 1]) ** 2) / 4)
    pictures = tf.constant(bright[..., np.newaxis], tf.float32)
    labels = tf.constant(rng.uniform(0, 10, (tasks, images, 1)), tf.float32)
    half = images // 2
    return maml.Episode(pictures[:, :half], labels[:, :half], pictures[:, half:], labels[:, half:])


def centres(images):
    """Where the spots are, [images, 2] in pixels, and how wide."""
    images = np.asarray(images)[..., 0].reshape(-1, *images.shape[2:4])
    side = np.arange(images.shape[1])
    mass = images.sum(axis=(1, 2))
    rows, columns = images.sum(axis=2), images.sum(axis=1)
    at = np.stack([rows @ side, columns @ side], axis=1) / mass[:, None]
    return at, np.sqrt((rows * (side - at[:, :1]) ** 2).sum(axis=1) / mass)


def augmented(*kinds, episode=None, **options):
    episode = episode or spots()
    return episode, ImageAugmentation(kinds, **options).augment(episode, SEED)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mirror"])
def test_images_change_each_on_its_own_and_labels_do_not(kind):
    before, after = augmented(kind)
    np.testing.assert_array_equal(after.support_y, before.support_y)
    np.testing.assert_array_equal(after.query_y, before.query_y)
    assert after.support_x.shape == before.support_x.shape
    changes = np.abs(np.asarray(after.query_x - before.query_x)).max(axis=(2, 3, 4))
    assert (changes > 1e-3).mean() > 0.3
    assert len(np.unique(changes)) > 3
    again = ImageAugmentation([kind]).augment(before, SEED)
    np.testing.assert_array_equal(again.query_x, after.query_x)
    other = ImageAugmentation([kind]).augment(before, SEED + 1)
    assert not np.array_equal(other.query_x, after.query_x)


def test_nothing_asked_for_is_nothing_done():
    before, after = augmented()
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)


def test_shifts_stay_within_their_bound_and_fill_it():
    before, after = augmented("shift", episode=spots(tasks=40), shift=0.2)
    moved = centres(after.support_x)[0] - centres(before.support_x)[0]
    assert np.abs(moved).max() < 4.1 and np.abs(moved).max(axis=0).min() > 3.3
    assert np.abs(moved.mean(axis=0)).max() < 0.8
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.3


def test_scales_are_about_the_middle_and_within_their_factor():
    before, after = augmented("scale", episode=spots(tasks=40, side=21), scale=0.5)
    (at, wide), (to, wider) = centres(before.support_x), centres(after.support_x)
    factor = wider / wide
    assert 1 / 1.6 < factor.min() < 0.75 and 1.3 < factor.max() < 1.6
    np.testing.assert_allclose(to - 10, (at - 10) * factor[:, None], atol=0.4)


def test_brightness_moves_all_of_an_image_alike_and_stays_in_range():
    before, after = augmented("brightness", brightness=0.3)
    assert np.min(after.query_x) >= 0 and np.max(after.query_x) <= 1
    flat = [np.asarray(e.query_x).reshape(-1, 400) for e in (before, after)]
    for one, two in zip(*flat, strict=True):
        free = (two > 0) & (two < 1)
        slope, offset = np.polyfit(one[free], two[free], 1)
        assert 1 / 1.3 < slope < 1.3 and abs(offset) < 0.45
        np.testing.assert_allclose(two[free], slope * one[free] + offset, atol=1e-5)


def test_a_square_of_half_of_the_images_is_cut_out():
    before, after = augmented("cutout", episode=spots(tasks=60), cutout=0.3)
    changed = (np.asarray(after.support_x) != np.asarray(before.support_x))[..., 0]
    changed = changed.reshape(-1, 20, 20)
    assert 0.35 < changed.any(axis=(1, 2)).mean() < 0.65
    for one in changed[changed.any(axis=(1, 2))]:
        rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
        assert len(rows) == len(columns) == 6 and one.sum() == 36
        assert np.ptp(rows) == np.ptp(columns) == 5


def test_the_mirror_is_of_whole_tasks_and_negates_their_angles():
    before, after = augmented("mirror", episode=spots(tasks=60))
    mirrored = np.any(np.asarray(after.support_y) != np.asarray(before.support_y), axis=(1, 2))
    assert 0.3 < mirrored.mean() < 0.7
    for name in ("support", "query"):
        (x, y), (x2, y2) = (
            [np.asarray(getattr(e, f"{name}_{part}")) for part in "xy"] for e in (before, after)
        )
        np.testing.assert_array_equal(x2[mirrored], x[mirrored][:, :, :, ::-1])
        np.testing.assert_allclose(y2[mirrored], (10 - y[mirrored]) % 10, atol=1e-5)
        np.testing.assert_array_equal(x2[~mirrored], x[~mirrored])
        np.testing.assert_array_equal(y2[~mirrored], y[~mirrored])


def test_it_comes_back_from_its_configuration():
    one = ImageAugmentation(("shift", "mirror"), shift=0.3)
    again = ImageAugmentation.from_config(one.get_config())
    assert again.kinds == ("shift", "mirror") and again.shift == 0.3
    episode = spots()
    np.testing.assert_array_equal(
        again.augment(episode, SEED).query_x, one.augment(episode, SEED).query_x
    )


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="expected some of shift.*received 'rain'"):
        ImageAugmentation(["shift", "rain"])

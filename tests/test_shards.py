"""Images in files of their own: written block by block, read by number, refused where damaged."""

import errno
import functools
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from maml.core.stored_images import gather_nd, plain_errors
from mine.reporting.shards import reading, writing
from mine.reporting.shards import stored as stored_module
from mine.reporting.shards.reading import ShardError, Shards
from mine.reporting.shards.stored import StoredImages, changed, joined

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 4, 3), np.uint8)
REMEDY = "write them again"


def written(folder, images=IMAGES, per_block=5, files=3):
    """The index of images that were written in blocks; the last one is smaller."""
    folder.mkdir(exist_ok=True)
    blocks = [images[first : first + per_block] for first in range(0, len(images), per_block)]
    return writing.write_shards(iter(blocks), folder, files, len(blocks))


def stored(folder, **how):
    shards = Shards(folder, written(folder, **how), REMEDY)
    return StoredImages.of(shards, (shards.num_images,))


@pytest.mark.parametrize(
    ("per_block", "files", "sizes"),
    [(5, 3, [10, 10, 3]), (5, 1, [23]), (4, 4, [8, 8, 7]), (30, 9, [23])],
)
def test_files_are_arrays_and_images_are_read_by_number(tmp_path, per_block, files, sizes):
    index = written(tmp_path, per_block=per_block, files=files)
    arrays = [
        np.load(tmp_path / name, mmap_mode="r", allow_pickle=False) for name in index["files"]
    ]
    assert [len(array) for array in arrays] == sizes
    np.testing.assert_array_equal(np.concatenate(arrays), IMAGES)
    shards = Shards(tmp_path, json.loads(json.dumps(index)), REMEDY)
    numbers = np.array([22, 0, 9, 10, 10, 3])
    np.testing.assert_array_equal(shards.read(numbers), IMAGES[numbers])
    assert shards.read(numbers[:0]).shape == (0, 4, 3)


def test_stacked_blocks_are_an_axis_of_the_files(tmp_path):
    objects = IMAGES[:20].reshape(5, 4, 4, 3)
    index = writing.write_shards(iter(objects), tmp_path, 2, 5, stacked=True)
    found = [np.load(tmp_path / name).shape for name in index["files"]]
    assert found == [(3, 4, 4, 3), (2, 4, 4, 3)]
    array = StoredImages.of(Shards(tmp_path, index, REMEDY), (5, 4))
    assert (array.shape, array.ndim, array.size, len(array)) == ((5, 4, 4, 3), 4, 240, 5)
    np.testing.assert_array_equal(array.read(), objects)
    np.testing.assert_array_equal([of.read() for of in array], objects)


def test_the_same_content_has_the_same_files_and_other_content_other_ones(tmp_path):
    first = written(tmp_path)["files"]
    assert written(tmp_path)["files"] == first
    other = written(tmp_path, images=255 - IMAGES)["files"]
    assert not set(first) & set(other)
    np.testing.assert_array_equal(np.load(tmp_path / first[0]), IMAGES[:10])
    (tmp_path / "mine.npy").write_bytes(b"")
    (tmp_path / ".00001.npy.abc.tmp").write_bytes(b"")
    writing.remove_others(tmp_path, other)
    assert sorted(os.listdir(tmp_path)) == sorted([*other, "mine.npy"])
    (tmp_path / "mine.npy").unlink()
    writing.remove_others(tmp_path, [])
    assert not tmp_path.exists()
    writing.remove_others(tmp_path, [])


def test_one_block_at_a_time_is_held(tmp_path):
    """A block is asked for when the one before it is on its way to the disk."""
    alive = []

    class Block(np.ndarray):
        def __array_finalize__(self, of):
            alive.append(1)

        def __del__(self):
            alive.pop()

    def blocks():
        for number in range(20):
            assert len(alive) <= 4, "a block, its view and what numpy makes of them"
            yield IMAGES[number : number + 1].view(Block)

    writing.write_shards(blocks(), tmp_path, 3, 20)


# -- arrays without their content -----------------------------------------------------------------


@pytest.mark.parametrize("at_once", [2**18, 30, 1])
def test_stored_images_are_indexed_changed_and_joined_as_arrays_are(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(stored_module, "_AT_ONCE", at_once)
    one, two = stored(tmp_path / "a"), stored(tmp_path / "b", images=IMAGES[::-1, :2])
    crop = functools.partial(np.take, indices=[0, 1], axis=1)
    whole = joined([changed(one, crop)[3:], two[[1, 2]]])
    expected = np.concatenate([IMAGES[3:, :2], IMAGES[::-1, :2][[1, 2]]])
    assert whole.shape == expected.shape
    np.testing.assert_array_equal(whole.read(), expected)
    order = np.random.default_rng(1).permutation(len(expected))
    again = joined([changed(whole[order], lambda images: 255 - images), two])
    np.testing.assert_array_equal(
        again.read(), np.concatenate([255 - expected[order], IMAGES[::-1, :2]])
    )
    np.testing.assert_array_equal(again[5].read(), 255 - expected[order][5])
    np.testing.assert_array_equal(joined([IMAGES, IMAGES]), np.concatenate([IMAGES, IMAGES]))
    with pytest.raises(ValueError, match="received both; write both"):
        joined([one, IMAGES])


def refuse(images):
    raise ValueError("no such crop")


def test_a_change_that_cannot_be_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="no such crop"):
        changed(stored(tmp_path), refuse)


@pytest.mark.parametrize("how", ["eager", "function", "dataset"])
def test_images_are_drawn_in_graphs_as_from_memory(tmp_path, how):
    array, index = stored(tmp_path), tf.constant([[[3], [22]], [[0], [7]]])
    draw = functools.partial(gather_nd, array)
    if how == "function":
        drawn = tf.function(draw)(index)
    elif how == "dataset":
        dataset = tf.data.Dataset.from_tensors(index).map(draw)
        assert dataset.element_spec.shape == (2, 2, 4, 3)
        drawn = next(iter(dataset))
    else:
        drawn = draw(index)
    assert drawn.shape == (2, 2, 4, 3)
    np.testing.assert_array_equal(drawn, gather_nd(tf.constant(IMAGES), index))


# -- damage ---------------------------------------------------------------------------------------


def flip(path, where):
    with path.open("r+b") as file:
        file.seek(where, os.SEEK_END if where < 0 else os.SEEK_SET)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def test_a_changed_bit_is_told_when_its_block_is_read_and_not_before(tmp_path):
    index = written(tmp_path)
    flip(tmp_path / index["files"][1], -1)  # Of image 19, in the block from 15 on.
    array = StoredImages.of(Shards(tmp_path, index, REMEDY), (23,))
    np.testing.assert_array_equal(array[:15].read(), IMAGES[:15])
    told = f"{index['files'][1]}: expected images 15 to 19 with the checksum .*; {REMEDY}"
    for draw in (array[15].read, lambda: gather_nd(array, tf.constant([[16]]))):
        with pytest.raises(ShardError, match=told):
            draw()
    dataset = tf.data.Dataset.from_tensors([[17]]).map(functools.partial(gather_nd, array))
    with pytest.raises(ShardError, match=told) as found, plain_errors():
        next(iter(dataset))
    assert "\n" not in str(found.value)
    with pytest.raises(tf.errors.InvalidArgumentError), plain_errors():
        tf.debugging.assert_equal(tf.constant(1), 2)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthened(path):
    path.write_bytes(path.read_bytes() + b"0")


def removed(path):
    path.unlink()


def of_another_type(path):
    np.save(path, np.load(path).view(np.int8))


def of_another_shape(path):
    np.save(path, np.load(path).reshape(-1, 3, 4))


def text(path):
    path.write_text("no array")


def empty(path):
    path.write_bytes(b"")


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def objects(path):
    np.save(path, np.array([{}]), allow_pickle=True)


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        lengthened,
        removed,
        of_another_type,
        of_another_shape,
        text,
        empty,
        folder,
        pipe,
        objects,
    ],
)
def test_damaged_and_missing_files_are_refused_at_the_start(tmp_path, damage):
    index = written(tmp_path)
    damage(tmp_path / index["files"][1])
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ShardError, match=f"{index['files'][1]}: .*; {REMEDY}") as found:
        Shards(tmp_path, index, REMEDY)
    assert "\n" not in str(found.value)
    del found
    assert len(os.listdir("/proc/self/fd")) <= before


def test_files_of_another_set_are_refused(tmp_path):
    """Under the right name, of the right size."""
    ours, theirs = written(tmp_path / "a"), written(tmp_path / "b", images=255 - IMAGES)
    os.replace(tmp_path / "b" / theirs["files"][0], tmp_path / "a" / ours["files"][0])
    shards = Shards(tmp_path / "a", ours, REMEDY)
    with pytest.raises(ShardError, match="images 0 to 4 with the checksum"):
        shards.read(np.array([2]))
    os.replace(tmp_path / "b" / theirs["files"][2], tmp_path / "a" / ours["files"][0])
    with pytest.raises(ShardError, match="expected 10 images"):
        Shards(tmp_path / "a", ours, REMEDY)


def test_a_file_that_is_cut_or_cannot_be_read_later_is_told(tmp_path, monkeypatch):
    index = written(tmp_path)
    shards = Shards(tmp_path, index, REMEDY)
    shards.read(np.arange(10))
    os.truncate(tmp_path / index["files"][0], 200)
    with pytest.raises(ShardError, match=f"{index['files'][0]}: the file is shorter than"):
        shards.read(np.array([9]))

    def fail(*arguments):
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(reading.os, "preadv", fail)
    with pytest.raises(ShardError, match="Input/output error; write them again"):
        shards.read(np.array([11]))


INDEX = {
    "files": ["00000.0123456789abcdef.npy"], "num_images": 3, "image_shape": [2, 2],
    "images_per_block": 2, "blocks_per_file": 2, "sha256": ["a", "b"],
}  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        *({name: of} for name in INDEX for of in (None, "a", -1, 0, [], [-1], [None], {}, 2.5)),
        {"files": ["../00000.0123456789abcdef.npy"]}, {"files": ["/etc/passwd"]},
        {"files": INDEX["files"] * 2}, {"image_shape": [2, 0]}, {"num_images": 5},
        {"num_images": True}, {"sha256": ["a"]}, {"blocks_per_file": 1},
    ],
)  # fmt: skip
def test_a_damaged_index_is_refused(tmp_path, damage):
    for index in (INDEX | damage, [INDEX], None):
        with pytest.raises(ShardError, match=f"Invalid index .*; {REMEDY}"):
            Shards(tmp_path, index, REMEDY)

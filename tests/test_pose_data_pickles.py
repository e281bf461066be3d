"""Pickles: theirs are read, ours are read by theirs, hostile ones are refused."""

import os
import pickle
import pickletools

import numpy as np
import pytest

from pose_data import pickles

IMAGES = [[np.arange(12, dtype=np.uint8).reshape(3, 4), np.full((3, 4), 200, np.uint8)]]
LABELS = [[[0.5, 0.5, 0.25], [0.5, 0.5, 0.75]]]


def assert_is_sample(value):
    images, labels = value
    assert labels == LABELS
    for image, expected in zip(images[0], IMAGES[0], strict=True):
        assert type(image) is np.ndarray and image.dtype == np.uint8 and image.flags.writeable
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("core", [b"numpy.core.", b"numpy._core."])
def test_reads_what_every_numpy_and_protocol_write(tmp_path, protocol, core):
    content = pickle.dumps([IMAGES, LABELS], protocol)
    if protocol < 4:  # There module names are not prefixed by their length.
        content = content.replace(b"numpy._core.", core).replace(b"numpy.core.", core)
    path = tmp_path / "data.pkl"
    path.write_bytes(content)
    assert_is_sample(pickles.load(path))


def test_reads_python_2(tmp_path):
    """Array bytes as a Python 2 string: protocol 2, opcode U, module numpy.core."""
    path = tmp_path / "data.pkl"
    path.write_bytes(
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85q\x02"
        b"U\x01bq\x03\x87q\x04Rq\x05(K\x01K\x03\x85q\x06cnumpy\ndtype\nq\x07U\x02u1q\x08K\x00K\x01"
        b"\x87q\tRq\n(K\x03U\x01|q\x0bNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0cb\x89"
        b"U\x03\x01\x80\xffq\rtq\x0eb."
    )
    np.testing.assert_array_equal(pickles.load(path), np.array([1, 128, 255], np.uint8))


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(5, dtype=">i4"),
        np.array([True, False]),
        np.zeros((2, 1, 3), np.float32),
        np.array(3, np.int64),
        np.float64(0.1),
        np.uint8(200),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_of_every_kind(tmp_path, value, protocol):
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    loaded = pickles.load(path)
    assert loaded.dtype == value.dtype and type(loaded) is type(value)
    np.testing.assert_array_equal(loaded, value)


def test_what_is_written_is_plain_and_names_nothing_private(tmp_path):
    path = tmp_path / "data.pkl"
    pickles.dump([IMAGES, LABELS], path)
    assert_is_sample(pickles.load(path))
    with path.open("rb") as file:
        assert_is_sample(pickle.load(file))
    strings = {arg for _, arg, _ in pickletools.genops(path.read_bytes()) if isinstance(arg, str)}
    assert strings == {"numpy", "ndarray", "dtype", "u1", "|"}, "known to NumPy 1 and 2 alike"
    assert [p.name for p in tmp_path.iterdir()] == ["data.pkl"]


def test_nothing_is_left_when_writing_fails(tmp_path):
    path = tmp_path / "data.pkl"
    path.write_bytes(b"before")
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickles.dump([IMAGES, lambda: 0], path)
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


class Evil:
    state = None

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call if self.state is None else (self.call[0], self.call[1:], self.state)

    def __str__(self):  # The name of a test, the same in each process that runs tests.
        return f"{self.call[0].__name__}{self.call[1]}"


@pytest.mark.parametrize(
    "value",
    [
        Evil(os.system, ("touch hacked",)),
        Evil(eval, ("open('hacked', 'w')",)),
        Evil(getattr, (1, "real")),
        Evil(np.load, ("hacked",)),
        np.array([None, 1], object),
        np.array(["a"]),
        np.zeros(2, [("x", "f4")]),
        np.dtype("O"),
        np.ndarray,
        {"a": 1},
        "text",
        None,
        [b"bytes"],
        -(2**64),
    ],
    ids=str,
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_everything_else_is_refused(tmp_path, monkeypatch, value, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps([value], protocol))
    with pytest.raises(pickles.PickleError, match=r"data\.pkl: .*data_gen") as error:
        pickles.load(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "hacked").exists()


def test_numbers_of_thousands_of_digits_are_refused(tmp_path):
    """Python would not write them into a message."""
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps([0, 10**5000]))
    with pytest.raises(pickles.PickleError, match="it holds a number of 16,610 bits"):
        pickles.load(path)


def test_damaged_files_are_refused(tmp_path):
    whole = pickle.dumps([IMAGES, LABELS])
    path = tmp_path / "data.pkl"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(pickles.PickleError, match=r"data\.pkl"):
            pickles.load(path)
    rng = np.random.default_rng(0)
    for _ in range(500):
        damaged = bytearray(whole)
        for i in rng.integers(len(whole), size=2):
            damaged[i] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            pickles.load(path)
        except pickles.PickleError as error:
            assert "data.pkl" in str(error)


def nested(item, levels, width=2):
    for _ in range(levels):
        item = [item] * width
    return item


def test_a_list_within_itself_is_refused_and_a_shared_one_is_read_once(tmp_path):
    path = tmp_path / "data.pkl"
    loop = [1]
    loop.append(loop)
    path.write_bytes(pickle.dumps(loop))
    with pytest.raises(pickles.PickleError):
        pickles.load(path)
    image = np.zeros((3, 4), np.uint8)
    pickles.dump([[image] * 50, nested(0.5, 8)], path)
    images, numbers = pickles.load(path)
    assert all(of is images[0] for of in images) and np.shape(numbers) == (2,) * 8


@pytest.mark.parametrize(
    "value",
    [
        nested(0, 60),
        nested(np.zeros((64, 64), np.uint8), 5, 10),
        [nested(np.zeros(10**6, np.uint8), 1, 20), nested(np.zeros(10**6, np.uint8), 1, 60)],
        nested(np.float32(1), 3, 400),
        nested((), 40, 3),
    ],
    ids=["numbers", "images", "two", "scalars", "empty"],
)
def test_what_unfolds_without_end_is_refused_at_once(tmp_path, value):
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(pickles.PickleError, match="it unfolds to more than"):
        pickles.load(path)


def test_bytes_that_many_arrays_share_are_counted_for_each(tmp_path):
    """A few bytes of instructions make an array of the same million bytes."""
    content = bytes(10**6)
    dtype = np.dtype(np.uint8)
    arrays = [Evil(np.ndarray, (0,), dtype) for _ in range(300)]
    for array in arrays:
        array.state = (1, (len(content),), dtype, False, content)
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(arrays, 4))
    assert path.stat().st_size < 1.1e6
    with pytest.raises(pickles.PickleError, match="it unfolds to more than"):
        pickles.load(path)


def test_a_pickle_changes_nothing_of_what_reads_the_next(tmp_path):
    """BUILD sets attributes of what a pickle names."""
    path = tmp_path / "data.pkl"
    pickles.dump(IMAGES, tmp_path / "good.pkl")
    for name in ("_codecs encode", "numpy ndarray", "numpy dtype", "numpy._core.multiarray scalar"):
        module, _, member = name.partition(" ")
        build = b"(N}X\x0c\x00\x00\x00__defaults__K\x01stb."
        path.write_bytes(b"\x80\x02c" + f"{module}\n{member}\n".encode() + build)
        with pytest.raises(pickles.PickleError):
            pickles.load(path)
        np.testing.assert_array_equal(pickles.load(tmp_path / "good.pkl"), IMAGES)
    assert not any(hasattr(of, "__defaults__") for of in pickles._ALLOWED.values())


def test_a_missing_file(tmp_path):
    with pytest.raises(pickles.PickleError, match=r"missing\.pkl cannot be read"):
        pickles.load(tmp_path / "missing.pkl")

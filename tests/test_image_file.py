"""The file that `maml.tasks.prepare` writes: damaged ones and impossible values are refused."""

import dataclasses
import io
import os
import pathlib
import tracemalloc
import zipfile

import numpy as np
import pytest
import toys

from maml.tasks.few_shot_images import ImageClasses
from maml.tasks.image_file import ImageFile
from mine.reporting.inputs import arrays

CASES = pathlib.Path(__file__).parent.parent.parent / "shared/cases/faults"
CONTENT = toys.images_of_classes(4, 3, 8)


def member(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def write(path, changed, method=zipfile.ZIP_STORED):
    """A file of images, but for some members: bytes, or arrays."""
    members = {"checksum": np.array(CONTENT.checksum())} | CONTENT._arrays() | changed
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, of in members.items():
            if of is not None:
                archive.writestr(f"{name}.npy", of if isinstance(of, bytes) else member(of))
    return path


def header(shape, dtype="|u1"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


DAMAGED = {
    "huge shape": {"images": header("(40000, 80000, 84, 3)") + bytes(64)},
    "larger shape than any": {"images": header("(99999999999, 99999999999, 84, 3)")},
    "negative shape": {"images": header("(-1, 8, 8, 1)") + bytes(64)},
    "shape of text": {"images": header("('a', 8)")},
    "header that is no Python": {"images": header("(4, 8, 8, 1").replace(b"'descr'", b"'de\0c'")},
    "header of unclosed text": {"images": header('"""')},
    "header without end": {"images": header("(" * 60)},
    "truncated member": {"images": member(CONTENT.images)[:-9]},
    "no array": {"images": b"text"},
    "empty member": {"names": b""},
    "objects": {"names": np.array([{}], object)},
    "missing member": {"counts": None},
    "names as numbers": {"names": np.arange(4)},
    "names that are no UTF-8": {"names": np.array(b"\xff\xfe")},
    "checksum as numbers": {"checksum": np.arange(2)},
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_files_are_refused_in_one_sentence(tmp_path, kind):
    path = write(tmp_path / "a.npz", DAMAGED[kind])
    with pytest.raises(ValueError, match=r"a\.npz .*prepare it anew") as found:
        ImageFile.load(path)
    assert "\n" not in str(found.value)


def changed(**parts):
    return dataclasses.replace(CONTENT, **parts)


IMPOSSIBLE = {
    "pixels as fractions": ({"images": CONTENT.images / 255}, "`images`: .*uint8.*float64"),
    "signed pixels": ({"images": CONTENT.images.astype(np.int16)}, "`images`: .*uint8.*int16"),
    "no channels": ({"images": CONTENT.images[..., 0]}, r"`images`: .*\[12, 8, 8\]"),
    "images without pixels": ({"images": CONTENT.images[:, :0]}, r"`images`: .*\[12, 0, 8, 1\]"),
    "no images": ({"images": CONTENT.images[:0]}, "`images`"),
    "fewer images than counted": ({"images": CONTENT.images[:-1]}, "`counts`: .*11"),
    "negative counts": ({"counts": np.array([3, 3, 9, -3])}, "`counts`"),
    "counts as fractions": ({"counts": np.array([3.0, 3, 3, 3])}, "`counts`"),
    "counts that are NaN": ({"counts": np.array([3.0, 3, 3, np.nan])}, "`counts`"),
    "counts that overflow": ({"counts": np.array([2**62] * 4 + [12])}, "`counts`"),
    "fewer names": ({"names": CONTENT.names[:-1]}, "`names`: .*4.*3"),
    "fewer classes in a split": ({"splits": {"a": np.zeros(3, int)}}, "`splits`: .*a"),
    "a fourth split": ({"splits": {"a": np.array([0, 1, 2, 3])}}, "`splits`: .*a.*3"),
    "a negative split": ({"splits": {"a": np.array([0, 1, 2, -1])}}, "`splits`: .*a.*-1"),
    "splits as fractions": ({"splits": {"a": np.zeros(4)}}, "`splits`: .*a.*float64"),
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_what_no_set_of_images_can_be_is_refused(kind):
    parts, message = IMPOSSIBLE[kind]
    with pytest.raises(ValueError, match=f"Invalid value for {message}"):
        changed(**parts)


def test_what_no_set_of_images_can_be_is_refused_in_files_with_their_path(tmp_path):
    path = write(tmp_path / "a.npz", {"counts": np.array([3, 3, 9, -3])})
    with pytest.raises(ValueError, match=r"a\.npz .*`counts`.*prepare it anew"):
        ImageFile.load(path)


def test_files_that_unpack_to_far_more_than_they_are_take_no_memory(tmp_path, monkeypatch):
    newlines = np.frombuffer(b"\n" * 2 * 10**7, dtype=f"|S{2 * 10**7}").reshape(())
    path = write(tmp_path / "a.npz", {"names": newlines}, zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.npz .*prepare it anew"):
        ImageFile.load(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1e8  # Twenty million names would be 200 MB.
    monkeypatch.setattr(arrays, "_FREE_BYTES", 10**6)
    with pytest.raises(ValueError, match=r"unpacks to 20,00.*prepare it anew"):
        ImageFile.load(path)


def test_one_array_a_pipe_and_a_folder_are_no_files_of_images(tmp_path):
    np.save(tmp_path / "a.npy", CONTENT.images)
    (tmp_path / "b.npz").mkdir()
    os.mkfifo(tmp_path / "c.npz")
    for name, message in {
        "a.npy": "prepare it anew",
        "b.npz": "holds no prepared images",
        "c.npz": "no file",
    }.items():
        with pytest.raises(ValueError, match=message):
            ImageFile.load(tmp_path / name)
    with pytest.raises(ValueError, match="not a regular file"):
        arrays.read_npz(tmp_path / "c.npz")


def test_images_that_compress_well_are_read(tmp_path):
    images = np.zeros([12, 100, 100, 3], np.uint8)
    changed(images=images).save(tmp_path / "a.npz")
    assert ImageFile.load(tmp_path / "a.npz").images.shape == images.shape


@pytest.mark.skipif(not CASES.exists(), reason="no files that failed: ../shared/cases/faults")
@pytest.mark.parametrize("name", sorted(path.name for path in CASES.glob("fz4_np*")))
def test_files_that_failed_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} .*prepare it anew"):
        ImageFile.load(CASES / name)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"images": CONTENT.images / 255}, "`images`: .*uint8"),
        ({"counts": [3, 3, 3, 4]}, "`counts`"),
        ({"counts": [4, 4, 4.0, 0]}, "`counts`"),
        ({"members": [[0, 4]]}, "`members`: .*0 to 3.*4"),
        ({"members": [[-1, 2]]}, "`members`: .*-1"),
        ({"members": [[1, 1]]}, "`members`: .*twice"),
        ({"members": [[0.5, 1.0]]}, "`members`"),
        ({"members": [0, 1]}, "`members`"),
    ],
)
def test_families_refuse_images_and_classes_that_are_not_there(parts, message):
    given = {"images": CONTENT.images, "counts": CONTENT.counts, "members": [[0, 1]]} | parts
    with pytest.raises(ValueError, match=f"Invalid value for {message}"):
        ImageClasses(**given, shots=1, queries=1)

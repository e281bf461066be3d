"""Damaged CAD files: whatever the bytes or words, a shape or one sentence comes out.

FUZZ_SECONDS in the environment is about how long they take; 5 without it.
"""

import re

import cad_dialects
import cad_formats
import numpy as np
from budget import fuzzed
from hypothesis import strategies as st

from pose_data.cad import meshes

WHOLE = st.one_of(
    st.sampled_from(sorted(cad_formats.CONTENTS.items())),
    cad_dialects.files().map(lambda drawn: drawn[:2]),
)
WORDS = [
    b"0", b"-1", b"1", b"3", b"4", b"8", b"99999999999999999999", b"1000000000", b"-5", b"1e300",
    b"1e-300", b"nan", b"-inf", b"1.5", b"x", b"1/2/3", b"//", b"/", b"#", b"\\\n", b"\n", b"\r",
    b"OFF", b"BINARY", b"COFF", b"4nOFF", b"v", b"f", b"list", b"property", b"element", b"face",
    b"vertex", b"endloop", b"solid", b"endsolid", b"facet", b"\0", b"\xff\xfe", b"1,5", b"int64",
    b"tristrips", b"vertex_indices", b"float", b"double", b"end_header", b"uchar", b"1_0", b"0x1",
]  # fmt: skip


def check(folder, name, content):
    """A shape that can be rendered, or None and the reason why there is none."""
    path = folder / f"fuzz{name[name.rindex('.') :]}"
    path.write_bytes(content)
    try:
        triangles = meshes.read_triangles(path)
    except meshes.MeshError as error:
        message = str(error)
        assert message.startswith(str(path)) and "\n" not in message and len(message) < 500
        return None
    assert triangles.dtype == np.float32 and triangles.shape[1:] == (3, 3)
    assert len(triangles) and np.isfinite(triangles).all()
    # No more than the corners that the file has room for.
    assert len(triangles) <= len(content)
    return triangles


@st.composite
def bytes_changed(draw):
    """One of the files, changed in a few bytes, longer or shorter."""
    name, content = draw(WHOLE)
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        new = draw(
            st.one_of(
                st.binary(min_size=1, max_size=8),
                st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"]),
            )
        )
        content[at : at + draw(st.sampled_from([0, len(new), 30]))] = new
    return name, bytes(content[: draw(st.sampled_from([None, None, None, len(content) // 2]))])


@st.composite
def words_changed(draw):
    """One of the files, with words taken out, put in, exchanged or repeated."""
    name, content = draw(WHOLE)
    parts = re.split(rb"([ \n]+)", content)
    word = st.one_of(st.sampled_from(WORDS), st.sampled_from(parts))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(parts) - 1))
        parts[at : at + draw(st.integers(0, 3))] = draw(st.lists(word, max_size=3))
        parts = parts or [b""]
    return name, b"".join(parts)


@fuzzed(150, bytes_changed())
def test_changed_bytes_give_a_shape_or_a_reason(tmp_path_factory, given):
    name, content = given
    check(tmp_path_factory.getbasetemp(), name, content)


@fuzzed(150, words_changed())
def test_changed_words_give_a_shape_or_a_reason(tmp_path_factory, given):
    name, content = given
    check(tmp_path_factory.getbasetemp(), name, content)


@fuzzed(100, cad_dialects.files())
def test_a_shape_is_read_whatever_dialect_it_is_written_in(tmp_path_factory, drawn):
    name, content, shape = drawn
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    np.testing.assert_array_equal(meshes.read_triangles(path), shape.triangles())


@fuzzed(100, cad_dialects.files(cad_dialects.odd()))
def test_one_odd_number_gives_a_shape_or_a_reason(tmp_path_factory, drawn):
    name, content, (_, what) = drawn
    found = check(tmp_path_factory.getbasetemp(), name, content)
    assert found is None or not cad_dialects.is_impossible(name, content, what)


@fuzzed(100, st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=3, max_size=12))
def test_any_polygon_gives_triangles_between_its_corners(tmp_path_factory, outline):
    """Crossed, bent, with points twice: as many triangles as a fan has at most, of its points."""
    path = tmp_path_factory.getbasetemp() / "polygon.off"
    path.write_text(cad_formats.off([*outline, (9, 9, 9), (8, 9, 7)], [range(len(outline))]))
    try:
        triangles = meshes.read_triangles(path)
    except meshes.MeshError as error:
        assert "vertices" in str(error) or "no extent" in str(error)
    else:
        assert len(triangles) <= len(outline) - 2
        assert set(map(tuple, triangles.reshape(-1, 3).tolist())) <= set(outline)

"""Damaged content: files by their bytes, arrays by their headers, records by their parts."""

import io
import pickletools
import zlib

import numpy as np
from hypothesis import strategies as st

SPICE = st.sampled_from(
    [b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x80\0\0\0"]
    + [b",", b"\n", b'"', b"nan", b"1e999", b"\0", b"-0,", b"9" * 30, b"\xff\xfe", b"(99999999,)"]
)


@st.composite
def damaged(draw, wholes, most=4):
    """Bytes of one of some files, of which some are changed, cut, repeated or put in."""
    content = bytearray(draw(st.sampled_from(wholes)))
    for _ in range(draw(st.integers(1, most))):
        size = len(content)
        # Headers stand at both ends of files.
        low, high = draw(st.sampled_from([(0, size), (0, size), (0, 200), (size - 200, size)]))
        at = draw(st.integers(max(0, low), min(high, size)))
        new = draw(st.one_of(st.binary(min_size=1, max_size=8), SPICE))
        match draw(st.sampled_from(["set", "set", "cut", "repeat", "insert"])):
            case "set":
                content[at : at + len(new)] = new
            case "cut":
                del content[at : at + draw(st.integers(1, 40))]
            case "repeat":
                content[at:at] = content[max(0, at - 20) : at] * draw(st.integers(1, 50))
            case "insert":
                content[at:at] = new
    if draw(st.integers(0, 7)) == 7:
        del content[len(content) // 2 :]
    return bytes(content)


def with_checksums(content):
    """A PNG with the checksums of its chunks as they are: what they hold is then read."""
    content, at = bytearray(content), 8
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        if end + 4 > len(content):
            break
        content[end : end + 4] = zlib.crc32(content[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(content)


@st.composite
def npy(draw):
    """An array as NumPy saves it, whose header is whole but for an odd type, shape or order."""
    types = ["<f8", ">i2", "|b1", "<c8", "<M8[ns]", "|O", "<U5", "|S0", "|V7", "<f2", "", "x", 5]
    types += [[("a", "<i4")], [("a", "<f8"), ("b", "|O")], "<f8,<f8", None, "<f99"]
    shapes = [(), (0,), (3,), (7, 3), (3, 0), (-1,), (2**63,), (2**62, 4), (10**9, 10**9)]
    shapes += [(10**30,), ("a",), None, 5, (True,), (1.5,), ((1,), 2), (1,) * 40, "(3,)", (2**31,)]
    header = {
        "descr": draw(st.sampled_from(types)),
        "fortran_order": draw(st.sampled_from([False, True, None, 3])),
        "shape": draw(st.sampled_from(shapes)),
    }
    if draw(st.integers(0, 9)) == 9:
        header[draw(st.sampled_from(["descr", "more", "shape"]))] = draw(st.sampled_from([{}, []]))
    version, size = draw(st.sampled_from([((1, 0), 2), ((2, 0), 4), ((3, 0), 4), ((9, 9), 2)]))
    text = (repr(header) + "\n").encode()
    body = bytes(draw(st.sampled_from([0, 1, 8, 24, 168, 4000])))
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(size, "little") + text + body


@st.composite
def program(draw, wholes):
    """A pickle of which some instructions are left out, repeated or exchanged."""
    content = draw(st.sampled_from(wholes))
    places = [at for *_, at in pickletools.genops(content)] + [len(content)]
    parts = [content[a:b] for a, b in zip(places, places[1:], strict=False)]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(parts) - 1))
        new = draw(st.lists(st.sampled_from(parts), max_size=3))
        parts[at : at + draw(st.integers(0, 2))] = new
        parts = parts or [b"."]
    return b"".join(parts)


ODD = st.one_of(
    st.sampled_from(
        [None, True, -1, 0, 3, 10**9, 10**30, 1.5, float("nan"), float("inf"), 1e300, "", "x", "é"]
        + [[], {}, [[]], {"a": None}, ["a", "b"], {"class_name": "Lambda"}, "__main__>Evil"]
    ),
    st.text(max_size=5),
)
ARRAYS = st.sampled_from(
    [np.zeros(shape, kind) for shape in [(), 0, 3, (4, 4), (4, 4, 1), (4, 4, 3), (2, 0, 4), (1, 9)]
     for kind in ("u1", "f8", "?", ">i2", "f2", "i8")]
)  # fmt: skip


@st.composite
def changed(draw, content, odd=ODD):
    """Nested lists and dictionaries, with something else in one place, or a part of them gone."""
    if isinstance(content, dict | list) and content and draw(st.integers(0, 9)):
        places = list(content) if isinstance(content, dict) else list(range(len(content)))
        place, new = draw(st.sampled_from(places)), content.copy()
        if draw(st.integers(0, 9)):
            new[place] = draw(changed(content[place], odd))
        else:
            del new[place]
        return new
    return draw(odd)


def saved(save, *arrays, **named):
    """What a function of NumPy writes, as bytes."""
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()

"""The PLY format of Stanford, as text and binary in both byte orders.

Elements such as `vertex` and `face` have rows, of numbers and of lists that say how long they are.
Source: paulbourke.net/dataformats/ply. trimesh reads neither triangle strips nor binary lists of
several lengths.
"""

import codecs
import re
import struct
from typing import NamedTuple

import numpy as np

from pose_data.cad import words
from pose_data.cad.polygons import Polygons

_CODES = {
    b"char": "b", b"uchar": "B", b"short": "h", b"ushort": "H", b"int": "i", b"uint": "I",
    b"int8": "b", b"uint8": "B", b"int16": "h", b"uint16": "H", b"int32": "i", b"uint32": "I",
    b"int64": "q", b"uint64": "Q",
    b"float": "f", b"double": "d", b"float32": "f", b"float64": "d",
}  # fmt: skip
_ORDERS = {b"ascii": "", b"binary_little_endian": "<", b"binary_big_endian": ">"}


class _Property(NamedTuple):
    """A column: a number each row, or a list; its types as codes of `struct`."""

    name: bytes
    code: str
    length: str | None = None


class _Element(NamedTuple):
    name: bytes
    count: int
    properties: list[_Property]


class _Text:
    """Rows as words: places are numbers of words."""

    def __init__(self, body: bytes):
        self.content = np.array(words.plain(body).split(), dtype=object)

    def width(self, code: str) -> int:
        return 1

    def length(self, at: int, code: str) -> int:
        return words.count(self.content[at], "entries of a list")

    def values(self, content: np.ndarray, code: str) -> np.ndarray:
        return words.numbers(content.ravel().tolist())


class _Binary:
    """Rows as bytes: places are numbers of bytes."""

    def __init__(self, body: bytes, order: str):
        self._order, self._body = order, body
        self.content = np.frombuffer(body, np.uint8)

    def width(self, code: str) -> int:
        return struct.calcsize(self._order + code)

    def length(self, at: int, code: str) -> int:
        (length,) = struct.unpack_from(self._order + code, self._body, at)
        if not (length >= 0 and length == length // 1):
            raise ValueError(f"it has a list of {length} entries")
        return int(length)

    def values(self, content: np.ndarray, code: str) -> np.ndarray:
        return np.frombuffer(content.tobytes(), self._order + code).astype(np.float64)


def read_ply(content: bytes) -> Polygons:
    """Reads a PLY file: the elements `vertex`, `face` and `tristrips`.

    Raises:
        ValueError: the content is not a PLY file, or a part is missing.
    """
    order, elements, body = _read_header(content.removeprefix(codecs.BOM_UTF8))
    rows = _Binary(body, order) if order else _Text(body)
    found, at = {}, 0
    for element in elements:
        if element.name in found:
            raise ValueError(f"its header has the element {words.shown(element.name)} twice")
        found[element.name], at = _read_element(rows, at, element)
    if not order and at < len(rows.content):
        raise ValueError("it has more numbers than its header announces")
    if any((axis, False) not in found.get(b"vertex", {}) for axis in (b"x", b"y", b"z")):
        raise ValueError("it has no element vertex with x, y and z")
    vertices = np.stack([found[b"vertex"][axis, False][0] for axis in (b"x", b"y", b"z")], axis=1)
    corners, sizes = _indices(found.get(b"face", {}))
    strips = _strip_triangles(*_indices(found.get(b"tristrips", {})))
    return Polygons(
        vertices,
        np.concatenate([corners, strips.ravel()]),
        np.concatenate([sizes, np.full(len(strips), 3)]),
    )


def _read_header(content: bytes) -> tuple[str, list[_Element], bytes]:
    """Returns the byte order, "" for text, the elements, and what follows the header."""
    begin = re.match(rb"\s*ply[ \t]*(\r\n|\r|\n)", content)
    if not begin:
        raise ValueError("it does not begin with ply" if content.strip() else "it is empty")
    # Where lines end in CR, a byte LF is the first of a binary body.
    line_end = rb"\r" if begin[1] == b"\r" else rb"(?:\r\n|\r|\n)"
    end = re.compile(rb"[\r\n][ \t]*end_header[ \t]*(?:" + line_end + rb"|$)").search(content)
    if not end:
        raise ValueError("its header has no end_header")
    order, elements = None, []
    for line in re.split(rb"[\r\n]+", content[begin.end() : end.start()]):
        match line.split():
            case [] | [b"comment" | b"obj_info", *_]:
                pass
            case [b"format", form, *_] if form in _ORDERS:
                order = _ORDERS[form]
            case [b"element", name, count]:
                elements.append(_Element(name, words.count(count, "rows"), []))
            case [b"property", *_, name] if elements and any(
                of.name == name for of in elements[-1].properties
            ):
                raise ValueError(f"its header has the property {words.shown(name)} twice")
            case [b"property", b"list", length, code, name] if elements and (
                length in _CODES and code in _CODES
            ):
                of = _Property(name, _CODES[code], _CODES[length])
                elements[-1].properties.append(of)
            case [b"property", code, name] if elements and code in _CODES:
                elements[-1].properties.append(_Property(name, _CODES[code]))
            case _:
                raise ValueError(f"its header has the line {words.shown(line.strip())}")
    if order is None:
        raise ValueError("its header has no line with its format")
    return order, elements, content[end.end() :]


def _read_element(rows: _Text | _Binary, at: int, element: _Element) -> tuple[dict, int]:
    """Reads the rows of an element from a place on.

    Returns:
        By name and whether it is of lists: all values of a property, and the lengths of its lists;
        and the place after the last row.
    """
    count, properties = element.count, element.properties
    if not (count and properties):
        nothing = np.empty(0), np.empty(0, np.int64)
        return {(of.name, bool(of.length)): nothing for of in properties}, at
    short = f"it ends before its {count} rows of {words.shown(element.name)}"
    if at + count * sum(rows.width(of.length or of.code) for of in properties) > len(rows.content):
        raise ValueError(short)
    spans, end = _row(rows, at, properties, short)
    stride = end - at
    if at + count * stride <= len(rows.content):
        # If all lists are as long as those of the first row, the rows are a table.
        table = rows.content[at : at + count * stride].reshape(count, stride)
        spans = spans - at
        is_value = np.zeros(stride, bool)
        is_value[words.ranges(spans[:, 0], spans[:, 1] - spans[:, 0])] = True
        if (table[:, ~is_value] == table[0, ~is_value]).all():
            parts = [table[:, begin:end] for begin, end in spans]
            sizes = [np.full(count, end - begin) for begin, end in spans]
            return _columns(rows, properties, parts, sizes), at + count * stride
    every = np.empty((count, len(properties), 2), np.int64)
    for number in range(count):
        every[number], at = _row(rows, at, properties, short)
    sizes = list((every[..., 1] - every[..., 0]).T)
    places = [words.ranges(begin, size) for begin, size in zip(every[..., 0].T, sizes, strict=True)]
    return _columns(rows, properties, [rows.content[of] for of in places], sizes), at


def _row(rows: _Text | _Binary, at: int, properties: list, short: str) -> tuple[np.ndarray, int]:
    """The places where the values of each property begin and end in a row, and the row's end."""
    spans = []
    for of in properties:
        number = 1
        if of.length:
            after = at + rows.width(of.length)
            if after > len(rows.content):
                raise ValueError(short)
            number, at = rows.length(at, of.length), after
        begin, at = at, at + number * rows.width(of.code)
        spans.append((begin, at))
    if at > len(rows.content):
        raise ValueError(short)
    return np.array(spans), at


def _columns(rows: _Text | _Binary, properties: list, parts: list, sizes: list) -> dict:
    return {
        (of.name, bool(of.length)): (rows.values(part, of.code), size // rows.width(of.code))
        for of, part, size in zip(properties, parts, sizes, strict=True)
    }


def _indices(columns: dict) -> tuple[np.ndarray, np.ndarray]:
    """The lists of vertices of an element, whose name differs: their numbers, and their lengths."""
    lists = {name.lower(): found for (name, is_list), found in columns.items() if is_list}
    named = [name for name in lists if b"vert" in name and b"ind" in name] or list(lists)
    if columns and len(named) != 1:
        raise ValueError("its faces have no list named vertex_indices")
    return lists[named[0]] if named else (np.empty(0), np.empty(0, np.int64))


def _strip_triangles(corners: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Returns the triangles `[F, 3]` of strips: each corner with the two before it.

    Every second one is turned, so that all face one way; -1 begins a new strip.
    """
    corners = np.insert(corners, np.cumsum(sizes), -1)
    if len(corners) < 3:
        return np.empty((0, 3))
    place = np.arange(len(corners))
    begin = np.maximum.accumulate(np.where(corners == -1, place + 1, 0))
    odd = ((place - begin) % 2 == 1)[:-2]
    triples = np.lib.stride_tricks.sliding_window_view(corners, 3)
    triples = np.where(odd[:, None], triples[:, [1, 0, 2]], triples)
    return triples[(triples != -1).all(axis=1)]

"""The OFF format of Geomview, in which PASCAL3D+ and ModelNet come.

`OFF`, the numbers of vertices, faces and edges, `x y z` of each vertex, and `n i_1 ... i_n` of each
face. Prefixes announce what follows each vertex. Source: geomview.org/docs/html/OFF.html. trimesh
reads it too, but neither wrapped lines nor the binary form, and takes a file that was cut short for
a smaller shape.
"""

import re
from typing import NamedTuple

import numpy as np

from mine.reporting.tables import counted
from pose_data.cad import words
from pose_data.cad.polygons import Polygons

_KEYWORD = rb"((?:ST|[CNn4])*)OFF"
_BINARY = re.compile(rb"(?:\s*#[^\n]*\n)*\s*" + _KEYWORD + rb"[ \t]+BINARY[^\n]*\n")


def read_off(content: bytes) -> Polygons:
    """Reads an OFF file; colours, normals and texture coordinates are passed over.

    The keyword may be missing, the numbers may be on its line, as in ModelNet, or wrapped anywhere.

    Raises:
        ValueError: the content is not an OFF file, or a part is missing.
    """
    if binary := _BINARY.match(content):
        return _read_binary(content[binary.end() :], binary[1])
    found, lengths = words.lines(content)
    prefix, rest = _keyword(found[0] if found else b"")
    wanted = 2 + (b"n" in prefix)
    body = rest + found[1:]
    if len(body) < wanted:
        raise ValueError("it ends before its numbers of vertices and faces")
    lengths[0] += len(rest) - 1
    ends = np.cumsum(lengths)
    line = np.searchsorted(ends, wanted)  # The one with the number of faces.
    if ends[line] == wanted and lengths[line + 1 : line + 2].tolist() == [1]:
        line += 1  # The number of edges, on a line of its own.
    begin = min(ends[line], wanted + 1)  # After three numbers on the line, the vertices.
    lengths = np.array([ends[line] - begin, *lengths[line + 1 :]], np.int64)
    if b"n" in prefix:
        _check_dimensions(words.count(body[0], "dimensions"))
    num_vertices = words.count(body[wanted - 2], "vertices")
    num_faces = words.count(body[wanted - 1], "faces")
    short = _short(num_vertices, num_faces)
    body, lengths = body[begin:], lengths[lengths > 0]
    if len(body) < 3 * num_vertices + num_faces:
        raise ValueError(short)
    layout = _Layout.of(prefix)
    values, points, faces = _places(body, lengths, num_vertices, num_faces, layout)
    if faces is None:
        raise ValueError(short)
    sizes = values[faces].astype(np.int64)
    vertices = values[points[:, None] + np.arange(layout.width)]
    return Polygons(layout.points(vertices), values[words.ranges(faces + 1, sizes)], sizes)


class _Layout(NamedTuple):
    """The numbers of a vertex, as the prefixes of OFF announce them.

    Attributes:
        width: of its place: three, or four with a common divisor.
        columns: with its texture coordinates, normal and colour as well.
        colour: whether there is one, of three numbers or of four.
    """

    width: int
    columns: int
    colour: bool

    @classmethod
    def of(cls, prefix: bytes) -> "_Layout":
        width, colour = 4 if b"4" in prefix else 3, b"C" in prefix
        return cls(width, width + 2 * (b"ST" in prefix) + 3 * (b"N" in prefix) + 3 * colour, colour)

    def points(self, vertices: np.ndarray) -> np.ndarray:
        if self.width == 3:
            return vertices
        with np.errstate(divide="ignore", invalid="ignore"):  # Such points are refused later.
            return vertices[:, :3] / vertices[:, 3:]


def _keyword(word: bytes) -> tuple[bytes, list[bytes]]:
    """Splits the first word into prefixes and what follows OFF."""
    # Lower case as well, where n cannot be told from N and is the more frequent of the two.
    found = re.match(_KEYWORD, word) or re.match(_KEYWORD, word.upper())
    if found:
        rest = word[found.end() :]
        return found[1], [rest] if rest else []
    if word.isdigit():
        return b"", [word]
    raise ValueError("it does not begin with OFF" if word else "it is empty")


def _short(num_vertices: int, num_faces: int) -> str:
    """What is wrong with a file that is cut."""
    vertices = "vertex" if num_vertices == 1 else "vertices"
    return f"it ends before its {num_vertices} {vertices} and {counted(num_faces, 'face')}"


def _check_dimensions(number: int) -> None:
    if number != 3:
        raise ValueError(f"its vertices have {counted(number, 'dimension')}; expected 3")


def _places(
    body: list, lengths: np.ndarray, num_vertices: int, num_faces: int, layout: _Layout
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Finds vertices and faces in a text.

    Most files have a line per vertex and face, with colours after some. Otherwise the lines may be
    wrapped: they are one stream of numbers if that ends with the last face. Last, each face may
    begin on a line and end with a colour on a later one.

    Returns:
        Numbers, the places where vertices begin, `[V]`, and where faces do, `[F]`; or None if there
        are not as many.
    """
    starts, number = np.cumsum(lengths) - lengths, num_vertices + num_faces
    points, faces = starts[:num_vertices], starts[num_vertices:number]
    lines = lengths[:num_vertices]
    # What is announced may be missing, or a colour be one number.
    bare = (lines == layout.width) | (layout.colour & (lines == layout.width + 1))
    has_rows = len(lines) == num_vertices and (bare.all() or (lines >= layout.columns).all())
    if has_rows and len(starts) >= number:
        end = starts[number] if len(starts) > number else len(body)
        values = words.numbers(body[:end])
        sizes, longest = values[faces], lengths[num_vertices:number] - 1
        if ((sizes >= 0) & (sizes == np.floor(sizes)) & (sizes <= longest)).all():
            if len(starts) > number and _goes_on(body[end:], lengths[number]):
                raise ValueError(f"it goes on after its {counted(num_faces, 'face')}")
            return values, points, faces
    values = words.numbers(body)
    for columns in (layout.columns, layout.columns + 1)[: 1 + layout.colour]:
        begin = num_vertices * columns
        faces = _faces_of_stream(values[begin:], num_faces) if begin <= len(values) else None
        if faces is not None:
            return values, columns * np.arange(num_vertices), faces + begin
    if has_rows:
        faces = _faces_over_lines(values, starts[num_vertices:], num_faces)
        return values, points, faces
    return values, points, None


def _goes_on(rest: list, length: int) -> bool:
    """Whether words after the last face begin another face, or another shape is among them.

    Args:
        rest: the words.
        length: of them on the first line.
    """
    face = length > 3 and rest[0] == b"%d" % (length - 1)
    return face or any(re.fullmatch(_KEYWORD, word) for word in rest)


def _faces_of_stream(values: np.ndarray, number: int) -> np.ndarray | None:
    """The places where faces begin, or None unless the numbers end with the last one."""
    stream, at, faces = values.tolist(), 0, []
    while at < len(stream) and len(faces) < number:
        faces.append(at)
        if not 0 < stream[at] < len(stream) or stream[at] % 1:
            return None
        at += 1 + int(stream[at])
    return np.array(faces, np.int64) if at == len(stream) and len(faces) == number else None


def _faces_over_lines(values: np.ndarray, starts: np.ndarray, number: int) -> np.ndarray | None:
    """The lines on which faces begin, or None unless they end with the last one."""
    faces, need = [], 0
    for start in starts.tolist():
        if start < need:
            continue
        if not 0 < values[start] < len(values) or values[start] % 1:
            return None
        faces.append(start)
        need = start + 1 + int(values[start])
    return np.array(faces, np.int64) if len(faces) == number and need <= len(values) else None


def _read_binary(content: bytes, prefix: bytes) -> Polygons:
    """Reads what follows `OFF BINARY`: 32-bit numbers, big-endian; a face ends with its colour."""
    whole = np.frombuffer(content, ">i4", len(content) // 4)
    at = 1 if b"n" in prefix else 0
    if len(whole) < at + 3:
        raise ValueError("it ends before its numbers of vertices and faces")
    if at:
        _check_dimensions(whole[0])
    num_vertices, num_faces = map(int, whole[at : at + 2])
    layout, begin = _Layout.of(prefix), at + 3
    columns = layout.columns + layout.colour
    at = begin + num_vertices * columns
    short = _short(num_vertices, num_faces)
    if min(num_vertices, num_faces) < 0 or at + 2 * num_faces > len(whole):
        raise ValueError(short)
    vertices = whole[begin:at].view(">f4").reshape(num_vertices, columns).astype(np.float64)
    faces = []
    for _ in range(num_faces):
        size = int(whole[at]) if at < len(whole) else -1
        colour = at + 1 + size
        if size < 0 or colour >= len(whole):
            raise ValueError(short)
        faces.append(at)
        at = colour + 1 + max(0, int(whole[colour]))
    if at > len(whole):
        raise ValueError(short)
    faces = np.array(faces, np.int64)
    sizes = whole[faces].astype(np.int64)
    corners = whole[words.ranges(faces + 1, sizes)]
    return Polygons(layout.points(vertices[:, : layout.width]), corners, sizes)

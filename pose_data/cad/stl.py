"""The STL format of 3D Systems, binary and as text.

Source: fabbers.com/tech/STL_Format. trimesh refuses bytes after the last triangle and
lines that end in CR.
"""

import re

import numpy as np

from mine.reporting.tables import counted
from pose_data.cad import words
from pose_data.cad.polygons import Polygons

_HEAD = 84  # Bytes: a title and the number of triangles.
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])

_CONTROL = re.compile(rb"[^\t-\r\x1a -~]")
_NAME = re.compile(rb"[^\n]*?(\n|$|(?=\bfacet\s+normal\b))")
_BEGIN = re.compile(rb"^[ \t]*(solid|facet)\b", re.MULTILINE)


def read_stl(content: bytes) -> Polygons:
    """Reads an STL file; normals and attributes are passed over.

    Raises:
        ValueError: the content is not an STL file, or a part is missing.
    """
    number = int.from_bytes(content[80:_HEAD], "little")
    wanted = _HEAD + number * _TRIANGLE.itemsize
    if len(content) != wanted:
        # The title of a binary file may begin as a text does, but a text has no byte 0.
        text, end, rest = words.plain(content).lstrip().lower().rpartition(b"endsolid")
        text, rest = (text, rest) if end else (rest, b"")
        if text.startswith((b"solid", b"facet")) and b"\0" not in text:
            if text.startswith(b"solid") and (not end or _BEGIN.search(rest)):
                raise ValueError("it ends before its last line, which is endsolid")
            return _read_text(text)
        if not _CONTROL.search(content[:_HEAD]):  # Its bytes are no number of triangles.
            raise ValueError("it is a text that does not begin with solid or facet")
        if len(content) < _HEAD:
            raise ValueError("it does not begin as an STL file" if text else "it is empty")
        if len(content) < wanted:
            raise ValueError(f"it ends before its {counted(number, 'triangle')}")
        if number and (len(content) - wanted) % _TRIANGLE.itemsize == 0:
            raise ValueError(f"it goes on after its {counted(number, 'triangle')}")
        if not number:
            raise ValueError(f"it announces 0 triangles, but has {len(content):,} bytes")
    corners = np.frombuffer(content, _TRIANGLE, number, _HEAD)["corners"]
    return _separate(corners.reshape(-1, 3).astype(np.float64), np.full(number, 3))


def _read_text(text: bytes) -> Polygons:
    """Reads facets: `outer loop`, `vertex x y z` each corner, `endloop`."""
    # The rest of such lines is a name, which may hold any word.
    first, *others = text.replace(b"endsolid", b"solid").split(b"solid")
    bare = b" ".join([first, *(_NAME.sub(b"", of, count=1) for of in others)]).split()
    every = np.array(bare, dtype=object)
    vertex, ends = np.flatnonzero(every == b"vertex"), np.flatnonzero(every == b"endloop")
    if (every == b"facet").sum() != len(ends):
        raise ValueError("it ends within a facet")
    if len(vertex) and vertex[-1] + 3 >= len(bare):
        raise ValueError("it ends within a vertex")
    points = words.numbers(every[vertex[:, None] + [1, 2, 3]].ravel().tolist()).reshape(-1, 3)
    return _separate(points, np.diff(np.searchsorted(vertex, ends), prepend=0))


def _separate(points: np.ndarray, sizes: np.ndarray) -> Polygons:
    """Polygons that share no points, `[sum(sizes), 3]`."""
    return Polygons(points, np.arange(sizes.sum()), sizes)

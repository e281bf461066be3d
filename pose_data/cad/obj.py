"""The OBJ format of Wavefront: vertices and polygons; all else is passed over.

Source: paulbourke.net/dataformats/obj. trimesh counts relative indices from the end of the file
instead of the face's line, which makes another shape, and cuts concave faces as if convex.
"""

import re

import numpy as np

from mine.reporting.tables import counted
from pose_data.cad import words
from pose_data.cad.polygons import Polygons

_KEYWORD = re.compile(rb"[A-Za-z_][\w.-]*")


def read_obj(content: bytes) -> Polygons:
    """Reads an OBJ file.

    Raises:
        ValueError: a line is damaged.
    """
    if not content.strip():
        raise ValueError("it is empty")
    found, lengths = words.lines(content)
    starts = np.cumsum(lengths) - lengths
    keywords = [found[start] for start in starts.tolist()]
    for keyword in set(keywords):
        if not _KEYWORD.fullmatch(keyword):
            raise ValueError(f"a line begins with {words.shown(keyword)}, which is no keyword")
    is_vertex = np.array([keyword in (b"v", b"V") for keyword in keywords], bool)
    is_face = np.array([keyword in (b"f", b"F", b"fo") for keyword in keywords], bool)
    if is_vertex.any() and (least := lengths[is_vertex].min() - 1) < 3:
        raise ValueError(f"a vertex has {counted(least, 'number')}; expected 3")
    places = starts[is_vertex][:, None] + [1, 2, 3]
    vertices = words.numbers([found[i] for i in places.ravel().tolist()]).reshape(-1, 3)
    sizes = lengths[is_face] - 1
    # Of a corner such as 1/2/3, the first number is of the vertex.
    named = [found[i] for i in words.ranges(starts[is_face] + 1, sizes).tolist()]
    if b"/" in content:
        named = [word.partition(b"/")[0] for word in named]
    corners = words.numbers(named)
    if (corners == 0).any():
        raise ValueError("a face names vertex 0; expected numbers from 1 on")
    if (corners > len(vertices)).any():
        wrong = corners[(corners > len(vertices)).argmax()]
        raise ValueError(f"a face names vertex {wrong:.10g}; the file has {len(vertices)}")
    before = np.repeat(np.cumsum(is_vertex)[is_face], sizes)
    zero_based = corners + np.where(corners < 0, before, -1)
    if (zero_based < 0).any():
        wrong = corners[(zero_based < 0).argmax()]
        raise ValueError(f"a face names vertex {wrong:.10g}, which is not before its line")
    return Polygons(vertices, zero_based, sizes)

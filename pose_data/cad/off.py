"""The OFF format of Geomview, in which PASCAL3D+ and ModelNet come.

trimesh reads it too, but stops at polygons of five corners and more, and takes a file that was cut
short for a smaller shape.
"""

import numpy as np


def read_off(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads the text of an OFF file; colours are passed over.

    Args:
        text: `OFF`, the numbers of vertices, faces and edges, a line `x y z` per vertex, and a line
            `n i_1 ... i_n` per face. The numbers may be on the first line, as in ModelNet.

    Returns:
        Vertices, float64 `[V, 3]`, and triangles, int `[F, 3]`; a polygon becomes a fan of them.

    Raises:
        ValueError: the text is not an OFF file, or a part is missing.
    """
    lines = [line for line in (raw.split("#")[0].strip() for raw in text.splitlines()) if line]
    # Prefixes announce colours and normals, which follow each vertex's x, y, z.
    keyword, found, counts = lines[0].partition("OFF") if lines else ("", "", "")
    if not found or not set(keyword) <= set("STCN"):
        raise ValueError("it does not begin with OFF")
    body = lines[1:]
    if not counts.strip():
        counts, body = (body[0], body[1:]) if body else ("", [])
    num_vertices, num_faces = (int(count) for count in counts.split()[:2])
    if num_vertices < 0 or num_faces < 0 or len(body) < num_vertices + num_faces:
        raise ValueError(f"it ends before its {num_vertices} vertices and {num_faces} faces")
    rows = [line.split()[:3] for line in body[:num_vertices]]
    vertices = np.array(rows, dtype=np.float64).reshape(num_vertices, 3)

    polygons: dict[int, list[list[str]]] = {}
    for line in body[num_vertices : num_vertices + num_faces]:
        size, *corners = line.split()
        polygons.setdefault(int(size), []).append(corners[: int(size)])
    fans = [np.empty((0, 3), dtype=np.int64)]
    for size, corners in polygons.items():
        if size < 3:
            continue  # Points and lines have no surface.
        corners = np.array(corners, dtype=np.int64).reshape(len(corners), size)
        fans += [corners[:, [0, i, i + 1]] for i in range(1, size - 1)]
    triangles = np.concatenate(fans)
    if triangles.size and (triangles.min() < 0 or triangles.max() >= num_vertices):
        raise ValueError("a face names a vertex that is not there")
    return vertices, triangles

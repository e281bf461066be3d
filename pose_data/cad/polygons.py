"""Polygons cut into triangles along their outlines."""

from typing import NamedTuple

import mapbox_earcut
import numpy as np

# The time for a polygon that crosses itself grows with the square of its corners.
MAX_CORNERS = 10_000
# A fan's triangle may point back by so much of the polygon's area: rounded corners on one line do.
_TOLERANCE = 1e-6


class Polygons(NamedTuple):
    """What a file holds: points, and polygons with points as corners.

    Attributes:
        vertices: points, float64 `[V, 3]`, in the file's unit.
        corners: numbers of points from 0 on, of one polygon after the other, `[sum(sizes)]`.
        sizes: corners of each polygon, int `[P]`; those with one or two have no surface.
    """

    vertices: np.ndarray
    corners: np.ndarray
    sizes: np.ndarray


def cut(polygons: Polygons) -> np.ndarray:
    """Cuts polygons into triangles that cover them and face as they do.

    A polygon that need not be flat counts as concave by what its plane shows, whose normal is
    Newell's (Sutherland et al. 1974, doi 10.1145/356625.356626). One that crosses itself or has no
    area has no right answer, and gets triangles between its corners.

    Returns:
        Corners of the triangles, float64 `[F, 3, 3]`. Those of a polygon begin at its first corner
        where that sees the whole polygon.

    Raises:
        ValueError: a polygon has a corner that is none of the points, or too many corners.
    """
    vertices, corners, sizes = polygons
    wrong = ~((corners >= 0) & (corners < len(vertices)) & (corners == np.floor(corners)))
    if wrong.any():
        raise ValueError(
            f"a face names vertex {corners[wrong.argmax()]:.10g}; the file has {len(vertices)}, "
            "numbered from 0"
        )
    corners, starts = corners.astype(np.int64), np.cumsum(sizes) - sizes
    groups, first, number = np.unique(sizes, return_index=True, return_counts=True)
    by_size = np.split(np.argsort(sizes, kind="stable"), np.cumsum(number)[:-1])
    triangles = [np.empty((0, 3, 3))]
    for group in np.argsort(first):
        if (size := groups[group]) >= 3:
            alike = corners[starts[by_size[group]][:, None] + np.arange(size)]
            triangles += _cut_alike(vertices, alike)
    return np.concatenate(triangles)


def _cut_alike(vertices: np.ndarray, corners: np.ndarray) -> list[np.ndarray]:
    """Cuts polygons with as many corners each, `[P, n]`, into lists of triangles `[F, 3, 3]`."""
    if corners.shape[1] == 3:
        return [vertices[corners]]
    first = np.broadcast_to(corners[:, :1], corners[:, 2:].shape)
    fans = vertices[np.stack([first, corners[:, 1:-1], corners[:, 2:]], axis=-1)]
    with np.errstate(over="ignore", invalid="ignore"):  # Such points are refused later.
        edges = fans[:, :, 1:] - fans[:, :, :1]
        normals = np.cross(edges[:, :, 0], edges[:, :, 1])
        whole = normals.sum(axis=1)
        facing = np.einsum("pfi,pi->pf", normals, whole)
        back = facing < -_TOLERANCE * (whole**2).sum(axis=1, keepdims=True)
    concave = back.any(axis=1) & np.isfinite(whole).all(axis=1)
    # All first triangles, then all second ones: the order that checksums of renders rely on.
    triangles = [fans[~concave].swapaxes(0, 1).reshape(-1, 3, 3)]
    for points, normal, fan in zip(
        vertices[corners[concave]], whole[concave], fans[concave], strict=True
    ):
        found = _cut_concave(points, normal)
        triangles.append(found if len(found) else fan)
    return triangles


def _cut_concave(points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Cuts one polygon, `[n, 3]`, seen along the axis that is nearest to its normal, `[3]`."""
    if len(points) > MAX_CORNERS:
        raise ValueError(
            f"it has a concave face of {len(points):,} corners, more than the {MAX_CORNERS:,} that "
            "are cut: divide it in a mesh editor"
        )
    axis = np.abs(normal).argmax()
    flat = np.ascontiguousarray((points - points[0])[:, [axis - 2, axis - 1]])
    triples = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], np.uint32))
    triples = triples.reshape(-1, 3).astype(np.int64)
    a, b, c = np.moveaxis(flat[triples], 1, 0)
    doubled = np.sum((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    if doubled * normal[axis] < 0:
        triples = triples[:, ::-1]
    return points[triples]

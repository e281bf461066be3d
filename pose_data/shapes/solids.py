"""Solid parts from which the shapes are built: lofts, blocks, extrusions, wheels, cabins.

A part is a closed `trimesh.Trimesh` with outward normals; several parts are a list. Coordinates
are metres with x forward, y to the left and z up; a span is a pair (low, high). Parts may overlap:
they are joined without boolean operations, which is all that rendering needs.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import trimesh

Span = tuple[float, float]
Point = Sequence[float]
Parts = list[trimesh.Trimesh]


def middle(half: float, at: float = 0.0) -> Span:
    """The span of half-length `half` around `at`."""
    return at - half, at + half


def loft(sections: Sequence, cap: Sequence | None = None) -> trimesh.Trimesh:
    """Skins a stack of closed loops and closes both ends.

    Args:
        sections: [S, N, 3], S loops of N corners, corner i of one joined to corner i of the next.
        cap: [T, 3], triangles over the N corners that close the first and last loop; if omitted
            a fan, right for convex loops.

    Returns:
        The closed mesh; the loops may run either way round.
    """
    sections = np.asarray(sections, dtype=np.float64)
    loops, corners = sections.shape[:2]
    if cap is None:
        cap = [(0, i, i + 1) for i in range(1, corners - 1)]
    cap = np.asarray(cap)
    index = np.arange(loops * corners).reshape(loops, corners)
    here, above = index[:-1], index[1:]
    here_next, above_next = np.roll(here, -1, axis=1), np.roll(above, -1, axis=1)
    faces = np.concatenate(
        [
            np.stack([here, here_next, above], axis=-1).reshape(-1, 3),
            np.stack([here_next, above_next, above], axis=-1).reshape(-1, 3),
            cap[:, ::-1],
            cap + index[-1, 0],
        ]
    )
    vertices = sections.reshape(-1, 3)
    a, b, c = (vertices - vertices.mean(axis=0))[faces].swapaxes(0, 1)
    if np.einsum("ij,ij->", a, np.cross(b, c)) < 0:  # six times the signed volume
        faces = faces[:, ::-1]
    return trimesh.Trimesh(vertices, faces, process=False)


def frustum(x: Span, y: Span, top_x: Span, top_y: Span, z: Span) -> trimesh.Trimesh:
    """A block on the rectangle (x, y) at z[0] that ends in (top_x, top_y) at z[1]."""
    return loft(
        [
            [(xs[0], ys[0], h), (xs[1], ys[0], h), (xs[1], ys[1], h), (xs[0], ys[1], h)]
            for xs, ys, h in ((x, y, z[0]), (top_x, top_y, z[1]))
        ]
    )


def box(x: Span, y: Span, z: Span) -> trimesh.Trimesh:
    """A block with faces along the axes."""
    return frustum(x, y, x, y, z)


def extrude(outline: Sequence, span: Span, axis: str = "y") -> trimesh.Trimesh:
    """Pulls a flat outline, concave or not, along an axis.

    Args:
        outline: [N, 2] corners in order, in the other two axes: (y, z), (x, z) or (x, y).
        span: extent along `axis`.
        axis: "x", "y" or "z".

    Raises:
        ValueError: the outline crosses itself, so that it cannot be cut into triangles.
    """
    outline = np.asarray(outline, dtype=np.float64)
    column = "xyz".index(axis)
    sections = [np.insert(outline, column, value, axis=1) for value in span]
    return loft(sections, cap=_triangulate(outline))


def lathe(profile: Sequence, start: Point, direction: Point, sides: int = 16) -> trimesh.Trimesh:
    """Turns a profile round an axis.

    Args:
        profile: [S, 2], pairs (radius, distance along the axis from `start`).
        start: [3], where the axis begins.
        direction: [3], where it points; any length.
        sides: corners of the circle, whose radius is that of the corners.
    """
    axis = np.asarray(direction, dtype=np.float64)
    axis = axis / np.linalg.norm(axis)
    # The least parallel of y and z keeps four-sided beams square to the ground.
    reference = (0.0, 1.0, 0.0) if abs(axis[1]) < 0.7 else (0.0, 0.0, 1.0)
    across = np.cross(axis, reference)
    across /= np.linalg.norm(across)
    angle = (np.arange(sides) + 0.5) * (2 * np.pi / sides)
    circle = np.outer(np.cos(angle), across) + np.outer(np.sin(angle), np.cross(axis, across))
    return loft([np.asarray(start) + at * axis + radius * circle for radius, at in profile])


def rod(
    start: Point, end: Point, radius: float, end_radius: float | None = None, sides: int = 8
) -> trimesh.Trimesh:
    """A round bar (a square one with `sides=4`) between two points, tapered to `end_radius`."""
    direction = np.subtract(end, start)
    profile = [
        (radius, 0.0),
        (radius if end_radius is None else end_radius, np.linalg.norm(direction)),
    ]
    return lathe(profile, start, direction, sides)


def rods(path: Sequence[Point], radius: float, sides: int = 8) -> Parts:
    """Round bars of one radius along a path, [N, 3]."""
    return [rod(a, b, radius, sides=sides) for a, b in zip(path[:-1], path[1:], strict=True)]


def legs(x: Iterable[float], y: float, height: float, radius: float, sides: int = 8) -> Parts:
    """Pairs of upright legs from the ground at each x, at y and -y."""
    return [
        leg for foot in x for leg in pair(rod((foot, y, 0), (foot, y, height), radius, sides=sides))
    ]


def ring(
    x: float,
    z: float,
    half_width: float,
    half_height: float,
    sides: int = 16,
    roundness: float = 1.0,
) -> np.ndarray:
    """A loop across the x axis, for `loft`: an ellipse, a rectangle as `roundness` nears 0.

    Returns:
        [sides, 3] corners around (x, 0, z).
    """
    angle = (np.arange(sides) + 0.5) * (2 * np.pi / sides)
    cos, sin = np.cos(angle), np.sin(angle)
    y = half_width * np.sign(cos) * np.abs(cos) ** roundness
    up = half_height * np.sign(sin) * np.abs(sin) ** roundness
    return np.stack([np.full(sides, x), y, z + up], axis=1)


def wheel(x: float, y: float, radius: float, width: float, sides: int = 16) -> trimesh.Trimesh:
    """A wheel with sunken hubs that stands on z = 0 with its middle at (x, y), rolling along x."""
    half = width / 2
    profile = [
        (0.5 * radius, -0.4 * half),
        (0.62 * radius, -half),
        (0.9 * radius, -half),
        (radius, -0.6 * half),
        (radius, 0.6 * half),
        (0.9 * radius, half),
        (0.62 * radius, half),
        (0.5 * radius, 0.4 * half),
    ]
    # The lowest facet, not a corner, meets the ground.
    return lathe(profile, (x, y, radius * np.cos(np.pi / sides)), (0, 1, 0), sides)


def mirrored(part: trimesh.Trimesh) -> trimesh.Trimesh:
    """The part reflected to the other side, y -> -y."""
    return trimesh.Trimesh(part.vertices * (1, -1, 1), part.faces[:, ::-1], process=False)


def pair(part: trimesh.Trimesh) -> Parts:
    """The part and its mirror image."""
    return [part, mirrored(part)]


def turned(
    part: trimesh.Trimesh, degrees: float, axis: str = "y", about: Point = (0, 0, 0)
) -> trimesh.Trimesh:
    """The part rotated about an axis through `about`: about "y" leans +z towards +x."""
    a, b = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    moved = part.vertices - np.asarray(about)
    vertices = moved.copy()
    vertices[:, a] = cos * moved[:, a] - sin * moved[:, b]
    vertices[:, b] = sin * moved[:, a] + cos * moved[:, b]
    return trimesh.Trimesh(vertices + np.asarray(about), part.faces, process=False)


def join(parts: Iterable[trimesh.Trimesh]) -> trimesh.Trimesh:
    """One mesh of all parts, which keep their own faces where they overlap."""
    parts = list(parts)
    offsets = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    return trimesh.Trimesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + offset for part, offset in zip(parts, offsets, strict=True)]),
        process=False,
    )


def tub(x: Span, y: Span, z: Span, wall: float) -> Parts:
    """A box open at the top: a floor and four walls."""
    floor_top = z[0] + wall
    return [
        box(x, y, (z[0], floor_top)),
        *(box(span, y, (floor_top, z[1])) for span in ((x[0], x[0] + wall), (x[1] - wall, x[1]))),
        *(
            box((x[0] + wall, x[1] - wall), span, (floor_top, z[1]))
            for span in ((y[0], y[0] + wall), (y[1] - wall, y[1]))
        ),
    ]


def cabin(
    base: Span, roof: Span, half_width: float, z: Span, posts: int = 3, sink: float = 0.09
) -> Parts:
    """A glazed upper body: sunken panes between posts, under a roof that casts a shadow on them.

    Args:
        base: extent along x at the sills; the difference to `roof` slopes the windscreens.
        roof: extent along x of the roof.
        half_width: half the width at the sills; the roof is a tenth narrower.
        z: heights of the sills and of the roof's top.
        posts: number of posts on each side.
        sink: depth of the panes behind the outside of the roof.
    """
    top, under = 0.9 * half_width, z[1] - 0.1 * (z[1] - z[0])
    panes = frustum(
        (base[0] + sink, base[1] - sink),
        middle(half_width - sink),
        (roof[0] + sink, roof[1] - sink),
        middle(top - sink),
        (z[0], under),
    )
    pillars = [
        rod(
            (low, half_width - 0.5 * sink, z[0] - sink),
            (high, top - 0.5 * sink, under),
            0.6 * sink,
            sides=4,
        )
        for low, high in zip(
            np.linspace(base[0] + sink, base[1] - sink, posts),
            np.linspace(roof[0] + sink, roof[1] - sink, posts),
            strict=True,
        )
    ]
    return [
        panes,
        box(roof, middle(top), (under, z[1])),
        *(part for pillar in pillars for part in pair(pillar)),
    ]


def _triangulate(outline: np.ndarray) -> list[tuple[int, int, int]]:
    """Cuts ears off a simple polygon, [N, 2]; the triangles turn the way the outline does."""

    def turn(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    after = np.roll(outline, -1, axis=0)
    sign = np.sign(np.sum(outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]))
    left, triangles = list(range(len(outline))), []
    while len(left) > 3:
        for k, here in enumerate(left):
            before, following = left[k - 1], left[(k + 1) % len(left)]
            a, b, c = outline[before], outline[here], outline[following]
            inside = any(
                min(sign * turn(a, b, p), sign * turn(b, c, p), sign * turn(c, a, p)) >= 0
                for p in outline[[i for i in left if i not in (before, here, following)]]
            )
            if sign * turn(a, b, c) > 0 and not inside:
                triangles.append((before, here, following))
                del left[k]
                break
        else:
            raise ValueError(f"the outline crosses itself: {outline.tolist()}")
    return [*triangles, tuple(left)]

"""The parts of the procedural shapes against volumes in closed form."""

import numpy as np
import pytest

from pose_data.shapes import solids


def polygon_area(sides, radius):
    return sides / 2 * radius**2 * np.sin(2 * np.pi / sides)


BLOCK = ((0, 2), (-1, 1), (0, 3))
ELL = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 3), (0, 3)]  # Concave, area 4.


@pytest.mark.parametrize(
    ("part", "volume"),
    [
        (solids.box(*BLOCK), 12),
        # Prismatoid: height / 6 * (bottom + 4 * middle + top).
        (solids.frustum((0, 2), (0, 2), (0, 1), (0, 1), (0, 3)), 3 / 6 * (4 + 4 * 1.5**2 + 1)),
        (solids.extrude(ELL, (0, 0.5), "x"), 2),
        (solids.extrude(ELL[::-1], (-1, 1), "y"), 8),
        (solids.extrude(ELL, (5, 6), "z"), 4),
        (solids.rod((1, 2, 3), (1, 2, 5), 0.5, sides=4), 2 * polygon_area(4, 0.5)),
        (solids.rod((0, 0, 0), (3, 4, 0), 2, 1, sides=8), 5 / 3 * polygon_area(8, 1) * 7),
        (solids.lathe([(1, 0), (1, 2)], (0, 0, 0), (0, -1, 0), 16), 2 * polygon_area(16, 1)),
        (solids.loft([solids.ring(x, 0, 1, 1, 12) for x in (0, 1, 4)]), 4 * polygon_area(12, 1)),
        (solids.turned(solids.box(*BLOCK), 37, "x", (1, 2, 3)), 12),
        (solids.mirrored(solids.box(*BLOCK)), 12),
        (solids.join([solids.box(*BLOCK), solids.rod((9, 0, 0), (9, 0, 1), 1, sides=6)]),
         12 + polygon_area(6, 1)),
        (solids.join(solids.tub((0, 2), (0, 3), (0, 1), 0.25)), 6 - 1.5 * 2.5 * 0.75),
    ],
)  # fmt: skip
def test_is_closed_faces_outward_and_has_its_volume(part, volume):
    assert part.is_watertight or len(part.split()) > 1
    assert part.is_winding_consistent
    np.testing.assert_allclose(part.volume, volume, rtol=1e-12)


def test_box_fills_its_spans():
    np.testing.assert_allclose(solids.box(*BLOCK).bounds.T, BLOCK)


def test_wheel_stands_on_the_ground_and_is_sunken_at_the_hub():
    wheel = solids.wheel(3, 1, 0.5, 0.2, sides=16)
    high = 0.5 * np.cos(np.pi / 16)
    low, top = (3 - high, 0.9, 0), (3 + high, 1.1, 2 * high)
    np.testing.assert_allclose(wheel.bounds, [low, top], atol=1e-12)
    full = solids.lathe([(0.5, 0), (0.5, 0.2)], (0, 0, 0), (0, 1, 0), 16)
    assert wheel.volume < full.volume


@pytest.mark.parametrize(
    ("axis", "point", "expected"),
    [("x", (0, 1, 0), (0, 0, 1)), ("y", (0, 0, 1), (1, 0, 0)), ("z", (1, 0, 0), (0, 1, 0))],
)
def test_turned_goes_round_the_axis_by_the_right_hand_rule(axis, point, expected):
    part = solids.box((0, 1), (0, 1), (0, 1))
    at = np.flatnonzero((part.vertices == point).all(axis=1))[0]
    np.testing.assert_allclose(solids.turned(part, 90, axis).vertices[at], expected, atol=1e-12)


def test_mirrored_and_pair_are_reflections_in_y():
    part = solids.rod((0, 1, 0), (1, 2, 0), 0.1)
    np.testing.assert_array_equal(
        solids.mirrored(part).vertices, part.vertices * np.array([1, -1, 1])
    )
    assert [p.bounds[0, 1] > 0 for p in solids.pair(part)] == [True, False]


def test_cabin_panes_lie_behind_the_roof():
    panes, roof, *posts = solids.cabin((0, 4), (0.5, 3.5), 1, (1, 2), posts=4, sink=0.1)
    assert len(posts) == 8
    np.testing.assert_allclose(roof.bounds, [(0.5, -0.9, 1.9), (3.5, 0.9, 2)])
    top = panes.vertices[panes.vertices[:, 2] > 1.5]
    assert np.abs(top[:, 1]).max() == pytest.approx(0.8)


def test_an_outline_that_crosses_itself_is_refused():
    with pytest.raises(ValueError, match="crosses itself"):
        solids.extrude([(0, 0), (1, 1), (1, 0), (0, 1)], (0, 1))

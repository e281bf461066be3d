"""Things that work: excavator, tractor.

See `shapes` for what such a function promises.
"""

# A part a line: exploded by the formatter, a shape would not fit on a screen.
# fmt: off

import numpy as np
import trimesh

from pose_data.shapes.solids import (
    Parts,
    box,
    cabin,
    extrude,
    frustum,
    join,
    lathe,
    middle,
    pair,
    rod,
    rods,
    wheel,
)


def excavator(rng: np.random.Generator) -> trimesh.Trimesh:
    """Tracks or wheels, the cab on the left, and an arm raised, stretched or digging."""
    u = rng.uniform
    reach, gauge, high = u(1.3, 2.0), u(0.85, 1.2), u(0.7, 0.95)
    parts = _undercarriage(rng, reach, gauge, high)
    floor, rear, half = high + 0.1, -u(1.4, 2.3), u(1.1, 1.35)
    parts += [frustum((rear, 0.9), middle(half), (rear, 0.7), middle(half), (floor, floor + 0.4)),
              frustum((rear - 0.1, -0.3), middle(half + 0.05), (rear + 0.2, -0.35),
                      middle(half - 0.1), (floor + 0.1, floor + u(0.8, 1.3))),
              rod((rear + 0.6, -0.6, floor + 0.8), (rear + 0.6, -0.6, floor + 1.6), 0.12)]
    cab = [box((-0.35, 1.2), middle(0.44), (floor + 0.1, floor + 0.75)),
           *cabin((-0.35, 1.2), (-0.3, u(0.85, 1.05)), 0.46, (floor + 0.74, floor + u(1.6, 2.0)), 2,
                  sink=0.14)]
    for part in cab:
        part.apply_translation((0, half - 0.35, 0))
    return join(parts + cab + _arm(rng, np.array([0.6, -0.15, floor + 0.3])))


def _undercarriage(rng, reach, gauge, high) -> Parts:
    """Tracks or wheels under a turntable, and perhaps a dozer blade."""
    parts = [box(middle(0.8 * reach), middle(gauge + 0.1), (0.35, high - 0.1)),
             rod((0, 0, high - 0.15), (0, 0, high + 0.15), 0.8, sides=20)]
    if rng.random() < 0.65:
        track = [(-reach, 0.3 * high), (0.3 - reach, 0), (reach - 0.3, 0), (reach, 0.3 * high),
                 (reach, 0.7 * high), (reach - 0.3, high), (0.3 - reach, high),
                 (-reach, 0.7 * high)]
        parts += pair(extrude(track, (gauge, gauge + rng.uniform(0.45, 0.7))))
    else:
        parts += [tyre for x in (-0.7 * reach, 0.7 * reach)
                  for tyre in pair(wheel(x, gauge + 0.2, 0.6 * high, 0.45))]
    if rng.random() < 0.5:
        parts += [box((reach + 0.2, reach + 0.45), middle(gauge + 0.5), (0.05, 0.75)),
                  *pair(rod((0.5 * reach, 0.5, 0.5), (reach + 0.3, 0.6, 0.4), 0.12, sides=4))]
    return parts


def _arm(rng, foot) -> Parts:
    """Boom and dipper as chains of square beams, a ram above each, and a bucket."""
    u = rng.uniform
    rise, fold, curl = np.deg2rad([u(20, 60), u(-100, -35), u(-150, -40)])
    upper, lower = u(1.2, 1.8), u(1.5, 2.1)
    knee = foot + upper * np.array([np.cos(rise + 0.5), 0, np.sin(rise + 0.5)])
    elbow = knee + upper * np.array([np.cos(rise - 0.4), 0, np.sin(rise - 0.4)])
    along = np.array([np.cos(fold), 0, np.sin(fold)])
    wrist = elbow + lower * along
    bucket = np.array([(0.3, 0.25), (0.1, -0.3), (-0.45, -0.45), (-0.9, -0.1), (-0.8, 0.3)])
    cos, sin = np.cos(curl + np.pi / 2), np.sin(curl + np.pi / 2)
    bucket = bucket @ np.array([[cos, sin], [-sin, cos]]) + wrist[[0, 2]]
    return [rod(foot, knee, 0.36, 0.42, 4), rod(knee, elbow, 0.42, 0.3, 4),
            rod(elbow - 0.5 * along, wrist, 0.34, 0.24, 4),
            *rods([foot + (0.5, 0, 0.2), knee + (0.2, 0, -0.3)], 0.12),
            *rods([knee + (0.1, 0, 0.45), elbow - 0.5 * along], 0.12),
            extrude(bucket, middle(u(0.45, 0.7), wrist[1]))]


def tractor(rng: np.random.Generator) -> trimesh.Trimesh:
    """Large wheels behind, small ones in front; a cab, roll bar or canopy; perhaps a loader."""
    u = rng.uniform
    big, half, gauge = u(0.75, 0.95), u(0.38, 0.48), u(0.75, 0.9)
    front, deck, exhaust = u(1.4, 1.9), u(0.8, 0.95), u(0.6, 1.1)
    hood, axle = deck + u(0.45, 0.6), front - 0.35
    parts = [*pair(wheel(-0.5, gauge, big, u(0.4, 0.55), 20)),
             *pair(wheel(axle, gauge - 0.1, u(0.4, 0.55), 0.32)),
             box((-0.9, front), middle(0.25), (0.45, deck)),
             rod((axle, -gauge, 0.45), (axle, gauge, 0.45), 0.09),
             extrude([(0.2, deck - 0.1), (0.2, hood), (front - 0.2, hood - 0.12),
                      (front + 0.1, hood - 0.3), (front + 0.1, deck - 0.1)], middle(half - 0.05)),
             rod((exhaust, -0.2, hood - 0.2), (exhaust, -0.25, hood + u(0.5, 0.8)), 0.08)]
    fender = [(-0.5 - big, 1.1), (-0.9, 2.15), (-0.1, 2.15), (0.3, 1.4), (0.2, 1.4), (-0.15, 2.05),
              (-0.85, 2.05)]
    parts += pair(extrude([(x, z * big) for x, z in fender], (half - 0.1, gauge + 0.2)))
    parts += _driver_seat(rng, half, deck, hood)
    if rng.random() < 0.4:
        tip, low = front + u(0.6, 0.9), u(0.1, 0.8)
        scoop = [(0, 0), (0, 0.55), (0.1, 0.55), (0.15, 0.1), (0.6, 0.08), (0.6, 0)]
        parts += pair(rod((0.2, half + 0.1, hood - 0.1), (tip, half + 0.1, low + 0.2), 0.1,
                          sides=4))
        parts += [extrude([(tip + x, low + z) for x, z in scoop], middle(gauge + 0.15))]
    return join(parts)


def _driver_seat(rng, half, deck, hood) -> Parts:
    style, top = rng.choice(["cab", "bar", "canopy"]), hood + rng.uniform(0.7, 1.0)
    if style == "cab":
        return [box((-0.95, 0.3), middle(half), (deck - 0.1, hood)),
                *cabin((-0.95, 0.3), (-1.0, 0.3), half + 0.1, (hood - 0.01, top), 2, sink=0.13)]
    parts = [box((-0.75, -0.3), middle(0.25), (deck - 0.1, deck + 0.25)),
             box((-0.85, -0.7), middle(0.25), (deck, deck + 0.65)),
             *pair(rod((-0.9, half, deck - 0.2), (-0.9, half, top), 0.06, sides=4)),
             box((-0.96, -0.84), middle(half + 0.05), (top - 0.08, top)),
             rod((0.25, 0, hood - 0.2), (-0.1, 0, hood + 0.2), 0.04),
             lathe([(0.22, 0), (0.22, 0.05)], (-0.1, 0, hood + 0.18), (-0.6, 0, 0.8), 14)]
    if style == "canopy":
        parts += [box((-1.0, 0.4), middle(half + 0.12), (top - 0.02, top + 0.1)),
                  *pair(rod((0.3, half, deck), (0.3, half, top), 0.05, sides=4))]
    return parts

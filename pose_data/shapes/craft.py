"""Things that fly or float: aeroplane, helicopter, boat.

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
    loft,
    middle,
    mirrored,
    pair,
    ring,
    rod,
    turned,
    wheel,
)

# Half length, half span, sweep of the wing tip, chord at the root and at the tip: ranges in metres.
_AEROPLANES = {
    "airliner": ((7, 9), (7, 9.5), (2.5, 5), (2.6, 3.6), (0.8, 1.3)),
    "tailjet": ((6, 8), (5.5, 8), (1.5, 4), (2.4, 3.2), (0.8, 1.3)),
    "fighter": ((6, 7.5), (4, 5.5), (3.5, 5), (4.5, 6), (0.6, 1.6)),
    "propeller": ((4.5, 5.5), (5.5, 7.5), (0, 0.5), (1.8, 2.4), (1.2, 1.8)),
}


def aeroplane(rng: np.random.Generator) -> trimesh.Trimesh:
    """Airliner, business jet, fighter or propeller aeroplane, its wheels up or down."""
    u, style = rng.uniform, rng.choice(list(_AEROPLANES))
    length, span, sweep, chord, tip = (u(*limits) for limits in _AEROPLANES[style])
    belly, z, root = u(0.8, 1.05), 2.2, (0.5 if style == "fighter" else u(0.25, 0.4)) * length
    body = ((1, 0.1, -0.2), (0.93, 0.55, -0.1), (0.78, 0.95, 0), (0.6, 1, 0), (-0.35, 1, 0),
            (-0.75, 0.6, 0.2), (-1, 0.2, 0.45))
    x = u(0.45, 0.65) * length
    canopy = ((-1.2, 0.1), (-0.5, 0.55), (0.3, 0.55), (1.0, 0.1))
    parts = [loft([ring(at * length, z + up, r * belly, r * belly) for at, r, up in body]),
             loft([ring(x + at, z + 0.8 * belly, r * belly, r * belly, 10) for at, r in canopy])]
    low = z + belly * (u(-0.6, -0.2) if rng.random() < 0.7 else 0.7)
    wing = extrude([(root, 0), (root - sweep, span), (root - sweep - tip, span), (root - chord, 0)],
                   (low, low + 0.28), "z")
    parts += pair(turned(wing, u(1, 6), "x", (0, 0, low)))
    twin = style == "fighter" and rng.random() < 0.5
    high_tail = style == "tailjet" or rng.random() < 0.3
    parts += _tail(length, z, u(2.2, 3.0), 0.38 * span, high_tail and not twin, twin)
    if style == "airliner":
        parts += [engine for y in np.linspace(0.33, 0.62, rng.integers(1, 3)) * span
                  for engine in pair(_nacelle(root - sweep * y / span - 0.6, y, low - 0.5))]
    elif style == "tailjet":
        parts += pair(_nacelle(-0.7 * length, belly + 0.3, z + 0.4))
    elif style == "propeller":
        parts += _propeller_and_wheels(rng, length, root - 0.5, z)
    return join(parts)


def _propeller_and_wheels(rng, nose, axle, z) -> Parts:
    blade = box(middle(0.08, nose), middle(1.7), middle(0.18, z - 0.2))
    return [turned(blade, rng.uniform(0, 180), "x", (0, 0, z - 0.2)),
            *pair(rod((axle, 0, z), (axle, 1.3, 0.45), 0.14)),
            *pair(wheel(axle, 1.3, 0.5, 0.35, 12))]


def _tail(length, z, height, half, high, twin) -> Parts:
    fin = extrude([(-length, z), (-length - 0.5, z + height), (0.7 - length, z + height),
                   (-0.68 * length, z + 0.3)], middle(0.14))
    up = z + (0.93 * height if high else 0.3)
    plane = [(-0.75 * length, 0), (0.1 - length, half), (-0.7 - length, half), (-length - 0.1, 0)]
    if high:
        plane = [(x - 0.5, y) for x, y in plane]
    fins = pair(turned(mirrored(fin), -25, "x", (0, 0, z))) if twin else [fin]
    return fins + pair(extrude(plane, (up, up + 0.22), "z"))


def _nacelle(x, y, z) -> trimesh.Trimesh:
    return lathe([(0.4, 0), (0.65, 0.6), (0.65, 1.8), (0.45, 1.85)], (x, y, z), (1, 0, 0), 12)


def helicopter(rng: np.random.Generator) -> trimesh.Trimesh:
    """A bulging cabin, a tail boom, two to five blades, on skids or wheels."""
    u = rng.uniform
    wide, z, boom = u(0.95, 1.25), u(1.6, 1.85), u(3.6, 4.6)
    nose, stretch, top = u(1.7, 2.2), u(1.1, 1.8), z + wide
    body = ((nose, 0.15, -0.45), (0.85 * nose, 0.6, -0.3), (0.45 * nose, 0.98, 0),
            (-0.5 * stretch, 1, 0), (-stretch, 0.7, 0.15), (-stretch - 0.8, 0.3, 0.4),
            (-boom, 0.18, 0.5))
    parts = [loft([ring(x, z + up, r * wide, 1.05 * r * wide, 14, 0.75) for x, r, up in body]),
             frustum((-1.1, 0.5), middle(0.5), (-0.8, 0.2), middle(0.35), (z + 0.5, top + 0.4)),
             rod((0, 0, top), (0, 0, top + 0.75), 0.16)]
    blades, phase, reach = rng.integers(2, 6), u(0, 360), u(2.6, 3.4)
    # Each blade a little higher than the last, so that no two faces lie in one plane at the hub.
    parts += [turned(box((0.05, reach), middle(0.18), middle(0.06, top + 0.65 + 0.004 * k)),
                     phase + 360 / blades * k, "z") for k in range(blades)]
    side, fin = rng.choice([-1, 1]), u(1.5, 2.1)
    parts += [extrude([(0.4 - boom, z + 0.4), (-boom - 0.5, z + fin), (-boom - 0.95, z + fin),
                       (-boom - 0.3, z + 0.2)], middle(0.12)),
              box((0.5 - boom, 1.0 - boom), middle(u(0.8, 1.2)), (z + 0.5, z + 0.62)),
              lathe([(0.62, 0), (0.62, 0.1)], (-boom - 0.45, 0.14 * side, z + 1.2), (0, side, 0))]
    return join(parts + (_skids(z) if rng.random() < 0.65 else _undercarriage(z)))


def _skids(z) -> Parts:
    return [*pair(rod((-1.6, 1.1, 0.1), (1.6, 1.1, 0.1), 0.1)),
            *pair(rod((1.6, 1.1, 0.1), (1.95, 1.1, 0.4), 0.1)),
            *(strut for x in (-0.8, 0.8)
              for strut in pair(rod((x, 1.1, 0.1), (x, 0.4, z - 0.5), 0.08)))]


def _undercarriage(z) -> Parts:
    return [wheel(1.2, 0, 0.38, 0.3), *pair(wheel(-0.7, 1.0, 0.42, 0.3)),
            rod((1.2, 0, 0.35), (1.2, 0, z - 0.4), 0.12),
            *pair(rod((-0.7, 1.0, 0.4), (-0.7, 0.4, z - 0.4), 0.12))]


def boat(rng: np.random.Generator) -> trimesh.Trimesh:
    """Motor yacht, sailing boat, rowing boat, tug or container ship."""
    u = rng.uniform
    length, well, fit_out = [
        (u(3.0, 4.0), 0.2, _yacht), (u(3.0, 4.0), 0.35, _rigging), (u(2.6, 3.6), 0.65, _rowing),
        (u(2.6, 3.2), 0.2, _yacht), (u(4.2, 5.5), 0.2, _cargo)][rng.integers(5)]
    half, rim = u(1.0, 1.35), u(0.9, 1.2)
    return join([_hull(length, half, rim, u(0.5, 1.1), well),
                 *fit_out(rng, length, half, rim, rim - well - 0.02)])


def _hull(length, half, rim, sheer, well) -> trimesh.Trimesh:
    """A hollow hull: `rim` is its height amidships, `well` the depth of the deck below that."""
    sections = []
    for x, wide, up in ((-1, 0.8, 0), (-0.5, 1, 0), (0.2, 0.95, 0.05), (0.6, 0.7, 0.3),
                        (0.85, 0.35, 0.7), (1, 0.05, 1)):
        outer, top, keel = wide * half, rim + sheer * up, 0.5 * rim * up ** 2
        inner = 0.8 * outer
        left = [(0.5 * outer, keel), (outer, top), (inner, top), (0.8 * inner, top - well)]
        sections.append([(x * length, y, z) for y, z in left]
                        + [(x * length, -y, z) for y, z in left[::-1]])
    return loft(sections, cap=[(0, 1, 3), (1, 2, 3), (0, 3, 4), (0, 4, 7), (4, 6, 7), (4, 5, 6)])


def _yacht(rng, length, half, rim, deck) -> Parts:
    """A house with a bridge on it and a funnel: short and tall is a tug."""
    u, tug = rng.uniform, length < 3.0
    aft, fore = (-0.15 if tug else u(-0.7, -0.5)) * length, u(0.3, 0.45) * length
    house, rake = deck + u(0.6, 0.9), (0.03 if tug else 0.3) * length
    bridge, top = aft + 0.15 * length, house + u(0.7, 0.9)
    funnel = np.array([aft + 0.25 * length, 0, top - 0.05])
    return [frustum((aft, fore + 0.12 * length), middle(0.68 * half), (aft, fore),
                    middle(0.62 * half), (deck, house)),
            *cabin((bridge, fore), (bridge + 0.1, fore - rake), 0.6 * half, (house - 0.01, top), 4,
                   sink=0.14),
            rod(funnel, funnel + (-0.4, 0, u(0.7, 1.4)), 0.3 if tug else 0.1),
            box((-0.85 * length, -0.72 * length), middle(0.5 * half), (deck, deck + 0.5))]


def _rigging(rng, length, half, rim, deck) -> Parts:
    """Mainsail and foresail, heeling so that they catch the light from above; a low cabin."""
    u, lee = rng.uniform, rng.choice([-1, 1])
    mast, low, head = u(0.05, 0.25) * length, rim + 0.5, u(3.6, 5.0)
    heel = -lee * u(16, 26)
    main = extrude([(mast, low), (mast, head), (-u(0.7, 0.9) * length, low + 0.1)], middle(0.07))
    jib = extrude([(mast + 0.15, 0.85 * head), (0.95 * length, low + 0.2),
                   (mast + 0.15, low + 0.2)], middle(0.07))
    rig = [rod((mast, 0, deck), (mast, 0, head + 0.1), 0.12, 0.08), jib,
           turned(main, lee * u(8, 24), "z", (mast, 0, 0))]
    return [*(turned(part, heel, "x", (0, 0, deck)) for part in rig),
            *cabin((-0.3 * length, 0.4 * length), (-0.28 * length, 0.25 * length), 0.55 * half,
                   (deck, rim + 0.3), sink=0.12)]


def _rowing(rng, length, half, rim, deck) -> Parts:
    """Thwarts, a deck at the bow, a rudder, and perhaps oars."""
    x = rng.uniform(-0.3, 0.1) * length
    parts = [box(middle(0.16, at * length), middle(0.85 * half), (rim - 0.25, rim - 0.1))
             for at in np.linspace(-0.7, 0.35, rng.integers(2, 5))]
    parts += [extrude([(0.4 * length, 0.75 * half), (0.4 * length, -0.75 * half),
                       (0.85 * length, -0.2 * half), (0.85 * length, 0.2 * half)],
                      (rim - 0.1, rim + 0.1), "z"),
              box((-length - 0.35, 0.1 - length), middle(0.22), (0.3, rim + 0.4))]
    if rng.random() < 0.6:
        parts += pair(rod((x, 0.4 * half, rim + 0.2), (x - 1.3, 2.1 * half, rim - 0.3), 0.08))
    return parts


def _cargo(rng, length, half, rim, deck) -> Parts:
    """The bridge aft, and stacks of containers in three rows before it."""
    bridge, funnel = deck + rng.uniform(1.6, 2.2), (-0.84 * length, 0, deck)
    parts = [*cabin((-0.92 * length, -0.68 * length), (-0.9 * length, -0.7 * length), 0.8 * half,
                    (deck, bridge), sink=0.15),
             rod(funnel, np.add(funnel, (0, 0, bridge + 0.6 - deck)), 0.25)]
    for x in np.arange(-0.6, 0.5, 0.155) * length:
        for y in np.array([-0.75, -0.24, 0.27]) * half:
            stack = rng.integers(0, 4)
            if stack:
                parts += [box((x, x + 0.14 * length), (y, y + 0.48 * half),
                              (deck, deck + 0.3 + 0.4 * stack))]
    return parts

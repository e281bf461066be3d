"""Sixteen classes of everyday things, each object with its own proportions and parts.

`CLASSES` maps a class name to a function of a `numpy.random.Generator` that returns one
`trimesh.Trimesh`. To add a class, write such a function and decorate it with `@register`.

Functions model in metres with the front towards +x, y to the left and z up from the ground at
z = 0. Seen at 128 pixels a whole object spans about 46, so details are drawn bolder than life and
nothing is symmetric under a turn: front, back and sides differ in outline, slope or shadow.
"""

from collections.abc import Callable

import numpy as np
import trimesh

from pose_data.solids import (
    Span,
    box,
    extrude,
    frustum,
    join,
    lathe,
    loft,
    mirrored,
    pair,
    ring,
    rod,
    turned,
    tyre,
    wheel,
)

Shape = Callable[[np.random.Generator], trimesh.Trimesh]

CLASSES: dict[str, Shape] = {}


def register(shape: Shape) -> Shape:
    """Adds a function to `CLASSES` under its own name."""
    CLASSES[shape.__name__] = shape
    return shape


def middle(half: float, at: float = 0.0) -> Span:
    """The span of half-length `half` around `at`."""
    return at - half, at + half


def tub(x: Span, y: Span, z: Span, wall: float) -> list[trimesh.Trimesh]:
    """A box open at the top: a floor and four walls."""
    floor_top = z[0] + wall
    return [
        box(x, y, (z[0], floor_top)),
        box((x[0], x[0] + wall), y, (floor_top, z[1])),
        box((x[1] - wall, x[1]), y, (floor_top, z[1])),
        *(box((x[0] + wall, x[1] - wall), span, (floor_top, z[1]))
          for span in ((y[0], y[0] + wall), (y[1] - wall, y[1]))),
    ]


def cabin(base: Span, roof: Span, half_width: float, z: Span, posts: int = 3,
          sink: float = 0.09) -> list[trimesh.Trimesh]:
    """A glazed upper body: sunken panes between posts, under a roof that casts a shadow on them.

    Args:
      base: extent along x at the sills, z[0]; the difference to `roof` slopes the windscreens.
      roof: extent along x of the roof, whose top is at z[1].
      half_width: half the width at the sills; the roof is a tenth narrower.
      z: heights of sills and roof.
      posts: number of posts on each side.
      sink: depth of the panes behind the posts.
    """
    top, thick = 0.9 * half_width, 0.1 * (z[1] - z[0])
    panes = frustum((base[0] + sink, base[1] - sink), middle(half_width - sink),
                    (roof[0] + sink, roof[1] - sink), middle(top - sink), (z[0], z[1] - thick))
    lid = box(roof, middle(top), (z[1] - thick, z[1]))
    pillars = [
        rod((low, half_width - 0.5 * sink, z[0] - sink), (high, top - 0.5 * sink, z[1] - thick),
            0.6 * sink, sides=4)
        for low, high in zip(np.linspace(base[0] + sink, base[1] - sink, posts),
                             np.linspace(roof[0] + sink, roof[1] - sink, posts), strict=True)
    ]
    return [panes, lid, *(part for pillar in pillars for part in pair(pillar))]


@register
def chair(rng: np.random.Generator) -> trimesh.Trimesh:
    """Legs, sled or star base; solid, slatted or runged back; arms or none."""
    u = rng.uniform
    half, depth, seat, tall = u(0.21, 0.27), u(0.2, 0.27), u(0.38, 0.5), u(0.35, 0.65)
    parts = [box(middle(depth), middle(half), (seat - u(0.05, 0.09), seat))]
    base = rng.choice(["legs", "splayed", "sled", "star"])
    spread, leg = (0.09 if base == "splayed" else 0.0), u(0.022, 0.035)
    if base == "star":
        parts += [rod((0, 0, 0.08), (0, 0, seat - 0.02), 0.04)]
        parts += [rod((0, 0, 0.13), (0.3 * np.cos(a), 0.3 * np.sin(a), 0.03), 0.03)
                  for a in np.linspace(0, 2 * np.pi, 6)[:5]]
    else:
        parts += [foot for x in (leg - depth, depth - leg) for foot in pair(
            rod((x + np.sign(x) * spread, half - leg + spread, 0), (x, half - leg, seat - 0.02), leg))]
    if base == "sled":
        parts += pair(box(middle(depth), (half - 2 * leg, half), (0, 0.05)))
    rest, rear, top = rng.choice(["solid", "slats", "rungs"]), (-depth, 0.06 - depth), seat + tall
    if rest == "solid":
        back = [box(rear, middle(half), (seat + u(-0.02, 0.12), top))]
        back += pair(box((-depth, 0.03 - depth), (half - 0.08, half - 0.03), (seat - 0.02, top - 0.1)))
    else:
        back = pair(box(rear, (half - 0.05, half), (seat - 0.02, top)))
        back += [box(rear, middle(half - 0.04), (top - 0.1, top - 0.005))]
        back += [box(rear, middle(0.03, y), (seat - 0.02, top - 0.09)) if rest == "slats" else
                 box(rear, middle(half - 0.04), middle(0.035, seat + (y / half + 1) * 0.4 * tall))
                 for y in np.linspace(-half, half, rng.integers(4, 6))[1:-1]]
    lean = u(2, 14)
    parts += [turned(part, -lean, "y", (-depth, 0, seat)) for part in back]
    if rng.random() < 0.45:
        arm = seat + u(0.16, 0.24)
        parts += pair(box((-depth, depth - 0.04), (half - 0.01, half + 0.05), (arm - 0.05, arm)))
        parts += pair(box(middle(0.03, depth - 0.1), (half, half + 0.04), (seat - 0.05, arm - 0.02)))
    return join(parts)


@register
def sofa(rng: np.random.Generator) -> trimesh.Trimesh:
    """One to four seats between arms, or a chaise at either end."""
    u = rng.uniform
    seats, pitch, deep = rng.integers(1, 5), u(0.55, 0.72), u(0.78, 0.95)
    half, seat, tall, arm = seats * pitch / 2, u(0.38, 0.46), u(0.7, 0.95), u(0.12, 0.24)
    rear = -deep / 2
    parts = [box((rear, deep / 2), middle(half), (0.1, seat - 0.1))]
    parts += [box((rear + 0.2, deep / 2 + 0.03), middle(pitch / 2 - 0.02, y), (seat - 0.12, seat))
              for y in (np.arange(seats) - (seats - 1) / 2) * pitch]
    lean = u(4, 14)
    parts += [turned(box((rear + 0.02, rear + 0.22), middle(pitch / 2 - 0.02, y), (seat - 0.08, tall)),
                     -lean, "y", (rear, 0, seat)) for y in (np.arange(seats) - (seats - 1) / 2) * pitch]
    parts += [box((rear - 0.05, rear + 0.1), middle(half), (0.1, u(0.6, 0.8) * tall))]
    high, round_arm = seat + u(0.1, 0.25), rng.random() < 0.4
    for side in pair(rod((rear - 0.05, half + arm / 2, high), (deep / 2, half + arm / 2, high),
                         0.7 * arm, sides=12)) if round_arm else []:
        parts.append(side)
    parts += pair(box((rear - 0.05, deep / 2), (half - 0.005, half + arm), (0.1, high)))
    parts += [foot for x in (rear, deep / 2 - 0.1) for foot in pair(
        box((x, x + 0.08), (half, half + 0.08), (0, 0.12)))]
    if seats > 1 and rng.random() < 0.4:
        side = rng.choice([-1, 1])
        y = sorted((side * half, side * (half - pitch)))
        parts += [box((0, deep / 2 + u(0.4, 0.7)), (y[0] + 0.01, y[1] - 0.01), (0.06, seat + 0.01))]
    return join(parts)


@register
def desk(rng: np.random.Generator) -> trimesh.Trimesh:
    """A top on a drawer pedestal and legs, with a riser, hutch or return; the sitter is in front."""
    u = rng.uniform
    half, deep, top, side = u(0.6, 0.85), u(0.3, 0.42), u(0.7, 0.78), rng.choice([-1, 1])
    drawers, wide, foot = rng.integers(2, 5), u(0.34, 0.48), u(0.03, 0.05)
    parts = [box(middle(deep), middle(half), (top - 0.05, top))]
    parts += [box((-deep + 0.03, deep - 0.09), (half - wide, half - 0.03), (0.04, top - 0.02))]
    rows = np.linspace(0.06, top - 0.07, drawers + 1)
    parts += [box((0, deep - 0.03), (half - wide, half - 0.03), (low + 0.02, high - 0.02))
              for low, high in zip(rows[:-1], rows[1:], strict=True)]
    if rng.random() < 0.5:
        parts += [rod((x, foot - half, 0), (x, foot - half, top - 0.02), foot)
                  for x in (foot - deep, deep - foot)]
    else:
        parts += [box(middle(deep - 0.02), (-half + 0.02, -half + 0.07), (0, top - 0.02))]
    parts += [box((-deep + 0.03, -deep + 0.06), middle(half - 0.04), (u(0.1, 0.45), top - 0.02))]
    extra, back = rng.choice(["hutch", "screen", "tower"]), (-deep, -deep + u(0.16, 0.24))
    high = top + u(0.28, 0.5)
    if extra == "hutch":
        parts += [box(back, middle(half - 0.01), (high, high + 0.05))]
        parts += [box((-deep, -deep + 0.03), middle(half - 0.02), (top - 0.01, high + 0.01))]
        parts += [box((back[0], back[1] - 0.01), middle(0.025, y), (top - 0.01, high + 0.01))
                  for y in np.linspace(0.05 - half, half - 0.05, rng.integers(3, 6))]
    elif extra == "tower":
        parts += [box(back, (half - wide, half - 0.01), (top - 0.01, high + 0.1))]
        parts += [box((-deep, -deep + 0.04), middle(half - 0.02), (top - 0.01, top + u(0.1, 0.2)))]
    else:
        parts += [box((-deep + 0.1, -deep + 0.15), middle(0.3), (top + 0.1, top + 0.48)),
                  box(middle(0.1, -deep + 0.13), middle(0.1), (top - 0.01, top + 0.02)),
                  box(middle(0.03, -deep + 0.1), middle(0.04), (top, top + 0.3)),
                  box(middle(0.08, 0.06), middle(0.24), (top - 0.01, top + 0.035))]
    if rng.random() < 0.4:
        parts += [box((0, deep + u(0.35, 0.6)), (-half - 0.02, -half + u(0.38, 0.45)),
                      (top - 0.055, top + 0.005)),
                  box((deep + 0.2, deep + 0.3), (-half, -half + 0.3), (0, top - 0.03))]
    return join(parts if side > 0 else map(mirrored, parts))


@register
def car(rng: np.random.Generator) -> trimesh.Trimesh:
    """Saloon, hatchback, estate, coupe, pick-up or open sports car."""
    u = rng.uniform
    style = rng.choice(["saloon", "hatchback", "estate", "coupe", "pickup", "open"])
    half_length = u(2.1, 2.5) if style != "hatchback" else u(1.75, 2.0)
    half, sill, radius = u(0.8, 0.95), u(0.85, 1.0), u(0.3, 0.38)
    rear, cowl, roof = {
        "saloon": (-0.62, 0.32, (-0.36, 0.02)), "hatchback": (-0.94, 0.36, (-0.76, 0.05)),
        "estate": (-0.97, 0.34, (-0.9, 0.08)), "coupe": (-0.75, 0.22, (-0.3, -0.06)),
        "pickup": (-0.14, 0.4, (-0.1, 0.16)), "open": (-0.5, 0.15, (-0.3, 0.0))}[style]
    tail, nose, length = u(0.86, 0.97) * sill, u(0.62, 0.78) * sill, half_length
    waist = -0.16 * length if style == "pickup" else -length
    outline = [(waist, 0.25), (waist, sill if style == "pickup" else tail),
               (max(rear * length, waist + 0.01), sill), (cowl * length, sill),
               (0.9 * length, nose), (length, nose - 0.16), (length, 0.25)]
    parts = [extrude(outline, middle(half))]
    top = sill + (u(0.5, 0.62) if style != "estate" else u(0.55, 0.75))
    if style == "pickup":
        parts += tub((-length, -0.15 * length), middle(half), (0.4, sill - 0.02), 0.12)
    if style == "open":
        parts += [turned(box(middle(0.03, cowl * length), middle(0.8 * half), (sill - 0.02, sill + 0.4)),
                         -30, "y", (cowl * length, 0, sill))]
        parts += [seat for x in (rear * length + 0.1, -0.12 * length) for seat in pair(
            box((x, x + 0.2), (0.12, 0.6), (sill - 0.02, sill + 0.35)))]
    else:
        parts += cabin((rear * length, cowl * length), (roof[0] * length, roof[1] * length),
                       half - 0.02, (sill - 0.01, top), posts=rng.integers(3, 5))
        parts += pair(box(middle(0.07, (cowl - 0.1) * length), (half - 0.1, half + 0.16),
                          (sill, sill + 0.15)))
    parts += [part for x in (-0.6 * length, 0.62 * length) for part in pair(
        wheel(x, half - 0.06, radius, 0.24))]
    parts += [box((length - 0.1, length + 0.08), middle(0.95 * half), (0.28, 0.48)),
              box((-length - 0.08, 0.1 - length), middle(0.95 * half), (0.3, 0.5))]
    if style == "coupe":
        parts += [box((-length, -length + 0.2), middle(0.85 * half), (tail + 0.12, tail + 0.18)),
                  *pair(box((0.05 - length, 0.15 - length), (0.4, 0.5), (tail - 0.1, tail + 0.15)))]
    return join(parts)


@register
def truck(rng: np.random.Generator) -> trimesh.Trimesh:
    """A cab over the engine or behind a bonnet, with a box, tipper, tank or stake load."""
    u = rng.uniform
    half, bed, radius, load = u(1.1, 1.25), u(0.95, 1.15), u(0.45, 0.55), u(3.6, 6.5)
    bonnet = u(0.8, 1.2) if rng.random() < 0.4 else 0.0
    floor, eaves, front = 0.5, u(1.5, 1.8), u(1.5, 1.9)
    parts = [box((0, front), middle(half), (floor, eaves))]
    parts += cabin((0, front), (0.08, front - u(0.15, 0.4)), half, (eaves - 0.01, eaves + u(0.8, 1.0)),
                   posts=2, sink=0.16)
    if bonnet:
        parts += [frustum((front - 0.1, front + bonnet), middle(0.75 * half), (front - 0.1, front + bonnet
                          - 0.15), middle(0.65 * half), (floor, eaves + 0.05)),
                  *pair(box((front - 0.01, front + bonnet - 0.1), (0.6 * half, half), (0.5, 1.05)))]
    parts += pair(box(middle(0.08, front - 0.05), (half - 0.05, half + 0.3), (eaves, eaves + 0.55)))
    if rng.random() < 0.6:
        parts += pair(rod((-0.2, half - 0.2, 0.7), (-0.2, half - 0.2, eaves + 1.3), 0.11))
    rear, body = -load - 0.45, rng.choice(["box", "tipper", "tank", "stakes"])
    parts += [box((rear, front), middle(0.45 * half), (floor + 0.1, bed))]
    if body == "box":
        parts += [box((rear, -0.45), middle(half + 0.05), (bed - 0.05, bed + u(1.9, 2.4))),
                  *(box((x, x + 0.1), middle(half + 0.12), (bed, bed + 1.85))
                    for x in np.linspace(rear + 0.05, -0.6, rng.integers(4, 7)))]
    elif body == "tipper":
        tipper = tub((rear, -0.4), middle(half), (bed - 0.02, bed + u(0.9, 1.3)), 0.16)
        parts += [turned(part, u(-0.1, 0.1) + tilt, "y", (rear, 0, bed))
                  for tilt in [-rng.choice([0.0, 12.0, 24.0])] for part in tipper]
    elif body == "tank":
        parts += [lathe([(0.8, 0), (1.05, 0.25), (1.05, load - 0.25), (0.8, load)],
                        (rear, 0, bed + 0.95), (1, 0, 0), 20),
                  *(lathe([(0.3, 0), (0.3, 0.35)], (x, 0, bed + 1.9), (0, 0, 1), 10)
                    for x in np.linspace(rear + 0.8, -1.2, rng.integers(2, 4)))]
    else:
        parts += [box((rear, -0.4), middle(half), (bed - 0.05, bed + 0.1)),
                  box((-0.5, -0.35), middle(half), (bed, bed + 1.2)),
                  *(post for x in np.linspace(rear + 0.1, -1.2, rng.integers(4, 7)) for post in pair(
                      box(middle(0.06, x), (half - 0.12, half), (bed, bed + 0.8)))),
                  *pair(box((rear + 0.05, -0.5), (half - 0.1, half - 0.02), (bed + 0.5, bed + 0.75)))]
    axles = [front + 0.6 * bonnet - 0.75, *(rear + 0.8 + 1.15 * np.arange(rng.integers(1, 4)))]
    parts += [tire for x in axles for tire in pair(wheel(x, half - 0.12, radius, 0.4))]
    return join(parts)


@register
def bus(rng: np.random.Generator) -> trimesh.Trimesh:
    """City bus, coach, school bus with a bonnet, or double-decker; doors on one side."""
    u = rng.uniform
    style, length, half = rng.choice(["city", "coach", "school", "double"]), u(3.6, 5.6), u(1.1, 1.3)
    sill, tall, posts = u(1.25, 1.5), u(2.8, 3.2), rng.integers(5, 9)
    front = length - (u(1.0, 1.4) if style == "school" else 0.0)
    rake = {"coach": u(0.7, 1.1), "double": 0.15}.get(style, u(0.2, 0.45))
    parts = [box((-length, front), middle(half), (0.35, sill))]
    parts += cabin((-length, front), (0.1 - length, front - rake), half, (sill - 0.01, tall), posts,
                   sink=0.2)
    if style == "double":
        parts += [box((-length, front), middle(half), (tall - 0.05, tall + 0.35))]
        parts += cabin((-length, front), (0.4 - length, front - u(0.3, 0.6)), half,
                       (tall + 0.34, tall + 1.6), posts, sink=0.2)
    else:
        x = u(-0.7, -0.3) * length
        parts += [frustum(middle(0.9, x), middle(0.7 * half), middle(0.6, x), middle(0.5 * half),
                          (tall - 0.02, tall + u(0.25, 0.4)))]
    if style == "school":
        parts += [frustum((front - 0.1, length), middle(0.8 * half), (front - 0.1, length - 0.15),
                          middle(0.7 * half), (0.4, sill + 0.1)),
                  *pair(box((front, length - 0.15), (0.7 * half, half), (0.4, 0.95)))]
    # Doors stand proud of the right-hand side, the kerb.
    doors = [front - 0.75, 0.1 * length][:rng.integers(1, 3)]
    parts += [box(middle(0.55, x), (-half - 0.12, -0.5 * half), (0.3, 0.92 * tall)) for x in doors]
    parts += pair(box(middle(0.12, length + 0.1), (0.75 * half, half + 0.25), (sill + 0.5, sill + 1.2)))
    parts += [box((front, front + 0.14), middle(0.95 * half), (0.4, 0.75)) if style != "school" else
              box((length - 0.1, length + 0.14), middle(half), (0.4, 0.7))]
    parts += [tire for x in (-0.55 * length, 0.52 * length) for tire in pair(
        wheel(x, half - 0.08, u(0.46, 0.54), 0.34))]
    return join(parts)


@register
def aeroplane(rng: np.random.Generator) -> trimesh.Trimesh:
    """Airliner, business jet, fighter or propeller aeroplane."""
    u = rng.uniform
    style = rng.choice(["airliner", "tailjet", "fighter", "propeller"])
    length, belly, span = u(8, 11), u(0.75, 0.95), u(7, 10)
    sweep, chord, tip = u(2.5, 5), u(2.2, 3.2), u(0.6, 1.1)
    if style == "fighter":
        length, span, sweep, chord, tip = u(8, 10), u(4, 5.5), u(3.5, 5), u(4.5, 6), u(0.6, 1.4)
    elif style == "propeller":
        length, sweep, chord, tip = u(6, 7.5), u(0, 0.5), u(1.8, 2.3), u(1.2, 1.8)
    z = 2.0
    parts = [loft([ring(x * length, z + up, r * belly, r * belly, 14) for x, r, up in (
        (1, 0.1, -0.2), (0.93, 0.55, -0.1), (0.78, 0.95, 0), (0.6, 1, 0), (-0.35, 1, 0),
        (-0.75, 0.6, 0.2), (-1, 0.2, 0.45))])]
    root, low = u(0.2, 0.35) * length, z + (belly * u(-0.6, -0.2) if rng.random() < 0.7 else 0.7 * belly)
    if style == "fighter":
        root = 0.3 * length
    wing = extrude([(root, 0), (root - sweep, span), (root - sweep - tip, span), (root - chord, 0)],
                   (low, low + 0.25), "z")
    parts += pair(turned(wing, u(1, 6), "x", (0, 0, low)))
    fin, deep, height = 0.22 * length, 0.3 * length, u(2.0, 2.8)
    twin = style == "fighter" and rng.random() < 0.5
    rudder = extrude([(-length, z), (-length - 0.5, z + height), (-length + 0.7, z + height),
                      (-length + deep, z + 0.3)], middle(0.13))
    parts += pair(turned(mirrored(rudder), -20, "x", (0, 0, z + 0.3))) if twin else [rudder]
    high = z + (0.93 * height if rng.random() < 0.35 or style == "tailjet" else 0.3)
    parts += pair(extrude([(fin - length, 0), (0.3 - length, 0.38 * span), (-0.4 - length, 0.38 * span),
                           (-length, 0)], (high, high + 0.2), "z"))
    engine = [(0.35, 0), (0.6, 0.6), (0.6, 1.8), (0.4, 1.85)]
    if style == "airliner":
        for y in np.linspace(0.33, 0.62, rng.integers(1, 3)) * span:
            x = root - sweep * y / span - 0.6
            parts += pair(lathe(engine, (x, y, low - 0.5), (1, 0, 0), 10))
    elif style == "tailjet":
        parts += pair(lathe(engine, (-0.72 * length, belly + 0.3, z + 0.4), (1, 0, 0), 10))
    elif style == "propeller":
        parts += [turned(box(middle(0.08, length), middle(1.7), middle(0.16, z - 0.2)), u(0, 90), "x",
                         (0, 0, z - 0.2))]
        parts += pair(rod((root - 0.5, 0, z), (root - 0.5, 1.2, 0.4), 0.12))
        parts += pair(wheel(root - 0.5, 1.2, 0.45, 0.3, 12))
    x = u(0.45, 0.7) * length
    parts += [loft([ring(x + a, z + 0.8 * belly, r * belly, r * belly, 10) for a, r in (
        (-1.2, 0.1), (-0.5, 0.5), (0.3, 0.5), (1.0, 0.1))])]
    return join(parts)


def hull(half_length: float, half: float, rim: float, sheer: float, well: float) -> trimesh.Trimesh:
    """A hollow boat hull, bow at +x: `rim` is its height amidships, `well` the depth inside it."""
    sections = []
    for x, wide, up in ((-1, 0.8, 0), (-0.5, 1, 0), (0.2, 0.95, 0.05), (0.6, 0.7, 0.3),
                        (0.85, 0.35, 0.7), (1, 0.05, 1)):
        outer, top, keel = wide * half, rim + sheer * up, 0.5 * rim * up ** 2
        inner = 0.8 * outer
        right = [(0.5 * outer, keel), (outer, top), (inner, top), (0.8 * inner, top - well)]
        sections.append([(x * half_length, y, z) for y, z in right]
                        + [(x * half_length, -y, z) for y, z in right[::-1]])
    return loft(sections, cap=[(0, 1, 3), (1, 2, 3), (0, 3, 4), (0, 4, 7), (4, 6, 7), (4, 5, 6)])


@register
def boat(rng: np.random.Generator) -> trimesh.Trimesh:
    """Motor yacht, sailing boat, rowing boat, tug or cargo ship."""
    u = rng.uniform
    style = rng.choice(["yacht", "sail", "row", "tug", "cargo"])
    length = {"cargo": u(5, 6.5), "tug": u(2.8, 3.4)}.get(style, u(3.2, 4.4))
    half, rim = u(1.0, 1.3), u(0.9, 1.2)
    well = {"row": 0.65, "sail": 0.35}.get(style, 0.2)
    parts, deck = [hull(length, half, rim, u(0.3, 0.8), well)], rim - well - 0.02
    if style == "row":
        parts += [box(middle(0.16, x * length), middle(0.85 * half), (rim - 0.25, rim - 0.1))
                  for x in np.linspace(-0.7, 0.35, rng.integers(2, 5))]
        x = u(-0.3, 0.1) * length
        parts += [oar for oar in pair(rod((x, 0.4 * half, rim + 0.2), (x - 1.3, 2.1 * half, rim - 0.3),
                                          0.08))] if rng.random() < 0.6 else []
        parts += [box((-length - 0.35, -length + 0.1), middle(0.22), (0.3, rim + 0.4))]
    elif style == "sail":
        foot, mast, head = u(0.05, 0.25) * length, rim + 0.5, u(5.0, 6.8)
        swing = u(8, 22) * rng.choice([-1, 1])
        parts += [rod((foot, 0, deck), (foot, 0, head + 0.1), 0.1, 0.06)]
        parts += [turned(extrude([(foot, mast), (foot, head), (u(-0.9, -0.7) * length, mast + 0.1)],
                                 middle(0.05)), swing, "z", (foot, 0, 0))]
        parts += [extrude([(foot + 0.15, 0.85 * head), (0.95 * length, mast + 0.2),
                           (foot + 0.15, mast + 0.2)], middle(0.05))]
        parts += cabin((-0.3 * length, 0.4 * length), (-0.28 * length, 0.25 * length), 0.55 * half,
                       (deck, rim + 0.25), sink=0.12)
    elif style == "cargo":
        parts += cabin((-0.92 * length, -0.68 * length), (-0.9 * length, -0.7 * length), 0.8 * half,
                       (deck, deck + u(1.6, 2.2)), sink=0.15)
        parts += [rod((-0.85 * length, 0, deck), (-0.87 * length, 0, deck + 2.7), 0.25)]
        parts += [box((x + 0.06, x + 0.14 * length), (y, y + 0.48 * half), (deck, deck + tall))
                  for x in np.arange(-0.6, 0.5, 0.155) * length for y in (-0.75 * half, -0.24 * half,
                                                                          0.27 * half)
                  for tall in [0.3 + 0.45 * rng.integers(0, 4)] if tall > 0.3]
    else:
        aft, fore = (u(-0.7, -0.5), u(0.3, 0.45)) if style == "yacht" else (-0.15, u(0.3, 0.45))
        house, tall = deck + u(0.6, 0.9), u(0.7, 0.9)
        parts += [frustum((aft * length, (fore + 0.12) * length), middle(0.68 * half), (aft * length,
                          fore * length), middle(0.62 * half), (deck, house))]
        rake = 0.3 if style == "yacht" else 0.03
        parts += cabin(((aft + 0.15) * length, fore * length), ((aft + 0.18) * length, (fore - rake)
                       * length), 0.6 * half, (house - 0.01, house + tall), 4, sink=0.13)
        stack = ((aft + 0.25) * length, 0, house + tall - 0.05)
        parts += [rod(stack, np.add(stack, (-0.4, 0, u(0.7, 1.4))), 0.28 if style == "tug" else 0.1)]
        parts += [box((-0.75 * length, -0.6 * length), middle(0.5 * half), (deck, deck + 0.5))]
    return join(parts)


@register
def motorbike(rng: np.random.Generator) -> trimesh.Trimesh:
    """Roadster, sports bike, cruiser, tourer or scooter."""
    u = rng.uniform
    style = rng.choice(["roadster", "sports", "cruiser", "tourer", "scooter"])
    scooter = style == "scooter"
    radius = u(0.2, 0.26) if scooter else u(0.29, 0.35)
    rear, front = -u(0.6, 0.75), u(0.62, 0.72) + (0.15 if style == "cruiser" else 0)
    head = (front - (0.42 if style == "cruiser" else 0.25), u(0.92, 1.02))
    seat, wide = u(0.66, 0.78), u(0.12, 0.16)
    parts = [wheel(rear, 0, radius, u(0.17, 0.24)), wheel(front, 0, radius, 0.15)]
    parts += pair(rod((front, 0.12, radius), (head[0], 0.1, head[1]), 0.035))
    parts += [rod((head[0] - 0.08, -u(0.32, 0.42), head[1] + 0.04), (head[0] - 0.08, 0.36,
              head[1] + 0.04), 0.035)]
    parts += [box((head[0] - 0.02, head[0] + 0.14), middle(0.1), (head[1] - 0.18, head[1]))]
    parts += [extrude([(rear - 0.25, seat + 0.1), (-0.1, seat), (0.0, seat - 0.12), (rear, seat - 0.14)],
                      middle(wide))]
    if scooter:
        parts += [frustum((rear - 0.28, -0.1), middle(0.2), (rear - 0.3, -0.12), middle(0.14),
                          (0.25, seat - 0.05)), box((-0.3, 0.35), middle(0.2), (0.2, 0.28)),
                  turned(box(middle(0.03, 0.36), middle(0.24), (0.2, head[1])), -14, "y", (0.36, 0, 0.2))]
    else:
        parts += [loft([ring(x, z, w, h, 10) for x, z, w, h in (
            (-0.12, seat, 0.08, 0.08), (0.05, seat + 0.08, 0.16, 0.15), (0.28, seat + 0.12, 0.17, 0.16),
            (0.42, seat + 0.1, 0.08, 0.08))])]
        parts += [box((-0.22, 0.3), middle(0.17), (0.22, 0.56)), box((-0.1, 0.15), middle(0.27),
                                                                    (0.34, 0.5))]
        parts += [rod((0.35, 0, 0.35), (head[0], 0, head[1] - 0.1), 0.05)]
    parts += pair(rod((rear, 0.12, radius), (-0.1, 0.12, 0.45), 0.045))
    parts += [rod((0.1, -0.22, 0.3), (rear - 0.2, -0.24, 0.36), 0.06, 0.09)]
    if style in ("sports", "tourer"):
        parts += [extrude([(front + 0.1, 0.6), (front + 0.02, 0.82), (head[0] - 0.02, head[1] + u(0.1, 0.3)),
                           (0.2, 0.85), (0.15, 0.3), (0.35, 0.25)], middle(0.2))]
    if style == "tourer":
        parts += pair(box((rear - 0.28, rear + 0.25), (0.18, 0.36), (0.42, 0.75)))
        parts += [box((rear - 0.4, rear - 0.05), middle(0.22), (seat + 0.06, seat + 0.36))]
    if style in ("cruiser", "scooter"):
        parts += [box((rear - 0.28, rear - 0.24), middle(0.14), (seat - 0.05, seat + u(0.3, 0.45)))]
    parts += [extrude([(front - 0.8 * radius, 1.75 * radius), (front, 2.2 * radius), (front + 0.9 * radius,
              1.7 * radius), (front, 2.02 * radius)], middle(0.1))]
    lean = u(2, 8)  # on its side stand
    bike = turned(join(parts), lean, "x")
    bike.apply_translation((0, 0, -bike.bounds[0, 2]))
    return join([bike, rod((0.05, -0.1, 0.3), (0.1, -0.36, 0.02), 0.03)])


@register
def monitor(rng: np.random.Generator) -> trimesh.Trimesh:
    """Flat screen on a foot, or a deep tube set; the picture is sunk in its frame."""
    u = rng.uniform
    half, tall, deep = u(0.26, 0.4), u(0.32, 0.46), u(0.05, 0.08)
    tube = rng.random() < 0.3
    lift, frame, sink = (u(0.05, 0.1) if tube else u(0.1, 0.2)), u(0.03, 0.05), 0.045
    y, z = middle(half), (lift, lift + tall)
    screen = [box((-deep, -sink), y, z), *pair(box((-deep, 0.01), (half - frame, half + 0.001), z)),
              *(box((-deep, 0.01), y, span) for span in ((lift - 0.001, lift + frame + u(0, 0.05)),
                                                         (z[1] - frame, z[1] + 0.001)))]
    if tube:
        rear = -u(0.35, 0.5)
        screen += [box((-0.16, -deep), middle(half + 0.01), (lift - 0.01, z[1] + 0.01)),
                   extrude([(-0.15, lift), (-0.15, z[1]), (rear, z[1] - 0.3 * tall), (rear, lift)],
                           middle(0.7 * half)), box((rear - 0.04, -0.1), middle(0.45 * half), z)]
    else:
        screen += [frustum((-deep - 0.06, -deep), middle(0.4 * half), (-deep - 0.05, -deep),
                           middle(0.3 * half), (lift + 0.15 * tall, lift + 0.75 * tall))]
    if rng.random() < 0.3:
        screen += pair(box((-deep, 0.02), (half + 0.01, half + 0.1), z))
    parts = [turned(part, -lean, "y", (0, 0, lift)) for lean in [u(0, 10)] for part in screen]
    reach = -deep - (0.12 if tube else 0.04)
    parts += [box((reach - 0.03, reach + 0.04), middle(u(0.03, 0.07)), (0.0, lift + 0.4 * tall))]
    foot = rng.choice(["plate", "disc", "fork"])
    if foot == "plate":
        parts += [frustum((reach - 0.1, u(0.08, 0.16)), middle(0.55 * half), (reach - 0.08, 0.06),
                          middle(0.5 * half), (0, 0.03))]
    elif foot == "disc":
        parts += [lathe([(0.17, 0), (0.13, 0.035)], (reach + 0.09, 0, 0), (0, 0, 1), 24)]
    else:
        parts += pair(rod((reach, 0, 0.03), (u(0.12, 0.18), 0.7 * half, 0.02), 0.025))
        parts += [box((reach - 0.1, reach + 0.05), middle(0.06), (0, 0.05))]
    return join(parts)


@register
def excavator(rng: np.random.Generator) -> trimesh.Trimesh:
    """Tracks, a slewing house with the cab on the left, and a boom in one of many poses."""
    u = rng.uniform
    track, gauge, high = u(1.6, 2.1), u(0.9, 1.2), u(0.7, 0.9)
    crawler = extrude([(-track, 0.3 * high), (0.3 - track, 0), (track - 0.3, 0), (track, 0.3 * high),
                       (track, 0.7 * high), (track - 0.3, high), (0.3 - track, high),
                       (-track, 0.7 * high)], (gauge, gauge + u(0.5, 0.7)))
    parts = [*pair(crawler), box(middle(0.7 * track), middle(gauge + 0.1), (0.3, high - 0.1)),
             lathe([(0.8, 0), (0.8, 0.3)], (0, 0, high - 0.15), (0, 0, 1), 20)]
    floor, back, half = high + 0.1, -u(1.9, 2.4), u(1.15, 1.35)
    parts += [frustum((back, 0.9), middle(half), (back, 0.7), middle(half), (floor, floor + 0.4)),
              frustum((back - 0.1, -0.3), middle(half + 0.05), (back + 0.2, -0.35), middle(half - 0.1),
                      (floor + 0.1, floor + u(0.9, 1.2))),
              rod((back + 0.6, -0.6, floor + 0.8), (back + 0.6, -0.6, floor + 1.6), 0.12)]
    cab = [box((-0.3, 1.2), middle(0.42), (floor + 0.1, floor + 0.75)),
           *cabin((-0.3, 1.2), (-0.25, u(0.85, 1.05)), 0.44, (floor + 0.74, floor + 1.75), 2, sink=0.13)]
    for part in cab:
        part.apply_translation((0, half - 0.35, 0))
    elbow = np.array([u(2.2, 2.9), -0.1, floor + u(2.0, 2.9)])
    wrist = elbow + (u(1.3, 2.1), 0, -u(0.6, 1.6))
    tip = wrist + (u(-0.2, 0.5), 0, -u(1.1, 1.5))
    parts += [*cab, rod((0.5, -0.1, floor + 0.3), 0.5 * elbow + (0.0, 0, 0.5 * floor + 0.9), 0.36, 0.4, 4),
              rod(0.5 * elbow + (0.0, 0, 0.5 * floor + 0.85), elbow, 0.4, 0.28, 4),
              rod(elbow + (-0.5, 0, 0.15), wrist, 0.33, 0.22, 4),
              rod(0.45 * elbow + (0.1, 0, 0.5 * floor + 1.2), elbow + (-0.3, 0, 0.4), 0.1),
              rod(wrist, tip, 0.2, 0.2, 4)]
    parts += [extrude([(tip[0] + 0.25, tip[2] + 0.3), (tip[0] - 0.75, tip[2] + 0.35),
                       (tip[0] - 0.85, tip[2] - 0.2), (tip[0] - 0.3, tip[2] - 0.5),
                       (tip[0] + 0.3, tip[2] - 0.25)], middle(u(0.45, 0.7), -0.1))]
    if rng.random() < 0.5:
        parts += [box((track + 0.2, track + 0.45), middle(gauge + 0.5), (0.05, 0.75)),
                  *pair(rod((0.5 * track, 0.5, 0.5), (track + 0.3, 0.6, 0.4), 0.12, sides=4))]
    return join(parts)


@register
def bed(rng: np.random.Generator) -> trimesh.Trimesh:
    """Single, double, four-poster or bunk bed; pillows at the head, the foot in front."""
    u = rng.uniform
    style = rng.choice(["plain", "plain", "poster", "bunk"])
    double = style != "bunk" and rng.random() < 0.6
    half, end, base = (u(0.7, 0.9) if double else u(0.45, 0.55)), 1.02, u(0.22, 0.35)
    levels, tall = ((base, base + u(0.85, 1.0)) if style == "bunk" else (base,)), u(0.2, 0.3)
    head = levels[-1] + u(0.5, 0.8)
    parts = []
    for z in levels:
        parts += [box(middle(end), middle(half + 0.03), (z - 0.12, z)),
                  box(middle(end - 0.03), middle(half), (z - 0.01, z + tall))]
        parts += [turned(frustum((-0.97, -0.55), y, (-0.93, -0.6), (y[0] + 0.04, y[1] - 0.04),
                                 (z + tall - 0.01, z + tall + 0.13)), 8, "y", (-0.75, 0, z + tall))
                  for y in ([(0.04, half - 0.05), (0.05 - half, -0.04)] if double else
                            [middle(half - 0.09)])]
        fold = u(-0.4, 0.1)
        parts += [box((fold, end - 0.01), middle(half + 0.045), (z + 0.04, z + tall + 0.05)),
                  box((fold - 0.01, fold + 0.25), middle(half + 0.055), (z + 0.1, z + tall + 0.09))]
    parts += [box((-end - 0.08, -end), middle(half + 0.05), (0.05, head))]
    foot = levels[-1] + (u(0.3, 0.4) if rng.random() < 0.5 or style == "bunk" else 0.0)
    parts += [box((end - 0.005, end + 0.06), middle(half + 0.05), (0.1, foot))]
    posts = {"poster": u(1.7, 2.0), "bunk": head}.get(style, base)
    parts += [leg for x in (-end - 0.04, end + 0.03) for leg in pair(
        rod((x, half + 0.01, 0), (x, half + 0.01, posts), 0.055, sides=4))]
    if style == "poster":
        parts += pair(box(middle(end + 0.06), (half - 0.03, half + 0.05), (posts - 0.07, posts)))
        parts += [box((x, x + 0.08), middle(half), (posts - 0.075, posts - 0.005))
                  for x in np.linspace(-end - 0.08, end, rng.integers(2, 5))]
    elif style == "bunk":
        parts += [rod((x, half + 0.28, 0), (x, half + 0.06, levels[1] + 0.4), 0.035)
                  for x in (0.45, 0.85)]
        parts += [rod((0.45, y, z), (0.85, y, z), 0.03) for y, z in zip(
            np.linspace(0.25, 0.12, 4) + half, np.linspace(0.2, levels[1] + 0.1, 4), strict=True)]
        parts += [box((-end, 0.3), (half - 0.02, half + 0.05), middle(0.05, levels[1] + 0.36))]
    elif rng.random() < 0.6:
        parts += [box((-end - 0.05, -end + 0.4), (half + 0.1, half + 0.5), (0.05, u(0.4, 0.55)))]
    return join(parts if rng.random() < 0.5 else map(mirrored, parts))


@register
def helicopter(rng: np.random.Generator) -> trimesh.Trimesh:
    """A bulging cabin, tail boom, two to five rotor blades, on skids or wheels."""
    u = rng.uniform
    wide, z, boom = u(0.85, 1.15), u(1.55, 1.8), u(4.2, 5.6)
    nose, stretch = u(1.7, 2.2), u(1.2, 1.9)
    parts = [loft([ring(x, z + up, r * wide, r * 1.05 * wide, 14, 0.75) for x, r, up in (
        (nose, 0.15, -0.45), (0.85 * nose, 0.6, -0.3), (0.45 * nose, 0.98, 0), (-0.5 * stretch, 1, 0),
        (-stretch, 0.7, 0.15), (-stretch - 0.8, 0.3, 0.4), (-boom, 0.16, 0.5))])]
    parts += [frustum((-1.1, 0.5), middle(0.5), (-0.8, 0.2), middle(0.35), (z + 0.5, z + wide + 0.4)),
              rod((0, 0, z + wide), (0, 0, z + wide + 0.75), 0.14)]
    blades, phase, reach = rng.integers(2, 6), u(0, 360), u(3.4, 4.4)
    parts += [turned(box((0.05, reach), middle(0.17), middle(0.06, z + wide + 0.65 + 0.002 * k)),
                     phase + 360 / blades * k, "z") for k in range(blades)]
    side = rng.choice([-1, 1])
    parts += [extrude([(-boom + 0.3, z + 0.4), (-boom - 0.5, z + u(1.6, 2.1)), (-boom - 0.9, z + 1.6),
                       (-boom - 0.3, z + 0.2)], middle(0.1)),
              box((-boom + 0.5, -boom + 1.0), middle(u(0.8, 1.2)), (z + 0.5, z + 0.62)),
              lathe([(0.62, 0), (0.62, 0.1)], (-boom - 0.45, side * 0.12, z + 1.2), (0, side, 0), 14)]
    if rng.random() < 0.65:
        parts += pair(rod((-1.6, 1.1, 0.1), (1.6, 1.1, 0.1), 0.1))
        parts += pair(rod((1.6, 1.1, 0.1), (1.95, 1.1, 0.4), 0.1))
        parts += [strut for x in (-0.8, 0.8) for strut in pair(
            rod((x, 1.1, 0.1), (x, 0.4, z - 0.5), 0.08))]
    else:
        parts += [wheel(1.2, 0, 0.35, 0.25), *pair(wheel(-0.7, 1.0, 0.4, 0.25))]
        parts += [rod((1.2, 0, 0.35), (1.2, 0, z - 0.4), 0.12),
                  *pair(rod((-0.7, 1.0, 0.4), (-0.7, 0.4, z - 0.4), 0.12))]
    return join(parts)


@register
def tractor(rng: np.random.Generator) -> trimesh.Trimesh:
    """Large wheels behind, small in front, bonnet and exhaust; cab, roll bar or loader."""
    u = rng.uniform
    big, small, half = u(0.75, 0.95), u(0.4, 0.55), u(0.38, 0.48)
    front, gauge, deck = u(1.5, 1.9), u(0.75, 0.9), u(0.8, 0.95)
    hood = deck + u(0.45, 0.6)
    parts = [*pair(wheel(-0.5, gauge, big, u(0.4, 0.55), 20)), *pair(wheel(front - 0.35, gauge - 0.1,
                                                                          small, 0.3)),
             box((-0.9, front), middle(0.25), (0.45, deck)),
             rod((front - 0.35, -gauge, small), (front - 0.35, gauge, small), 0.09),
             extrude([(0.2, deck - 0.1), (0.2, hood), (front - 0.2, hood - 0.12), (front + 0.1, hood - 0.3),
                      (front + 0.1, deck - 0.1)], middle(half - 0.05)),
             rod((u(0.6, 1.1), -0.2, hood - 0.2), (u(0.6, 1.1), -0.25, hood + u(0.5, 0.8)), 0.07)]
    parts += pair(extrude([(-0.5 - big, 1.1 * big), (-0.9, 2.15 * big), (-0.1, 2.15 * big),
                           (0.3, 1.4 * big), (0.2, 1.4 * big), (-0.15, 2.05 * big), (-0.85, 2.05 * big)],
                          (half - 0.1, gauge + 0.2)))
    style = rng.choice(["cab", "bar", "canopy"])
    if style == "cab":
        parts += [box((-0.95, 0.3), middle(half), (deck - 0.1, hood)),
                  *cabin((-0.95, 0.3), (-1.0, 0.3), half + 0.1, (hood - 0.01, hood + u(0.9, 1.1)), 2,
                         sink=0.12)]
    else:
        top = hood + u(0.7, 0.95)
        parts += [box((-0.75, -0.3), middle(0.25), (deck - 0.1, deck + 0.25)),
                  box((-0.85, -0.7), middle(0.25), (deck, deck + 0.65)),
                  *pair(rod((-0.9, half, deck - 0.2), (-0.9, half, top), 0.06, sides=4)),
                  box((-0.96, -0.84), middle(half + 0.05), (top - 0.08, top)),
                  rod((0.25, 0, hood - 0.2), (-0.1, 0, hood + 0.2), 0.04),
                  lathe([(0.22, 0), (0.22, 0.05)], (-0.1, 0, hood + 0.18), (-0.6, 0, 0.8), 14)]
    if style == "canopy":
        parts += [box((-1.0, 0.4), middle(half + 0.12), (top - 0.02, top + 0.1)),
                  *pair(rod((0.3, half, deck), (0.3, half, top), 0.05, sides=4))]
    if rng.random() < 0.4:
        reach, low = front + u(0.6, 0.9), u(0.1, 0.8)
        parts += pair(rod((0.2, half + 0.1, hood - 0.1), (reach, half + 0.1, low + 0.2), 0.09, sides=4))
        parts += [extrude([(reach, low), (reach, low + 0.55), (reach + 0.1, low + 0.55), (reach + 0.15,
                  low + 0.1), (reach + 0.6, low + 0.08), (reach + 0.6, low)], middle(gauge + 0.15))]
    return join(parts)


@register
def piano(rng: np.random.Generator) -> trimesh.Trimesh:
    """A grand piano with its lid up, or an upright, and perhaps a bench; the keys are in front."""
    u = rng.uniform
    half, high, bench = u(0.7, 0.8), u(0.65, 0.75), u(0.3, 0.5)
    if rng.random() < 0.65:
        long = u(1.1, 1.9)
        bow = [(0, -half), (0, half), (-0.35 * long, half), (-0.6 * long, 0.55 * half),
               (-0.85 * long, 0.15 * half), (-long, -0.25 * half), (-0.97 * long, -0.75 * half),
               (-0.8 * long, -half)]
        parts = [extrude(bow, (high, high + 0.3), "z")]
        lid = extrude([(x - 0.2, 1.03 * y) for x, y in bow[1:]] + [(-0.2, -1.03 * half)],
                      (high + 0.32, high + 0.36), "z")
        parts += [turned(lid, u(25, 45), "x", (0, -half, high + 0.32)),
                  rod((-0.3, 0.8 * half, high + 0.2), (-0.4, 0.25 * half, high + 0.85), 0.025)]
        parts += [rod((x, y, 0), (x, y, high + 0.05), 0.05, 0.08) for x, y in (
            (-0.15, 0.85 * half), (-0.15, -0.85 * half), (-0.85 * long, -0.5 * half))]
        parts += [box((-0.25, -0.2), middle(0.3), (high + 0.28, high + 0.55))]
    else:
        tall, deep = u(1.1, 1.35), u(0.3, 0.4)
        parts = [box((-deep, -0.02), middle(half), (0.05, tall)), box((-deep - 0.02, 0.02),
                                                                     middle(half + 0.03),
                                                                     (tall - 0.01, tall + 0.05)),
                 *pair(box((-deep, 0.3), (half - 0.08, half + 0.02), (0, high + 0.14))),
                 turned(box((0.0, 0.03), middle(0.35), (high + 0.2, high + 0.45)), -15, "y",
                        (0, 0, high + 0.2))]
    parts += [box((-0.1, 0.24), middle(half), (high - 0.06, high + 0.05)),
              *pair(box((-0.1, 0.27), (half - 0.08, half + 0.01), (high - 0.07, high + 0.17))),
              *(box((0.0, 0.23), middle(0.022, y), (high + 0.04, high + 0.09))
                for y in np.linspace(0.12 - half, half - 0.12, 12))]
    if rng.random() < 0.7:
        parts += [box((0.5, 0.85), middle(bench), (0.42, 0.52))]
        parts += [leg for x in (0.55, 0.8) for leg in pair(
            rod((x, bench - 0.05, 0), (x, bench - 0.05, 0.45), 0.035, sides=4))]
    return join(parts)


@register
def teapot(rng: np.random.Generator) -> trimesh.Trimesh:
    """A round, tall or squat pot with a spout in front, a handle behind and a knob on its lid."""
    u = rng.uniform
    tall, wide, sides = u(0.75, 1.3), u(0.45, 0.65), rng.choice([6, 20])
    belly, neck = u(0.3, 0.55), u(0.35, 0.65)
    profile = [(0.6, 0), (0.85, 0.12), (1.0, belly), (0.5 + 0.5 * neck, 0.82), (neck, 1.0)]
    parts = [lathe([(r * wide, z * tall) for r, z in profile], (0, 0, 0), (0, 0, 1), sides),
             lathe([(wide * neck * 1.12, 0), (wide * neck * 1.12, 0.05), (0.1, u(0.1, 0.2)), (0.06, 0.22),
                    (0.11, 0.27), (0.06, 0.34)], (0, 0, tall - 0.01), (0, 0, 1), 14)]
    bend = np.array([wide + u(0.25, 0.4), 0, u(0.45, 0.65) * tall])
    parts += [rod((0.6 * wide, 0, 0.25 * tall), bend, 0.2, 0.12, 10),
              rod(bend - (0.03, 0, 0.05), bend + (u(0.1, 0.35), 0, u(0.25, 0.45) * tall), 0.125, 0.08, 10)]
    reach, style = wide + u(0.25, 0.45), rng.choice(["loop", "square", "over"])
    if style == "over":
        path = [(0.9 * wide, 0.75), (0.7 * wide, 1.35), (0, 1.6), (-0.7 * wide, 1.35), (-0.9 * wide, 0.75)]
    elif style == "loop":
        path = [(-0.6 * wide, 0.85), (-0.85 * reach, 0.9), (-reach, 0.65), (-0.9 * reach, 0.4),
                (-0.7 * wide, 0.2)]
    else:
        path = [(-0.6 * wide, 0.85), (-reach, 0.88), (-0.95 * reach, 0.3), (-0.7 * wide, 0.25)]
    parts += [rod((a[0], 0, a[1] * tall), (b[0], 0, b[1] * tall), 0.065)
              for a, b in zip(path[:-1], path[1:], strict=True)]
    return join(parts)

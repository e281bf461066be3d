"""Things in a house: chair, sofa, desk, bed, monitor, piano, teapot.

See `shapes` for what such a function promises. The front is the side a person sits at or looks at;
of the bed it is the foot, of the teapot the spout.
"""

# A part a line: exploded by the formatter, a shape would not fit on a screen.
# fmt: off

import numpy as np
import trimesh

from pose_data.shapes.solids import (
    Parts,
    box,
    extrude,
    frustum,
    join,
    lathe,
    legs,
    middle,
    mirrored,
    pair,
    rod,
    rods,
    turned,
)


def chair(rng: np.random.Generator) -> trimesh.Trimesh:
    """Straight or splayed legs, runners or a star; solid, slatted or runged back; arms or none."""
    u = rng.uniform
    half, depth, seat, tall = u(0.21, 0.27), u(0.2, 0.27), u(0.38, 0.5), u(0.35, 0.65)
    parts = [box(middle(depth), middle(half), (seat - u(0.05, 0.09), seat))]
    parts += _chair_base(rng, half, depth, seat - 0.02)
    lean = -u(2, 14)
    parts += [turned(part, lean, "y", (-depth, 0, seat))
              for part in _chair_back(rng, half, depth, (seat, seat + tall))]
    if rng.random() < 0.45:
        arm = seat + u(0.16, 0.24)
        parts += pair(box((-depth, depth - 0.04), (half - 0.01, half + 0.05), (arm - 0.05, arm)))
        parts += pair(box((depth - 0.13, depth - 0.07), (half, half + 0.04), (seat - 0.05, arm)))
    return join(parts)


def _chair_base(rng, half, depth, height) -> Parts:
    style, radius = rng.choice(["legs", "splayed", "runners", "star"]), rng.uniform(0.022, 0.035)
    if style == "star":
        toes = [(0.3 * np.cos(a), 0.3 * np.sin(a), 0.03) for a in np.arange(5) * (2 * np.pi / 5)]
        return [rod((0, 0, 0.08), (0, 0, height), 0.04),
                *(rod((0, 0, 0.13), toe, 0.03) for toe in toes)]
    spread = 0.09 if style == "splayed" else 0.0
    parts = [leg for side in (-1, 1) for leg in pair(
        rod((side * (depth - radius + spread), half - radius + spread, 0),
            (side * (depth - radius), half - radius, height), radius))]
    if style == "runners":
        parts += pair(box(middle(depth), (half - 2 * radius, half), (0, 0.05)))
    return parts


def _chair_back(rng, half, depth, z) -> Parts:
    style, x, tall = rng.choice(["solid", "slats", "rungs"]), (-depth, 0.06 - depth), z[1] - z[0]
    if style == "solid":
        return [box(x, middle(half), (z[0] + rng.uniform(-0.02, 0.12), z[1])),
                *pair(box((-depth, 0.03 - depth), (half - 0.08, half - 0.03),
                          (z[0] - 0.02, z[1] - 0.1)))]
    frame = [*pair(box(x, (half - 0.05, half), (z[0] - 0.02, z[1]))),
             box(x, middle(half - 0.04), (z[1] - 0.1, z[1] - 0.005))]
    steps = np.linspace(0, 1, rng.integers(4, 6))[1:-1]
    if style == "slats":
        return frame + [box(x, middle(0.03, (2 * step - 1) * half), (z[0] - 0.02, z[1] - 0.09))
                        for step in steps]
    return frame + [box(x, middle(half - 0.04), middle(0.035, z[0] + 0.8 * step * tall))
                    for step in steps]


def sofa(rng: np.random.Generator) -> trimesh.Trimesh:
    """One to four seats between square or round arms, perhaps with a chaise at one end."""
    u = rng.uniform
    seats, pitch, front = rng.integers(1, 5), u(0.55, 0.72), u(0.39, 0.48)
    half, seat, arm = seats * pitch / 2, u(0.36, 0.44), u(0.12, 0.2)
    tall = seat + u(0.4, 0.5) + 0.06 * seats  # a low back is lost in a long sofa seen small
    rear, lean, high, short = -front, -u(4, 14), seat + u(0.1, 0.22), u(0.0, 0.25)
    cushions = [middle(pitch / 2 - 0.02, (i - (seats - 1) / 2) * pitch) for i in range(seats)]
    parts = [box((rear, front), middle(half), (0.1, seat - 0.1)),
             box((rear - 0.05, rear + 0.1), middle(half), (0.1, u(0.6, 0.8) * tall)),
             *legs((rear + 0.05, front - 0.06), half + 0.04, 0.12, 0.04, sides=4)]
    for y in cushions:
        parts += [box((rear + 0.2, front + 0.03), y, (seat - 0.12, seat)),
                  turned(box((rear + 0.02, rear + 0.22), y, (seat - 0.08, tall)), lean, "y",
                         (rear, 0, seat))]
    parts += pair(box((rear - 0.06, front - short), (half - 0.005, half + arm), (0.1, high)))
    if rng.random() < 0.4:
        y = half + arm / 2
        parts += pair(rod((rear - 0.07, y, high), (front + 0.01 - short, y, high), 0.7 * arm,
                          sides=12))
    if seats > 1 and rng.random() < 0.45:
        y = cushions[rng.choice([0, -1])]
        parts += [box((0, front + u(0.4, 0.7)), y, (0.06, seat + 0.01))]
    return join(parts)


def desk(rng: np.random.Generator) -> trimesh.Trimesh:
    """Drawers on one side, legs on the other, something along the back, perhaps a return."""
    u = rng.uniform
    half, deep, top, wide = u(0.6, 0.85), u(0.3, 0.42), u(0.7, 0.78), u(0.34, 0.48)
    drawers = (half - wide, half - 0.03)
    parts = [box(middle(deep), middle(half), (top - 0.05, top)),
             box((0.03 - deep, deep - 0.09), drawers, (0.04, top - 0.02)),
             box((0.03 - deep, 0.06 - deep), middle(half - 0.04), (u(0.1, 0.45), top - 0.02))]
    heights = np.linspace(0.06, top - 0.07, rng.integers(3, 6))
    parts += [box((0, deep - 0.03), drawers, (low + 0.02, high - 0.02))
              for low, high in zip(heights[:-1], heights[1:], strict=True)]
    if rng.random() < 0.5:
        parts += [rod((x, 0.05 - half, 0), (x, 0.05 - half, top - 0.02), 0.045)
                  for x in (0.05 - deep, deep - 0.05)]
    else:
        parts += [box(middle(deep - 0.02), (0.02 - half, 0.08 - half), (0, top - 0.02))]
    parts += rng.choice([_desk_hutch, _desk_tower, _desk_screen])(rng, half, deep, top)
    if rng.random() < 0.4:
        reach = deep + u(0.35, 0.6)
        parts += [box((0, reach), (-half - 0.02, u(0.38, 0.45) - half), (top - 0.055, top + 0.005)),
                  box((reach - 0.2, reach - 0.1), (-half, 0.3 - half), (0, top - 0.03))]
    return join(parts if rng.random() < 0.5 else map(mirrored, parts))


def _desk_hutch(rng, half, deep, top) -> Parts:
    """Shelves over the whole width or the part above the drawers."""
    high, reach = top + rng.uniform(0.3, 0.6), rng.uniform(0.18, 0.28) - deep
    left = 0.02 + rng.choice([-half, rng.uniform(-0.6, 0.2) * half])
    return [box((-deep, reach), (left - 0.01, half - 0.01), (high, high + 0.05)),
            box((-deep, 0.03 - deep), (left, half - 0.02), (top - 0.01, high + 0.01)),
            *(box((-deep, reach - 0.01), middle(0.025, y), (top - 0.01, high + 0.01))
              for y in np.linspace(left + 0.03, half - 0.05, rng.integers(3, 6)))]


def _desk_tower(rng, half, deep, top) -> Parts:
    u = rng.uniform
    return [box((-deep, u(0.16, 0.24) - deep), (half - u(0.3, 0.5), half - 0.01),
                (top - 0.01, top + u(0.35, 0.6))),
            box((-deep, 0.04 - deep), middle(half - 0.02), (top - 0.01, top + u(0.2, 0.3)))]


def _desk_screen(rng, half, deep, top) -> Parts:
    wide, tall, y = rng.uniform(0.22, 0.34), rng.uniform(0.4, 0.5), rng.uniform(-0.15, 0.15)
    return [box((-deep, 0.04 - deep), middle(half - 0.02), (top - 0.01, top + 0.28)),
            box((0.1 - deep, 0.15 - deep), middle(wide, y), (top + 0.1, top + tall)),
            box(middle(0.1, 0.13 - deep), middle(0.1, y), (top - 0.01, top + 0.02)),
            box(middle(0.03, 0.1 - deep), middle(0.04, y), (top, top + 0.3)),
            box(middle(0.08, 0.06), middle(0.24, y), (top - 0.01, top + 0.035))]


def bed(rng: np.random.Generator) -> trimesh.Trimesh:
    """Single, double or bunk bed, or one with a canopy over the head; pillows, folded blanket."""
    u = rng.uniform
    style, end = rng.choice(["plain", "plain", "canopy", "bunk"]), u(0.95, 1.08)
    double, base = style != "bunk" and rng.random() < 0.6, u(0.22, 0.35)
    half = u(0.7, 0.9) if double else u(0.45, 0.55)
    upper = base + u(0.85, 1.0) if style == "bunk" else base
    head, foot = upper + u(0.55, 0.85), upper + rng.choice([0.0, 0.2])
    parts = [part for z in sorted({base, upper}) for part in _mattress(rng, end, half, z, double)]
    board = box((-end - 0.08, -end), middle(half + 0.05), (0.05, head))
    parts += [turned(board, -u(2, 12), "y", (-end, 0, upper)),
              box((end - 0.005, end + 0.06), middle(half + 0.05), (0.1, foot))]
    top, reach = (u(1.5, 1.8), u(0.45, 0.7)) if style == "canopy" else (upper, 0.0)
    parts += legs((-end - 0.04,), half + 0.01, top, 0.055, sides=4)
    parts += legs((end + 0.03,), half + 0.01, upper, 0.055, sides=4)
    if style == "canopy":
        parts += [extrude([(-end - 0.1, top), (reach - end, top - 0.15), (reach - end, top - 0.05),
                           (-end - 0.1, top + 0.15)], middle(half + 0.08)),
                  *pair(rod((-end - 0.04, half, top - 0.5), (reach - 0.1 - end, half, top - 0.1),
                            0.035))]
    elif style == "bunk":
        parts += _ladder(half, upper)
        parts += [box((-end, 0.3), (half - 0.02, half + 0.05), middle(0.05, upper + 0.36))]
    elif rng.random() < 0.6:
        parts += [box((-end - 0.05, 0.4 - end), (half + 0.1, half + 0.5), (0.05, u(0.4, 0.55)))]
    return join(parts if rng.random() < 0.5 else map(mirrored, parts))


def _ladder(half, upper) -> Parts:
    rungs = zip(np.linspace(0.25, 0.12, 4) + half, np.linspace(0.2, upper + 0.1, 4), strict=True)
    return [*(rod((x, half + 0.28, 0), (x, half + 0.06, upper + 0.35), 0.035) for x in (0.4, 0.8)),
            *(rod((0.4, y, z), (0.8, y, z), 0.03) for y, z in rungs)]


def _mattress(rng, end, half, z, double) -> Parts:
    top, fold = z + rng.uniform(0.2, 0.3), rng.uniform(-0.4, 0.1)
    pillows = [(0.04, half - 0.05), (0.05 - half, -0.04)] if double else [middle(half - 0.09)]
    return [box(middle(end), middle(half + 0.03), (z - 0.12, z)),
            box(middle(end - 0.03), middle(half), (z - 0.01, top)),
            box((fold, end - 0.01), middle(half + 0.045), (z + 0.04, top + 0.05)),
            box((fold - 0.01, fold + 0.25), middle(half + 0.055), (z + 0.1, top + 0.09)),
            *(turned(frustum((0.05 - end, 0.47 - end), y, (0.09 - end, 0.42 - end),
                             (y[0] + 0.04, y[1] - 0.04), (top - 0.01, top + 0.13)),
                     -8, "y", (0.05 - end, 0, top)) for y in pillows)]


def monitor(rng: np.random.Generator) -> trimesh.Trimesh:
    """A flat screen or a deep tube, the picture sunk in its frame, on a plate, disc or fork."""
    u = rng.uniform
    half, tall, tube = u(0.26, 0.4), u(0.32, 0.46), rng.random() < 0.35
    low = u(0.05, 0.1) if tube else u(0.1, 0.2)
    lean, neck = -u(0, 10), -(0.2 if tube else 0.1)
    screen = _screen(rng, half, (low, low + tall), tube)
    parts = [turned(part, lean, "y", (0, 0, low)) for part in screen]
    parts += [box((neck - 0.03, neck + 0.04), middle(u(0.03, 0.07)), (0.0, low + 0.4 * tall))]
    foot, reach = rng.choice(["plate", "disc", "fork"]), u(0.1, 0.18)
    if foot == "plate":
        parts += [frustum((neck - 0.1, reach), middle(0.55 * half), (neck - 0.08, reach - 0.05),
                          middle(0.5 * half), (0, 0.03))]
    elif foot == "disc":
        parts += [lathe([(0.19, 0), (0.14, 0.035)], (neck + 0.09, 0, 0), (0, 0, 1), 24)]
    else:
        parts += pair(rod((neck, 0, 0.03), (reach, 0.7 * half, 0.02), 0.025))
        parts += [box((neck - 0.1, neck + 0.05), middle(0.06), (0, 0.05))]
    return join(parts)


def _screen(rng, half, z, tube) -> Parts:
    u, tall = rng.uniform, z[1] - z[0]
    deep, frame = u(0.06, 0.09), u(0.03, 0.05)
    parts = [box((-deep, -0.045), middle(half), z),
             *pair(box((-deep, 0.01), (half - frame, half + 0.001), z)),
             box((-deep, 0.012), middle(half), (z[0] - 0.001, z[0] + frame + u(0, 0.06))),
             box((-deep, 0.012), middle(half), (z[1] - frame, z[1] + 0.001))]
    if tube:
        rear = -u(0.35, 0.5)
        parts += [box((-0.16, 0.005 - deep), middle(half + 0.01), (z[0] - 0.01, z[1] + 0.01)),
                  extrude([(-0.15, z[0]), (-0.15, z[1]), (rear, z[1] - 0.3 * tall), (rear, z[0])],
                          middle(0.7 * half)),
                  box((rear - 0.04, -0.1), middle(0.45 * half), (z[0], z[1] - 0.4 * tall))]
    else:
        parts += [frustum((-deep - 0.06, 0.01 - deep), middle(0.4 * half), (-deep - 0.05, -deep),
                          middle(0.3 * half), (z[0] + 0.15 * tall, z[0] + 0.75 * tall))]
    if rng.random() < 0.3:  # loudspeakers
        parts += pair(box((-deep, 0.02), (half + 0.01, half + 0.1), z))
    return parts


def piano(rng: np.random.Generator) -> trimesh.Trimesh:
    """A grand with its lid up, or an upright; perhaps a bench before the keys."""
    u = rng.uniform
    half, high, bench = u(0.6, 0.85), u(0.62, 0.78), u(0.25, 0.5)
    parts = (_grand if rng.random() < 0.6 else _upright)(rng, half, high)
    parts += [box((-0.1, 0.24), middle(half), (high - 0.06, high + 0.05)),
              *pair(box((-0.1, 0.27), (half - 0.08, half + 0.01), (high - 0.07, high + 0.17))),
              *(box((0.0, 0.23), middle(0.022, y), (high + 0.04, high + 0.09))
                for y in np.linspace(0.12 - half, half - 0.12, 12))]
    if rng.random() < 0.7:
        near = u(0.4, 0.6)
        parts += [box((near, near + 0.35), middle(bench), (0.42, 0.52)),
                  *legs((near + 0.05, near + 0.3), bench - 0.05, 0.45, 0.035, sides=4)]
    return join(parts)


def _grand(rng, half, high) -> Parts:
    long, tail = rng.uniform(1.0, 2.2), rng.uniform(-0.4, 0.0)
    curve = [(-0.35, 1), (-0.6, 0.55), (-0.85, tail + 0.4), (-1, tail), (-0.97, -0.75), (-0.8, -1)]
    case = [(0, -half), (0, half), *((x * long, y * half) for x, y in curve)]
    lid = extrude([(-0.2, -1.03 * half), (-0.2, 1.03 * half),
                   *((x * long - 0.03, 1.03 * y * half) for x, y in curve)],
                  (high + 0.32, high + 0.36), "z")
    return [extrude(case, (high, high + 0.3), "z"),
            turned(lid, rng.uniform(25, 45), "x", (0, -half, high + 0.32)),
            rod((-0.3, 0.8 * half, high + 0.2), (-0.4, 0.25 * half, high + 0.85), 0.025),
            box((-0.25, -0.2), middle(0.3), (high + 0.28, high + 0.55)),
            *legs((-0.15,), 0.85 * half, high + 0.05, 0.06),
            rod((-0.85 * long, -0.5 * half, 0), (-0.85 * long, -0.5 * half, high + 0.05), 0.06)]


def _upright(rng, half, high) -> Parts:
    tall, rear = rng.uniform(0.95, 1.5), -rng.uniform(0.25, 0.5)
    return [box((rear, -0.02), middle(half), (0.05, tall)),
            box((rear - 0.02, 0.02), middle(half + 0.03), (tall - 0.01, tall + 0.05)),
            *pair(box((rear + 0.01, 0.3), (half - 0.08, half + 0.02), (0, high + 0.14))),
            turned(box((0.0, 0.03), middle(0.35), (high + 0.2, high + 0.45)), -15, "y",
                   (0, 0, high + 0.2))]


def teapot(rng: np.random.Generator) -> trimesh.Trimesh:
    """A round, tall, squat or six-sided pot with a spout, a lid and one of three handles."""
    u = rng.uniform
    tall, wide, belly, neck = u(0.75, 1.3), u(0.45, 0.65), u(0.3, 0.55), u(0.35, 0.65)
    body = [(0.6, 0), (0.85, 0.12), (1.0, belly), (0.5 + 0.5 * neck, 0.82), (neck, 1.0)]
    brim = 1.12 * wide * neck
    lid = [(brim, 0), (brim, 0.05), (0.1, u(0.1, 0.2)), (0.06, 0.22), (0.11, 0.27), (0.06, 0.34)]
    parts = [lathe([(r * wide, z * tall) for r, z in body], (0, 0, 0), (0, 0, 1),
                   rng.choice([6, 20])),
             lathe(lid, (0, 0, tall - 0.01), (0, 0, 1), 14)]
    bend = np.array([wide + u(0.25, 0.4), 0, u(0.45, 0.65) * tall])
    lip = bend + (u(0.1, 0.35), 0, u(0.25, 0.45) * tall)
    parts += [rod((0.6 * wide, 0, 0.25 * tall), bend, 0.2, 0.12, 10),
              rod(bend - (0.03, 0, 0.05), lip, 0.125, 0.08, 10)]
    near, far, style = -0.6 * wide, -wide - u(0.25, 0.45), rng.choice(["loop", "square", "over"])
    handle = {
        "loop": [(near, 0.85), (0.85 * far, 0.9), (far, 0.65), (0.9 * far, 0.4), (near, 0.2)],
        "square": [(near, 0.85), (far, 0.88), (0.95 * far, 0.3), (near, 0.25)],
        "over": [(0.7 * wide, 0.8), (0.6 * wide, 1.4), (0, 1.65), (near, 1.4), (1.15 * near, 0.8)],
    }[style]
    return join(parts + rods([(x, 0, z * tall) for x, z in handle], 0.065))

"""Things that drive: car, truck, bus, motorbike.

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
    pair,
    ring,
    rod,
    tub,
    turned,
    wheel,
)

# Rear and front end of a car's cabin at the sills, then at the roof, in half lengths of the car.
_CAR_CABINS = {
    "saloon": ((-0.66, 0.38), (-0.42, 0.06)),
    "hatchback": ((-0.9, 0.4), (-0.74, 0.08)),
    "estate": ((-0.92, 0.4), (-0.88, 0.12)),
    "coupe": ((-0.8, 0.22), (-0.34, -0.08)),
    "pickup": ((-0.16, 0.46), (-0.12, 0.2)),
    "open": ((-0.5, 0.2), (-0.5, 0.2)),
}


def car(rng: np.random.Generator) -> trimesh.Trimesh:
    """Saloon, hatchback, estate, coupe, pick-up or open sports car."""
    u, style = rng.uniform, rng.choice(list(_CAR_CABINS))
    length = u(1.4, 1.75) if style == "hatchback" else u(1.75, 2.3)
    half, sill, low, radius = u(0.74, 1.0), u(0.8, 1.1), u(0.24, 0.36), u(0.32, 0.44)
    shift = u(-0.06, 0.06)  # cab forward or long bonnet
    base, roof = (tuple(length * (x + shift) for x in span) for span in _CAR_CABINS[style])
    tail, nose = u(0.82, 0.97) * sill, u(0.58, 0.8) * sill
    rear = -0.18 * length if style == "pickup" else -length
    body = [(rear, low), (rear, tail), (base[0], sill), (base[1], sill), (0.88 * length, nose),
            (length, nose - 0.16), (length, low)]
    parts = [extrude(body, middle(half)),
             box((length - 0.1, length + 0.1), middle(0.95 * half), (low + 0.02, low + 0.22)),
             box((-length - 0.1, 0.1 - length), middle(0.95 * half), (low + 0.04, low + 0.24))]
    parts += [tyre for x in (-0.6 * length, 0.62 * length)
              for tyre in pair(wheel(x, half - 0.02, radius, 0.26))]
    parts += pair(box(middle(0.08, base[1] - 0.2), (half - 0.1, half + 0.18), (sill, sill + 0.16)))
    if style == "open":
        return join(parts + _open_seats(base, half, sill))
    top = sill + (u(0.6, 1.0) if style == "estate" else u(0.5, 0.75))
    parts += cabin(base, roof, half - 0.02, (sill - 0.01, top), rng.integers(3, 5), 0.1)
    parts += _car_roof(rng, roof, 0.9 * half, top)
    if style == "pickup":
        parts += tub((-length, 0.02 + rear), middle(half - 0.005), (0.4, sill - 0.02), 0.12)
    elif style == "coupe":
        parts += [box((-length - 0.05, 0.2 - length), middle(0.85 * half),
                      (tail + 0.15, tail + 0.21)),
                  *pair(box((0.05 - length, 0.15 - length), (0.4, 0.5), (tail - 0.1, tail + 0.16)))]
    return join(parts)


def _open_seats(x, half, sill) -> Parts:
    """Two rows of seat backs behind a windscreen."""
    screen = box(middle(0.03, x[1]), middle(0.8 * half), (sill - 0.02, sill + 0.45))
    return [turned(screen, -30, "y", (x[1], 0, sill)),
            *(seat for rear in (x[0], 0.4 * x[0]) for seat in pair(
                box((rear, rear + 0.2), (0.1, 0.62), (sill - 0.02, sill + 0.38))))]


def _car_roof(rng, x, half, z) -> Parts:
    """Nothing, most often, or a luggage box, a rack, or a taxi's sign."""
    style, at = rng.choice(["", "", "", "box", "rack", "sign"]), (x[0] + x[1]) / 2
    if style == "box":
        y = rng.uniform(-0.2, 0.2)
        return [frustum((x[0], x[1] - 0.1), middle(0.3, y), (x[0] + 0.1, x[1] - 0.5),
                        middle(0.22, y), (z - 0.01, z + 0.3))]
    if style == "rack":
        return [box(middle(0.05, rail), middle(half), (z - 0.01, z + 0.1))
                for rail in np.linspace(x[0] + 0.1, x[1] - 0.1, 3)]
    return [box(middle(0.12, at), middle(0.35), (z - 0.01, z + 0.16))] if style else []


def truck(rng: np.random.Generator) -> trimesh.Trimesh:
    """A cab over the engine or behind a bonnet, with a box, tipper, tank or stakes."""
    u = rng.uniform
    half, bed, eaves, front = u(1.1, 1.25), u(0.95, 1.15), u(1.5, 1.8), u(1.5, 1.9)
    bonnet, rear, radius = rng.choice([0.0, u(0.8, 1.2)]), -u(3.4, 5.6), u(0.48, 0.58)
    parts = [box((rear, front), middle(0.45 * half), (0.6, bed)),
             box((0, front), middle(half), (0.5, eaves)),
             *cabin((0, front), (0.08, front - u(0.15, 0.4)), half,
                    (eaves - 0.01, eaves + u(0.8, 1.0)), posts=2, sink=0.16),
             *pair(box((front - 0.13, front + 0.03), (half - 0.05, half + 0.3),
                       (eaves, eaves + 0.55)))]
    if bonnet:
        nose = front + bonnet
        parts += [frustum((front - 0.1, nose), middle(0.75 * half), (front - 0.1, nose - 0.15),
                          middle(0.65 * half), (0.5, eaves + 0.05)),
                  *pair(box((front - 0.01, nose - 0.1), (0.6 * half, half), (0.5, 1.05)))]
    if rng.random() < 0.6:
        parts += pair(rod((-0.2, half - 0.2, 0.7), (-0.2, half - 0.2, eaves + 1.3), 0.11))
    parts += rng.choice([_box_load, _tipper, _tank, _stakes])(rng, half, bed, (rear, -0.45))
    axles = [front + 0.6 * bonnet - 0.75, *(rear + 0.8 + 1.15 * np.arange(rng.integers(1, 4)))]
    parts += [tyre for x in axles for tyre in pair(wheel(x, half - 0.1, radius, 0.42))]
    return join(parts)


def _box_load(rng, half, bed, x) -> Parts:
    top = bed + rng.uniform(1.6, 2.4)
    return [box(x, middle(half + 0.05), (bed - 0.05, top)),
            *(box((rib, rib + 0.1), middle(half + 0.13), (bed, top - 0.05))
              for rib in np.linspace(x[0] + 0.05, x[1] - 0.15, rng.integers(4, 7)))]


def _tipper(rng, half, bed, x) -> Parts:
    tilt = -rng.choice([0.0, 12.0, 24.0])
    return [turned(part, tilt, "y", (x[0], 0, bed))
            for part in tub(x, middle(half), (bed - 0.02, bed + rng.uniform(0.9, 1.3)), 0.16)]


def _tank(rng, half, bed, x) -> Parts:
    long, radius = x[1] - x[0], rng.uniform(0.9, 1.1)
    domes = np.linspace(x[0] + 0.8, x[1] - 0.75, rng.integers(2, 4))
    return [lathe([(0.7 * radius, 0), (radius, 0.25), (radius, long - 0.25), (0.7 * radius, long)],
                  (x[0], 0, bed + 0.9 * radius), (1, 0, 0), 20),
            *(rod((dome, 0, bed + radius), (dome, 0, bed + 1.9 * radius + 0.25), 0.3)
              for dome in domes)]


def _stakes(rng, half, bed, x) -> Parts:
    posts = np.linspace(x[0] + 0.1, x[1] - 0.8, rng.integers(4, 7))
    return [box(x, middle(half), (bed - 0.05, bed + 0.1)),
            box((x[1] - 0.1, x[1] + 0.05), middle(half - 0.01), (bed, bed + 1.2)),
            *pair(box((x[0] + 0.05, x[1] - 0.05), (half - 0.1, half - 0.02),
                      (bed + 0.5, bed + 0.75))),
            *(part for post in posts for part in pair(
                box(middle(0.06, post), (half - 0.12, half), (bed, bed + 0.8))))]


def bus(rng: np.random.Generator) -> trimesh.Trimesh:
    """City bus, coach, school bus with a bonnet, or double-decker; the doors are on the right."""
    u, style = rng.uniform, rng.choice(["city", "coach", "school", "double"])
    length, half, sill, top = u(2.4, 4.3), u(1.0, 1.35), u(1.15, 1.6), u(2.6, 3.3)
    posts, front = rng.integers(4, 8), length - (u(1.0, 1.3) if style == "school" else 0.0)
    rake = {"coach": u(0.9, 1.3), "city": u(0.4, 0.7)}.get(style, 0.25)
    parts = [box((-length, front), middle(half), (0.35, sill)),
             *cabin((-length, front), (0.1 - length, front - rake), half, (sill - 0.01, top), posts,
                    sink=0.22),
             *pair(box(middle(0.12, length + 0.1), (0.75 * half, half + 0.3),
                       (sill + 0.5, sill + 1.2)))]
    if style == "double":
        # Upstairs stops short of the rear, or front and rear would look the same.
        deck, rear = top + 0.3, u(1.4, 2.4) - length
        parts += [box((-length, front), middle(half), (top - 0.05, deck)),
                  *cabin((rear, front), (rear + 0.1, front - u(0.3, 0.7)), half,
                         (deck - 0.01, deck + u(1.1, 1.3)), posts, sink=0.22)]
    else:
        parts += _bus_roof(rng, length, half, top)
    if style == "school":
        parts += [frustum((front - 0.1, length), middle(0.8 * half), (front - 0.1, length - 0.15),
                          middle(0.7 * half), (0.4, sill + 0.1)),
                  *pair(box((front - 0.01, length - 0.15), (0.7 * half, half), (0.4, 0.95)))]
    parts += [box((length - 0.1, length + 0.2), middle(0.95 * half), (0.4, 0.75))]
    parts += [box(middle(0.5, x), (-half - 0.16, -0.5 * half), (0.3, 0.92 * top))
              for x in (front - 0.9, -0.05 * length)[:rng.integers(1, 3)]]
    parts += [tyre for x in (-0.55 * length, 0.5 * length)
              for tyre in pair(wheel(x, half - 0.06, 0.52, 0.36))]
    return join(parts)


def _bus_roof(rng, length, half, z) -> Parts:
    """A cooler at the rear, and perhaps a hatch."""
    u, rear = rng.uniform, 0.35 - length
    long = u(1.0, 2.4)
    cooler = frustum((rear, rear + long), middle(0.8 * half), (rear, rear + 0.7 * long),
                     middle(0.65 * half), (z - 0.02, z + u(0.4, 0.6)))
    hatch = box(middle(u(0.2, 0.4), u(0.0, 0.3) * length), middle(0.5 * half),
                (z - 0.01, z + u(0.15, 0.3)))
    return [cooler, hatch] if rng.random() < 0.5 else [cooler]


def motorbike(rng: np.random.Generator) -> trimesh.Trimesh:
    """Roadster, sports bike, cruiser or tourer, or a scooter, leaning on its stand."""
    u = rng.uniform
    style = rng.choice(["roadster", "sports", "cruiser", "tourer", "scooter"])
    radius = u(0.2, 0.26) if style == "scooter" else u(0.3, 0.36)
    rear, front = -u(0.55, 0.7), u(0.58, 0.7) + (0.15 if style == "cruiser" else 0)
    rake = 0.42 if style == "cruiser" else 0.25
    head, seat, grip = np.array([front - rake, 0, u(0.92, 1.02)]), u(0.66, 0.78), u(0.32, 0.42)
    parts = [wheel(rear, 0, radius, u(0.2, 0.27)), wheel(front, 0, radius, 0.18),
             *pair(rod((front, 0.13, radius), head + (0, 0.1, 0), 0.045)),
             rod(head + (-0.08, -grip, 0.04), head + (-0.08, grip, 0.04), 0.04),
             box((head[0] - 0.02, head[0] + 0.16), middle(0.11), (head[2] - 0.2, head[2])),
             extrude([(rear - 0.25, seat + 0.1), (-0.1, seat), (0, seat - 0.12),
                      (rear, seat - 0.14)], middle(u(0.13, 0.17))),
             extrude([(front - 0.8 * radius, 1.75 * radius), (front, 2.25 * radius),
                      (front + 0.9 * radius, 1.7 * radius), (front, 2.02 * radius)], middle(0.12)),
             *pair(rod((rear, 0.13, radius), (-0.1, 0.13, 0.45), 0.05)),
             rod((0.1, -0.22, 0.3), (rear - 0.2, -0.25, 0.36), 0.06, 0.1)]
    parts += _scooter_body(rear, seat, head) if style == "scooter" else _engine(seat, head)
    if style in ("sports", "tourer"):  # a fairing
        parts += [extrude([(front + 0.1, 0.6), (front + 0.02, 0.82),
                           (head[0] - 0.02, head[2] + u(0.1, 0.3)), (0.2, 0.85), (0.15, 0.3),
                           (0.35, 0.25)], middle(0.21))]
    parts += _luggage(rng, style, rear, seat)
    bike = turned(join(parts), u(2, 8), "x")
    ground = bike.bounds[0, 2]
    return join([bike, rod((0.05, -0.1, 0.3 + ground), (0.1, -0.36, ground), 0.03)])


def _engine(seat, head) -> Parts:
    tank = [(-0.12, -0.02, 0.08, 0.08), (0.05, 0.07, 0.17, 0.16), (0.28, 0.11, 0.18, 0.17),
            (0.42, 0.08, 0.08, 0.08)]
    return [loft([ring(x, seat + up, wide, high, 10) for x, up, wide, high in tank]),
            box((-0.22, 0.3), middle(0.17), (0.22, 0.56)),
            box((-0.1, 0.15), middle(0.27), (0.34, 0.5)),
            rod((0.35, 0, 0.35), head - (0, 0, 0.1), 0.05)]


def _luggage(rng, style, rear, seat) -> Parts:
    """Side cases and a top case for the tourer, a back rest for cruiser and scooter."""
    if style == "tourer":
        return [*pair(box((rear - 0.28, rear + 0.25), (0.18, 0.38), (0.42, 0.75))),
                box((rear - 0.4, rear - 0.05), middle(0.22), (seat + 0.06, seat + 0.36))]
    if style in ("cruiser", "scooter"):
        return [box((rear - 0.3, rear - 0.24), middle(0.15),
                    (seat - 0.05, seat + rng.uniform(0.3, 0.45)))]
    return []


def _scooter_body(rear, seat, head) -> Parts:
    shield = box(middle(0.03, 0.36), middle(0.25), (0.2, head[2]))
    return [frustum((rear - 0.28, -0.1), middle(0.21), (rear - 0.3, -0.12), middle(0.14),
                    (0.25, seat - 0.05)),
            box((-0.3, 0.37), middle(0.2), (0.2, 0.28)),
            turned(shield, -14, "y", (0.36, 0, 0.2))]

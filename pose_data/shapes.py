"""The classes `make_cad` knows: everyday things, each object with its own proportions and parts.

A shape is a function of a `numpy.random.Generator` that samples one object. It builds in metres
with the front towards +x, y to the left, z up and the ground at z = 0. Seen at 128 pixels an object
spans about 46, so details are drawn bolder than life; and no shape looks the same after a turn
about z: front, back and sides differ in outline, slope or shadow, since there is no texture.

To add a class, write such a function with the parts in `solids` and enter it in `CLASSES`.
"""

from collections.abc import Callable

import numpy as np
import trimesh

from pose_data import shapes_craft, shapes_household, shapes_machines, shapes_road

Shape = Callable[[np.random.Generator], trimesh.Trimesh]

CLASSES: dict[str, Shape] = {
    "aeroplane": shapes_craft.aeroplane,
    "bed": shapes_household.bed,
    "boat": shapes_craft.boat,
    "bus": shapes_road.bus,
    "car": shapes_road.car,
    "chair": shapes_household.chair,
    "desk": shapes_household.desk,
    "excavator": shapes_machines.excavator,
    "helicopter": shapes_craft.helicopter,
    "monitor": shapes_household.monitor,
    "motorbike": shapes_road.motorbike,
    "piano": shapes_household.piano,
    "sofa": shapes_household.sofa,
    "teapot": shapes_household.teapot,
    "tractor": shapes_machines.tractor,
    "truck": shapes_road.truck,
}

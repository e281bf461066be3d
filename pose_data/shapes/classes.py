"""The classes of `make_cad`: everyday things, each object with its own proportions and parts.

A shape is a function of a `numpy.random.Generator` that samples one object. It builds in metres
with the front towards +x, y to the left, z up and the ground at z = 0. Seen at 128 pixels an object
spans about 46, so details are drawn bolder than life; and no shape looks the same after a turn
about z: front, back and sides differ in outline, slope or shadow, since there is no texture.

To add a class, write such a function with the parts in `solids` and enter it in `CLASSES`.
"""

from collections.abc import Callable

import numpy as np
import trimesh

from pose_data.shapes import craft, household, machines, road

Shape = Callable[[np.random.Generator], trimesh.Trimesh]

CLASSES: dict[str, Shape] = {
    "aeroplane": craft.aeroplane,
    "bed": household.bed,
    "boat": craft.boat,
    "bus": road.bus,
    "car": road.car,
    "chair": household.chair,
    "desk": household.desk,
    "excavator": machines.excavator,
    "helicopter": craft.helicopter,
    "monitor": household.monitor,
    "motorbike": road.motorbike,
    "piano": household.piano,
    "sofa": household.sofa,
    "teapot": household.teapot,
    "tractor": machines.tractor,
    "truck": road.truck,
}

"""Pose-regression data: CAD models -> MuJoCo renders -> grey images -> pickles or shards.

The commands run in this order: convert_cad, mujoco_render, resize_images, data_gen. `make_cad`
makes CAD models for users who have none; `tasks`, the only module with TensorFlow, serves the
pickles, or the shards that take their place for sets larger than memory.
"""

from mine.reporting import extras, imports, quiet_tensorflow
from mine.reporting.processes import stopping

extras.install()
imports.install()
quiet_tensorflow.install()
stopping.install()

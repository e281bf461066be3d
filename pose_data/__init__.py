"""Pose-regression data: CAD models -> MuJoCo renders -> grey images -> pickles of episodes.

The scripts run in this order: convert_cad, mujoco_render, resize_images, data_gen. `make_cad` makes
CAD models for those who have none; `tasks`, the only file with TensorFlow, serves the pickles.
"""

from mine.reporting import quiet_tensorflow

quiet_tensorflow.install()

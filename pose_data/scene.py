"""The scene of the pose data, in MuJoCo: a white object on a grey table under one lamp.

Table, lamp, colours and camera are those of the pose data of Yin et al. 2020 (arXiv 1912.03820).
Set MUJOCO_GL (see `gl_backend`) before importing this file.
"""

import sys

import mujoco
import numpy as np

from mine.reporting.words import reason
from pose_data import gl_backend
from pose_data.cad import meshes

# Raise by one when a change below changes images: what was rendered before is then rendered anew.
VERSION = 1
POSITION = (0.5, 0.0)  # x and y of the object, metres.
LONGEST_SIDE = 1.2  # metres

_TABLE_HEIGHT = -0.4
_GAP = 0.001  # Between table and object: faces in one plane would flicker.
_GRAIN = 0.002  # What a mesh with too many faces may lose, metres: a sixth of a pixel at 256.
_OBJECT_GROUP = 1
_LOOK_AT = (0.475, -0.025, -0.323)

# The object's mass has no effect, but MuJoCo refuses a mesh whose inertia it cannot compute: of a
# shell it can (from MuJoCo 3.3 on) where the volume of an open mesh has no meaning.
# A shadow map of 1024 looks the same at these image sizes as MuJoCo's 4096, which is most of the
# cost. The resizing that follows smooths edges; multisampling them as well would double the time.
_XML = """
<mujoco>
  <compiler balanceinertia="true"/>
  <statistic extent="2" center="{look_at}"/>
  <visual>
    <global fovy="45" offwidth="{size}" offheight="{size}"/>
    <quality shadowsize="1024" offsamples="0"/>
  </visual>
  <asset><mesh name="object" file="object.stl" inertia="shell"/></asset>
  <worldbody>
    <light diffuse=".5 .5 .5" pos="0 0 5" dir="0 0 -1"/>
    <geom type="plane" pos="0.5 0.2 {table}" size="1.0 1.6 1"/>
    <body name="object" mocap="true" pos="{x} {y} {z}">
      <geom type="mesh" mesh="object" rgba="1 1 1 1" group="{group}" contype="0" conaffinity="0"/>
    </body>
  </worldbody>
</mujoco>
"""


class ObjectRenderer:
    """Renders one object at any yaw; compile once, then each image costs milliseconds.

    Use it in a `with` statement: it holds an OpenGL context.
    """

    def __init__(self, triangles: np.ndarray, image_size: int):
        """Compiles the scene.

        Args:
            triangles: the object's corners, `[F, 3, 3]`, z up, any unit and place.
            image_size: width and height of the images, pixels.

        Raises:
            pose_data.cad.meshes.MeshError: MuJoCo cannot use the mesh.
            pose_data.gl_backend.GlError: TensorFlow is loaded in this process.
        """
        # Both contain an LLVM; the first frame would end the process without a message.
        if "tensorflow" in sys.modules:
            raise gl_backend.GlError(
                "TensorFlow and Mesa's OpenGL crash each other in one process: draw where "
                "TensorFlow is not imported, as `rendering.render_dataset` does in processes of "
                "its own (a script that calls it should import TensorFlow inside a function)."
            )
        shape = meshes.renderable(meshes.place(triangles, LONGEST_SIDE), _GRAIN)
        xml = _XML.format(
            look_at=" ".join(map(str, _LOOK_AT)),
            size=image_size,
            table=_TABLE_HEIGHT,
            x=POSITION[0],
            y=POSITION[1],
            z=_TABLE_HEIGHT + _GAP,
            group=_OBJECT_GROUP,
        )
        assets = {"object.stl": meshes.stl_bytes(shape)}
        try:
            self._model = mujoco.MjModel.from_xml_string(xml, assets)
        except (ValueError, mujoco.FatalError) as error:
            raise meshes.MeshError(f"cannot be compiled by MuJoCo ({reason(error)})") from error
        self._data = mujoco.MjData(self._model)
        self._renderer = mujoco.Renderer(self._model, height=image_size, width=image_size)
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        self._camera.lookat[:] = _LOOK_AT
        self._camera.distance = 4  # metres
        self._camera.azimuth = 90  # degrees
        self._camera.elevation = -45  # degrees
        without_object = mujoco.MjvOption()
        without_object.geomgroup[_OBJECT_GROUP] = 0
        mujoco.mj_forward(self._model, self._data)
        self._background = self._draw(without_object)

    def __enter__(self) -> "ObjectRenderer":
        return self

    def __exit__(self, *_) -> None:
        self._renderer.close()

    def _draw(self, option: mujoco.MjvOption | None = None) -> np.ndarray:
        self._renderer.update_scene(self._data, camera=self._camera, scene_option=option)
        # All lamps and colours of the scene are grey: one channel says everything.
        return np.ascontiguousarray(self._renderer.render()[..., 0])

    def render(self, yaw: float) -> np.ndarray:
        """Returns the image of the object turned about the vertical axis.

        Args:
            yaw: radians, counter-clockwise seen from above; 0 is the orientation in the file.

        Returns:
            Grey image, uint8 `[image_size, image_size]`.

        Raises:
            pose_data.cad.meshes.MeshError: nothing of the object is to be seen.
        """
        self._data.mocap_quat[0] = (np.cos(yaw / 2), 0, 0, np.sin(yaw / 2))
        mujoco.mj_forward(self._model, self._data)
        image = self._draw()
        if np.array_equal(image, self._background):
            raise meshes.MeshError(f"is not visible in its render at {np.degrees(yaw):.0f} degrees")
        return image

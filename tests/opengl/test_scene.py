"""The renderer against a pinhole camera written out in NumPy."""

import json
import os
import pathlib
import pickle
import sys

import numpy as np
import pytest
from PIL import Image

from pose_data import gl_backend, rendering
from pose_data.cad import meshes

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import cad_samples

SIZE = 256
ANGLES = np.array([0.0, 0.4, np.pi / 2, 2.5, 4.0, 5.9])


@pytest.fixture(scope="module")
def scene():
    try:
        backend = gl_backend.choose()
    except gl_backend.GlError as error:
        pytest.skip(str(error))
    if "mujoco" not in sys.modules and backend:
        os.environ["MUJOCO_GL"] = backend
    from pose_data import scene

    return scene


def project(points):
    """Projects points `[N, 3]` to pixel positions (column, row) `[N, 2]`.

    The camera is 4 m from (0.475, -0.025, -0.323), looks along +y and 45 degrees down, and has a
    field of view of 45 degrees.
    """
    down = np.sqrt(0.5)
    forward, right, up = np.array([0, down, -down]), np.array([1, 0, 0]), np.array([0, down, down])
    eye = np.array([0.475, -0.025, -0.323]) - 4 * forward
    depth = (points - eye) @ forward
    focal = SIZE / 2 / np.tan(np.radians(45) / 2)
    x, y = (points - eye) @ right / depth, (points - eye) @ up / depth
    return np.stack([SIZE / 2 + focal * x, SIZE / 2 - focal * y], axis=1)


def expected_corners(triangles, yaw):
    """Places the shape by hand: longest side 1.2 m, turned, 1 mm above the table at z = -0.4."""
    points = triangles.reshape(-1, 3).astype(float)
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - (low + high) / 2) * 1.2 / (high - low).max()
    x, y, z = points.T
    z = z - z.min() - 0.399
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.stack([0.5 + cos * x - sin * y, sin * x + cos * y, z], axis=1)


def silhouette(renderer, yaw):
    """Returns the pixels of the object, bool `[SIZE, SIZE]`, without its shadow."""
    renderer.render(yaw)
    drawer = renderer._renderer
    drawer.enable_segmentation_rendering()
    drawer.update_scene(renderer._data, camera=renderer._camera)
    geoms = drawer.render()[..., 0]
    drawer.disable_segmentation_rendering()
    return geoms == 1


@pytest.mark.parametrize("shift", [(0, 0, 0), (50, -20, 7)])
def test_the_object_is_where_a_pinhole_camera_sees_it(scene, shift):
    """Camera, scale, place on the table and sense of rotation, all in one closed form."""
    triangles = cad_samples.triangles_of(cad_samples.ASYMMETRIC) + np.float32(shift)
    with scene.ObjectRenderer(triangles, SIZE) as renderer:
        for yaw in ANGLES:
            rows, columns = np.nonzero(silhouette(renderer, yaw))
            pixels = project(expected_corners(triangles, yaw))
            seen = [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1]
            expected = np.stack([pixels.min(axis=0), pixels.max(axis=0)], axis=1).ravel()
            np.testing.assert_allclose(seen, expected, atol=1.0, err_msg=f"yaw {yaw}")


def test_turning_the_mesh_equals_turning_the_body(scene):
    """By a right angle, which leaves the sides of the bounding box what they are."""
    triangles = cad_samples.triangles_of(cad_samples.ASYMMETRIC)
    turned = triangles @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32)
    with (
        scene.ObjectRenderer(triangles, SIZE) as first,
        scene.ObjectRenderer(turned, SIZE) as second,
    ):
        for yaw in ANGLES:
            image = first.render(yaw + np.pi / 2).astype(int)
            assert np.mean(np.abs(image - second.render(yaw)) > 2) < 2e-3
            assert np.mean(np.abs(image - second.render(yaw + np.pi / 2)) > 2) > 0.01


def test_frames_are_grey_lit_and_repeatable(scene):
    triangles = cad_samples.triangles_of(cad_samples.ASYMMETRIC)
    with scene.ObjectRenderer(triangles, SIZE) as renderer:
        image = renderer.render(1.0)
        frame = renderer._renderer.render()
        assert (frame == frame[..., :1]).all(), "one channel would not say everything"
        assert image.shape == (SIZE, SIZE) and image.dtype == np.uint8
        mask = silhouette(renderer, 1.0)
        assert image[mask].max() > 200 > 150 > image[~mask].max(), "white object, grey table"
        renderer.render(2.0)
        np.testing.assert_array_equal(renderer.render(1.0), image)


def test_open_shapes_have_no_holes(scene):
    """The same block with its faces turned in looks as it does with them turned out."""
    triangles = cad_samples.triangles_of(cad_samples.ASYMMETRIC)
    with (
        scene.ObjectRenderer(triangles, SIZE) as outward,
        scene.ObjectRenderer(triangles[:, ::-1], SIZE) as inward,
    ):
        same = np.abs(outward.render(0.3).astype(int) - inward.render(0.3)) <= 2
        assert same.mean() > 0.995


def test_what_cannot_be_seen_is_refused(scene, monkeypatch):
    monkeypatch.setattr(scene, "POSITION", (50.0, 0.0))
    triangles = cad_samples.triangles_of(cad_samples.ASYMMETRIC)
    with (
        scene.ObjectRenderer(triangles, SIZE) as renderer,
        pytest.raises(meshes.MeshError, match="not visible"),
    ):
        renderer.render(0.0)


def test_shapes_that_are_hardly_there(scene):
    """A flat sheet is drawn, or refused with a reason; faces without area are refused."""
    sheet = cad_samples.triangles_of([((0, 0, 0), (2, 1, 0))])
    with scene.ObjectRenderer(sheet, SIZE) as renderer:
        assert silhouette(renderer, 0.5).sum() > 100
    line = np.array([[[0, 0, 0], [1, 0, 0], [1, 0, 0]], [[2, 0, 0], [3, 0, 0], [3, 0, 0]]])
    with pytest.raises(meshes.MeshError, match="area"):
        scene.ObjectRenderer(line, SIZE)


def test_random_canonical_is_file_with_the_angle_shifted(scene, tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "cad")
    settings = rendering.Settings(num_images=3, image_size=64, seed=3, canonical="random")
    rendering.render_dataset(cad_dir, tmp_path, settings)
    yaws = set()
    for cad in meshes.find_objects(cad_dir):
        folder = tmp_path / "rotate" / str(cad)
        yaw = json.loads((folder / "manifest.json").read_text())["canonical_yaw"]
        yaws.add(yaw)
        angles, _ = rendering.draw_angles(cad.category, cad.name, settings)
        labels = pickle.loads((folder / f"label_{cad.category}{cad.name}").read_bytes())
        np.testing.assert_array_equal([label[3] for label in labels], angles[:3])
        with scene.ObjectRenderer(meshes.read_triangles(cad.path), 64) as renderer:
            for i, angle in enumerate(angles[:3]):
                with Image.open(folder / f"{i}.png") as image:
                    np.testing.assert_array_equal(np.array(image), renderer.render(angle + yaw))
    assert len(yaws) == 3 and 0 not in yaws

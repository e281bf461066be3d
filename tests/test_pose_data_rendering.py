"""Whole runs of the renderer: same seed same bytes, stopped runs go on, bad models are named."""

import io
import json
import pathlib
import pickle
import subprocess
import sys

import cad_samples
import commands
import numpy as np
import pytest
from PIL import Image

from pose_data import contact_sheet, rendering

SETTINGS = rendering.Settings(num_images=4, image_size=64, seed=3)


pytestmark = pytest.mark.usefixtures("backend")


@pytest.fixture(scope="module")
def cad_dir(tmp_path_factory):
    return cad_samples.write_cad(tmp_path_factory.mktemp("cad"))


@pytest.fixture(scope="module")
def rendered(cad_dir, tmp_path_factory):
    """A run with one worker: its folder and the content of its files."""
    data_dir = tmp_path_factory.mktemp("data")
    results = rendering.render_dataset(cad_dir, data_dir, SETTINGS, workers=1)
    assert [r.name for r in results] == ["chair/01", "chair/02", "sofa/01"]
    assert all(r.rendered == 4 and r.failure is None for r in results)
    return data_dir, cad_samples.files_under(data_dir)


def test_files_and_labels(rendered):
    data_dir, files = rendered
    assert len(files) == 3 * (4 + 2)
    labels = pickle.loads(files["rotate/chair/02/label_chair02"])
    angles, yaw = rendering.draw_angles("chair", "02", SETTINGS)
    assert labels == [[i, 0.5, 0, angle] for i, angle in enumerate(angles)]
    assert yaw == 0 and (angles >= 0).all() and (angles < 2 * np.pi).all()
    assert files["rotate/chair/02/label_chair02"][:2] == b"\x80\x02", "protocol 2"
    manifest = json.loads(files["rotate/chair/02/manifest.json"])
    assert manifest["canonical"] == "file" and manifest["canonical_yaw"] == 0
    assert manifest["seed"] == 3 and manifest["num_images"] == 4 and manifest["image_size"] == 64
    with Image.open(data_dir / "rotate/chair/02/3.png") as image:
        assert image.size == (64, 64) and image.mode == "L"


def test_bytes_depend_neither_on_workers_nor_on_other_objects(cad_dir, rendered, tmp_path):
    results = rendering.render_dataset(
        cad_dir, tmp_path, SETTINGS, skip_classes=["chair"], workers=2
    )
    assert [r.name for r in results] == ["sofa/01"]
    results = rendering.render_dataset(cad_dir, tmp_path, SETTINGS, workers=2)
    assert [r.rendered for r in results] == [4, 4, 0]
    assert cad_samples.files_under(tmp_path) == rendered[1]


@pytest.mark.exhaustive
def test_executors_of_studies_render_the_same_bytes(cad_dir, rendered, tmp_path):
    flags = ["--num_images=4", "--image_size=64", "--seed=3", "--batch=2", "--workers=1"]
    command = ["pose_code.render", f"--CAD_dir={cad_dir}", f"--data_dir={tmp_path}", *flags]
    for kept in (3, 3):  # The first time, too: rendered by jobs, and found by the command's end.
        process = commands.run(*command)
        assert process.returncode == 0, process.stderr
        assert f"0 objects rendered, {kept} kept, 0 failed." in process.stdout
    found = cad_samples.files_under(tmp_path / "rotate")
    assert found == {n.removeprefix("rotate/"): content for n, content in rendered[1].items()}
    refused = commands.run(*command, "--executor=crayons")
    assert refused.returncode == 1 and "received 'crayons'" in refused.stderr


@pytest.mark.slow
def test_a_stopped_run_goes_on(cad_dir, rendered, tmp_path):
    """What a kill or a full disk leaves is found and made anew; the rest is not touched."""
    rendering.render_dataset(cad_dir, tmp_path, SETTINGS)
    (tmp_path / "rotate/chair/01/manifest.json").unlink()
    image = tmp_path / "rotate/chair/02/1.png"
    image.write_bytes(image.read_bytes()[:-20])
    (labels,) = (tmp_path / "rotate/sofa/01").glob("label*")
    labels.write_bytes(labels.read_bytes()[:-20])
    (tmp_path / ".partial/sofa/01").mkdir(parents=True)
    (tmp_path / ".partial/sofa/01/0.png").write_bytes(b"")
    results = rendering.render_dataset(cad_dir, tmp_path, SETTINGS)
    assert [r.rendered for r in results] == [4, 4, 4]
    assert cad_samples.files_under(tmp_path) == rendered[1]


@pytest.mark.slow
def test_other_settings_and_other_meshes_are_rendered_anew(rendered, tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "cad", ["chair/01"])
    out = tmp_path / "out"

    def run(**changes):
        settings = rendering.Settings(**{"num_images": 2, "image_size": 32, **changes})
        (result,) = rendering.render_dataset(cad_dir, out, settings, workers=1)
        return result.rendered

    assert run(num_images=3) == 3
    assert run() == 2
    assert not (out / "rotate/chair/01/2.png").exists(), "no image of the other run is left"
    cad = cad_dir / "chair/01.off"
    cad.write_text(cad.read_text().replace("4.0 1.0 0.0", "4.0 1.5 0.0"))
    assert run() == 2


def test_bad_models_are_named_and_the_others_go_on(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "cad", ["chair/01", "chair/02"])
    (cad_dir / "chair/02.off").write_text("OFF\n8 6 0\n")
    (cad_dir / "chair/03.stl").write_bytes(b"solid nothing")
    seen = []
    settings = rendering.Settings(num_images=1, image_size=32)
    results = rendering.render_dataset(
        cad_dir, tmp_path / "out", settings, report=lambda result, total: seen.append(total)
    )
    assert [bool(r.failure) for r in results] == [False, True, True]
    assert "ends before" in results[1].failure
    assert seen == [3, 3, 3]
    left = sorted(p.name for p in (tmp_path / "out").rglob("*") if p.is_dir())
    assert left == ["01", "chair", "rotate"]


def test_angles_cover_the_circle_and_objects_differ():
    settings = rendering.Settings(num_images=4000)
    one, _ = rendering.draw_angles("chair", "01", settings)
    two, _ = rendering.draw_angles("chair", "02", settings)
    counts, _ = np.histogram(one, bins=8, range=(0, 2 * np.pi))
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500)
    assert np.abs(np.corrcoef(one, two)[0, 1]) < 0.1
    few, _ = rendering.draw_angles("chair", "01", rendering.Settings(num_images=3))
    np.testing.assert_array_equal(few, one[:3])


@pytest.mark.parametrize(
    "bad", [{"num_images": 0}, {"image_size": 0}, {"seed": -1}, {"canonical": "up"}]
)
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        rendering.Settings(**bad)


def test_contact_sheet(rendered):
    data_dir, _ = rendered
    names = ["chair/01", "sofa/01"]
    rows = contact_sheet.rendered_rows(data_dir / "rotate", names, columns=2)
    assert [row[0] for row in rows] == names
    assert all(len(row[1]) == len(row[2]) <= 2 for row in rows)
    sheet = contact_sheet.contact_sheet(rows, tile_size=64)
    first = np.array(Image.open(io.BytesIO(_png(sheet))).convert("L"))
    tile = rows[0][1][0]
    found = np.lib.stride_tricks.sliding_window_view(first, tile.shape)
    assert any((window == tile).all() for window in found[0]), "the tile is in the top row"
    with pytest.raises(ValueError, match="at least one row"):
        contact_sheet.contact_sheet([])


@pytest.mark.parametrize("count", [1, 10, 25, 80, 200])
def test_a_contact_sheet_of_many_objects_is_wrapped_into_columns(count):
    """Each object has a shade of its own, so that what is where is known."""
    shades = range(20, 20 + count)
    rows = [(f"{i}", [np.full((8, 8), shade, np.uint8)] * 8, [""] * 8) for i, shade in
            enumerate(shades)]  # fmt: skip
    sheet = np.array(contact_sheet.contact_sheet(rows, tile_size=32).convert("L"))
    height, width = sheet.shape
    assert height < 3.3 * width
    assert count > 10 or width == 120 + 8 * 32
    column, row = 120 + 8 * 32, 32 + 14
    found = sheet[16::row, 120 + 16 :: column].T.ravel()
    assert found[:count].tolist() == list(shades)


def _png(image):
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.slow
def test_tensorflow_in_the_process_is_an_error_and_no_crash():
    code = (
        "import numpy, tensorflow; from pose_data import scene;"
        "scene.ObjectRenderer(numpy.zeros((4, 3, 3)), 64)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "GlError: TensorFlow and Mesa's OpenGL crash each other" in process.stderr


@pytest.mark.slow
def test_frames_in_a_process_without_tensorflow():
    """Tests that draw themselves, in tests/opengl, need a process into which nothing else goes."""
    folder = pathlib.Path(__file__).parent / "opengl"
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert " passed" in process.stdout

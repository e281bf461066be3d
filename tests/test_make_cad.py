"""The procedural CAD set: sound meshes, asymmetric ones, and files that can be made again."""

import json
import os
import pathlib
import subprocess
import sys

import commands
import numpy as np
import pytest
import trimesh

from pose_data import gl_backend, make_cad
from pose_data.shapes import solids
from pose_data.shapes.classes import CLASSES

ROOT = pathlib.Path(__file__).parents[1]
SAMPLES = [(number, seed) for seed in (0, 7) for number in (1, 2, 3, 4)]


def run(*arguments, module=False):
    """Runs make_cad as a user does, from the repository or from its own folder."""
    start = ["-m", "pose_data.make_cad"] if module else ["make_cad.py"]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=ROOT if module else ROOT / "pose_data",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def height_map(mesh, cells=20):
    """Heights seen from straight above, [cells, cells], of points spread over the surface."""
    rng = np.random.default_rng(0)
    corners = mesh.vertices[mesh.faces]  # [F, 3, 3]
    areas = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    chosen = corners[rng.choice(len(corners), 30_000, p=areas / areas.sum())]
    weights = rng.dirichlet(np.ones(3), len(chosen))
    points = np.einsum("nc,ncx->nx", weights, chosen)
    half = np.abs(mesh.bounds[:, :2]).max()
    column, row = np.minimum((points[:, :2] / half + 1) / 2 * cells, cells - 1).astype(int).T
    heights = np.zeros((cells, cells))
    np.maximum.at(heights, (row, column), points[:, 2])
    return heights


def unlikeness(first, second):
    """Mean difference of two height maps as a share of their mean height, over what they cover."""
    covered = (first > 0) | (second > 0)
    return np.abs(first - second)[covered].mean() / np.maximum(first, second)[covered].mean()


def test_there_are_at_least_twelve_classes_with_the_names_the_docs_use():
    assert len(CLASSES) >= 12
    assert {"chair", "sofa", "desk", "car", "truck", "bus", "aeroplane", "boat", "motorbike",
            "monitor", "excavator", "bed"} <= set(CLASSES)  # fmt: skip


def test_the_measure_of_unlikeness_is_small_for_what_is_symmetric():
    box = trimesh.creation.box((1, 1, 0.5))
    box.apply_translation((0, 0, 0.25))
    heights = height_map(box)
    assert unlikeness(heights, np.rot90(heights)) < 0.01


@pytest.mark.parametrize("name", CLASSES)
class TestEveryClass:
    def test_is_a_sound_mesh_that_stands_on_the_ground(self, name):
        for number, seed in SAMPLES:
            mesh = make_cad.make_object(name, number, seed)
            assert np.isfinite(mesh.vertices).all()
            assert 4 <= len(mesh.faces) < 5000
            assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
            assert mesh.area_faces.min() > 0
            np.testing.assert_allclose(mesh.bounds[0, 2], 0, atol=1e-9)
            np.testing.assert_allclose(mesh.bounds.mean(axis=0)[:2], 0, atol=1e-9)
            assert mesh.extents.max() / mesh.extents.min() < 8

    def test_parts_are_closed_and_face_outward(self, name):
        for part in make_cad.make_object(name, 1).split(only_watertight=False):
            assert part.is_watertight and part.is_winding_consistent
            assert part.volume > 0

    def test_looks_different_after_quarter_and_half_turns(self, name):
        for number, seed in SAMPLES:
            heights = height_map(make_cad.make_object(name, number, seed))
            for quarters in (1, 2, 3):
                assert unlikeness(heights, np.rot90(heights, quarters)) > 0.05, (number, quarters)

    def test_objects_differ_within_the_class(self, name):
        maps = [height_map(make_cad.make_object(name, number)) for number in range(1, 7)]
        maps = [heights / heights.max() for heights in maps]
        for i, first in enumerate(maps):
            for second in maps[:i]:
                assert unlikeness(first, second) > 0.02


def test_the_front_is_towards_minus_y():
    # What is highest, a back, a headboard or a fin, is behind.
    for name in ("chair", "sofa", "bed", "aeroplane"):
        mesh = make_cad.make_object(name, 1)
        assert mesh.vertices[mesh.vertices[:, 2].argmax(), 1] > 0


def test_one_function_in_the_registry_makes_a_class(tmp_path, monkeypatch):
    monkeypatch.setitem(CLASSES, "wedge", lambda rng: solids.extrude(
        [(0, 0), (rng.uniform(1, 2), 0), (0, 1)], (0, 1)))  # fmt: skip
    assert make_cad.make_set(tmp_path, 2, ["wedge"]) == (2, 2)
    assert trimesh.load(tmp_path / "wedge" / "02.off").volume > 0


def test_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        make_cad.make_set(tmp_path / folder, 1, ["car", "boat"], seed)
    first, again, other = (contents(tmp_path / folder) for folder in "abc")
    assert first == again
    assert first["car/01.off"] != other["car/01.off"]


def test_an_object_does_not_depend_on_how_many_are_made(tmp_path):
    make_cad.make_set(tmp_path / "few", 1, ["sofa"])
    make_cad.make_set(tmp_path / "many", 3, ["bus", "sofa"])
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    assert few["sofa/01.off"] == many["sofa/01.off"]


def test_files_are_read_back_as_the_object_that_was_made(tmp_path):
    assert make_cad.make_set(tmp_path, 1, ["teapot"]) == (1, 1)
    made = make_cad.make_object("teapot", 1)
    read = trimesh.load(tmp_path / "teapot" / "01.off", process=False)
    np.testing.assert_allclose(read.vertices, made.vertices, atol=1e-5)
    np.testing.assert_array_equal(read.faces, made.faces)
    assert not [path for path in tmp_path.rglob(".*")]  # No temporary file is left.


def test_a_smaller_set_is_enlarged_and_a_stopped_one_completed(tmp_path):
    make_cad.make_set(tmp_path, 2, ["car"])
    before = contents(tmp_path)
    assert make_cad.make_set(tmp_path, 3, ["desk", "car"]) == (4, 6)
    (tmp_path / "car" / "02.off").unlink()
    assert make_cad.make_set(tmp_path, 3, ["desk", "car"]) == (1, 6)
    after = contents(tmp_path)
    assert all(after[name] == before[name] for name in ("car/01.off", "car/02.off"))
    assert json.loads(after["make_cad.json"])["num_per_class"] == 3


@pytest.mark.parametrize("settings", [(2, ["car"], 1), (1, ["car"], 0), (2, ["bus"], 0)])
def test_another_set_is_not_mixed_with_the_one_in_the_folder(tmp_path, settings):
    make_cad.make_set(tmp_path, 2, ["car"], 0)
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match="larger or different"):
        make_cad.make_set(tmp_path, *settings)
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_runs_as_a_script_and_then_finds_nothing_to_do(tmp_path):
    arguments = (f"--CAD_dir={tmp_path / 'CAD'}", "--num_per_class=2", "--classes=car,bed")
    first = run(*arguments)
    assert first.returncode == 0, first.stderr
    made = contents(tmp_path / "CAD")
    assert set(made) == {
        "make_cad.json", "car/01.off", "car/02.off", "bed/01.off", "bed/02.off"
    }  # fmt: skip
    second = run(*arguments, module=True)
    assert second.returncode == 0, second.stderr
    assert "0 objects written, 4 kept" in second.stdout
    assert contents(tmp_path / "CAD") == made


@pytest.mark.slow
def test_an_unknown_class_stops_with_one_sentence_that_names_the_known(tmp_path):
    result = run(f"--CAD_dir={tmp_path / 'CAD'}", "--classes=car,unicorn", module=True)
    assert result.returncode != 0
    assert result.stderr.count("\n") == 1 and "unicorn" in result.stderr
    assert all(name in result.stderr for name in CLASSES)
    assert not (tmp_path / "CAD").exists()


def test_no_class_is_not_all_of_them(tmp_path):
    with pytest.raises(ValueError, match="`classes`: expected names among .*; received none"):
        make_cad.make_set(tmp_path / "CAD", 1, [])
    assert not (tmp_path / "CAD").exists()


@pytest.mark.slow
def test_other_peoples_files_are_left_alone(tmp_path):
    mine = tmp_path / "car" / "01.off"
    mine.parent.mkdir()
    mine.write_text("mine")
    result = run(f"--CAD_dir={tmp_path}")
    assert result.returncode != 0
    assert result.stderr.count("\n") == 1 and "--CAD_dir" in result.stderr
    assert list(contents(tmp_path).values()) == [b"mine"]


def test_a_file_in_the_folders_place_and_a_damaged_manifest_are_said_so(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(FileExistsError, match="which is a file"):
        make_cad.make_set(file)
    (tmp_path / "make_cad.json").write_text("{}")
    with pytest.raises(FileExistsError, match="damaged"):
        make_cad.make_set(tmp_path)


@pytest.mark.slow
def test_import_defines_no_flag():
    code = (
        "from absl import app, flags; before = set(flags.FLAGS); import pose_data.make_cad; "
        "assert set(flags.FLAGS) == before"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


@pytest.mark.slow
def test_data_are_made_from_procedural_models_in_one_command(tmp_path):
    try:
        gl_backend.choose()
    except gl_backend.GlError as error:
        pytest.skip(str(error))
    flags = ["--num_per_class=2", "--classes=chair,desk", "--num_images=2", "--num_val=2"]
    flags += ["--canonical=random", "--image_size=20"]
    done = commands.run("pose_data.make_data", f"--data_dir={tmp_path / 'data'}", *flags)
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "data").iterdir()}
    assert {"train_data.pkl", "val_data.pkl", "split.json", "contact_sheet.png"} <= made

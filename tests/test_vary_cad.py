"""More objects by other proportions: what changes, what does not, which are not trained on."""

import json

import cad_samples
import hands
import numpy as np
import pytest

from pose_data import vary_cad
from pose_data.cad import meshes


def corners(boxes):
    return cad_samples.triangles_of(boxes).astype(np.float64)


def test_without_strength_a_shape_stays_as_it_is():
    shape = corners(cad_samples.ASYMMETRIC)
    varied = vary_cad.vary(shape, np.random.default_rng(0), strength=0.0)
    middle = (shape.min((0, 1)) + shape.max((0, 1))) / 2
    np.testing.assert_allclose(varied, shape - middle, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_left_stays_the_mirror_image_of_the_right_and_front_and_back_change_apart(seed):
    # Two boxes abreast, one in front; the same behind.
    right = [((1, -3, 0), (2, -1, 2)), ((1, 1, 0), (2, 3, 2))]
    left = [((-b[0], *a[1:]), (-a[0], *b[1:])) for a, b in right]
    varied = vary_cad.vary(corners(right + left), np.random.default_rng(seed))
    right, left = (points.reshape(-1, 3) for points in np.split(varied, 2))
    # The diagonals of faces differ, so corners are compared, each once.
    mirrored = np.unique(np.round(left * (-1, 1, 1), 4), axis=0)
    np.testing.assert_allclose(np.unique(np.round(right, 4), axis=0), mirrored, atol=1e-3)
    front, back = (right[right[:, 1] * side > 0] for side in (-1, 1))
    assert abs(np.ptp(front[:, 0]) - np.ptp(back[:, 0])) > 1e-3


def test_corners_go_where_the_formula_says():
    class Draws:
        """In the order of the docstring: tapers, the lean, the scales."""

        values = iter([np.full((3, 3), 0.2), 0.1, np.log([2.0, 1.0, 3.0])])

        def uniform(self, low, high, shape=None):
            return next(self.values)

    found = vary_cad.vary(corners([((-2, -1, 0), (2, 1, 6))]), Draws())
    points = {}
    for x in (-1, 1):
        for y in (-1, 1):
            for z in (-1, 1):
                # Along itself nothing grows, and along x nothing at all.
                wide, long, high = np.exp(0.2 * (y + z)), np.exp(0.2 * z), np.exp(0.2 * y)
                points[x, y, z] = 4 * x * wide, y * long + 0.1 * z, 9 * z * high
    expected = np.array(list(points.values()))
    expected -= (expected.min(0) + expected.max(0)) / 2
    unique = np.unique(np.round(found.reshape(-1, 3), 4), axis=0)
    np.testing.assert_allclose(unique, np.unique(np.round(expected, 4), axis=0), atol=1e-3)


@pytest.mark.slow
def test_command_writes_variants_that_are_the_same_each_time(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", ["chair/01", "sofa/01"])

    def run(*flags):
        out = tmp_path / "varied"
        process = cad_samples.run_script(
            "vary_cad", f"--CAD_dir={cad_dir}", f"--output_dir={out}", *flags
        )
        return process, {path.name: path.read_bytes() for path in out.rglob("*.*")}

    process, written = run("--variants=3")
    assert process.returncode == 0 and "3 variants of each of 2 models" in process.stdout
    assert sorted(written) == ["01~1.stl", "01~2.stl", "01~3.stl"]
    found = meshes.find_objects(tmp_path / "varied")
    assert [str(cad) for cad in found][:2] == ["chair/01~1", "chair/01~2"] and len(found) == 6
    shapes = [meshes.read_triangles(cad.path) for cad in found]
    assert len({meshes.checksum(shape) for shape in shapes}) == 6
    assert run("--variants=3")[1] == written
    # Fewer would leave others of another run among them.
    process, after = run("--variants=2")
    cad_samples.assert_one_sentence(process, "01~3.stl")
    assert after == written


@pytest.mark.slow
def test_command_varies_what_a_split_trains_on(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", ["chair/01", "sofa/01", "sofa/02"])
    split, out = tmp_path / "split.json", tmp_path / "varied"
    given = [f"--CAD_dir={cad_dir}", f"--output_dir={out}", "--variants=1", f"--split={split}"]
    cad_samples.assert_one_sentence(cad_samples.run_script("vary_cad", *given), "split.json")
    for content, sentence in (
        ("{", "expected a split.json"),
        ('{"train": ["a/1"], "val": []}', "which has none of them"),
    ):
        split.write_text(content)
        cad_samples.assert_one_sentence(cad_samples.run_script("vary_cad", *given), sentence)
    assert not out.exists()
    split.write_text(json.dumps({"train": ["sofa/02", "bed/07", "chair/01"], "val": ["sofa/01"]}))
    assert cad_samples.run_script("vary_cad", *given).returncode == 0
    assert [str(cad) for cad in meshes.find_objects(out)] == ["chair/01~1", "sofa/02~1"]


def test_command_goes_on_after_a_bad_model(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", ["chair/01", "chair/03"])
    (cad_dir / "chair/02.ply").write_text("ply\n")
    process = cad_samples.run_script(
        "vary_cad", f"--CAD_dir={cad_dir}", f"--output_dir={tmp_path / 'out'}", "--variants=1"
    )
    cad_samples.assert_one_sentence(process, "1 of 3 models")
    assert "02.ply is not" in process.stderr
    names = sorted(path.name for path in (tmp_path / "out").rglob("*.*"))
    assert names == ["01~1.stl", "03~1.stl"]


def test_variants_of_held_out_objects_are_not_trained_on(tmp_path):
    for seed, folder in enumerate(("own", "extra")):
        (tmp_path / folder).mkdir()
        hands.write(tmp_path / folder, seed)
    given = {"num_validation": 2, "extra_data_dir": str(tmp_path / "extra")}
    own = hands.splits(tmp_path / "own", **given)
    train, validation, test = (own[name].names for name in ("train", "validation", "test"))
    # Another set may use the same names for other objects.
    names = [f"{train[0]}~1", f"{train[0]}~2", f"{validation[0]}~1", f"{test[3]}~1", test[0]]
    names += ["boat/1", "boat/1~2", f"{train[5]}~1"]
    split = {"train": names, "val": [f"hand/val{i}" for i in range(8)]}

    def write_split(folder, content, meshes):
        known = content | {"mesh_sha256": {name: f"mesh of {meshes[name]}" for name in meshes}}
        (tmp_path / folder / "split.json").write_text(json.dumps(known))

    def extra_names():
        return hands.splits(tmp_path / "own", **given)["train"].names[6:]

    write_split("extra", split, {})
    assert extra_names() == [name for name in names if name not in names[2:5]]
    write_split("extra", split, {name: f"another {name}" for name in names})
    assert extra_names() == [name for name in names if name not in names[2:5]]
    own_split = json.loads((tmp_path / "own/split.json").read_text())
    everything = own_split["train"] + own_split["val"]
    write_split("own", own_split, {name: name for name in everything})
    extra = extra_names()
    assert extra == [name for name in names if name not in names[2:4]]
    families = hands.splits(tmp_path / "own", **given)
    # Images and angles go with the names.
    alone = hands.splits(tmp_path / "extra")["train"]
    kept = [names.index(name) for name in extra]
    np.testing.assert_array_equal(families["train"].images[6:], alone.images.numpy()[kept])
    np.testing.assert_array_equal(families["train"].angles[6:], alone.angles.numpy()[kept])
    # The same CAD model by another name is the same object.
    meshes = {name: f"another {name}" for name in names} | {"boat/1": test[1], "boat/1~2": train[0]}
    write_split("extra", split, meshes)
    assert extra_names() == [name for name in extra if not name.startswith("boat/1")]
    write_split("extra", split, dict.fromkeys(names, test[2]))
    with pytest.raises(ValueError, match="none but held-out objects"):
        extra_names()

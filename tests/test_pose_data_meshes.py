"""CAD files: found, read, refused, placed."""

import contextlib
import os

import cad_samples
import numpy as np
import pytest
import trimesh

from pose_data import convert_cad
from pose_data.cad import meshes

BOX = ((1, 2, 3), (2, 4, 6))
BOX_AREA = 2 * (1 * 2 + 2 * 3 + 1 * 3)


def area(triangles):
    edges = triangles[:, 1:] - triangles[:, :1]
    return np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2


def write_all_formats(folder):
    triangles = cad_samples.triangles_of([BOX])
    mesh = trimesh.Trimesh(triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    (folder / "a.off").write_text(cad_samples.off_text([BOX]))
    for name in ("b.obj", "c.ply", "d.stl"):
        mesh.export(folder / name)
    mesh.export(folder / "e.stl", file_type="stl_ascii")
    return sorted(folder.iterdir())


def test_every_format_reads_as_the_same_triangles(tmp_path):
    for path in write_all_formats(tmp_path):
        triangles = meshes.read_triangles(path)
        assert triangles.shape == (12, 3, 3) and triangles.dtype == np.float32, path
        assert area(triangles) == pytest.approx(BOX_AREA), path
        np.testing.assert_allclose(triangles.reshape(-1, 3).min(axis=0), BOX[0], err_msg=path)
        np.testing.assert_allclose(triangles.reshape(-1, 3).max(axis=0), BOX[1], err_msg=path)


def test_polygons_with_more_than_four_corners(tmp_path):
    """A hexagonal prism, as PASCAL3D+ files have them: area in closed form."""
    angles = np.arange(6) * np.pi / 3
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vertices = [(*xy, z) for z in (0, 1) for xy in ring]
    faces = [range(5, -1, -1), range(6, 12)]
    faces += [(i, (i + 1) % 6, (i + 1) % 6 + 6, i + 6) for i in range(6)]
    lines = ["OFF", f"12 {len(faces)} 0", *(" ".join(map(str, v)) for v in vertices)]
    lines += [" ".join(map(str, [len(face), *face])) for face in faces]
    path = tmp_path / "hexagon.off"
    path.write_text("\n".join(lines))
    assert area(meshes.read_triangles(path)) == pytest.approx(2 * 1.5 * np.sqrt(3) + 6)


@pytest.mark.parametrize(
    "header", ["OFF 8 6 0", "OFF8 6 0", "# made by hand\n\nOFF\n8 6 0 # counts"]
)
def test_off_headers(tmp_path, header):
    path = tmp_path / "box.off"
    path.write_text(cad_samples.off_text([BOX]).replace("OFF\n8 6 0", header))
    assert area(meshes.read_triangles(path)) == pytest.approx(BOX_AREA)


def test_off_colours_are_passed_over(tmp_path):
    lines = cad_samples.off_text([BOX]).splitlines()
    lines = ["COFF", lines[1], *(f"{v} 255 0 0 255" for v in lines[2:10])]
    lines += [f"{f} 0.5 0.5 0.5" for f in cad_samples.off_text([BOX]).splitlines()[10:]]
    path = tmp_path / "box.off"
    path.write_text("\n".join(lines))
    assert area(meshes.read_triangles(path)) == pytest.approx(BOX_AREA)


def test_conversion_keeps_the_checksum(tmp_path):
    source = cad_samples.write_cad(tmp_path) / "chair/01.off"
    assert convert_cad.convert(source)
    assert not convert_cad.convert(source)
    stl = source.with_suffix(".stl")
    assert meshes.checksum(meshes.read_triangles(stl)) == meshes.checksum(
        meshes.read_triangles(source)
    )
    assert sorted(p.name for p in source.parent.iterdir()) == ["01.off", "01.stl", "02.off"]
    os.utime(source, (2e9, 2e9))
    assert convert_cad.convert(source), "a newer source is converted again"


BAD = {
    "empty": "",
    "text": "this is no mesh\n",
    "cut": cad_samples.off_text([BOX])[:60],
    "nan": cad_samples.off_text([BOX]).replace("6.0", "nan"),
    "infinite": cad_samples.off_text([BOX]).replace("6.0", "inf"),
    "faces": "\n".join(cad_samples.off_text([BOX]).splitlines()[:-1]),
    "index": cad_samples.off_text([BOX]).replace("4 4 5 6 7", "4 4 5 6 99"),
    "triangle": "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
    "point": "OFF\n4 1 0\n" + "1 1 1\n" * 4 + "4 0 1 2 3\n",
    "cloud": "OFF\n4 0 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_a_reason(tmp_path, name):
    path = tmp_path / f"{name}.off"
    path.write_text(BAD[name])
    with pytest.raises(meshes.MeshError, match=r"\w"):
        meshes.read_triangles(path)


def test_damaged_files_of_every_format_never_raise_anything_else(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for path in write_all_formats(tmp_path / "in"):
        content = path.read_bytes()
        for trial in range(20):
            damaged = bytearray(content[: rng.integers(len(content))] if trial % 2 else content)
            for i in rng.integers(len(damaged), size=min(len(damaged), 5)) if damaged else []:
                damaged[i] = rng.integers(256)
            bad = tmp_path / f"bad{path.suffix}"
            bad.write_bytes(damaged)
            with contextlib.suppress(meshes.MeshError):
                assert np.isfinite(meshes.read_triangles(bad)).all()


def test_a_folder_or_missing_file_is_refused(tmp_path):
    (tmp_path / "folder.off").mkdir()
    (tmp_path / "readme.txt").write_text("OFF")
    for name in ("folder.off", "missing.off", "readme.txt"):
        with pytest.raises(meshes.MeshError):
            meshes.read_triangles(tmp_path / name)


def test_find_objects_prefers_an_up_to_date_stl(tmp_path):
    cad_samples.write_cad(tmp_path, ["sofa/01", "chair/02", "chair/01", "bottle/01"])
    (tmp_path / "chair" / "._01.off").write_text("not a model")
    (tmp_path / "readme.txt").write_text("not a class")
    stl = tmp_path / "chair/01.stl"
    stl.write_bytes(b"")

    def found(**kwargs):
        return [f"{cad}{cad.path.suffix}" for cad in meshes.find_objects(tmp_path, **kwargs)]

    os.utime(stl, (2e9, 2e9))
    assert found() == ["bottle/01.off", "chair/01.stl", "chair/02.off", "sofa/01.off"]
    assert found(skip_classes=["bottle", "sofa"]) == ["chair/01.stl", "chair/02.off"]
    assert found(sources=True)[1] == "chair/01.off"
    os.utime(stl, (1e9, 1e9))
    assert found()[1] == "chair/01.off"
    (tmp_path / "chair/01.off").unlink()
    assert found()[1] == "chair/01.stl"


def test_place_scales_and_centres():
    placed = meshes.place(cad_samples.triangles_of([BOX]), longest_side=1.2).reshape(-1, 3)
    np.testing.assert_allclose(placed.min(axis=0), [-0.2, -0.4, 0], atol=1e-7)
    np.testing.assert_allclose(placed.max(axis=0), [0.2, 0.4, 1.2], atol=1e-7)


def test_a_shape_far_from_the_origin_keeps_its_form():
    near = cad_samples.triangles_of([BOX]).astype(np.float64)
    far = meshes.check_triangles(near + [1e9, 0, -1e9])
    np.testing.assert_allclose(meshes.place(far, 1.2), meshes.place(near, 1.2), atol=1e-6)


def test_two_sided():
    box = cad_samples.triangles_of([BOX])
    assert len(meshes.two_sided(box)) == 12, "closed, outward: nothing to add"
    assert len(meshes.two_sided(box[:, ::-1])) == 24, "closed but inside out"
    assert len(meshes.two_sided(box[:-1])) == 22, "open"
    apart = cad_samples.triangles_of([((9, 9, 9), (9.5, 9.5, 9.5))])
    assert len(meshes.two_sided(np.concatenate([box, apart]))) == 24, "two parts"
    inside_out = np.concatenate([box, apart[:, ::-1]])
    assert len(meshes.two_sided(inside_out)) == 48, "a small part that is inside out"
    both = np.concatenate([box, box[:, ::-1]])
    assert len(meshes.two_sided(both)) == 24, "two-sided already"
    assert len(meshes.two_sided(np.concatenate([box, box[:, [1, 2, 0]]]))) == 12, "copies"
    flat = np.repeat(box[:1, :1], 3, axis=1)
    assert len(meshes.two_sided(np.concatenate([box, flat]))) == 12, "a face without area"


def test_renderable_thins_out_too_many_faces(monkeypatch):
    monkeypatch.setattr(meshes, "MAX_STL_FACES", 4000)
    ball = trimesh.creation.icosphere(subdivisions=4).triangles.astype(np.float32)
    assert len(ball) == 20 * 4**4
    thinned = meshes.renderable(ball, grain=0.1)
    assert 0 < len(thinned) <= 4000
    np.testing.assert_allclose(np.linalg.norm(thinned, axis=-1), 1, atol=0.1)
    with pytest.raises(meshes.MeshError, match="5,120 faces"):
        meshes.renderable(ball, grain=1e-5)

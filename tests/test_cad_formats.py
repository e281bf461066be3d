"""Formats of CAD files: each way to write a shape gives that shape, damaged ones give a reason."""

import pathlib
import re
import struct

import numpy as np
import pytest
from cad_formats import (
    CONTENTS,
    QUADS,
    VERTICES,
    ascii_stl,
    binary_off,
    binary_stl,
    obj,
    off,
    ply,
    prism,
)

from pose_data.cad import meshes, polygons

SHARED = pathlib.Path(__file__).parents[2] / "shared/cases"

AREA, VOLUME = 52, 24
U_SHAPE = [(1, 1), (1, 3), (0, 3), (0, 0), (3, 0), (3, 3), (2, 3), (2, 1)]  # Area 7, outline 16.


def measures(triangles):
    """Area and signed volume, by the theorem of Gauss: positive where all faces point outward."""
    a, b, c = np.moveaxis(np.asarray(triangles, np.float64), 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    return area, np.sum(a * np.cross(b, c)) / 6


def read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("latin1"))
    return meshes.read_triangles(path)


@pytest.mark.parametrize("name", CONTENTS)
def test_a_box_is_read_whole_however_it_is_written(tmp_path, name):
    triangles = read(tmp_path, name, CONTENTS[name])
    assert measures(triangles) == pytest.approx((AREA, VOLUME))
    assert len(triangles) == 12
    np.testing.assert_array_equal(np.ptp(triangles.reshape(-1, 3), axis=0), (2, 3, 4))


CONCAVE = {
    "U": (U_SHAPE, 7),
    "from another corner": (U_SHAPE[3:] + U_SHAPE[:3], 7),
    "arrow of four corners": ([(0, 0), (4, -4), (1, 0), (4, 4)], 4),
    "comb": (
        [(x, y) for x in range(0, 40, 2) for y in ((2, 1) if x % 4 else (1, 2))][::-1]
        + [(0, 0), (38, 0)],
        None,
    ),
    "a point twice": ([*U_SHAPE[:3], *U_SHAPE[2:]], 7),
    "on one line": ([*U_SHAPE[:4], (1, 0), (2, 0), *U_SHAPE[4:]], 7),
    # A square ring, cut open: two of its points come twice.
    "hole": (
        [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (1, 3), (3, 3), (3, 1), (1, 1)], 12,
    ),
    "notches that touch": (
        [(0, 0), (4, 0), (4, 4), (2, 2), (0, 4), (0, 3), (2, 2), (0, 1)], None,
    ),
}  # fmt: skip


def shoelace(outline):
    x, y = np.transpose(outline).astype(float)
    return np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2


def turned(vertices):
    """The same shape, turned so that no face is upright."""
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    return (np.array(vertices, float) @ (turn * np.sign(np.linalg.det(turn)))).tolist()


@pytest.mark.parametrize("name", CONCAVE)
@pytest.mark.parametrize("suffix", [".off", ".obj", ".ply"])
def test_concave_faces_are_cut_along_their_outline(tmp_path, name, suffix):
    outline, area = CONCAVE[name]
    outline = outline if shoelace(outline) > 0 else outline[::-1]
    assert area in (None, pytest.approx(shoelace(outline)))
    vertices, faces = prism(outline)
    sides = np.linalg.norm(np.subtract(outline, np.roll(outline, -1, axis=0)), axis=1).sum()
    write = {".off": off, ".obj": obj, ".ply": lambda v, f: ply(vertices=v, faces=f)}[suffix]
    for points in (vertices, turned(vertices)):
        found = measures(read(tmp_path, f"x{suffix}", write(points, faces)))
        assert found == pytest.approx((2 * shoelace(outline) + sides, shoelace(outline)), rel=1e-5)
    inside_out = [face[::-1] for face in faces]
    found = measures(read(tmp_path, f"x{suffix}", write(vertices, inside_out)))
    assert found[1] == pytest.approx(-shoelace(outline), rel=1e-5)


def test_stars_with_any_number_of_corners(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(30):
        count = rng.integers(4, 30)
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        if np.diff(angles, append=angles[0] + 2 * np.pi).max() > 3:
            continue  # The middle, from which all corners are seen, must lie inside.
        outline = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.1, 1, (count, 1))
        vertices, faces = prism(outline.tolist())
        volume = measures(read(tmp_path, "star.off", off(turned(vertices), faces)))[1]
        assert volume == pytest.approx(shoelace(outline), rel=1e-4)


def test_a_face_without_an_answer_is_drawn_somehow(tmp_path):
    """Faces that cross themselves, bent ones, and those without area."""
    bent = [[0, 0, 0], [2, 0, 1], [2, 2, -1], [0, 2, 1]]
    assert len(read(tmp_path, "bent.off", off(bent, [(0, 1, 2, 3)]))) == 2
    flat = [[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    for face in ((0, 1, 2, 3), (0, 2, 0, 2), (0, 0, 0, 0, 0), (0, 1, 2, 3, 0, 2)):
        shape = read(tmp_path, "crossed.off", off(flat, [face, (0, 1, 4), (1, 2, 4)]))
        assert np.isfinite(shape).all() and len(shape) >= 2


def test_shapes_far_away_or_tiny_keep_their_concave_faces(tmp_path):
    vertices, faces = prism(U_SHAPE)
    far = [[x + 1e6 for x in v] for v in vertices]
    assert measures(read(tmp_path, "far.off", off(far, faces)))[0] == pytest.approx(30, rel=1e-3)
    tiny = [[x * 1e-9 for x in v] for v in vertices]
    found = measures(read(tmp_path, "tiny.off", off(tiny, faces)).astype(float) * 1e9)
    assert found == pytest.approx((30, 7), rel=1e-5)


def stl_claim(count):
    return b"x".ljust(80) + struct.pack("<I", count) + b"\0" * 50


HUGE = 10**9
FOUR, SIGNALLING_NAN = struct.pack(">f", 4), b"\x7f\x80\0\1"  # NumPy warns of casts of such.

BAD = {
    "empty.off": (b"", "empty"), "empty.obj": (b"", "empty"), "empty.ply": (b"", "empty"),
    "empty.stl": (b"", "empty"), "blank.off": (b" \n\n", ""), "zeros.stl": (b"\0" * 200, ""),
    "other.off": ("hello\n", "does not begin with OFF"), "other.ply": ("hello\n", "with ply"),
    "other.stl": ("hello\n", "solid"), "other.obj": ("hello\n", "no faces"),
    "png.obj": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), ""),
    "claim.off": (off().replace("8 6 0", f"{HUGE} {HUGE} 0"), "1000000000 vertices"),
    "more_faces.off": (off() + "4 0 1 2 3\n", "it goes on after its 6 faces"),
    "more_triangles.stl": (binary_stl() + binary_stl()[84:], "it goes on after its 12 triangles"),
    "two_shapes.off": (off() + off(), "it goes on after its 6 faces"),
    "two_colours.off": (off() + "1 2\n# b\n" + off(keyword="COFF"), "it goes on after its 6 faces"),
    "claim_faces.off": (off().replace("8 6 0", f"8 {HUGE} 0"), "1,000,000,000 faces"),
    "claim_more.off": (off().replace("8 6 0", "8 99999999999999999999 0"), ""),
    "negative.off": (off().replace("8 6 0", "-8 6 0"), "-8"),
    "half.off": (off().replace("8 6 0", "8.5 6 0"), "8.5"),
    "words.off": (off().replace("2 3 4", "2 three 4"), "three"),
    "index.off": (off().replace("4 0 3 2 1", "4 0 3 2 99999999999999999999"), "vertex"),
    "index_word.off": (off().replace("4 0 3 2 1", "4 0 3 2 x"), "x"),
    "index_half.off": (off().replace("4 0 3 2 1", "4 0 3 2 1.5"), "1.5"),
    "index_negative.off": (off().replace("4 0 3 2 1", "4 0 3 2 -1"), "-1"),
    "size.off": (off().replace("4 0 3 2 1", f"{HUGE} 0 3 2 1"), ""),
    "size_negative.off": (off().replace("4 0 3 2 1", "-4 0 3 2 1"), ""),
    "nan.off": (off().replace("2 3 4", "2 nan 4"), "not finite"),
    "inf.off": (off().replace("2 3 4", "2 -inf 4"), "not finite"),
    "big.off": (off().replace("2 3 4", "2 1e300 4"), "1e"),
    "tiny.off": (off([[x * 1e-200 for x in v] for v in VERTICES]), "1e"),
    "signalling_nan.off": (binary_off().replace(FOUR, SIGNALLING_NAN, 1), "not finite"),
    "w_zero.off": (off(keyword="4OFF", more=" 0"), "not finite"),
    "colours_missing.off": ("COFF 1 0 0\n0 1 2 3 4\n", "ends"),
    "plane.off": (off(keyword="nOFF\n2"), "2 dimensions"),
    "binary_cut.off": (binary_off()[:-20], "ends"),
    "binary_claim.off": (b"OFF BINARY\n" + struct.pack(">3i", HUGE, HUGE, 0), "1000000000"),
    "binary_negative.off": (b"OFF BINARY\n" + struct.pack(">3i", -1, 5, 0), "-1"),
    "binary_size.off": (
        b"OFF BINARY\n" + struct.pack(">3i12f2i", 4, 1, 0, *range(12), HUGE, 0), "ends"
    ),
    "flat.obj": (obj([v[:2] for v in VERTICES]), "2 numbers"),
    "none.obj": (obj().replace("v 2 3 4", "v"), "0 numbers"),
    "word.obj": (obj().replace("v 2 3 4", "v 2 x 4"), "'x'"),
    "damaged_keyword.obj": ("00 0 0 0\n" + obj(), "'00'"),
    "zero.obj": (obj().replace("f 1", "f 0"), "0"),
    "index.obj": (obj().replace("f 1", "f 99999999999999999999"), "vertex"),
    "relative.obj": (obj().replace("f 1", "f -9"), "-9"),
    "corner.obj": (obj().replace("f 1", "f /1"), ""),
    "nan.obj": (obj().replace("v 2 3 4", "v 2 3 nan"), "not finite"),
    "header.ply": (ply().replace(b"end_header", b"end_heade"), "end_header"),
    "format.ply": (ply().replace(b"ascii", b"asci"), "asci"),
    "type.ply": (ply().replace(b"float x", b"flaot x"), "flaot"),
    "count.ply": (ply().replace(b"vertex 8", b"vertex x"), "x"),
    "count_negative.ply": (ply().replace(b"vertex 8", b"vertex -8"), "-8"),
    "claim.ply": (ply().replace(b"vertex 8", b"vertex %d" % HUGE), "ends"),
    "claim_binary.ply": (
        ply("binary_little_endian").replace(b"vertex 8", b"vertex %d" % HUGE), "ends"
    ),
    "claim_faces.ply": (ply().replace(b"face 6", b"face %d" % HUGE), "ends"),
    "claim_faces_binary.ply": (
        ply("binary_big_endian").replace(b"face 6", b"face %d" % HUGE), "ends"
    ),
    "no_x.ply": (ply().replace(b"float x", b"float a"), "x, y and z"),
    "two_properties.ply": (ply().replace(b"float x\n", b"float x\nproperty float x\n"), "twice"),
    "two_lists.ply": (ply(after="property list uchar int vertex_indices"), "twice"),
    "two_elements.ply": (ply(before="element face 0"), "twice"),
    "no_vertex.ply": (ply().replace(b"element vertex", b"element point"), "vertex"),
    "cut.ply": (ply("binary_little_endian")[:-3], "ends"),
    "cut_ascii.ply": (ply()[:-4], "ends"),
    "longer_rows.ply": (ply(row_end=" 5"), "more numbers"),
    "index.ply": (ply(faces=[*QUADS[:5], (0, 1, 2, 8)]), "vertex 8"),
    "index_negative.ply": (ply("binary_big_endian", [*QUADS[:5], (0, 1, 2, -7)]), "-7"),
    "size.ply": (ply().replace(b"\n4 0 3", b"\n999999999 0 3"), "ends"),
    "size_negative.ply": (ply().replace(b"\n4 0 3", b"\n-4 0 3"), ""),
    "cloud.ply": (ply(faces=[]), "no faces"),
    "nan.ply": (ply(vertices=[*VERTICES[:7], (0, float("nan"), 1)]), "not finite"),
    "signalling_nan.ply": (
        ply("binary_big_endian").replace(FOUR, SIGNALLING_NAN, 1), "not finite"
    ),
    "signalling_nan.stl": (
        binary_stl().replace(FOUR[::-1], SIGNALLING_NAN[::-1], 1), "not finite"
    ),
    "off.stl": (off(), "does not begin with solid"),
    "comment.stl": ("; made by hand\n" + ascii_stl(), "does not begin with solid"),
    "cut.stl": (binary_stl()[:-1], "12 triangles"),
    "claim.stl": (stl_claim(HUGE), "1,000,000,000 triangles"),
    "claim_more.stl": (stl_claim(2**32 - 1), "4,294,967,295 triangles"),
    "not_counted.stl": (stl_claim(0), "0 triangles"),
    "none.stl": (stl_claim(0)[:84], "no faces"),
    "cut_ascii.stl": (ascii_stl()[:500], "ends"),
    "cut_at_facet.stl": (ascii_stl().split("endfacet")[0] + "endfacet\n", "endsolid"),
    "word.stl": (ascii_stl().replace("vertex 0.", "vertex a0.", 1), "a0."),
    "two_numbers.stl": (re.sub(r"(vertex \S+ \S+) \S+", r"\1", ascii_stl(), count=1), ""),
    "no_facets.stl": ("solid x\nendsolid x\n", "no faces"),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", BAD)
def test_a_damaged_file_is_refused_with_its_name_and_a_reason(tmp_path, name):
    content, word = BAD[name]
    with pytest.raises(meshes.MeshError) as refused:
        read(tmp_path, name, content)
    message = str(refused.value)
    assert message.startswith(str(tmp_path / name)) and refused.value.reason in message
    assert word in message and "\n" not in message and len(message) < 400


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PermissionError(13, "Permission denied"), "Permission denied"), (MemoryError(), "memory")],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, monkeypatch, error, reason):
    def refuse(path):
        raise error

    monkeypatch.setattr(pathlib.Path, "read_bytes", refuse)
    with pytest.raises(meshes.MeshError, match=reason):
        read(tmp_path, "box.off", off())


def test_what_is_too_large_is_refused(tmp_path, monkeypatch):
    vertices, faces = prism(U_SHAPE)
    monkeypatch.setattr(polygons, "MAX_CORNERS", 7)
    with pytest.raises(meshes.MeshError, match="a concave face of 8 corners"):
        read(tmp_path, "u.off", off(vertices, faces))
    monkeypatch.setattr(meshes, "MAX_FILE_BYTES", 100)
    with pytest.raises(meshes.MeshError, match="is larger than the 100 bytes"):
        read(tmp_path, "u.off", off(vertices, faces))


@pytest.mark.parametrize("name", CONTENTS)
def test_cut_short_anywhere_a_file_is_refused_or_still_a_shape(tmp_path, name):
    content = CONTENTS[name]
    for end in range(0, len(content), max(1, len(content) // 25)):
        try:
            triangles = read(tmp_path, name, content[:end])
        except meshes.MeshError:
            continue
        # Only OBJ says neither at its beginning nor at its end how much there is.
        assert name.endswith(".obj") or measures(triangles)[0] == pytest.approx(AREA)


def cases():
    areas = {"20_concave.off": 30, "60_planar.off": 6, "61_planar_upright.off": 12}
    return {path: areas.get(path.name, AREA) for path in sorted((SHARED / "mesh").glob("*"))}


def test_collected_files_are_read_right():
    if not cases():
        pytest.skip("the collected meshes are not there: ../shared/cases/mesh")
    found = {path.name: measures(meshes.read_triangles(path))[0] for path in cases()}
    assert found == pytest.approx({path.name: area for path, area in cases().items()})

"""Formats of CAD files: each way to write a shape gives that shape, damaged ones give a reason."""

import pathlib
import re
import struct

import cad_samples
import numpy as np
import pytest

from pose_data.cad import meshes

SHARED = pathlib.Path(__file__).parents[2] / "shared/cases"

VERTICES, QUADS = cad_samples.box_quads((0, 0, 0), (2, 3, 4))
VERTICES = VERTICES.astype(int).tolist()
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


def prism(outline, height=1):
    """Vertices and polygons of a prism, outline counter-clockwise as seen from above."""
    count = len(outline)
    vertices = [(*xy, z) for z in (0, height) for xy in outline]
    sides = [(i, (i + 1) % count, (i + 1) % count + count, i + count) for i in range(count)]
    return vertices, [tuple(range(count))[::-1], tuple(range(count, 2 * count)), *sides]


def off(vertices=VERTICES, faces=QUADS, keyword="OFF", more="", after=""):
    """The text of an OFF file, with words after each vertex and each face."""
    lines = [keyword, f"{len(vertices)} {len(faces)} 0"]
    lines += [" ".join(map(str, v)) + more for v in vertices]
    lines += [" ".join(map(str, (len(f), *f))) + after for f in faces]
    return "\n".join(lines) + "\n"


def obj(vertices=VERTICES, faces=QUADS, corner="{}"):
    lines = ["v " + " ".join(map(str, v)) for v in vertices]
    lines += ["f " + " ".join(corner.format(i + 1) for i in face) for face in faces]
    return "\n".join(lines) + "\n"


def relative_obj():
    """Each face after its own vertices, by relative indices."""
    lines = []
    for face in QUADS:
        lines += ["v " + " ".join(map(str, VERTICES[i])) for i in face] + ["f -4 -3 -2 -1"]
    return "\n".join(lines)


def ply(form="ascii", faces=QUADS, vertices=VERTICES, before="", after="", row_end="", strips=()):
    """A PLY file: lists counted by bytes, of 32-bit integers."""
    header = ["ply", f"format {form} 1.0", "comment x", "obj_info y", before]
    header += [f"element vertex {len(vertices)}", *(f"property float {x}" for x in "xyz")]
    lists = {"face": faces, "tristrips": strips}
    for name, rows in lists.items():
        header += [f"element {name} {len(rows)}"] if rows else []
        header += ["property list uchar int vertex_indices"] if rows else []
        header += [after] if rows and name == "face" else []
    header = "\n".join(word for word in [*header, "end_header"] if word) + "\n"
    if form == "ascii":
        lines = [" ".join(map(str, v)) for v in vertices]
        rows = [row for of in lists.values() for row in of]
        lines += [" ".join(map(str, (len(row), *row))) + row_end for row in rows]
        return (header + "\n".join(lines) + "\n").encode()
    order = "<" if "little" in form else ">"
    body = b"".join(struct.pack(f"{order}3f", *v) for v in vertices)
    for row in [row for of in lists.values() for row in of]:
        body += struct.pack(f"{order}B{len(row)}i", len(row), *row)
    return header.encode() + body


def binary_off():
    content = b"OFF BINARY\n" + struct.pack(">3i", 8, 6, 0)
    content += b"".join(struct.pack(">3f", *v) for v in VERTICES)
    return content + b"".join(struct.pack(">5ii3f", 4, *f, 3, 0.1, 0.2, 0.3) for f in QUADS)


TRIANGLES = [t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))]


def ascii_stl(loops=TRIANGLES):
    lines = ["solid box"]
    for loop in loops:
        lines += ["facet normal 0 0 0", " outer loop"]
        lines += ["  vertex " + " ".join(f"{x:e}" for x in VERTICES[i]) for i in loop]
        lines += [" endloop", "endfacet"]
    return "\n".join([*lines, "endsolid box"]) + "\n"


def binary_stl(title=b"box"):
    content = title.ljust(80) + struct.pack("<I", 12)
    for face in TRIANGLES:
        content += struct.pack("<12fH", 0, 0, 0, *(x for i in face for x in VERTICES[i]), 0)
    return content


def wrapped(text, width, header_lines=2):
    """The same numbers, a fixed number a line."""
    *header, body = text.split("\n", header_lines)
    words = body.split()
    lines = [" ".join(words[i : i + width]) for i in range(0, len(words), width)]
    return "\n".join([*header, *lines])


MIXED = [*QUADS[:3], *(t for a, b, c, d in QUADS[3:] for t in ((a, b, c), (a, c, d)))]
STRIP = [0, 3, 1, 2]  # Of the first side; the others follow after a -1 each.
STRIPS = [i for a, b, c, d in QUADS for i in (a, b, d, c, -1)]

GOOD = {
    "plain.off": off(),
    "counts_first.off": off().replace("OFF\n", "OFF "),
    "counts_glued.off": off().replace("OFF\n", "OFF"),
    "counts_on_two_lines.off": off().replace("8 6 0", "8\n6 0"),
    "counts_on_three_lines.off": off().replace("8 6 0", "8\n6\n0"),
    "no_edges.off": off().replace("8 6 0", "8 6"),
    "no_keyword.off": off().removeprefix("OFF\n"),
    "lower.off": off(keyword="off"),
    "lower_colours.off": off(keyword="coff", more=" 1 0 0 1"),
    "comments.off": "# a\n\n" + off().replace("\n", " # \x85 \xe4\n\n# b\n"),
    "utf8_comment.off": off().replace("OFF\n", "OFF\n# Stücke…\n").encode(),
    "bom.off": b"\xef\xbb\xbf" + off().encode(),
    "utf16.off": off().encode("utf-16"),
    "crlf.off": off().replace("\n", "\r\n"),
    "cr.off": off().replace("\n", "\r"),
    "dos_end.off": off() + "\x1a",
    "tabs.off": off().replace(" ", "\t \t"),
    "coff.off": off(keyword="COFF", more=" 255 0 0 255"),
    "coff_rgb.off": off(keyword="COFF", more=" .1 .2 .3"),
    "noff.off": off(keyword="NOFF", more=" 0 0 1"),
    "stoff.off": off(keyword="STOFF", more=" .5 .5"),
    "stcnoff.off": off(keyword="STCNOFF", more=" 0 0 1 1 .5 .5 1 0 0"),
    "4off.off": off([[2 * x for x in v] for v in VERTICES], keyword="4OFF", more=" 2"),
    "noff_3.off": off(keyword="nOFF\n3"),
    "unannounced_colours.off": off(more=" 255 0 0"),
    "face_colours.off": off(after=" 255 0 0"),
    "face_colour_index.off": off(after=" 7"),
    "trailing.off": off() + "1 2\n",
    "points_and_lines.off": off(faces=[*QUADS, (0,), (0, 1)]),
    "decimal_comma.off": off([[f"{x},0" for x in v] for v in VERTICES]),
    "msvc_nan.off": off(keyword="NOFF", more=" -nan(ind) 1.#QNAN -1.#IND"),
    **{f"wrapped_{n}.off": wrapped(off(), n) for n in (1, 2, 3, 4, 5, 6, 7, 1000)},
    "wrapped_colours.off": wrapped(off(keyword="COFF", more=" 1 0 0 1"), 5),
    "wrapped_faces_with_colours.off": re.sub(r"\n(4 \d) ", r"\n\1\n", off(after=" 255 0 0")),
    "all_on_one_line.off": off().replace("\n", " "),
    "binary.off": binary_off(),
    "plain.obj": obj(),
    "textures.obj": obj(corner="{0}/1") + "vt 0 0\n",
    "textures_normals.obj": "vt 0 0\nvn 0 0 1\n" + obj(corner="{0}/1/1"),
    "normals.obj": "vn 0 0 1\n" + obj(corner="{0}//1"),
    "mixed_corners.obj": obj().replace("f 1", "f 1/1/1").replace("f 5", "f 5//2"),
    "relative.obj": relative_obj(),
    "relative_end.obj": obj(faces=[[i - 9 for i in face] for face in QUADS]),
    "relative_textures.obj": relative_obj().replace("-4", "-4/-1/-1"),
    "faces_first.obj": obj(vertices=[]) + obj(faces=[]),
    "continued.obj": obj().replace("f 1 ", "f 1 \\\n ").replace("v 2 ", "v 2 \\\r\n "),
    "groups.obj": "mtllib a.mtl\no x\n" + obj().replace("f 5", "g y z\nusemtl m\ns off\nf 5"),
    "coloured.obj": obj([[*v, 0.1, 0.2, 0.3] for v in VERTICES]),
    "weights.obj": obj([[*v, 2.0] for v in VERTICES]),
    "lines_points.obj": obj() + "l 1 2 3\np 1\nf 1 2\nvp 1\ncstype bezier\ncurv 0 1 1 2\n",
    "comments.obj": obj().replace("\n", " # \x85\xff\n\n"),
    "bom.obj": b"\xef\xbb\xbf" + obj().encode(),
    "cr.obj": obj().replace("\n", "\r"),
    "indented.obj": obj().replace("\n", "  \n\t "),
    "decimal_comma.obj": obj([[f"{x},0" for x in v] for v in VERTICES]),
    "quads.ply": ply(),
    "mixed.ply": ply(faces=MIXED),
    "crlf.ply": ply().replace(b"\n", b"\r\n"),
    "cr.ply": ply().replace(b"\n", b"\r"),
    "wrapped.ply": wrapped(ply().decode(), 3, ply().split(b"end_header")[0].count(b"\n") + 1),
    "texcoord.ply": ply(after="property list uchar float texcoord", row_end=" 2 .5 .5"),
    "flags.ply": ply(after="property uchar red\nproperty int flags", row_end=" 7 8"),
    "little.ply": ply("binary_little_endian"),
    "big.ply": ply("binary_big_endian"),
    "little_mixed.ply": ply("binary_little_endian", MIXED),
    "big_mixed.ply": ply("binary_big_endian", MIXED),
    "vertex_index.ply": ply().replace(b"vertex_indices", b"vertex_index"),
    "other_types.ply": ply().replace(b"float", b"float64").replace(b"uchar int", b"short uint32"),
    "empty_element.ply": ply(before="element camera 0\nproperty list int float view"),
    "strips.ply": ply(faces=[], strips=[STRIPS]),
    "little_strips.ply": ply("binary_little_endian", faces=[], strips=[STRIPS]),
    "faces_and_strips.ply": ply(faces=QUADS[:3], strips=[STRIPS[15:20], STRIPS[20:]]),
    "msvc_nan.ply": ply(after="property float quality", row_end=" -1.#IND"),
    "ascii.stl": ascii_stl(),
    "upper.stl": ascii_stl().upper(),
    "odd_case.stl": ascii_stl().title(),
    "cr.stl": ascii_stl().replace("\n", "\r"),
    "crlf.stl": ascii_stl().replace("\n", "\r\n"),
    "blank_lines.stl": "\n \n" + ascii_stl().replace("\n", "\n\n"),
    "bom.stl": b"\xef\xbb\xbf" + ascii_stl().encode(),
    "no_name.stl": ascii_stl().replace(" box", ""),
    "vertex_in_name.stl": ascii_stl().replace("box", "vertex facet 1 2"),
    "utf8_name.stl": ascii_stl().replace("box", "Würfel").encode(),
    "two_solids.stl": ascii_stl(TRIANGLES[:6]) + ascii_stl(TRIANGLES[6:]),
    "quads.stl": ascii_stl(QUADS),
    "decimal_comma.stl": ascii_stl().replace(".", ","),
    "binary.stl": binary_stl(),
    "binary_solid.stl": binary_stl(b"solid box"),
    "binary_trailing.stl": binary_stl() + b"made by hand",
    "binary_solid_trailing.stl": binary_stl(b"solid vertex") + b"\0vertex facet",
    "BINARY.STL": binary_stl(),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_box_is_read_whole_however_it_is_written(tmp_path, name):
    triangles = read(tmp_path, name, GOOD[name])
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
BAD = {
    "empty.off": (b"", "empty"), "empty.obj": (b"", "empty"), "empty.ply": (b"", "empty"),
    "empty.stl": (b"", "empty"), "blank.off": (b" \n\n", ""), "zeros.stl": (b"\0" * 200, ""),
    "other.off": ("hello\n", "does not begin with OFF"), "other.ply": ("hello\n", "with ply"),
    "other.stl": ("hello\n", "STL"), "other.obj": ("hello\n", "no faces"),
    "png.obj": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), ""),
    "claim.off": (off().replace("8 6 0", f"{HUGE} {HUGE} 0"), "1000000000 vertices"),
    "claim_faces.off": (off().replace("8 6 0", f"8 {HUGE} 0"), "1000000000 faces"),
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
    "w_zero.off": (off(keyword="4OFF", more=" 0"), "not finite"),
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
    "cut.stl": (binary_stl()[:-1], "12 triangles"),
    "claim.stl": (stl_claim(HUGE), "1000000000 triangles"),
    "claim_more.stl": (stl_claim(2**32 - 1), "4294967295 triangles"),
    "none.stl": (stl_claim(0)[:84], "no faces"),
    "cut_ascii.stl": (ascii_stl()[:500], "ends"),
    "cut_at_facet.stl": (ascii_stl().split("endfacet")[0] + "endfacet\n", "endsolid"),
    "word.stl": (ascii_stl().replace("vertex 0.", "vertex a0.", 1), "a0."),
    "two_numbers.stl": (re.sub(r"(vertex \S+ \S+) \S+", r"\1", ascii_stl(), count=1), ""),
    "no_facets.stl": ("solid x\nendsolid x\n", "no faces"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_file_is_refused_with_its_name_and_a_reason(tmp_path, name):
    content, word = BAD[name]
    with pytest.raises(meshes.MeshError) as refused:
        read(tmp_path, name, content)
    message = str(refused.value)
    assert message.startswith(str(tmp_path / name)) and refused.value.reason in message
    assert word in message and "\n" not in message and len(message) < 400


@pytest.mark.parametrize("name", GOOD)
def test_cut_short_anywhere_a_file_is_refused_or_still_a_shape(tmp_path, name):
    content = GOOD[name] if isinstance(GOOD[name], bytes) else GOOD[name].encode("latin1")
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

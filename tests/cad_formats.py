"""CAD files made by hand: a 2 x 3 x 4 box, written in each way that a format allows."""

import re
import struct

import cad_samples

VERTICES, QUADS = cad_samples.box_quads((0, 0, 0), (2, 3, 4))
VERTICES = VERTICES.astype(int).tolist()


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
    "coff_without_colours.off": off(keyword="COFF"),
    "coff_index.off": off(keyword="COFF", more=" 7"),
    "stoff_without.off": off(keyword="STNOFF", after=" 1 0 0"),
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
    "no_corners.off": off(faces=[*QUADS[:3], (), *QUADS[3:]]),
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
    "windows_path.obj": "# C:\\models\\\n" + obj().replace("v 2 0 0", "# D:\\ \nv 2 0 0"),
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
    "text_after.stl": ascii_stl() + "made by hand\n; a facet more\n",
    "bytes_after.stl": ascii_stl() + "\x1a\0\0\xff\0made",
    "two_solids.stl": ascii_stl(TRIANGLES[:6]) + ascii_stl(TRIANGLES[6:]),
    "quads.stl": ascii_stl(QUADS),
    "decimal_comma.stl": ascii_stl().replace(".", ","),
    "one_line.stl": ascii_stl().replace("\n", " "),
    "binary.stl": binary_stl(),
    "binary_solid.stl": binary_stl(b"solid box"),
    "binary_trailing.stl": binary_stl() + b"made by hand",
    "binary_solid_trailing.stl": binary_stl(b"solid vertex") + b"\0vertex facet",
    "BINARY.STL": binary_stl(),
}

CONTENTS = {
    name: content if isinstance(content, bytes) else content.encode("latin1")
    for name, content in GOOD.items()
}
"""By file name, the content of each: all are the same box."""

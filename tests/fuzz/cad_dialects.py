"""CAD files of drawn shapes, each written in one of the ways that its format allows.

Corners are small whole numbers, which every type of number holds, so the triangles that a reader
must find are known exactly. `odd` puts one wrong number where the format counts or refers.
"""

import struct
from typing import NamedTuple

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

INTEGERS = {"char": "b", "short": "h", "int": "i", "int8": "b", "int16": "h", "int32": "i"}
UNSIGNED = {"uchar": "B", "ushort": "H", "uint": "I", "uint8": "B", "uint16": "H", "uint32": "I"}
FLOATS = {"float": "f", "double": "d", "float32": "f", "float64": "d"}
TYPES = INTEGERS | UNSIGNED | FLOATS

ODD = (-1, -5, -(2**31), 0, 1, 3, 5, 40, 255, 2**15, 2**31 - 1, 2**32 - 1, 10**18, 10**30)
"""Where a number of vertices, faces or entries, or of a vertex, is expected."""


class Shape(NamedTuple):
    """Vertices, triangles as numbers of vertices, and how many of each a file announces."""

    vertices: list
    faces: list
    num_vertices: int
    num_faces: int

    def triangles(self) -> np.ndarray:
        return np.array(self.vertices, np.float32)[np.array(self.faces)]


@st.composite
def shapes(draw):
    place = st.tuples(*[st.integers(-9, 9)] * 3)
    vertices = draw(st.lists(place, min_size=4, max_size=8, unique=True))
    face = st.lists(st.integers(0, len(vertices) - 1), min_size=3, max_size=3, unique=True)
    faces = draw(st.lists(face, min_size=2, max_size=6))
    assume(len({corner for of in faces for corner in of}) > 3)
    return Shape(vertices, faces, len(vertices), len(faces))


@st.composite
def odd(draw):
    """A shape with one wrong number; what it is a number of, and the number."""
    shape = draw(shapes())
    value, what = draw(st.sampled_from(ODD)), draw(st.sampled_from(["index", "vertices", "faces"]))
    if what != "index":
        return shape._replace(**{f"num_{what}": value}), (what, value)
    faces = [list(face) for face in shape.faces]
    faces[draw(st.integers(0, len(faces) - 1))][draw(st.integers(0, 2))] = value
    return shape._replace(faces=faces), (what, value)


def is_impossible(name, content, odd):
    """Whether no shape is in a file with one odd number: it has no such vertex, row or byte."""
    what, value = odd
    if what == "index":
        return value > 8 and not name.endswith("stl")
    counts_faces = name.endswith(("off", "ply")) or not content.strip().lower().endswith(
        b"endsolid"
    )
    return (
        value > 10**6
        and not name.endswith("obj")
        and counts_faces
        and (what == "faces" or not name.endswith("stl"))
    )


def numbers(row, gap=" "):
    return gap.join(map(str, row))


@st.composite
def off(draw, shape):
    """OFF as text: any prefixes, comments, ends of lines; colours after faces, or wrapped."""
    prefixes = [draw(st.sampled_from(["", of])) for of in ("ST", "C", "N", "4", "n")]
    if draw(st.booleans()):
        prefixes = [""] * 5
    texture, colour, normal, fourth, dimensions = prefixes
    end = draw(st.sampled_from(["\n", "\r\n", " # made\n", "\n\n"]))
    after = ["1"] * bool(fourth) + ["0", "0", "1"] * bool(normal)
    after += ["1", "0", "0", "1"] * bool(colour) + ["0.5", "0.5"] * bool(texture)
    rows = [numbers([*map(str, v), *after]) for v in shape.vertices]
    faces = [numbers([3, *face]) for face in shape.faces]
    counts = numbers([shape.num_vertices, shape.num_faces, draw(st.sampled_from(["0", "12"]))])
    if dimensions:
        counts = "3" + end + counts
    begin = "".join(prefixes) + "OFF" + draw(st.sampled_from([end, " "])) + counts
    if draw(st.booleans()):
        return end.join([begin, end.join(numbers([*rows, *faces]).split()), ""]).encode()
    colours = draw(st.sampled_from(["", " 7", " 255 0 0", " 1 0 0 1"]))
    return end.join([begin, *rows, *(face + colours for face in faces), ""]).encode()


@st.composite
def binary_off(draw, shape):
    colour, normal = draw(st.sampled_from(["", "C"])), draw(st.sampled_from(["", "N"]))
    content = f"{colour}{normal}OFF BINARY\n".encode()
    content += packed(">", "iii", shape.num_vertices, shape.num_faces, 0)
    for vertex in shape.vertices:
        content += packed(">", "f" * 3, *vertex) + bytes(12 * bool(normal) + 16 * bool(colour))
    for face in shape.faces:
        colours = draw(st.sampled_from([0, 1, 3, 4]))
        content += packed(">", "iiiii", 3, *face, colours) + bytes(4 * colours)
    return content


@st.composite
def obj(draw, shape):
    """OBJ: faces after or among their vertices, by numbers from either end, with other words."""
    form = draw(st.sampled_from(["{}", "{}/1", "{}//1", "{}/1/1"]))
    among, relative = draw(st.booleans()), draw(st.booleans())
    more = draw(st.sampled_from(["", " 1.0", " 0.1 0.2 0.3"]))
    lines, written = ["vt 0 0", "vn 0 0 1"], 0
    for face in [*shape.faces, [len(shape.vertices) - 1]]:
        upto = max(0, *face, 0) + 1 if among else len(shape.vertices)
        lines += [f"v {numbers(v)}{more}" for v in shape.vertices[written:upto]]
        written = max(written, min(upto, len(shape.vertices)))
        corners = [i - written if relative and i < written else i + 1 for i in face]
        if len(face) == 3:
            lines.append("f " + numbers(form.format(i) for i in corners))
        lines.append(draw(st.sampled_from(["# f 1 2 3", "g a b", "usemtl x", "s off", ""])))
    return draw(st.sampled_from(["\n", "\r\n", "\r", " \n\t"])).join(lines).encode()


def packed(order, codes, *values):
    """Numbers as bytes, the nearest that their types hold."""
    content = b""
    for code, value in zip(codes, values, strict=True):
        if code not in "fd":
            bits, signed = 8 * struct.calcsize("<" + code), code.islower()
            low = -(2 ** (bits - 1)) if signed else 0
            value = min(max(value, low), low + 2**bits - 1)
        content += struct.pack(order + code, value)
    return content


@st.composite
def ply(draw, shape):
    """PLY: properties and elements in any order and of any types, with others among them."""
    form = draw(st.sampled_from(["ascii", "binary_little_endian", "binary_big_endian"]))
    signed, any_type = st.sampled_from(sorted(INTEGERS | FLOATS)), st.sampled_from(sorted(TYPES))
    integer = st.sampled_from(sorted(INTEGERS | UNSIGNED))
    columns = [(axis, draw(signed), None) for axis in "xyz"]
    columns += [(f"more{i}", draw(any_type), None) for i in range(draw(st.integers(0, 2)))]
    columns = draw(st.permutations(columns))
    lists = [("vertex_indices", draw(integer), draw(integer))]
    lists += [("quality", draw(any_type), None)] * draw(st.integers(0, 1))
    lists += [("texcoord", draw(st.sampled_from(sorted(FLOATS))), "uchar")] * draw(
        st.integers(0, 1)
    )
    lists = draw(st.permutations(lists))
    axes = {axis: i for i, axis in enumerate("xyz")}
    vertices = [[v[axes[name]] if name in axes else 7 for name, *_ in columns] for v in shape[0]]
    of_face = {"quality": 1, "texcoord": [0.5] * draw(st.integers(0, 3))}
    faces = [[face if "v" in name else of_face[name] for name, *_ in lists] for face in shape.faces]
    camera = ("camera", 1, [("view", "float", None)], [[1]])
    elements = [
        ("vertex", shape.num_vertices, columns, vertices),
        ("face", shape.num_faces, lists, faces),
    ] + [camera] * draw(st.integers(0, 1))
    elements = draw(st.permutations(elements))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    header = ["ply", f"format {form} 1.0", "comment vertex 3"]
    for name, count, properties, _ in elements:
        header.append(f"element {name} {count}")
        header += [
            f"property list {length} {code} {of}" if length else f"property {code} {of}"
            for of, code, length in properties
        ]
    content = end.join([*header, "end_header", ""]).encode()
    order = "" if form == "ascii" else "<" if "little" in form else ">"
    for _, _, properties, rows in elements:
        for row in rows:
            for (_, code, length), value in zip(properties, row, strict=True):
                values = value if length else [value]
                codes = TYPES[code] * len(values)
                if order:
                    content += packed(order, TYPES[length], len(values)) if length else b""
                    content += packed(order, codes, *values)
                else:
                    content += numbers([*[len(values)] * bool(length), *values, ""]).encode()
            content += b"" if order else end.encode()
    return content


@st.composite
def stl(draw, shape):
    """STL of both kinds; only the number of faces can be wrong."""
    corners = [[shape.vertices[i % len(shape.vertices)] for i in face] for face in shape.faces]
    if draw(st.booleans()):
        title = draw(st.sampled_from([b"solid x", b"", b"solid vertex facet", b"\xff" * 80]))
        content = title.ljust(80, draw(st.sampled_from([b" ", b"\0"])))
        content += packed("<", "I", shape.num_faces)
        for face in corners:
            content += struct.pack("<12fH", 0, 0, 0, *(x for v in face for x in v), draw(BITS))
        return content
    case = draw(st.sampled_from([str.upper, str.lower, str.title]))
    lines = ["solid a b"]
    for face in corners:
        lines += ["facet normal 0 0 1", "outer loop"]
        lines += [f" vertex {numbers(f'{x:e}' for x in v)}" for v in face] + ["endloop", "endfacet"]
    end = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n", " \n\t"]))
    return case(end.join([*lines, "endsolid"])).encode()


BITS = st.integers(0, 2**16 - 1)
WRITERS = {"off": off, "binary.off": binary_off, "obj": obj, "ply": ply, "stl": stl}


@st.composite
def files(draw, of=None):
    """A file in any format of a drawn shape: its name, its content, and what was drawn."""
    name = draw(st.sampled_from(sorted(WRITERS)))
    drawn = draw(shapes() if of is None else of)
    shape = drawn if of is None else drawn[0]
    return f"fuzz.{name.rpartition('.')[2]}", draw(WRITERS[name](shape)), drawn

"""Small CAD folders with shapes made by hand, and the scripts run as a user runs them."""

import os
import pathlib
import subprocess
import sys

import numpy as np

import pose_data

PACKAGE = pathlib.Path(pose_data.__file__).parent

# An L-shaped block with a tower on one end: no two of its sides look alike. Each entry is a box,
# (low corner, high corner).
ASYMMETRIC = [((0, 0, 0), (4, 1, 1)), ((0, 1, 0), (1, 4, 1)), ((0, 0, 1), (1, 1, 3))]
_QUADS = [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (2, 3, 7, 6), (1, 2, 6, 5), (3, 0, 4, 7)]


def box_quads(low, high):
    """Returns the 8 corners `[8, 3]` and 6 outward quadrilaterals of a box."""
    (a, b, c), (d, e, f) = low, high
    bottom = [(a, b, c), (d, b, c), (d, e, c), (a, e, c)]
    return np.array(bottom + [(x, y, f) for x, y, _ in bottom], float), _QUADS


def triangles_of(boxes):
    """Returns the corners of the triangles of boxes, float32 `[12 * len(boxes), 3, 3]`."""
    faces = []
    for low, high in boxes:
        corners, quads = box_quads(low, high)
        for p, q, r, s in quads:
            faces += [corners[[p, q, r]], corners[[p, r, s]]]
    return np.array(faces, np.float32)


def off_text(boxes):
    """Returns an OFF file of boxes, with quadrilaterals as faces."""
    vertices, faces = [], []
    for low, high in boxes:
        corners, quads = box_quads(low, high)
        faces += ["4 " + " ".join(str(i + len(vertices)) for i in quad) for quad in quads]
        vertices += [" ".join(map(str, corner)) for corner in corners]
    return "\n".join(["OFF", f"{len(vertices)} {len(faces)} 0", *vertices, *faces]) + "\n"


def write_cad(folder, names=("chair/01", "chair/02", "sofa/01")):
    """Writes one OFF file per "class/name", each of another shape, and returns the folder."""
    for i, name in enumerate(names):
        path = pathlib.Path(folder) / f"{name}.off"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(off_text([*ASYMMETRIC, ((3, 0, 1), (4, 1, 1.5 + i))]))
    return pathlib.Path(folder)


def run_script(name, *flags, as_module=False, env=None):
    """Runs a script of the package, from inside its folder or as a module."""
    target = ["-m", f"pose_data.{name}"] if as_module else [f"{name}.py"]
    folder = PACKAGE.parent if as_module else PACKAGE
    return _run([*target, *map(str, flags)], folder, env or {})


def run_python(code):
    """Runs Python code in a process of its own."""
    return _run(["-c", code], PACKAGE.parent, {})


def _run(arguments, folder, env):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def assert_one_sentence(process, *words):
    """Asserts that a script failed for a reason it gives in its last line, without a traceback."""
    assert process.returncode not in (0, None)
    assert "Traceback" not in process.stderr, process.stderr
    last = process.stderr.strip().splitlines()[-1]
    for word in words:
        assert word in last, process.stderr


def files_under(folder):
    """Returns the content of every file below a folder, by relative path."""
    folder = pathlib.Path(folder)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

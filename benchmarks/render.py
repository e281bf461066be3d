"""Images per second: our rendering against the procedure of the code it follows.

    python benchmarks/render.py --CAD_dir=CAD

Yin et al. 2020 (arXiv 1912.03820) published a renderer that does the following for every image; it
is carried out here with today's MuJoCo, on the same meshes, in turn with ours: read the mesh again
and measure it, write the scene's XML, compile it, open a new OpenGL context with MuJoCo's default
quality (shadow map 4096, 4 samples per pixel) at gym's 500 x 500, draw the frame in a 6 x 6 inch
matplotlib figure and save that as PNG. In its favour, the bounding box is found with NumPy instead
of a loop over points. inertia="shell" is ours: without it MuJoCo refuses most CAD files.
"""

import datetime
import logging
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import matplotlib
import numpy as np
import stl
from absl import app, flags
from matplotlib import pyplot as plt

from mine import reporting
from mine.reporting.progress import ProgressBar
from pose_data import gl_backend, make_cad, rendering
from pose_data.cad import meshes
from pose_data.shapes import classes

FLAGS = flags.FLAGS

_XML = """
<mujoco>
  <visual><global offwidth="500" offheight="500"/></visual>
  <asset>
    <mesh name="object" file="{path}" scale="{scale} {scale} {scale}" inertia="shell"/>
  </asset>
  <worldbody>
    <light diffuse=".5 .5 .5" pos="0 0 5" dir="0 0 -1"/>
    <geom type="plane" pos="0.5 0.2 -0.4" size="1.0 1.6 1"/>
    <body pos="{x} {y} {z}" axisangle="0 0 1 {angle}">
      <geom type="mesh" mesh="object" density="{density}" contype="0" conaffinity="0"/>
    </body>
  </worldbody>
</mujoco>
"""


def define_flags() -> None:
    """Defines this script's flags."""
    flags.DEFINE_string(
        "CAD_dir", None, "Folder of CAD models to time besides the procedural ones."
    )
    flags.DEFINE_integer("num_objects", 6, "Objects of each set, evenly chosen.", 1)
    flags.DEFINE_integer("num_images", 100, "Images per object of our renderer.", 1)
    flags.DEFINE_integer("rounds", 5, "Repetitions; medians are reported.", 1)
    flags.DEFINE_string(
        "output", "results/benchmarks/render", "Files to write, less .md and .json."
    )


def original_image(path: pathlib.Path, angle: float, scratch: pathlib.Path) -> None:
    """Makes one image as the original does: everything from the mesh file on, every time."""
    import mujoco  # After main has chosen MUJOCO_GL.

    mesh = stl.mesh.Mesh.from_file(str(path))
    volume, _, _ = mesh.get_mass_properties()
    low, high = mesh.vectors.min(axis=(0, 1)), mesh.vectors.max(axis=(0, 1))
    scale = 1.2 / (high - low).max()
    x, y = -scale * (low + high)[:2] / 2
    xml = _XML.format(
        path=path,
        scale=scale,
        x=0.5 + x,
        y=y,
        z=-0.324 - scale * low[2],
        angle=angle,
        density=1 / max(abs(volume) * scale**3, 1e-6),
    )
    (scratch / "pusher.xml").write_text(xml)
    model = mujoco.MjModel.from_xml_path(str(scratch / "pusher.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = mujoco.MjvCamera()
    camera.lookat[:], camera.distance = (0.475, -0.025, -0.323), 4
    camera.azimuth, camera.elevation = 90, -45
    with mujoco.Renderer(model, height=500, width=500) as renderer:
        renderer.update_scene(data, camera)
        frame = renderer.render()
    figure = plt.figure(figsize=(6, 6))
    axes = figure.add_subplot(111)
    axes.axis("off")
    axes.imshow(frame)
    axes.set_position([0, 0, 1, 1])
    plt.savefig(scratch / "image.png")
    plt.close(figure)


def our_object(path: pathlib.Path, num_images: int, scratch: pathlib.Path) -> None:
    """Makes one object's images as `pose_data.rendering` does in each of its processes."""
    from pose_data import scene  # Imports MuJoCo, after main has chosen MUJOCO_GL.

    angles = np.linspace(0, 2 * np.pi, num_images, endpoint=False)
    with scene.ObjectRenderer(meshes.read_triangles(path), 256) as renderer:
        for angle in angles:
            (scratch / "image.png").write_bytes(rendering.png_bytes(renderer.render(angle)))


def seconds(work: Callable[..., object], *args) -> float:
    """Returns the wall time of a call."""
    start = time.perf_counter()
    work(*args)
    return time.perf_counter() - start


def procedural_set(folder: pathlib.Path, num_objects: int) -> None:
    """Writes the first object of a few procedural classes."""
    names = sorted(classes.CLASSES)
    for i in np.linspace(0, len(names) - 1, min(num_objects, len(names))).astype(int):
        path = folder / names[i] / "01.stl"
        path.parent.mkdir(parents=True)
        make_cad.make_object(names[i], 1).export(path)


def binary_stl_copies(cad_dir: pathlib.Path, folder: pathlib.Path, num_objects: int) -> None:
    """Writes an even selection of a CAD folder as STL: both renderers read the same files."""
    objects = meshes.find_objects(cad_dir, ("bottle", "train"))
    for i in np.linspace(0, len(objects) - 1, min(num_objects, len(objects))).astype(int):
        path = folder / objects[i].category / f"{objects[i].name}.stl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(meshes.stl_bytes(meshes.read_triangles(objects[i].path)))


def measure(name: str, cad_dir: pathlib.Path, scratch: pathlib.Path) -> list[dict]:
    """Times both procedures on each model in turn, and the whole pipeline on all of them."""
    rows = []
    objects = meshes.find_objects(cad_dir)
    count = FLAGS.num_images
    for cad in ProgressBar(objects, desc=name, unit=" objects"):
        theirs, ours = [], []
        for i in range(FLAGS.rounds):
            theirs.append(seconds(original_image, cad.path, i, scratch))
            ours.append(seconds(our_object, cad.path, count, scratch) / count)
        row = {"set": name, "object": str(cad), "faces": len(meshes.read_triangles(cad.path))}
        row["original_ms"] = 1e3 * statistics.median(theirs)
        row["ours_ms"] = 1e3 * statistics.median(ours)
        row["ratio"] = row["original_ms"] / row["ours_ms"]
        rows.append(row)
    settings = rendering.Settings(num_images=count)
    with tempfile.TemporaryDirectory() as out:
        wall = seconds(rendering.render_dataset, cad_dir, out, settings)
    total = {"set": name, "object": f"all {len(objects)}, whole run"}
    total["faces"] = sum(row["faces"] for row in rows)
    total["original_ms"] = statistics.mean(row["original_ms"] for row in rows)
    total["ours_ms"] = 1e3 * wall / (count * len(objects))
    total["ratio"] = total["original_ms"] / total["ours_ms"]
    return [*rows, total]


def table(report: dict) -> str:
    """Returns the report as Markdown."""
    lines = [
        "# Rendering: ours against the original's procedure",
        "",
        f"`{report['command']}`, {report['date']}, {report['cores']} cores, OpenGL by "
        f"{report['backend']}, MuJoCo {report['mujoco']}, Python {report['python']}. Median of "
        f"{report['rounds']} rounds, both in turn. Ours includes reading, compiling and PNG files, "
        f"for {report['num_images']} images per object, in one process; the whole run uses all "
        "cores, and its figure includes starting the processes. What the original's procedure is, "
        "`benchmarks/render.py` says.",
        "",
    ]
    titles = (
        "set",
        "object",
        "faces",
        "original, ms per image",
        "ours, ms per image",
        "ours, images/s",
        "ratio",
    )
    rows = [
        (
            row["set"],
            row["object"],
            f"{row['faces']:,}",
            f"{row['original_ms']:.0f}",
            f"{row['ours_ms']:.1f}",
            f"{1e3 / row['ours_ms']:.0f}",
            f"{row['ratio']:.0f}",
        )
        for row in report["rows"]
    ]
    return "\n".join([*lines, *reporting.markdown_table(titles, rows, left=2)]) + "\n"


def main(argv: list[str]) -> None:
    """Times, prints the table, and writes it."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown argument {argv[1]}")
    try:
        backend = gl_backend.choose()
    except gl_backend.GlError as error:
        sys.exit(f"render: {error}")
    if backend:
        os.environ["MUJOCO_GL"] = backend
    import mujoco

    matplotlib.use("Agg")
    logging.getLogger("stl").setLevel(logging.ERROR)  # It warns of every mesh that is not closed.
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        procedural_set(scratch / "procedural", FLAGS.num_objects)
        rows += measure("procedural", scratch / "procedural", scratch)
        if FLAGS.CAD_dir:
            try:
                binary_stl_copies(FLAGS.CAD_dir, scratch / "CAD", FLAGS.num_objects)
            except (OSError, meshes.MeshError) as error:
                sys.exit(f"render: {FLAGS.CAD_dir}: {error}")
            rows += measure("CAD_dir", scratch / "CAD", scratch)
    report = {
        "command": "python benchmarks/render.py" + (" --CAD_dir=CAD" if FLAGS.CAD_dir else ""),
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "backend": backend,
        "mujoco": mujoco.__version__,
        "python": platform.python_version(),
        "rounds": FLAGS.rounds,
        "num_images": FLAGS.num_images,
        "rows": rows,
    }
    output = pathlib.Path(FLAGS.output)
    reporting.write_tables(report, table(report), output.parent, output.stem)
    print(table(report))


if __name__ == "__main__":
    define_flags()
    app.run(main)

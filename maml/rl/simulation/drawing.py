"""Draws simulations into a GIF, in a process of its own.

    python -m maml.rl.simulation.drawing MODEL POSITIONS.npz OUTPUT.gif

TensorFlow and an OpenGL library in one process crash on some machines, so who has loaded TensorFlow
calls :func:`draw`, which starts that process, and nothing here loads it.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import numpy as np

from maml.rl.simulation.physics import SUBSTEPS, load_model
from mine.reporting.files import replacing

WIDTH, HEIGHT = 240, 180
"""Pixels of a panel."""

EVERY = 2
"""Steps of an environment between two frames."""

COLOURS = 64


def draw(
    model: str, positions: np.ndarray, titles: Sequence[Sequence[str]], path: os.PathLike
) -> None:
    """Writes a GIF of several simulations beside each other.

    Args:
        model: of all simulations, see :func:`maml.rl.simulation.physics.load_model`.
        positions: of joints after each step, [rows, columns, steps, nq].
        titles: of each panel, [rows][columns].
        path: of the GIF, written in one step.

    Raises:
        OSError: the file cannot be written.
        RuntimeError: MuJoCo can draw with none of the OpenGL libraries.
    """
    path = pathlib.Path(path)
    root = pathlib.Path(__file__).parents[3]
    searched = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(searched)}
    failures = []
    with tempfile.TemporaryDirectory() as folder, replacing(path, ".gif") as temporary:
        # What cannot be written is found out here, where the error has a name.
        temporary.touch()
        given, made = pathlib.Path(folder) / "positions.npz", pathlib.Path(folder) / "made.gif"
        np.savez(given, positions=positions, titles=np.asarray(titles))
        for library in _libraries():
            done = subprocess.run(
                [sys.executable, "-m", __name__, model, given, made],
                env=environment | ({"MUJOCO_GL": library} if library else {}),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                # Here, where a disk that is full is not taken for OpenGL's fault.
                temporary.write_bytes(made.read_bytes())
                return
            lines = [line for line in done.stderr.splitlines() if "Error" in line]
            reason = lines[-1] if lines else f"crashed with exit code {done.returncode}"
            failures.append(f"{library or 'default'}: {reason}")
        raise RuntimeError(
            "MuJoCo found no working OpenGL: install one with `apt-get install libegl1 libgl1` or "
            f"`apt-get install libosmesa6`, or set MUJOCO_GL ({'; '.join(failures)})."
        )


def _libraries() -> list[str]:
    """Values of MUJOCO_GL to draw with, the best first; "" for MuJoCo's own choice."""
    chosen = os.environ.get("MUJOCO_GL")
    if chosen:
        return [chosen]
    return ["egl", "osmesa"] if sys.platform == "linux" else [""]


def frames(model, positions: np.ndarray, titles: Sequence[Sequence[str]]) -> list:
    """Pictures (``PIL.Image``) of all panels, one for each ``EVERY`` steps.

    Args:
        model: ``mujoco.MjModel``.
        positions: [rows, columns, steps, nq].
        titles: [rows][columns].
    """
    import mujoco
    from PIL import Image, ImageDraw

    data, pictures = mujoco.MjData(model), []
    with mujoco.Renderer(model, HEIGHT, WIDTH) as renderer:
        for step in range(0, positions.shape[2], EVERY):
            picture = Image.new("RGB", (WIDTH * positions.shape[1], HEIGHT * positions.shape[0]))
            for row, column in np.ndindex(positions.shape[:2]):
                data.qpos[:] = positions[row, column, step]
                mujoco.mj_forward(model, data)
                renderer.update_scene(data, camera="track")
                panel = Image.fromarray(renderer.render())
                ImageDraw.Draw(panel).text((6, 4), titles[row][column], fill="white")
                picture.paste(panel, (column * WIDTH, row * HEIGHT))
            pictures.append(picture.quantize(COLOURS))
    return pictures


def main(name: str, given: str, path: str) -> None:
    """Draws what a file holds, see :func:`draw`."""
    model = load_model(name)
    with np.load(given) as arrays:
        pictures = frames(model, arrays["positions"], arrays["titles"])
    milliseconds = round(1000 * model.opt.timestep * SUBSTEPS * EVERY)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Renders a folder of CAD models into images and labels, in parallel and resumably."""

import concurrent.futures
import dataclasses
import functools
import io
import json
import multiprocessing
import os
import pathlib
import pickle
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from PIL import Image

from pose_data import gl_backend, records
from pose_data.cad import meshes

CANONICAL = ("file", "random")


class RenderError(RuntimeError):
    """The run as a whole failed."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a run, on which images depend beside the meshes.

    Attributes:
        num_images: images per object.
        image_size: width and height, pixels.
        seed: of the angles and of the canonical yaws.
        canonical: what angle 0 is: "file", the orientation in the CAD file, which objects of a
            class often share; "random", that turned by a yaw drawn per object.
    """

    num_images: int = 100
    image_size: int = 256
    seed: int = 0
    canonical: str = "file"

    def __post_init__(self):
        for name, least in (("num_images", 1), ("image_size", 1), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise ValueError(
                    f"Invalid value for `{name}`: expected at least {least}; received {value}."
                )
        if self.canonical not in CANONICAL:
            raise ValueError(
                f"Invalid value for `canonical`: expected one of {', '.join(CANONICAL)}; received "
                f"{self.canonical!r}."
            )


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of one object.

    Attributes:
        name: "class/object".
        rendered: images rendered now; 0 if they were rendered before.
        failure: the reason why it could not be rendered, or None.
    """

    name: str
    rendered: int = 0
    failure: str | None = None


def draw_angles(category: str, name: str, settings: Settings) -> tuple[np.ndarray, float]:
    """Draws the label angles and the canonical yaw of one object.

    They depend on the seed and the name of the object alone, neither on other objects nor on the
    number of processes.

    Returns:
        Angles in [0, 2π), float64 `[num_images]`, and the canonical yaw, both in radians. The image
        of label angle a shows the object of the CAD file turned by a + canonical yaw.
    """
    key = int.from_bytes(f"{category}/{name}".encode(), "big")
    angle_seed, yaw_seed = np.random.SeedSequence([settings.seed, key]).spawn(2)
    angles = np.random.default_rng(angle_seed).uniform(0, 2 * np.pi, settings.num_images)
    if settings.canonical == "file":
        return angles, 0.0
    return angles, float(np.random.default_rng(yaw_seed).uniform(0, 2 * np.pi))


def png_bytes(image: np.ndarray) -> bytes:
    """Returns the PNG file of a grey image, uint8 `[H, W]`."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png", compress_level=records.PNG_LEVEL)
    return buffer.getvalue()


def _render_object(cad: meshes.CadObject, data_dir: pathlib.Path, settings: Settings) -> Result:
    """Renders one object, in a worker process.

    The images, labels and manifest are written to a folder outside `rotate`, which is then moved
    into its place: all folders under `rotate` are complete.
    """
    from pose_data import scene  # Imports MuJoCo, which must find MUJOCO_GL set by _start_worker.

    final = data_dir / "rotate" / cad.category / cad.name
    partial = data_dir / ".partial" / cad.category / cad.name
    try:
        triangles = meshes.read_triangles(cad.path)
        angles, canonical_yaw = draw_angles(cad.category, cad.name, settings)
        manifest = {
            "object": str(cad),
            **dataclasses.asdict(settings),
            "canonical_yaw": canonical_yaw,
            "mesh_sha256": meshes.checksum(triangles),
            "scene_version": scene.VERSION,
        }
        if records.is_complete(final, manifest):
            return Result(str(cad))
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        x, y = scene.POSITION
        labels = [[i, x, y, float(angle)] for i, angle in enumerate(angles)]
        label_file = partial / f"label_{cad.category}{cad.name}"
        label_file.write_bytes(pickle.dumps(labels, protocol=2))
        (partial / records.MANIFEST).write_text(json.dumps(manifest, indent=1))
        with scene.ObjectRenderer(triangles, settings.image_size) as renderer:
            for i, angle in enumerate(angles):
                image = renderer.render(angle + canonical_yaw)
                (partial / f"{i}.png").write_bytes(png_bytes(image))
        shutil.rmtree(final, ignore_errors=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        os.replace(partial, final)
    except meshes.MeshError as error:
        return Result(str(cad), failure=error.reason)
    except OSError as error:
        return Result(str(cad), failure=f"cannot be written: {error.strerror or error}")
    return Result(str(cad), rendered=settings.num_images)


def _start_worker(backend: str) -> None:
    """Prepares a worker process."""
    if backend:
        os.environ["MUJOCO_GL"] = backend
    # Mesa's software renderer starts a thread per core in each process; two are the fastest here.
    os.environ.setdefault("LP_NUM_THREADS", "2")
    # Ctrl-C reaches all: workers end without a traceback, and the parent reports it. A parent that
    # ignores it, since it runs in the background of a script, needs its workers.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A parent that is killed leaves its workers waiting for ever otherwise.
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def render_dataset(
    cad_dir: pathlib.Path | str,
    data_dir: pathlib.Path | str,
    settings: Settings,
    *,
    skip_classes: Sequence[str] = ("bottle", "train"),
    workers: int | None = None,
    report: Callable[[Result, int], None] | None = None,
) -> list[Result]:
    """Renders every CAD model to `<data_dir>/rotate/<class>/<object>/`.

    An object's folder holds `0.png`, `1.png`, ... (grey), the label file `label_<class><object>` (a
    pickle, protocol 2, of a list of `[i, x, y, angle]`, metres and radians) and `manifest.json`.
    Objects that are there already with the same mesh and settings are left as they are. Call it
    under `if __name__ == "__main__":`, since it starts processes.

    Args:
        cad_dir: folder of `<class>/<name>.{stl,off,obj,ply}`; it is only read.
        data_dir: folder to write to, made if need be.
        settings: see `Settings`. The same settings give the same bytes.
        skip_classes: classes to leave out; bottles and trains look alike from many sides.
        workers: processes; the number of cores if None.
        report: called with each object's result as it comes in, and the number of objects.

    Returns:
        One `Result` per object, sorted by name.

    Raises:
        FileNotFoundError, NotADirectoryError: `cad_dir` holds no models.
        pose_data.gl_backend.GlError: OpenGL does not work.
        OSError: `data_dir` cannot be written to.
        RenderError: a process died.
    """
    objects = meshes.find_objects(pathlib.Path(cad_dir), skip_classes)
    backend = gl_backend.choose()
    data_dir = pathlib.Path(data_dir)
    (data_dir / "rotate").mkdir(parents=True, exist_ok=True)
    pool = concurrent.futures.ProcessPoolExecutor(
        max_workers=min(workers or os.cpu_count() or 1, len(objects)),
        # A forked child would share its parent's OpenGL state.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(backend,),
    )
    work = functools.partial(_render_object, data_dir=data_dir, settings=settings)
    results = []
    try:
        futures = [pool.submit(work, cad) for cad in objects]
        for future in concurrent.futures.as_completed(futures):
            results.append(future.result())
            if report is not None:
                report(results[-1], len(objects))
    except BrokenProcessPool as error:
        time.sleep(0.5)  # If Ctrl-C ended the worker, it reaches this process about now.
        raise RenderError(
            "A rendering process died, perhaps for lack of memory: run the same command again to "
            "resume; --workers=1 needs the least memory."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(data_dir / ".partial", ignore_errors=True)
    return sorted(results, key=lambda result: result.name)

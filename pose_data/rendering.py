"""Renders a folder of CAD models into images and labels, in parallel and resumably."""

import concurrent.futures
import dataclasses
import errno
import functools
import hashlib
import io
import json
import os
import pathlib
import pickle
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from PIL import Image

from mine import reporting
from mine.reporting.processes import resources
from mine.reporting.processes.workers import Pool
from pose_data import gl_backend, records
from pose_data.cad import meshes

CANONICAL = ("file", "random")

BAD_NAMES = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
"""Errors of one object's name, which a file system does not take."""


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
    into its place: all folders under `rotate` are complete. Each image is looked at again before it
    is kept by another run (:func:`pose_data.records.is_complete`), so none is flushed by itself.
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
        with reporting.named(final):
            _write_object(cad, triangles, angles, manifest, partial)
            shutil.rmtree(final, ignore_errors=True)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(partial, final)
    except meshes.MeshError as error:
        return Result(str(cad), failure=error.reason)
    except OSError as error:
        if error.errno not in BAD_NAMES:
            raise
        return Result(str(cad), failure=f"cannot be written: {error.strerror or error}")
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Result(str(cad), rendered=settings.num_images)


def _write_object(
    cad: meshes.CadObject,
    triangles: np.ndarray,
    angles: np.ndarray,
    manifest: dict,
    folder: pathlib.Path,
) -> None:
    """Writes images, labels and manifest of one object into a new folder."""
    from pose_data import scene

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checksums = []
    with scene.ObjectRenderer(triangles, manifest["image_size"]) as renderer:
        for i, angle in enumerate(angles):
            image = renderer.render(angle + manifest["canonical_yaw"])
            content = png_bytes(image)
            (folder / f"{i}.png").write_bytes(content)
            checksums.append(hashlib.sha256(content).hexdigest())
    x, y = scene.POSITION
    labels = [[i, x, y, float(angle)] for i, angle in enumerate(angles)]
    label_file = folder / f"label_{cad.category}{cad.name}"
    label_file.write_bytes(pickle.dumps(labels, protocol=2))
    manifest |= {
        records.LABEL_SHA256: reporting.file_sha256(label_file),
        records.IMAGE_SHA256: checksums,
    }
    (folder / records.MANIFEST).write_text(json.dumps(manifest, indent=1))


def _start_worker(backend: str) -> None:
    """Prepares a worker process."""
    if backend:
        os.environ["MUJOCO_GL"] = backend
    # Mesa's software renderer starts a thread per core in each process; two are the fastest here.
    os.environ.setdefault("LP_NUM_THREADS", "2")


def require_space(objects: int, data_dir: pathlib.Path, settings: Settings) -> None:
    """Refuses a number of objects whose images do not fit the disk.

    Raises:
        ValueError: they do not.
    """
    needed = settings.num_images * objects * records.LEAST_FILE
    resources.require("num_images", settings.num_images, needed, resources.disk(data_dir))


def render_objects(
    objects: Sequence[meshes.CadObject],
    data_dir: pathlib.Path,
    settings: Settings,
    workers: int,
    report: Callable[[Result, int], None] | None = None,
) -> list[Result]:
    """Renders some CAD models in processes of their own: a process with TensorFlow cannot draw.

    Args:
        objects: at least one, of :func:`pose_data.cad.meshes.find_objects`.
        data_dir: as of :func:`render_dataset`, and so are the others.
        settings: see there.
        workers: processes.
        report: see there.

    Returns:
        One `Result` per object, as they were done.

    Raises:
        pose_data.gl_backend.GlError: OpenGL does not work.
        OSError: `data_dir` cannot be written to.
        RenderError: a process died.
    """
    backend = gl_backend.choose()
    (data_dir / "rotate").mkdir(parents=True, exist_ok=True)
    pool = Pool(min(workers, len(objects)), _start_worker, (backend,))
    work = functools.partial(_render_object, data_dir=data_dir, settings=settings)
    results = []
    try:
        with pool:
            futures = [pool.submit(work, cad) for cad in objects]
            for future in concurrent.futures.as_completed(futures):
                results.append(future.result())
                if report is not None:
                    report(results[-1], len(objects))
    except BrokenProcessPool as error:
        raise RenderError(
            "A rendering process died, perhaps for lack of memory: run the same command again to "
            "resume; --workers=1 needs the least memory."
        ) from error
    return results


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
        ValueError: the images do not fit the disk.
        RenderError: a process died.
    """
    objects = meshes.find_objects(pathlib.Path(cad_dir), skip_classes)
    data_dir = pathlib.Path(data_dir)
    require_space(len(objects), data_dir, settings)
    try:
        results = render_objects(
            objects, data_dir, settings, workers or os.cpu_count() or 1, report
        )
    finally:
        shutil.rmtree(data_dir / ".partial", ignore_errors=True)
    return sorted(results, key=lambda result: result.name)

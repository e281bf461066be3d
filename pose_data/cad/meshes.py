"""CAD files as triangles: finding them, reading them, and making them fit for the renderer."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Collection

import numpy as np
import trimesh

from mine.reporting.words import reason
from pose_data.cad import obj, off, ply, polygons, stl

SOURCE_SUFFIXES = (".off", ".obj", ".ply")
MAX_STL_FACES = 200_000  # MuJoCo refuses larger STL files.

# A larger file holds more triangles than any that MuJoCo reads.
MAX_FILE_BYTES = 2**28
_READERS = {
    ".off": off.read_off,
    ".obj": obj.read_obj,
    ".ply": ply.read_ply,
    ".stl": stl.read_stl,
}
# Sizes in the file's unit that 32-bit numbers hold, of areas as well.
_SIZES = 1e-18, 1e18


class MeshError(ValueError):
    """A CAD file cannot be rendered.

    Attributes:
        reason: what is wrong, without the file's name, with which the message begins.
    """

    def __init__(self, reason: str, path: pathlib.Path | None = None):
        super().__init__(reason if path is None else f"{path} {reason}")
        self.reason = reason


@dataclasses.dataclass(frozen=True, order=True)
class CadObject:
    """One CAD model on disk.

    Attributes:
        category: the object class, which is the name of the folder the file lies in.
        name: the file's name without suffix.
        path: the file to read.
    """

    category: str
    name: str
    path: pathlib.Path

    def __str__(self) -> str:
        return f"{self.category}/{self.name}"


def is_up_to_date(stl: pathlib.Path, source: pathlib.Path) -> bool:
    """Whether `stl` exists and is at least as new as `source`, which exists too."""
    try:
        return stl.stat().st_mtime >= source.stat().st_mtime
    except OSError:
        return False


def find_objects(
    cad_dir: pathlib.Path | str, skip_classes: Collection[str] = (), *, sources: bool = False
) -> list[CadObject]:
    """Lists the models of a CAD folder, `<cad_dir>/<class>/<name>.{stl,off,obj,ply}`.

    A name with several files is one object. Its `.stl` is read unless a source beside it is newer.

    Args:
        cad_dir: the folder of class folders.
        skip_classes: names of class folders to leave out.
        sources: list the `.off`, `.obj` or `.ply` files only, never `.stl`.

    Returns:
        The objects, sorted by class and name.

    Raises:
        NotADirectoryError: `cad_dir` is not a folder.
        FileNotFoundError: the folder holds no model, or only skipped ones.
    """
    cad_dir = pathlib.Path(cad_dir)
    if not cad_dir.is_dir():
        raise NotADirectoryError(
            f"Invalid value for --CAD_dir: expected the folder of CAD models; received {cad_dir}, "
            "which is not a folder."
        )
    suffixes = SOURCE_SUFFIXES if sources else (".stl", *SOURCE_SUFFIXES)
    found = []
    for folder in sorted(cad_dir.iterdir()):
        if folder.name in skip_classes:
            continue
        for name, by_suffix in _models(folder, suffixes).items():
            path = next((by_suffix[s] for s in SOURCE_SUFFIXES if s in by_suffix), None)
            stl = by_suffix.get(".stl")
            if stl is not None and (path is None or is_up_to_date(stl, path)):
                path = stl
            found.append(CadObject(folder.name, name, path))
    if not found:
        wanted = ", ".join(f"*{s}" for s in suffixes)
        others = skipped(cad_dir, skip_classes)
        raise FileNotFoundError(
            f"Invalid value for --CAD_dir: expected CAD models <class>/{wanted}; received "
            f"{cad_dir}, which holds none"
            + (f" but those that --skip_classes leaves out: {others}." if others else ".")
        )
    return sorted(found)


def skipped(cad_dir: pathlib.Path | str, skip_classes: Collection[str]) -> str:
    """Lists the classes that are left out, with their numbers of models; "" if there are none."""
    counts = {
        folder.name: len(_models(folder, _READERS))
        for folder in sorted(pathlib.Path(cad_dir).iterdir())
        if folder.name in skip_classes
    }
    return ", ".join(
        f"{name} ({number} model{'s' * (number > 1)})" for name, number in counts.items() if number
    )


def _models(folder: pathlib.Path, suffixes: Collection[str]) -> dict[str, dict[str, pathlib.Path]]:
    """The files of each model of a class, by name and suffix; none if it is no folder or hidden."""
    files: dict[str, dict[str, pathlib.Path]] = {}
    if folder.is_dir() and not folder.name.startswith("."):
        for path in sorted(folder.iterdir()):
            suffix = path.suffix.lower()
            if suffix in suffixes and not path.name.startswith("."):
                files.setdefault(path.stem, {})[suffix] = path
    return files


def read_triangles(path: pathlib.Path) -> np.ndarray:
    """Reads a CAD file; polygons are cut into triangles, axes stay as they are in the file.

    Args:
        path: an `.off`, `.obj`, `.ply` or `.stl` file.

    Returns:
        Corners of the triangles, float32 `[F, 3, 3]` (face, corner, xyz), in the file's unit.

    Raises:
        MeshError: the file cannot be read, or its shape cannot be rendered. The message is a
            sentence that begins with the path.
    """
    try:
        return check_triangles(_read(path))
    except MeshError as error:
        raise MeshError(error.reason, path) from error


def _read(path: pathlib.Path) -> np.ndarray:
    """Reads a file without checking its triangles, float64 `[F, 3, 3]`."""
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise MeshError(f"is not a CAD file: expected one of {', '.join(_READERS)}")
    try:
        f"{path.parent.name}/{path.name}".encode()
    except UnicodeEncodeError as error:
        # Tables and records of objects could not hold it.
        raise MeshError("has a name, or a class, that is not UTF-8: rename it") from error
    try:
        # Opening what is no file, such as a pipe, could wait for ever.
        if not path.is_file():
            path.stat()
            raise MeshError("is not a file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise MeshError(f"is larger than the {MAX_FILE_BYTES:,} bytes that are read")
        content = path.read_bytes()
        with np.errstate(invalid="ignore"):  # Numbers that are not finite are refused later.
            return polygons.cut(_READERS[suffix](content))
    except OSError as error:
        raise MeshError(f"cannot be read: {error.strerror or error}") from error
    except MeshError:
        raise
    except ValueError as error:
        raise MeshError(f"is not a readable {suffix} file ({reason(error)})") from error
    except MemoryError as error:
        raise MeshError("needs more memory than there is: simplify it in a mesh editor") from error


def check_triangles(triangles: np.ndarray) -> np.ndarray:
    """Returns the corners as float32 `[F, 3, 3]`, or raises MeshError with what is wrong."""
    if triangles.size == 0:
        raise MeshError("has no faces")
    if not np.isfinite(triangles).all():
        raise MeshError("has coordinates that are not finite")
    corners = triangles.reshape(-1, 3)
    extent = np.ptp(corners, axis=0).max()
    if extent == 0:
        raise MeshError("has no extent: all its points coincide")
    if not _SIZES[0] < extent < _SIZES[1]:
        raise MeshError(
            f"has an extent of {extent:.3g}; expected {_SIZES[0]:g} to {_SIZES[1]:g}: scale it in "
            "a mesh editor"
        )
    # Far from the origin float32 would crush the shape, so its place is dropped first.
    if np.abs(corners).max() > 1e3 * extent:
        triangles = triangles - corners.mean(axis=0)
    triangles = triangles.astype(np.float32)
    if len(_unique_rows(triangles.reshape(-1, 3))[0]) < 4:
        raise MeshError("has fewer than 4 different vertices, so it is not a solid shape")
    return triangles


def stl_bytes(triangles: np.ndarray) -> bytes:
    """Returns a binary STL file of `triangles` `[F, 3, 3]`, the same bytes for the same input."""
    faces = np.arange(3 * len(triangles)).reshape(-1, 3)
    mesh = trimesh.Trimesh(triangles.reshape(-1, 3), faces, process=False)
    return mesh.export(file_type="stl")


def checksum(triangles: np.ndarray) -> str:
    """Returns the SHA-256 of the corners, so that a file and its conversion count as one."""
    return hashlib.sha256(np.ascontiguousarray(triangles, dtype="<f4").tobytes()).hexdigest()


def place(triangles: np.ndarray, longest_side: float) -> np.ndarray:
    """Scales the shape and puts the middle of its bounding box's bottom at the origin.

    Args:
        triangles: corners, `[F, 3, 3]`, any unit.
        longest_side: the longest side of the bounding box afterwards, metres.

    Returns:
        Corners in metres, float32 `[F, 3, 3]`; a turn about z keeps the shape in its place.
    """
    corners = triangles.reshape(-1, 3).astype(np.float64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    origin = np.array([*(low + high)[:2] / 2, low[2]])
    return ((triangles - origin) * (longest_side / (high - low).max())).astype(np.float32)


def _unique_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Does what np.unique(rows, axis=0, return_inverse=True) does, in a sixth of the time."""
    order = np.lexsort(rows.T)
    in_order = rows[order]
    is_first = np.ones(len(rows), dtype=bool)
    is_first[1:] = (in_order[1:] != in_order[:-1]).any(axis=1)
    inverse = np.empty(len(rows), dtype=np.int64)
    inverse[order] = np.cumsum(is_first) - 1
    return in_order[is_first], inverse


def _weld(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns vertices `[V, 3]` and faces `[F, 3]`, less copies and faces without area."""
    vertices, faces = _unique_rows(triangles.reshape(-1, 3))
    faces = faces.reshape(-1, 3)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    if not len(faces):
        raise MeshError("has no face with an area")
    # Rotated to start at their smallest index, equal faces are equal rows.
    start = faces.argmin(axis=1)[:, None]
    faces = np.take_along_axis(faces, (start + np.arange(3)) % 3, axis=1)
    return vertices, _unique_rows(faces)[0]


def two_sided(triangles: np.ndarray) -> np.ndarray:
    """Gives an open shape both sides of each face, so that it looks whole from everywhere.

    CAD files mix faces that point in and out, and sheets without thickness; a renderer draws the
    front of a face only, and chairs lose their seats. Drawing backs too is not a solution:
    files that hold each face twice, once each way, would flicker between a lit and a dark copy.

    Args:
        triangles: corners, float32 `[F, 3, 3]`.

    Returns:
        Corners, float32 `[G, 3, 3]`, without copies and faces without area. A shape of closed
        parts whose faces all point outward gets no second sides.
    """
    vertices, faces = _weld(triangles)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    if not (mesh.is_volume and (_volumes(mesh) > 0).all()):
        faces = _unique_rows(np.concatenate([faces, faces[:, [0, 2, 1]]]))[0]
    return vertices[faces]


def _volumes(mesh: trimesh.Trimesh) -> np.ndarray:
    """Signed volumes of the connected parts of a closed shape: negative where faces point in."""
    part = trimesh.graph.connected_component_labels(mesh.face_adjacency, len(mesh.faces))
    a, b, c = np.moveaxis(mesh.triangles - mesh.bounds[0], 1, 0)
    return np.bincount(part, np.sum(a * np.cross(b, c), axis=1)) / 6


def renderable(triangles: np.ndarray, grain: float) -> np.ndarray:
    """Returns the two-sided shape, made coarser where it has more faces than MuJoCo reads.

    Args:
        triangles: corners, float32 `[F, 3, 3]`.
        grain: the distance that may be lost, in the unit of the corners: of a shape with too many
            faces the points are moved to a grid that fine, where small faces vanish.

    Raises:
        MeshError: there are too many faces nevertheless, even with one side each; or none with an
            area.
    """
    shape = two_sided(triangles)
    if len(shape) > MAX_STL_FACES:
        coarse = (np.round(triangles / grain) * grain).astype(np.float32)
        shape = two_sided(coarse)
        if len(shape) > MAX_STL_FACES:
            vertices, faces = _weld(coarse)
            shape = vertices[faces]
    if len(shape) > MAX_STL_FACES:
        raise MeshError(
            f"has {len(shape):,} faces, more than the {MAX_STL_FACES:,} that MuJoCo reads: "
            "simplify it in a mesh editor"
        )
    return shape

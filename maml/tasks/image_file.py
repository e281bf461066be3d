"""Images of many classes in one compact file, with its checksum; arrays only, no pickle.

Or in a folder of shards, from which they are read when they are drawn; ``images.json`` in it says
what they are.
"""

import dataclasses
import hashlib
import io
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mine import reporting
from mine.reporting.inputs.arrays import read_npz
from mine.reporting.shards.reading import Shards
from mine.reporting.shards.stored import StoredImages
from mine.reporting.shards.writing import remove_others, write_shards
from mine.reporting.words import reason

INDEX = "images.json"
"""Of a folder of shards."""

BLOCK = 64
"""Images of a folder of shards that have a checksum together."""

_SPLIT = "split "

_MAX_TEXT = 2**24
"""Bytes of all names; a damaged file may claim any number."""


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """What a file of :mod:`maml.tasks.prepare` holds.

    Attributes:
        images: class after class, uint8 [images, height, width, channels]; of a folder
            :class:`mine.reporting.shards.stored.StoredImages`.
        names: of the classes.
        counts: number of images of each class, [classes].
        splits: name of a split -> for each class 0 (training), 1 (validation) or 2 (test).
        noted: the checksum of stored images, as it was noted when they were written; None to read
            all of them for it.

    Raises:
        ValueError: arrays that do not fit together, or of other types or values.
    """

    images: np.ndarray | StoredImages
    names: np.ndarray
    counts: np.ndarray
    splits: dict[str, np.ndarray]
    noted: str | None = None

    def __post_init__(self) -> None:
        check_images(self.images, self.counts)
        classes = len(self.counts)
        if np.shape(self.names) != (classes,):
            raise ValueError(
                f"Invalid value for `names`: expected those of {classes} classes; received "
                f"{list(np.shape(self.names))}."
            )
        for name, of in self.splits.items():
            values = np.asarray(of)
            if values.dtype.kind not in "iu" or values.shape != (classes,):
                raise ValueError(
                    f"Invalid value for `splits`: expected a whole number for each of {classes} "
                    f"classes; received {values.dtype} {list(values.shape)} for {name}."
                )
            if not np.isin(values, (0, 1, 2)).all():
                raise ValueError(
                    f"Invalid value for `splits`: expected 0, 1 or 2 for each class; received "
                    f"{values.min()} to {values.max()} for {name}."
                )

    def checksum(self) -> str:
        """SHA-256 of all there is, the same for a file and a folder of the same images."""
        if self.noted is not None:
            return self.noted
        digest = hashlib.sha256(repr((self.images.shape, sorted(self.splits))).encode())
        for _, part in sorted(self._arrays().items()):
            for content in _contents(part):
                digest.update(np.ascontiguousarray(content).data)
        return digest.hexdigest()

    def _arrays(self) -> dict[str, np.ndarray | StoredImages]:
        splits = {_SPLIT + name: of.astype(np.int8) for name, of in self.splits.items()}
        names = np.array("\n".join(self.names).encode())
        return {"images": self.images, "names": names, "counts": np.int64(self.counts)} | splits

    def save(self, path: os.PathLike) -> None:
        """Writes the file in one step."""
        content = io.BytesIO()
        np.savez_compressed(content, checksum=self.checksum(), **self._arrays())
        reporting.write(content.getbuffer(), pathlib.Path(path))

    @classmethod
    def load(cls, path: os.PathLike) -> "ImageFile":
        """Reads a file, or the index of a folder of shards.

        Raises:
            ValueError: there is no such file, or it is damaged or of another kind.
        """
        if (pathlib.Path(path) / INDEX).is_file():
            return _load_folder(pathlib.Path(path))
        if pathlib.Path(path).is_dir():
            raise ValueError(
                f"The folder {str(path)!r} holds no prepared images: make a file of them by python "
                f"-m maml.tasks.prepare --dataset=folder --source={path} --output=images.npz, and "
                "name it by --data."
            )
        if not pathlib.Path(path).is_file():
            raise ValueError(
                f"There is no file {str(path)!r} of images: make one with python -m "
                "maml.tasks.prepare, and name it by --data."
            )
        try:
            arrays = read_npz(path)
            names, checksum = (_text(arrays, part, kind) for part, kind in _TEXTS.items())
            found = cls(
                arrays["images"],
                np.array(names.decode().split("\n")),
                arrays["counts"],
                {k.removeprefix(_SPLIT): v for k, v in arrays.items() if k.startswith(_SPLIT)},
            )
        except (ValueError, KeyError) as error:
            raise ValueError(
                f"{path} is damaged, or no file of images ({reason(error)}): prepare it anew."
            ) from error
        if checksum != found.checksum():
            raise ValueError(f"{path} does not have the content of its checksum: prepare it anew.")
        return found


_TEXTS = {"names": "S", "checksum": "U"}
"""Array -> its kind, bytes or text."""


def _text(arrays: dict[str, np.ndarray], name: str, kind: str):
    """The text that is one of the arrays of a file."""
    of = arrays[name]
    if of.shape or of.dtype.kind != kind or of.nbytes > _MAX_TEXT:
        raise ValueError(f"its {name} are {of.dtype} {list(of.shape)}")
    return of.item()


def _contents(part: np.ndarray | StoredImages) -> Iterator[np.ndarray]:
    """An array, of stored images a block after the other."""
    if not isinstance(part, StoredImages):
        yield part
        return
    for first in range(0, len(part), BLOCK):
        yield part[first : first + BLOCK].read()


def save_folder(
    images: Iterable[np.ndarray],
    folder: pathlib.Path,
    num_files: int,
    num_images: int,
    described: Callable[[], tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]],
) -> ImageFile:
    """Writes images into a folder of shards, one block after the other.

    What was in the folder before is replaced when all is written; until then, and after an error,
    it is as it was.

    Args:
        images: class after class, uint8 [height, width, channels] each.
        folder: made if need be, in a folder that exists.
        num_files: over which the images are spread.
        num_images: how many there are, at most.
        described: gives names, counts and splits, as of :class:`ImageFile`, after all images were
            taken.

    Returns:
        What :meth:`ImageFile.load` reads then.

    Raises:
        ValueError: there is no image, or names, counts and splits do not fit.
        OSError: the folder cannot be written to, or the disk is full.
    """
    folder.mkdir(exist_ok=True)
    try:
        blocks = max(1, -(-num_images // BLOCK))
        index = write_shards(_blocks(images), folder, min(num_files, blocks), blocks)
        names, counts, splits = described()
        found = ImageFile(_stored(folder, index), names, counts, splits)
        content = {
            "images": index,
            "names": names.tolist(),
            "counts": counts.tolist(),
            "splits": {name: of.tolist() for name, of in splits.items()},
            "checksum": found.checksum(),
        }
        reporting.write_json(content | {"sha256": reporting.json_sha256(content)}, folder / INDEX)
        return dataclasses.replace(found, noted=content["checksum"])
    finally:
        if (kept := _listed(folder)) is not None:
            remove_others(folder, kept)


def _blocks(images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    images = iter(images)
    while block := list(itertools.islice(images, BLOCK)):
        yield np.stack(block)


def _stored(folder: pathlib.Path, index) -> StoredImages:
    shards = Shards(folder, index, "prepare it anew")
    return StoredImages.of(shards, (shards.num_images,))


def _listed(folder: pathlib.Path) -> list[str] | None:
    """Names of the shards of a folder; None if its index is damaged, so that they are not known."""
    if not (folder / INDEX).exists():
        return []
    try:
        return reporting.read_json(folder / INDEX)["images"]["files"]
    except (ValueError, KeyError, TypeError):
        return None


def _load_folder(folder: pathlib.Path) -> ImageFile:
    try:
        content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        checksum = content.pop("sha256")
        if checksum != reporting.json_sha256(content):
            raise ValueError("its content is not that of its checksum")
        names, counts = np.array(content["names"]), np.array(content["counts"])
        splits = {name: np.array(of) for name, of in content["splits"].items()}
        noted = content["checksum"]
        if names.dtype.kind != "U" or not isinstance(noted, str):
            raise ValueError("its names are no text")
        index = content["images"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{folder / INDEX} is damaged, or no index of images ({reason(error)}): prepare it "
            "anew."
        ) from error
    images = _stored(folder, index)
    try:
        return ImageFile(images, names, counts, splits, noted)
    except ValueError as error:
        raise ValueError(
            f"{folder / INDEX} is damaged ({reason(error)}): prepare it anew."
        ) from error


def check_images(images, counts) -> None:
    """Refuses images of classes that cannot be.

    Args:
        images: class after class, to be uint8 [images, height, width, channels], none of them 0;
            an array or stored images.
        counts: to be the number of images of each class, whole numbers from 1 on, [classes].

    Raises:
        ValueError: they are not.
    """
    images = images if isinstance(images, StoredImages) else np.asarray(images)
    counts = np.asarray(counts)
    if images.dtype != np.uint8 or images.ndim != 4 or not images.size:
        raise ValueError(
            "Invalid value for `images`: expected bytes from 0 to 255, uint8 [images, height, "
            f"width, channels]; received {images.dtype} {list(images.shape)}. Scale pixels to 0 to "
            "255 and convert them."
        )
    whole = counts.ndim == 1 and counts.dtype.kind in "iu" and counts.size
    if not whole or counts.min() < 1 or sum(counts.tolist()) != len(images):
        raise ValueError(
            "Invalid value for `counts`: expected how many images each class has, 1 or more, "
            f"{len(images)} in all; received {counts.dtype} {_shortened(counts)}."
        )


def _shortened(values: np.ndarray) -> str:
    return np.array2string(values, threshold=6, edgeitems=3).replace("\n", "")

"""Images of many classes in one compact file, with its checksum; arrays only, no pickle."""

import dataclasses
import hashlib
import io
import os
import pathlib

import numpy as np

from mine import reporting
from mine.reporting.inputs.arrays import read_npz
from mine.reporting.words import reason

_SPLIT = "split "

_MAX_TEXT = 2**24
"""Bytes of all names; a damaged file may claim any number."""


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """What a file of :mod:`maml.tasks.prepare` holds.

    Attributes:
        images: class after class, uint8 [images, height, width, channels].
        names: of the classes.
        counts: number of images of each class, [classes].
        splits: name of a split -> for each class 0 (training), 1 (validation) or 2 (test).

    Raises:
        ValueError: arrays that do not fit together, or of other types or values.
    """

    images: np.ndarray
    names: np.ndarray
    counts: np.ndarray
    splits: dict[str, np.ndarray]

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
        """SHA-256 of all there is."""
        digest = hashlib.sha256(repr((self.images.shape, sorted(self.splits))).encode())
        for _, part in sorted(self._arrays().items()):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def _arrays(self) -> dict[str, np.ndarray]:
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
        """Reads a file.

        Raises:
            ValueError: there is no such file, or it is damaged or of another kind.
        """
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


def check_images(images: np.ndarray, counts: np.ndarray) -> None:
    """Refuses images of classes that cannot be.

    Args:
        images: class after class, to be uint8 [images, height, width, channels], none of them 0.
        counts: to be the number of images of each class, whole numbers from 1 on, [classes].

    Raises:
        ValueError: they are not.
    """
    images, counts = np.asarray(images), np.asarray(counts)
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

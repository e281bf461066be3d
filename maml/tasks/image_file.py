"""Images of many classes in one compact file, with its checksum; arrays only, no pickle."""

import dataclasses
import hashlib
import io
import os
import pathlib
import zipfile
import zlib

import numpy as np

from mine import reporting

_SPLIT = "split "


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """What a file of :mod:`maml.tasks.prepare` holds.

    Attributes:
        images: class after class, uint8 [images, height, width, channels].
        names: of the classes.
        counts: number of images of each class, [classes].
        splits: name of a split -> for each class 0 (training), 1 (validation) or 2 (test).
    """

    images: np.ndarray
    names: np.ndarray
    counts: np.ndarray
    splits: dict[str, np.ndarray]

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
            with np.load(path, allow_pickle=False) as content:
                arrays = dict(content)
            found = cls(
                arrays["images"],
                np.array(arrays["names"].item().decode().split("\n")),
                arrays["counts"],
                {k.removeprefix(_SPLIT): v for k, v in arrays.items() if k.startswith(_SPLIT)},
            )
            whole = arrays["checksum"].item() == found.checksum()
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(
                f"{path} is damaged, or no file of images: prepare it anew."
            ) from error
        if not whole:
            raise ValueError(f"{path} does not have the content of its checksum: prepare it anew.")
        return found

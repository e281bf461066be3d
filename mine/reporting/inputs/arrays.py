"""Reading of arrays from files that may be damaged or made to harm; nothing in them is run."""

import os
import zipfile

import numpy as np

from mine.reporting.words import reason

_FREE_BYTES, _MOST_RATIO = 2**28, 200
"""An archive may unpack to this many bytes, or to this many times its own size if that is more."""


def read_arrays(
    path: os.PathLike | str, most_bytes: int | None = None
) -> np.ndarray | dict[str, np.ndarray]:
    """What NumPy saved: the array of an ``.npy`` file, or those of an ``.npz`` file by name.

    Args:
        path: of the file, whose content decides which it is.
        most_bytes: that the arrays may have; None for 256 MiB and 200 times the file's size.

    Raises:
        ValueError: it is damaged, holds other than arrays of plain values, or is too large. The
            message is the reason, without the path.
        OSError: it cannot be opened.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError("not a regular file")  # A pipe would wait.
    with open(path, "rb") as file:
        try:
            if not file.read(6).startswith((b"\x93NUMPY", b"PK\3\4", b"PK\5\6")):
                raise ValueError("its content is none that NumPy saves")
            _check_size(file, most_bytes)
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content
            arrays = {name: content[name] for name in content.files}
            for name, found in arrays.items():
                if not isinstance(found, np.ndarray):
                    raise ValueError(f"{name} is not an array")
            return arrays
        # Damage shows as errors of zipfile, zlib, lzma, tokenize, ast, struct, memory or NumPy.
        except Exception as error:
            why = reason(error)
            if why.startswith("Object arrays"):
                why = "Python objects, which are not read; save numbers"
            raise ValueError(why) from error


def read_npz(path: os.PathLike | str) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file, by name; errors as of :func:`read_arrays`."""
    arrays = read_arrays(path)
    if isinstance(arrays, np.ndarray):
        raise ValueError("a single array, of an .npy file")
    return arrays


def _check_size(file, most: int | None) -> None:
    packed = size = file.seek(0, os.SEEK_END)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
    most = max(_FREE_BYTES, _MOST_RATIO * packed) if most is None else most
    if size > most:
        raise ValueError(f"it unpacks to {size:,} bytes, and {most:,} are the most")
    file.seek(0)

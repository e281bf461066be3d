"""Reading of arrays from files that may be damaged or made to harm; nothing in them is run."""

import os
import zipfile

import numpy as np

_FREE_BYTES, _MOST_RATIO = 2**28, 200
"""An archive may unpack to this many bytes, or to this many times its own size if that is more."""


def read_npz(path: os.PathLike | str) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file, by name.

    Args:
        path: of the file.

    Raises:
        ValueError: it is damaged, holds other than arrays of plain values, or unpacks to more than
            data do (256 MiB and 200 times its size). The message is the reason, without the path.
        OSError: it cannot be opened.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError("no regular file")  # A pipe would wait.
    with open(path, "rb") as file:
        try:
            _check_unpacked_size(file)
            with np.load(file, allow_pickle=False) as content:
                arrays = {key: content[key] for key in content.files}
        # Damage shows as errors of zipfile, zlib, lzma, tokenize, ast, struct or NumPy.
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise ValueError(f"no whole .npz file: {reason}") from error
    other = next((key for key, of in arrays.items() if not isinstance(of, np.ndarray)), None)
    if other is not None:
        raise ValueError(f"no .npz file of arrays: {other} is none")
    return arrays


def _check_unpacked_size(file) -> None:
    packed = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(_FREE_BYTES, _MOST_RATIO * packed):
        raise ValueError(f"{packed:,} bytes unpack to {unpacked:,}")
    file.seek(0)

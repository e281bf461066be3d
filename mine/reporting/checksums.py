"""Checksums that reveal damage: of files, of JSON, and at the end of a binary file."""

import hashlib
import json
import os
import pathlib

_MARK, _DIGITS = b"\nsha256:", 64
_BLOCK = 1 << 20


def file_sha256(path: os.PathLike) -> str:
    """The checksum of a file, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    path = pathlib.Path(path)
    return _sha256(path, path.stat().st_size)


def json_sha256(content) -> str:
    """The checksum of what JSON can hold, the same before it is written and after it is read."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sealed(content: bytes) -> bytes:
    """A file's content with its checksum behind it, where readers of HDF5 do not look."""
    return content + _MARK + hashlib.sha256(content).hexdigest().encode()


def check_seal(path: os.PathLike, required: bool = False) -> None:
    """Refuses a file that has changed since :func:`sealed`.

    Args:
        path: of the file.
        required: whether a file without a checksum, of an older version, is refused too.

    Raises:
        ValueError: the content is not that of the checksum, or there is none.
        OSError: it cannot be read.
    """
    path = pathlib.Path(path)
    size = path.stat().st_size - len(_MARK) - _DIGITS
    line = b""
    if size >= 0:
        with path.open("rb") as file:
            file.seek(size)
            line = file.read()
    if not line.startswith(_MARK):
        if required:
            raise ValueError("it does not end in its checksum")
    elif line != _MARK + _sha256(path, size).encode():
        raise ValueError("its content is not that of its checksum")


def _sha256(path: pathlib.Path, size: int) -> str:
    """The checksum of the first bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()

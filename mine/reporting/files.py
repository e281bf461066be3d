"""Files of results, each written in one step."""

import contextlib
import json
import math
import os
import pathlib
import zlib
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: os.PathLike, suffix: str = "") -> Iterator[pathlib.Path]:
    """Yields a temporary path that takes the place of ``path`` when the block ends without error.

    So no reader or resumed run meets half a file. The temporary name starts with a dot and holds
    ``.tmp``: what a killed process leaves behind is not taken for data.

    Args:
        path: of the file to write; its folder must exist.
        suffix: of the temporary name after ``.tmp``, for writers that go by the ending.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    path = pathlib.Path(path)
    name, raw = path.name, os.fsencode(path.name)
    if len(raw) > 200:  # A name has 255 bytes at most.
        name = f"{name[:40]}.{zlib.crc32(raw):08x}"
    temporary = path.with_name(f".{name}.{os.getpid()}.tmp{suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(content: bytes, path: os.PathLike) -> None:
    """Writes a file in one step: see :func:`replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(content: dict | list, path: pathlib.Path) -> None:
    """Writes JSON in one step; NaN and infinite numbers become null."""

    def clean(value):
        if isinstance(value, dict):
            return {key: clean(of) for key, of in value.items()}
        if isinstance(value, list | tuple):
            return [clean(of) for of in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    write((json.dumps(clean(content), indent=2) + "\n").encode(), path)


def read_json(path: pathlib.Path, *keys: str) -> dict:
    """Reads what :func:`write_json` wrote; a mean that is null is NaN again.

    Args:
        path: of the file.
        *keys: required keys.

    Raises:
        ValueError: the file is damaged, or lacks a key.
        OSError: the file cannot be read.
    """

    def numbers(content):
        return content | {"mean": math.nan} if content.get("mean", 0) is None else content

    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_hook=numbers)
    except ValueError as error:
        raise ValueError(
            f"Cannot read {path}: expected JSON; received a damaged file ({error}); remove it and "
            "run again."
        ) from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise ValueError(
            f"Invalid file {path}: expected the results of a run; received JSON without "
            f"{missing[0]!r}; choose another folder."
        )
    return content

"""Files of results, each written in one step: whole, or as it was."""

import contextlib
import errno
import fcntl
import json
import math
import os
import pathlib
import secrets
from collections.abc import Callable, Iterator

from mine.reporting.words import reason

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a disk, or of a share of it, that is full."""


@contextlib.contextmanager
def replacing(
    path: os.PathLike | str,
    suffix: str = "",
    place: Callable[[], os.PathLike | str] | None = None,
) -> Iterator[pathlib.Path]:
    """Yields a temporary file that takes the place of ``path`` when the block ends without error.

    So no reader or resumed run meets half a file, nor is a file lost to a full disk or a power cut.
    The temporary name starts with a dot and holds ``.tmp``; what a killed process left behind is
    removed when the file is written again.

    Args:
        path: of the file to write; its folder must exist. A link is replaced, not followed.
        suffix: of the temporary name after ``.tmp``, for writers that go by the ending.
        place: gives the path in place of ``path`` when the block has ended, for a file that is
            named by its content.

    Raises:
        OSError: the folder cannot be written to, or the disk is full; ``filename`` is ``path``.
    """
    path = pathlib.Path(path)
    if path.is_dir():  # As "" and "." are.
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    with named(path):
        _remove_leftovers(path)
        temporary, handle = _new_file(path, suffix)
        try:
            yield temporary
            os.fsync(handle)
            os.replace(temporary, place() if place else path)
        except OSError as error:
            if error.filename == os.fspath(temporary):
                error.filename = None  # Of no use to anyone: it is named by the file it stands for.
            raise
        finally:
            temporary.unlink(missing_ok=True)
            os.close(handle)


@contextlib.contextmanager
def named(path: os.PathLike | str) -> Iterator[None]:
    """Has errors of the file system in the block name ``path``, where they name nothing."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(path)) from error


def _prefix(path: pathlib.Path) -> str:
    return f".{path.name[:50]}."  # A name may have 255 bytes.


def _new_file(path: pathlib.Path, suffix: str) -> tuple[pathlib.Path, int]:
    """A file of a name that nobody can guess, locked for as long as its writer lives."""
    while True:
        name = f"{_prefix(path)}{secrets.token_hex(8)}.tmp{suffix}"
        temporary = path.with_name(name)
        try:
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        if lock(handle, temporary):
            return temporary, handle
        os.close(handle)  # Another process took it for a leftover.


def _remove_leftovers(path: pathlib.Path) -> None:
    start = _prefix(path)
    for name in os.listdir(path.parent):
        if not name.startswith(start) or ".tmp" not in name:
            continue
        with contextlib.suppress(OSError):  # Of another user, or gone: not ours to remove.
            handle = os.open(path.with_name(name), os.O_RDWR | os.O_NOFOLLOW)
            try:
                if lock(handle, path.with_name(name)):
                    os.unlink(path.with_name(name))
            finally:
                os.close(handle)


def lock(handle: int, path: os.PathLike) -> bool:
    """Locks an open file for this process, until it is closed or the process ends.

    Args:
        handle: of the file.
        path: that it was opened by.

    Returns:
        Whether it is this process's now, and still the file at the path.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK):
            return True  # A file system without locks: better to work than to refuse.
        raise


def write(content: bytes | memoryview, path: os.PathLike | str) -> None:
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
            f"Cannot read {path}: expected JSON; received a damaged file ({reason(error)}); "
            "remove it and run again."
        ) from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise ValueError(
            f"Invalid file {path}: expected the results of a run; received JSON without "
            f"{missing[0]!r}; choose another folder."
        )
    return content

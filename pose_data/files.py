"""Writing files so that a reader never sees half of one."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, which takes its place when the block ends well.

    Args:
        path: the file to write; its folder must exist.

    Yields:
        The path to write to. Its name starts with a dot and has no image or mesh suffix, so what a
        killed process leaves behind is never taken for data.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes `content` to `path` in one step. Raises OSError as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)

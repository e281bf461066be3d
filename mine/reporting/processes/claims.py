"""One process at a time writes into a folder."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from mine.reporting.files import lock

LOCK = ".lock"


class ClaimedError(FileExistsError):
    """Another process works in a folder."""


@contextlib.contextmanager
def claim(folder: os.PathLike | str, file: str = "") -> Iterator[pathlib.Path]:
    """Makes a folder this process's own for as long as the context lasts.

    The lock is the system's: that of a process that was killed is gone.

    Args:
        folder: made if absent, and removed again if nothing was written into it.
        file: claims only the file of this name in the folder.

    Raises:
        ClaimedError: another process works there.
        OSError: the folder cannot be made or written to.
    """
    folder = pathlib.Path(folder)
    absent = [of for of in (folder, *folder.parents) if not of.exists()]
    path = folder / (f".{file}{LOCK}" if file else LOCK)
    handle = _locked(path, folder / file)
    try:
        yield folder
    finally:
        path.unlink(
            missing_ok=True
        )  # Before it is unlocked: who waits for it sees that it is gone.
        os.close(handle)
        with contextlib.suppress(OSError):  # It holds files.
            for made in absent:
                made.rmdir()


def _locked(path: pathlib.Path, place: pathlib.Path) -> int:
    """Opens and locks the file of a lock, which holds the number of its process."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:  # Whoever had made the folder has just removed it.
            continue
        except OSError as error:
            if not path.is_symlink():  # The folder is at fault, as one that is read-only.
                error.filename = os.fspath(place)
            raise
        try:
            if lock(handle, path):
                with contextlib.suppress(OSError):  # A full disk: the lock holds without a number.
                    os.ftruncate(handle, 0)
                    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
                return handle
            owner = os.pread(handle, 20, 0).decode(errors="replace").strip()
            if not path.exists():  # Its owner has just ended.
                os.close(handle)
                continue
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        who = f"process {owner}" if owner.isdecimal() else "its number is not known"
        raise ClaimedError(
            f"Another process works in {place} ({who}): wait until it is done, or name another "
            "place."
        )

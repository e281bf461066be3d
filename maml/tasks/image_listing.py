"""The images in a folder, in its folders, and in the zips on its top."""

import collections
import dataclasses
import os
import pathlib
import zipfile
from collections.abc import Iterator
from typing import IO

from mine.reporting.inputs.image_reader import HIDDEN, SUFFIXES, Source, is_hidden, why_no_image
from mine.reporting.inputs.skipped import Skipped
from mine.reporting.processes.claims import LOCK
from mine.reporting.words import reason

MAX_MEMBER_BYTES = 2**30
"""Of an image in a zip; a zip may claim any size."""

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}


@dataclasses.dataclass(frozen=True)
class Member:
    """An image in a zip, which a call opens.

    Attributes:
        archive: the zip.
        member: of it.
        place: the names of the zip and of the image in it, for messages.
    """

    archive: zipfile.ZipFile
    member: zipfile.ZipInfo
    place: str

    def __call__(self) -> IO[bytes]:
        return self.archive.open(self.member)


def place_of(name: str, source: Source) -> str:
    """Where an image of :func:`list_images` is, for messages: its name, and that of its zip."""
    return source.place if isinstance(source, Member) else name


def list_images(folder: pathlib.Path, skipped: Skipped) -> dict[str, Source]:
    """The images in a folder and in the zips there, sorted by name.

    Args:
        folder: its folders are read, through links too, each once.
        skipped: takes what is left out.

    Returns:
        Name below the folder, or in a zip -> what ``read_image`` takes.

    Raises:
        ValueError: there is none.
    """
    found: dict[str, Source] = {}
    for path in _files(folder, skipped):
        name = path.relative_to(folder).as_posix()
        if path.parent == folder and path.suffix.lower() == ".zip":
            if (folder / path.stem).is_dir():
                skipped.leave(name, "zips that are unpacked already")
                continue
            members = _members(path, skipped)
        elif why := why_no_image(name):
            skipped.leave(name, why)
            continue
        else:
            members = {name: path}
        for name, opened in members.items():
            if name in found:
                skipped.damage(place_of(name, opened), "is there twice: rename one")
            else:
                found[name] = opened
    if not found:
        why = next(iter(skipped.lines()), "it is empty")
        raise ValueError(f"{folder} holds no images that can be read. {why}.")
    return dict(sorted(found.items()))


def _files(folder: pathlib.Path, skipped: Skipped) -> Iterator[pathlib.Path]:
    """All files below a folder, each folder once, links to folders after all others."""
    folders, links, seen = collections.deque([folder]), collections.deque(), set()
    while folders or links:
        top = (folders or links).popleft()
        name = top.relative_to(folder).as_posix()
        try:
            status = top.stat()
            entries = sorted(os.listdir(top))
        except OSError as error:
            skipped.damage(top, f"cannot be read ({error.strerror})")
            continue
        if (status.st_dev, status.st_ino) in seen:
            skipped.leave(name, "links to folders that are read already")
            continue
        seen.add((status.st_dev, status.st_ino))
        if not entries:
            skipped.leave(name, "folders without files")
        for entry in entries:
            path = top / entry
            if entry.endswith(LOCK) and is_hidden(entry):
                continue  # Of a command that writes here, such as the one that asks.
            if is_hidden(entry):
                skipped.leave(path.relative_to(folder).as_posix(), HIDDEN)
            elif os.path.isdir(path):
                (links if os.path.islink(path) else folders).append(path)
            elif os.path.isfile(path):
                yield path
            elif os.path.islink(path) or path.suffix.lower() in (*SUFFIXES, ".zip"):
                skipped.damage(path, "is not a regular file, or out of reach")  # A pipe would wait.
            else:
                skipped.leave(path.relative_to(folder).as_posix(), "no regular files")


def _members(path: pathlib.Path, skipped: Skipped) -> dict[str, Source]:
    """The images in a zip: name -> what opens one."""
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        skipped.damage(path, f"cannot be read ({error.strerror or error})")
        return {}
    # Damage shows as errors of zipfile and struct, or as names that are no UTF-8.
    except Exception as error:
        skipped.damage(path, f"is damaged ({reason(error)}): get it anew")
        return {}
    found: dict[str, Source] = {}
    for member in archive.infolist():
        name = member.filename.replace("\\", "/")  # Some programs of Windows pack so.
        whole = f"{path.name}/{name}"
        if name.endswith("/"):  # A folder; ``is_dir`` fails on an empty name.
            continue
        if not name:
            skipped.damage(path, "has a file without a name: get it anew")
        elif why := why_no_image(name):
            skipped.leave(whole, why)
        elif member.flag_bits & 1:
            skipped.damage(whole, "is locked by a password: pack it anew without")
        elif member.compress_type not in _METHODS:
            skipped.damage(
                whole, f"is packed by method {member.compress_type}: pack it anew with Deflate"
            )
        elif member.file_size > MAX_MEMBER_BYTES:
            skipped.damage(whole, f"unpacks to {member.file_size:,} bytes: get it anew")
        elif name in found:
            skipped.damage(whole, "is there twice: rename one")
        else:
            found[name] = Member(archive, member, whole)
    return found

"""Results in files: written whole or not at all, with where they come from."""

import json
import math
import os
import pathlib


def write(content: bytes, path: pathlib.Path) -> None:
    """Writes a file in one step: a reader, or a run that goes on, never sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(content: dict | list, path: pathlib.Path) -> None:
    """Writes JSON in one step; what is not finite becomes null, which numpy reads as NaN."""

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
        *keys: what it must hold.

    Raises:
        ValueError: it is damaged, or holds something else; the message names it.
        OSError: it cannot be read.
    """

    def numbers(content):
        return content | {"mean": math.nan} if content.get("mean", 0) is None else content

    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_hook=numbers)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): remove it and run again.") from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise ValueError(f"{path} has no {missing[0]!r}, so it is of no run: name another folder.")
    return content

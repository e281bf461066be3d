"""Results in files: written whole or not at all, with where they come from."""

import datetime
import io
import json
import math
import os
import pathlib
import platform
import shlex
import sys
from collections.abc import Iterable

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")
"""Of lines that must be told apart, by the colour-blind too (Tol 2021, "bright")."""


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


def tables(result: dict, text: str, folder: pathlib.Path, name: str) -> None:
    """Writes ``NAME.json`` and, the same for readers, ``NAME.md``; makes the folder if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(result, folder / f"{name}.json")
    write(text.encode(), folder / f"{name}.md")


def either(numbers: Iterable[int]) -> str:
    """The different ones of some numbers in words: "5", or "4,000 or 8,000"."""
    return " or ".join(f"{number:,}" for number in sorted(set(numbers)))


def table(columns: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> list[str]:
    """Lines of a table in Markdown; rows that are short are filled up.

    Args:
        columns: their titles.
        rows: texts, at most one for each column.
        left: so many columns are of words; the others, of numbers, go to the right.
    """

    def line(cells):
        return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

    columns, rows = list(columns), [list(row) for row in rows]
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    return [
        line(columns),
        line(rule),
        *(line(row + [""] * (len(columns) - len(row))) for row in rows),
    ]


def picture(figure, path: pathlib.Path, **options) -> None:
    """Writes a figure of matplotlib as PNG in one step; ``options`` are of its ``savefig``."""
    content = io.BytesIO()
    figure.savefig(content, format="png", **({"dpi": 110} | options))
    write(content.getvalue(), pathlib.Path(path))


def hardware() -> str:
    """The processor in words, and how many of it."""
    cpuinfo, known = pathlib.Path("/proc/cpuinfo"), {}
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        key, _, value = line.partition(":")
        known.setdefault(key.strip(), value.strip())
    name = known.get("model name") or platform.processor() or platform.machine()
    if {"cpu family", "model"} <= known.keys():
        # Of one name there may be several, whose instructions, and so whose numbers, differ.
        name += f" (family {known['cpu family']}, model {known['model']})"
    return f"{os.cpu_count()} x {name}"


def provenance(program: str) -> dict[str, str]:
    """What stands beside every table.

    Args:
        program: what Python ran: a module, or a path ending in ``.py``.

    Returns:
        ``command`` as one would type it, ``hardware``, ``date``.
    """
    run = [program] if program.endswith(".py") else ["-m", program]
    return {
        "command": shlex.join(["python", *run, *sys.argv[1:]]),
        "hardware": hardware(),
        "date": datetime.date.today().isoformat(),
    }

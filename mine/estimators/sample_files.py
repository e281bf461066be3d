"""Reads samples from files, which may be damaged or made to harm: nothing in them is run."""

import csv
import io
import itertools
import os
import pathlib
import re

import numpy as np

from mine.estimators.preprocessing import numbers_samples
from mine.reporting.inputs.arrays import read_arrays
from mine.reporting.words import reason

MAX_BYTES = 2**28
"""Largest size of the arrays of a file, also as the float64 that they become."""

MAX_TEXT_BYTES = 2**25
"""Largest size of a file of text, which takes seconds to read."""

MAX_LINES, MAX_LINE = 2**20, 2**20
"""Most lines of a file of text, and most characters of a line."""

DECIMAL_COMMA = re.compile(r",\s*0\d|(^|,)\s*-0\s*,")
"""What is written before or after a decimal comma, but not before or after one that separates."""

COMMENT = re.compile(r"#(?!(N/A|DIV/0!|REF!|VALUE!|NAME\?|NUM!|NULL!)([;,\s]|$))")
"""What a comment begins with, but not what spreadsheets write for a value that is missing."""


def read(path: os.PathLike | str) -> np.ndarray | dict[str, np.ndarray]:
    """The array of a ``.npy`` or ``.csv`` file, or those of an ``.npz`` file by name.

    A ``.csv`` file has a sample a line, and may begin with a line of names. Values are separated by
    commas, semicolons, tabs or spaces; unless by commas, a decimal comma is a point. Blank lines
    and those that begin with # are left out. A column without a name that numbers the lines, as an
    index does, is refused.

    Args:
        path: of the file.

    Raises:
        ValueError: the name has another ending, or the file is damaged, too large, or holds other
            than numbers.
        OSError: it cannot be opened.
    """
    path = pathlib.Path(path)
    if path.suffix not in (".npz", ".npy", ".csv"):
        raise ValueError(
            f"Invalid file {path}: expected a name that ends in .npz, .npy or .csv; received "
            f"{path.suffix or 'none of them'}."
        )
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError(f"Invalid file {path}: expected a regular file; received a device.")
    return _read_table(path) if path.suffix == ".csv" else _read_arrays(path)


def _read_arrays(path: pathlib.Path) -> np.ndarray | dict[str, np.ndarray]:
    try:
        found = read_arrays(path, MAX_BYTES)
        size = sum(of.size for of in (found.values() if isinstance(found, dict) else [found]))
        if size > MAX_BYTES // 8:
            raise ValueError(f"it holds {size:,} numbers, and {MAX_BYTES // 8:,} are the most")
    except ValueError as error:
        raise ValueError(
            f"Cannot read {path}: expected arrays of numbers that NumPy saved; received a damaged "
            f"or another file ({reason(error)})."
        ) from error
    return found


def _read_table(path: pathlib.Path) -> np.ndarray:
    lines = _lines(path)
    told = re.fullmatch("sep=([;,|])", lines[0]) if lines else None  # As spreadsheets write it.
    lines = lines[1:] if told else lines
    separator = next((mark for mark in ";\t," if mark in "".join(lines[:2])), " ")
    separator = told[1] if told else separator
    if separator != ",":
        lines = [line.replace(",", ".") for line in lines]
    first = _cells(lines[0], separator) if lines else []
    named = not any(map(_is_number, first)) or not first[0]
    if named:
        _check_names(path, first)
    if not lines[named:]:
        raise ValueError(f"Invalid file {path}: expected lines of numbers; received none.")
    columns = len(_cells(lines[named], separator))
    if len(first) != columns:
        raise ValueError(
            f"Invalid file {path}: expected a name for each of {columns} columns; received "
            f"{len(first)}; name all, and write no decimal commas."
        )
    line = ""

    def given():
        nonlocal line
        for line in lines[named:]:
            if separator == "," and DECIMAL_COMMA.search(line):
                raise ValueError("decimal comma")
            yield line

    delimiter = None if separator == " " else separator
    try:
        table = np.loadtxt(given(), delimiter=delimiter, comments=None, quotechar='"', ndmin=2)
    except ValueError as error:
        raise ValueError(
            f"Invalid file {path}: {_fault(line, separator, columns)}; received {line[:60]!r}."
        ) from error
    _check_kept(path, table, lines[named:], separator)
    # Names that pandas gives to columns without one.
    numbered = first == [str(index) for index in range(columns)]
    table = table[1:] if numbered and (table[1:] != np.floor(table[1:])).any() else table
    if not named and columns > 1:
        _check_no_index(path, table)
    return table


def _check_kept(path, table, lines, separator) -> None:
    """Refuses whole numbers that differ and are equal as float64, such as times in nanoseconds."""
    for number in np.flatnonzero((np.abs(table) >= 2**53).any(axis=0)):
        words = {_cells(line, separator)[number] for line in lines}
        given = {int(word) for word in words if re.fullmatch(r"[+-]?\d{16,30}", word)}
        if len(set(map(float, given))) < len(given):
            raise ValueError(
                f"Invalid file {path}: expected numbers that float64 can tell; received column "
                f"{number + 1}, whose {len(given)} different whole numbers from 10^15 on become "
                f"{len(set(map(float, given)))}; subtract a constant first."
            )


def _check_no_index(path, table) -> None:
    """Refuses an index in a table without names: with names, the column is meant."""
    for number, values in enumerate(table.T, 1):
        if numbers_samples(values):
            raise ValueError(
                f"Invalid file {path}: expected columns of samples; received column {number}, "
                f"{values[0]:.0f}, {values[1]:.0f}, {values[2]:.0f}, ..., which numbers the "
                "lines as an index does; leave it out (in pandas, to_csv(index=False)), or give "
                "all columns names in a first line."
            )


def _lines(path: pathlib.Path) -> list[str]:
    """The lines that are neither blank nor comments."""
    content = path.read_bytes() if path.stat().st_size <= MAX_TEXT_BYTES else b""
    received = ""
    if path.stat().st_size > MAX_TEXT_BYTES or max(map(content.count, b"\r\n")) > MAX_LINES:
        received = "more; save the samples as .npy"
    elif b"\0" in content:
        received = "binary content"
    if received:
        raise ValueError(
            f"Invalid file {path}: expected text in UTF-8, at most {MAX_TEXT_BYTES:,} bytes and "
            f"{MAX_LINES:,} lines; received {received}."
        )
    # Names may be in any encoding; they are not used.
    text = io.StringIO(content.decode("utf-8-sig", "replace"), newline=None)
    every = list(map(str.strip, text))
    _check_gaps(path, every)
    lines = [line for line in every if line and not COMMENT.match(line)]
    longest = max(map(len, lines), default=0)
    if longest > MAX_LINE:
        raise ValueError(
            f"Invalid file {path}: expected lines of at most {MAX_LINE:,} characters; received "
            f"{longest:,}; save the samples as .npy."
        )
    return lines


def _check_gaps(path, lines) -> None:
    """Refuses an empty line between the samples of one column: there it is a missing value."""
    samples = [
        index
        for index, line in enumerate(lines)
        if line and not COMMENT.match(line) and not line.startswith("sep=")
    ]
    if any(re.search(r"[;,|\t ]", lines[index]) for index in samples):
        return
    # The first may hold a name. A file may be written with an empty line after each.
    gaps = [(a, b) for a, b in itertools.pairwise(samples[1:]) if not all(lines[a + 1 : b])]
    if gaps and (len(gaps) < len(samples) - 2 or any(b - a != 2 for a, b in gaps)):
        raise ValueError(
            f"Invalid file {path}: expected a number for each sample; received none in line "
            f"{gaps[0][0] + 2}; if one is missing there, leave its sample out of all files, and "
            "the line otherwise."
        )


def _check_names(path, names) -> None:
    """Refuses a column without a name: it is the index of a table, which counts its rows."""
    for number, name in enumerate(names, 1):
        if name.startswith("#") and not COMMENT.match(name):
            raise ValueError(f"Invalid file {path}: expected numbers, not {name!r}.")
        if not name or re.fullmatch(r"Unnamed: \d+", name):
            raise ValueError(
                f"Invalid file {path}: expected a name for each column; received none for column "
                f"{number}, as an index has; leave it out (in pandas, to_csv(index=False)), or "
                "name it."
            )


def _fault(line: str, separator: str, columns: int) -> str:
    """What is expected of a line, and what it does not do."""
    cells = _cells(line, separator)
    if separator == "," and DECIMAL_COMMA.search(line):
        return (
            "expected numbers separated by commas, not decimal commas; write points, or separate "
            "values by semicolons"
        )
    if len(cells) != columns:
        return f"expected {columns} values in each line, not {len(cells)}"
    wrong = next((cell for cell in cells if not _is_number(cell)), line)
    return f"expected numbers, not {wrong[:40]!r}"


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        line = " ".join(line.split())
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
    except csv.Error:  # A cell is longer than any number.
        return [line]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True

"""Tables in Markdown and CSV, and results as a pair of files, one for people, one for programs."""

import csv
import html
import pathlib
from collections.abc import Iterable

from mine.reporting.files import write, write_json
from mine.reporting.words import reason


def write_tables(result: dict, text: str, folder: pathlib.Path, name: str) -> None:
    """Writes a result as ``NAME.json`` and as ``NAME.md``; makes the folder if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(result, folder / f"{name}.json")
    write(text.encode(), folder / f"{name}.md")


def origins(records: Iterable[dict]) -> list[str]:
    """A line for each command, machine and day that records come from, sorted.

    Args:
        records: with what :func:`mine.reporting.provenance` gives.
    """
    return sorted({f"`{of['command']}`, {of['hardware']}, {of['date']}." for of in records})


def join_numbers(numbers: Iterable[int]) -> str:
    """The distinct numbers as a phrase: "5", or "4,000 or 8,000"."""
    return " or ".join(f"{number:,}" for number in sorted(set(numbers)))


def counted(number: int, noun: str) -> str:
    """A number of things as a phrase: "1 file", "4,000 classes", "2 entries".

    Args:
        number: how many.
        noun: what they are, in the singular; words before it are left as they are.
    """
    if number == 1:
        return f"{number} {noun}"
    if noun.endswith(("s", "x", "ch", "sh")) and not noun.endswith("epoch"):
        return f"{number:,} {noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}s"


def markdown_table(
    columns: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1
) -> list[str]:
    """Lines of a table in Markdown; short rows are filled with empty cells.

    Args:
        columns: titles.
        rows: texts, at most one for each column.
        left: number of columns of text, aligned left; the others, of numbers, are aligned right.
    """

    def line(cells: Iterable[str]) -> str:
        # A cell with a line break would end its row.
        texts = [" ".join(cell.splitlines()).replace("|", r"\|") for cell in cells]
        return f"| {' | '.join(texts)} |"

    titles, filled = list(columns), [list(row) for row in rows]
    rule = ["---"] * left + ["---:"] * (len(titles) - left)
    return [
        line(titles),
        line(rule),
        *(line(row + [""] * (len(titles) - len(row))) for row in filled),
    ]


def html_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in HTML, for notebooks and pages: every text is escaped; it scrolls by itself.

    Args:
        columns: titles.
        rows: texts; the first of each is the head of its row.
    """

    style = "style='text-align: left'"

    def line(first: str, *others: str) -> str:
        cells = "".join(f"<td {style}>{html.escape(text)}</td>" for text in others)
        return f"<tr><th scope='row' {style}>{html.escape(first)}</th>{cells}</tr>"

    head = "".join(f"<th scope='col' {style}>{html.escape(title)}</th>" for title in columns)
    body = "".join(line(*row) for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='scroll' tabindex='0' style='overflow-x: auto'>{table}</div>"


def read_csv(path: pathlib.Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """The lines of a table of comma-separated values, in UTF-8, with a header.

    Args:
        path: of the file.
        columns: that it must have; further ones are read too.

    Returns:
        For each line its values by column; None where it is too short.

    Raises:
        ValueError: it is not such a table, or lacks a column.
        OSError: it cannot be read.
    """
    try:  # Spreadsheets begin UTF-8 with a mark.
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            named, lines = table.fieldnames or [], list(table)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8: save it as such.") from error
    except csv.Error as error:
        raise ValueError(
            f"{path} is not a table of comma-separated values ({reason(error)})."
        ) from error
    if not set(columns) <= set(named):
        raise ValueError(
            f"{path}, line 1: must name the columns {','.join(columns)}, separated by commas."
        )
    return lines

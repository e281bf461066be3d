"""Tables in Markdown, and results as a pair of files, one for people and one for programs."""

import pathlib
from collections.abc import Iterable

from mine.reporting.files import write, write_json


def write_tables(result: dict, text: str, folder: pathlib.Path, name: str) -> None:
    """Writes a result as ``NAME.json`` and as ``NAME.md``; makes the folder if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(result, folder / f"{name}.json")
    write(text.encode(), folder / f"{name}.md")


def join_numbers(numbers: Iterable[int]) -> str:
    """The distinct numbers as a phrase: "5", or "4,000 or 8,000"."""
    return " or ".join(f"{number:,}" for number in sorted(set(numbers)))


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
        return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

    titles, filled = list(columns), [list(row) for row in rows]
    rule = ["---"] * left + ["---:"] * (len(titles) - left)
    return [
        line(titles),
        line(rule),
        *(line(row + [""] * (len(titles) - len(row))) for row in filled),
    ]

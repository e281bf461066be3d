"""One table from many runs of any problem: prints it, and writes Markdown, JSON and pictures.

    python -m maml.compare --runs=LOGS --output=LOGS

``--runs`` names folders of runs, or folders that hold such folders. ``report.html`` is the page of
a browser. Nothing here needs TensorFlow.
"""

import json
import pathlib
import sys
from collections.abc import Mapping, Sequence

import matplotlib.figure
from absl import flags

from maml.experiments.report import comparison, page
from mine import reporting
from mine.reporting import commands


def picture(rows: Sequence[Mapping], path: pathlib.Path) -> None:
    """The table as a PNG."""
    titles, texts = comparison.columns(rows), [comparison.cells(row, rows) for row in rows]
    longest = [max(map(len, column)) + 2 for column in zip(titles, *texts, strict=True)]
    figure = matplotlib.figure.Figure(figsize=(0.085 * sum(longest), 0.32 * (len(rows) + 1)))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.axis("off")
    widths = [length / sum(longest) for length in longest]
    table = axis.table(texts, colLabels=titles, colWidths=widths, bbox=(0, 0, 1, 1))
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    for (_, column), cell in table.get_celld().items():
        cell.set_edgecolor("#cccccc")
        cell.set_text_props(ha="left" if column == 0 else "right")
        cell.PAD = 0.05 if column == 0 else 0.1
    reporting.picture(figure, path, bbox_inches="tight")


def compare(folders: Sequence[str], output: str) -> str:
    """Writes ``table.md``, ``table.json``, ``table.png``, ``curves.png`` and ``report.html``.

    Args:
        folders: of runs, or that hold such folders.
        output: the folder to write to.

    Returns:
        The table in Markdown.

    Raises:
        FileNotFoundError: a folder holds no finished run.
        ValueError: the runs cannot be compared.
    """
    folder = pathlib.Path(output)
    records = comparison.find_runs(folders)
    rows = comparison.tabulate(records)
    text = comparison.markdown(rows, records)
    result = {"rows": rows, "data": records[0]["data"]}
    reporting.write_tables(json.loads(json.dumps(result)), text, folder, "table")
    picture(rows, folder / "table.png")
    comparison.draw_curves(records, folder / "curves.png")
    groups = [(comparison.task_of(records[0]["config"]), records)]
    page.write(page.of_runs(groups, reporting.provenance("maml.compare")), folder)
    return text


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_list("runs", None, "Folders of runs, comma-separated.", required=True)
    flags.DEFINE_string("output", ".", "Folder of the table, the pictures and report.html.")


def main():
    try:
        print(compare(flags.FLAGS.runs, flags.FLAGS.output))
    except ValueError as error:
        sys.exit(f"Error: {error}")


def cli():
    """The command, as ``maml-compare``."""
    define_flags()
    commands.run(main, ["output"])


if __name__ == "__main__":
    cli()

"""Pages of studies: tables in Markdown, from what a study found, and the sweep behind them.

A column is a title and a function from an aggregated row to its text. What a study's JSON file
holds is enough to write its page again.
"""

import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from maml.experiments.aggregation import INFORMATION, interval_of
from maml.experiments.selection import strength, varied
from mine import reporting
from mine.reporting import format_interval


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: of the column.
        text: from an aggregated row to its text.
        left: whether it holds words, which stand on the left.
        optional: whether a table leaves it out where all its cells are empty.
    """

    title: str
    text: Callable[[Mapping], str]
    left: bool = False
    optional: bool = False


def score(title: str, name: str, digits: int = 2, scale: float = 1.0, of: str = "scores") -> Column:
    """A score with its interval.

    Args:
        title: of the column.
        name: such as ``test.mse``.
        digits: after the point.
        scale: what the score is multiplied by, such as 100 for per cent.
        of: ``further`` for a score that the study adds.
    """

    def text(row):
        interval = interval_of(row, f"{of}.{name}")
        if math.isnan(interval["mean"]):
            return ""
        return format_interval({k: scale * v for k, v in interval.items()}, digits)

    return Column(title, text)


def number(title: str, name: str, spec: str = ".2f", unit: str = "", scale: float = 1.0) -> Column:
    """A number without an interval, such as a median; empty where a row has none."""

    def text(row):
        value = row.get(name)
        if value is None or math.isnan(value):
            return ""
        text = f"{scale * value:{spec}}"
        return text.lstrip("-" if float(text) == 0 else "") + unit  # No sign before zero.

    return Column(title, text)


def information(title: str = "I(ŷ;Y|x,X), nats", split: str = "test") -> Column:
    """Lower to upper bound of the label information; what falls below zero counts as zero."""

    def text(row):
        lower = INFORMATION
        ends = [
            interval_of(row, f"scores.{split}.{name}")["mean"]
            for name in (lower, lower.replace("lower", "upper"))
        ]
        if any(math.isnan(end) for end in ends):
            return ""
        return " to ".join(f"{max(end, 0.0):.2f}" for end in ends)

    return Column(title, text)


def _seeds(row) -> str:
    lost = f" ({row['diverged']} diverged)" if row["diverged"] else ""
    return f"{len(row['seeds'])}{lost}"


def _verdicts(row) -> str:
    """The verdict of all seeds, or each with the number of seeds that have it."""
    counts = row.get("verdicts") or {}
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{words} ({count})" for words, count in counts.items())


NAME = Column("regularizer", lambda row: row["row"], left=True)
STRENGTH = Column("strength", lambda row: strength(row["options"]), left=True)
SEEDS = Column("seeds", _seeds)
SECONDS = number("s/step", "cost.seconds_per_step", ".3f")
TRAIN_MINUTES = number("training minutes", "cost.train_seconds", ".0f", scale=1 / 60)
RUN_SECONDS = number("s/run", "cost.train_seconds", ".0f")
SWAP_GAP = number("swap gap", "scores.test.swap_gap.mean", ".1f")
NLL = score("test NLL", "test.nll")
COVERAGE = score("90 % coverage", "test.coverage_90")
CALIBRATION = score("calibration error", "test.calibration_error", 3)
VERDICT = Column("verdict", _verdicts, optional=True)
GAIN = Column("gain", lambda row: format_interval(row["gain"], 2) if row.get("gain") else "")


def table(columns: Sequence[Column], rows: Sequence[Mapping]) -> list[str]:
    """Lines of a table in Markdown; a row whose runs all diverged says so."""
    columns = [c for c in columns if not c.optional or any(c.text(row) for row in rows)]
    cells = []
    for row in rows:
        ended = len(row.get("seeds", ())) != row.get("diverged", 0) or "seeds" not in row
        texts = [column.text(row) for column in columns if ended or column.left]
        cells.append(texts if ended else [*texts, _seeds(row), "diverged"])
    ordered = [*(c for c in columns if c.left), *(c for c in columns if not c.left)]
    return reporting.markdown_table([c.title for c in ordered], cells, left=_left(columns))


def _left(columns: Sequence[Column]) -> int:
    return sum(column.left for column in columns)


def header(result: Mapping, title: str, note: str) -> list[str]:
    """The first lines of a page: title, command, hardware, date, and what the tables hold."""
    source = result["provenance"]
    minutes = result.get("training_seconds", 0.0) / 60
    cost = f" {minutes:.0f} minutes of training in all" if minutes else ""
    side_by_side = f", on {result.get('workers')} processes side by side"
    cost += f"{side_by_side if result.get('workers', 1) > 1 else ''}."
    return [
        f"# {title}",
        "",
        f"`{source['command']}`; {source['hardware']}; {source['date']}.{cost if minutes else ''}",
        "",
        note,
    ]


def sections(result: Mapping, columns: Sequence[Column], commands: bool = False) -> list[str]:
    """A section for each table of a study.

    Args:
        result: of the study.
        columns: of all its tables.
        commands: whether the command of each row's first run stands below.
    """
    lines = []
    for of in result["tables"].values():
        lines += ["", f"## {of['about']}", "", *table(columns, of["rows"])]
        typed = [row["commands"][0] for row in of["rows"] if row.get("commands")]
        if commands and typed:
            lines += ["", "Each row by itself (first seed):", "", "```sh", *typed, "```"]
    return lines


def sweep_section(
    result: Mapping,
    metric: str,
    title: str,
    digits: int,
    scale: float = 1.0,
    further: Sequence[Column] = (),
) -> list[str]:
    """Every strength that was tried, if there was a choice.

    Args:
        result: of the study.
        metric: name of the main score.
        title: what the page calls it.
        digits: of the score.
        scale: of the score.
        further: columns of the study's own. Those that are empty in all rows are left out.
    """
    if not result["sweep"]:
        return []
    spec = f".{digits}f"
    splits = [
        number(f"{split} {title}", f"scores.{split}.{metric}.mean", spec, scale=scale)
        for split in ("train", "validation", "test")
    ]
    columns = [
        Column("table", lambda row: row["table"], left=True),
        Column("row", lambda row: row["row"], left=True),
        Column("tried", lambda row: row["tried"], left=True),
        *splits,
        *further,
        number("I(ŷ;Y|x,X)", f"scores.validation.{INFORMATION}.mean"),
        number("power ratio", "terms.prediction_mi_power_ratio"),
    ]
    groups: dict = {}
    for row in result["sweep"]:
        groups.setdefault((row["table"], row["row"]), []).append(row)
    rows = [
        row | {"tried": tried}
        for group in groups.values()
        for row, tried in zip(group, varied(group), strict=True)
    ]
    columns = [column for column in columns if any(column.text(row) for row in rows)]
    return ["", "## Every strength that was tried", "", *table(columns, rows)]


def write(result: dict, lines: Sequence[str], folder: pathlib.Path, name: str) -> str:
    """Writes ``NAME.json`` and ``NAME.md``, and returns the page."""
    text = "\n".join(lines) + "\n"
    kept = {key: value for key, value in result.items() if key != "runs"}
    reporting.write_tables(kept, text, folder, name)
    return text

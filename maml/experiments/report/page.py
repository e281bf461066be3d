"""``report.html``: what was asked and found, in one file that needs no network.

A page has the tables of the Markdown page, pictures, the memorization report of each method with
its command, and where the numbers come from. It takes the records that wrote the tables.
"""

import itertools
import os
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from maml.diagnostics.report import MemorizationReport
from maml.experiments import aggregation
from maml.experiments.report import comparison, figures, rendering, tables
from maml.experiments.report.figures import Figure, Picture
from maml.experiments.results import read_results
from mine import reporting

NAME = "report.html"

MAX_BYTES = 2_900_000
"""Of a page."""

MAX_METHODS = 1_200_000
"""Bytes of the memorization reports of a page; pictures have the rest."""

PROVENANCE = ("hardware", "git_commit", "date")
"""Columns of the origin of runs, beside the versions of packages."""


class Content(NamedTuple):
    """What a page is made of.

    Attributes:
        title: of the page.
        question: what was asked, a sentence.
        text: the page in Markdown; its title is not shown.
        pictures: that the page shows, as those of a study.
        rows: title of each table, and its aggregated rows, with ``folders`` and ``commands``.
        runs: all runs, of :func:`maml.experiments.aggregation.as_frame`.
        provenance: of the page itself.
    """

    title: str
    question: str
    text: str
    pictures: Sequence[Picture]
    rows: Sequence[tuple[str, Sequence[Mapping]]]
    runs: pd.DataFrame
    provenance: Mapping


class Method(NamedTuple):
    """A row of a table: its first run, and what its memorization report says.

    Attributes:
        table: title of the table.
        name: of the row.
        verdict: of the first run's report.
        seeds: of all its runs.
        report: in HTML.
        warnings: sentences, of what is wrong with the run.
        command: of the first run.
        folder: of the first run.
    """

    table: str
    name: str
    verdict: str
    seeds: Sequence[int]
    report: Markup
    warnings: Sequence[str]
    command: str
    folder: str


def of_study(study, result: Mapping, text: str, pictures: Sequence[Picture]) -> Content:
    """The page of a study.

    Args:
        study: a :class:`maml.experiments.study.Study`.
        result: of :func:`maml.experiments.study.run_study`, with ``provenance``.
        text: its page in Markdown.
        pictures: that it drew.
    """
    rows = [
        (table["about"], [row for row in table["rows"] if row.get("folders")])
        for table in result["tables"].values()
    ]
    runs, provenance = result["runs"], result["provenance"]
    return Content(study.title, study.question, text, pictures, rows, runs, provenance)


def of_runs(groups: Sequence[tuple[str, Sequence[dict]]], provenance: Mapping) -> Content:
    """The page of any runs.

    Args:
        groups: title, and the records of runs that can be compared, a table for each.
        provenance: of the page itself.
    """
    records = [record for _, own in groups for record in own]
    rows = [(title, comparison.tabulate(own)) for title, own in groups]
    lines = tables.header({"provenance": provenance}, "", "")
    for (title, own), (_, of_table) in zip(groups, rows, strict=True):
        lines += ["", f"## {title}", "", comparison.markdown(of_table, own, False)]
    title = f"Comparison of {reporting.counted(len(records), 'run')}"
    question = "How do these learners and methods compare on held-out tasks?"
    runs = aggregation.as_frame(records)
    return Content(title, question, "\n".join(lines), (), rows, runs, provenance)


def write(content: Content, folder: os.PathLike | str) -> None:
    """Writes ``report.html``, whole or not at all.

    Raises:
        ValueError: a record of a run is damaged.
        OSError: the file cannot be written.
    """
    with tempfile.TemporaryDirectory() as drawn:
        text = render(content, pathlib.Path(drawn))
    reporting.write(text.encode("utf-8", "backslashreplace"), pathlib.Path(folder) / NAME)


def render(content: Content, scratch: pathlib.Path) -> str:
    """The page as text; learning curves that are not there yet are drawn in a folder."""
    article, parts = rendering.to_html(content.text)
    every = [_method(title, row) for title, rows in content.rows for row in rows]
    methods = _first(every, MAX_METHODS)
    pictures = [*_curves(content, scratch), *content.pictures]
    of_methods = [figures.of_run(method.folder) for method in methods]

    def page(shown: Sequence[Figure]) -> str:
        rest = iter(shown[len(pictures) :])
        return rendering.page(
            title=content.title,
            question=content.question,
            parts=parts,
            article=article,
            figures=shown[: len(pictures)],
            methods=[
                (method, list(itertools.islice(rest, len(own))))
                for method, own in zip(methods, of_methods, strict=True)
            ],
            left_out=len(every) - len(methods),
            origins=Markup(_origins(content.runs, content.provenance)),
        )

    together = [*pictures, *(picture for own in of_methods for picture in own)]
    captions = [Figure(picture.caption) for picture in together]
    room = MAX_BYTES - len(page(captions).encode("utf-8", "backslashreplace"))
    return page(figures.embed(together, room - 200 * len(together)))


def _method(table: str, row: Mapping) -> Method:
    folder = row["folders"][0]
    record = read_results(folder)
    warnings = record.get("warnings")
    try:
        report = Markup(MemorizationReport.from_dict(record["diagnosis"])._repr_html_())
    except ValueError as error:
        report = Markup("<p>{}</p>").format(str(error))
    return Method(
        table,
        row.get("row", row.get("method", "")),
        record["diagnosis"]["verdict"],
        row["seeds"],
        report,
        warnings if isinstance(warnings, list) else (),
        record["provenance"]["command"],
        folder,
    )


def _first(methods: Sequence[Method], room: int) -> Sequence[Method]:
    """The first methods, as many as there is room for, in bytes."""
    for count, method in enumerate(methods):
        text = "".join(Markup.escape(value) for value in method)
        room -= len(text.encode("utf-8", "backslashreplace"))
        if room < 0:
            return methods[:count]
    return methods


def _curves(content: Content, scratch: pathlib.Path) -> list[Picture]:
    """Learning curves of each table, unless the page has its own."""
    caption = figures.CAPTIONS["curves"]
    if any(picture.caption.startswith(caption) for picture in content.pictures):
        return []
    drawn = []
    for number, (title, rows) in enumerate(content.rows):
        path = scratch / f"{number}.png"
        runs = [
            {"folder": row["folders"][0], "method": row.get("row", row.get("method"))}
            | {"metric": row["metric"]}
            for row in rows
        ]
        if runs and comparison.draw_curves(runs, path):
            drawn.append(Picture(f"{caption}: {title}", path))
    return drawn


def _origins(runs: pd.DataFrame, provenance: Mapping) -> str:
    """Hardware, commit, day and versions of the runs and of the page, and seeds, as a table."""
    prefix, versions = "provenance.", "provenance.versions."
    page = aggregation.as_frame([{"provenance": dict(provenance)}]).iloc[0]
    names = [f"{prefix}{name}" for name in PROVENANCE]
    names += [name for name in {**runs, **page} if name.startswith(versions)]
    rows = []
    for name in names:
        found = runs[name].dropna().astype(str).value_counts(sort=False) if name in runs else {}
        values = [
            f"{value} ({reporting.counted(int(count), 'run')})" if len(found) > 1 else value
            for value, count in found.items()
        ]
        own = "" if page.get(name) is None else str(page[name])
        if values or own:
            title = name.removeprefix(versions).removeprefix(prefix).replace("_", " ")
            rows.append([title, "; ".join(values), own])
    seeds = ", ".join(map(str, sorted(set(map(int, runs["seed"])))))
    return reporting.html_table(["", "runs", "this page"], [*rows, ["seeds", seeds, ""]])

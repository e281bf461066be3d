"""Tables of a study: rows that differ in one thing, each at the strength that validation chose."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from maml.experiments import selection
from maml.experiments.options import Options, known_names, method_name


class Both(NamedTuple):
    """A row that does what two others of its table do, each as it was chosen."""

    first: str
    second: str


@dataclasses.dataclass(frozen=True)
class Table:
    """Runs that differ in one thing.

    Attributes:
        about: what it compares, in words.
        base: options of all rows.
        rows: name -> the options it may choose from, by the error on validation tasks; or what it
            puts together.
        seeds: so many, unless others are asked for.
    """

    about: str
    base: dict
    rows: dict[str, list[dict] | Both]
    seeds: int = 5


class Wanted(NamedTuple):
    """A run that a table wants."""

    table: str
    row: str
    options: dict
    seed: int


Run = Callable[[list[Wanted], str], list[dict]]
"""Trains what was not trained yet, under the title of a progress bar. Records are in the order of
what is wanted, and each holds ``table``, ``row``, ``options`` and ``seed``."""


def train(
    tables: Mapping[str, Table],
    run: Run,
    error: Callable[[dict], float],
    seeds: int | None,
    only: Iterable[str] = (),
) -> tuple[list[dict], list[dict]]:
    """Chooses the strengths of rows, by one seed, and trains all rows with all seeds.

    Args:
        tables: by their names.
        run: of the study.
        error: of the record of a run that ended, on validation tasks.
        seeds: number of seeds; each table's own if None.
        only: rows; empty for all.

    Returns:
        ``(tried, final)``: records of the runs that chose, and of the rows.
    """
    rows = {
        (name, row): options
        for name, table in tables.items()
        for row, options in table.rows.items()
        if not only or row in only
    }
    # What is put together is chosen first, wherever it stands.
    single = {key: row for key, row in rows.items() if not isinstance(row, Both)}
    both = {key: row for key, row in rows.items() if isinstance(row, Both)}
    for (table, _), row in both.items():
        single |= {(table, part): tables[table].rows[part] for part in row}
    tried, chosen = _choose(run, error, single, "Choosing strengths")
    pairs = {
        (table, name): selection.combined(*(chosen[table, part] for part in row))
        for (table, name), row in both.items()
    }
    more, together = _choose(run, error, pairs, "Combining")
    chosen |= together
    final = [
        Wanted(table, row, chosen[table, row], seed)
        for table, row in rows
        for seed in range(tables[table].seeds if seeds is None else seeds)
    ]
    return [*tried, *more], run(final, "Training with all seeds")


def _choose(run: Run, error, rows: dict[tuple[str, str], list[dict]], title: str):
    """Runs all options of rows that have several, and takes the best.

    Returns:
        The records, and the options of each row.
    """
    several = {key: row for key, row in rows.items() if len(row) > 1}
    wanted = [Wanted(*key, given, 0) for key, row in several.items() for given in row]
    records = run(wanted, title) if wanted else []
    chosen = {key: row[0] for key, row in rows.items()}
    for key in several:
        group = [record for record in records if (record["table"], record["row"]) == key]
        chosen[key] = selection.best(group, error)
    return records, chosen


def run_name(settings: Options) -> str:
    """Of a run: what it is called, and what tells it from others that are called so.

    That is all options but those at their defaults, so that one that is added renames no run.
    """
    content = dataclasses.asdict(settings)
    told = dataclasses.asdict(type(settings)()) | {"seed": settings.seed}
    own = {key: value for key, value in content.items() if value != told[key]}
    digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9.]+", "_", method_name(content)).strip("_")
    return f"{name}-{digest}-seed{settings.seed}"


def selected(
    tables: Mapping[str, Table], names: Iterable[str], rows: Iterable[str] | None
) -> dict[str, Table]:
    """The tables that are asked for and have rows that are.

    Args:
        tables: all, by their names.
        names: of those that are asked for.
        rows: that are asked for; None for all.

    Raises:
        ValueError: one of the names is none of ``tables``, or of the rows of those that are asked
            for, or is there twice.
    """
    asked = {name: tables[name] for name in known_names(names, "tables", tables)}
    if rows is None:
        return asked
    rows = known_names(
        rows, "methods", dict.fromkeys(row for of in asked.values() for row in of.rows)
    )
    return {name: table for name, table in asked.items() if set(rows) & set(table.rows)}

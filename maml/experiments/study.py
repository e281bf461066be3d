"""Studies: tables of runs that differ in one thing, each at the strength that validation chose.

A study is data: its tables, what they say, and what it adds to each run. One engine trains what was
not trained yet, in parallel, chooses strengths by one seed, trains all seeds, and aggregates.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import pandas as pd

from maml.core.registry import LEARNERS
from maml.experiments import aggregation, ensembles, selection, sweep, training
from maml.experiments.command_line import known_names
from maml.experiments.config import Config
from maml.experiments.executors.base import Executor
from maml.experiments.executors.local import shared
from maml.experiments.results import RESULTS
from mine import reporting


class Both(NamedTuple):
    """A row that does what two others of its table do, each as it was chosen."""

    first: str
    second: str


@dataclasses.dataclass(frozen=True)
class Table:
    """Runs that differ in one thing.

    Attributes:
        about: what it compares.
        base: options of all rows, with dotted names. Those of components that a row does not
            choose are left out.
        rows: name -> the options it may choose from, by the error on validation tasks; or what it
            combines.
        seeds: how many, unless another number is asked for.
        chosen_in: name of another table, with the same rows, whose choices are taken.
    """

    about: str
    base: dict
    rows: Mapping[str, list[dict] | Both]
    seeds: int = 5
    chosen_in: str | None = None


@dataclasses.dataclass(frozen=True)
class Study:
    """What is compared.

    Attributes:
        name: of the files of its results.
        title: of its page.
        tables: by their names.
        metric: name of the main score.
        larger_is_better: whether a larger main score is better.
        defaults: options of all runs, a function of the options of a row; options of components
            that are not chosen are left out.
        module: the command that makes one run.
        command_flags: flags of that command that choose a preset.
        preset: options that these flags stand for, a function of the run's configuration.
        further: scores that the study adds to a run, a function of the run's folder; kept in it.
        ensembles: whether the ensemble of a row's seeds is scored, too.
        pictures: whether each run draws its own.
        question: what it asks, a sentence.
    """

    name: str
    title: str
    tables: Mapping[str, Table]
    metric: str = "mse"
    larger_is_better: bool = False
    defaults: Callable[[Mapping], Mapping] = lambda row: {}
    module: str = "maml.train"
    command_flags: Callable[[Config], list[str]] = lambda config: []
    preset: Callable[[Config], Mapping] | None = None
    further: Callable[[pathlib.Path, dict], dict] | None = None
    ensembles: bool = False
    pictures: bool = False
    question: str = ""


class Wanted(NamedTuple):
    """A run that a table wants."""

    table: str
    row: str
    options: dict
    seed: int


class NotTrainedError(Exception):
    """Runs of a study are missing; its argument is the list of the commands that make them."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """A study, and where and how much of it is run.

    Attributes:
        study: what is compared.
        logdir: folder of the runs.
        tables: names of tables; all if empty.
        rows: names of rows; all if empty.
        seeds: number of seeds; each table's own if None.
        executor: where its trainings run.
        print_commands: whether to refuse to train, with the commands of what is missing.
        changed: options in place of those of the study, with dotted names.
    """

    study: Study
    logdir: pathlib.Path
    tables: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    seeds: int | None = None
    executor: Executor = dataclasses.field(default_factory=functools.partial(shared, 2))
    changed: Mapping[str, object] = dataclasses.field(default_factory=dict)
    print_commands: bool = False

    @property
    def chosen(self) -> dict[str, Table]:
        """The tables that are asked for and have rows that are.

        Raises:
            ValueError: a name is unknown, or is there twice.
        """
        every = self.study.tables
        names = known_names(self.tables, "tables", every) if self.tables else tuple(every)
        asked = {name: every[name] for name in names}
        if not self.rows:
            return asked
        there = dict.fromkeys(row for table in asked.values() for row in table.rows)
        known_names(self.rows, "rows", there)
        return {name: of for name, of in asked.items() if set(self.rows) & set(of.rows)}

    def config(self, table: str, row: Mapping[str, object], seed: int) -> Config:
        """The configuration of one run.

        Raises:
            ValueError: an option has no meaning.
        """
        base = self.study.tables[table].base
        fixed = {key: base[key] for key in ("task", "learner", "head") if key in base}
        changed = dict(self.changed)
        if LEARNERS[{**base, **row}.get("learner", Config.learner)].network_kind == "prior":
            changed.pop("steps", None)  # Exact learners, beside others that are trained, have none.
        given = fixed | dict(row) | changed | {"seed": seed}
        return Config.of(given, {**self.study.defaults({**base, **row}), **base})

    def run(self, wanted: list[Wanted], title: str) -> pd.DataFrame:
        """Trains what was not trained yet.

        Args:
            wanted: the same run may be wanted by several tables.
            title: of the progress bar.

        Returns:
            A row for each, in their order: the record of the run, or ``diverged``, with ``table``,
            ``row``, ``options``, ``seed`` and ``folder``.

        Raises:
            NotTrainedError: commands are to be printed, and some runs are missing.
        """
        jobs, names, commands = {}, [], {}
        # Workers of other machines have other working folders.
        logdir = self.logdir.absolute() if self.executor.remote else self.logdir
        for want in wanted:
            config = self.config(want.table, want.options, want.seed)
            names.append(run_name(config))
            folder = logdir / names[-1]
            if not (folder / RESULTS).exists():
                commands[names[-1]] = f"{self._command(config, folder)(config)} --resume"
            jobs[names[-1]] = functools.partial(
                _job,
                config,
                folder,
                self._command(config, folder),
                self.study.pictures,
                self.study.further,
                f"{self.study.name}.json",
            )
        if self.print_commands and commands:
            raise NotTrainedError(list(commands.values()))
        records = sweep.run(jobs, self.executor, title)
        return aggregation.as_frame(
            records[name]
            | {"table": want.table, "row": want.row, "seed": want.seed}
            | {"options": json.dumps(want.options), "folder": str(self.logdir / name)}
            for name, want in zip(names, wanted, strict=True)
        )

    def _command(self, config: Config, folder: pathlib.Path) -> Callable[[Config], str]:
        preset = self.study.preset and self.study.preset(config)
        flags = tuple(self.study.command_flags(config))
        return functools.partial(
            _command_of, folder=folder, module=self.study.module, preset=preset, flags=flags
        )


def _command_of(config: Config, folder: pathlib.Path, module: str, preset, flags) -> str:
    """The command that makes the same run, with the flags of the study's preset first."""
    command = training.as_command(config, folder, module=module, defaults=preset)
    head, module, rest = command.partition(module)
    return " ".join([head + module, *flags]) + rest


def _job(
    config: Config, folder, command: Callable[[Config], str], pictures: bool, further, name: str
) -> dict:
    """Trains a run unless that is done, with what the study adds to it, kept under a name."""
    record = training.run(
        config, folder, resume=True, verbose=0, command=command, pictures=pictures
    )
    if further is None:
        return record
    if not (folder / name).exists():
        reporting.write_json(further(folder, record), folder / name)
    return record | {"further": record["further"] | reporting.read_json(folder / name)}


def run_name(config: Config) -> str:
    """The name of a run's folder: its method, a checksum of its options, its seed."""
    digest = hashlib.sha256(config.identity("seed").encode()).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9.]+", "_", config.method_name()).strip("_")
    return f"{name}-{digest}-seed{config.seed}"


def run_study(plan: Plan) -> dict:
    """Runs a study.

    Strengths are chosen by the validation error of seed 0; then all seeds are trained with them.

    Returns:
        ``tables`` (name -> about, base, rows), ``sweep`` (rows of the runs that chose),
        ``training_seconds``, and ``runs``, the table of all runs.

    Raises:
        ValueError: an option has no meaning, or all runs diverged.
    """
    tables = plan.chosen
    for name, table in tables.items():  # Refuses before anything is trained.
        for options in table.rows.values():
            for row in options if isinstance(options, list) else ():
                plan.config(name, row, 0).epoch_steps()
    tried, chosen = _choose_strengths(plan, tables)
    final = plan.run(
        [
            Wanted(name, row, chosen[name, row], seed)
            for name, row in chosen
            if name in tables and (not plan.rows or row in plan.rows)
            for seed in range(tables[name].seeds if plan.seeds is None else plan.seeds)
        ],
        "Training with all seeds",
    )
    if "diverged" in final and final["diverged"].notna().all():
        raise ValueError(f"All runs diverged; the last: {final['diverged'].iloc[-1]}")
    of_seeds = ensembles.score_rows(final, plan) if plan.study.ensembles else {}
    everything = pd.concat([tried, final]) if len(tried) else final
    everything = everything.drop_duplicates("folder")
    return {
        "tables": {
            name: {"about": table.about, "base": table.base}
            | {"rows": rows_of(final[final["table"] == name], plan.study, of_seeds)}
            for name, table in tables.items()
        },
        "sweep": rows_of(tried, plan.study, by=("table", "row", "options")) if len(tried) else [],
        "training_seconds": float(everything["cost.train_seconds"].sum()),
        "runs": everything,
    }


def rows_of(
    runs: pd.DataFrame, study: Study, of_seeds: Mapping | None = None, by=("table", "row")
) -> list:
    """Aggregated rows of some runs; each gain is paired by seed with the first row.

    Strengths that are to be chosen from are told apart by their options, and have no gain.
    """
    keep = ("options", "method", "normalization", "metric", "provenance.hardware")
    rows = aggregation.aggregate(runs, by, keep)
    first = runs[runs["row"] == runs["row"].iloc[0]]
    for row in rows:
        own = runs[(runs["row"] == row["row"]) & (runs["options"] == row["options"])]
        is_first = row["row"] == runs["row"].iloc[0]
        row["gain"] = (
            None
            if is_first or "options" in by
            else aggregation.paired_gain(first, own, study.metric, study.larger_is_better)
        )
        row["ensemble"] = (of_seeds or {}).get((row["table"], row["row"]))
        row["options"] = json.loads(row["options"])
    return rows


def _choose_strengths(plan: Plan, tables: Mapping[str, Table]):
    """The runs that choose between the options of rows, and the options of each row."""
    every = plan.study.tables
    sources = {name: table.chosen_in or name for name, table in tables.items()}
    rows = {
        (source, row): every[source].rows[row]
        for name, source in sources.items()
        for row in tables[name].rows
        if not plan.rows or row in plan.rows
    }
    # What is combined is chosen first, wherever it stands.
    single: dict = {key: row for key, row in rows.items() if not isinstance(row, Both)}
    both = {key: row for key, row in rows.items() if isinstance(row, Both)}
    for (table, _), row in both.items():
        single |= {(table, part): every[table].rows[part] for part in row}
    tried, chosen = _choose(plan, single, "Choosing strengths")
    pairs = {
        (table, name): selection.combined(*(chosen[table, part] for part in row))
        for (table, name), row in both.items()
    }
    more, of_pairs = _choose(plan, pairs, "Combining")
    chosen |= of_pairs
    return pd.concat([tried, more]), {
        (name, row): chosen[source, row]
        for name, source in sources.items()
        for row in tables[name].rows
        if not plan.rows or row in plan.rows
    }


def _choose(plan: Plan, rows: Mapping[tuple[str, str], list[dict]], title: str):
    """Runs all options of rows that have several, and takes the best."""
    chosen = {key: options[0] for key, options in rows.items()}
    several = {key: options for key, options in rows.items() if len(options) > 1}
    if not several:
        return pd.DataFrame(), chosen
    runs = plan.run([Wanted(*key, own, 0) for key, of in several.items() for own in of], title)
    column, sign = (
        f"scores.validation.{plan.study.metric}.mean",
        -1 if plan.study.larger_is_better else 1,
    )
    for table, row in several:
        own = runs[(runs["table"] == table) & (runs["row"] == row)]
        records = [
            {"options": json.loads(options), "error": sign * error}
            for options, error in zip(
                own["options"], own.get(column, pd.Series(float("nan"), own.index)), strict=True
            )
        ]
        chosen[table, row] = selection.best(records, lambda record: record["error"])
    return runs, chosen


def selected_rows(words: Iterable[str] | None) -> tuple[str, ...]:
    """The rows that a flag asks for; none for all."""
    return tuple(words or ())

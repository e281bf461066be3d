"""Few-shot classification: learners side by side, and labels that can be memorized.

    python -m maml.studies.fewshot --omniglot=omniglot.npz --miniimagenet=miniimagenet.npz \\
        --logdir=output/fewshot --output=results/fewshot

Tables are in :mod:`maml.studies.fewshot_tables`; files are of :mod:`maml.tasks.prepare`. Where a
row may choose between strengths, the accuracy on validation classes chooses, of one seed. Writes
``fewshot.{md,json}`` and learning curves. Trainings run in parallel; the same command goes on from
where it was stopped.
"""

import dataclasses
import functools
import pathlib
import sys
import time

from absl import flags

from maml import train
from maml.experiments import runs, sweep, tables
from maml.studies import fewshot_report
from maml.studies.fewshot_tables import TABLES
from mine import reporting
from mine.reporting import commands
from mine.reporting.statistics import mean_interval

NAME = "fewshot"


@dataclasses.dataclass(frozen=True)
class Study:
    """What is run, and where.

    Attributes:
        tables: by their names.
        data: file of images of each data set.
        logdir: folder of the runs.
        seeds: number of seeds; each table's own if None.
        workers: number of processes.
        methods: rows of the tables; empty for all.
        changed: options of :class:`maml.train.Config` in place of those of the tables.
    """

    tables: dict[str, tables.Table]
    data: dict[str, str]
    logdir: pathlib.Path
    seeds: int | None = None
    workers: int = 2
    methods: tuple[str, ...] = ()
    changed: dict = dataclasses.field(default_factory=dict)

    def config(self, table: tables.Table, row: dict, seed: int) -> train.Config:
        """The options of one run.

        Raises:
            ValueError: the file of its images is not known.
        """
        dataset = table.base["dataset"]
        if not self.data.get(dataset):
            raise ValueError(
                f"{table.about}: give the file of images by --{dataset}, see maml.tasks.prepare."
            )
        return train.Config(**(table.base | row | self.changed), data=self.data[dataset], seed=seed)

    def run(self, wanted: list[tables.Wanted], title: str) -> list[dict]:
        """Trains what was not trained yet.

        Returns:
            For each the record of :func:`maml.train.train`, or of its divergence, with ``table``,
            ``row``, ``options``, ``seed`` and ``folder``.
        """
        jobs, names = {}, []
        for table, _, row, seed in wanted:
            settings = self.config(self.tables[table], row, seed)
            names.append(f"{settings.dataset}-{tables.run_name(settings)}")
            path = self.logdir / f"{names[-1]}.keras"
            jobs[names[-1]] = functools.partial(train.train, settings, path, resume=True, verbose=0)
        records = sweep.run(jobs, self.workers, title)
        return [
            records[name] | want._asdict() | {"folder": str(self.logdir / name)}
            for name, want in zip(names, wanted, strict=True)
        ]


def error(record: dict) -> float:
    """The share of wrong answers on validation classes, of a run that ended."""
    return 1 - record["diagnosis"]["validation"]["after"]["mean"]


def study(plan: Study) -> dict:
    """Runs the tables of a plan.

    Returns:
        ``tables`` (name -> about, base, file of images, rows) and ``sweep`` (every run that
        strengths were chosen by).

    Raises:
        ValueError: the file of a table's images is not known, or is none.
    """
    for table in plan.tables.values():
        plan.config(table, {}, 0)
    tried, final = tables.train(plan.tables, plan.run, error, plan.seeds, plan.methods)
    return {
        "tables": {
            name: {"about": table.about, "base": table.base}
            | {"images": pathlib.Path(plan.data[table.base["dataset"]]).name}
            | {"rows": tabulate([record for record in final if record["table"] == name])}
            for name, table in plan.tables.items()
        },
        "sweep": tabulate(tried, ("table", "row", "options")),
    }


def tabulate(records: list[dict], by: tuple[str, ...] = ("row",)) -> list[dict]:
    """A row for all runs of a method.

    Accuracies are means and intervals over seeds; of a single run, over tasks.

    Args:
        records: of :meth:`Study.run`.
        by: what the runs of a row have in common.
    """
    groups = {}
    for record in records:
        groups.setdefault(str([record[key] for key in by]), []).append(record)
    rows = []
    for group in groups.values():
        row = {key: group[0][key] for key in ("table", "row", "options")}
        row["seeds"] = [record["seed"] for record in group]
        ended = [record for record in group if sweep.DIVERGED not in record]
        row[sweep.DIVERGED] = len(group) - len(ended)
        if ended:
            row |= {"folder": ended[0]["folder"], "learner": ended[0]["config"]["learner"]}
            row |= {key: ended[0][key] for key in ("normalization", "steps", "hardware")}
            row["accuracy"] = {
                split: {
                    key: _over_seeds(ended, split, key) for key in ("after", "before", "swapped")
                }
                for split in ("train", "validation", "test")
            }
            row["information"] = _over_seeds(ended, "test", "label_information", "lower")
            for key in ("train_seconds", "seconds_per_step"):
                row[key] = mean_interval([record[key] for record in ended])["mean"]
            row["commands"] = [record["command"] for record in ended]
        rows.append(row)
    return rows


def _over_seeds(records: list[dict], split: str, *keys: str) -> dict[str, float]:
    def value(record):
        return functools.reduce(dict.__getitem__, keys, record["diagnosis"][split])

    if len(records) == 1:
        return value(records[0])
    return mean_interval([value(record)["mean"] for record in records])


def curves(result: dict) -> dict[str, dict[str, dict]]:
    """The learning curve of the first run of every row: ``step`` and scores, by table and row."""
    return {
        name: {
            row["row"]: runs.read_history(pathlib.Path(row["folder"]) / runs.HISTORY)
            for row in table["rows"]
            if "accuracy" in row
        }
        for name, table in result["tables"].items()
    }


def define_flags():
    """Defines the flags of this command."""
    sweep.define_flags({name: table.seeds for name, table in TABLES.items()})
    flags.adopt_module_key_flags(sweep)  # For --help.
    flags.DEFINE_string("omniglot", "", "File of Omniglot, of maml.tasks.prepare.")
    flags.DEFINE_string("miniimagenet", "", "File of mini-ImageNet, of maml.tasks.prepare.")
    flags.DEFINE_list("tables", None, f"Of {', '.join(TABLES)}. [those whose file is given]")
    flags.DEFINE_list("methods", None, "Rows of the tables; all by default.")
    flags.DEFINE_integer("steps", None, "Training steps; the tables' by default.", lower_bound=1)


def main():
    values = flags.FLAGS
    output, start = pathlib.Path(values.output), time.time()
    data = {"omniglot": values.omniglot, "miniimagenet": values.miniimagenet}
    given = [name for name in TABLES if data[TABLES[name].base["dataset"]]]
    try:
        names = (given or TABLES) if values.tables is None else values.tables
        chosen = tables.selected(TABLES, names, values.methods)
        if values.tables is None and not given:
            raise ValueError("give a file of images by --omniglot or --miniimagenet.")
        plan = Study(
            chosen,
            data,
            pathlib.Path(values.logdir),
            values.seeds,
            values.workers,
            tuple(values.methods or ()),
            {} if values.steps is None else {"steps": values.steps},
        )
        result = study(plan)
    except (ValueError, OSError) as failure:
        sys.exit(f"Error: {failure}")
    result |= reporting.provenance("maml.studies.fewshot") | {"workers": plan.workers}
    text = fewshot_report.markdown(result)
    reporting.write_tables(result, text, output, NAME)
    for name, histories in curves(result).items():
        fewshot_report.draw_curves(histories, output / f"curves_{name}.png")
    fewshot_report.copy_pictures(result, output)
    print(text)
    print(f"{(time.time() - start) / 60:.0f} minutes; tables and pictures in {output}.")


if __name__ == "__main__":
    define_flags()
    commands.run(main, ["logdir", "output"])

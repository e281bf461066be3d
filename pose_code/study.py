"""The pose experiment: measures against memorization, tools, and forms of the information.

    python -m pose_code.study --data_dir=DATA --logdir=LOGS --output=results/pose

Tables are in :mod:`pose_code.tables`. Strengths are chosen by the error on validation objects, of
one seed; then all seeds are trained with them, and scored on test objects. Neither are trained on.
Writes ``pose.{md,json}`` and pictures. Trainings run in parallel; the same command goes on where it
was stopped.
"""

import dataclasses
import functools
import math
import pathlib
import shlex
import sys
import time

from absl import flags
from scipy import stats

from maml.experiments import determinism, options, runs, sweep
from maml.experiments.tables import Table, Wanted, run_name, selected, train
from mine import reporting
from mine.reporting import commands
from mine.reporting.statistics import mean_interval
from pose_code import baselines, compare, experiment, scores, study_report, together
from pose_code.config import PRESETS, Config, from_preset
from pose_code.symmetry import asymmetries
from pose_code.tables import COMMON, TABLES, more_objects
from pose_data import pickles

NAME = "pose"


@dataclasses.dataclass(frozen=True)
class Study:
    """What is run, and where.

    Attributes:
        tables: by their names.
        data_dir: folder of the pickles.
        logdir: folder of the runs.
        preset: of :data:`pose_code.config.PRESETS`.
        seeds: number of seeds; each table's own if None.
        workers: number of processes.
        methods: rows of the tables; empty for all.
        changed: options of :class:`pose_code.config.Config` in place of preset's and tables'.
    """

    tables: dict[str, Table]
    data_dir: str
    logdir: pathlib.Path
    preset: str = "cpu"
    seeds: int | None = None
    workers: int = 2
    methods: tuple[str, ...] = ()
    changed: dict = dataclasses.field(default_factory=dict)

    def config(self, table: Table, row: dict, seed: int) -> Config:
        """The options of one run."""
        given = COMMON | table.base | row | self.changed
        return from_preset(self.preset, **given, seed=seed)

    def run(self, wanted: list[Wanted], title: str) -> list[dict]:
        """Trains what was not trained yet.

        Args:
            wanted: the same run may be wanted by several tables.
            title: of the progress bar.

        Returns:
            For each the record of :func:`pose_code.experiment.train`, or of its divergence, with
            ``table``, ``row``, ``options``, ``seed`` and ``folder``.
        """
        jobs, folders = {}, []
        for table, _, row, seed in wanted:
            settings = self.config(self.tables[table], row, seed)
            folders.append(run_name(settings))
            jobs[folders[-1]] = functools.partial(
                experiment.train,
                settings,
                self.data_dir,
                self.logdir / folders[-1],
                resume=True,
                verbose=0,
                command=self._command(settings, self.logdir / folders[-1]),
                pictures=False,
            )
        records = sweep.run(jobs, self.workers, title)
        return [
            records[folder]
            | {"table": table, "row": name, "options": row, "seed": seed}
            | {"folder": str(self.logdir / folder)}
            for folder, (table, name, row, seed) in zip(folders, wanted, strict=True)
        ]

    def _command(self, settings: Config, folder: pathlib.Path) -> str:
        standard = from_preset(self.preset, learner=settings.learner)
        words = [f"--preset={self.preset}", f"--learner={settings.learner}"]
        words += options.as_flags(settings, standard)
        words += [f"--data_dir={self.data_dir}", f"--logdir={folder}"]
        return shlex.join(["python", "-m", "pose_code.train", *words])


def error(record: dict, split: str = "validation") -> float:
    """The squared error on a split's objects of a run that ended."""
    return record[split]["mse"]["mean"]


def study(plan: Study) -> dict:
    """Runs the tables of a plan.

    Returns:
        ``tables`` (name -> about, rows), ``baselines`` (rows), ``sweep`` (every run that strengths
        were chosen by), ``correlation``, ``asymmetry`` of test objects, ``data``.
    """
    # First of all: without data there is nothing to train on.
    for table in plan.tables.values():
        plan.config(table, {}, 0).epoch_steps()
    settings = plan.config(next(iter(plan.tables.values())), {}, 0)
    families = experiment.load_tasks(plan.data_dir, settings)
    data = scores.describe(families)
    tried, final = train(plan.tables, plan.run, error, plan.seeds, plan.methods)
    ensembles = _together(plan, final)
    everything = list({record["folder"]: record for record in [*tried, *final]}.values())
    asymmetry = asymmetries(families["test"])
    return {
        "tables": {
            name: {"about": table.about, "base": table.base}
            | {"rows": tabulate([of for of in final if of["table"] == name], asymmetry, ensembles)}
            for name, table in plan.tables.items()
        },
        "baselines": [
            compare.summary([run])
            | {"row": run["method"], "objects": run["test"]["objects"], "shots": _at_shots([run])}
            for run in _baselines(plan, settings, data)
        ],
        "sweep": [summary(record) for record in tried],
        "correlation": correlate(everything),
        "asymmetry": asymmetry,
        "data": data,
        "preset": plan.preset,
    }


def _together(plan: Study, records: list[dict]) -> dict[tuple[str, str], dict]:
    """Scores of each row's seeds together, by table and row; not of linear heads.

    Their normal densities have no mixture that is normal.
    """
    groups = {}
    for record in records:
        if sweep.DIVERGED not in record and record["config"]["head"] != "linear":
            folders = groups.setdefault((record["table"], record["row"]), [])
            folders.append(pathlib.Path(record["folder"]))
    jobs, names = {}, {}
    for key, folders in groups.items():
        if len(folders) > 1:
            names[key] = f"{folders[0].name}-and-{len(folders) - 1}-more"
            jobs[names[key]] = functools.partial(
                together.score, folders, plan.data_dir, plan.logdir / "together" / names[key]
            )
    scored = sweep.run(jobs, plan.workers, "Scoring seeds together") if jobs else {}
    return {key: scored[name] for key, name in names.items()}


def _baselines(plan: Study, settings: Config, data: dict) -> list[dict]:
    """Records of the predictors that learn nothing, scored as a run of these options is.

    Raises:
        FileExistsError: those that are there were scored on other data.
    """
    logdir = plan.logdir / "baselines" / run_name(settings)
    folders = [logdir / name for name in baselines.NAMES]
    if not all((folder / scores.RESULTS).exists() for folder in folders):
        baselines.run(settings, plan.data_dir, logdir)
    records = compare.find_runs(map(str, folders))
    if not all(runs.same_data(record["data"], data) for record in records):
        raise FileExistsError(f"{logdir} holds scores of other data: pass another --logdir.")
    return records


def tabulate(
    records: list[dict], asymmetry: dict[str, float], ensembles: dict[tuple[str, str], dict]
) -> list[dict]:
    """The rows of a table, one for each method; means over seeds.

    Args:
        records: of :meth:`Study.run`, of one table.
        asymmetry: of each test object.
        ensembles: table and row -> scores of all the row's seeds together.
    """
    rows, groups = [], {}
    for record in records:
        groups.setdefault(record["row"], []).append(record)
    first = next(iter(groups))
    for name, group in groups.items():
        ended = [record for record in group if sweep.DIVERGED not in record]
        row = {"row": name, "options": group[0]["options"]}
        if ended:
            row |= compare.summary(ended)
            row["gain"] = None if name == first else gain(groups[first], ended)
            objects = {
                of: {
                    key: mean_interval([run["test"]["objects"][of][key] for run in ended])["mean"]
                    for key in ("mse", "angle")
                }
                for of in asymmetry
            }
            row |= {"objects": objects, "folder": ended[0]["folder"]}
            row["together"] = ensembles.get((group[0]["table"], name))
            row["validation_mse"] = mean_interval([error(run) for run in ended])["mean"]
            row["shots"] = _at_shots(ended)
        seeds = [record["seed"] for record in group]
        rows.append(row | {"seeds": seeds, sweep.DIVERGED: len(group) - len(ended)})
    return rows


def _at_shots(ended: list[dict]) -> dict[str, dict]:
    """Scores at other numbers of support images; of a single run intervals are over objects."""
    return {
        shots: {
            "mse": compare.over_seeds([run["shots"][shots]["mse"] for run in ended]),
            "median_angle": mean_interval(
                [run["shots"][shots]["angle"]["median"] for run in ended]
            )["mean"],
        }
        for shots in ended[0]["shots"]
    }


def gain(reference: list[dict], records: list[dict]) -> dict | None:
    """By how much the test error of runs is less than that of others with the same seeds.

    Args:
        reference: records of :meth:`Study.run`; those that diverged are left out.
        records: the same, of runs that ended.

    Returns:
        ``mean`` and ``ci95`` of the differences, over seeds; of a single seed over objects. None if
        no seed is common to both.
    """
    other = {record["seed"]: record for record in reference if sweep.DIVERGED not in record}
    pairs = [(other[run["seed"]], run) for run in records if run["seed"] in other]
    if not pairs:
        return None
    if len(pairs) > 1:
        return mean_interval([error(a, "test") - error(b, "test") for a, b in pairs])
    a, b = (record["test"]["objects"] for record in pairs[0])
    return mean_interval([a[name]["mse"] - b[name]["mse"] for name in a])


def summary(record: dict) -> dict:
    """What a run shows in a sweep."""
    kept = {key: record[key] for key in ("table", "row", "options", "seed")}
    if sweep.DIVERGED in record:
        return kept | {sweep.DIVERGED: record[sweep.DIVERGED]}
    return kept | {
        **{f"{split}_mse": error(record, split) for split in ("train", "validation", "test")},
        "information": record["validation"]["information_lower"]["mean"],
        "command": record["command"],
    }


def correlate(records: list[dict]) -> dict:
    """Each run's information on validation objects and error on test objects.

    Returns:
        ``models``: of each run its row, the two and the swap gap; ``spearman``: rank correlations
        with the test error, over all runs whose scores are numbers.
    """
    models = [
        {
            "row": record["row"],
            "test_mse": error(record, "test"),
            "information": record["validation"]["information_lower"]["mean"],
            "swap_gap": record["validation"]["swap_gap"]["mean"],
        }
        for record in records
        if sweep.DIVERGED not in record
    ]
    models = [
        model
        for model in models
        if all(math.isfinite(model[name]) for name in ("test_mse", "information", "swap_gap"))
    ]
    errors = [model["test_mse"] for model in models]
    ranks = {
        name: float(stats.spearmanr([model[name] for model in models], errors).statistic)
        for name in ("information", "swap_gap")
        if len(models) > 2
    }
    return {"models": models, "spearman": ranks}


def define_flags():
    """Defines the flags of this command."""
    every = TABLES | {"objects": more_objects("")}
    sweep.define_flags({name: table.seeds for name, table in every.items()})
    flags.adopt_module_key_flags(sweep)  # For --help.
    flags.DEFINE_string("data_dir", None, "Folder of the two pickles.", required=True)
    flags.DEFINE_enum("preset", "cpu", list(PRESETS), "Sizes of all runs.")
    flags.DEFINE_list(
        "tables", None, f"Of {', '.join(TABLES)}, all by default; with --extra_data_dir objects."
    )
    flags.DEFINE_string(
        "extra_data_dir", "", "Folder of more objects, which the table objects trains on as well."
    )
    flags.DEFINE_list("methods", None, "Rows of the tables; all by default.")
    flags.DEFINE_integer("steps", None, "Training steps; the preset's by default.", lower_bound=1)


def main():
    determinism.share_cores()
    values = flags.FLAGS
    tables = dict(TABLES)
    if values.extra_data_dir:  # What is trained on differs: it has a report of its own.
        tables = {"objects": more_objects(values.extra_data_dir)}
    elif "objects" in (values.tables or ()):
        sys.exit("Error: --tables=objects needs --extra_data_dir=DIR, the folder of more objects.")
    names = list(tables) if values.tables is None else values.tables
    try:
        tables = selected(tables, names, values.methods)
    except ValueError as failure:
        sys.exit(f"Error: {failure}")
    output, start = pathlib.Path(values.output), time.time()
    plan = Study(
        tables,
        values.data_dir,
        pathlib.Path(values.logdir),
        values.preset,
        values.seeds,
        values.workers,
        tuple(values.methods or ()),
        {} if values.steps is None else {"steps": values.steps},
    )
    try:
        result = study(plan)
    except (pickles.PickleError, ValueError, OSError) as failure:
        sys.exit(f"Error: {failure}")
    result |= reporting.provenance("pose_code.study") | {"workers": plan.workers}
    text = study_report.markdown(result)
    reporting.write_tables(result, text, output, NAME)
    study_report.draw(result, plan.data_dir, output)
    print(text)
    print(f"{(time.time() - start) / 60:.0f} minutes; tables and pictures in {output}.")


if __name__ == "__main__":
    define_flags()
    commands.run(main, ["logdir", "output"])

"""The pose study: regularizers against memorization, tools, and forms of the information terms.

    python -m pose_code.study --data_dir=DATA --logdir=LOGS --output=results/pose

Tables are in :mod:`pose_code.tables`. Strengths are chosen by the error on validation objects, of
one seed; then all seeds are trained with them, and scored on test objects. Neither are trained on.
Writes ``pose.{md,json}`` and pictures.
"""

import dataclasses
import functools
import math
import pathlib
import shlex
import sys
from collections.abc import Mapping

from absl import flags

import maml
from maml.experiments import aggregation, plots, study_command
from maml.experiments.config import Config
from maml.experiments.results import HISTORY, read_history
from maml.experiments.run_folder import LEARNER, read_config
from maml.experiments.study import Plan, Study, run_name
from mine.reporting import rank
from pose_code import baselines, study_report
from pose_code.plots import predictions
from pose_code.presets import PRESETS, preset_options
from pose_code.problem import pose  # noqa: F401 (registers the task)
from pose_code.symmetry import asymmetries
from pose_code.tables import COMMON, TABLES, more_objects

NAME = "pose"


def make_study(data_dir: str, preset: str = "cpu", extra_data_dir: str = "") -> Study:
    """The study of a data set.

    Args:
        data_dir: folder of the data set, of :mod:`pose_data.data_gen`.
        preset: of :data:`pose_code.presets.PRESETS`.
        extra_data_dir: folder of more objects; then the study is the table ``objects`` alone.
    """
    tables = {"objects": more_objects(extra_data_dir)} if extra_data_dir else TABLES
    common = COMMON | {"task.data_dir": data_dir}

    def defaults(row: Mapping) -> Mapping:
        return preset_options(preset, row.get("learner")) | common

    def command_flags(config: Config) -> list[str]:
        return [f"--preset={preset}"]

    return Study(
        NAME,
        "The pose experiment",
        {
            name: dataclasses.replace(table, base=common | table.base)
            for name, table in tables.items()
        },
        defaults=defaults,
        module="pose_code.train",
        command_flags=command_flags,
        preset=functools.partial(_preset_of, preset),
        ensembles=True,
        question="Which methods keep a learner from memorizing the poses of its training objects, "
        "so that it predicts those of new objects?",
    )


def _preset_of(preset: str, config: Config) -> Mapping:
    return preset_options(preset, config.learner)


def write(result: dict, plan: Plan, output: pathlib.Path) -> str:
    """Writes the page, and pictures: curves, predictions of the best row, the correlation."""
    name, table = next(iter(plan.chosen.items()))
    options = next(of[0] for of in table.rows.values() if isinstance(of, list))
    config = plan.config(name, options, 0)
    problem = config.make_problem()
    result["asymmetry"] = asymmetries(problem.test)
    result["data"] = dict(problem.data)
    result["baselines"] = _baselines(plan, config, problem)
    rows = list(dict.fromkeys(result["runs"]["row"]))
    columns = (f"scores.validation.{aggregation.INFORMATION}.mean", "scores.test.mse.mean")
    everything = {"all": tuple(rows)}
    result["correlation"] = aggregation.correlate(
        result["runs"], {row: (row,) for row in rows} | everything, *columns
    )
    columns = ("scores.validation.swap_gap.mean", "scores.test.mse.mean")
    result["correlation_swap_gap"] = aggregation.correlate(result["runs"], everything, *columns)
    text = study_report.write(result, output)
    _draw(result, problem, output)
    return text


def _baselines(plan: Plan, config: Config, problem) -> list[dict]:
    """Aggregated rows of the predictors without training, scored as a run is.

    Raises:
        ValueError: those that are there were scored on other data.
    """
    folder = plan.logdir / "baselines" / run_name(config)
    words = ["python", "-m", "pose_code.baselines", *config.as_flags(), f"--logdir={folder}"]
    command = shlex.join(words)
    records = baselines.run(config, folder, command)
    for record in records:
        if record["data"] != problem.data:
            raise ValueError(f"{folder} holds scores of other data: pass another --logdir.")
    runs = aggregation.as_frame(records)
    runs["row"], runs["table"] = runs["method"], ""
    bandwidth = "config.learner_options.bandwidth"
    rows = aggregation.aggregate(runs, ("table", "row"), (bandwidth, "normalization"))
    for row in rows:
        value = row.pop(bandwidth)
        row["options"] = {} if math.isnan(value) else {"bandwidth": value}
    return rows


def _draw(result: Mapping, problem, output: pathlib.Path) -> None:
    ended = [row for of in result["tables"].values() for row in of["rows"] if "folders" in row]
    metrics = {
        "mse": "squared error on test objects",
        "angle": "angular error, degrees",
        plots.INFORMATION: "I(ŷ;Y|x,X) on test objects, lower bound, nats",
    }
    for name, table in result["tables"].items():
        histories = {
            row["row"]: read_history(pathlib.Path(row["folders"][0]) / HISTORY)
            for row in table["rows"]
            if "folders" in row
        }
        if histories:
            plots.draw_curves(histories, metrics, output / f"curves_{name}.png")
    if not ended:
        return
    best = min(ended, key=lambda row: rank(row["scores.test.mse.mean"]))
    folder = pathlib.Path(best["folders"][0])
    test = read_config(folder).make_problem().test
    predictions(maml.load(folder / LEARNER), test, output / "predictions.png")
    study_report.draw_information(result, output / "information.png")


def cli():
    """The command."""
    study_command.define_flags(make_study(""))
    flags.DEFINE_string("data_dir", None, "Folder of train_data and val_data.", required=True)
    flags.DEFINE_enum("preset", "cpu", list(PRESETS), "Sizes of all runs.")
    flags.DEFINE_string(
        "extra_data_dir",
        "",
        "Folder of more objects: the study is the table objects, which trains on them as well.",
    )

    def study():
        values = flags.FLAGS
        if "objects" in (values.tables or ()) and not values.extra_data_dir:
            sys.exit("Error: --tables=objects needs --extra_data_dir, the folder of more objects.")
        return make_study(values.data_dir, values.preset, values.extra_data_dir)

    study_command.run(study, write, "pose_code.study")


if __name__ == "__main__":
    cli()

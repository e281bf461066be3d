"""Tables and pictures of :mod:`maml.studies.fewshot`."""

import pathlib

import matplotlib.figure
import numpy as np

from maml.experiments import selection, sweep
from maml.studies.fewshot_tables import PUBLISHED
from mine import reporting
from mine.reporting.statistics import format_interval


def markdown(result: dict) -> str:
    """The tables of a study."""
    lines = [
        "# Few-shot classification",
        "",
        f"`{result['command']}`; {result['hardware']}; {result['date']}; {result['workers']} "
        "trainings side by side.",
        "",
        "Per cent of right answers on classes that were not trained on, ± 95 % interval over "
        "seeds, or over tasks where there is one seed. Training classes: after the support set, "
        "before it, and after another task's, where a learner that knows labels by heart is right "
        "too. Information: lower bound of I(ŷ;Y\\|x,X). Published: other splits, networks and "
        "steps, for context only.",
    ]
    for name, table in result["tables"].items():
        # A stand-in for a data set has its options: the file tells them apart.
        lines += ["", f"## {table['about']} (`{table['images']}`)", ""]
        lines += _table(name, table["rows"])
        commands = [row["commands"][0] for row in table["rows"] if "accuracy" in row]
        lines += ["", "Each row by itself (first seed):", "", "```sh", *commands, "```"]
    if result["sweep"]:
        lines += ["", "## Every strength that was tried", "", *_sweep(result["sweep"])]
    return "\n".join(lines) + "\n"


def _table(name: str, rows: list[dict]) -> list[str]:
    columns = ["method", "strength", "seeds", "test accuracy", "training classes", "before"]
    columns += ["with another task's", "information, nats", "normalisation"]
    columns += ["steps", "s/step", "training minutes", "published"]
    lines = []
    for row in rows:
        cells = [row["row"], selection.strength(row["options"]), str(len(row["seeds"]))]
        if row[sweep.DIVERGED]:
            cells[2] += f" ({row[sweep.DIVERGED]} diverged)"
        if "accuracy" in row:
            train = row["accuracy"]["train"]
            cells += [_per_cent(row["accuracy"]["test"]["after"])]
            cells += [_per_cent(train[key]) for key in ("after", "before", "swapped")]
            cells += [
                format_interval(row["information"], 2),
                row["normalization"],
                str(row["steps"]),
            ]
            cells += [f"{row['seconds_per_step']:.2f}", f"{row['train_seconds'] / 60:.0f}"]
        else:
            cells += ["diverged"] + [""] * (len(columns) - 5)
        lines.append([*cells, str(PUBLISHED.get(name, {}).get(row["row"], ""))])
    return reporting.markdown_table(columns, lines, left=2)


def _sweep(rows: list[dict]) -> list[str]:
    columns = ["table", "method", "strength", "training classes", "before", "validation", "test"]
    lines = []
    for row in rows:
        cells = [row["table"], row["row"], selection.strength(row["options"])]
        if "accuracy" in row:
            of = row["accuracy"]
            scores = (of["train"]["after"], of["train"]["before"])
            scores += (of["validation"]["after"], of["test"]["after"])
            cells += [f"{100 * score['mean']:.1f}" for score in scores]
        else:
            cells.append("diverged")
        lines.append(cells)
    return reporting.markdown_table(columns, lines, left=3)


def _per_cent(interval: dict) -> str:
    return format_interval(
        {key: 100 * (np.nan if value is None else value) for key, value in interval.items()}, 1
    )


def copy_pictures(result: dict, output: pathlib.Path) -> None:
    """Sample episodes and confusions of the first run of every table.

    Args:
        result: of :func:`maml.studies.fewshot.study`.
        output: folder of the pictures.
    """
    for name, table in result["tables"].items():
        folders = [pathlib.Path(row["folder"]) for row in table["rows"] if "accuracy" in row]
        for picture in ("episodes", "confusion"):
            if folders:
                content = (folders[0] / f"{picture}.png").read_bytes()
                reporting.write(content, output / f"{picture}_{name}.png")


def draw_curves(histories: dict[str, dict], path: pathlib.Path) -> None:
    """Accuracy on validation classes over training, a line for each row; dotted before the support.

    Args:
        histories: row -> columns of :func:`maml.experiments.runs.read_history`.
        path: of the PNG.
    """
    figure = matplotlib.figure.Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    for index, (row, history) in enumerate(histories.items()):
        colour = reporting.COLOURS[index % len(reporting.COLOURS)]
        axis.plot(history["step"], history["validation_accuracy"], color=colour, label=row)
        axis.plot(
            history["step"], history["train_no_support_accuracy"], color=colour, linestyle=":"
        )
    axis.set(xlabel="training step", ylabel="accuracy on validation classes")
    axis.set_title("dotted: on training classes, before the support set", fontsize=8)
    figure.legend(loc="outside right upper", fontsize=7)
    reporting.picture(figure, path)

"""One table from many runs of any problem: prints it, and writes Markdown, JSON and pictures.

    python -m maml.compare --runs=LOGS --output=LOGS

``--runs`` names folders of runs, or folders that hold such folders. Nothing here needs TensorFlow.
"""

import collections
import json
import math
import pathlib
import sys
from collections.abc import Mapping, Sequence

import matplotlib.figure
from absl import flags

from maml.experiments import aggregation, plots, report
from maml.experiments.aggregation import interval_of
from maml.experiments.results import HISTORY, find_results, read_history
from mine import reporting
from mine.reporting import commands, format_interval, rank

SCORED = ("test", "test_images", "test_objects", "images", "shots", "queries")
"""What of a run's data must be the same for its scores to be compared, as far as runs say it."""

SCORES = ("task", "num_test_tasks", "episodes_per_task")
"""Options that must be the same, too, beside those of the tasks."""

TRAINING = tuple(
    f"task_options.{name}"
    for name in ("labels", "grouped", "rotations", "signed", "image_augmentation")
    + ("num_validation", "other_shots", "train_tasks")
)
"""Options of tasks that change no main score on test tasks: runs are named by them."""

DENSITY = "scores.test.calibration_error.mean"
"""A column of runs whose predictions are densities."""

TRAINED = ("train", "train_objects")
"""What of a run's data tells it from others, as its options do."""

LOCATIONS = ("task_options.data", "task_options.data_dir", "task_options.extra_data_dir", "seed")
"""Options in which runs of one method may differ."""


def find_runs(folders: Sequence[str]) -> list[dict]:
    """The records of all finished runs in or below some folders; a run that is found twice once.

    Raises:
        FileNotFoundError: a folder holds none.
        ValueError: no folder is named, a record is damaged, or the runs cannot be compared.
    """
    if not any(folders):
        raise ValueError("Invalid value for `runs`: expected folders of runs, received none.")
    records = {}
    for folder in folders:
        for record in find_results(folder):
            records[pathlib.Path(record["folder"]).resolve()] = record
    return distinguish_methods(list(records.values()))


def distinguish_methods(records: Sequence[dict]) -> list[dict]:
    """The same records; methods of one name but with other options are named by those, too.

    So are those that were trained on other objects, and methods of any name that were trained on
    other tasks. Of runs that differ in nothing the first is kept.

    Raises:
        ValueError: the runs were scored on other tasks or data, by another metric, or on other
            numbers of tasks or episodes, so they cannot be compared.
    """
    scored: dict[str, tuple] = {}
    for record in records:
        for key, value in _scored_on(record).items():
            first, folder = scored.setdefault(key, (value, record["folder"]))
            if first != value:
                raise ValueError(
                    f"These runs cannot be compared, since they differ in {key}: received {first} "
                    f"in {folder} and {value} in {record['folder']}, expected the same; name runs "
                    "that were scored on the same tasks."
                )
    groups = collections.defaultdict(list)
    for record in records:
        groups[record["method"]].append(_options(record))
    every = [own for group in groups.values() for own in group]
    named = {}
    for record in records:
        own, others = _options(record), groups[record["method"]]
        different = [
            f"{name}={value}"
            for name, value in own.items()
            # An option that only one of them has is newer than the other.
            if any(
                name in other and other[name] != value
                for other in (every if name in TRAINING else others)
            )
        ]
        name = f"{record['method']} ({', '.join(different)})" if different else record["method"]
        named.setdefault((name, record["seed"]), record | {"method": name})
    return list(named.values())


def _scored_on(record: Mapping) -> dict[str, object]:
    """What must be the same for scores to be compared, as far as a run says it."""
    tasks = {
        name: value
        for name, value in _options(record).items()
        if name in SCORES or name.startswith("task_options.") and name not in TRAINING
    }
    data = {name: value for name, value in record["data"].items() if name in SCORED}
    return data | tasks | {"metric": record["metric"]}


def _options(record: Mapping) -> dict[str, object]:
    """What tells a run from others of its method: options, and what it was trained on."""
    flat = {}
    for name, value in record["config"].items():
        own = value if isinstance(value, dict) else {None: value}
        flat |= {name if key is None else f"{name}.{key}": of for key, of in own.items()}
    flat = {name: of for name, of in flat.items() if name not in LOCATIONS}
    return flat | {name: record["data"][name] for name in TRAINED if name in record["data"]}


def tabulate(records: Sequence[dict]) -> list[dict]:
    """One row for each method and its options, best test score first.

    With several seeds of a method, means and 95 % intervals are over seeds; with one, over tasks.
    """
    runs = aggregation.as_frame(records)
    keep = ("metric", "normalization", "provenance.hardware")
    rows = aggregation.aggregate(runs, ["method"], keep)
    metric = rows[0]["metric"]
    sign = -1 if metric == "accuracy" else 1
    return sorted(rows, key=lambda row: rank(sign * _mean(row, f"test.{metric}")))


def _mean(row: Mapping, name: str) -> float:
    return interval_of(row, f"scores.{name}")["mean"]


def columns(rows: Sequence[Mapping]) -> tuple[str, ...]:
    """Titles of the columns of a table of these rows."""
    angle = ("median angle",) if _have_angles(rows) else ()
    density = ("test NLL", "calibration error") if _have_densities(rows) else ()
    name = {"mse": "MSE"}.get(rows[0]["metric"], rows[0]["metric"])
    return (
        "method", "seeds", f"train {name}", f"test {name}", *angle, *density, "swap gap",
        "I(ŷ;Y|x,X), nats", "verdict", "steps", "s/step",
    )  # fmt: skip


def _have_angles(rows: Sequence[Mapping]) -> bool:
    return any("scores.test.angle.median" in row for row in rows)


def _have_densities(rows: Sequence[Mapping]) -> bool:
    return any(DENSITY in row for row in rows)


def cells(row: Mapping, rows: Sequence[Mapping]) -> list[str]:
    """A row's texts, in the order of the :func:`columns` of all ``rows``."""
    metric, angle = row["metric"], row.get("scores.test.angle.median", math.nan)
    low, high = (_mean(row, f"test.label_information_{end}") for end in ("lower", "upper"))
    known = not math.isnan(low)
    texts = [report.score("", f"test.{of}").text(row) for of in ("nll", "calibration_error")]
    return [
        row["method"],
        str(len(row["seeds"])),
        f"{_mean(row, f'train.{metric}'):.3g}",
        format_interval(interval_of(row, f"scores.test.{metric}"), 2),
        *([f"{angle:.0f}°"] if _have_angles(rows) else []),
        *(texts if _have_densities(rows) else []),
        f"{_mean(row, 'test.swap_gap'):.3g}",
        f"{max(low, 0):.2f} to {max(high, 0):.2f}" if known else "",
        report.VERDICT.text(row),
        f"{row['cost.steps']:.0f}",
        f"{row['cost.seconds_per_step']:.3f}",
    ]


def markdown(rows: Sequence[Mapping], records: Sequence[Mapping]) -> str:
    """The table, what its numbers mean, and the command behind each row.

    Args:
        rows: of the table.
        records: of all its runs.
    """
    one_seed = all(len(row["seeds"]) == 1 for row in rows)
    over = "test tasks (one seed)" if one_seed else "seeds (one seed: over test tasks)"
    numbers = collections.defaultdict(list)
    for record in records:
        own = record["data"] | {"episodes_per_task": record["config"].get("episodes_per_task")}
        for name in (name for name, of in own.items() if type(of) is int):
            numbers[name].append(own[name])
    sizes = ", ".join(
        f"{name.replace('_', ' ')} {reporting.join_numbers(of)}" for name, of in numbers.items()
    )
    lines = [
        *reporting.markdown_table(columns(rows), (cells(row, rows) for row in rows)),
        "",
        f"{sizes + '; ' if sizes else ''}mean ± 95 % interval over {over}. Swap gap: how much the "
        "score is worse with another task's support set. Information: lower to upper bound. "
        "Verdict: of the memorization report.",
        "",
        *(
            f"- {row['method']} ({row['normalization']}; {row['provenance.hardware']}): "
            f"`{row['commands'][0]}`"
            for row in rows
        ),
    ]
    return "\n".join(lines) + "\n"


def picture(rows: Sequence[Mapping], path: pathlib.Path) -> None:
    """The table as a PNG."""
    titles, texts = columns(rows), [cells(row, rows) for row in rows]
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
    """Writes ``table.md``, ``table.json``, ``table.png`` and ``curves.png``.

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
    records = find_runs(folders)
    rows = tabulate(records)
    text = markdown(rows, records)
    result = {"rows": rows, "data": records[0]["data"]}
    reporting.write_tables(json.loads(json.dumps(result)), text, folder, "table")
    picture(rows, folder / "table.png")
    draw_curves(records, folder / "curves.png")
    return text


def draw_curves(records: Sequence[Mapping], path: pathlib.Path) -> None:
    """Learning curves of the first run of each method, if any run has some."""
    histories = {}
    for record in records:
        history = pathlib.Path(record["folder"]) / HISTORY
        if history.exists():
            histories.setdefault(record["method"], read_history(history))
    if not histories:
        return
    first, metric = next(iter(histories.values())), records[0]["metric"]
    split = "test" if f"test_{metric}" in first else "validation"
    metrics = {metric: f"{split} {metric}"}
    if f"{split}_angle" in first:
        metrics["angle"] = "angular error, degrees"
    metrics[plots.INFORMATION] = "I(ŷ;Y|x,X), lower bound, nats"
    plots.draw_curves(histories, metrics, path, split)


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_list("runs", None, "Folders of runs, comma-separated.", required=True)
    flags.DEFINE_string("output", ".", "Folder of the table and the pictures.")


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

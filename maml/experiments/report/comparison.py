"""The comparison of many runs of any problem: which may stand in one table, and its text.

Nothing here needs TensorFlow.
"""

import collections
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence

from maml.diagnostics.report import stated_normalization
from maml.experiments import aggregation, plots
from maml.experiments.aggregation import interval_of
from maml.experiments.report import tables
from maml.experiments.results import HISTORY, find_results, read_history
from mine import reporting
from mine.reporting import format_interval, rank

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
"""Entries of a run's data that distinguish it from others, as its options do."""

GAINS = ("accuracy", "return")
"""Main scores of which more is better."""

LOCATIONS = ("task_options.data", "task_options.data_dir", "task_options.extra_data_dir", "seed")
"""Options in which runs of one method may differ."""


def find_records(folders: Sequence[str]) -> list[dict]:
    """The records of all finished runs in or below some folders; a run that is found twice once.

    Raises:
        FileNotFoundError: a folder holds none.
        ValueError: no folder is named, or a record is damaged.
    """
    if not any(folders):
        raise ValueError("Invalid value for `runs`: expected folders of runs, received none.")
    records = {}
    for folder in folders:
        for record in find_results(pathlib.Path(folder)):
            records[pathlib.Path(record["folder"]).resolve()] = record
    return list(records.values())


def find_runs(folders: Sequence[str]) -> list[dict]:
    """The records of :func:`find_records`, for one table: see :func:`distinguish_methods`.

    Raises:
        FileNotFoundError: a folder holds no finished run.
        ValueError: no folder is named, a record is damaged, or the runs cannot be compared.
    """
    return distinguish_methods(find_records(folders))


def comparable(records: Iterable[dict]) -> list[tuple[str, list[dict]]]:
    """Groups of runs that were scored on the same tasks and data, each with a title.

    The title is the task, and what distinguishes it from other groups of this task.
    """
    groups: list[tuple[dict, list[dict]]] = []
    for record in records:
        own = _scored_on(record)
        for scored, members in groups:
            if all(scored.get(name, value) == value for name, value in own.items()):
                scored.update(own)
                members.append(record)
                break
        else:
            groups.append((own, [record]))

    def title(scored):
        others = [of for of, _ in groups if task_of(of) == task_of(scored)]
        different = [
            f"{name.removeprefix('task_options.')}={value!s:.40}"
            for name, value in scored.items()
            if name != "task" and any(other.get(name, value) != value for other in others)
        ]
        return f"{task_of(scored)} ({', '.join(different)})" if different else task_of(scored)

    return [(title(scored), distinguish_methods(members)) for scored, members in groups]


def task_of(options: Mapping) -> str:
    """The name of a task, for a title; ``options`` are of a run."""
    return " ".join(str(options.get("task", "Runs")).split())


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
    named: dict[tuple, dict] = {}
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
    """What distinguishes a run from others of its method: options, and what it was trained on."""
    flat: dict[str, object] = {}
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
    sign = -1 if metric in GAINS else 1
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
        f"{_information(rows[0])[1]}, nats", "verdict", "steps", "s/step",
    )  # fmt: skip


def _information(row: Mapping) -> tuple[str, str]:
    """Name and symbol of the information of a table: of policies, that of their actions."""
    if row["metric"] == "return":
        return "support_information", "I(a;D|s)"
    return "label_information", "I(ŷ;Y|x,X)"


def _have_angles(rows: Sequence[Mapping]) -> bool:
    return any("scores.test.angle.median" in row for row in rows)


def _have_densities(rows: Sequence[Mapping]) -> bool:
    return any(DENSITY in row for row in rows)


def cells(row: Mapping, rows: Sequence[Mapping]) -> list[str]:
    """A row's texts, in the order of the :func:`columns` of all ``rows``."""
    metric, angle = row["metric"], row.get("scores.test.angle.median", math.nan)
    name, _ = _information(row)
    low, high = (_mean(row, f"test.{name}_{end}") for end in ("lower", "upper"))
    known = not math.isnan(low)
    texts = [tables.score("", f"test.{of}").text(row) for of in ("nll", "calibration_error")]
    return [
        row["method"],
        str(len(row["seeds"])),
        f"{_mean(row, f'train.{metric}'):.3g}",
        format_interval(interval_of(row, f"scores.test.{metric}"), 2),
        *([f"{angle:.0f}°"] if _have_angles(rows) else []),
        *(texts if _have_densities(rows) else []),
        f"{_mean(row, 'test.swap_gap'):.3g}",
        f"{max(low, 0):.2f} to {max(high, 0):.2f}" if known else "",
        tables.VERDICT.text(row),
        f"{row['cost.steps']:.0f}",
        f"{row['cost.seconds_per_step']:.3f}",
    ]


def markdown(
    rows: Sequence[Mapping], records: Sequence[Mapping], with_commands: bool = True
) -> str:
    """The table, what its numbers mean, and the command behind each row.

    Args:
        rows: of the table.
        records: of all its runs.
        with_commands: whether the commands are there.
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
    ]
    if with_commands:
        lines += [""] + [
            f"- {row['method']} ({stated_normalization(row['normalization'])}; "
            f"{row['provenance.hardware']}): "
            f"`{row['commands'][0]}`"
            for row in rows
        ]
    return "\n".join(lines) + "\n"


def draw_curves(records: Sequence[Mapping], path: pathlib.Path) -> bool:
    """Learning curves of the first run of each method, if any run has some.

    Args:
        records: of runs with one metric, each with its ``folder``.
        path: of the PNG.

    Returns:
        Whether there are curves.
    """
    histories: dict[str, dict] = {}
    for record in records:
        history = pathlib.Path(record["folder"]) / HISTORY
        if history.exists():
            histories.setdefault(record["method"], read_history(history))
    columns = {name for history in histories.values() for name in history}
    metric, (information, symbol) = records[0]["metric"], _information(records[0])
    scored = [of for of in ("test", "validation", "train") if f"{of}_{metric}" in columns]
    if not scored:
        return False
    split, metrics = scored[0], {metric: f"{scored[0]} {metric}"}
    if f"{split}_angle" in columns:
        metrics["angle"] = "angular error, degrees"
    if f"{split}_{information}_lower" in columns:
        metrics[f"{information}_lower"] = f"{symbol}, lower bound, nats"
    dotted = "train_no_support" if split == "train" else "train"
    plots.draw_curves(histories, metrics, path, split, dotted)
    return True

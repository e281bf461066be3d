"""The page of :mod:`pose_code.study`."""

import collections
import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from maml.experiments import plots, report
from maml.experiments.aggregation import interval_of, objects_of
from maml.experiments.report import Column
from maml.experiments.selection import strength
from mine import reporting
from mine.reporting import format_interval, rank
from pose_code import symmetry

SCORES = ("test MSE", "median angle", "not symmetric")


def write(result: dict, output: pathlib.Path) -> str:
    """Writes ``pose.json`` and ``pose.md``, and returns the page."""
    return report.write(result, page(result), output, "pose")


def page(result: Mapping) -> list[str]:
    """The page of the study."""
    data = result["data"]
    note = (
        f"{data['train_objects']} meta-training objects, {data.get('validation_objects', 0)} "
        f"validation objects that choose strengths, {data['test_objects']} test objects: squared "
        "error of the angle times 10 / 2π, mean ± 95 % interval over seeds, of a single seed over "
        f"objects, with {data['shots']} support images unless K says otherwise; the median of "
        "wrapped angular errors, 90° for a constant predictor; the error on objects that do not "
        "look alike from several sides (see below); the mean of angular errors. Swap gap: how much "
        "the error grows with another object's support set. Information: lower to upper bound; the "
        "lower cannot exceed the log of the number of relabelings, 8 of them by default: 2.08. "
        "Gain: how much less the error is than the first row's, paired by seed, of a single seed "
        "by object. Ensemble: the mean of all seeds' densities; its intervals, and those of "
        "predictors without training, are over objects; h is the bandwidth of the kernel."
    )
    lines = report.header(result, "The pose experiment", note)
    for table in result["tables"].values():
        steps = [int(row["cost.steps"]) for row in table["rows"] if "cost.steps" in row]
        length = f", {reporting.join_numbers(steps)} steps" if steps else ""
        rows = [*table["rows"], *result["baselines"]]
        columns = _columns(rows, result)
        lines += ["", f"## {table['about']}{length}", "", *report.table(columns, rows)]
    lines += ["", "## By class", "", *_by_class(result)]
    lines += ["", "## Objects that look alike from several sides", "", *_symmetric(result)]
    return [*lines, *report.sweep_section(result, "mse", "MSE", 2)]


def _columns(rows: Sequence[Mapping], result: Mapping) -> list[Column]:
    shots = [
        name.split(".")[2]
        for name in next((row for row in rows if "cost.steps" in row), {})
        if name.startswith("further.shots.") and name.endswith(".angle.median")
    ]
    columns = [
        report.NAME,
        Column("strength", _strength, left=True),
        report.SEEDS,
        report.VERDICT,
        report.number("train MSE", "scores.train.mse.mean"),
        report.score(SCORES[0], "test.mse"),
        report.number(SCORES[1], "scores.test.angle.median", ".0f", "°"),
        Column(SCORES[2], lambda row: _clear(objects_of(row, "mse"), result)),
        report.number("mean angle", "scores.test.angle.mean", ".0f", "°"),
        report.SWAP_GAP,
        report.information(),
        report.SECONDS,
        report.GAIN,
    ]
    for k in shots:
        columns += [
            Column(f"K = {k}: {SCORES[0]}", lambda row, k=k: _further(row, k)),
            report.number(SCORES[1], f"further.shots.{k}.angle.median", ".0f", "°"),
        ]
    return [
        *columns,
        Column(f"ensemble: {SCORES[0]}", lambda row: _ensemble(row, "mse")),
        Column(SCORES[1], lambda row: _ensemble(row, "angle")),
        Column(SCORES[2], lambda row: _ensemble_clear(row, result)),
    ]


def _strength(row: Mapping) -> str:
    """Strengths of the regularizers, or the bandwidth of kernel regression."""
    bandwidth = row["options"].get("bandwidth")
    return strength(row["options"]) if bandwidth is None else f"h = {bandwidth:.2g}"


def _further(row: Mapping, shots: str) -> str:
    found = {end: row.get(f"further.shots.{shots}.mse.{end}") for end in ("mean", "ci95")}
    return "" if found["mean"] is None else format_interval(found, 2)


def _ensemble(row: Mapping, name: str) -> str:
    if not row.get("ensemble"):
        return ""
    of = row["ensemble"]["scores"][name]
    return format_interval(of, 2) if name == "mse" else f"{of['median']:.0f}°"


def _ensemble_clear(row: Mapping, result: Mapping) -> str:
    if not row.get("ensemble"):
        return ""
    objects = row["ensemble"]["scores"]["objects"]
    return _clear({name: of["mse"] for name, of in objects.items()}, result)


def _clear(objects: Mapping[str, float], result: Mapping) -> str:
    """Mean squared error on the objects that do not look alike from several sides."""
    own = [error for name, error in objects.items() if result["asymmetry"][name] >= symmetry.ALIKE]
    return f"{np.mean(own):.2f}" if own else ""


def _scored_rows(result: Mapping) -> list[Mapping]:
    """Rows of the first table that ended."""
    return [row for row in next(iter(result["tables"].values()))["rows"] if "cost.steps" in row]


def _by_class(result: Mapping) -> list[str]:
    """Errors of every row of the first table, a column for each class."""
    classes = collections.defaultdict(list)
    for name in result["asymmetry"]:
        classes[name.split("/")[0]].append(name)
    titles = [f"{name} ({len(of)})" for name, of in classes.items()]
    lines = []
    for row in [*_scored_rows(result), *result["baselines"]]:
        objects = objects_of(row, "mse")
        means = [np.mean([objects[name] for name in of]) for of in classes.values()]
        lines.append([row["row"], *(f"{mean:.1f}" for mean in means)])
    return [
        *reporting.markdown_table(["regularizer", *titles], lines),
        "",
        "Squared error on test objects, and how many there are of each class.",
    ]


def _symmetric(result: Mapping) -> list[str]:
    rows = _scored_rows(result) or result["baselines"]
    best = min(rows, key=lambda row: rank(interval_of(row, "scores.test.mse")["mean"]))
    objects = objects_of(best, "mse")
    names = sorted(result["asymmetry"], key=result["asymmetry"].get)
    lines = [
        [name, f"{result['asymmetry'][name]:.2f}", f"{objects.get(name, math.nan):.1f}"]
        for name in names
    ]
    return [
        *reporting.markdown_table(["object", "asymmetry", f"squared error ({best['row']})"], lines),
        "",
        "Asymmetry: the distance between images a quarter or half turn apart, over that between "
        f'images of any angles. Those below {symmetry.ALIKE} are left out of the column "not '
        'symmetric": no image shows which of two angles they have.',
    ]


def draw_information(result: Mapping, path: pathlib.Path) -> None:
    """Test error against information on validation objects, a point for each run.

    Args:
        result: of the study; the title of the legend has its rank correlations over all runs.
        path: of the PNG.
    """
    groups = {name: of | {"spearman": None} for name, of in result["correlation"].items()}
    del groups["all"]
    keys = {"information": "correlation", "swap gap": "correlation_swap_gap"}
    ranks = {name: result[key]["all"]["spearman"] for name, key in keys.items()}
    known = [f"{name} {of:.2f}" for name, of in ranks.items() if of is not None and of == of]
    title = "\n".join(["rank correlation with test MSE", ", ".join(known)]) if known else ""
    plots.draw_correlation(groups, path, "test MSE", title=title)

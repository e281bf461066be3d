"""Tables and pictures of :mod:`pose_code.study`."""

import collections
import pathlib

import matplotlib.figure
import numpy as np

import maml
from maml.experiments import runs, sweep
from maml.experiments.selection import strength
from mine import reporting
from mine.reporting.statistics import format_interval, rank
from pose_code import config, experiment, plots, symmetry

SCORES = ("test MSE", "median angle", "not symmetric")
MAX_CURVES = 14
"""More would not be told apart."""


def markdown(result: dict) -> str:
    """The tables of a study."""
    data = result["data"]
    lines = [
        "# The pose experiment",
        "",
        f"`{result['command']}`; {result['hardware']}; {result['date']}.",
        "",
        f"{data['train_objects']} objects are trained on, {data['validation_objects']} choose "
        f"strengths, {data['test_objects']} are scored: squared error of the angle times 10 / 2π, "
        "mean ± 95 % interval over seeds, of a single seed over objects, with "
        f"{data['shots']} support images unless K says otherwise; the median of wrapped angular "
        "errors, of which chance is 90°; the error on objects that do not look alike from several "
        "sides (see below); the mean of angular errors. Swap gap: how much the error grows with "
        "another object's support set. Information: lower to upper bound; the lower cannot exceed "
        "the log of the number of relabellings, 8 of them by default: 2.08. Gain: how much less "
        "the error is than the first row's, seed by seed, of a single seed object by object. "
        "Together: by the mean of all seeds' densities; that interval, and those of what learns "
        "nothing, are over objects.",
    ]
    for table in result["tables"].values():
        steps = reporting.join_numbers(row["steps"] for row in table["rows"] if "steps" in row)
        length = f", {steps} steps" if steps else ""
        lines += ["", f"## {table['about']}{length}", "", *_table(table["rows"], result)]
    lines += ["", "## By class", "", *_by_class(result)]
    lines += ["", "## Objects that look alike from several sides", "", *_symmetric(result)]
    if result["sweep"]:
        lines += ["", "## Every strength that was tried", "", *_sweep(result["sweep"])]
    return "\n".join(lines) + "\n"


def _table(rows: list[dict], result: dict) -> list[str]:
    shots = next((list(row["shots"]) for row in rows if "shots" in row), [])
    columns = ["method", "strength", "seeds", "train MSE", *SCORES, "mean angle", "swap gap"]
    columns += ["I(ŷ;Y|x,X), nats", "s/step", "gain"]
    columns += [text for k in shots for text in (f"K = {k}: {SCORES[0]}", SCORES[1])]
    columns += [f"together: {SCORES[0]}", *SCORES[1:]]
    cells = [_cells(row, shots, result) for row in rows]
    cells += [
        [row["row"], "", "", *_own(row, result), "", *_at_shots(row, shots)]
        for row in result["baselines"]
    ]
    return reporting.markdown_table(columns, cells, left=2)


def _cells(row: dict, shots: list[str], result: dict) -> list[str]:
    """Of a row of a table, as far as it has any."""
    cells = [row["row"], strength(row["options"]), str(len(row["seeds"]))]
    if "mse" not in row:
        return [*cells, "", "diverged"]
    if row[sweep.DIVERGED]:
        cells[2] += f" ({row[sweep.DIVERGED]} diverged)"
    cells += [*_own(row, result), format_interval(row["gain"], 2) if row["gain"] else ""]
    cells += _at_shots(row, shots)
    of = row["together"]
    if of is not None:
        cells += _scores(of["mse"], of["angle"]["median"], of["objects"], result)
    return cells


def _at_shots(row: dict, shots: list[str]) -> list[str]:
    found = [row["shots"][k] for k in shots]
    return [text for of in found for text in _scores(of["mse"], of["median_angle"])]


def _own(row: dict, result: dict) -> list[str]:
    low, high = (max(row[f"information_{end}"]["mean"], 0) for end in ("lower", "upper"))
    return [
        f"{row['train_mse']:.2f}",
        *_scores(row["mse"], row["median_angle"], row["objects"], result),
        f"{row['angle']['mean']:.0f}°",
        f"{round(row['swap_gap']['mean'], 1) + 0:.1f}",  # Without a sign before zero.
        f"{low:.2f} to {high:.2f}",
        f"{row['seconds_per_step']:.3f}",
    ]


def _scores(
    mse: dict, median: float, objects: dict | None = None, result: dict | None = None
) -> list[str]:
    """Of :data:`SCORES`; without objects the first two."""
    clear = [f"{_clear(objects, result):.2f}"] if objects else []
    return [format_interval(mse, 2), f"{median:.0f}°", *clear]


def _clear(objects: dict, result: dict) -> float:
    """Mean squared error on the objects that do not look alike from several sides."""
    return np.mean([of["mse"] for name, of in objects.items() if not _alike(result, name)])


def _alike(result: dict, name: str) -> bool:
    return result["asymmetry"][name] < symmetry.ALIKE


def _by_class(result: dict) -> list[str]:
    """Errors of every row of the first table, a column for each class."""
    rows = [row for row in next(iter(result["tables"].values()))["rows"] if "objects" in row]
    classes = collections.defaultdict(list)
    for name in result["asymmetry"]:
        classes[name.split("/")[0]].append(name)
    titles = [f"{name} ({len(of)})" for name, of in classes.items()]
    lines = []
    for row in [*rows, *result["baselines"]]:
        means = [np.mean([row["objects"][name]["mse"] for name in of]) for of in classes.values()]
        lines.append([row["row"], *(f"{mean:.1f}" for mean in means)])
    return [
        *reporting.markdown_table(["method", *titles], lines),
        "",
        "Squared error on test objects, and how many there are of each class.",
    ]


def _error(row: dict) -> float:
    return rank(row["mse"]["mean"])


def _symmetric(result: dict) -> list[str]:
    rows = [row for row in next(iter(result["tables"].values()))["rows"] if "objects" in row]
    best = min(rows or result["baselines"], key=_error)
    names = sorted(result["asymmetry"], key=result["asymmetry"].get)
    lines = [
        [name, f"{result['asymmetry'][name]:.2f}", f"{best['objects'][name]['mse']:.1f}"]
        for name in names
    ]
    return [
        *reporting.markdown_table(["object", "asymmetry", f"squared error ({best['row']})"], lines),
        "",
        "Asymmetry: the distance between images a quarter or half turn apart, over that between "
        f'images of any angles. Those below {symmetry.ALIKE} are left out of the column "not '
        'symmetric": no image tells which of two angles they have.',
    ]


def _sweep(rows: list[dict]) -> list[str]:
    columns = ["table", "method", "strength", "train", "validation", "test", "I(ŷ;Y|x,X)"]
    lines = []
    for row in rows:
        cells = [row["table"], row["row"], strength(row["options"])]
        if sweep.DIVERGED in row:
            cells.append("diverged")
        else:
            cells += [f"{row[f'{split}_mse']:.2f}" for split in ("train", "validation", "test")]
            cells.append(f"{row['information']:.2f}")
        lines.append(cells)
    return reporting.markdown_table(columns, lines, left=3)


def draw(result: dict, data_dir: str, output: pathlib.Path) -> None:
    """Learning curves of each table, predictions of its best row, information against error.

    Args:
        result: of :func:`pose_code.study.study`.
        data_dir: folder of the pickles.
        output: folder of the pictures.
    """
    ended = {
        name: [row for row in table["rows"] if "mse" in row]
        for name, table in result["tables"].items()
    }
    for name, rows in ended.items():
        histories = {
            row["row"]: runs.read_history(pathlib.Path(row["folder"]) / runs.HISTORY)
            for row in rows[:MAX_CURVES]
        }
        if histories:
            plots.curves(histories, output / f"curves_{name}.png")
    everything = sum(ended.values(), [])
    if not everything:
        return
    best = min(everything, key=_error)
    folder = pathlib.Path(best["folder"])
    settings = runs.read_options(folder, config.Config)
    test = experiment.load_tasks(data_dir, settings)["test"]
    plots.predictions(maml.load(folder / "learner.keras"), test, output / "predictions.png")
    draw_information(result["correlation"], output / "information.png")


def draw_information(correlation: dict, path: pathlib.Path) -> None:
    """Error against information, a point for each model."""
    of_row = collections.defaultdict(list)
    for model in correlation["models"]:
        of_row[model["row"]].append((model["information"], model["test_mse"]))
    height = max(4.4, 0.6 + 0.17 * len(of_row))  # Of all lines of the legend, in inches.
    figure = matplotlib.figure.Figure(figsize=(9, height), layout="constrained")
    axis = figure.subplots()
    markers = "osv^D<>pPX*hd"
    for index, (row, points) in enumerate(of_row.items()):
        style = {
            "color": reporting.COLOURS[index % len(reporting.COLOURS)],
            "marker": markers[index % len(markers)],
        }
        axis.plot(*zip(*points, strict=True), **style, linestyle="none", label=row)
    ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in correlation["spearman"].items())
    axis.set(xlabel="I(ŷ;Y|x,X) on validation objects, nats", ylabel="test MSE")
    figure.legend(loc="outside right upper", fontsize=7, title=f"rank correlation: {ranks}")
    reporting.picture(figure, path)

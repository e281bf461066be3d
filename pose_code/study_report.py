"""Tables and pictures of :mod:`pose_code.study`."""

import collections
import json
import pathlib

import matplotlib.figure
import numpy as np

import maml
from maml.runs import HISTORY, read_history
from maml.statistics import in_words
from maml.studies import grid
from maml.studies.choosing import strength
from mine import reports
from pose_code import config, experiment, plots, symmetry

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
        f"mean ± 95 % interval over seeds, with {data['shots']} support images unless K says "
        "otherwise; the median of wrapped angular errors, of which chance is 90°. Seeds "
        "together: the mean of their densities. Swap gap: how much the error grows with another "
        "object's support set. Information: lower to upper bound.",
    ]
    for table in result["tables"].values():
        lines += ["", f"## {table['about']}", "", *_table(table["rows"], result)]
    lines += ["", "## By class", "", *_by_class(result)]
    lines += ["", "## Objects that look alike from several sides", "", *_symmetric(result)]
    if result["sweep"]:
        lines += ["", "## Every strength that was tried", "", *_sweep(result["sweep"])]
    return "\n".join(lines) + "\n"


def _table(rows: list[dict], result: dict) -> list[str]:
    shots = next((list(row["shots"]) for row in rows if "shots" in row), [])
    columns = ["method", "strength", "seeds", "train MSE", "test MSE", "median angle"]
    columns += ["seeds together", "median", "not symmetric"]
    columns += [text for k in shots for text in (f"K = {k}", "median")]
    columns += ["not symmetric", "swap gap", "I(ŷ;Y\\|x,X), nats", "s/step"]
    lines = [_line(columns), _line(["---"] * 2 + ["---:"] * (len(columns) - 2))]
    for row in rows:
        cells = [row["row"], strength(row["options"]), str(len(row["seeds"]))]
        if "mse" not in row:
            lines.append(_line([*cells, "", "diverged"] + [""] * (len(columns) - 5)))
            continue
        if row[grid.DIVERGED]:
            cells[2] += f" ({row[grid.DIVERGED]} diverged)"
        cells += _scores(row)
        cells += _together(row["together"], result)
        for k in shots:
            of = row["shots"][k]
            cells += [in_words(of["mse"], 2), f"{of['median_angle']:.0f}°"]
        lines.append(_line(cells + _rest(row, result)))
    for row in result["baselines"]:
        blank = [""] * (3 + 2 * len(shots))
        lines.append(_line([row["row"], "", "", *_scores(row), *blank, *_rest(row, result)]))
    return lines


def _scores(row: dict) -> list[str]:
    return [f"{row['train_mse']:.2f}", in_words(row["mse"], 2), f"{row['median_angle']:.0f}°"]


def _together(scores: dict | None, result: dict) -> list[str]:
    if scores is None:
        return [""] * 3
    clear = f"{_clear(scores['objects'], result):.2f}"
    return [f"{scores['mse']['mean']:.2f}", f"{scores['angle']['median']:.0f}°", clear]


def _clear(objects: dict, result: dict) -> float:
    """Mean squared error on the objects that do not look alike from several sides."""
    return np.mean([of["mse"] for name, of in objects.items() if not _alike(result, name)])


def _rest(row: dict, result: dict) -> list[str]:
    low, high = (max(row[f"information_{end}"]["mean"], 0) for end in ("lower", "upper"))
    return [
        f"{_clear(row['objects'], result):.2f}",
        f"{row['swap_gap']['mean']:.1f}",
        f"{low:.2f} to {high:.2f}",
        f"{row['seconds_per_step']:.3f}",
    ]


def _line(cells) -> str:
    return "| " + " | ".join(cells) + " |"


def _alike(result: dict, name: str) -> bool:
    return result["asymmetry"][name] < symmetry.ALIKE


def _by_class(result: dict) -> list[str]:
    """Errors of every row of the first table, a column for each class."""
    rows = [row for row in next(iter(result["tables"].values()))["rows"] if "objects" in row]
    classes = collections.defaultdict(list)
    for name in result["asymmetry"]:
        classes[name.split("/")[0]].append(name)
    titles = [f"{name} ({len(of)})" for name, of in classes.items()]
    lines = [_line(["method", *titles]), _line(["---"] + ["---:"] * len(titles))]
    for row in [*rows, *result["baselines"]]:
        means = [np.mean([row["objects"][name]["mse"] for name in of]) for of in classes.values()]
        lines.append(_line([row["row"], *(f"{mean:.1f}" for mean in means)]))
    return [*lines, "", "Squared error on test objects, and how many there are of each class."]


def _symmetric(result: dict) -> list[str]:
    rows = [row for row in next(iter(result["tables"].values()))["rows"] if "objects" in row]
    best = min(rows, key=lambda row: row["mse"]["mean"])
    names = sorted(result["asymmetry"], key=result["asymmetry"].get)
    return [
        _line(["object", "asymmetry", f"squared error ({best['row']})"]),
        _line(["---", "---:", "---:"]),
        *(
            _line([name, f"{result['asymmetry'][name]:.2f}", f"{best['objects'][name]['mse']:.1f}"])
            for name in names
        ),
        "",
        "Asymmetry: the distance between images a quarter or half turn apart, over that between "
        f'images of any angles. Those below {symmetry.ALIKE} are left out of the column "not '
        'symmetric": no image tells which of two angles they have.',
    ]


def _sweep(rows: list[dict]) -> list[str]:
    columns = ["table", "method", "strength", "train", "validation", "test", "I(ŷ;Y\\|x,X)"]
    lines = [_line(columns), _line(["---"] * 3 + ["---:"] * 4)]
    for row in rows:
        cells = [row["table"], row["row"], strength(row["options"])]
        if grid.DIVERGED in row:
            cells += ["diverged", "", "", ""]
        else:
            cells += [f"{row[f'{split}_mse']:.2f}" for split in ("train", "validation", "test")]
            cells.append(f"{row['information']:.2f}")
        lines.append(_line(cells))
    return lines


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
            row["row"]: read_history(pathlib.Path(row["folder"]) / HISTORY)
            for row in rows[:MAX_CURVES]
        }
        plots.curves(histories, output / f"curves_{name}.png")
    best = min(sum(ended.values(), []), key=lambda row: row["mse"]["mean"])
    folder = pathlib.Path(best["folder"])
    settings = config.Config(**json.loads((folder / maml.runs.CONFIG).read_text())["config"])
    test = experiment.load_tasks(data_dir, settings)["test"]
    plots.predictions(maml.load(folder / "learner.keras"), test, output / "predictions.png")
    draw_information(result["correlation"], output / "information.png")


def draw_information(correlation: dict, path: pathlib.Path) -> None:
    """Error against information, a point for each model."""
    figure = matplotlib.figure.Figure(figsize=(7, 4.4), layout="constrained")
    axis = figure.subplots()
    of_row = collections.defaultdict(list)
    for model in correlation["models"]:
        of_row[model["row"]].append((model["information"], model["test_mse"]))
    markers = "osv^D<>pPX*hd"
    for index, (row, points) in enumerate(of_row.items()):
        style = {
            "color": plots.COLOURS[index % len(plots.COLOURS)],
            "marker": markers[index % len(markers)],
        }
        axis.plot(*zip(*points, strict=True), **style, linestyle="none", label=row)
    ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in correlation["spearman"].items())
    axis.set(xlabel="I(ŷ;Y|x,X) on validation objects, nats", ylabel="test MSE")
    figure.legend(loc="outside right upper", fontsize=7, title=f"rank correlation: {ranks}")
    reports.picture(figure, path)

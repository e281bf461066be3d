"""Tables and pictures of :mod:`maml.studies.memorization`."""

import pathlib

import matplotlib.figure

from maml.experiments import options, selection, sweep
from mine import reporting
from mine.reporting.statistics import format_interval

PUBLISHED = {
    ("cnp", "nothing", 5): 0.91,
    ("cnp", "MR-W", 5): 0.10,
    ("maml", "nothing", 5): 0.46,
    ("maml", "MR-W", 5): 0.16,
}
"""Test errors of Yin et al. 2020, table 1, for context: their split, network and steps differ."""


def markdown(result: dict) -> str:
    """The tables of a study."""

    lines = [
        "# The memorization table",
        "",
        f"`{result['command']}`; {result['hardware']}; {result['date']}. "
        f"{result['training_seconds'] / 60:.0f} minutes of training in all, on "
        f"{result['workers']} processes side by side.",
        "",
        *_table(result["rows"]),
        "",
        "Mean ± 95 % interval over seeds; 0.01 is the noise, 1.4 what trusting the code earns. "
        "Published: CNP and MAML of Yin et al. 2020, table 1, another split and other steps, for "
        "context only.",
        "",
        "## Does the diagnosis tell?",
        "",
        *reporting.markdown_table(
            ["models", "number", "rank correlation of I(ŷ;Y|x,X) with test MSE"],
            (
                [name, str(group["models"]), f"{group['spearman']:.2f}"]
                for name, group in result["correlation"].items()
            ),
        ),
        "",
        "## Every strength that was tried",
        "",
        *_sweep(result["sweep"]),
    ]
    return "\n".join(lines) + "\n"


def _table(rows: list[dict]) -> list[str]:
    columns = ["learner", "against memorization", "strength", "shots", "train MSE", "test MSE"]
    columns += ["swap gap", "I(ŷ;Y|x,X), nats", "s/run", "published"]
    lines = []
    for row in rows:
        kind = "cnp" if row["learner"] == "cnp" else "maml"
        published = PUBLISHED.get((kind, row["regularizer"], row["shots"]), "")
        name = options.NAMES[row["learner"]]
        cells = [name, row["regularizer"], strength(row["options"]), str(row["shots"])]
        if "mean" in row:
            cells += [
                format_interval(row["train"], 3),
                format_interval(row, 3),
                format_interval(row["swap_gap"], 2),
            ]
            cells += [format_interval(row["information"], 2), f"{row['train_seconds']:.0f}"]
        else:
            cells += ["diverged"] * 2 + [""] * 3
        if 0 < row[sweep.DIVERGED] < len(row["seeds"]):
            cells[5] += f" ({row[sweep.DIVERGED]} of {len(row['seeds'])} diverged)"
        lines.append([*cells, str(published)])
    return reporting.markdown_table(columns, lines, left=3)


def _sweep(rows: list[dict]) -> list[str]:
    columns = ["learner", "against memorization", "strength", "train", "validation", "test MSE"]
    columns += ["I(ŷ;Y|x,X)", "power ratio"]
    lines = []
    for row in rows:
        cells = [options.NAMES[row["learner"]], row["method"], strength(row["options"])]
        if sweep.DIVERGED in row:
            cells.append("diverged")
        else:
            cells += [f"{row[f'{split}_mse']:.3f}" for split in ("train", "validation", "test")]
            power = row["power_ratio"]
            cells += [f"{row['information']:.2f}", "" if power is None else f"{power:.2f}"]
        lines.append(cells)
    return reporting.markdown_table(columns, lines, left=3)


POSITIVE = "signed=false"
STYLES = {
    "not trained on it": {"marker": "o", "color": "#777777"},
    "trained on the labels' information": {"marker": "s", "color": "#4477aa"},
    "trained on it, by a free critic": {"marker": "x", "color": "#ee6677"},
}
"""How groups of models are drawn."""


def strength(method: dict) -> str:
    """The strengths among a method's options, in words."""
    variant = "positive scales" if method.get("task_options") == POSITIVE else ""
    return ", ".join(filter(None, [selection.strength(method), variant]))


def draw_sweep(result: dict, path: pathlib.Path) -> None:
    """Error, and power of predictions, against the weight of the information."""
    learners = list(dict.fromkeys(row["learner"] for row in result["sweep"]))
    figure = matplotlib.figure.Figure(figsize=(4.2 * len(learners), 6), layout="constrained")
    axes = figure.subplots(2, len(learners), squeeze=False, sharex=True)
    colours = {"MINE": "#ee6677", "anchored": "#4477aa"}
    for column, learner in enumerate(learners):
        for method, colour in colours.items():
            rows = [
                (row["options"]["mi_weight"], row["test_mse"], row["power_ratio"])
                for row in result["sweep"]
                if (row["learner"], row["method"]) == (learner, method)
                and "test_mse" in row
                # The variants that are tried at one strength only make no line.
                and (row["options"].get("task_options") == POSITIVE) == (method == "MINE")
            ]
            if not rows:
                continue
            weights, errors, powers = zip(*rows, strict=True)
            axes[0, column].loglog(weights, errors, "o-", color=colour, label=method)
            if method == "MINE":
                axes[1, column].semilogx(weights, powers, "o-", color=colour)
        for row in result["sweep"]:
            if (row["learner"], row["method"]) == (learner, "nothing") and "test_mse" in row:
                style = {"color": "#777777", "linestyle": ":", "label": "nothing"}
                axes[0, column].axhline(row["test_mse"], **style)
        axes[1, column].axhline(1.0, color="#777777", linestyle=":")
        axes[0, column].set(title=options.NAMES[learner], ylabel="test MSE")
        axes[1, column].set(xlabel="λ", ylabel="power of predictions / of labels")
    axes[0, 0].legend()
    reporting.picture(figure, path)


def draw_correlation(result: dict, path: pathlib.Path) -> None:
    """Error against information, a point for each model."""
    figure = matplotlib.figure.Figure(figsize=(6, 4.2), layout="constrained")
    axis = figure.subplots()
    for group, style in STYLES.items():
        of = result["correlation"][group]
        if of["pairs"]:
            label = f"{group}: {of['spearman']:.2f}"
            axis.plot(*zip(*of["pairs"], strict=True), **style, linestyle="none", label=label)
    axis.set(xlabel="I(ŷ;Y|x,X) on validation tasks, nats", ylabel="test MSE", yscale="log")
    axis.legend(title="rank correlation")
    reporting.picture(figure, path)

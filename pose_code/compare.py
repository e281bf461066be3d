"""One table from many runs: prints it, and writes Markdown, JSON and two pictures.

    python -m pose_code.compare --logdirs=LOGS --output=LOGS

``--logdirs`` names folders of runs, or folders that hold such folders.
"""

import collections
import pathlib
import sys

import matplotlib.figure
from absl import flags

from maml.experiments.runs import HISTORY, as_config, read_history
from mine import reporting
from mine.reporting import commands
from mine.reporting.statistics import format_interval, mean_interval, rank
from pose_code import plots, scores
from pose_code.config import Config

COLUMNS = (
    "method",
    "seeds",
    "train MSE",
    "test MSE",
    "median angle",
    "swap gap",
    "I(ŷ;Y|x,X), nats",
    "verdict",
    "steps",
    "s/step",
)


SCORED = ("test", "test_images", "test_objects", "shots", "queries")
"""What of a run's data must be the same for its scores to be compared, as far as runs say it."""

TRAINED = ("train", "train_objects")
"""What of a run's data tells it from others, as its options do."""


def find_runs(logdirs: list[str]) -> list[dict]:
    """The records of all finished runs in or below some folders, each with its ``folder``.

    A run that is found twice counts once.

    Raises:
        FileNotFoundError: a folder holds none.
        ValueError: a record is damaged.
    """
    paths = {}
    for logdir in logdirs:
        found = sorted(pathlib.Path(logdir).rglob(scores.RESULTS))
        if not found:
            raise FileNotFoundError(
                f"{logdir} holds no finished run ({scores.RESULTS}): train one, or name another."
            )
        paths |= {path.resolve(): path for path in found}
    return [
        reporting.read_json(path, "data", "test") | {"folder": str(path.parent)}
        for path in paths.values()
    ]


def distinguish_methods(runs: list[dict]) -> list[dict]:
    """The same records; methods of one name but with other options are named by those, too.

    So are those that were trained on other objects. Of runs that differ in nothing the first is
    kept.

    Raises:
        ValueError: the runs were scored on other objects, or with other shots or queries, so they
            cannot be compared.
    """
    for key in SCORED:
        values = {run["data"][key]: run["folder"] for run in runs if key in run["data"]}
        if len(values) > 1:
            raise ValueError(
                "These runs used different data or shots, no table can compare them: "
                f"{' and '.join(list(values.values())[:2])}."
            )

    standard = as_config(Config())  # An option that is newer than a run has its default in it.

    def options(run):
        chosen = standard | run["config"] | {"seed": None} if "config" in run else {}
        return chosen | {name: run["data"].get(name) for name in TRAINED}

    groups = collections.defaultdict(list)
    for run in runs:
        groups[run["method"]].append(options(run))
    told = {}
    for run in runs:
        own = options(run)
        different = [
            f"{name}={value}"
            for name, value in own.items()
            if any(other.get(name) != value for other in groups[run["method"]])
        ]
        name = f"{run['method']} ({', '.join(different)})" if different else run["method"]
        told.setdefault((name, run["seed"]), run | {"method": name})
    return list(told.values())


def tabulate(runs: list[dict]) -> list[dict]:
    """One row for each method and its options, best held-out error first.

    With several seeds of a method, means and 95 % intervals are over seeds; with one, over
    held-out objects.
    """
    methods = collections.defaultdict(list)
    for run in runs:
        methods[run["method"]].append(run)
    rows = [{"method": method} | summary(group) for method, group in methods.items()]
    return sorted(rows, key=lambda row: rank(row["mse"]["mean"]))


def summary(group: list[dict]) -> dict:
    """A row of a table: the runs of one method with different seeds."""
    row = {"seeds": len(group), "steps": group[0]["steps"]}
    for name in ("mse", "angle", "swap_gap", "information_lower", "information_upper"):
        row[name] = over_seeds([run["test"][name] for run in group])
    for key, values in {
        **{
            f"train_{name}": [run["train"][name]["mean"] for run in group]
            for name in ("mse", "no_support_mse", "mismatched_support_mse")
        },
        # Older runs have no such shares.
        **{
            name: [run["test"]["angle"][name] for run in group]
            for name in ("within_30", "beyond_150")
            if all(name in run["test"]["angle"] for run in group)
        },
        "median_angle": [run["test"]["angle"]["median"] for run in group],
        "seconds_per_step": [run["seconds_per_step"] for run in group],
    }.items():
        row[key] = mean_interval(values)["mean"]
    verdicts = [run["diagnosis"]["train"]["verdict"] for run in group]
    row["verdict"] = ", ".join(dict.fromkeys(verdicts))
    row["normalization"] = group[0]["normalization"]
    row["commands"] = [run["command"] for run in group]
    row["hardware"] = group[0]["hardware"]
    return row


def over_seeds(intervals: list[dict]) -> dict:
    """Of a score of several runs the mean and its interval over them; of one, over objects."""
    if len(intervals) == 1:
        return intervals[0]
    return mean_interval([of["mean"] for of in intervals])


def cells(row: dict) -> list[str]:
    """A row's texts, in the order of ``COLUMNS``."""
    low, high = row["information_lower"]["mean"], row["information_upper"]["mean"]
    return [
        row["method"],
        str(row["seeds"]),
        f"{row['train_mse']:.2f}",
        format_interval(row["mse"], 2),
        f"{row['median_angle']:.0f}°",
        f"{row['swap_gap']['mean']:.1f}",
        f"{max(low, 0):.2f} to {max(high, 0):.2f}",
        row["verdict"],
        str(row["steps"]),
        f"{row['seconds_per_step']:.3f}",
    ]


def markdown(rows: list[dict], runs: list[dict]) -> str:
    """The table, what its numbers mean, and the command behind each row."""
    data, one_seed = runs[0]["data"], all(row["seeds"] == 1 for row in rows)
    trained = reporting.join_numbers(run["data"]["train_objects"] for run in runs)
    episodes = reporting.join_numbers(run["episodes"] for run in runs if "episodes" in run)
    scored = f"{episodes} episodes of each; " if episodes else ""  # Older runs do not say.
    over = "held-out objects (one seed)" if one_seed else "seeds (one seed: over held-out objects)"
    lines = [
        *reporting.markdown_table(COLUMNS, map(cells, rows)),
        "",
        f"{trained} meta-training and {data['test_objects']} held-out "
        f"objects, {data['shots']} support and {data['queries']} query images an episode; "
        f"{scored}MSE of the angle times 10 / 2π, mean ± 95 % interval over {over}; chance is "
        "90°. Swap gap: how much the error grows with another object's support set. Information: "
        "lower to upper bound. Verdict: of the diagnosis, on training objects, where a memorizer "
        "shows itself.",
        "",
        *(
            f"- {row['method']} ({row['normalization']}; {row['hardware']}): `{row['commands'][0]}`"
            for row in rows
        ),
    ]
    return "\n".join(lines) + "\n"


def picture(rows: list[dict], path: pathlib.Path):
    """The table as a PNG."""
    texts = [cells(row) for row in rows]
    longest = [max(map(len, column)) + 2 for column in zip(COLUMNS, *texts, strict=True)]
    figure = matplotlib.figure.Figure(figsize=(0.085 * sum(longest), 0.32 * (len(rows) + 1)))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.axis("off")
    widths = [length / sum(longest) for length in longest]
    table = axis.table(texts, colLabels=COLUMNS, colWidths=widths, bbox=(0, 0, 1, 1))
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    for (_, column), cell in table.get_celld().items():
        cell.set_edgecolor("#cccccc")
        cell.set_text_props(ha="left" if column == 0 else "right")
        cell.PAD = 0.05 if column == 0 else 0.1
    plots.save(figure, path)


def compare(logdirs: list[str], output: str) -> str:
    """Writes ``table.md``, ``table.json``, ``table.png`` and ``curves.png``.

    Args:
        logdirs: folders of runs, or folders that hold such folders.
        output: the folder to write to.

    Returns:
        The table in Markdown.

    Raises:
        FileNotFoundError: a folder holds no finished run.
        ValueError: the runs cannot be compared.
    """
    folder = pathlib.Path(output)
    runs = distinguish_methods(find_runs(logdirs))
    rows = tabulate(runs)
    text = markdown(rows, runs)
    reporting.write_tables({"rows": rows, "data": runs[0]["data"]}, text, folder, "table")
    picture(rows, folder / "table.png")
    histories = {}
    for run in runs:
        history = pathlib.Path(run["folder"]) / HISTORY
        if history.exists():
            histories.setdefault(run["method"], read_history(history))
    if histories:
        plots.curves(histories, folder / "curves.png")
    return text


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_list("logdirs", None, "Folders of runs, comma-separated.", required=True)
    flags.DEFINE_string("output", ".", "Folder of the table and the pictures.")


def main():
    try:
        print(compare(flags.FLAGS.logdirs, flags.FLAGS.output))
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    define_flags()
    commands.run(main, ["output"])

"""The number of training tasks from which on something holds, and how far methods move it."""

import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from maml.experiments.aggregation import INFORMATION
from maml.experiments.study import Table
from mine import reporting
from mine.reporting import format_interval, mean_interval
from mine.reporting.pictures import marker_of, new_axes

METHODS = {
    "none": {"regularizer": "none"},
    "label_mi": {
        "regularizer": "label_mi",
        "label_mi.weight": 1.0,
        "label_mi.warmup_nats": 0.0,
    },
    "weight_decay": {"regularizer": "weight_decay", "weight_decay.weight": 1e-4},
}
"""What stands in the names of tables, ``LEARNER_METHOD`` -> options."""

TITLES = {"none": "no regularizer", "label_mi": "Label-MI", "weight_decay": "weight decay"}


def tables(
    common: Mapping, learners: Mapping[str, tuple[str, dict]], counts: Iterable[int], seeds: Mapping
) -> dict[str, Table]:
    """A table for each learner and method, with a row for each number of training tasks.

    Args:
        common: options of all runs.
        learners: name in tables -> its title and its options.
        counts: numbers of training tasks M.
        seeds: name of a learner -> number of seeds.
    """
    return {
        f"{learner}_{method}": Table(
            f"{title}, {TITLES[method]}",
            {**common, **base, "learner": learner},
            {str(count): [options | {"task.train_tasks": count}] for count in counts},
            seeds=seeds[learner],
        )
        for learner, (title, base) in learners.items()
        for method, options in METHODS.items()
    }


def crossing(counts: Sequence[int], values: Sequence[float]) -> float:
    """The least number of training tasks at which a value is above 0.

    Args:
        counts: numbers of training tasks M, ascending.
        values: at each.

    Returns:
        log2 M*: where the value, linear in log2 M between counts, crosses 0 for the first time.
        That of the first count if it is above 0 there, and infinity if it is nowhere.
    """
    values, places = np.asarray(values, float), np.log2(counts)
    above = np.flatnonzero(values > 0)
    if not len(above):
        return math.inf
    first = above[0]
    if first == 0:
        return float(places[0])
    share = values[first - 1] / (values[first - 1] - values[first])
    return float(places[first - 1] + share * (places[first] - places[first - 1]))


def crossings(runs, value: Callable) -> dict[str, dict[int, float]]:
    """Table -> seed -> log2 M*, where there are two numbers of training tasks or more.

    Args:
        runs: of :func:`maml.experiments.study.run_study`, a row for each number of training tasks.
        value: from runs to what crosses 0; NaN where it is not known, as of a run that diverged.
    """
    found: dict[str, dict[int, float]] = {}
    known = runs.assign(count=runs["row"].astype(int), value=value(runs)).dropna(subset="value")
    for (table, seed), own in known.sort_values("count").groupby(["table", "seed"], sort=False):
        if len(own) > 1:
            found.setdefault(table, {})[int(seed)] = crossing(
                own["count"].to_numpy(), own["value"].to_numpy()
            )
    return found


def shifts(found: Mapping[str, Mapping[int, float]], least: int) -> list[dict]:
    """The thresholds of each table, and how far its method moves them, paired by seed.

    Args:
        found: of :func:`crossings`.
        least: the least number of training tasks that was tried.

    Returns:
        For each table ``table``, ``learner``, ``method``, ``seeds``, ``log2`` (M*, ``mean`` and
        ``ci95`` over seeds; None if a seed has none up to the largest M), ``at_least`` (the number
        of seeds whose M* is the least number tried, so that theirs may be less) and ``octaves``
        (how far it lies to the left of that without a regularizer; None where either has none, or
        that without a regularizer may be less).
    """
    rows, first = [], math.log2(least)
    for table, of_seeds in found.items():
        learner, _, method = table.partition("_")
        plain = found.get(f"{learner}_none", {})
        left = [plain[seed] - at for seed, at in of_seeds.items() if seed in plain]
        rows.append(
            {
                "table": table,
                "learner": learner,
                "method": method,
                "seeds": sorted(of_seeds),
                "log2": _interval(list(of_seeds.values())),
                "at_least": sum(at == first for at in of_seeds.values()),
                "octaves": None if method == "none" or first in plain.values() else _interval(left),
            }
        )
    return rows


def _interval(values: Sequence[float]) -> dict[str, float] | None:
    return mean_interval(values) if len(values) and np.isfinite(values).all() else None


def keep(result: dict, runs, value: Callable) -> None:
    """Adds the thresholds to a study's result, and the largest number of training tasks."""
    counts = runs["row"].astype(int)
    result["thresholds"] = shifts(crossings(runs, value), int(counts.min()))
    result["largest"] = int(counts.max())


def _number(row: Mapping, largest: int) -> str:
    """M* of a table, or between which numbers of training tasks it lies."""
    if row["log2"] is None:
        return f"none up to {largest}"
    number = f"{2 ** row['log2']['mean']:.0f}"
    return f"{number} or fewer" if row["at_least"] else number


def section(result: Mapping, learners: Mapping[str, tuple[str, dict]]) -> list[str]:
    """The table of thresholds on a study's page.

    Args:
        result: with ``thresholds`` and ``largest`` of :func:`keep`.
        learners: as of :func:`tables`.
    """
    cells = []
    for row in result["thresholds"]:
        at, octaves = row["log2"], row["octaves"]
        more = " or more" if row["at_least"] else ""
        cells.append(
            [
                learners[row["learner"]][0],
                TITLES[row["method"]],
                str(len(row["seeds"])),
                _number(row, result["largest"]),
                format_interval(at, 2) if at else "",
                f"{2 ** octaves['mean']:.2g}{more}" if octaves else "",
                f"{format_interval(octaves, 2)}{more}" if octaves else "",
            ]
        )
    titles = ["learner", "regularizer", "seeds", "M*", "log2 M*"]
    titles += ["M* lower by a factor of", "lower by octaves"]
    return ["", "## Thresholds", "", *reporting.markdown_table(titles, cells, left=2)]


def colour(method: str) -> dict[str, str]:
    """The colour of a method's lines, as an option of Matplotlib's."""
    return {"color": reporting.COLOURS[list(METHODS).index(method)]}


def counts_of(rows: Iterable[Mapping]) -> list[int]:
    """The numbers of training tasks of a table's rows."""
    return [int(row["row"]) for row in rows]


def draw(
    result: Mapping,
    learners: Mapping[str, tuple[str, dict]],
    upper: Callable,
    path: pathlib.Path,
    **line,
) -> None:
    """For each learner what a study draws, and the label information below it, against M.

    Args:
        result: with ``tables``, and ``thresholds`` of :func:`keep`, which are vertical lines.
        learners: as of :func:`tables`.
        upper: draws the upper axes of a learner, ``upper(axes, rows)``, rows of each method.
        path: of the picture.
        **line: of the lines of the information, as Matplotlib takes them.
    """
    names = dict.fromkeys(name.partition("_")[0] for name in result["tables"])
    figure, axes = new_axes(len(names), 2, (4.2, 3))
    for column, learner in enumerate(names):
        top, bottom = axes[0, column], axes[1, column]
        found = {method: result["tables"].get(f"{learner}_{method}") for method in METHODS}
        rows_of = {method: table["rows"] for method, table in found.items() if table}
        upper(top, rows_of)
        for method, rows in rows_of.items():
            values = [row.get(f"scores.test.{INFORMATION}.mean", math.nan) for row in rows]
            style = {"marker": marker_of(values)} | line | colour(method)
            bottom.semilogx(counts_of(rows), values, base=2, label=TITLES[method], **style)
            for threshold in result["thresholds"]:
                if threshold["table"] == f"{learner}_{method}" and threshold["log2"]:
                    for ax in (top, bottom):
                        place = 2 ** threshold["log2"]["mean"]
                        ax.axvline(place, linestyle=":", **colour(method))
        top.set_title(learners[learner][0])
        bottom.set(xlabel="training tasks M", ylabel="I(ŷ;Y|x,X), nats")
    axes[0, 0].legend(fontsize=6)
    reporting.picture(figure, path)

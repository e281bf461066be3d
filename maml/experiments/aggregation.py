"""Runs as a table: one row for each run, then one for each method, with intervals over seeds.

Columns have the names of ``results.json`` with dots between its levels, such as
``scores.test.mse.mean``. Nothing here needs TensorFlow.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from maml.experiments.results import find_results
from mine.reporting import mean_interval

INFORMATION = "label_information_lower"


def load_runs(folder: os.PathLike) -> pd.DataFrame:
    """The finished runs in or below a folder, one row for each.

    Returns:
        A column for each entry of ``results.json``, and ``folder``.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a record is damaged.
    """
    return as_frame(find_results(folder))


def as_frame(records: Iterable[Mapping]) -> pd.DataFrame:
    """Records of runs as a table, one row for each, columns named by dots."""
    return pd.json_normalize([dict(record) for record in records])


def aggregate(runs: pd.DataFrame, by: Sequence[str], keep: Sequence[str] = ()) -> list[dict]:
    """One row for all runs of a group: their seeds, and scores with intervals over them.

    Args:
        runs: of :func:`as_frame`; rows whose ``diverged`` is not empty count as diverged only.
        by: columns that the runs of a group have in common.
        keep: further columns, of which a row has the value of its first run that ended.

    Returns:
        For each group, in the order of its first run: the columns ``by`` and ``keep``, ``seeds``,
        ``diverged`` (how many), ``folders``, ``commands``, ``verdicts`` (verdict -> how many runs
        have it), and for each number of the runs its mean. A column that ends in ``.mean`` comes
        with ``.ci95``: over seeds, or, of a single run, the run's own, over tasks.
    """
    rows = []
    runs = runs.reset_index(drop=True)
    ended = runs["diverged"].isna() if "diverged" in runs else pd.Series(True, runs.index)
    for key, group in runs.groupby([_hashable(runs[name]) for name in by], sort=False):
        own = group[ended[group.index]]
        first = (own if len(own) else group).iloc[0]
        row = {name: first[name] for name in (*by, *keep) if name in runs}
        row |= {"seeds": list(map(int, group["seed"])), "diverged": len(group) - len(own)}
        if len(own):
            row |= {"folders": list(own["folder"])} if "folder" in own else {}
            row["commands"] = list(own.get("provenance.command", pd.Series(dtype=str)))
            verdicts = own.get("diagnosis.verdict", pd.Series(dtype=str)).dropna()
            row["verdicts"] = {str(words): int(n) for words, n in verdicts.value_counts().items()}
            row |= _numbers(own)
        assert key is not None
        rows.append(row)
    return rows


def _hashable(column: pd.Series) -> pd.Series:
    return column.map(lambda value: value if isinstance(value, (str, int, float)) else str(value))


def _numbers(runs: pd.DataFrame) -> dict[str, float]:
    """Means of the numeric columns of runs, and intervals over them."""
    found = {}
    for name in runs:
        if not name.startswith(("scores.", "further.", "cost.", "terms.")):
            continue
        values = pd.to_numeric(runs[name], errors="coerce").to_numpy(float)
        if np.isnan(values).all():  # Of other rows' runs, or no number.
            continue
        if name.endswith(".mean"):
            known = mean_interval(values)
            found[name] = known["mean"]
            interval = name.removesuffix("mean") + "ci95"
            own = runs[interval].iloc[0] if interval in runs else math.nan
            found[interval] = _number(own) if len(runs) == 1 else known["ci95"]
        elif not name.endswith(".ci95"):
            found[name] = float(np.mean(values))
    return found


def interval_of(row: Mapping, score: str) -> dict[str, float]:
    """``mean`` and ``ci95`` of a score of an aggregated row; NaN where it has none."""
    return {end: _number(row.get(f"{score}.{end}")) for end in ("mean", "ci95")}


def _number(value) -> float:
    return math.nan if value is None else float(value)


def objects_of(row: Mapping, score: str, split: str = "test") -> dict[str, float]:
    """A score of each object of a split, of a row whose problem scores objects."""
    prefix, suffix = f"scores.{split}.objects.", f".{score}"
    return {
        name.removeprefix(prefix).removesuffix(suffix): value
        for name, value in row.items()
        if name.startswith(prefix) and name.endswith(suffix)
    }


def paired_gain(
    reference: pd.DataFrame, runs: pd.DataFrame, metric: str, larger_is_better: bool = False
) -> dict | None:
    """By how much the test score of runs is better than that of others with the same seeds.

    Args:
        reference: the other runs, of one method.
        runs: of one method.
        metric: name of the score.
        larger_is_better: of it, as of an accuracy; an error otherwise.

    Returns:
        ``mean`` and ``ci95`` of the differences over seeds; with a single seed over objects, where
        the problem scores objects, and without an interval where it does not. None if no seed is
        common to both.
    """
    column = f"scores.test.{metric}.mean"
    if column not in reference or column not in runs:
        return None
    pairs = reference.dropna(subset=[column]).merge(
        runs.dropna(subset=[column]), on="seed", suffixes=("_a", "_b")
    )
    if not len(pairs):
        return None
    sign = -1 if larger_is_better else 1
    if len(pairs) > 1:
        return mean_interval(sign * (pairs[f"{column}_a"] - pairs[f"{column}_b"]))
    ends = {}
    for end in "ab":
        row = {k.removesuffix(f"_{end}"): v for k, v in pairs.iloc[0].items() if k.endswith(end)}
        ends[end] = objects_of(row, metric)
    gains = [sign * (ends["a"][name] - ends["b"][name]) for name in ends["a"]]
    return mean_interval(gains or sign * (pairs[f"{column}_a"] - pairs[f"{column}_b"]))


def correlate(
    runs: pd.DataFrame, groups: Mapping[str, Sequence[str]], information: str, error: str
) -> dict[str, dict]:
    """Rank correlation of an information with an error, in groups of rows.

    Args:
        runs: of :func:`as_frame`, with a column ``row``.
        groups: name -> rows whose runs it holds.
        information: name of a column.
        error: name of a column.

    Returns:
        Group -> ``models`` (how many), ``spearman`` (NaN of fewer than three, or where all
        are equal), ``pairs``.
    """
    from scipy import stats  # Takes a second to import.

    result = {}
    for name, rows in groups.items():
        own = runs[runs["row"].isin(rows)].reindex(columns=[information, error])
        pairs = own.astype(float)
        pairs = pairs[np.isfinite(pairs).all(axis=1)].to_numpy()
        ranked = len(pairs) > 2 and (np.ptp(pairs, axis=0) > 0).all()
        rank = stats.spearmanr(pairs).statistic if ranked else math.nan
        result[name] = {"models": len(pairs), "spearman": float(rank), "pairs": pairs.tolist()}
    return result

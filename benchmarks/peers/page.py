"""The page and the picture of benchmarks/learners.py."""

import math
import pathlib
import statistics

from mine import reporting
from mine.reporting import pictures

OURS = "ours"
"""The entry of this library that others are compared with: as its commands train."""

HALF = ", bfloat16"
"""How names of entries end whose convolutions and dense layers compute in half precision."""


def summary(row: dict, quiet: float) -> dict | None:
    """Medians of an entry: over its quiet rounds if there are three or more, else over all."""
    rounds = row["rounds"]
    if not rounds:
        return None
    calm = [of for of in rounds if of["others"] <= quiet]
    used = calm if len(calm) >= 3 else rounds

    def median(key):
        return statistics.median(1e3 * of[key] / of["steps"] for of in used)

    return {
        "wall_ms": median("wall_s"), "cpu_ms": median("cpu_s"), "quiet": used is calm,
        "mean_ms": reporting.mean_interval([1e3 * of["wall_s"] / of["steps"] for of in used]),
        "peak_mib": rounds[-1]["peak_mib"], "load": max(of["load"] for of in used),
    }  # fmt: skip


def digits(value: float) -> int:
    """Decimals that leave three digits."""
    return max(0, 2 - math.floor(math.log10(value)))


def number(value: float) -> str:
    """A positive number in three digits or more."""
    return f"{value:.{digits(value)}f}"


def best_peer(result: dict, time: str, half: bool = False) -> str | None:
    """The entry that takes the least of a time, of those by others that train the same.

    Args:
        result: of a workload.
        time: a key of :func:`summary`.
        half: whether entries of half precision take part as well, whose losses differ.
    """

    def takes_part(row):
        return half if row["entry"].endswith(HALF) else row.get("equal")

    found = {
        row["entry"]: summary(row, result["quiet"])[time]
        for row in result["rows"]
        if row["rounds"] and takes_part(row) and not row["entry"].startswith(OURS)
    }
    return min(found, key=found.get) if found else None


def differs(row: dict) -> str:
    """By how much the losses of an entry differ from ours."""
    if not row.get("same", True):
        return "another objective"
    of = row.get("difference")
    return "not known" if of is None else f"{of:.0e}"


def table(result: dict) -> list[str]:
    """A workload as Markdown."""
    found = {row["entry"]: summary(row, result["quiet"]) for row in result["rows"]}
    ours, cells = found[OURS], []
    for row in result["rows"]:
        of = found[row["entry"]]
        if "failure" in row or of is None:
            cells.append([row["entry"], f"failed: {row.get('failure', 'no rounds')}"])
            continue
        over = f"{of['wall_ms'] / ours['wall_ms']:.2f}" if ours else ""
        rate = result["multiply_adds"] / (1e-3 * of["wall_ms"])
        mean = reporting.format_interval(of["mean_ms"], digits(of["wall_ms"]))
        cells.append([
            row["entry"] + " *" * (not of["quiet"]), number(of["wall_ms"]), over, mean,
            number(of["cpu_ms"]), number(of["peak_mib"]), f"{row['first_s']:.1f}",
            f"{rate / result['peak_rate']:.1%}", differs(row) + " !" * (row.get("equal") is False),
        ])  # fmt: skip
    columns = [
        "", "ms a step, median", "over ours", "mean", "ms of processors", "peak MiB",
        "first step, s", "share of the peak", "losses differ by",
    ]  # fmt: skip
    versions = dict.fromkeys(row["versions"] for row in result["rows"] if "versions" in row)
    loads = [of["load"] for row in result["rows"] for of in row["rounds"]]
    lines = [
        f"## {result['title'][0].upper()}{result['title'][1:]}", "",
        f"{', '.join(versions)}. A step has {result['multiply_adds'] / 1e6:,.3g} million "
        "multiply-adds; large products of matrices make "
        f"{result['peak_rate'] / 1e9:,.0f} thousand million a second."
        + (f" Load {min(loads):.1f} to {max(loads):.1f}." if loads else ""), "",
        *reporting.markdown_table(columns, cells),
    ]  # fmt: skip
    for name, half in ((OURS, False), (OURS + HALF, True)):
        if not (found.get(name) and best_peer(result, "wall_ms", half)):
            continue
        told = []
        for time, words in (("wall_ms", "time"), ("cpu_ms", "time of processors")):
            best = best_peer(result, time, half)
            told.append(f"{found[name][time] / found[best][time]:.2f} of the {words} of {best}")
        among = ", in either precision" if half else ""
        lines += ["", f"Of the others' least{among}, {name} takes {' and '.join(told)}."]
    told = [f"{row['entry']} {differs(row)}" for row in result.get("exact", [])[1:]]
    if told:
        lines += ["", f"In double precision, of two tasks, losses differ by: {', '.join(told)}."]
    return [*lines, ""]


def text(results: dict) -> str:
    """All workloads as Markdown."""
    lines = [
        "# Training steps beside other libraries", "", *reporting.origins(results.values()), "",
        "Medians of rounds in which all took turns, and means with 95 % intervals. * : other "
        "programs were at work in them: there, who has more threads has a larger share of the "
        "processors, so that times of processors say more than the clock. "
        "Peak MiB is of the whole process, its libraries included. The first step has what is "
        "traced and compiled in it, imports not. The peak is that of large products of matrices in "
        "single precision on all cores, as TensorFlow makes them. Losses of the first steps are "
        "compared with ours; ! : they differ by more than rounding explains.", "",
        "![Milliseconds a step](learners.png)", "",
    ]  # fmt: skip
    for result in results.values():
        lines += table(result)
    return "\n".join(lines).rstrip() + "\n"


def draw(results: dict, path: pathlib.Path) -> None:
    """Draws milliseconds a step of every entry: each round as a point, the median as a line."""
    from matplotlib import ticker

    columns = min(3, len(results))
    figure, axes = pictures.new_axes(columns, -(-len(results) // columns), size=(4.6, 3.4))
    for axis in axes.flat[len(results) :]:
        axis.remove()
    for axis, result in zip(axes.flat, results.values(), strict=False):
        rows = [row for row in result["rows"] if row["rounds"]]
        for place, row in enumerate(rows):
            colour = pictures.COLOURS[not row["entry"].startswith(OURS)]
            each = [1e3 * of["wall_s"] / of["steps"] for of in row["rounds"]]
            axis.plot(each, [place] * len(each), "o", color=colour, markersize=4, alpha=0.5)
            median = summary(row, result["quiet"])["wall_ms"]
            axis.plot([median], [place], "|", color=colour, markersize=14, markeredgewidth=2)
        axis.set_yticks(range(len(rows)), [row["entry"] for row in rows])
        axis.set(xscale="log", xlabel="milliseconds a step", title=result["title"])
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 3), numticks=8))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.grid(axis="x", alpha=0.3)
        axis.invert_yaxis()
    reporting.picture(figure, path)

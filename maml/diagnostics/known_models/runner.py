"""Reports on all known models: how often verdicts are right, how good intervals and monitors are.

Thresholds were set by the families in :data:`SETTING`; the others check them.
"""

import collections
import functools
import os
import pathlib
import time
from collections.abc import Iterable, Sequence

import numpy as np
from absl import flags
from scipy import stats

from maml.diagnostics import verdict as verdicts
from maml.diagnostics.black_box import memorization_report
from maml.diagnostics.known_models.regression import Regression, mixture
from maml.diagnostics.known_models.suite import KnownModel, known_models
from mine import reporting
from mine.reporting import commands
from mine.reporting.processes.workers import Pool
from mine.reporting.progress import ProgressBar

SETTING = ("linear", "classes")
"""Families that the thresholds were set by."""

COUNTS = (100, 20)
"""Tasks of each split."""

TRUTH_TASKS = 4000
"""Tasks that stand for all of them, to know what an interval should hold."""


@functools.cache
def _models() -> list[KnownModel]:
    return known_models()


def report_on(model: KnownModel, count: int, seed: int = 0, held_out: bool = True):
    """The report on ``count`` tasks of each split.

    Args:
        model: any.
        count: tasks of each split.
        seed: of the tasks and of the report.
        held_out: whether it is given new tasks.
    """
    return memorization_report(
        model.predict,
        model.tasks.training(count, seed),
        held_out=model.tasks.new(count, seed) if held_out else None,
        max_tasks=count,
        seed=seed,
        verbose=False,
        **model.options,
    )


def _row(index: int) -> dict:
    """What the reports say of one model."""
    model = _models()[index]
    row = {"model": model.name, "family": model.family, "nature": model.nature}
    row["share"] = model.share
    for count in COUNTS:
        report = report_on(model, count)
        row[f"verdict_{count}"] = report.verdict
        row[f"share_{count}"] = report.share
        if count == COUNTS[0]:
            training, new = (report.splits[split] for split in ("training", "held_out"))
            skills = training["skills"]
            information = training["informations"].get("label_information")
            row["held_out_error"] = 1 - new["skills"]["right"]["mean"]
            predicted = report.predicted_skill
            row["monitors"] = {
                "predicted error of new tasks": predicted and 1 - predicted["mean"],
                "error of relabeled training tasks": 1 - skills["relabeled"]["mean"]
                if "relabeled" in skills
                else None,
                "label information, lower bound": information and information["lower"]["mean"],
                "swap gap on training tasks": skills["right"]["mean"]
                - skills["mismatched_support"]["mean"],
                "error of training tasks": 1 - skills["right"]["mean"],
            }
    row[f"alone_{COUNTS[0]}"] = report_on(model, COUNTS[0], held_out=False).verdict
    return row


def _covered(count: int, share: float, seeds: Iterable[int]) -> tuple[list[str], np.ndarray]:
    """Names of scores, and whether each seed's intervals hold them, [seeds, scores]."""
    tasks = Regression("linear", noise=0.3, shots=10, training_tasks=8)
    model = mixture(tasks.ridge, tasks.look_up, share)
    training = tasks.training(4, 0)

    def scores(count, seed):
        return memorization_report(
            model,
            training,
            held_out=tasks.new(count, seed),
            num_supports=3,
            max_tasks=count,
            seed=seed,
            verbose=False,
        ).splits["held_out"]["scores"]

    truth = scores(TRUTH_TASKS, 10_000)
    hits = [
        [own[name]["low"] <= truth[name]["mean"] <= own[name]["high"] for name in truth]
        for own in (scores(count, seed) for seed in seeds)
    ]
    return list(truth), np.array(hits)


def evaluate(workers: int, models: int, repeats: int) -> dict:
    """All figures of the page.

    Args:
        workers: processes.
        models: every how many-th model is taken; 1: all.
        repeats: seeds behind a share of intervals.
    """
    started = time.time()
    indices = range(0, len(_models()), models)
    with Pool(workers) as pool:
        coverage = {
            (count, share): pool.submit(_covered, count, share, range(repeats))
            for count in COUNTS
            for share in (1.0, 0.5)
        }
        rows = list(ProgressBar(pool.map(_row, indices), desc="known models", total=len(indices)))
        covered = []
        for (count, share), future in coverage.items():
            names, hits = future.result()
            shares = dict(zip(names, hits.mean(0).tolist(), strict=True))
            covered.append({"tasks": count, "share": share, "repeats": repeats, "held": shares})
    return {"rows": rows, "coverage": covered, "seconds": time.time() - started}


def accuracies(rows: Sequence[dict]) -> list[dict]:
    """Share of right verdicts and of false alarms, by families."""

    def summary(name, own):
        found = {"families": name, "models": len(own)}
        for count in COUNTS:
            right = [row["nature"] == row[f"verdict_{count}"] for row in own]
            found[f"right_{count}"] = float(np.mean(right))
            adapting = [row for row in own if row["nature"] == verdicts.ADAPTS]
            alarms = (verdicts.MEMORIZATION, verdicts.LEARNER)
            found[f"alarms_{count}"] = float(
                np.mean([row[f"verdict_{count}"] in alarms for row in adapting])
            )
        return found

    families = collections.defaultdict(list)
    for row in rows:
        families[row["family"]].append(row)
    halves = {
        "set by these": [row for row in rows if row["family"] in SETTING],
        "checked on these": [row for row in rows if row["family"] not in SETTING],
    }
    return [summary(name, own) for name, own in (families | halves).items() if own]


def correlations(rows: Sequence[dict]) -> dict[str, float]:
    """Rank correlation of each monitor with the error on held-out tasks, over models."""
    found = {}
    for name in rows[0]["monitors"]:
        pairs = [
            (row["monitors"][name], row["held_out_error"])
            for row in rows
            if row["monitors"][name] is not None and row["nature"] != verdicts.CANNOT_TELL
        ]
        found[name] = float(stats.spearmanr(pairs).statistic)
    return found


def page(result: dict) -> list[str]:
    """The lines of the page."""
    rows = result["rows"]
    where = result["provenance"]
    lines = [
        "# Verdicts on models of known nature",
        "",
        f"`{where['command']}`; {where['hardware']}, {result['seconds'] / 60:.0f} minutes. "
        f"{reporting.counted(len(rows), 'model')} (`maml.diagnostics.known_models`): ridge "
        "regression, posteriors over the training tasks, look-ups by the input's code, mixtures, "
        "nearest neighbours, constant, noisy and biased models; prototypes, memories of classes. "
        f"Thresholds were set on the families {' and '.join(SETTING)}.",
        "",
        "Share of right verdicts, and of models that adapt and are said to overfit (alarms), with "
        f"{COUNTS[0]} and {COUNTS[1]} tasks of each split:",
        "",
    ]
    titles = ["families", "models"]
    for count in COUNTS:
        titles += [f"right, {count} tasks", f"alarms, {count} tasks"]
    cells = [
        [own["families"], str(own["models"])]
        + [f"{own[f'{of}_{count}']:.1%}" for count in COUNTS for of in ("right", "alarms")]
        for own in result["accuracies"]
    ]
    lines += [*reporting.markdown_table(titles, cells), "", "Wrong verdicts, by kind of model:", ""]
    wrong = collections.Counter(
        (
            row["model"].partition(";")[0],
            row["family"],
            row["nature"],
            row[f"verdict_{count}"],
            count,
        )
        for row in rows
        for count in COUNTS
        if row["nature"] != row[f"verdict_{count}"]
    )
    kinds = [
        [model, family, nature, said, str(count), str(times)]
        for (model, family, nature, said, count), times in sorted(wrong.items())
    ]
    titles = ["model", "family", "nature", "verdict", "tasks", "models"]
    lines += reporting.markdown_table(titles, kinds, left=4)
    lines += [
        "",
        "Rank correlation with the error on held-out tasks, of what is read on training tasks "
        "alone:",
        "",
        *reporting.markdown_table(
            ["monitor", "rank correlation"],
            [[name, f"{value:.2f}"] for name, value in result["correlations"].items()],
        ),
        "",
        "Share of 95 % intervals that hold the mean over "
        f"{TRUTH_TASKS:,} tasks, of ridge regression and of its mixture with a look-up:",
        "",
    ]
    names = list(result["coverage"][0]["held"])
    cells = [
        [f"{of['share']:g} ridge", str(of["tasks"]), str(of["repeats"])]
        + [f"{of['held'][name]:.1%}" for name in names]
        for of in result["coverage"]
    ]
    titles = ["model", "tasks", "repeats", *(name.replace("_", " ") for name in names)]
    return [*lines, *reporting.markdown_table(titles, cells)]


def define_flags():
    """Defines the flags of this command."""
    flags.DEFINE_string("output", "results/diagnosis", "Folder of the table.")
    flags.DEFINE_integer("workers", os.cpu_count(), "Processes.", 1)
    flags.DEFINE_integer("every", 1, "Every how many-th model is taken; 1: all.", 1)
    flags.DEFINE_integer("repeats", 400, "Seeds behind a share of intervals.", 2)


def main():
    values = flags.FLAGS
    result = evaluate(values.workers, values.every, values.repeats)
    result |= {
        "accuracies": accuracies(result["rows"]),
        "correlations": correlations(result["rows"]),
        "provenance": reporting.provenance("maml.diagnostics.known_models"),
    }
    text = "\n".join(page(result))
    print(text, flush=True)  # First: the disk may be full, after minutes.
    reporting.write_tables(result, f"{text}\n", pathlib.Path(values.output), "known_models")


def run():
    """The command."""
    define_flags()
    commands.run(main, ["output"])

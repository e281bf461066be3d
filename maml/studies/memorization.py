"""Measures against memorization, on sinusoids whose inputs give their amplitude away.

    python -m maml.studies.memorization --logdir=output/sinusoid --output=results/sinusoid

The protocol is that of :func:`maml.tasks.nme_sinusoid` (Yin et al. 2020, arXiv 1912.03820, section
6.1). Strengths of the measures are chosen by the error on validation tasks, of one seed and the
least number of shots, for each learner; then every seed and number of shots is trained with them,
and scored on test tasks. What was trained to choose also shows where a measure stops to work, and
whether the diagnosis tells good models from bad ones.

Writes ``memorization.{md,json}`` and pictures. Trainings run in parallel; the same command goes on
where it was stopped.
"""

import dataclasses
import functools
import pathlib
import re
import sys
import time

import numpy as np
from absl import flags
from scipy import stats

from maml import train
from maml.experiments import options, selection, sweep
from maml.experiments.selection import each
from maml.studies import memorization_report
from mine import reporting
from mine.reporting import commands
from mine.reporting.statistics import mean_interval

NAME = "memorization"

# As many tasks a step as there are: one trace scores training and validation tasks.
_COMMON = {"steps": 2500, "meta_batch_size": 20, "meta_lr_decay": True}
LEARNERS = {
    "cnp": _COMMON,
    "metasgd": _COMMON | {"meta_lr": 0.002, "inner_clip": 10.0, "inner_steps": 3},
    "maml": _COMMON | {"inner_clip": 10.0, "inner_steps": 5},
}
"""Learner -> its options, the same for all methods. With one rate for all weights MAML has not
learned to adapt after so many steps, whatever the method; with learned ones (Meta-SGD) it has."""

USUAL = ("cnp", "metasgd")
"""Learners of the table, unless others are asked for."""


_POSITIVE = {"task_options": memorization_report.POSITIVE}
_MINE = {"regularizer": "mine", "mi_target": "prediction", "mi_noise": 0.2}
_ANCHORED = {"regularizer": "mine", "mi_target": "label"}
_AUGMENT = {"regularizer": "augment"}

SINGLE = {
    "nothing": [{"regularizer": "none"}],
    "MR-W": each("kl_weight", [1e-3, 1e-2, 5e-2, 1e-1], regularizer="weights"),
    "MR-A": each("bottleneck_weight", [1e-3, 1e-2, 1e-1, 3e-1], regularizer="activations"),
    "MINE": [
        *each("mi_weight", [0.1, 0.3, 1.0, 3.0], **_MINE, **_POSITIVE),
        *each("mi_weight", [0.3], **_MINE),
    ],
    "anchored": each("mi_weight", [0.1, 0.3, 1.0, 3.0], **_ANCHORED),
    "label augmentation": each("augment_probability", [0.5, 0.8], **_AUGMENT),
}
"""Method -> the options it may choose from. MINE: a free critic on predictions. Anchored: the
information on labels, whose critic is the learner's own likelihood. Relabellings scale labels by
1/2 to 2, and negate half of the tasks unless scales are positive."""

COMBINED = {"MR-W + MINE": ("MR-W", "MINE"), "MR-A + anchored": ("MR-A", "anchored")}
"""Method -> two others. Both are tried as they were chosen, and the first at a third of that."""

GROUPS = {
    "not trained on it": ("nothing", "MR-W", "MR-A", "label augmentation"),
    "trained on the labels' information": ("anchored", "MR-A + anchored"),
    "trained on it, by a free critic": ("MINE", "MR-W + MINE"),
}
"""What a model was paid for -> methods. "It" is I(y^; Y | x, X) of the diagnosis."""


@dataclasses.dataclass(frozen=True)
class Study:
    """What is run, and where.

    Attributes:
        logdir: folder of the runs.
        learners: of :data:`LEARNERS`.
        shots: numbers of support points; strengths are chosen at the least.
        seeds: number of seeds.
        workers: number of processes.
        changed: options of :class:`maml.train.Config` in place of those of :data:`LEARNERS`.
    """

    logdir: pathlib.Path
    learners: tuple[str, ...] = USUAL
    shots: tuple[int, ...] = (5, 10)
    seeds: int = 5
    workers: int = 2
    changed: dict = dataclasses.field(default_factory=dict)

    def config(self, learner: str, method: dict, shots: int, seed: int) -> train.Config:
        """The options of one run."""
        given = {"dataset": "nme_sinusoid", "steps_per_epoch": 500, "learner": learner}
        given |= LEARNERS[learner] | self.changed
        return train.Config(**given, **method, shots=shots, seed=seed)

    def run(self, wanted: list[tuple], title: str) -> list[dict]:
        """Trains what was not trained yet.

        Args:
            wanted: (learner, method's name, its options, shots, seed) of each run.
            title: of the progress bar.

        Returns:
            For each the record of :func:`maml.train.train`, or of its divergence, with ``method``
            the method's name.
        """
        jobs = {}
        for learner, name, method, shots, seed in wanted:
            words = [learner, name, memorization_report.strength(method)]
            label = ", ".join([*filter(None, words), f"{shots} shots", f"seed {seed}"])
            path = self.logdir / f"{re.sub('[^A-Za-z0-9.+-]+', '_', label)}.keras"
            config = self.config(learner, method, shots, seed)
            jobs[label] = functools.partial(
                train.train, config, path, resume=True, verbose=0, pictures=False
            )
        records = sweep.run(jobs, self.workers, title)
        kept = ("learner", "shots", "seed")
        return [
            record
            | dict(zip(kept, (learner, shots, seed), strict=True))
            | {"method": name, "options": method}
            for record, (learner, name, method, shots, seed) in zip(
                records.values(), wanted, strict=True
            )
        ]


def score(record: dict, split: str) -> float:
    """The squared error on a split's tasks of a run that ended."""
    return record["diagnosis"][split]["after"]["mean"]


def choose(records: list[dict]) -> dict[tuple[str, str], dict]:
    """(learner, method) -> the options with the least error on validation tasks."""
    groups = {}
    for record in records:
        groups.setdefault((record["learner"], record["method"]), []).append(record)
    error = functools.partial(score, split="validation")
    return {key: selection.best(group, error) for key, group in groups.items()}


def study(plan: Study) -> dict:
    """Runs the study.

    Returns:
        ``rows`` (learner, regularizer, shots, steps, mean, ci95, seeds, command, ...), ``sweep``
        (every run that strengths were chosen by), ``correlation``.
    """
    least = min(plan.shots)
    tried = plan.run(
        [
            (learner, name, method, least, 0)
            for learner in plan.learners
            for name, methods in SINGLE.items()
            for method in methods
        ],
        "Choosing strengths",
    )
    chosen = choose(tried)
    tried += plan.run(
        [
            (learner, name, method, least, 0)
            for learner in plan.learners
            for name, parts in COMBINED.items()
            for method in selection.combined(*(chosen[learner, part] for part in parts))
        ],
        "Combining",
    )
    chosen = choose(tried)
    final = plan.run(
        [
            (learner, name, chosen[learner, name], shots, seed)
            for learner in plan.learners
            for name in (*SINGLE, *COMBINED)
            for shots in plan.shots
            for seed in range(plan.seeds)
        ],
        "Training with all seeds",
    )
    return {
        "rows": tabulate(final),
        "sweep": [summary(record) for record in tried],
        "correlation": correlate([*tried, *final]),
        "training_seconds": sum(
            record.get("train_seconds", 0.0) for record in distinct(tried + final)
        ),
    }


def distinct(records: list[dict]) -> list[dict]:
    """Each run once: the runs that chose are among those of the first seed."""
    keys = ("learner", "method", "options", "shots", "seed")
    return list({str([record[key] for key in keys]): record for record in records}.values())


def summary(record: dict) -> dict:
    """What a run shows in a sweep."""
    kept = {key: record[key] for key in ("learner", "method", "options", "shots", "seed")}
    if sweep.DIVERGED in record:
        return kept | {sweep.DIVERGED: record[sweep.DIVERGED]}
    test = record["diagnosis"]["test"]
    return kept | {
        "train_mse": score(record, "train"),
        "validation_mse": score(record, "validation"),
        "test_mse": score(record, "test"),
        "swap_gap": test["swap_gap"]["mean"],
        "information": information(record),
        "power_ratio": record["terms"].get("power_ratio"),
        "command": record["command"],
    }


def information(record: dict) -> float:
    """I(y^; Y | x, X) of a run on validation tasks in nats: the lower bound."""
    return record["diagnosis"]["validation"]["label_information"]["lower"]["mean"]


def tabulate(records: list[dict]) -> list[dict]:
    """One row for each learner, method and number of shots; means and intervals over seeds."""
    groups = {}
    for record in records:
        groups.setdefault((record["learner"], record["method"], record["shots"]), []).append(record)
    rows = []
    for (learner, method, shots), group in groups.items():
        row = {"learner": learner, "regularizer": method, "shots": shots}
        row |= {"options": group[0]["options"], "seeds": [record["seed"] for record in group]}
        ended = [record for record in group if sweep.DIVERGED not in record]
        row[sweep.DIVERGED] = len(group) - len(ended)
        if ended:
            row |= {"steps": ended[0]["steps"], "command": ended[0]["command"]}
            row |= mean_interval([score(record, "test") for record in ended])
            row |= {
                "train": mean_interval([score(record, "train") for record in ended]),
                "swap_gap": mean_interval(
                    [record["diagnosis"]["test"]["swap_gap"]["mean"] for record in ended]
                ),
                "information": mean_interval([information(record) for record in ended]),
                "train_seconds": sum(record["train_seconds"] for record in ended) / len(ended),
            }
        rows.append(row)
    return rows


def correlate(records: list[dict]) -> dict[str, dict]:
    """Rank correlation of the information (validation) with the error (test), by group.

    Of the models that were not trained on it also for each learner.
    """
    ended = [record for record in distinct(records) if sweep.DIVERGED not in record]
    first = next(iter(GROUPS))
    members = {
        group: [record for record in ended if record["method"] in methods]
        for group, methods in {**GROUPS, "all": (*SINGLE, *COMBINED)}.items()
    }
    members |= {
        f"{first}, {options.NAMES[learner]}": [
            record for record in members[first] if record["learner"] == learner
        ]
        for learner in dict.fromkeys(record["learner"] for record in ended)
    }
    result = {}
    for group, records in members.items():
        pairs = [(information(record), score(record, "test")) for record in records]
        pairs = [pair for pair in pairs if np.isfinite(pair).all()]
        rank = stats.spearmanr(pairs).statistic if len(pairs) > 2 else float("nan")
        result[group] = {"models": len(pairs), "spearman": float(rank), "pairs": pairs}
    return result


def define_flags():
    """Defines the flags of this command."""
    sweep.define_flags()
    flags.adopt_module_key_flags(sweep)  # For --help.
    flags.DEFINE_list("shots", ["5", "10"], "Numbers of support points.")
    flags.DEFINE_list("learners", list(USUAL), f"Of {', '.join(LEARNERS)}.")
    flags.DEFINE_integer("steps", None, "Training steps. [2500]", lower_bound=1)


def main():
    values = flags.FLAGS
    changed = {} if values.steps is None else {"steps": values.steps}
    try:
        shots = options.whole_numbers(values.shots, "shots", at_least=1)
        learners = options.known_names(values.learners, "learners", LEARNERS)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    output, start = pathlib.Path(values.output), time.time()
    plan = Study(
        pathlib.Path(values.logdir),
        learners,
        shots,
        values.seeds,
        values.workers,
        changed,
    )
    try:
        result = study(plan)
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
    result |= reporting.provenance("maml.studies.memorization") | {"workers": plan.workers}
    text = memorization_report.markdown(result)
    reporting.write_tables(result, text, output, NAME)
    memorization_report.draw_sweep(result, output / "sweep.png")
    memorization_report.draw_correlation(result, output / "diagnosis.png")
    print(text)
    print(f"{(time.time() - start) / 60:.0f} minutes; tables and pictures in {output}.")


if __name__ == "__main__":
    define_flags()
    commands.run(main, ["logdir", "output"])

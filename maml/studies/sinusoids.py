"""How well learners learn sinusoids: few shots, few inner steps, several seeds.

    python -m maml.studies.sinusoids --logdir=output/sinusoids --output=results/sinusoids

The tasks are those of MAML (Finn et al. 2017, arXiv 1703.03400, section 5.1). Beside the learners
stand a network that was trained on all tasks at once and is then fine-tuned (pretrained; its
learning rate is chosen on validation tasks, for each number of steps), and one that is told
amplitude and phase (oracle). Writes ``sinusoids.{md,json}``. Trainings run in parallel; the same
command goes on where it was stopped.
"""

import dataclasses
import functools
import math
import pathlib
import sys
import time

from absl import flags

import maml
from maml import train
from maml.experiments import options, sweep
from maml.studies.function_errors import Scorer
from mine import reporting
from mine.reporting import commands
from mine.reporting.statistics import format_interval, mean_interval

NAME, SCORES = "sinusoids", "inner_steps.json"

LEARNERS = {
    "MAML": {"learner": "maml"},
    "FOMAML": {"learner": "fomaml"},
    "Reptile": {"learner": "reptile", "inner_batch_size": 5},
    "CNP": {"learner": "cnp"},
    "iMAML": {
        "learner": "imaml",
        "regularization": 20.0,
        "inner_steps": 10,
        "inner_optimizer": "adam",
    },
}
"""Learner -> its options. iMAML's gradient holds at a solution, which five steps do not reach."""

YARDSTICKS = {
    "pretrained": {"learner": "maml", "inner_steps": 0},
    "oracle": {"learner": "maml", "inner_steps": 0, "task_options": "told=true"},
}
"""What learners are measured by: ordinary training, and its bound."""

COMMON = {
    "dataset": "sinusoid",
    "steps": 12_000,
    "steps_per_epoch": 3000,
    "meta_batch_size": 25,
    "meta_lr_decay": True,
    "inner_lr": 0.02,
    "inner_clip": 10.0,
}
COUNTS = (0, 1, 5, 10)
"""Inner steps of the table."""
RATES = (0.001, 0.003, 0.01, 0.03)
"""Learning rates that the fine-tuning of the pretrained network is chosen from."""


def config(name: str, shots: int, seed: int, changed: dict) -> train.Config:
    """The options of one run; ``changed`` ones differ from this study's."""
    given = COMMON | (LEARNERS | YARDSTICKS)[name] | changed
    return train.Config(**given, shots=shots, seed=seed)


def job(config: train.Config, path: pathlib.Path, name: str) -> dict:
    """Trains a learner unless that is done, and scores it after each number of inner steps.

    Returns:
        The record of the training, and ``errors``: number of inner steps -> mean squared error on
        test tasks. A learner without inner steps has the same after each.
    """
    record = train.train(config, path, resume=True, verbose=0, pictures=False)
    kept = path.with_suffix("") / SCORES
    if not kept.exists():
        reporting.write_json(_errors(config, path, name), kept)
    return record | {"errors": reporting.read_json(kept)}


def _errors(config: train.Config, path: pathlib.Path, name: str) -> dict[str, float]:
    learner, problem = maml.load(path), config.problem()
    if not hasattr(learner, "test_inner_steps") or name == "oracle":
        error = Scorer(learner)(problem.test)[0].mean()
        return {str(count): float(error) for count in COUNTS}
    errors, rates = {}, RATES if name == "pretrained" else (learner.inner_lr,)
    for count in COUNTS:
        learner.test_inner_steps, validated = count, {}
        for rate in rates if count else rates[:1]:
            learner.inner_lr = rate
            scorer = Scorer(learner)
            validated[scorer(problem.validation)[0].mean()] = scorer
        errors[str(count)] = float(validated[min(validated)](problem.test)[0].mean())
    return errors


@dataclasses.dataclass(frozen=True)
class Study:
    """What is run, and where.

    Attributes:
        logdir: folder of the runs.
        shots: numbers of support points.
        seeds: number of seeds.
        workers: number of processes.
        changed: options of :class:`maml.train.Config` in place of this study's.
    """

    logdir: pathlib.Path
    shots: tuple[int, ...] = (5, 10)
    seeds: int = 5
    workers: int = 2
    changed: dict = dataclasses.field(default_factory=dict)

    def path(self, name: str, shots: int, seed: int) -> pathlib.Path:
        """Of a learner's file."""
        return self.logdir / f"{name}_{shots}shot_seed{seed}.keras"

    def run(self, names, shots: tuple[int, ...], title: str) -> dict[tuple, dict]:
        """(name, shots, seed) -> record, of all seeds; trains what was not trained yet."""
        keys = [(name, k, seed) for name in names for k in shots for seed in range(self.seeds)]
        jobs = {
            "_".join(map(str, key)): functools.partial(
                job, config(*key, self.changed), self.path(*key), key[0]
            )
            for key in keys
        }
        return dict(zip(keys, sweep.run(jobs, self.workers, title).values(), strict=True))


def tabulate(records: dict[tuple, dict]) -> list[dict]:
    """One row for each learner, number of shots and of inner steps; intervals over seeds.

    Of learners and shots whose runs all diverged, a single row that says no more.
    """
    rows = []
    for name, shots in dict.fromkeys(key[:2] for key in records):
        group = [record for key, record in records.items() if key[:2] == (name, shots)]
        ended = [record for record in group if sweep.DIVERGED not in record]
        seeds = [key[2] for key in records if key[:2] == (name, shots)]
        row = {"learner": name, "regularizer": "none", "shots": shots, "seeds": seeds}
        row[sweep.DIVERGED] = len(group) - len(ended)
        if not ended:
            rows.append(row)
            continue
        for count in COUNTS:
            values = [record["errors"][str(count)] for record in ended]
            of = {"inner_steps": count, "command": ended[0]["command"], "steps": ended[0]["steps"]}
            of["train_seconds"] = sum(record["train_seconds"] for record in ended) / len(ended)
            rows.append(row | of | mean_interval(values))
    return rows


def markdown(result: dict) -> str:
    """The table of a study."""
    lines = [
        "# Sinusoids",
        "",
        f"`{result['command']}`; {result['hardware']}; {result['date']}. "
        f"{result['training_seconds'] / 60:.0f} minutes of training in all, on "
        f"{result['workers']} processes side by side.",
        "",
    ]
    table, groups = [], {}
    for row in result["rows"]:
        groups.setdefault((row["learner"], row["shots"]), []).append(row)
    for (name, shots), rows in groups.items():
        if "mean" not in rows[0]:
            table.append([name, str(shots), "diverged"])
            continue
        cells = [
            format_interval(row, 3) if math.isfinite(row["mean"]) else "diverges" for row in rows
        ]
        if lost := rows[0][sweep.DIVERGED]:
            cells[0] += f" ({lost} of {len(rows[0]['seeds'])} diverged)"
        if name in ("CNP", "oracle"):
            cells = [cells[0]] + [""] * (len(COUNTS) - 1)
        table.append([name, str(shots), *cells, f"{rows[0]['train_seconds']:.0f}"])
    columns = ["learner", "shots", *(f"{count} inner steps" for count in COUNTS), "s/run"]
    lines += [
        *reporting.markdown_table(columns, table),
        "",
        "Squared error on 600 test tasks, mean ± 95 % interval over seeds. CNP and oracle have no "
        "inner steps. Trained with 5 inner steps, iMAML with 10; the rates of fine-tuning are "
        "chosen on validation tasks.",
    ]
    return "\n".join(lines) + "\n"


def define_flags():
    """Defines the flags of this command."""
    sweep.define_flags()
    flags.adopt_module_key_flags(sweep)  # For --help.
    flags.DEFINE_list(
        "shots",
        ["5", "10"],
        "Numbers of support points; how far a task may drift is asked with 10.",
    )
    flags.DEFINE_integer("steps", COMMON["steps"], "Training steps.", lower_bound=1)


def planned() -> Study:
    """The study that the flags ask for."""
    values = flags.FLAGS
    shots = options.whole_numbers(values.shots, "shots", at_least=1)
    changed = {"steps": values.steps}
    return Study(pathlib.Path(values.logdir), shots, values.seeds, values.workers, changed)


def main():
    output, start = pathlib.Path(flags.FLAGS.output), time.time()
    try:
        plan = planned()
        records = plan.run((*LEARNERS, *YARDSTICKS), plan.shots, "Training")
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
    result = reporting.provenance("maml.studies.sinusoids") | {"workers": plan.workers}
    result["training_seconds"] = sum(
        record.get("train_seconds", 0.0) for record in records.values()
    )
    result["rows"] = tabulate(records)
    text = markdown(result)
    reporting.write_tables(result, text, output, NAME)
    print(text)
    print(f"{(time.time() - start) / 60:.0f} minutes; tables in {output}.")


if __name__ == "__main__":
    define_flags()
    commands.run(main, ["logdir", "output"])

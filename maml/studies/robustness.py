"""How well learners fit sinusoids, and how far a task may shift before adaptation fails.

    python -m maml.studies.robustness --logdir=output/robustness --output=results/robustness

The tasks are those of MAML (Finn et al. 2017, arXiv 1703.03400, section 5.1): amplitude 0.1 to 5,
phase 0 to pi, frequency 1. Beside the learners stand a network that was trained on all tasks at
once and is then fine-tuned (pretrained; its learning rate is chosen on validation tasks, for each
number of steps), and one that is told amplitude and phase (oracle). Learners with 10 shots then
adapt to functions of other amplitudes, phases, frequencies, ranges and shapes, and to noisy
labels, see :mod:`maml.studies.task_shift`.

Writes ``robustness.{md,json}`` and pictures.
"""

import collections
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from maml.experiments import report, study_command
from maml.experiments.aggregation import interval_of
from maml.experiments.run_folder import LEARNER, read_config
from maml.experiments.study import Plan, Study, Table
from maml.learners import saving
from maml.studies import robustness_plots, task_shift
from maml.studies.function_errors import Scorer
from maml.studies.task_shift import AXES, SHAPED, SHOTS, SOLVED, TASKS, key, limit_of, read_score
from mine import reporting
from mine.reporting import format_interval, rank

LEARNERS = {
    "MAML": [{"learner": "maml"}],
    "FOMAML": [{"learner": "fomaml"}],
    "Reptile": [{"learner": "reptile", "learner.inner_batch_size": 5}],
    "CNP": [{"learner": "cnp"}],
    # Its gradient holds at a solution, which five steps do not reach.
    "iMAML": [
        {
            "learner": "imaml",
            "learner.regularization": 20.0,
            "learner.inner_steps": 10,
            "learner.inner_optimizer": "adam",
        }
    ],
}

YARDSTICKS = {
    "pretrained": [{"learner": "maml", "learner.inner_steps": 0}],
    "oracle": [{"learner": "maml", "learner.inner_steps": 0, "task.told": True}],
}
"""Ordinary training, and the bound of what can be reached."""

COMMON = {
    "task": "sinusoid", "steps": 12_000, "steps_per_epoch": 3000, "meta_batch_size": 25,
    "meta_lr_decay": True, "learner.inner_lr": 0.02, "learner.inner_clip": 10.0,
}  # fmt: skip

COUNTS = (0, 1, 5, 10)
"""Inner steps of the table."""

RATES = (0.001, 0.003, 0.01, 0.03)
"""Learning rates that the fine-tuning of the pretrained network is chosen from."""

TABLES = {
    f"shots_{shots}": Table(
        f"{shots} support points", COMMON | {"task.shots": shots}, LEARNERS | YARDSTICKS
    )
    for shots in (5, SHOTS)
}


def further(folder: pathlib.Path, record: Mapping) -> dict:
    """Errors after each number of inner steps, and, with 10 shots, under shifts of the tasks.

    A learner without inner steps has the same error after each.
    """
    learner, config = saving.load(folder / LEARNER), read_config(folder)
    problem = config.make_problem()
    told, steps = config.task_options["told"], config.learner_options.get("inner_steps")
    found = {"mse_after": _errors(learner, problem, told, pretrained=steps == 0 and not told)}
    if config.task_options["shots"] == SHOTS and steps != 0:
        found |= task_shift.score_shifts(saving.load(folder / LEARNER))
    return found


def _errors(learner, problem, told: bool, pretrained: bool) -> dict[str, dict[str, float]]:
    def interval(error):
        return {"mean": float(error), "ci95": None}

    if not hasattr(learner, "test_inner_steps") or told:
        error = Scorer(learner)(problem.test)[0].mean()
        return {str(count): interval(error) for count in COUNTS}
    errors, rates = {}, RATES if pretrained else (learner.inner_lr,)
    for count in COUNTS:
        learner.test_inner_steps, validated = count, {}
        for rate in rates if count else rates[:1]:
            learner.inner_lr = rate
            scorer = Scorer(learner)
            validated[scorer(problem.validation)[0].mean()] = scorer
        errors[str(count)] = interval(validated[min(validated, key=rank)](problem.test)[0].mean())
    return errors


STUDY = Study(
    "robustness",
    "Sinusoids, and how far a task may shift",
    TABLES,
    further=further,
    question="How well do learners fit sinusoids, and how far may a task shift before adaptation "
    "fails?",
)

COLUMNS = (
    report.Column("learner", lambda row: row["row"], left=True),
    report.SEEDS,
    *(
        report.Column(
            reporting.counted(count, "inner step"),
            lambda row, name=f"mse_after.{count}": (
                format_interval(interval_of(row, f"further.{name}"), 3)
                if np.isfinite(interval_of(row, f"further.{name}")["mean"])
                else "diverges"
            ),
        )
        for count in COUNTS
    ),
    report.RUN_SECONDS,
)

NOTE = (
    "Squared error on 600 test tasks, mean ± 95 % interval over seeds. CNP and oracle have no "
    "inner steps, so their errors are the same in all columns. Trained with 5 inner steps, iMAML "
    "with 10; the rates of fine-tuning are chosen on validation tasks."
)


def shifted_rows(result: Mapping) -> list[dict]:
    """The rows of learners that were scored under shifts."""
    table = result["tables"].get(f"shots_{SHOTS}", {"rows": []})
    return [row for row in table["rows"] if f"further.shape.{next(iter(SHAPED))}.error.mean" in row]


def shift_section(rows: Sequence[Mapping]) -> list[str]:
    """How far a task may shift: limits along each axis, and the table behind them."""
    lines, ranks = [], collections.Counter()
    for axis, of in AXES.items():
        far = {row["row"]: limit_of(row, axis) for row in rows}
        order = sorted(far, key=lambda name: -far[name])
        told = ", ".join(
            f"{name} {far[name]:.2f}" + " or more" * (far[name] == of.distances[-1])
            for name in order
        )
        lines.append(f"* {axis} ({of.unit}; measured to {of.distances[-1]:g}): {told}.")
        for name in order:  # Equal limits share a rank.
            ranks[name] += sum(far[other] > far[name] for other in order)
    best = sorted((row["row"] for row in rows), key=lambda name: (ranks[name], name))
    solved = "; ".join(f"{row['row']}: {', '.join(_solved_shapes(row)) or 'none'}" for row in rows)
    inside = {
        row["row"]: read_score(row, "shift.noise", key(0.0), "solved")["mean"] for row in rows
    }
    return [
        "",
        "## How far may a task shift?",
        "",
        f"{SHOTS} support points, {TASKS} tasks for each number, "
        f"{reporting.join_numbers(len(row['seeds']) for row in rows)} seeds. A task is solved if "
        f"its error with the support set is below {SOLVED} of the mean square of the truth. Half "
        "of the tasks are still solved at these distances from the training range:",
        "",
        *lines,
        "",
        f"Shapes of which half of the tasks are solved: {solved}.",
        "",
        "Share of tasks solved without a shift: "
        + ", ".join(f"{name} {share:.0%}" for name, share in inside.items())
        + ".",
        "",
        f"Over all axes **{best[0]}** tolerates the largest shifts, then {', '.join(best[1:])} (by "
        "the sum of ranks of the limits).",
        "",
        "Error with the support set, divided by that of predicting 0; in parentheses the share of "
        "tasks that are solved. Mean ± 95 % interval over seeds.",
        "",
        *_shift_table(rows),
    ]


def _solved_shapes(row: Mapping) -> list[str]:
    return [of for of in SHAPED if read_score(row, "shape", of, "solved")["mean"] >= 0.5]


def _shift_table(rows: Sequence[Mapping]) -> list[str]:
    places = [
        (axis, f"shift.{axis}", key(v), f"{v:.3g}") for axis, of in AXES.items() for v in of.values
    ]
    places += [("shape", "shape", shape, shape) for shape in SHAPED]
    cells = []
    for axis, kind, name, value in places:
        texts = [
            f"{format_interval(read_score(row, kind, name, 'error'), 3)} "
            f"({read_score(row, kind, name, 'solved')['mean']:.0%})"
            for row in rows
        ]
        cells.append([axis, value, *texts])
    return reporting.markdown_table(["shift", "value", *(row["row"] for row in rows)], cells)


def page(result: dict) -> list[str]:
    """The page of the study."""
    rows = shifted_rows(result)
    return [
        *report.header(result, STUDY.title, NOTE),
        *report.sections(result, COLUMNS),
        *(shift_section(rows) if rows else ()),
    ]


def write(result: dict, plan: Plan, output: pathlib.Path) -> str:
    """Writes the page and pictures."""
    text = report.write(result, page(result), output, STUDY.name)
    rows = shifted_rows(result)
    if rows:
        robustness_plots.draw(rows, output)
        for row in rows:
            learner = saving.load(pathlib.Path(row["folders"][0]) / LEARNER)
            name = row["row"].lower()
            robustness_plots.draw_shapes_of(learner, row["row"], output / f"fits_{name}.png")
    return text


def cli():
    """The command."""
    study_command.define_flags(STUDY)
    study_command.run(STUDY, write, "maml.studies.robustness")


if __name__ == "__main__":
    cli()

"""Meta reinforcement learning: learners beside yardsticks, and policies that memorize.

    python -m maml.rl.study --logdir=output/rl --output=results/rl --tables=navigation,codes

Writes ``rl.{md,json}``, learning curves over environment steps, returns before and after
adaptation, and paths in the plane.
"""

import pathlib

import numpy as np
from absl import flags

from maml.experiments import plots, report, study_command
from maml.experiments.config import Config
from maml.experiments.results import HISTORY, read_history
from maml.experiments.selection import each
from maml.experiments.study import Plan, Study, Table
from maml.rl.plots import draw_returns
from maml.rl.yardsticks import random_returns, with_experience
from mine import reporting

_BASE = {
    "learner": "maml", "outer": "trpo", "learner.inner_lr": 0.1, "learner.inner_steps": 1,
    "meta_batch_size": 20, "steps_per_epoch": 20, "num_validation_batches": 1,
    "num_validation_tasks": 40, "num_test_tasks": 40,
    "task.later_rates": (1.0, 0.5, 0.25, 0.125),
}  # fmt: skip

_NO_ADAPTATION = {"learner.inner_steps": 0, "learner.test_inner_steps": 1}

YARDSTICKS = {
    "random": [_NO_ADAPTATION | {"outer": "adam", "meta_lr": 0.0, "steps": 1}],
    "pretrained": [_NO_ADAPTATION],
    "oracle": [_NO_ADAPTATION | {"learner.test_inner_steps": 0, "task.told": True}],
}
"""Untrained; trained on all tasks at once and adapted afterwards; told the task."""

LEARNERS = {
    "MAML": [{}],
    "MAML, log": [{"head.surrogate": "log"}],
    "MAML, DiCE": [{"head.surrogate": "dice"}],
    "FOMAML": [{"learner": "fomaml"}],
    "Meta-SGD": [{"learner": "metasgd"}],
    "MAML, ProMP": [{"outer": "promp"}],
    "MAML, Adam": [{"outer": "adam", "meta_lr": 1e-3}],
}
"""Learners and meta-optimizers; TRPO and the LVC surrogate unless said."""

_NAVIGATION = {"task": "navigation", "steps": 200}

# Few trajectories: with many of them adaptation is too easy to be worth replacing.
_CODES = {
    "task": "navigation", "task.train_tasks": 20, "task.trajectories": 2, "task.code": 8,
    "steps": 130, "steps_per_epoch": 10,
}  # fmt: skip

# Simulation is what takes the time.
_CHEETAH = {
    "task": "cheetah_dir", "task.trajectories": 10, "task.adaptations": 1,
    "network.deviation": 0.5, "meta_batch_size": 10, "outer.max_kl": 0.02,
    "steps_per_epoch": 20, "num_validation_tasks": 10, "num_test_tasks": 20,
}  # fmt: skip

# There are but two tasks, so few of them make a batch, and many trajectories show which one it is.
_DIRECTION = _CHEETAH | {"meta_batch_size": 4, "task.trajectories": 25, "steps": 1500}

# The ant is ten times as slow to simulate: a configuration that moves, not a result.
_ANT = _CHEETAH | {
    "task": "ant_dir", "outer.max_kl": 0.05, "steps": 20, "steps_per_epoch": 5,
}  # fmt: skip

# Whoever reads the code, and not the trajectories, runs at a velocity that is wrong by its noise.
_VELOCITY_CODE = _CHEETAH | {
    "task": "cheetah_vel", "task.train_tasks": 20, "task.told": True, "task.told_noise": 0.5,
    "steps": 200, "steps_per_epoch": 20,
}  # fmt: skip

METHODS = {
    "none": [{}],
    "no codes": [{"task.code": 0}],
    "codes redrawn": [{"task.redraw": "episode"}],
    "codes redrawn, each trajectory": [{"task.redraw": "trajectory"}],
    "MR-A": each("weight", [1e-3, 1e-2, 1e-1], regularizer="mr_a"),
    "MR-W": each("weight", [1e-5, 1e-4, 3e-4, 1e-3], regularizer="mr_w"),
    "Action-MI": each("weight", [0.03, 0.1, 0.3], regularizer="action_mi"),
    "codes redrawn, Action-MI": [
        option | {"task.redraw": "episode"}
        for option in each("weight", [0.03, 0.1], regularizer="action_mi")
    ],
}
"""What is done about codes that name the training goals."""


# Bandits have no states, so a linear policy has logits alone. One step has to turn them around:
# with a rate of 0.5 they hardly move. With 200 the adapted policies hardly depend on where they
# start, so that a trust region about them lets the start wander off; small steps of Adam do not.
def _bandit(pulls: int) -> dict:
    return _BASE | {
        "task": "bandit", "task.arms": 5, "task.trajectories": pulls, "learner.inner_lr": 20.0,
        "network.hidden": None, "steps": 100, "num_test_tasks": 100,
    }  # fmt: skip


_BANDIT_ROWS = {
    "MAML": [
        {"learner.inner_lr": 50.0},
        {"learner.inner_lr": 200.0, "outer": "adam", "meta_lr": 1e-3},
    ],
    "MAML, perceptron": [{"network.hidden": (32, 32), "network.activation": "relu"}],
} | YARDSTICKS

# A linear policy has logits for each of the few states, that an inner step moves by themselves.
# Advantages by temporal differences (a small trace) have the least variance, and here little bias,
# since observations are states.
_MDP_ROWS = {
    "MAML": [
        {"task.trace": trace, "learner.inner_lr": rate}
        for trace in (0.3, 0.0)
        for rate in (300.0, 1000.0)
    ],
    "MAML, trace 1": [{"task.trace": 1.0}],
    "MAML, perceptron": [
        {"learner.inner_lr": 30.0, "network.hidden": (64, 64), "network.bias": True}
    ],
} | YARDSTICKS


TABLES = {
    "navigation": Table(
        "2-D navigation", _BASE | _NAVIGATION, LEARNERS | YARDSTICKS
    ),
    "bandit_10": Table(
        "Bandits with 5 arms, 10 pulls", _bandit(10), _BANDIT_ROWS
    ),
    "bandit_100": Table(
        "Bandits with 5 arms, 100 pulls", _bandit(100), _BANDIT_ROWS
    ),
    "mdp": Table(
        "Tabular MDPs, 10 states, 5 actions, 20 trajectories",
        _BASE | {"task": "tabular_mdp", "steps": 100, "num_test_tasks": 100}
        | {"learner.inner_lr": 300.0, "task.trace": 0.3}
        | {"network.hidden": None, "network.bias": False},
        _MDP_ROWS,
    ),
    "cheetah_dir": Table(
        "Half-cheetah, forward or backward", _BASE | _DIRECTION,
        {"MAML": [{}]} | YARDSTICKS, seeds=3,
    ),
    "ant_dir": Table("Ant, forward or backward", _BASE | _ANT, {"MAML": [{}]}, seeds=1),
    "velocity_code": Table(
        "Half-cheetah, 20 training velocities of which the observation holds a noisy code",
        _BASE | _VELOCITY_CODE,
        {
            "none": [{}],
            "no code": [{"task.told": False, "task.told_noise": 0.0}],
            "Action-MI": each("weight", [0.03, 0.1], regularizer="action_mi"),
        },
        seeds=1,
    ),
    "codes": Table(
        "Navigation, 20 training goals that codes in the observation name, 2 trajectories",
        _BASE | _CODES,
        METHODS,
    ),
}  # fmt: skip

STUDY = Study(
    "rl",
    "Meta reinforcement learning",
    TABLES,
    metric="return",
    larger_is_better=True,
    pictures=True,
    question="How much does adaptation raise the return of policies on new tasks, and what helps "
    "where observations name the training tasks?",
)


def _after(count: int) -> report.Column:
    name = f"further.returns_after.{count}"
    return report.Column(
        f"after {count}",
        lambda row: (
            reporting.format_interval(
                {end: row.get(f"{name}.{end}", np.nan) for end in ("mean", "ci95")}, 2
            )
            if f"{name}.mean" in row
            else ""
        ),
    )


COLUMNS = (
    report.Column("learner", lambda row: row["row"], left=True),
    report.STRENGTH,
    report.SEEDS,
    report.VERDICT,
    report.score("test, before", "test.no_support_return", 2),
    report.score("test, after", "test.return", 2),
    _after(2),
    _after(3),
    report.score("test, another's", "test.mismatched_support_return", 2),
    report.score("training, before", "train.no_support_return", 2),
    report.score("training, after", "train.return", 2),
    report.score("I(a; D|s), nats", "test.support_information_lower"),
    report.number("s/iteration", "cost.seconds_per_step", ".2f"),
    report.number("of which sampling", "cost.sampling_seconds_per_step", ".2f"),
    report.TRAIN_MINUTES,
)

NOTE = (
    "Undiscounted return, mean ± 95 % interval over seeds, on tasks that were not trained on, "
    "before adaptation and after one, two and three adaptations, each to new trajectories; "
    "another's: adapted to another task's trajectories. I(a; D | s): lower bound, at states of the "
    "adapted policy. Random: untrained. Pretrained: trained without adaptation. Oracle: told the "
    "task, without adaptation."
)


def yardsticks(plan: Plan) -> dict[str, dict[str, float]]:
    """For each table, returns of random actions, of the optimum, and of the same experience."""
    found = {}
    for name in plan.chosen:
        config = plan.config(name, {}, 0)
        test = config.make_problem().test
        environment, tasks = test.environment, test.tasks
        found[name] = {
            "random actions": random_returns(environment, tasks),
            "optimum": float(np.mean(environment.optimum(tasks))),
        }
        if name.startswith(("bandit", "mdp")):
            found[name]["same experience"] = with_experience(
                environment, np.tile(tasks, (20, 1)), test.trajectories
            )
    return found


def page(result: dict) -> list[str]:
    """The page of the study."""
    lines = [*report.header(result, STUDY.title, NOTE), "", "## Yardsticks", ""]
    titles = ["random actions", "same experience", "optimum"]
    rows = [
        [result["tables"][name]["about"]]
        + [f"{values[title]:.2f}" if title in values else "" for title in titles]
        for name, values in result["yardsticks"].items()
    ]
    return [
        *lines,
        *reporting.markdown_table(["tasks", *titles], rows),
        "",
        "Same experience: of bandits the best arm after as many pulls by Thompson sampling; of "
        "MDPs value iteration on tables that are estimated from as many random trajectories. The "
        "optimum of robots is an estimate, from oracles.",
        *report.sections(result, COLUMNS, commands=True),
        *report.sweep_section(result, "return", "return", 2),
    ]


def steps_of_an_iteration(config: Config) -> int:
    """Steps of the environment, at most, that an iteration of a run takes."""
    problem = config.make_problem()
    phases = 2 if config.learner_defaults()["inner_steps"] else 1
    each = problem.train.trajectories * problem.train.environment.horizon
    return phases * config.meta_batch_size * each


def write(result: dict, plan: Plan, output: pathlib.Path) -> str:
    """Writes the page, learning curves, returns and paths."""
    result["yardsticks"] = yardsticks(plan)
    text = report.write(result, page(result), output, STUDY.name)
    for name, table in result["tables"].items():
        rows = [row for row in table["rows"] if "folders" in row]
        draw_returns(rows, result["yardsticks"][name], output / f"returns_{name}.png")
        histories = {}
        for row in rows:
            folder = pathlib.Path(row["folders"][0])
            history = read_history(folder / HISTORY)
            if len(history["step"]) > 1:
                each = steps_of_an_iteration(plan.config(name, row["options"], 0))
                histories[row["row"]] = history | {"step": each * history["step"]}
            if (folder / "paths.png").exists() and row["row"] in ("MAML", "none"):
                content = (folder / "paths.png").read_bytes()
                reporting.write(content, output / f"paths_{name}.png")
        if histories:
            plots.draw_curves(
                histories,
                {"return": "return after adaptation"},
                output / f"curves_{name}.png",
                "train",
                "train_no_support",
                "steps of the environment",
            )
    return text


def cli():
    """The command, as ``maml-rl-study``."""
    study_command.define_flags(STUDY)
    flags.DEFINE_alias("envs", "tables")
    study_command.run(STUDY, write, "maml.rl.study")


if __name__ == "__main__":
    cli()

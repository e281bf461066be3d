"""Regularizers on memorizable sinusoids: the input determines the amplitude.

    python -m maml.studies.memorization --logdir=output/sinusoid --output=results/memorization

The protocol is that of :func:`maml.tasks.sinusoids.nme_sinusoid` (Yin et al. 2020, arXiv
1912.03820, section 6.1). Strengths are chosen by the error on validation tasks, of one seed and 5
shots, for each learner; then every seed and number of shots is trained with them, and scored on
test tasks. The runs of the choice also show at which strength a regularizer stops working, and
whether the label information separates good models from bad ones.

Writes ``memorization.{md,json}`` and pictures.
"""

import pathlib

import numpy as np

from maml.experiments import aggregation, plots, report, study_command
from maml.experiments.selection import each, strength
from maml.experiments.study import Both, Plan, Study, Table
from mine import reporting
from mine.reporting.pictures import new_axes

# As many tasks a step as there are: one trace scores training and validation tasks.
_COMMON = {
    "task": "nme_sinusoid", "steps": 2500, "steps_per_epoch": 500, "meta_batch_size": 20,
    "meta_lr_decay": True,
}  # fmt: skip

LEARNERS = {
    "cnp": ("CNP", _COMMON),
    "metasgd": (
        "Meta-SGD",
        _COMMON | {"meta_lr": 0.002, "learner.inner_clip": 10.0, "learner.inner_steps": 3},
    ),
    "maml": ("MAML", _COMMON | {"learner.inner_clip": 10.0, "learner.inner_steps": 5}),
}
"""Learner -> its name in tables and its options, the same for all rows. With one rate for all
weights MAML has not learned to adapt after these steps, whatever the regularizer; with learned
rates (Meta-SGD) it has."""

_POSITIVE = {"task.signed": False}

ROWS = {
    "none": [{"regularizer": "none"}],
    "MR-W": each("weight", [1e-3, 1e-2, 5e-2, 1e-1], regularizer="mr_w"),
    "MR-A": each("weight", [1e-3, 1e-2, 1e-1, 3e-1], regularizer="mr_a"),
    "Prediction-MI (MINE)": [
        row | positive
        for weights, positive in (([0.1, 0.3, 1.0, 3.0], _POSITIVE), ([0.3], {}))
        for row in each("weight", weights, regularizer="prediction_mi", noise=0.2)
    ],
    "Label-MI": each("weight", [0.1, 0.3, 1.0, 3.0], regularizer="label_mi", warmup_nats=0.0),
    "Label-MI, default": [{"regularizer": "label_mi"}],
    "label augmentation": each("probability", [0.5, 0.8], regularizer="label_augmentation"),
    "MR-W + Prediction-MI (MINE)": Both("MR-W", "Prediction-MI (MINE)"),
    "MR-A + Label-MI": Both("MR-A", "Label-MI"),
}
"""Row -> the options it may choose from. Relabelings scale labels by 1/2 to 2, and negate half of
the tasks unless ``task.signed`` is false."""

SHOTS = (5, 10)

TABLES = {
    f"{learner}_{shots}": Table(
        f"{title}, {shots} shots",
        base | {"learner": learner, "task.shots": shots},
        ROWS,
        chosen_in=None if shots == SHOTS[0] else f"{learner}_{SHOTS[0]}",
    )
    for learner, (title, base) in LEARNERS.items()
    for shots in SHOTS
}

USUAL = ("cnp_5", "cnp_10", "metasgd_5", "metasgd_10")
"""Tables of the study, unless others are asked for."""

STUDY = Study(
    "memorization",
    "The memorization table",
    TABLES,
    question="Which regularizers, and at which strength, keep a learner from memorizing sinusoids "
    "whose amplitude the input determines?",
)

GROUPS = {
    "not trained on information": ("none", "MR-W", "MR-A", "label augmentation"),
    "Label-MI": ("Label-MI", "Label-MI, default", "MR-A + Label-MI"),
    "Prediction-MI (MINE)": ("Prediction-MI (MINE)", "MR-W + Prediction-MI (MINE)"),
}
"""Objective of a model -> rows whose correlation of monitors and error is reported."""

MONITORS = {
    "correlation": ("I(ŷ;Y|x,X)", f"scores.validation.{aggregation.INFORMATION}.mean"),
    "correlation_predicted": ("predicted skill", "diagnosis.predicted_skill.mean"),
}
"""Entry of the study's JSON -> title and column of a number that may predict the error."""

PUBLISHED = {
    ("cnp_5", "none"): 0.91,
    ("cnp_5", "MR-W"): 0.10,
    ("metasgd_5", "none"): 0.46,
    ("metasgd_5", "MR-W"): 0.16,
    ("maml_5", "none"): 0.46,
    ("maml_5", "MR-W"): 0.16,
}
"""Test errors of CNP and MAML of Yin et al. 2020, table 1, for context: split, network and steps
differ."""


def _strength(row) -> str:
    variant = "positive scales" if row["options"].get("task.signed") is False else ""
    return ", ".join(filter(None, [strength(row["options"]), variant]))


COLUMNS = (
    report.NAME,
    report.Column("strength", _strength, left=True),
    report.SEEDS,
    report.score("train MSE", "train.mse", 3),
    report.score("test MSE", "test.mse", 3),
    report.score("swap gap", "test.swap_gap"),
    report.score("I(ŷ;Y|x,X), nats", f"validation.{aggregation.INFORMATION}"),
    report.VERDICT,
    report.RUN_SECONDS,
    report.Column("published", lambda row: str(PUBLISHED.get((row["table"], row["row"]), ""))),
)

NOTE = (
    "Mean ± 95 % interval over seeds; 0.01 is the noise, and 1.4 the error of a learner that "
    "trusts the code. Label information: lower bound, on validation tasks. Published: CNP and MAML "
    "of Yin et al. 2020, table 1, another split and other steps, for context only."
)


def page(result: dict) -> list[str]:
    """The page of the study."""
    monitors = [name for name in MONITORS if name in result]
    correlation = reporting.markdown_table(
        ["models", "number", *(MONITORS[name][0] for name in monitors)],
        (
            # JSON has null in place of a correlation of too few models.
            [name, str(group["models"])]
            + [f"{np.float64(result[of][name]['spearman']):.2f}" for of in monitors]
            for name, group in result["correlation"].items()
        ),
    )
    return [
        *report.header(result, STUDY.title, NOTE),
        *report.sections(result, COLUMNS),
        "",
        "## What predicts the error?",
        "",
        "Rank correlation with the test MSE, over runs: of the label information on validation "
        "tasks, and of the skill that reports predict from relabeled training tasks.",
        "",
        *correlation,
        *report.sweep_section(result, "mse", "MSE", 3),
    ]


def draw_sweep(result: dict, path: pathlib.Path) -> None:
    """Error, and power of predictions, against the weight of the information."""
    tables = list(dict.fromkeys(row["table"] for row in result["sweep"]))
    if not tables:
        return
    figure, axes = new_axes(len(tables), 2, (4.2, 3))
    colours = {"Prediction-MI (MINE)": ("prediction_mi", 1), "Label-MI": ("label_mi", 0)}
    for column, table in enumerate(tables):
        for name, (regularizer, colour) in colours.items():
            rows = [
                (
                    row["options"][f"{regularizer}.weight"],
                    row["scores.test.mse.mean"],
                    row.get("terms.prediction_mi_power_ratio"),
                )
                for row in result["sweep"]
                if (row["table"], row["row"]) == (table, name)
                and "scores.test.mse.mean" in row
                # A variant that is tried at one strength only makes no line.
                and ("task.signed" in row["options"]) == (regularizer == "prediction_mi")
            ]
            if rows:
                weights, errors, powers = zip(*rows, strict=True)
                style = {"color": reporting.COLOURS[colour], "marker": "o"}
                axes[0, column].loglog(weights, errors, **style, label=name)
                if regularizer == "prediction_mi":
                    axes[1, column].semilogx(weights, powers, **style)
        for row in result["tables"].get(table, {"rows": []})["rows"]:
            if row["row"] == "none" and "scores.test.mse.mean" in row:
                error = row["scores.test.mse.mean"]
                axes[0, column].axhline(error, color="#777777", linestyle=":", label="none")
        axes[1, column].axhline(1.0, color="#777777", linestyle=":")
        axes[0, column].set(title=TABLES[table].about, ylabel="test MSE")
        axes[1, column].set(xlabel="λ", ylabel="power of predictions / of labels")
    axes[0, 0].legend(fontsize=7)
    reporting.picture(figure, path)


def draw_diagnosis(result: dict, path: pathlib.Path) -> None:
    """Test error against the label information of validation tasks, a point for each run."""
    groups = {name: result["correlation"][name] for name in GROUPS}
    plots.draw_correlation(groups, path, "test MSE", log=True)


def write(result: dict, plan: Plan, output: pathlib.Path) -> str:
    """Writes the page, and pictures of the sweep and of the correlation."""
    runs = result["runs"]
    groups = GROUPS | {"all": tuple(ROWS)}
    first = next(iter(GROUPS))
    for key, (_, column) in MONITORS.items():
        columns = (column, "scores.test.mse.mean")
        result[key] = aggregation.correlate(runs, groups, *columns)
        for learner, (title, _) in LEARNERS.items():
            own = runs[runs["config.learner"] == learner]
            if len(own):
                found = aggregation.correlate(own, {f"{first}, {title}": GROUPS[first]}, *columns)
                result[key] |= found
    text = report.write(result, page(result), output, STUDY.name)
    draw_sweep(result, output / "sweep.png")
    draw_diagnosis(result, output / "diagnosis.png")
    return text


def cli():
    """The command: the tables of :data:`USUAL` unless ``--tables`` names others."""
    study_command.define_flags(STUDY, USUAL)
    study_command.run(STUDY, write, "maml.studies.memorization")


if __name__ == "__main__":
    cli()

"""Few-shot classification: learners side by side, and labels that can be memorized.

    python -m maml.studies.fewshot --omniglot=omniglot.npz --miniimagenet=miniimagenet.npz \\
        --logdir=output/fewshot --output=results/fewshot

Files are of :mod:`maml.tasks.prepare`. Where a row may choose between strengths, the accuracy on
validation classes chooses, of one seed. Writes ``fewshot.{md,json}``, learning curves and pictures.
"""

import dataclasses
import pathlib

from absl import flags

from maml.experiments import plots, report, study_command
from maml.experiments.results import HISTORY, read_history
from maml.experiments.selection import each
from maml.experiments.study import Plan, Study, Table
from mine import reporting

_SCORES = {"num_test_tasks": 600, "num_validation_tasks": 200, "information_every": 5}

_OMNIGLOT = {
    "task": "omniglot", "task.shots": 1, "task.queries": 1, "meta_lr_decay": True,
    "steps_per_epoch": 1000, **_SCORES,
}  # fmt: skip

_FIXED = {
    "task.labels": "fixed", "task.ways": 20, "task.rotations": False, "meta_batch_size": 4,
}  # fmt: skip

_MAML = {
    "learner": "maml", "learner.inner_lr": 0.4, "learner.inner_steps": 1,
    "learner.test_inner_steps": 3,
}  # fmt: skip
# Three queries of a class cost a quarter more than one.
_LONGER = {"task.queries": 3, "steps": 30_000}
# A task of Reptile trains on all its images, ten of a class (Nichol et al. 2018, table 4). With
# Adam at 0.001 for inner steps, as there, it had 74 % after 2,000 steps and after 6,000; with SGD
# at 0.1 it has 84 % after 500.
_REPTILE = {
    "learner": "reptile", "task.queries": 9, "meta_batch_size": 5, "learner.inner_lr": 0.1,
    "learner.inner_steps": 5, "learner.inner_batch_size": 10, "learner.test_inner_steps": 10,
    "steps": 3000,
}  # fmt: skip
# Without damping accuracy is 68 % after 300 steps and 50 % after 3,000. With it and lambda = 2 it
# is 70 % after 600, with lambda = 0.5 and twice the rate 76 %.
_IMAML = {
    "learner": "imaml", "meta_batch_size": 8, "learner.inner_lr": 0.2, "learner.inner_steps": 8,
    "learner.regularization": 0.5, "learner.damping": 22.0, "learner.solver_steps": 3,
    "steps": 4000,
}  # fmt: skip
_METRIC_BASED = {"task.queries": 5, "steps": 5000}

FIVE_WAYS = {
    "MAML": [_MAML | _LONGER],
    "FOMAML": [_MAML | {"learner": "fomaml"}],
    "iMAML": [_IMAML],
    "Reptile": [_REPTILE],
    "Reptile, not transductive": [_REPTILE | {"network.normalization": "layer"}],
    "prototypical network": [_METRIC_BASED | {"learner": "protonet"}],
    "matching network": [_METRIC_BASED | {"learner": "matching"}],
    "memory module": [_METRIC_BASED | {"learner": "memory", "learner.slots": 32}],
    "TNP": [_METRIC_BASED | {"learner": "tnp"}],
    "Neural Statistician": [_METRIC_BASED | {"learner": "neural_statistician", "steps": 20_000}],
}
"""Learners; those that learn faster have fewer steps."""

_FIVE_SHOTS = ("prototypical network", "matching network", "memory module", "TNP")

TWENTY_WAYS = {
    "MAML": [_MAML],
    "FOMAML": [_MAML | {"learner": "fomaml"}],
    "prototypical network": [{"learner": "protonet", "task.queries": 5, "steps": 3000}],
}

MEMORIES = {
    "cleared before each task": [{}],
    "never cleared": [{"learner.clear": False}],
}
"""What a memory module does with what it wrote for other tasks."""

REGULARIZERS = {
    "none": [{"regularizer": "none"}],
    "MR-W": each("weight", [1e-6, 1e-5, 1e-4], regularizer="mr_w"),
    "Prediction-MI (MINE)": each("weight", [0.3], regularizer="prediction_mi"),
    "Prediction-MI (exact)": each("weight", [0.3], regularizer="prediction_mi", bound="exact"),
    "Label-MI": each("weight", [1.0], regularizer="label_mi", warmup_nats=0.0),
    "Label-MI, default": [{"regularizer": "label_mi"}],
    "label augmentation": each("probability", [0.5, 1.0], regularizer="label_augmentation"),
}
"""Regularizers against memorization of fixed labels."""

_CONVOLUTIONS = ("conv_1", "conv_2", "conv_3", "conv_4")

ENCODER = {
    "none": [{"regularizer": "none"}],
    "MR-W": each("weight", [1e-5], regularizer="mr_w", sigma=1.0, layers=_CONVOLUTIONS),
    "Label-MI": each("weight", [0.5], regularizer="label_mi", warmup_nats=0.0),
    "Label-MI, default": [{"regularizer": "label_mi"}],
}
"""Regularizers of a convolutional encoder that does not adapt."""

_LAST_LAYER = (
    _OMNIGLOT
    | _FIXED
    | {"learner": "anil", "learner.inner_steps": 5, "learner.test_inner_steps": 10}
    | {"network.filters": 32}
)

_INNER_001 = {"learner.inner_lr": 0.01, "learner.test_inner_steps": 10}

TABLES = {
    "omniglot5": Table(
        "Omniglot, 5 ways, 1 shot",
        _OMNIGLOT | {"task.ways": 5, "meta_batch_size": 16, "steps": 12_000},
        FIVE_WAYS,
        seeds=1,
    ),
    "omniglot5_5": Table(
        "Omniglot, 5 ways, 5 shots",
        _OMNIGLOT | {"task.ways": 5, "meta_batch_size": 16, "task.shots": 5},
        {name: FIVE_WAYS[name] for name in _FIVE_SHOTS}
        | {"Neural Statistician": [FIVE_WAYS["Neural Statistician"][0] | {"steps": 5000}]},
        seeds=1,
    ),
    "omniglot20": Table(
        "Omniglot, 20 ways, 1 shot",
        _OMNIGLOT | {"task.ways": 20, "meta_batch_size": 8, "steps": 6_000},
        TWENTY_WAYS,
        seeds=1,
    ),
    # A small inner rate makes memorizing the shorter way. At 0.04 MAML learns to adapt all the
    # same, at 0.02 halfway, and with an outer rate that does not decay at 0.015, too, in the end.
    "fixed": Table(
        "Omniglot, 20 ways, 1 shot, labels of training classes fixed: MAML",
        _OMNIGLOT
        | _MAML
        | _FIXED
        | {"learner.inner_lr": 0.015, "steps": 9_000, "network.filters": 32},
        REGULARIZERS,
        seeds=3,
    ),
    # As in Yin et al. 2020, section 4.2: MR-W's noise is on weights that do not adapt. It starts as
    # large as the features: Adam would take longer than the training to make it grow.
    "fixed_encoder": Table(
        "Omniglot, 20 ways, 1 shot, labels of training classes fixed: the last layer adapts",
        _LAST_LAYER | {"steps": 6_000},
        {
            row: [options | {"learner.inner_lr": rate} for rate in (0.03, 0.05)]
            for row, (options,) in ENCODER.items()
        },
        seeds=1,
    ),
    # At the rate that validation classes chose for every row of the shorter training.
    "fixed_encoder_longer": Table(
        "Omniglot, 20 ways, 1 shot, labels fixed: the last layer adapts, trained longer",
        _LAST_LAYER | {"steps": 9_000, "learner.inner_lr": 0.05},
        ENCODER,
        seeds=3,
    ),
    # A slot for each training class, so that nothing has to be written over.
    "fixed_memory": Table(
        "Omniglot, 20 ways, 1 shot, labels of training classes fixed: memory module",
        _OMNIGLOT
        | _FIXED
        | {"learner": "memory", "learner.slots": 2048, "task.queries": 2, "steps": 3_000},
        MEMORIES,
        seeds=3,
    ),
    "miniimagenet5": Table(
        "Colour images, 5 ways, 1 shot",
        {"task": "miniimagenet", "task.ways": 5, "task.shots": 1, "task.queries": 3}
        | {"meta_batch_size": 4, "steps": 2_000, "meta_lr_decay": True}
        | _SCORES,
        {
            "MAML": [{"learner": "maml"} | _INNER_001],
            "FOMAML": [{"learner": "fomaml"} | _INNER_001],
            "prototypical network": [{"learner": "protonet"}],
        },
        seeds=1,
    ),
}

PUBLISHED = {
    "omniglot5": {
        "MAML": 98.7,
        "FOMAML": 98.3,
        "iMAML": 99.2,
        "Reptile": 97.7,
        "Reptile, not transductive": 95.4,
        "prototypical network": 98.8,
        "matching network": 98.1,
        "memory module": 98.4,
        "Neural Statistician": 98.1,
    },
    "omniglot5_5": {
        "prototypical network": 99.7,
        "matching network": 98.9,
        "memory module": 99.6,
        "Neural Statistician": 99.5,
    },
    "omniglot20": {
        "MAML": 95.8,
        "FOMAML": 89.4,
        "prototypical network": 96.0,
    },
    "fixed": {"none": 7.8, "MR-W": 83.3},
    "fixed_encoder": {"none": 7.8, "MR-W": 83.3},
    "fixed_encoder_longer": {"none": 7.8, "MR-W": 83.3},
}
"""Accuracies on test classes in per cent, for context: splits, networks and steps differ. MAML:
Finn et al. 2017; FOMAML, Reptile: Nichol et al. 2018; iMAML (gradient descent): Rajeswaran et al.
2019; prototypical network: Snell et al. 2017; matching network: Vinyals et al. 2016; memory module:
Kaiser et al. 2017; Neural Statistician: Edwards and Storkey 2017; fixed labels: Yin et al. 2020."""

STUDY = Study(
    "fewshot",
    "Few-shot classification",
    TABLES,
    metric="accuracy",
    larger_is_better=True,
    pictures=True,
    question="How accurate are learners on images of new classes, and which regularizers keep "
    "MAML from memorizing labels that are fixed?",
)

COLUMNS = (
    report.Column("method", lambda row: row["row"], left=True),
    report.STRENGTH,
    report.SEEDS,
    report.VERDICT,
    report.score("test accuracy, %", "test.accuracy", 1, 100),
    report.score("training classes, %", "train.accuracy", 1, 100),
    report.score("no support, %", "train.no_support_accuracy", 1, 100),
    report.score("mismatched support, %", "train.mismatched_support_accuracy", 1, 100),
    report.score("information, nats", "test.label_information_lower"),
    report.Column("normalization", lambda row: row.get("normalization", "")),
    report.number("steps", "cost.steps", ".0f"),
    report.number("s/step", "cost.seconds_per_step"),
    report.TRAIN_MINUTES,
    report.Column(
        "published", lambda row: str(PUBLISHED.get(row["table"], {}).get(row["row"], ""))
    ),
)

NOTE = (
    "Accuracy on classes that were not trained on, ± 95 % interval over seeds, or over tasks where "
    "there is one seed. Training classes: accuracy with the support set, without it, and with "
    "another task's, where a learner that memorizes labels is right too. Information: lower bound "
    "of I(ŷ;Y|x,X). Published: other splits, networks and steps, for context only."
)


_NO_SUPPORT = report.number(
    "no support, %", "scores.train.no_support_accuracy.mean", ".1f", scale=100
)


def page(result: dict) -> list[str]:
    """The page of the study."""
    for name, table in result["tables"].items():
        # A stand-in for a data set has its options: the file tells them apart.
        if name in result.get("images", {}):
            table["about"] = f"{TABLES[name].about} (`{result['images'][name]}`)"
    return [
        *report.header(result, STUDY.title, NOTE),
        *report.sections(result, COLUMNS, commands=True),
        *report.sweep_section(result, "accuracy", "accuracy, %", 1, 100, [_NO_SUPPORT]),
    ]


def write(result: dict, plan: Plan, output: pathlib.Path) -> str:
    """Writes the page, learning curves, and episodes and confusions of the first run of a table."""
    result["images"] = {
        name: pathlib.Path(table.base["task.data"]).name
        for name, table in plan.chosen.items()
        if "task.data" in table.base
    }
    text = report.write(result, page(result), output, STUDY.name)
    for name, table in result["tables"].items():
        rows = [row for row in table["rows"] if "folders" in row]
        folders = {row["row"]: pathlib.Path(row["folders"][0]) for row in rows}
        histories = {row: read_history(folder / HISTORY) for row, folder in folders.items()}
        title = {"accuracy": "accuracy on validation classes"}
        plots.draw_curves(
            histories, title, output / f"curves_{name}.png", "validation", "train_no_support"
        )
        for picture in ("episodes", "confusion") if folders else ():
            content = (next(iter(folders.values())) / f"{picture}.png").read_bytes()
            reporting.write(content, output / f"{picture}_{name}.png")
    return text


def with_files(files: dict[str, str]) -> Study:
    """The study with the tables whose file of images is given.

    Args:
        files: task -> path of its file; empty for none.

    Raises:
        ValueError: none is given.
    """
    tables = {
        name: dataclasses.replace(table, base=table.base | {"task.data": files[table.base["task"]]})
        for name, table in TABLES.items()
        if files.get(table.base["task"])
    }
    if not tables:
        raise ValueError("Give a file of images by --omniglot or --miniimagenet.")
    return dataclasses.replace(STUDY, tables=tables)


def cli():
    """The command."""
    study_command.define_flags(STUDY)
    flags.DEFINE_string("omniglot", "", "File of Omniglot, written by maml.tasks.prepare.")
    flags.DEFINE_string("miniimagenet", "", "File of mini-ImageNet, written by maml.tasks.prepare.")

    def study():
        values = flags.FLAGS
        return with_files({"omniglot": values.omniglot, "miniimagenet": values.miniimagenet})

    study_command.run(study, write, "maml.studies.fewshot")


if __name__ == "__main__":
    cli()

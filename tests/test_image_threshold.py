"""The study of the number of projections of images at which learners stop memorizing."""

import numpy as np
import pandas as pd
import pytest
import toys

from maml.experiments.executors.local import shared
from maml.experiments.study import Plan, run_study
from maml.studies import crossings
from maml.studies import image_threshold as study

TINY = {
    "task.ways": 2, "task.shots": 1, "task.queries": 2, "task.features": 4, "learner.hidden": (8,),
    "steps": 2, "steps_per_epoch": 2, "meta_batch_size": 4, "num_validation_batches": 1,
    "num_test_tasks": 4, "num_validation_tasks": 4, "episodes_per_task": 1,
    "network.embedding": (8,),
}  # fmt: skip
TOLD = {"provenance": {"command": "python", "hardware": "two", "date": "today"}, "workers": 1}


def test_the_threshold_is_where_half_of_what_is_above_chance_remains():
    """By hand: of 0.8 above chance 0, 0.2 and 0.6 remain with 4, 16 and 64 training tasks."""
    runs = pd.DataFrame(
        {
            "table": "cnp_none",
            "row": ["4", "16", "64", "256"],
            "seed": 0,
            "scores.train.accuracy.mean": [1.0, 1.0, 1.0, 0.2],
            "scores.test.accuracy.mean": [0.2, 0.4, 0.8, 0.2],
        }
    )
    values = study.generalizes(runs)
    assert values[:3].to_numpy() == pytest.approx([-0.5, -0.25, 0.25])
    assert np.isnan(values[3])  # Nothing was learned, so nothing can remain.
    assert crossings.crossings(runs, study.generalizes) == {"cnp_none": {0: pytest.approx(5.0)}}


def test_every_row_is_a_valid_run():
    plan = Plan(study.with_file(toys.characters()), None)
    for name in plan.chosen:
        for row in plan.chosen[name].rows.values():
            config = plan.config(name, row[0], 0)
            assert config.steps % config.epoch_steps() == 0
            assert config.task_options["train_tasks"] in study.COUNTS


def test_a_file_of_images_is_asked_for():
    with pytest.raises(ValueError, match="--omniglot"):
        study.with_file("")


@pytest.mark.slow
def test_the_study_runs_and_writes_its_page(in_process, tmp_path):
    tables, rows = ("cnp_none",), ("4", "16")
    chosen = study.with_file(toys.characters())
    plan = Plan(chosen, tmp_path / "runs", tables, rows, 1, shared(1), TINY)
    result = run_study(plan) | TOLD
    text = study.write(result, plan, tmp_path / "out")
    assert "## CNP, no regularizer" in text and "## Thresholds" in text
    assert (tmp_path / "out" / "image_threshold.png").read_bytes()[1:4] == b"PNG"

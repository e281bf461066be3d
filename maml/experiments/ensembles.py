"""Ensembles of the seeds of a row, by the mean of their predictive distributions."""

import functools
import hashlib
import pathlib
from collections.abc import Sequence

import pandas as pd

from maml.diagnostics.scores import Evaluator
from maml.experiments import sweep, training
from maml.experiments.results import RESULTS
from maml.experiments.run_folder import CONFIG, LEARNER, read_config
from maml.learners import saving
from maml.learners.ensemble import Ensemble
from mine import reporting

SCORES = "ensemble.json"


def score_rows(runs: pd.DataFrame, plan) -> dict[tuple[str, str], dict]:
    """Scores of the ensemble of each row's seeds, by table and row.

    Args:
        runs: of :meth:`maml.experiments.study.Plan.run`.
        plan: of the study.
    """
    if "diverged" in runs:
        runs = runs[runs["diverged"].isna()]
    jobs, names = {}, {}
    for key, group in runs.groupby(["table", "row"], sort=False):
        folders = [pathlib.Path(folder) for folder in group["folder"]]
        if len(folders) > 1:
            names[key] = f"{folders[0].name}-and-{len(folders) - 1}-more"
            jobs[names[key]] = functools.partial(
                score_ensemble, folders, plan.logdir / "ensembles" / names[key]
            )
    scored = sweep.run(jobs, plan.executor, "Scoring ensembles") if jobs else {}
    return {key: scored[name] for key, name in names.items()}


def score_ensemble(folders: Sequence[pathlib.Path], folder: pathlib.Path) -> dict:
    """Scores the ensemble of some runs' learners on test tasks, and saves it as one learner.

    Args:
        folders: of the runs, which may differ in the seed.
        folder: of the ensemble; what is there already of the same runs is left as it is.

    Returns:
        ``scores`` of the test tasks; ``members``: checksums of the runs' records.
    """
    # A run's record holds its data, options and scores: another training has another.
    members = [hashlib.sha256((of / RESULTS).read_bytes()).hexdigest() for of in folders]
    if (folder / SCORES).exists():
        known = reporting.read_json(folder / SCORES)
        if known.get("members") == members:
            return known
    config = read_config(folders[0])
    problem = config.make_problem()
    learner = Ensemble([saving.load(of / LEARNER) for of in folders])
    # No information, and as few other support sets as there can be: they are asked of single runs.
    evaluator = Evaluator(learner, problem.metrics, num_relabelings=2)
    values = training.evaluate_split(evaluator, "test", problem.test, config, verbose=False)
    saving.save(learner, folder / LEARNER)
    reporting.write_json({"config": config.describe(problem), "data": {}}, folder / CONFIG)
    found = {"scores": problem.summarize(values, problem.test), "members": members}
    reporting.write_json(found, folder / SCORES)
    return found

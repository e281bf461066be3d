"""Runs that differ in their seeds alone, answering together."""

import os
import pathlib
from collections.abc import Sequence

import maml
from maml import runs
from mine import reports
from pose_code import experiment, scores
from pose_code.config import Config

SCORES = "together.json"


def score(folders: Sequence[os.PathLike], data_dir, folder: os.PathLike) -> dict:
    """Scores the ensemble of some runs' learners on test objects, and saves it as one learner.

    Args:
        folders: of the runs; configurations may differ in the seed.
        data_dir: folder of the pickles.
        folder: of the ensemble; what is there already is left as it is.

    Returns:
        ``mse`` and ``angle``, each a ``mean`` and ``ci95`` over objects, of angles also the
        ``median`` over queries; in ``objects`` those of each.
    """
    folders, folder = [pathlib.Path(of) for of in folders], pathlib.Path(folder)
    if (folder / SCORES).exists():
        return reports.read_json(folder / SCORES)
    settings = runs.read_options(folders[0], Config)
    learner = maml.Ensemble([maml.load(of / "learner.keras") for of in folders])
    test = experiment.load_tasks(data_dir, settings)["test"]
    # No information, and as few other support sets as there can be: they are asked of single runs.
    evaluator = maml.Evaluator(learner, draws=2, metrics=scores.METRICS)
    found = scores.summarise(evaluator(test, settings.eval_episodes, 16, seed=0), test.names)
    maml.save(learner, folder / "learner.keras")
    reports.write_json({"config": runs.as_config(settings)}, folder / runs.CONFIG)
    kept = {name: found[name] for name in (*scores.METRICS, "objects")}
    reports.write_json(kept, folder / SCORES)
    return kept

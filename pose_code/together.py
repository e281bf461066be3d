"""Runs that differ in their seeds alone, answering together."""

import hashlib
import os
import pathlib
from collections.abc import Sequence

import maml
from maml.experiments import runs
from mine import reporting
from pose_code import experiment, scores
from pose_code.config import Config

SCORES = "together.json"


def score(folders: Sequence[os.PathLike], data_dir, folder: os.PathLike) -> dict:
    """Scores the ensemble of some runs' learners on test objects, and saves it as one learner.

    Args:
        folders: of the runs; configurations may differ in the seed.
        data_dir: folder of the pickles.
        folder: of the ensemble; what is there already of the same runs is left as it is.

    Returns:
        ``mse`` and ``angle``, each a ``mean`` and ``ci95`` over objects, of angles also the
        ``median`` over queries; in ``objects`` those of each; in ``members`` checksums of the
        runs' records.
    """
    folders, folder = [pathlib.Path(of) for of in folders], pathlib.Path(folder)
    # A run's record holds its data, options and scores: another training has another.
    members = [hashlib.sha256((of / scores.RESULTS).read_bytes()).hexdigest() for of in folders]
    if (folder / SCORES).exists():
        known = reporting.read_json(folder / SCORES)
        if known.get("members") == members:
            return known
    settings = runs.read_options(folders[0], Config)
    learner = maml.Ensemble([maml.load(of / "learner.keras") for of in folders])
    test = experiment.load_tasks(data_dir, settings)["test"]
    # No information, and as few other support sets as there can be: they are asked of single runs.
    evaluator = maml.Evaluator(learner, num_relabelings=2, metrics=scores.METRICS)
    found = scores.summarise(evaluator(test, settings.eval_episodes, 16, seed=0), test.names)
    maml.save(learner, folder / "learner.keras")
    reporting.write_json({"config": runs.as_config(settings)}, folder / runs.CONFIG)
    kept = {name: found[name] for name in (*scores.METRICS, "objects")} | {"members": members}
    reporting.write_json(kept, folder / SCORES)
    return kept

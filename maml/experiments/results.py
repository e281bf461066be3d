"""``results.json`` and ``history.csv``: what a run says, and the one reader of both.

===============  ==================================================================================
key              content
===============  ==================================================================================
``schema``       version of this format
``method``       what tables call the run: learner and regularizers, with their strengths
``seed``         of the run
``config``       every option, defaults included, see :class:`maml.experiments.Config`
``data``         what tells the data from others: checksums, numbers of objects
``metric``       name of the main score
``scores``       split -> score -> ``mean`` and ``ci95`` over tasks
``diagnosis``    fields of the :class:`maml.MemorizationReport` on training and test tasks
``terms``        the regularizers' own values on held-out episodes, of the last or best epoch
``further``      what the problem adds, such as scores at other numbers of shots
``cost``         steps, seconds a step and in all, skipped steps
``normalization``  whether the networks' normalization is transductive
``provenance``   command, git commit, hardware, package versions, date
===============  ==================================================================================

Nothing here needs TensorFlow.
"""

import csv
import os
import pathlib

import numpy as np

from mine import reporting

SCHEMA = 2
"""Version of the format. A reader takes its own version only."""

RESULTS, HISTORY = "results.json", "history.csv"

KEYS = ("method", "seed", "config", "data", "metric", "scores", "cost", "provenance")
"""What each record holds."""


def write_results(record: dict, folder: os.PathLike) -> None:
    """Writes the record of a run, whole or not at all."""
    reporting.write_json({"schema": SCHEMA} | record, pathlib.Path(folder) / RESULTS)


def read_results(path: os.PathLike) -> dict:
    """The record of a run.

    Args:
        path: of the run's folder, or of its ``results.json``.

    Raises:
        ValueError: it is damaged, is no record of a run, or has another schema version.
        OSError: it cannot be read.
    """
    path = pathlib.Path(path)
    path = path / RESULTS if path.is_dir() else path
    record = reporting.read_json(path, "schema")
    if record["schema"] != SCHEMA:
        raise ValueError(
            f"Invalid `schema` in {path}: expected {SCHEMA}, received {record['schema']!r}. Read "
            "it with the version that wrote it, or train the run anew."
        )
    missing = [key for key in KEYS if key not in record]
    if missing:
        raise ValueError(f"{path} is no record of a run: it has no {missing[0]!r}.")
    return record


def find_results(folder: os.PathLike) -> list[dict]:
    """The records of all finished runs in or below a folder, each with its ``folder``.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a record is damaged.
    """
    found = sorted(pathlib.Path(folder).rglob(RESULTS))
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no finished run ({RESULTS}): train one, or name another folder."
        )
    return [read_results(path) | {"folder": str(path.parent)} for path in found]


def read_history(path: os.PathLike) -> dict[str, np.ndarray]:
    """The columns of ``history.csv``, [epochs] each.

    A run that was cut between its log and its checkpoint has logged an epoch twice: the later row,
    of the run that went on, counts.

    Raises:
        ValueError: it is no such table.
    """

    def number(text):
        return float("nan") if text == "NA" else float(text)  # NA: Keras' word for no value.

    try:
        with pathlib.Path(path).open(newline="") as file:
            rows = {row["epoch"]: row for row in csv.DictReader(file)}
        return {name: np.array([number(row[name]) for row in rows.values()]) for name in rows["0"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: train this run anew, in another folder.") from error

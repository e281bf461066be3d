"""The folder of a run: claimed by one process, with its configuration and its history."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Callable

from maml.experiments.config import LOCATIONS, Config
from maml.experiments.results import HISTORY, RESULTS, read_history
from mine import reporting
from mine.reporting.words import reason

CONFIG, LEARNER = "config.json", "learner.keras"
CHECKPOINT, BEST = "checkpoint.weights.h5", "best.weights.h5"
TENSORBOARD = "tensorboard"


def can_mend(learner: pathlib.Path, folder: pathlib.Path) -> bool:
    """Whether the learner or the history of a finished run can be written again, and must be."""
    if not (folder / CHECKPOINT).exists():
        return False
    try:
        read_history(folder / HISTORY)
    except (OSError, ValueError):
        return True
    return not learner.exists()


@contextlib.contextmanager
def claim_run_dir(
    folder: os.PathLike,
    config: dict,
    resume: bool,
    data: dict,
    complete: Callable[[dict], dict] = dict,
):
    """Makes a folder this run's own for as long as the context lasts.

    A run that fails before its first checkpoint leaves the folder to others.

    Args:
        folder: made if absent.
        config: every option of the run, see :meth:`maml.experiments.Config.describe`.
        resume: whether to go on with a run that is there.
        data: what identifies the run's data, as JSON holds it: must be the same for a run to
            go on, as far as both say it.
        complete: adds to the options of a run that is there those that are newer than it, with
            their defaults.

    Raises:
        FileExistsError: the folder holds another run, or one that was not asked to be resumed, or
            another process works in it.
        ValueError: the configuration there is damaged, or has an option that is not known here.
    """
    folder = pathlib.Path(folder)
    if folder.is_file():
        raise FileExistsError(
            f"Invalid value for `folder`: expected a folder, received {folder}, "
            "a file; name another folder."
        )
    with reporting.claim(folder):
        fresh = not (folder / CONFIG).exists()
        try:
            _check_or_write(folder, config, resume, data, complete)
            yield folder
        except BaseException:
            if fresh and not (folder / CHECKPOINT).exists():  # Nothing was trained: others may.
                (folder / CONFIG).unlink(missing_ok=True)
                shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)
            raise


def _check_or_write(folder, config, resume, data, complete) -> None:
    path = folder / CONFIG
    if not path.exists():
        left = [name for name in (RESULTS, CHECKPOINT) if (folder / name).exists()]
        if left:
            raise FileExistsError(
                f"{folder} holds {left[0]} of a run, but no {CONFIG} that says which: put a copy "
                "of it back, or name another folder."
            )
        reporting.write_json({"config": config, "data": data}, path)
        return
    if not resume:
        raise FileExistsError(f"{folder} holds a run: pass --resume to go on, or another folder.")
    there = _read(path)
    different = different_options(there["config"], config)
    if not different:
        with _of_this_version(path):
            different = different_options(complete(there["config"]), config)
    if not same_data(there.get("data") or {}, data):
        different.append("data")
    if different:
        raise FileExistsError(
            f"{folder} holds a run with other {', '.join(different)}: pass another folder, or the "
            "same flags."
        )


def different_options(config: dict, other: dict) -> list[str]:
    """Names of the options in which two configurations differ, as far as both have them."""
    found = []
    for name in sorted(config.keys() & other.keys()):
        one, two = config[name], other[name]
        if isinstance(one, dict) and isinstance(two, dict):
            common = (one.keys() & two.keys()) - set(LOCATIONS)
            found += [f"{name}: {key}" for key in sorted(common) if one[key] != two[key]]
        elif one != two:
            found.append(name)
    return found


def same_data(data: dict, other: dict) -> bool:
    """Whether two records of data are the same in all that both of them say."""
    return all(data[name] == other[name] for name in data.keys() & other.keys())


def read_config(folder: os.PathLike) -> Config:
    """The configuration of the run in a folder.

    Raises:
        ValueError: it is damaged, or has an option that is not known here.
        OSError: it cannot be read.
    """
    path = pathlib.Path(folder) / CONFIG
    content = _read(path)["config"]
    with _of_this_version(path):
        return Config(**content)


def _read(path: pathlib.Path) -> dict:
    """The content of a ``config.json``.

    Raises:
        ValueError: it is damaged.
    """
    try:
        there = reporting.read_json(path, "config")
    except RecursionError:
        there = {"config": None}
    parts = [there["config"], there.get("data") or {}]
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError(
            f"Invalid file {path}: expected the options of a run; received a damaged file; put "
            "back a copy of it, or name another folder."
        )
    return there


@contextlib.contextmanager
def _of_this_version(path: pathlib.Path):
    """Names the file of a configuration that has no meaning here."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be used with this version: {reason(error, 600)}."
        ) from error

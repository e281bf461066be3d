"""A trained learner as one file, and back, in any process; nothing is unpickled."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import zipfile

import h5py
import keras

from maml.learners.base import MetaLearner

_CONFIG = "maml_learner"


def save(learner: MetaLearner, path: os.PathLike) -> None:
    """Writes a learner: its networks, head, regularizers, options and weights, no optimizers.

    Written to a temporary name and renamed, so a file is whole or not there.

    Args:
        learner: its weights exist, see :meth:`MetaLearner.create_weights`.
        path: ending in ``.keras``, the archive of Keras, or ``.h5``, the weights in one HDF5 file
            with the rest in an attribute.

    Raises:
        ValueError: another ending, or a learner without weights.
    """
    path = pathlib.Path(path)
    check_path(path)
    if not learner.built:
        raise ValueError("The learner has no weights yet: call create_weights first.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp" + _WEIGHTS[path.suffix])
    try:
        if path.suffix == ".keras":
            with _without_optimizers(learner):
                learner.save(temporary)
        else:
            with _without_optimizers(learner):
                learner.save_weights(temporary)
            with h5py.File(temporary, "a") as file:
                file.attrs[_CONFIG] = json.dumps(keras.saving.serialize_keras_object(learner))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _without_optimizers(learner: MetaLearner):
    """Keras would write their state as well, which is twice that of the learner."""
    kept = [
        (one, name, getattr(one, name))
        for one in (learner, *learner.layers)  # An ensemble's members are its layers.
        for name in ("optimizer", "critic_optimizer")
        if hasattr(one, name)
    ]
    try:
        for one, name, _ in kept:
            setattr(one, name, None)
        yield
    finally:
        for one, name, optimizer in kept:
            setattr(one, name, optimizer)


_WEIGHTS = {".keras": ".keras", ".h5": ".weights.h5"}


def load(path: os.PathLike) -> MetaLearner:
    """Reads what :func:`save` wrote. Compile the learner anew to train it on.

    Classes of one's own must be imported before, see :func:`maml.import_files`.

    Args:
        path: of the file.

    Returns:
        A learner with the same predictions.

    Raises:
        ValueError: there is no such file, it is damaged, holds something else than a learner, or
            one whose class is not known.
    """
    path = pathlib.Path(path)
    check_path(path)
    if not path.is_file():
        raise ValueError(f"There is no file {path} to load a learner from.")
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no learner that can be loaded: it is damaged, no archive.")
    try:
        if path.suffix == ".keras":
            learner = keras.saving.load_model(path, compile=False)
        else:
            with h5py.File(path) as file:
                config = json.loads(file.attrs[_CONFIG])
            learner = keras.saving.deserialize_keras_object(config)
            # Keras tells the formats of weights apart by their names.
            with tempfile.TemporaryDirectory() as folder:
                named = shutil.copy(path, pathlib.Path(folder) / "learner.weights.h5")
                learner.load_weights(named)
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"{path} is no learner that can be loaded: it is damaged, or of a class that was not "
            f"imported ({reason})."
        ) from error
    if not isinstance(learner, MetaLearner):
        raise ValueError(f"{path} holds a {type(learner).__name__}, which is no learner.")
    return learner


def check_path(path: pathlib.Path) -> None:
    """Raises ValueError unless a learner can be saved in a file of this name."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it.")
    if path.suffix not in _WEIGHTS:
        raise ValueError(f"A learner is saved in a .keras or .h5 file, which {path.name} is not.")

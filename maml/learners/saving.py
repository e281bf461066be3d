"""A trained learner as one file, and back, in any process; nothing is unpickled."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import tempfile
import zipfile

import h5py
import keras

from maml.core.serialization import find_classes
from maml.learners.base import MetaLearner
from mine import reporting

_CONFIG = "maml_learner"


def save(learner: MetaLearner, path: os.PathLike) -> None:
    """Writes a learner: its networks, head, regularizers, options and weights, no optimizers.

    Written to a temporary name and renamed, so a file is whole or not there.

    Args:
        learner: with weights; training makes them, and :meth:`MetaLearner.create_weights`.
        path: ending in ``.keras``, the archive of Keras, or ``.h5``, the weights in one HDF5 file
            with the rest in an attribute.

    Raises:
        ValueError: another ending, or a learner without weights.
    """
    path = pathlib.Path(path)
    check_path(path)
    if not learner.built:
        raise ValueError(
            "save expects a learner with weights: call fit, or create_weights, before."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".keras":
        with reporting.replacing(path, path.suffix) as temporary, _without_optimizers(learner):
            learner.save(temporary)
        return
    with _without_optimizers(learner):
        content = _weights(learner)
    with h5py.File(content, "a") as file:
        file.attrs[_CONFIG] = json.dumps(keras.saving.serialize_keras_object(learner))
    reporting.write(content.getbuffer(), path)


def save_weights(model: keras.Model, path: os.PathLike) -> None:
    """Writes all weights of a model, the optimizers' included, in one step.

    Args:
        model: with weights.
        path: ending in ``.weights.h5``; ``model.load_weights`` reads it.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    reporting.write(_weights(model).getbuffer(), path)


def _weights(model: keras.Model) -> io.BytesIO:
    """The file that ``model.save_weights`` writes, in memory.

    Keras takes paths only, and HDF5 can end the whole process when a disk is full.
    """
    content, on_disk = io.BytesIO(), h5py.File

    class InMemory(on_disk):
        def __init__(self, name, *args, **options):
            super().__init__(content if name == target else name, *args, **options)

    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder, "model.weights.h5")  # Nothing is written there.
        h5py.File = InMemory
        try:
            model.save_weights(target)
        finally:
            h5py.File = on_disk
    return content


@contextlib.contextmanager
def _without_optimizers(learner: MetaLearner):
    """Without it Keras would write the optimizers' state, twice the size of the learner."""
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


_SUFFIXES = (".keras", ".h5")


def load(path: os.PathLike) -> MetaLearner:
    """Reads what :func:`save` wrote. Compile the learner anew to train it on.

    Classes of one's own must be imported or defined before, see :func:`maml.import_files`. Those of
    a notebook are found by their names where a script defines them too.

    Args:
        path: of the file.

    Returns:
        A learner with the same predictions.

    Raises:
        ValueError: the file does not exist, is damaged, holds no learner, or one whose class is not
            defined.
    """
    path = pathlib.Path(path)
    check_path(path)
    if not path.is_file():
        raise ValueError(f"Cannot load a learner from {path}: expected an existing file.")
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        raise ValueError(f"Cannot load a learner from {path}: not a valid .keras archive.")
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read("config.json"))
            learner = keras.saving.load_model(path, find_classes(config), compile=False)
        else:
            with h5py.File(path) as file:
                config = json.loads(file.attrs[_CONFIG])
            with keras.saving.custom_object_scope(find_classes(config)):
                learner = keras.saving.deserialize_keras_object(config)
            # Keras tells the formats of weights apart by their names.
            with tempfile.TemporaryDirectory() as folder:
                named = shutil.copy(path, pathlib.Path(folder) / "learner.weights.h5")
                learner.load_weights(named)
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"Cannot load a learner from {path}: the file is damaged, or a class in it is not "
            f"defined here ({reason}). Import or define the class before, see maml.import_files."
        ) from error
    if not isinstance(learner, MetaLearner):
        raise ValueError(
            f"Cannot load a learner from {path}: expected a maml.MetaLearner; received a "
            f"{type(learner).__name__}."
        )
    return learner


def check_path(path: pathlib.Path) -> None:
    """Raises ValueError unless a learner can be saved in a file of this name."""
    if path.is_dir():
        raise ValueError(f"Invalid value for `path`: expected a file; received the folder {path}.")
    if path.suffix not in _SUFFIXES:
        raise ValueError(
            f"Invalid value for `path`: expected a file ending in .keras or .h5; received "
            f"{path.name}."
        )

"""A trained learner as one file, and back, in any process; nothing is unpickled."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import struct
import tempfile
import zipfile
import zlib

import h5py
import keras
import numpy as np

from maml.core.serialization import LIBRARY, find_classes, unknown_classes
from maml.learners.base import MetaLearner
from mine import reporting
from mine.reporting.words import reason

_CONFIG = "maml_learner"

LARGE = 1_000_000
"""A width of a layer from which on a file is expected to hold as many bytes."""


def save(learner: MetaLearner, path: os.PathLike) -> None:
    """Writes a learner: its networks, head, regularizers, options and weights, no optimizers.

    Written to a temporary name and renamed, so a file is whole or not there.

    Args:
        learner: with weights; training makes them, and :meth:`MetaLearner.create_weights`.
        path: ending in ``.keras``, the archive of Keras, or ``.h5``, the weights in one HDF5 file
            with the rest in an attribute, and its checksum behind it.

    Raises:
        ValueError: another ending, or a learner without weights.
        FloatingPointError: a weight is not finite.
    """
    path = pathlib.Path(path)
    check_path(path)
    if not learner.built:
        raise ValueError(
            "save expects a learner with weights: call fit, or create_weights, before."
        )
    check_weights(learner, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".keras":
        with reporting.replacing(path, path.suffix) as temporary, _without_optimizers(learner):
            learner.save(temporary)
        return
    with _without_optimizers(learner):
        content = weights_file(learner)
    with h5py.File(content, "a") as file:
        file.attrs[_CONFIG] = json.dumps(keras.saving.serialize_keras_object(learner))
    reporting.write(reporting.sealed(content.getvalue()), path)


def check_weights(model: keras.Model, path: os.PathLike) -> None:
    """Refuses to save weights that are not finite: whatever is made from them is not, either.

    Args:
        model: whose variables are to be saved.
        path: of the file, for the message.

    Raises:
        FloatingPointError: a weight is NaN or infinite; the message names it.
    """
    for variable in model.variables:
        value = keras.ops.convert_to_numpy(variable)
        if not np.issubdtype(value.dtype, np.inexact):
            continue
        # What is not trained may be infinite: the logarithm of a sum of nothing.
        wrong = ~np.isfinite(value) if variable.trainable else np.isnan(value)
        if wrong.any():
            raise FloatingPointError(
                f"Cannot save weights in {path}: expected finite numbers; received "
                f"{value[wrong][0]} in {variable.path}. Training has diverged: lower the learning "
                "rates, or train on data of a smaller scale."
            )


def weights_file(model: keras.Model) -> io.BytesIO:
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
    _check_whole(path)
    config = None
    try:
        config = _read_config(path)
        _check_sizes(config, path.stat().st_size)
        learner = (_read_archive if path.suffix == ".keras" else _read_hdf5)(path, config)
    except Exception as error:  # Keras raises whatever the arguments in a file lead to.
        raise ValueError(
            f"Cannot load a learner from {path}: {_why(error, config, path)}."
        ) from error
    if not isinstance(learner, MetaLearner):
        raise ValueError(
            f"Cannot load a learner from {path}: expected a maml.MetaLearner; received a "
            f"{type(learner).__name__}."
        )
    return learner


def _check_whole(path: pathlib.Path) -> None:
    """Refuses a file that is not as it was written, by its checksums."""
    try:
        if path.suffix == ".h5":
            reporting.check_seal(path, required=True)
            return
        with zipfile.ZipFile(path) as archive:
            # Keras does not compress: what unfolds was not written by it.
            if any(member.file_size > member.compress_size for member in archive.infolist()):
                raise ValueError("it is compressed")
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"{damaged} does not have the content of its checksum")
    except (
        OSError, ValueError, RuntimeError, EOFError, OverflowError, zlib.error, struct.error,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        kind = ".keras archive" if path.suffix == ".keras" else ".h5 file of this version"
        raise ValueError(
            f"Cannot load a learner from {path}: not a valid {kind} ({reason(error)}). Restore the "
            "file from a copy, or train the learner anew."
        ) from error


def _check_sizes(config, most: int, name: str = "") -> None:
    """Refuses a configuration that asks for more units than its file has bytes to fill them.

    Numbers below :data:`LARGE` may be counts that take no bytes, such as steps of a warm-up.
    """
    if isinstance(config, dict):
        for key, value in config.items():
            if "seed" not in key and key != "shared_object_id":
                _check_sizes(value, most, key)
    elif isinstance(config, list):
        for value in config:
            _check_sizes(value, most, name)
    elif isinstance(config, int) and config > max(most, LARGE):
        raise ValueError(f"{name} is {config}, more than a file of {most} bytes can hold")


def _why(error: Exception, config, path: pathlib.Path) -> str:
    """Why a file that is as it was written is no learner here, and what to do."""
    unknown = unknown_classes(config)
    own = [name for name in unknown if name.startswith(f"{LIBRARY}>")]
    if own:
        return (
            f"another version of {LIBRARY} wrote it, with {', '.join(own)}, which this one lacks; "
            "load it with that version, or train the learner anew"
        )
    if unknown:
        return (
            f"{', '.join(unknown)} is not defined here; import or define the class before, see "
            "maml.import_files"
        )
    return (
        f"its configuration makes none ({reason(error)}), as if it were damaged or of another "
        "version of Keras; restore the file from a copy, or train the learner anew"
    )


def _read_config(path: pathlib.Path):
    """What Keras makes the learner from."""
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return json.loads(file.attrs[_CONFIG])
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def _read_archive(path: pathlib.Path, config):
    return keras.saving.load_model(path, find_classes(config), compile=False)


def _read_hdf5(path: pathlib.Path, config):
    with keras.saving.custom_object_scope(find_classes(config)):
        learner = keras.saving.deserialize_keras_object(config)
    # Keras tells the formats of weights apart by their names.
    with tempfile.TemporaryDirectory() as folder:
        named = shutil.copy(path, pathlib.Path(folder) / "learner.weights.h5")
        learner.load_weights(named)
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

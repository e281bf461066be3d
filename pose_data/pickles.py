"""Pickles of arrays and numbers: written for every version of NumPy, and read safely.

A pickle is a program. `load` only runs instructions that build lists, numbers and arrays; it reads
pickles of Python 2 and NumPy 1 too, as projects of TensorFlow 1 wrote them.
"""

import io
import pathlib
import pickle
import pickletools
import re
import struct

import numpy as np

from mine import reporting

# Native bytes (a protocol 2 pickle of images is half as large again), and known since Python 3.4.
_PROTOCOL = 4
_DTYPE_CODE = re.compile(r"(b1|[iu][1248]|f[248])")


class PickleError(ValueError):
    """A file is not a pickle of arrays and numbers."""


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj):
        # NumPy's own form names a private module that moved between NumPy 1 and 2.
        if type(obj) is np.ndarray and not obj.dtype.hasobject:
            return np.ndarray, ((0,), obj.dtype), obj.__reduce__()[2]
        return NotImplemented


def dump(value, path: pathlib.Path | str) -> None:
    """Pickles nested lists of numbers and arrays, in one step and for NumPy 1 as well as 2.

    Raises:
        OSError: the file cannot be written.
    """
    with reporting.replacing(pathlib.Path(path)) as temporary, temporary.open("wb") as file:
        _Pickler(file, protocol=_PROTOCOL).dump(value)


class _Dtype:
    """Stands for numpy.dtype while a pickle is read."""

    def __init__(self, code, *_):
        if not isinstance(code, str) or not _DTYPE_CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"it holds an array of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder({"<": "<", ">": ">"}.get(state[1], "="))


class _Array:
    """Stands for numpy.ndarray while a pickle is read: NumPy's own code never sees its state."""

    def __init__(self, *_):
        self.array = None

    def __setstate__(self, state):
        _, shape, dtype, is_fortran, content = state
        if isinstance(content, str):  # Bytes, as Python 2 writes them.
            content = content.encode("latin1")
        array = np.frombuffer(content, dtype.dtype).reshape(shape, order="F" if is_fortran else "C")
        self.array = array.copy()  # Writable.


def _from_buffer(content, dtype, shape, order):
    stand_in = _Array()
    stand_in.__setstate__((1, shape, dtype, order == "F", content))
    return stand_in


def _scalar(dtype, content):
    stand_in = _from_buffer(_encode(content), dtype, (), "C")
    stand_in.array = stand_in.array[()]
    return stand_in


def _encode(text, _="latin1"):
    return text.encode("latin1") if isinstance(text, str) else text


_ALLOWED = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _Array
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def _resolve(value, done: dict[int, tuple[object, object]]):
    """Replaces stand-ins by what they stand for; each list and tuple is visited once."""
    if type(value) in (bool, int, float):
        return value
    if type(value) is _Array and value.array is not None:
        return value.array
    if type(value) not in (list, tuple):
        raise pickle.UnpicklingError(f"it holds a {type(value).__name__.lstrip('_')}")
    if id(value) not in done:
        # The original is kept beside the result: freed, its id could be given out again.
        done[id(value)] = type(value)(_resolve(item, done) for item in value), value
    return done[id(value)][0]


def _check_memo(content: bytes) -> None:
    """Raises ValueError where a pickle, in a few bytes, would make Python set up gigabytes."""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > len(content):
            raise ValueError(f"it numbers an object {argument}")


def load(path: pathlib.Path | str):
    """Reads a pickle of arrays, lists, tuples and numbers, and refuses any other.

    Args:
        path: the file; by any Python from 2.7 and any NumPy.

    Returns:
        The content; NumPy arrays and scalars are new and writable.

    Raises:
        PickleError: the file cannot be read, is damaged, or has other content.
    """
    path = pathlib.Path(path)
    remedy = "make it again by data_gen.py or mujoco_render.py"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PickleError(
            f"{path} cannot be read ({error.strerror}): choose the folder that holds it, "
            f"or {remedy}."
        ) from error
    try:
        _check_memo(content)
        return _resolve(_Unpickler(io.BytesIO(content), encoding="latin1").load(), {})
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        ImportError,
        OverflowError,
        MemoryError,
        RecursionError,
        struct.error,
    ) as error:
        raise PickleError(
            f"Cannot read {path}: expected a pickle of arrays and numbers; received another or a "
            f"damaged file ({error}); {remedy}."
        ) from error

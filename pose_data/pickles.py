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
from mine.reporting.words import reason

# Native bytes (a protocol 2 pickle of images is half as large again), and known since Python 3.4.
_PROTOCOL = 4
_UNFOLDED = 1 << 26
"""Bytes that the content of any pickle may have; that of a large one, ten times its own."""
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
    with reporting.replacing(pathlib.Path(path)) as temporary:
        write(value, temporary)


def write(value, path: pathlib.Path | str) -> None:
    """As :func:`dump`, but not in one step: for a temporary path.

    Raises:
        OSError: the file cannot be written.
    """
    with pathlib.Path(path).open("wb") as file:
        _Pickler(file, protocol=_PROTOCOL).dump(value)


class _Stand:
    """What a pickle may ask for, while it is read: it keeps its arguments, and makes nothing.

    So a pickle cannot unfold while it is read, and NumPy's own code never sees what it holds. A
    class, since what a pickle could change of a function would last.
    """

    def __init__(self, *arguments):
        self.arguments = arguments
        self.state: tuple = ()

    def __setstate__(self, state):
        self.state = state


class _Dtype(_Stand):
    """Stands for numpy.dtype."""

    def resolve(self) -> np.dtype:
        code = self.arguments[0]
        if not isinstance(code, str) or not _DTYPE_CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"it holds an array of type {code!r}")
        order = {"<": "<", ">": ">"}.get(self.state[1], "=") if self.state else "="
        return np.dtype(code).newbyteorder(order)


class _Bytes(_Stand):
    """Stands for bytes that are written as text."""

    def resolve(self) -> bytes:
        return _content(self.arguments[0])


class _Array(_Stand):
    """Stands for numpy.ndarray."""

    def resolve(self) -> np.ndarray:
        _, shape, dtype, is_fortran, content = self.state
        return _make(content, dtype, shape, "F" if is_fortran else "C")


class _Buffer(_Stand):
    """Stands for an array of protocol 5."""

    def resolve(self) -> np.ndarray:
        return _make(*self.arguments)


class _Scalar(_Stand):
    """Stands for a number of NumPy."""

    def resolve(self):
        dtype, content = self.arguments
        return _make(content, dtype, (), "C")[()]


def _content(of) -> bytes:
    """The bytes of an array; Python 2 writes them as text."""
    if isinstance(of, _Bytes):
        of = of.resolve()
    return of.encode("latin1") if isinstance(of, str) else bytes(of)


def _make(content, dtype: _Dtype, shape, order: str) -> np.ndarray:
    if not isinstance(dtype, _Dtype) or not isinstance(content, (str, bytes, bytearray, _Bytes)):
        raise pickle.UnpicklingError("it holds an array without a type or content")
    array = np.frombuffer(_content(content), dtype.resolve()).reshape(shape, order=order)
    return array.copy()  # Writable.


_ALLOWED = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Bytes,
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _Array
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _Scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _Buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


class _Resolver:
    """Replaces stand-ins by what they stand for; what a pickle names several times is made once.

    Args:
        limit: bytes that the content may have when each part is counted as often as it is named,
            as whoever makes one array of a list does.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self.done: dict[int, tuple[object, int, object]] = {}

    def __call__(self, value) -> tuple[object, int]:
        """What a value stands for, and its size in bytes."""
        if type(value) in (bool, int, float):
            if isinstance(value, int) and value.bit_length() > 64:
                raise pickle.UnpicklingError(f"it holds a number of {value.bit_length():,} bits")
            return value, 8
        if id(value) not in self.done:
            # The original is kept beside the result: freed, its id could be given out again.
            self.done[id(value)] = (*self._resolve(value), value)
        return self.done[id(value)][:2]

    def _resolve(self, value) -> tuple[object, int]:
        if isinstance(value, (_Array, _Buffer, _Scalar)):
            made = value.resolve()
            return made, self._checked(made.nbytes)
        if type(value) not in (list, tuple):
            raise pickle.UnpicklingError(f"it holds a {type(value).__name__.lstrip('_')}")
        items, size = [], 8
        for item in value:
            made, own = self(item)
            size = self._checked(size + own)
            items.append(made)
        return type(value)(items), size

    def _checked(self, size: int) -> int:
        if size > self.limit:
            raise pickle.UnpicklingError(f"it unfolds to more than {self.limit} bytes")
        return size


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
    remedy = "make it again by ./run.sh data (data_gen.py, mujoco_render.py)"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PickleError(
            f"{path} cannot be read ({error.strerror}): choose the folder that holds it, "
            f"or {remedy}."
        ) from error
    try:
        _check_memo(content)
        value = _Unpickler(io.BytesIO(content), encoding="latin1").load()
        return _Resolver(max(_UNFOLDED, 10 * len(content)))(value)[0]
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
            f"damaged file ({reason(error)}); {remedy}."
        ) from error

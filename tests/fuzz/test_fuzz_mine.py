"""Whatever samples and files hold: estimates are finite, or one sentence says why there is none.

FUZZ_SECONDS in the environment is about how long they take; 5 without it.
"""

import io
import warnings
import zipfile

import numpy as np
import pytest
from budget import fuzzed
from damage import damaged, npy, saved
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import mine
from mine.estimators import sample_files

N = 120

KINDS = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?"),
    arrays.complex_number_dtypes(),
    arrays.datetime64_dtypes(),
    arrays.unicode_string_dtypes(max_len=3),
)

COLUMNS = (
    lambda rng, n: rng.standard_normal(n),
    lambda rng, n: rng.integers(0, 3, n),
    lambda rng, n: np.round(rng.standard_normal(n), 1),
    lambda rng, n: rng.standard_cauchy(n),
    lambda rng, n: np.arange(n),
    lambda rng, n: rng.integers(-(2**62), 2**62, n),
    lambda rng, n: rng.random(n) < 0.02,
    lambda rng, n: np.where(np.arange(n) == 7, 7.0, 0.0),
    lambda rng, n: np.repeat(rng.standard_normal(n), 4)[:n],
    lambda rng, n: 10.0 ** rng.uniform(-290, 150, n),
)
"""Kinds of columns that samples are made of."""


@st.composite
def usual(draw):
    """Samples as they occur: some columns of some kinds, scaled and shifted, copied or masked."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.sampled_from([N] * 20 + [99]))
    kinds = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4))
    columns = [column(rng, n) for column in kinds]
    x = np.stack(columns, axis=1) if draw(st.booleans()) else columns[0]
    with np.errstate(over="ignore"):
        x = x * draw(st.sampled_from([1, 1, 1e-30, 1e150, -1]))
    x = x + draw(st.sampled_from([0, 0, 1e9, 1e17]))
    hidden = np.abs(x) > 2
    return draw(st.sampled_from([x] * 8 + [np.ma.masked_array(x), np.ma.masked_array(x, hidden)]))


@st.composite
def strange(draw):
    """Arrays of any type and shape."""
    kind = draw(KINDS)
    shape = draw(st.sampled_from([(N,), (N, 1), (N, 2), (N, 2, 1), (N, 0), (0,), (), (1, N)]))
    elements = draw(st.sampled_from([None, arrays.from_dtype(kind, allow_nan=False)]))
    return draw(arrays.arrays(kind, shape, elements=elements, fill=None))


def outcome(call, *arguments, **options):
    """What a call gives, or None if it refuses in one sentence of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "overflow", RuntimeWarning)
        try:
            return call(*arguments, **options)
        except ValueError as error:
            words = str(error)
            assert "expected" in words and "received" in words and "\n" not in words, words
            return None


def check_estimate(x, y, z, bound, preprocess):
    found = outcome(mine.estimate, x, y, z, bound=bound, preprocess=preprocess)
    if found is not None:
        assert np.isfinite([found.nats, found.interval[0], *found.bound_interval]).all()
        assert found.interval[0] <= found.nats <= found.interval[1]
        assert found.samples == len(x)


def test_estimates_are_finite_or_refused():
    samples = st.integers(0, 9).flatmap(lambda kind: usual() if kind else strange())
    fuzzed(
        30,
        x=samples,
        y=samples,
        z=st.one_of(st.none(), samples),
        bound=st.sampled_from(["ksg", "gaussian"]),
        preprocess=st.sampled_from(["rank", "standard", "none"]),
    )(check_estimate)()


ARRAY = np.random.default_rng(0).standard_normal((7, 3))
SEEDS = [saved(np.save, ARRAY)]
SEEDS += [saved(save, x=ARRAY, y=ARRAY) for save in (np.savez, np.savez_compressed)]
TABLES = [b"x,y\n1,2\n3.5,-4\n", b"\xef\xbb\xbfa;b\r\n1,5;2\r\n3;1e3\r\n", b"1 2\n# no\n3 4\n"]


@st.composite
def archive(draw):
    """An archive of whole bytes, whose members are odd arrays."""
    file, method = io.BytesIO(), draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    names = st.sampled_from(["x.npy", "y.npy", "z.npy", "é.npy", "x", "x.txt", ".npy"])
    with zipfile.ZipFile(file, "w", method) as made:
        for name in draw(st.lists(names, unique=True, max_size=3)):
            made.writestr(name, draw(MEMBERS))
    return file.getvalue()


MEMBERS = st.one_of(npy(), st.just(SEEDS[0]), damaged(SEEDS[:1]))
WORDS = st.sampled_from(
    ["1", "-2.5", "nan", "", " ", "x", "1e400", "9" * 400, '"', "#", "1,5", "\0"]
)


@st.composite
def table(draw):
    """Lines of as many words as one another, or almost."""
    gap = draw(st.sampled_from([",", ";", "\t", " "]))
    width = draw(st.integers(1, 3))
    row = st.lists(WORDS, min_size=width, max_size=width + draw(st.sampled_from([0, 0, 0, 1])))
    head = [["a", "b", "c"][:width]] * draw(st.integers(0, 1))
    rows = draw(st.lists(st.one_of(row, st.just(["1"] * width)), max_size=6))
    return draw(st.sampled_from(["\n", "\r\n"])).join(map(gap.join, head + rows)).encode()


FILES = {
    ".npy": st.one_of(damaged(SEEDS[:1]), npy()),
    ".npz": st.one_of(damaged(SEEDS[1:]), archive()),
    ".csv": st.one_of(damaged(TABLES), table()),
}


@pytest.mark.parametrize("suffix", FILES)
def test_files_are_read_or_refused(suffix, tmp_path):
    path = tmp_path / f"samples{suffix}"

    def check(content):
        path.write_bytes(content)
        found = outcome(sample_files.read, path)
        for array in found.values() if isinstance(found, dict) else [found]:
            assert array is None or isinstance(array, np.ndarray)

    fuzzed(100, content=FILES[suffix])(check)()

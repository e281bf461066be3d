"""What holds numbers is taken as it is, or refused with the reason: no value is lost unseen."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import mine
from mine.estimators import preprocessing
from mine.estimators.conversion import to_float64

N = 3000
X, NOISE = np.random.default_rng(0).standard_normal((2, N))
Y = 0.9 * X + np.sqrt(0.19) * NOISE
TRUTH = -0.5 * np.log(0.19)
MASK = np.random.default_rng(1).random(N) < 0.3


def estimate(x, y=Y, **options):
    return mine.estimate(x, y, bound="ksg", **options).nats


def masked(values=X):
    return np.ma.masked_array(np.where(MASK, -9999.0, values), mask=MASK)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (masked(), f"masked ones in {MASK.sum()} of {N:,} samples, the first in sample"),
        (
            np.ma.stack([masked(), masked()], axis=1),
            f"masked ones in {MASK.sum()} of {N:,} samples",
        ),
        (list(np.ma.stack([masked(), masked()], axis=1)), "masked ones in"),
        (np.ma.masked, "masked ones in 1 of 1 sample"),
        (pd.array([1, None] * 1500, dtype="Int64"), "object values|NaN"),
        (pd.Series([1.5, None] * 1500), "NaN or infinite values in 1500 of 3,000"),
        (1_700_000_000_000_000_000 + np.round(50 * X).astype(np.int64), "subtract a constant"),
        (np.uint64(2**64 - 5000) + np.arange(N, dtype=np.uint64), "3000 different uint64 values"),
        (np.datetime64("2024-01-01", "ns") + np.arange(N), "give the time since a date"),
        (pd.Series(pd.date_range("2024-01-01", periods=N)), "give the time since a date"),
        (np.arange(N).astype("m8[s]"), "divide it by a unit"),
        (np.where(X > 0, "red", "blue"), "for categories one number each"),
        (
            pd.Series(np.where(X > 0, "red", "blue"), dtype="category"),
            "text values .Series.; give numbers, and for categories",
        ),
        (np.where(X > 0, b"r", b"b"), "for categories one number each"),
        (X + 1j, "real and imaginary parts"),
        (X.astype(object), "by .to_numpy"),
        ([2**70 + i for i in range(N)], "received object values"),
        (sparse.csr_array(X[:, None]), "csr_array.*toarray"),
        (pd.DataFrame({"a": X, "b": np.where(X > 0, "r", "b")}), "received text values"),
        (np.array(list(zip(X, Y, strict=True)), dtype=[("a", "f8"), ("b", "f8")]), "convert them"),
        ([[1.0, 2.0], [3.0]] * 1500, "a list that is not one"),
        ({"a": X}, r"object values \(dict\)"),
        ((value for value in X), r"object values \(generator\)"),
        (np.where(MASK, np.inf, X), "NaN or infinite"),
        (np.longdouble(1e400) if np.finfo(np.longdouble).max > 1e308 else np.inf, "infinite"),
        ("tea", "for categories one number each"),
        (None, "received None"),
        (np.full(N, 3.0), "which is 3 in every sample"),
        ([], "expected at least 100|the same in all arrays"),
        (X[:1], "the same in all arrays; received x has 1"),
    ],
)
def test_what_holds_no_numbers_or_hides_some_is_refused_in_one_sentence(value, told):
    with pytest.raises(ValueError, match=told) as refused:
        estimate(value)
    assert "`x`" in str(refused.value) or "x has" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        np.ma.masked_array(X),
        list(X),
        tuple(X[:, None]),
        pd.Series(X, index=np.arange(N)[::-1]),
        pd.DataFrame(np.stack([X, X], axis=1), columns=["a", "a"]),
        pd.array(X, dtype="Float64"),
        X.astype(">f8"),
        X.astype(np.longdouble),
        np.asfortranarray(np.stack([X, X], axis=1)),
        np.repeat(X, 2)[::2],
    ],
)
def test_whatever_holds_numbers_is_taken_alike(value):
    assert estimate(value) == estimate(X)


def test_tables_of_the_same_rows_in_another_order_are_refused():
    table = pd.DataFrame({"x": X, "y": Y}).sample(frac=1, random_state=0)
    assert estimate(table.x, table.y) == pytest.approx(TRUTH, abs=0.03)
    with pytest.raises(ValueError, match=r"same index in another order; use y.loc\[x.index\]"):
        estimate(table.x, table.y.sort_index())
    # Other labels, or none: samples are paired by their places.
    assert estimate(table.x, table.y.to_numpy()) == estimate(table.x, table.y)
    assert estimate(table.x, table.y.set_axis(np.arange(5, N + 5))) == estimate(table.x, table.y)


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_large_integers_are_right_once_a_constant_is_subtracted(kind):
    time = np.array(1_700_000_000_000_000_000 + np.round(50 * X).astype(np.int64), dtype=kind)
    assert estimate(time - time.min()) == pytest.approx(TRUTH, abs=0.03)
    assert estimate(2**40 * (time - time.min())) == pytest.approx(TRUTH, abs=0.03)


def test_booleans_and_small_integers_are_numbers():
    # I of the sign of x and of y, by the orthant probability.
    agree = 0.5 + np.arcsin(0.9) / np.pi
    nats = np.log(2) + agree * np.log(agree) + (1 - agree) * np.log(1 - agree)
    for kind in (bool, np.int8, np.uint8, np.float16):
        assert estimate((X > 0).astype(kind), Y > 0) == pytest.approx(nats, abs=0.03)


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(N),
        np.arange(N) + 1.0,
        np.random.default_rng(2).permutation(N),
        np.random.default_rng(3).integers(0, 2**52, N),
    ],
)
def test_an_index_or_ids_in_both_arrays_is_refused(ids):
    with pytest.raises(ValueError, match="column 0, .* as an index or ids do"):
        estimate(np.stack([ids, 1000 * X], axis=1).astype(np.int64), np.stack([ids, Y], axis=1))
    shifted = ids - ids[0]
    with pytest.raises(ValueError, match="column 1, .* as column 0 of `x`; remove it"):
        estimate(ids, np.stack([Y, shifted], axis=1))
    # In one array they do no harm, and it may be the time.
    assert abs(estimate(ids, NOISE)) < 0.05


def test_labels_in_both_arrays_are_no_ids():
    label = np.arange(N) % 3
    assert estimate(label, label) == pytest.approx(np.log(3), abs=0.01)


def test_differences_too_small_for_a_critic_are_refused():
    for far in (X + 1e6, 1 + 1e-9 * X, X - 1e12):
        with pytest.raises(ValueError, match="varies by .* use preprocess='rank' or 'standard'"):
            mine.estimate(far, Y, preprocess="none", steps=50)
    near = preprocessing.single("x", (X + 100)[:, None])
    assert near.dtype == np.float32


def test_draws_of_a_model_are_checked_as_samples_are():
    others = np.ma.masked_array(np.ones((N, 2, 1)), mask=np.zeros((N, 2, 1)))
    others[5] = np.ma.masked
    with pytest.raises(ValueError, match="`others`: .* masked ones in 1 of 3,000"):
        mine.direct(X, Y, NOISE, others)


def test_numbers_are_copied_never_changed():
    given = X.copy()
    found = to_float64("x", given)
    found += 1
    np.testing.assert_array_equal(given, X)

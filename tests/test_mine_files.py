"""Files of samples: tables are read alike or refused; damage is said in one sentence."""

import io
import pathlib
import zipfile

import numpy as np
import pytest

import mine
from mine.estimators import sample_files

CASES = pathlib.Path(__file__).parents[2] / "shared" / "cases"

TABLE = np.array([[0.5, -1.25], [2.0, 3.0], [1e-3, 7.0]])


@pytest.mark.parametrize(
    "text",
    [
        "0.5,-1.25\n2,3\n.001,7\n",
        "x,y\n0.5,-1.25\n2,3\n1e-3,7\n",
        "\ufeffx,y\r\n0.5,-1.25\r\n2,3\r\n1e-3,7\r\n",
        "x,y\r0.5,-1.25\r2,3\r1e-3,7\r",
        '"x","y"\n"0.5","-1.25"\n"2","3"\n"1e-3","7"\n',
        "x; y\n0,5; -1,25\n2; 3\n0,001; 7\n",
        "x\ty\n0.5\t-1.25\n2\t3\n0,001\t7\n",
        "5e-1 -1.25\n2.0  3.0\n\n 1e-3 7\n\n",
        "# made by hand\nx , y\n0.5 , -1.25\n# comment, within\n2,3\n1e-3,7",
        "0,1\n0.5,-1.25\n2,3\n1e-3,7\n",
        "x,x\n0.5,-1.25\n2,3\n1e-3,7\n",
        "größe,y\n0.5,-1.25\n2,3\n1e-3,7\n",
        "sep=;\n0,5;-1,25\n2;3\n0,001;7\n",
        "sep=|\nx|y\n0.5|-1.25\n2|3\n0.001|7\n",
        "#N/AX is a comment\n#REF\n0.5,-1.25\n2,3\n1e-3,7\n",
    ],
    ids=[
        "plain", "names", "spreadsheet", "old-line-ends", "quoted", "semicolons", "tabs", "spaces",
        "comments", "numbered-columns", "equal-names", "latin1", "sep",
        "sep-bar", "comments-like-faults",
    ],
)  # fmt: skip
def test_tables_of_all_kinds_are_read_alike(text, tmp_path):
    path = tmp_path / "samples.csv"
    path.write_bytes(text.encode("utf-8" if "\ufeff" in text else "latin1"))
    np.testing.assert_array_equal(sample_files.read(path), TABLE)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (",x\n0,0.5\n1,0.7\n", "received none for column 1, as an index has"),
        ("Unnamed: 0,x\n0,0.5\n1,0.7\n", "received none for column 1, as an index has"),
        (",0,1\n0,0.5,1.5\n1,0.7,3.5\n", "received none for column 1, as an index has"),
        ('"x"\n"1",0.5\n"2",0.7\n', "a name for each of 2 columns; received 1"),
        ("x,y,\n0.5,1.5,\n", "received none for column 3"),
        ("x\n0,5\n1,25\n", "write no decimal commas"),
        (
            "0,5\n1,25\n0,0625\n",
            "not decimal commas; write points, or separate values by semicolons; received '0,0625'",
        ),
        (
            "1,5\n-0,25\n",
            "not decimal commas; write points, or separate values by semicolons; received '-0,25'",
        ),
        ("1,234,007\n", "not decimal commas"),
        ("0.5,1.5\n0.7\n", "2 values in each line, not 1; received '0.7'"),
        ("0.5,1.5\n0.7,\n", "expected numbers, not ''; received '0.7,'"),
        ("0.5,\n0.7,1\n", "expected numbers, not ''; received '0.5,'"),
        ("x,y\n0.5,red\n", "expected numbers, not 'red'; received '0.5,red'"),
        ("x,day\n0.5,2024-01-01\n", "expected numbers, not '2024-01-01'"),
        ("x,flag\n0.5,True\n", "expected numbers, not 'True'"),
        ("1.234,5;2\n3;4\n", "expected numbers, not '1.234.5'"),
        ('0.5,"1.5\n0.7,3\n', "expected numbers, not '0.7,3'"),
        ("2\n" + "1x" * 2**18, "expected numbers, not '1x1x"),
        ("1 " * 2**20, "at most 1,048,576 characters; received 2,097,151"),
        ("", "expected lines of numbers; received none"),
        ("# nothing\n\n", "expected lines of numbers; received none"),
        ("x\n", "expected lines of numbers; received none"),
        ("x,y\n1,2\n#N/A,2\n2,3\n", "expected numbers, not '#N/A'"),
        ("x,y\n1,2\n2,3\n#DIV/0!,2\n", "expected numbers, not '#DIV/0!'"),
        ("#NAME?;1\n2;3\n", "expected numbers, not '#NAME?'"),
        ("#N/A\n1\n2\n", "expected numbers, not '#N/A'"),
        (
            "t,y\n1700000000000000001,1\n1700000000000000002,2\n3,4\n",
            "received column 1, whose 2 different whole numbers from 10^15 on become 1",
        ),
        ("1 -9007199254740993\n2 -9007199254740992\n", "column 2, whose 2 different whole"),
        ("0.5\n1\0\n", "received binary content"),
        ("1\n" * (2**20 + 1), "1,048,576 lines; received more; save the samples as .npy"),
    ],
)
def test_tables_that_would_be_misread_are_refused(text, told, tmp_path):
    path = tmp_path / "samples.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match="samples.csv: expected") as refused:
        sample_files.read(path)
    assert told in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "line"), [("x\n0.5\n\n2\n7\n", 3), ("1\n2\n\n\n3\n\n4\n\n", 3), ("1\n2\n3\n\n4\n", 4)]
)
def test_an_empty_line_in_a_column_is_a_missing_value(text, line, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"expected a number for each sample.* in line {line};"):
        sample_files.read(path)


@pytest.mark.parametrize("text", ["\nx\n\n1\n2\n\n\n", "x\n\n1\n\n2\n\n", "# a\n\n1\n# b\n2\n"])
def test_empty_lines_around_the_samples_of_a_column_are_none(text, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(text)
    np.testing.assert_array_equal(sample_files.read(path), [[1.0], [2.0]])


def test_tables_in_utf16_and_huge_ones_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "samples.csv"
    path.write_text("x\n0.5\n", encoding="utf-16")
    with pytest.raises(ValueError, match="in UTF-8, .* received binary content"):
        sample_files.read(path)
    monkeypatch.setattr(sample_files, "MAX_TEXT_BYTES", 10)
    with pytest.raises(ValueError, match="at most 10 bytes .* save the samples as .npy"):
        sample_files.read(path)


def test_index_of_the_shared_case_is_refused():
    path = CASES / "pandas_index.csv"
    if not path.exists():
        pytest.skip("The cases are not there: ../shared/cases.")
    with pytest.raises(ValueError, match="as an index has"):
        sample_files.read(path)


def saved(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def header(shape, kind="<f8"):
    """A .npy file that claims a shape, and holds a little."""
    file = io.BytesIO()
    claim = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, claim)
    return file.getvalue() + bytes(64)


def archive(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members.items():
            written.writestr(f"{name}.npy", content)
    return file.getvalue()


def damaged(content):
    return content[:60] + bytes(byte ^ 255 for byte in content[60:90]) + content[90:]


def encrypted(content):
    return content.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"tea",
        saved(np.ones(3))[:-4],
        saved(np.ones(3))[:50],
        saved(np.array([None]), allow_pickle=True),
        header((10**12,)),
        header((2**62, 2**62)),
        header((-1,)),
        header((10**6,), "|V2147483647"),
        header((10**9, 8), "|u1"),
        saved(np.ones(3)).replace(b"shape", b"'tea("),
        archive(x=saved(np.ones(200))[:-4]),
        archive(x=header((10**12,))),
        archive(x=b"tea"),
        archive(x=saved(np.array([None]), allow_pickle=True)),
        archive(x=saved(np.zeros(2**20, "u1")))[:-30],
        damaged(archive(x=saved(np.random.default_rng(0).random(50)))),
        encrypted(archive(x=saved(np.ones(200)))),
    ],
)
def test_damaged_arrays_are_refused_in_one_sentence(content, tmp_path):
    for suffix in (".npy", ".npz"):
        path = tmp_path / f"samples{suffix}"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="expected arrays of numbers that NumPy") as refused:
            sample_files.read(path)
        assert "\n" not in str(refused.value)


def test_arrays_that_unfold_beyond_measure_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sample_files, "MAX_BYTES", 10_000)
    for name, content in (
        ("bomb.npz", archive(x=saved(np.zeros(10**6)))),
        ("long.npy", saved(np.zeros(10**4))),
        ("bytes.npy", saved(np.zeros(9000, "u1"))),
        ("parts.npz", archive(x=saved(np.zeros(900, "u1")), y=saved(np.zeros(900, "u1")))),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="are the most"):
            sample_files.read(tmp_path / name)


def test_pipes_are_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "samples.csv")
    with pytest.raises(ValueError, match="expected a regular file"):
        sample_files.read(tmp_path / "samples.csv")


def test_numbers_of_any_layout_are_read(tmp_path):
    x = np.arange(6.0).reshape(2, 3)
    for index, array in enumerate((x, x.T, x.astype(">f4"), x.astype("f2"), x > 2, x.astype("u8"))):
        np.save(tmp_path / f"{index}.npy", array)
        np.testing.assert_array_equal(sample_files.read(tmp_path / f"{index}.npy"), array)
    np.savez_compressed(tmp_path / "several.npz", x=x, y=x > 2)
    assert set(sample_files.read(tmp_path / "several.npz")) == {"x", "y"}


@pytest.mark.parametrize("start", [0, 1, 250])
@pytest.mark.parametrize("place", [0, 2])
def test_an_index_in_a_table_without_names_is_refused(start, place, tmp_path):
    values = np.random.default_rng(0).normal(size=[120, 2])
    table = np.insert(values, place, np.arange(start, start + 120), axis=1)
    np.savetxt(tmp_path / "a.csv", table, "%.6g", ",")
    with pytest.raises(ValueError, match=f"column {place + 1}, .* numbers the lines as an index"):
        sample_files.read(tmp_path / "a.csv")
    np.savetxt(tmp_path / "b.csv", table, "%.6g", ",", header="t,u,v", comments="")
    np.testing.assert_allclose(sample_files.read(tmp_path / "b.csv"), table, rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_column_that_numbers_the_samples_is_told_beside_the_estimate():
    rng = np.random.default_rng(0)
    x, y, index = rng.normal(size=[150, 2]), rng.normal(size=150), np.arange(150.0)
    for bound in ("ksg", "gaussian"):
        assert not mine.estimate(x, y, bound=bound).warnings
        for given, told in (
            ((np.column_stack([x, index + 7]), y), "Column 2 of `x` numbers the samples, 7, 8, 9,"),
            ((x, index), "Column 0 of `y` numbers the samples, 0, 1, 2,"),
        ):
            (warning,) = mine.estimate(*given, bound=bound).warnings
            assert told in warning
    assert not mine.estimate(rng.permutation(index), y, bound="ksg").warnings
    *others, warning = mine.estimate(x, np.column_stack([y, x[:, 1]]), bound="ksg").warnings
    assert all("no upper end" in other for other in others)
    assert "Column 1 of `y` is column 1 of `x`: the information of numbers" in warning
    labels = rng.integers(0, 3, 150)
    assert not mine.estimate(labels, labels, bound="ksg").warnings
    assert not mine.estimate(index / 150, y, bound="ksg").warnings

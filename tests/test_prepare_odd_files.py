"""`maml.tasks.prepare` on folders as they are: what cannot be used is named, the rest goes on."""

import os
import pathlib
import re
import zipfile

import commands
import numpy as np
import pytest
from PIL import Image

import maml
from maml.tasks import prepare
from maml.tasks.image_file import ImageFile
from mine.reporting.inputs.skipped import Skipped

ROOT = pathlib.Path(__file__).parent.parent
CASES = ROOT.parent / "shared/cases/images"


def picture(path, number=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def classes(folder, names="abc", per_class=2):
    for place, name in enumerate(names):
        for number in range(per_class):
            picture(folder / name / f"{number}.png", 10 * place + number)
    return folder


def run(source, output, dataset="folder"):
    arguments = (f"--dataset={dataset}", f"--source={source}", f"--output={output}")
    return commands.run("maml.tasks.prepare", *arguments, cwd=ROOT)


def prepared(folder):
    skipped = Skipped()
    return prepare.prepare(prepare.any_folder(folder, skipped), 2, verbose=False), skipped


def is_whole(content, names="abc", per_class=2):
    return content.names.tolist() == list(names) and set(content.counts) == {per_class}


def test_bad_files_are_named_and_the_others_written_with_exit_code_1(tmp_path):
    folder = classes(tmp_path / "in")
    (folder / "a/cut.png").write_bytes((folder / "a/0.png").read_bytes()[:90])
    Image.new("L", (9, 9), 9).save(folder / "b/blank.png")
    os.mkfifo(folder / "b/pipe.png")
    os.mkfifo(folder / "pipe.zip")
    (folder / "c/gone.png").symlink_to(tmp_path / "gone")
    (folder / "c/loop.png").symlink_to(folder / "c/loop.png")
    (folder / "d").mkdir()
    (folder / "d/text.png").write_text("text")
    (folder / "c" / os.fsdecode(b"\xff\n.png")).write_text("text")
    (folder / "c/notes.txt").write_text("text")
    (folder / ".hidden").mkdir()
    process = run(folder, tmp_path / "out.npz")
    assert process.returncode == 1 and "Traceback" not in process.stderr, process.stderr
    for named in (
        "a/cut.png is not a readable image", "b/blank.png has no contrast",
        "b/pipe.png is not a regular file", "pipe.zip is not a regular file",
        "c/gone.png is not a regular file", "c/loop.png is not a regular file",
        "d/text.png is not a readable image", r"c/\udcff\n.png is not a readable image",
        "of other kinds than", "c/notes.txt", "Left out 1, hidden or of the system: .hidden",
        f"Error: 8 files left out of {tmp_path / 'out.npz'}",
    ):  # fmt: skip
        assert named in process.stderr, named
    assert is_whole(ImageFile.load(tmp_path / "out.npz"))


def test_what_nobody_asked_for_is_counted_without_an_error(tmp_path):
    folder = classes(tmp_path / "in")
    picture(folder / ".ipynb_checkpoints/0.png")
    picture(folder / "a/.thumbnails/0.png")
    picture(folder / "b/@eaDir/0.png")
    (folder / "a/0.heic").write_bytes(b"0")
    process = run(folder, tmp_path / "out.npz")
    assert process.returncode == 0, process.stderr
    assert "Left out 3, hidden or of the system: .ipynb_checkpoints, a/.thum" in process.stderr
    assert "Left out 1, of other kinds than" in process.stderr and "a/0.heic" in process.stderr
    assert is_whole(ImageFile.load(tmp_path / "out.npz"))


def test_an_output_beside_the_classes_leaves_nothing_out(tmp_path):
    folder = classes(tmp_path / "in")
    process = run(folder, folder / "out.npz")
    assert process.returncode == 0 and "Left out" not in process.stderr, process.stderr
    assert is_whole(ImageFile.load(folder / "out.npz"))


def test_all_kinds_of_images_are_read_from_a_folder(tmp_path):
    for number, ending in enumerate(("png", "jpg", "webp", "tif", "TIFF", "bmp", "gif", "ppm")):
        picture(tmp_path / "a" / f"{number}.{ending}", number)
    content, skipped = prepared(tmp_path)
    assert content.counts.tolist() == [8] and not skipped.lines()


def test_images_in_no_class_do_not_end_the_others(tmp_path):
    folder = classes(tmp_path / "in")
    picture(folder / "logo.png")
    content, skipped = prepared(folder)
    assert is_whole(content)
    assert skipped.damaged == {"is in no folder of a class: move it into one": ["logo.png"]}
    split = tmp_path / "split"
    for top, names in {"train": "abc", "val": "d", "test": "e"}.items():
        classes(split / top, names)
    picture(split / "train/logo.png")
    content, skipped = prepared(split)
    assert is_whole(content, ["test/e", "train/a", "train/b", "train/c", "val/d"])
    assert list(skipped.damaged.values()) == [["train/logo.png"]]
    # Without class folders in them they are classes of these names.
    assert is_whole(prepared(classes(tmp_path / "own", ["test", "train"]))[0], ["test", "train"])


def test_linked_folders_are_read_once(tmp_path):
    folder = classes(tmp_path / "in")
    (folder / "a/up").symlink_to(folder)
    (folder / "0 the class b").symlink_to(folder / "b")
    (folder / "round").symlink_to(folder / "round")
    content, skipped = prepared(folder)
    assert is_whole(content)
    assert skipped.damaged == {"is not a regular file, or out of reach": [str(folder / "round")]}
    assert skipped.others == {"links to folders that are read already": ["0 the class b", "a/up"]}
    classes(tmp_path / "elsewhere", "d")
    (folder / "d").symlink_to(tmp_path / "elsewhere/d")
    assert is_whole(prepared(folder)[0], "abcd")


def test_a_class_of_which_nothing_can_be_read_is_left_out_of_all(tmp_path):
    folder = classes(tmp_path, "abcdefg")
    for number in range(2):
        (folder / "c" / f"{number}.png").write_text("text")
    content, skipped = prepared(folder)
    assert is_whole(content, "abdefg") and skipped.num_damaged() == 2
    assert content.splits["classes"].shape == (6,) and len(content.images) == 12
    for path in folder.glob("*/*.png"):
        path.write_text("text")
    with pytest.raises(ValueError, match="None of the images can be read: a/0.png is not a read"):
        prepared(folder)


def test_folders_that_cannot_be_listed_are_named(tmp_path, monkeypatch):
    folder, listdir = classes(tmp_path), os.listdir

    def refuse(path):
        if pathlib.Path(path).name == "b":
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    content, skipped = prepared(folder)
    assert is_whole(content, "ac")
    assert skipped.damaged == {"cannot be read (Permission denied)": [str(folder / "b")]}


def test_names_of_any_bytes_and_of_full_length_are_kept(tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    names = [odd, "two\nlines", "x" * 250]
    for place, name in enumerate(names):
        for number in range(2):
            picture(tmp_path / "in" / name / f"{number}.png", 10 * place + number)
    picture(tmp_path / "in" / odd / ("y" * 246 + ".png"), 9)
    process = run(tmp_path / "in", tmp_path / "out.npz")
    assert process.returncode == 0, process.stderr
    content = ImageFile.load(tmp_path / "out.npz")
    assert content.names.tolist() == [r"caf\udce9", r"two\nlines", "x" * 250]
    assert content.counts.tolist() == [3, 2, 2]


def test_image_folder_warns_of_what_it_leaves_out(tmp_path):
    folder = classes(tmp_path, "abcdefghijklmno", 4)
    (folder / "a/9.png").write_text("text")
    with pytest.warns(UserWarning, match="Left out 1 file of .*: a/9.png is not a readable"):
        maml.image_folder(folder, 2, 1, 2, size=8)


def test_splits_below_the_top_are_refused_and_classes_of_such_names_are_not(tmp_path):
    folder = classes(tmp_path / "in/set/train")
    classes(tmp_path / "in/set/val")
    with pytest.raises(ValueError, match="train and val in set, .* give .*in/set as the folder"):
        prepared(tmp_path / "in")
    vehicles = tmp_path / "more"
    folder.rename(vehicles)  # Of a class that is called train, beside others.
    (vehicles / "a").rename(vehicles / "train")
    (tmp_path / "other").mkdir()
    vehicles.rename(tmp_path / "other/vehicles")
    assert len(prepared(tmp_path / "other")[0].names) == 3


def test_a_folder_in_place_of_the_output_is_refused_before_any_work(tmp_path):
    (tmp_path / "out.npz").mkdir()
    process = run(classes(tmp_path / "in"), tmp_path / "out.npz")
    assert process.returncode == 1 and "images/s" not in process.stderr
    assert "Invalid value for --output: expected a file that ends in .npz" in process.stderr


# -- zips ---------------------------------------------------------------------------------------


def pack(folder, path, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return path


def edit(path, name, local, central):
    """Changes a member's two headers: pairs of an offset there and new bytes."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo(name).header_offset
    directory = content.rindex(name.encode()) - 46  # The fixed part of the central header.
    for start, (offset, new) in ((at, local), (directory, central)):
        content[start + offset : start + offset + len(new)] = new
    path.write_bytes(content)


SPOILT = {
    "is packed by method 9": ((8, b"\x09\0"), (10, b"\x09\0")),
    "is locked by a password": ((6, b"\x01\0"), (8, b"\x01\0")),
    "unpacks to 4,294,967,294 bytes": ((22, b"\xfe\xff\xff\xff"), (24, b"\xfe\xff\xff\xff")),
    "is not a readable image .*decompress": ((39, b"\xff" * 20), (0, b"PK")),
    "is not a readable image .*Bad magic number": ((0, b"KP"), (0, b"PK")),
}


@pytest.mark.parametrize("reason", SPOILT)
def test_a_bad_member_of_a_zip_does_not_end_the_others(tmp_path, reason):
    path = pack(classes(tmp_path / "in"), tmp_path / "set.zip")
    edit(path, "b/1.png", *SPOILT[reason])
    (tmp_path / "new").mkdir()
    path = path.rename(tmp_path / "new/set.zip")
    content, skipped = prepared(path.parent)
    assert content.counts.tolist() == [2, 1, 2]
    ((found, (name,)),) = skipped.damaged.items()
    assert re.match(reason, found) and name == "set.zip/b/1.png"


def test_a_member_without_a_name_does_not_end_the_others(tmp_path):
    path = pack(classes(tmp_path / "in"), tmp_path / "set.zip")
    with zipfile.ZipFile(path, "a") as archive, archive.open(zipfile.ZipInfo(""), "w") as file:
        file.write(b"content")
    (tmp_path / "new").mkdir()
    content, skipped = prepared(path.rename(tmp_path / "new/set.zip").parent)
    assert is_whole(content)
    ((reason, (name,)),) = skipped.damaged.items()
    assert reason == "has a file without a name: get it anew" and name.endswith("set.zip")


def test_bad_zips_do_not_end_the_others(tmp_path):
    folder = classes(tmp_path / "in")
    (tmp_path / "zips").mkdir()
    good = pack(folder, tmp_path / "zips/good.ZIP").read_bytes()
    (tmp_path / "zips/cut.zip").write_bytes(good[:-200])
    (tmp_path / "zips/none.zip").write_text("text")
    name = pack(folder, tmp_path / "zips/name.zip")
    edit(name, "a/0.png", (6, b"\0\x08"), (8, b"\0\x08"))  # The flag of UTF-8, which 0xFF is not.
    name.write_bytes(name.read_bytes().replace(b"a/0.png", b"\xff/0.png"))
    content, skipped = prepared(tmp_path / "zips")
    assert is_whole(content)
    damaged = {pathlib.Path(name).name for names in skipped.damaged.values() for name in names}
    assert damaged == {"cut.zip", "none.zip", "name.zip"}


def test_zips_made_with_backslashes_have_folders(tmp_path):
    (tmp_path / "zips").mkdir()
    folder = classes(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "zips/a.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, str(path.relative_to(folder)).replace("/", "\\"))
    assert is_whole(prepared(tmp_path / "zips")[0])


def test_hidden_members_and_twins_of_a_zip_are_no_classes(tmp_path):
    folder = classes(tmp_path / "in")
    picture(folder / "__MACOSX/a/0.png")
    picture(folder / ".ipynb_checkpoints/0.png")
    (tmp_path / "zips").mkdir()
    pack(folder, tmp_path / "zips/one.zip")
    content, skipped = prepared(tmp_path / "zips")
    assert is_whole(content) and not skipped.damaged
    pack(classes(tmp_path / "more", "cd"), tmp_path / "zips/two.zip")
    content, skipped = prepared(tmp_path / "zips")
    assert is_whole(content, "abcd")
    (names,) = skipped.damaged.values()
    assert names == ["two.zip/c/0.png", "two.zip/c/1.png"]


def test_an_image_beside_the_classes_of_a_zip_is_named_with_the_zip(tmp_path):
    folder = classes(tmp_path / "in")
    (folder / "logo.png").write_bytes((folder / "a/0.png").read_bytes())
    (tmp_path / "zips").mkdir()
    pack(folder, tmp_path / "zips/one.zip")
    _, skipped = prepared(tmp_path / "zips")
    assert [name for names in skipped.damaged.values() for name in names] == ["one.zip/logo.png"]


# -- mini-ImageNet's tables ---------------------------------------------------------------------


def mini(folder):
    for table, labels in {"train": "ab", "val": "c", "test": "d"}.items():
        rows = ["filename,label"]
        for label in labels:
            for number in range(2):
                picture(folder / "images" / f"{label}{number}.png", 10 * ord(label) + number)
                rows.append(f"{label}{number}.png,{label}")
        (folder / f"{table}.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_tables_are_read_as_spreadsheets_save_them(tmp_path):
    folder = mini(tmp_path)
    for path in folder.glob("*.csv"):
        lines = path.read_text().replace("\n", "\r\n")
        path.write_text(lines, encoding="utf-8-sig", newline="")
    assert list(prepare.miniimagenet(folder).images) == list("abcd")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"filename,label\nc0.png,c\nc0.png,c\n", "val.csv, line 3: c0.png has a line already"),
        (b"filename,label\nc0.png,c\nc1.png\n", "val.csv, line 3: needs a filename and a label"),
        (b"filename,label\nc0.png,\n", "val.csv, line 2: needs a filename and a label"),
        (b"filename;label\nc0.png;c\n", "columns filename,label, separated by commas"),
        (b"filename\n", "columns filename,label"),
        (b"", "columns filename,label"),
        ("filename,label\nc0.png,é\n".encode("latin-1"), "val.csv is no UTF-8"),
        ("filename,label\n".encode("utf-16"), "val.csv is no UTF-8"),
        (
            b"filename,label\n" + b"c" * 200_000 + b",c\n",
            "is not a table of comma-separated values",
        ),
        (b"filename,label\nc0.png,c\n", "c1.png is in no table"),
    ],
)
def test_tables_that_say_nothing_are_refused(tmp_path, table, message):
    folder = mini(tmp_path)
    (folder / "val.csv").write_bytes(table)
    with pytest.raises(ValueError, match=message):
        prepare.miniimagenet(folder)


def test_a_published_data_set_is_prepared_whole_or_not_at_all(tmp_path):
    folder = mini(tmp_path / "mini")
    for name in ("a0", "d1"):
        (folder / "images" / f"{name}.png").write_text("text")
    (folder / "images/Thumbs.db").write_text("text")
    process = run(folder, tmp_path / "out.npz", "miniimagenet")
    assert process.returncode == 1 and not (tmp_path / "out.npz").exists()
    assert "a/a0.png is not" in process.stderr and "d/d1.png is not" in process.stderr
    assert process.stderr.splitlines()[-1].startswith("Error: a/a0.png is not a readable image")
    (folder / "images/a0.png").unlink()
    os.mkfifo(folder / "images/a0.png")
    with pytest.raises(ValueError, match="a0.png is not a regular file.*whole or not at all"):
        prepare.miniimagenet(folder)


@pytest.mark.skipif(not CASES.exists(), reason="no images that failed: ../shared/cases/images")
@pytest.mark.parametrize(
    ("name", "images"), [("deflate64", 0), ("locked", 0), ("damaged", 23), ("mini_train_bom", 0)]
)
def test_inputs_that_failed_end_in_a_sentence(tmp_path, name, images):
    (tmp_path / "in").mkdir()
    if name == "mini_train_bom":
        (tmp_path / "in/train.csv").write_bytes((CASES / f"{name}.csv").read_bytes())
        with pytest.raises(ValueError, match="val.csv is missing"):
            prepare.miniimagenet(tmp_path / "in")
        return
    (tmp_path / f"in/{name}.zip").write_bytes((CASES / f"{name}.zip").read_bytes())
    process = run(tmp_path / "in", tmp_path / "out.npz")
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert process.stderr.splitlines()[-1].startswith("Error: ")
    assert f"{images} images" in process.stdout or not images

"""Resizing and gathering: the original's format, a split that depends on names alone."""

import json
import os
import pathlib
import pickle
import random

import numpy as np
import pytest
from cuts import cut_after
from PIL import Image

from mine import reporting
from pose_code.data import load_splits
from pose_data import data_gen, pickles, records, resize_images
from pose_data.tasks import PoseTasks

NAMES = ["chair/01", "chair/02", "sofa/01", "sofa/02", "car/10"]


def write_object(folder, num_images=12, size=8, mode="L", shade=0, canonical="file"):
    """Writes what the renderer would: image i is filled with the grey `shade + i`."""
    folder.mkdir(parents=True)
    for i in range(num_images):
        Image.new(mode, (size, size), (shade + i,) * len(mode)).save(folder / f"{i}.png")
    labels = [[i, 0.5, 0, 2 * np.pi * i / num_images] for i in range(num_images)]
    name = f"label_{folder.parent.name}{folder.name}"
    (folder / name).write_bytes(pickle.dumps(labels, protocol=2))
    manifest = {"canonical": canonical, "canonical_yaw": 0.25, "seed": 0}
    manifest["mesh_sha256"] = f"of {folder.name}"
    (folder / records.MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture
def data_dir(tmp_path):
    for i, name in enumerate(NAMES):
        write_object(tmp_path / "in" / name, shade=20 * i)
    return tmp_path / "in"


def read_as_the_original_does(path):
    """Plain pickle, then stacked to arrays: images [objects, images, H, W], labels [.., .., 3]."""
    with open(path, "rb") as file:
        images, labels = pickle.load(file)
    return np.array(images), np.array(labels)


def test_pickles_hold_images_with_their_labels_in_numeric_order(data_dir, tmp_path):
    summary = data_gen.generate(data_dir, tmp_path / "out", num_val=2)
    assert sorted(summary["train"] + summary["val"]) == sorted(NAMES)
    assert json.loads((tmp_path / "out/split.json").read_text()) == summary
    assert summary["canonical"] == "file" and summary["canonical_yaw"]["car/10"] == 0.25
    assert summary["mesh_sha256"]["car/10"] == "of 10"
    for part in ("train", "val"):
        path = tmp_path / f"out/{part}_data.pkl"
        images, labels = read_as_the_original_does(path)
        count = len(summary[part])
        assert images.shape == (count, 12, 8, 8) and images.dtype == np.uint8
        assert labels.shape == (count, 12, 3)
        np.testing.assert_allclose(labels[..., :2], 0.5)
        np.testing.assert_allclose(labels[..., 2], np.arange(12)[None] / 12 * np.ones((count, 1)))
        shades = np.array([20 * NAMES.index(name) for name in summary[part]])
        np.testing.assert_array_equal(images[..., 0, 0], shades[:, None] + np.arange(12))
        np.testing.assert_array_equal(pickles.load(path)[0], images)


def test_split_depends_on_names_and_seed_alone(data_dir, tmp_path, monkeypatch):
    names = [f"class{i % 5}/{i:02d}" for i in range(60)]
    train, val = data_gen.split(names, 15, seed=1)
    assert len(val) == 15 and sorted(train + val) == sorted(names)
    shuffled = random.Random(0).sample(names, len(names))
    assert data_gen.split(shuffled, 15, seed=1) == (train, val)
    assert data_gen.split(names, 15, seed=2)[1] != val
    fewer = data_gen.split([n for n in names if n != val[0]], 15, seed=1)[1]
    assert len(set(fewer) - set(val)) == 1, "one object less moves one other"

    first = data_gen.generate(data_dir, tmp_path / "a", num_val=2)
    listing = pathlib.Path.glob
    monkeypatch.setattr(
        pathlib.Path, "glob", lambda self, pattern: iter(sorted(listing(self, pattern))[::-1])
    )
    names_in = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: sorted(names_in(path))[::-1])
    assert data_gen.generate(data_dir, tmp_path / "b", num_val=2) == first
    for name in ("train_data.pkl", "val_data.pkl", "split.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def both(folder):
    return [
        PoseTasks.load(folder / f"{part}_data.pkl", part, shots=2, queries=2)
        for part in ("train", "val")
    ]


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("before", range(4))
def test_a_split_that_was_cut_is_the_one_before_or_refused(
    data_dir, tmp_path, monkeypatch, before, older
):
    """Killed before any of its files takes its place, beside one of an older version too."""
    out = tmp_path / "out"
    first = data_gen.generate(data_dir, out, num_val=2, seed=1)
    if older:
        del first["sha256"]
        (out / "split.json").write_text(json.dumps(first))
    second = None
    assert data_gen.split(NAMES, 2, seed=2)[1] != first["val"]

    with cut_after(monkeypatch, before):
        try:
            second = data_gen.generate(data_dir, out, num_val=2, seed=2)
        except KeyboardInterrupt:
            assert before < 3
    if before == 0:
        assert [family.names for family in both(out)] == [first["train"], first["val"]]
    elif before == 3:
        assert [family.names for family in both(out)] == [second["train"], second["val"]]
    else:
        with pytest.raises(records.RecordError, match="_data.pkl: expected the content whose"):
            both(out)
        with pytest.raises(records.RecordError, match="make both again by data_gen"):
            for part in ("train", "val"):  # Nor without the names.
                PoseTasks.load(out / f"{part}_data.pkl", shots=2, queries=2)
        assert data_gen.generate(data_dir, out, num_val=2, seed=2)["val"]
        both(out)


def test_a_split_that_was_changed_is_refused(data_dir, tmp_path):
    data_gen.generate(data_dir, tmp_path, num_val=2)
    path = tmp_path / "split.json"
    content = path.read_text()
    path.write_text(content.replace("of 01", "of 07"))
    with pytest.raises(records.RecordError, match="split.json: expected what data_gen.py wrote"):
        both(tmp_path)
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))
    assert [family.num_tasks for family in both(tmp_path)] == [3, 2]
    for name, value in (("num_images", 3), ("image_shape", [4, 4])):
        path.write_text(json.dumps(content | {name: value}))
        with pytest.raises(ValueError, match=f"split.json: expected the {name} of train_data.pkl"):
            both(tmp_path)


def test_objects_on_both_sides_are_told_by_their_images_too(data_dir, tmp_path):
    """Pickles of two splits, without the file that tells."""
    for seed in (1, 2):
        data_gen.generate(data_dir, tmp_path / str(seed), num_val=2, seed=seed)
    os.replace(tmp_path / "2/train_data.pkl", tmp_path / "1/train_data.pkl")
    (tmp_path / "1/split.json").unlink()
    with pytest.raises(ValueError, match="expected other objects in val_data.pkl"):
        load_splits(tmp_path / "1", 2, 2)


@pytest.mark.parametrize(
    "content",
    [
        '{"train": ["a/1", "a/2"], "val": ["b/1"], "mesh_sha256": true}',
        '{"train": ["a/1", "a/2"], "val": ["b/1"], "mesh_sha256": {"a/1": 3}}',
        '{"train": ["a/1", "a/2"], "val": ["b/1"], "sha256": [1]}',
        '{"train": {"a/1": 1}, "val": ["b/1"]}',
        '{"train": "ab", "val": ["b/1"]}',
        "null", "[]", "3", '"train"', "[" * 100_000, "", "NaN", "\xff",
    ],
)  # fmt: skip
def test_damaged_splits_are_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "split.json"
    path.write_text(content, encoding="latin1")
    with pytest.raises(records.RecordError, match="split.json: expected a split.json of data_gen"):
        records.read_split(path)


@pytest.mark.parametrize("value", [np.nan, 1e30, 17.0, -0.1])
def test_labels_beyond_their_range_are_named(data_dir, tmp_path, value):
    file = next((data_dir / "sofa/01").glob("label*"))
    labels = pickle.loads(file.read_bytes())
    labels[3][3] = value
    file.write_bytes(pickle.dumps(labels))
    with pytest.raises(records.RecordError, match=r"sofa01: expected angle in .* of image 3; rend"):
        data_gen.generate(data_dir, tmp_path / "out", num_val=2)


def test_labels_are_those_that_were_rendered(data_dir, tmp_path):
    folder = data_dir / "sofa/01"
    file = next(folder.glob("label*"))
    manifest = json.loads((folder / records.MANIFEST).read_text())
    manifest[records.LABEL_SHA256] = reporting.file_sha256(file)
    (folder / records.MANIFEST).write_text(json.dumps(manifest))
    data_gen.generate(data_dir, tmp_path / "out", num_val=2)
    labels = pickle.loads(file.read_bytes())
    labels[3][3] /= 2
    file.write_bytes(pickle.dumps(labels))
    with pytest.raises(records.RecordError, match="sofa01: expected the content whose checksum"):
        data_gen.generate(data_dir, tmp_path / "out", num_val=2)


def test_too_few_objects(data_dir, tmp_path):
    for num_val in (1, 4, 5):
        with pytest.raises(records.RecordError, match=f"expected 2 to 3 of 5 .*received {num_val}"):
            data_gen.generate(data_dir, tmp_path / "out", num_val=num_val)
    assert not (tmp_path / "out").exists()


def test_three_objects_are_too_few_and_variants_may_hold_out_one():
    with pytest.raises(records.RecordError, match="expected 4 or more.*two held-out.*received 3"):
        records.check_num_val(["chair/1", "chair/2", "chair/3"], 1)
    records.check_num_val(["chair/1", "chair/2", "chair/3", "chair/4"], 2)
    records.check_num_val(["chair/1~1", "chair/1~2"], 1)


def break_count(folder):
    (folder / "11.png").unlink()


def break_numbering(folder):
    (folder / "3.png").unlink()


def break_image(folder):
    path = folder / "5.png"
    path.write_bytes(path.read_bytes()[:40])


def break_size(folder):
    Image.new("L", (4, 4)).save(folder / "5.png")


def break_mode(folder):
    Image.new("RGB", (8, 8)).save(folder / "5.png")


def break_name(folder):
    (folder / "5.png").rename(folder / "five.png")


def break_labels(folder):
    (folder / "label_sofa01").write_bytes(b"\x80\x02cos\nsystem\n.")


def break_label_order(folder):
    (folder / "label_sofa01").write_bytes(pickle.dumps([[i + 1, 0.5, 0, 0.1] for i in range(12)]))


def remove_labels(folder):
    (folder / "label_sofa01").unlink()


def remove_images(folder):
    for path in folder.glob("*.png"):
        path.unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        break_count,
        break_numbering,
        break_image,
        break_size,
        break_mode,
        break_name,
        break_labels,
        break_label_order,
        remove_labels,
        remove_images,
    ],
)
def test_a_spoilt_object_is_named_and_nothing_written(data_dir, tmp_path, spoil):
    spoil(data_dir / "sofa/01")
    with pytest.raises((records.RecordError, pickles.PickleError), match="sofa/01"):
        data_gen.generate(data_dir, tmp_path / "out", num_val=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("odd", "word"),
    [
        ({"num_images": 11}, "images"),
        ({"size": 16}, "pixels"),
        ({"canonical": "random"}, "canonical"),
    ],
)
def test_objects_unlike_the_others_are_named(data_dir, tmp_path, odd, word):
    write_object(data_dir / "sofa/03", **odd)
    with pytest.raises(records.RecordError, match=f"sofa/03: .*{word}"):
        data_gen.generate(data_dir, tmp_path / "out", num_val=2)


def test_images_of_another_renderer_need_no_manifest(data_dir, tmp_path):
    for path in data_dir.rglob(records.MANIFEST):
        path.unlink()
    summary = data_gen.generate(data_dir, tmp_path / "out", num_val=2)
    assert summary["canonical"] is None and summary["canonical_yaw"] == {}


def test_resize_is_lanczos_then_grey_and_happens_once(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    path = tmp_path / "0.png"
    Image.fromarray(pixels).save(path)
    assert resize_images.resize(path, 8)
    expected = Image.fromarray(pixels).resize((8, 8), Image.LANCZOS).convert("L")
    with Image.open(path) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.array(image), np.array(expected))
    before = path.stat().st_mtime_ns
    assert not resize_images.resize(path, 8)
    assert path.stat().st_mtime_ns == before
    assert len(list(tmp_path.iterdir())) == 1


def test_transparent_is_white_and_of_16_bits_the_highest_count(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    alpha = np.full((8, 8), 255, np.uint8)
    alpha[:, 4:] = 0
    Image.fromarray(np.stack([grey, grey, grey, alpha], axis=-1)).save(tmp_path / "clear.png")
    deep, clear = (
        np.asarray(resize_images.small_and_grey(tmp_path / f"{name}.png", 8)[0])
        for name in ("deep", "clear")
    )
    np.testing.assert_array_equal(deep, grey)
    np.testing.assert_array_equal(clear[:, :4], grey[:, :4])
    np.testing.assert_array_equal(clear[:, 4:], 255)


def test_copies_and_variants_on_both_sides_of_a_split_are_told(tmp_path):
    meshes = {"a/1": "x", "a/2": "y", "a/3": "x", "b/1": None, "b/2": None}
    summary = {"train": ["a/1", "b/1"], "val": ["a/2", "a/3", "b/2"], "mesh_sha256": meshes}
    assert data_gen.related(summary) == ["a/3"]
    summary = {"train": ["a/1", "b/1~2"], "val": ["a/1~3", "b/1~1~1", "a/4"], "mesh_sha256": {}}
    assert data_gen.related(summary) == ["a/1~3", "b/1~1~1"]


def test_resize_goes_on_after_a_bad_image(tmp_path):
    paths = []
    for i in range(6):
        paths.append(tmp_path / f"{i}.png")
        Image.new("L", (32, 32), i).save(paths[-1])
    paths[2].write_bytes(paths[2].read_bytes()[:50])
    paths[4].write_text("no image")
    results = list(resize_images.resize_all(paths, 8, workers=2))
    assert [path for path, _, _ in results] == paths
    assert [changed for _, changed, _ in results] == [True, True, False, True, False, True]
    assert [bool(failure) for _, _, failure in results] == [False, False, True, False, True, False]
    assert paths[4].read_text() == "no image"

"""Pose sets in shards: the same tasks as those of the pickles, to the last digit."""

import json
import os
import weakref

import commands
import numpy as np
import pytest
import tensorflow as tf
from cuts import cut_after
from PIL import Image

from mine import reporting
from mine.reporting.shards.reading import ShardError
from pose_code.data import describe, load_splits
from pose_code.symmetry import asymmetries
from pose_data import data_gen, records
from pose_data.tasks import PoseTasks

SEED = tf.constant([1, 2])
NAMES = [f"{kind}/{number:02d}" for kind in ("car", "chair", "sofa") for number in range(3)]


def write_objects(folder, seed=0, names=NAMES, side=16, count=6):
    rng = np.random.default_rng(seed)
    for name in names:
        (folder / name).mkdir(parents=True)
        labels = []
        for i in range(count):
            pixels = rng.integers(0, 256, (side, side), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
            labels.append([i, 0.5, 0.25, float(rng.uniform(0, 2 * np.pi))])
        data_gen.pickles.dump(labels, folder / name / "label")
        manifest = {"canonical": "file", "canonical_yaw": 0.25, "mesh_sha256": f"of {name}"}
        (folder / name / records.MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A folder of pickles, and one of shards."""
    root = tmp_path_factory.mktemp("both")
    source = write_objects(root / "in")
    data_gen.generate(source, root / "pickles", num_val=3)
    data_gen.generate(source, root / "shards", num_val=3, shards=4)
    return root / "pickles", root / "shards"


def assert_same(ours, theirs, tasks=None):
    """Of two families: all that they say, and what they draw."""
    assert (ours.num_tasks, ours.names) == (theirs.num_tasks, theirs.names)
    assert (ours.checksums, ours.image_size) == (theirs.checksums, theirs.image_size)
    np.testing.assert_array_equal(ours.angles, theirs.angles)
    assert tuple(ours.images.shape) == tuple(theirs.images.shape)
    tasks = tf.range(ours.num_tasks) if tasks is None else tasks
    for one, other in zip(ours.episodes(tasks, SEED), theirs.episodes(tasks, SEED), strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(ours.object_images(1), theirs.object_images(1))


def test_folders_say_what_they_hold(both):
    pickled, sharded = (json.loads((folder / "split.json").read_text()) for folder in both)
    tables = sharded.pop("shards")
    pickled.pop("sha256"), sharded.pop("sha256")
    assert pickled == sharded
    assert sorted(os.listdir(both[1])) == ["split.json", "train_data", "val_data"]
    for name, split in (("train_data", "train"), ("val_data", "val")):
        arrays = [np.load(both[1] / name / file, mmap_mode="r") for file in tables[name]["files"]]
        assert all(of.dtype == np.uint8 and of.shape[1:] == (6, 16, 16) for of in arrays)
        assert sum(map(len, arrays)) == len(sharded[split])
        written = [*tables[name]["files"], tables[name]["labels"]]
        assert sorted(os.listdir(both[1] / name)) == sorted(written)
    assert [len(tables[name]["files"]) for name in tables] == [3, 3]  # 2 + 2 + 2, and 1 + 1 + 1.


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize(
    "how", [{}, {"cropped": True}, {"image_size": 8}, {"cropped": True, "image_size": 5}]
)
def test_episodes_are_those_of_the_pickles(both, split, how):
    options = {"split": split, "shots": 2, "queries": 3} | how
    pickled = PoseTasks.load(both[0] / f"{split}_data.pkl", **options)
    sharded = PoseTasks.load(both[1] / f"{split}_data", **options)
    assert_same(sharded, pickled)
    assert_same(sharded.with_shots(1), pickled.with_shots(1))
    assert_same(sharded.subset([2, 0]), pickled.subset([2, 0]))
    more = {"split": "val", "shots": 2, "queries": 3} | how
    others = [
        PoseTasks.load(both[0] / "val_data.pkl", **more).subset([1, 2]),
        PoseTasks.load(both[1] / "val_data", **more).subset([1, 2]),
    ]
    pickled, joined = pickled.joined(others[0]), sharded.joined(others[1])
    assert_same(joined.subset([1, 0, -1]), pickled.subset([1, 0, -1]))
    with pytest.raises(ValueError, match="write both sets with --shards, or both without"):
        sharded.joined(others[0])


def test_streams_of_episodes_are_the_same_in_graphs(both):
    families = [load_splits(folder, 2, 3, 5, True, 2) for folder in both]
    assert describe(families[0]) == describe(families[1])
    assert asymmetries(families[0]["test"]) == asymmetries(families[1]["test"])
    for name in families[0]:
        pickled, sharded = (of[name] for of in families)
        assert pickled.dataset(2, 0).element_spec == sharded.dataset(2, 0).element_spec
        streams = (family.dataset(2, seed=5).take(3) for family in (pickled, sharded))
        fixed = (family.fixed(2, 2, seed=3) for family in (pickled, sharded))
        for pairs in (zip(*streams, strict=True), zip(*fixed, strict=True)):
            for ours, theirs in pairs:
                for one, other in zip(ours, theirs, strict=True):
                    np.testing.assert_array_equal(one, other)


def test_extra_objects_come_from_shards_too(both, tmp_path):
    source = write_objects(tmp_path / "in", 1, [f"bus/{number}" for number in range(4)])
    data_gen.generate(source, tmp_path / "pickles", num_val=2)
    data_gen.generate(source, tmp_path / "shards", num_val=2, shards=1)
    families = [
        load_splits(own, 2, 3, extra_data_dir=str(tmp_path / own.name))["train"] for own in both
    ]
    assert families[0].num_tasks == 8
    assert_same(*families)


def test_images_that_cannot_be_are_refused_at_the_start(both):
    with pytest.raises(ValueError, match="expected a divisor of the side"):
        PoseTasks.load(both[1] / "train_data", image_size=7, shots=2, queries=2)
    with pytest.raises(ValueError, match="expected at most 6 in all"):
        PoseTasks.load(both[1] / "train_data", shots=4, queries=3)


def test_objects_are_written_one_after_the_other(both, tmp_path, monkeypatch):
    alive, read = weakref.WeakSet(), data_gen.read_object

    def watched(folder):
        assert len(alive) <= 6, "the first, two that are read, and those on their way"
        data = read(folder)
        alive.add(data)
        return data

    # Sets compare by value, and objects hold arrays.
    monkeypatch.setattr(data_gen.ObjectData, "__hash__", object.__hash__)
    monkeypatch.setattr(data_gen.ObjectData, "__eq__", object.__eq__)
    monkeypatch.setattr(data_gen, "read_object", watched)
    monkeypatch.setattr(data_gen.os, "cpu_count", lambda: 1)
    summary = data_gen.generate(both[0].parent / "in", tmp_path, num_val=2, shards=2)
    assert len(summary["train"]) == 7 and summary["shards"]


# -- several writings in one folder ---------------------------------------------------------------


def loaded(folder):
    return [
        PoseTasks.load(records.data_path(folder, split), split, shots=2, queries=2)
        for split in records.SPLITS
    ]


def killed_after(monkeypatch, count, function, *arguments, **options):
    """What a function returns; None if its process is killed before one more file is in place."""
    with cut_after(monkeypatch, count) as patch:
        patch.setattr(data_gen, "_remove_unlisted", lambda folder: None)
        try:
            return function(*arguments, **options)
        except KeyboardInterrupt:
            return None


@pytest.mark.parametrize("first", ["shards", "pickles"])
@pytest.mark.parametrize("count", [0, 1, 3, 5, 6, 7, 8])
def test_a_writing_that_was_killed_leaves_the_old_or_the_new(
    both, tmp_path, monkeypatch, first, count
):
    source, out = both[0].parent / "in", tmp_path / "out"
    old = data_gen.generate(source, out, num_val=3, shards=4 if first == "shards" else 0)
    new = killed_after(monkeypatch, count, data_gen.generate, source, out, num_val=4, shards=2)
    assert (new is None) == (count < 7), "two files and the labels of both, and split.json"
    expected = new or old
    assert [of.names for of in loaded(out)] == [expected["train"], expected["val"]]
    for family in loaded(out):
        family.episodes(tf.range(family.num_tasks), SEED)
    again = data_gen.generate(source, out, num_val=4, shards=2)
    assert [of.names for of in loaded(out)] == [again["train"], again["val"]]
    listed = [[*of["files"], of["labels"]] for of in again["shards"].values()]
    found = [os.listdir(out / name) for name in ("train_data", "val_data")]
    assert [sorted(of) for of in found] == [sorted(of) for of in listed]
    assert sorted(os.listdir(out)) == ["split.json", "train_data", "val_data"]


def test_pickles_take_the_place_of_shards_and_back(both, tmp_path):
    source = both[0].parent / "in"
    data_gen.generate(source, tmp_path, num_val=3, shards=2)
    data_gen.generate(source, tmp_path, num_val=4)
    assert sorted(os.listdir(tmp_path)) == ["split.json", "train_data.pkl", "val_data.pkl"]
    assert [of.num_tasks for of in loaded(tmp_path)] == [5, 4]
    stale = (tmp_path / "train_data.pkl").read_bytes()
    data_gen.generate(source, tmp_path, num_val=3, shards=2)
    assert [of.num_tasks for of in loaded(tmp_path)] == [6, 3]
    (tmp_path / "train_data.pkl").write_bytes(stale)  # As if killed before it was removed.
    assert [of.num_tasks for of in loaded(tmp_path)] == [6, 3]
    with pytest.raises(records.RecordError, match="describes train_data/ and val_data/"):
        PoseTasks.load(tmp_path / "train_data.pkl", shots=2, queries=2)


def test_objects_that_are_unfit_leave_what_was_there(both, tmp_path):
    source = write_objects(tmp_path / "in", side=16)
    before = data_gen.generate(source, tmp_path / "out", num_val=3, shards=2)
    files = sorted(path.relative_to(tmp_path) for path in (tmp_path / "out").rglob("*"))
    last = before["val"][-1]
    (tmp_path / "in" / last / "3.png").write_bytes(b"damaged")
    for out in ("out", "new"):
        with pytest.raises(records.RecordError, match=f"{last}/3.png"):
            data_gen.generate(source, tmp_path / out, num_val=3, seed=1, shards=3)
    assert sorted(path.relative_to(tmp_path) for path in (tmp_path / "out").rglob("*")) == files
    assert not (tmp_path / "new").exists()
    assert [of.names for of in loaded(tmp_path / "out")] == [before["train"], before["val"]]


# -- damage ---------------------------------------------------------------------------------------


@pytest.fixture
def sharded(both, tmp_path):
    summary = data_gen.generate(both[0].parent / "in", tmp_path, num_val=3, shards=2)
    return tmp_path, summary


def test_damaged_missing_and_mixed_shards_are_refused_in_a_sentence(sharded, both):
    folder, summary = sharded
    table = summary["shards"]["train_data"]
    shard, labels = (folder / "train_data" / table[name] for name in ("labels", "labels"))
    shard = folder / "train_data" / table["files"][1]
    remedy = "make both again by data_gen.py --shards"
    content = labels.read_bytes()
    for damaged in (b"", content[:-1], content[:-1] + b"0"):
        labels.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{labels.name}: .*{remedy}") as found:
            loaded(folder)
        assert "\n" not in str(found.value)
    labels.unlink()
    with pytest.raises(ValueError, match=f"{labels.name}: .*{remedy}"):
        loaded(folder)
    labels.write_bytes(content)
    whole = shard.read_bytes()
    shard.unlink()
    with pytest.raises(ValueError, match=f"{shard.name}: No such file .*{remedy}"):
        loaded(folder)
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    family = loaded(folder)[0]
    family.episodes(tf.constant([0, 1, 2, 3, 4]), SEED)
    with pytest.raises(ShardError, match=f"{shard.name}: expected images 30 to 35 .*{remedy}"):
        family.episodes(tf.constant([5]), SEED)
    shard.write_bytes(whole)
    manifest = (folder / "split.json").read_text()
    (folder / "split.json").write_bytes((both[1] / "split.json").read_bytes())
    with pytest.raises(ValueError, match=f"train_data/.*npy: No such file.*{remedy}"):
        loaded(folder)
    (folder / "split.json").write_bytes((both[0] / "split.json").read_bytes())
    with pytest.raises(ValueError, match="train_data: expected a split.json .*received another"):
        PoseTasks.load(folder / "train_data", shots=2, queries=2)
    (folder / "split.json").unlink()
    with pytest.raises(ValueError, match="train_data: expected a split.json .*received none"):
        loaded(folder)
    (folder / "split.json").write_text(manifest.replace('"num_images": 36', '"num_images": 30'))
    with pytest.raises(ValueError, match="split.json: expected what data_gen.py wrote"):
        loaded(folder)


@pytest.mark.parametrize(
    "damage",
    [
        {"shards": 3}, {"shards": {"train_data": 3}}, {"shards": {"train_data": {}}},
        {"shards": {"train_data": {"files": "a", "labels": "b"}}},
        {"shards": {"train_data": {"files": ["a"], "labels": ["b"]}}},
        {"shards": {"train_data": {"files": [3], "labels": "../../x"}}}, {"shards": None},
        {"train": ["a/1"]},
    ],
)  # fmt: skip
def test_a_damaged_table_is_refused_in_a_sentence(sharded, damage):
    folder, summary = sharded
    del summary["sha256"]
    (folder / "split.json").write_text(json.dumps(summary))
    assert [of.num_tasks for of in loaded(folder)] == [6, 3]
    (folder / "split.json").write_text(json.dumps(summary | damage))
    with pytest.raises(ValueError) as found:
        PoseTasks.load(folder / "train_data", "train", shots=2, queries=2)
    assert "\n" not in str(found.value) and "data_gen" in str(found.value)


TRAIN = ["--logdir=run", "--shots=2", "--queries=2", "--steps=4", "--steps_per_epoch=2"]
TRAIN += ["--meta_batch_size=4", "--episodes_per_task=1", "--num_relabelings=2"]
TRAIN += ["--task_options=cropped=false;image_size=16", "--learner_options=hidden=8:8"]
TRAIN += ["--network_options=dim_w=4", "--data_dir=."]


@pytest.mark.slow
def test_commands_take_shards_and_tell_of_damage(sharded, both):
    folder, summary = sharded
    done = commands.run("pose_data.data_gen", f"--data_dir={both[0].parent / 'in'}", "--num_val=3",
                        "--shards=2", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "6 objects in train_data, 3 in val_data, 6 images each" in done.stdout
    for name in summary["shards"]["train_data"]["files"]:
        shard = folder / "train_data" / name
        whole = shard.read_bytes()
        shard.write_bytes(whole[:-1000] + bytes(1000))
    done = commands.run("pose_code.train", *TRAIN, cwd=folder)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.count("Error: ") == 1 and "with the checksum in the index" in done.stderr
    data_gen.generate(both[0].parent / "in", folder, num_val=3, shards=2)
    done = commands.run("pose_code.train", *TRAIN, "--resume", cwd=folder)
    assert done.returncode == 0, done.stderr
    record = reporting.read_json(folder / "run" / "results.json")
    data_gen.generate(both[0].parent / "in", folder, num_val=3)
    done = commands.run("pose_code.train", *TRAIN, "--resume", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert reporting.read_json(folder / "run" / "results.json") == record, "the same data"

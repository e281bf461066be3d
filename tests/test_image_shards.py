"""Sets of images in folders of shards: the same tasks as those of one file, to the last digit."""

import json
import os
import pathlib
import shutil

import commands
import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from cuts import cut_after
from PIL import Image

import maml
from maml.tasks import few_shot_images, image_file, prepare
from maml.tasks.image_file import ImageFile, save_folder
from mine import reporting
from mine.reporting.shards.reading import ShardError

SEED = tf.constant([1, 2])
CONTENT = toys.images_of_classes(24, 11, 8, channels=3)


def saved(folder, content=CONTENT, files=3, most=None):
    described = content.names, content.counts, content.splits
    return save_folder(
        content.images, folder, files, most or len(content.images), lambda: described
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Paths of a file and a folder of the same images."""
    root = tmp_path_factory.mktemp("both")
    CONTENT.save(root / "a.npz")
    saved(root / "a")
    return str(root / "a.npz"), str(root / "a")


def test_a_folder_holds_what_a_file_holds(both):
    one, two = map(ImageFile.load, both)
    assert two.images.shape == one.images.shape == (264, 8, 8, 3)
    np.testing.assert_array_equal(two.images.read(), one.images)
    np.testing.assert_array_equal(two.names, one.names)
    np.testing.assert_array_equal(two.counts, one.counts)
    assert {name: of.tolist() for name, of in two.splits.items()} == {
        name: of.tolist() for name, of in one.splits.items()
    }
    assert two.checksum() == one.checksum() == CONTENT.checksum()
    index = reporting.read_json(pathlib.Path(both[1], "images.json"))
    arrays = [np.load(f"{both[1]}/{name}", mmap_mode="r") for name in index["images"]["files"]]
    assert [len(of) for of in arrays] == [128, 128, 8]  # Blocks of 64 stay together.


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("folder", {"labels": "fixed", "inverted": True}),
        ("omniglot", {"split": "alphabets", "rotations": True}),
    ],
)
def test_tasks_are_those_of_the_file(both, task, options, monkeypatch):
    monkeypatch.setattr(few_shot_images, "TRAINING_TASKS", 60)
    monkeypatch.setattr(few_shot_images, "OTHER_TASKS", 40)
    problems = [maml.TASKS.make(task, data=data, ways=3, queries=2, **options) for data in both]
    assert problems[0].data == problems[1].data
    for split in ("train", "validation", "test"):
        families = [getattr(problem, split) for problem in problems]
        tasks = tf.range(0, families[0].num_tasks, families[0].num_tasks // 7)
        drawn = [family.episodes(tasks, SEED) for family in families]
        streams = [family.dataset(2, seed=5) for family in families]
        assert streams[0].element_spec == streams[1].element_spec
        for pair in (drawn, [next(iter(stream)) for stream in streams]):
            for ours, theirs in zip(*pair, strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_turned_classes_are_turned_by_quarters(both):
    images, counts = few_shot_images.rotated(CONTENT.images, CONTENT.counts)
    np.testing.assert_array_equal(images[264:528, 0, 0], CONTENT.images[:, 0, -1])
    stored, again = few_shot_images.rotated(ImageFile.load(both[1]).images, CONTENT.counts)
    np.testing.assert_array_equal(counts, again)
    np.testing.assert_array_equal(stored.read(), images)


def test_tasks_that_read_all_images_say_so(both):
    with pytest.raises(ValueError, match="expected a file, since .* prepare it anew without"):
        maml.TASKS.make("projected_images", data=both[1], ways=3, shots=2, split="classes")


# -- writing --------------------------------------------------------------------------------------


def source_of(folder, classes=5, each=6):
    rng = np.random.default_rng(0)
    for name in range(classes):
        (folder / f"class{name}").mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(0, 256, (9, 7, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"class{name}" / f"{number}.png")
    (folder / "class1" / "3.png").write_bytes(b"damaged")
    for path in (folder / "class4").iterdir():
        path.write_bytes(b"damaged")
    return folder


def test_prepared_folders_are_prepared_files_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(image_file, "BLOCK", 4)
    source = source_of(tmp_path / "in")
    one, two = (prepare.any_folder(source)._replace(size=6) for _ in range(2))
    whole = prepare.prepare(one, 2, verbose=False)
    found = prepare.prepare_folder(two, tmp_path / "out", 3, 2, verbose=False)
    assert one.skipped.lines() == two.skipped.lines() and one.skipped.num_damaged() == 7
    again = ImageFile.load(tmp_path / "out")
    assert whole.checksum() == found.checksum() == again.checksum()
    assert list(again.names) == [f"class{name}" for name in range(4)]
    np.testing.assert_array_equal(again.counts, [6, 5, 6, 6])
    np.testing.assert_array_equal(again.images.read(), whole.images)


@pytest.mark.parametrize("count", range(5))
def test_a_writing_that_was_killed_leaves_the_old_or_the_new(tmp_path, monkeypatch, count):
    other = toys.images_of_classes(24, 11, 8, channels=3, seed=1)
    saved(tmp_path / "a")
    with cut_after(monkeypatch, count) as patch:
        patch.setattr(image_file, "remove_others", lambda *arguments: None)
        try:
            saved(tmp_path / "a", other)
        except KeyboardInterrupt:
            assert count < 4, "three files and the index"
    expected = other if count == 4 else CONTENT
    found = ImageFile.load(tmp_path / "a")
    assert found.checksum() == expected.checksum()
    np.testing.assert_array_equal(found.images.read(), expected.images)
    saved(tmp_path / "a", other)
    assert len(os.listdir(tmp_path / "a")) == 4


def test_images_that_fail_leave_what_was_there(tmp_path):
    def images():
        yield from CONTENT.images[:200]
        raise ValueError("damaged")

    def described():
        return CONTENT.names, CONTENT.counts, CONTENT.splits

    saved(tmp_path / "a")
    for name in ("a", "b"):
        with pytest.raises(ValueError, match="damaged"):
            save_folder(images(), tmp_path / name, 2, 264, described)
        with pytest.raises(ValueError, match="Invalid value for `counts`"):
            save_folder(CONTENT.images[:9], tmp_path / name, 2, 264, described)
    assert os.listdir(tmp_path) == ["a"] and len(os.listdir(tmp_path / "a")) == 4
    assert ImageFile.load(tmp_path / "a").checksum() == CONTENT.checksum()


# -- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        {"names": 3}, {"names": [1, 2]}, {"counts": [264]}, {"counts": "a"}, {"splits": []},
        {"splits": {"classes": [7] * 24}}, {"checksum": 3}, {"images": {}}, {"images": None},
    ],
)  # fmt: skip
def test_a_damaged_index_is_refused_in_a_sentence(both, tmp_path, damage):
    shutil.copytree(both[1], tmp_path / "a")
    path = tmp_path / "a" / "images.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | damage))
    with pytest.raises(ValueError, match="images.json is damaged.*checksum.*prepare it anew"):
        ImageFile.load(tmp_path / "a")
    content = {name: of for name, of in (content | damage).items() if name != "sha256"}
    path.write_text(json.dumps(content | {"sha256": reporting.json_sha256(content)}))
    with pytest.raises(ValueError, match="prepare it anew") as found:
        ImageFile.load(tmp_path / "a")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("text", ["", "[]", "3", "[" * 100_000, "{}", "\xff"])
def test_other_files_are_no_index(tmp_path, text):
    (tmp_path / "images.json").write_text(text, encoding="latin1")
    with pytest.raises(ValueError, match="images.json is damaged, or no index.*prepare it anew"):
        ImageFile.load(tmp_path)


def test_damaged_and_missing_shards_are_refused_in_a_sentence(both, tmp_path, monkeypatch):
    monkeypatch.setattr(few_shot_images, "TRAINING_TASKS", 100)
    shutil.copytree(both[1], tmp_path / "a")
    names = json.loads((tmp_path / "a/images.json").read_text())["images"]["files"]
    shard = tmp_path / "a" / names[1]
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 8]))
    problem = maml.TASKS.make("folder", data=str(tmp_path / "a"), ways=3, queries=2)
    told = f"{shard.name}: expected images 192 to 255 with the checksum.*prepare it anew"
    with pytest.raises(ShardError, match=told):
        problem.train.episodes(tf.range(100), SEED)
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]
    learner = maml.PrototypicalNetwork(keras.Sequential(layers), problem.head)
    learner.compile("adam")
    for use in (
        lambda: learner.fit(problem.train, batch_size=20, steps=2, verbose=0),
        lambda: learner.evaluate(problem.train, batch_size=20, steps=2, verbose=0),
        lambda: learner.predict(problem.train, batch_size=20, steps=2, verbose=0),
    ):
        with pytest.raises(ShardError, match=told):
            use()
    shard.unlink()
    with pytest.raises(ShardError, match=f"{shard.name}: No such file.*prepare it anew"):
        ImageFile.load(tmp_path / "a")


@pytest.mark.slow
def test_the_command_writes_folders_and_training_takes_them(tmp_path):
    source_of(tmp_path / "in", classes=14, each=6)
    shutil.rmtree(tmp_path / "in/class4")
    (tmp_path / "in/class1/3.png").unlink()
    prepared = ["maml.tasks.prepare", "--dataset=folder", "--source=in"]
    for output in (["--output=out.npz"], ["--output=out", "--shards=3"]):
        done = commands.run(*prepared, *output, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    done = commands.run(*prepared, "--output=out", "--shards=2", cwd=tmp_path)
    assert done.returncode == 0 and "77 images of 13 classes" in done.stdout, done.stderr
    for output, told in (
        (["--output=in", "--shards=2"], "expected a new folder, or one of shards to replace"),
        (["--output=new.npz", "--shards=2"], "expected a new folder"),
        (["--output=out"], "expected a file that ends in .npz"),
    ):
        done = commands.run(*prepared, *output, cwd=tmp_path)
        assert done.returncode == 1 and f"Invalid value for --output: {told}" in done.stderr
    records = []
    for data in ("out.npz", "out"):
        done = commands.run(
            "maml.train", "--task=folder", f"--data={data}", "--learner=protonet", "--ways=2",
            "--queries=2", "--steps=4", "--steps_per_epoch=2", "--meta_batch_size=2",
            "--num_validation_batches=1", "--num_test_tasks=4", "--num_validation_tasks=4",
            f"--logdir=run-{data}", "--network_options=filters=4", cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        records.append(json.loads((tmp_path / f"run-{data}" / "results.json").read_text()))
    assert records[0]["scores"] == records[1]["scores"] and records[0]["data"] == records[1]["data"]

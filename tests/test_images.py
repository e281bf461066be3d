"""Few-shot classification of images: files, episodes, networks, and the commands."""

import pathlib
import shutil
import zipfile

import commands
import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from PIL import Image

import maml
from maml.nn import convolutions
from maml.tasks import prepare
from maml.tasks.class_sampling import draw_members
from maml.tasks.few_shot_images import ImageClasses, rotated
from maml.tasks.image_file import ImageFile

ROOT = pathlib.Path(__file__).parent.parent
OMNIGLOT = ROOT.parent / "shared/data/omniglot.tar.xz"
SEED = tf.constant([3, 1])


def run(*arguments):
    return commands.run("maml.tasks.prepare", *arguments, cwd=ROOT)


def picture(path, value, size=32):
    """An image of one value, but for its last corner: without contrast it would be refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size, size, 3), value, np.uint8)
    pixels[-1, -1] = 255
    Image.fromarray(pixels).save(path)


# -- which classes a task has -------------------------------------------------------------------


def test_every_choice_of_classes_and_labels_is_as_likely_as_another():
    rows, counts = np.unique(
        draw_members(60_000, 5, 3, "shuffled", SEED), axis=0, return_counts=True
    )
    assert len(rows) == 5 * 4 * 3 and all(len(set(row)) == 3 for row in rows)
    # 1,000 of each, give or take four standard deviations.
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(1000)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("labels", ["shuffled", "fixed"])
def test_what_is_fixed_between_tasks_is_and_nothing_else(labels, grouped):
    members = draw_members(2000, 23, 5, labels, SEED, grouped).numpy()
    assert all(len(set(row)) == 5 for row in members)
    assert len(np.unique(members)) == (20 if grouped or labels == "fixed" else 23)
    labels_of = {c: set(np.argwhere(members == c)[:, 1]) for c in np.unique(members)}
    assert {len(found) for found in labels_of.values()} == ({1} if labels == "fixed" else {5})
    together = {frozenset(row) for row in members}
    assert len(together) == 4 if grouped else len(together) > 400


# -- episodes -----------------------------------------------------------------------------------


def test_an_episode_has_different_images_of_its_classes_in_the_order_of_labels():
    counts = np.array([4, 6, 5, 9])
    # Each image is one pixel that says its class and its number.
    pixels = np.concatenate([10 * c + np.arange(n) for c, n in enumerate(counts)])
    family = ImageClasses(
        pixels.astype(np.uint8).reshape(-1, 1, 1, 1), counts, [[3, 0, 2], [1, 2, 0]], 1, 3
    )
    seen = set()
    for number in range(40):
        episode = family.episodes(tf.constant([0, 1, 0]), SEED + number)
        assert [part.shape[:2] for part in episode] == [(3, 3), (3, 3), (3, 9), (3, 9)]
        for task, members in enumerate([[3, 0, 2], [1, 2, 0], [3, 0, 2]]):
            x = np.concatenate([episode.support_x[task], episode.query_x[task]]).ravel() * 255
            y = np.concatenate([episode.support_y[task], episode.query_y[task]])
            x = x.round().astype(int)
            np.testing.assert_array_equal(x // 10, np.array(members)[y.argmax(axis=1)])
            np.testing.assert_array_equal(y.argmax(axis=1), np.tile([0, 1, 2], 4))
            assert len(set(x)) == 12 and (x % 10 < counts[x // 10]).all()
            seen |= set(x)
    assert seen == set(pixels)


def test_turned_classes_are_classes_of_their_own():
    images = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4, 1)
    found, counts = rotated(images, np.array([2, 1]))
    assert counts.tolist() == [2, 1] * 4 and found.shape == (12, 4, 4, 1)
    for quarters in range(4):
        for image in range(3):
            expected = np.rot90(images[image, ..., 0], quarters)
            np.testing.assert_array_equal(found[3 * quarters + image, ..., 0], expected)


def test_too_few_images_of_a_class_are_refused():
    with pytest.raises(ValueError, match="2 support and 3 query images .* into the 4"):
        ImageClasses(np.zeros((10, 2, 2, 1), np.uint8), [6, 4], [[0, 1]], 2, 3)


def test_training_classes_are_neither_validated_nor_tested_on():
    problem = maml.TASKS.make("omniglot", data=toys.characters(), ways=3, queries=5)
    whole = ImageFile.load(toys.characters())
    parts = [255 - getattr(problem, split).images.numpy() for split in ("train", "validation")]
    parts.append(255 - problem.test.images.numpy())
    assert [len(part) for part in parts] == [4 * 8 * 20, 8 * 20, 8 * 20]
    own = whole.images.reshape(24, 20, 16, 16, 1)
    for part, images in enumerate([parts[0][: 8 * 20], *parts[1:]]):
        np.testing.assert_array_equal(images.reshape(8, 20, 16, 16, 1), own[part::3])


def test_more_ways_than_classes_are_refused_before_any_task_is_drawn():
    """There are 32 training classes, turned ones included, and 8 to validate on."""
    with pytest.raises(ValueError, match="9 ways are too many for .*characters.npz: .* 8 and 8"):
        maml.TASKS.make("omniglot", data=toys.characters(), ways=9, queries=1)


# -- networks and learners ----------------------------------------------------------------------


def test_networks_have_the_published_sizes():
    def count(kind, shape, filters, pooling, ways=5):
        made = convolutions.convolutional_networks(shape, kind, filters, pooling)
        network, embedding = made.network(ways), made.embedding()
        assert network.output_shape == (None, ways)
        assert network.count_params() - embedding.count_params() == ways * (
            embedding.output_shape[-1] + 1
        )
        return network.count_params(), embedding.output_shape[-1]

    def convolution(inputs, outputs, size=3):
        return size * size * inputs * outputs + 2 * outputs  # A scale, and a shift for a bias.

    blocks = convolution(1, 64) + 3 * convolution(64, 64)
    assert count("conv", (28, 28, 1), 64, False) == (blocks + 5 * (256 + 1), 256)
    blocks = convolution(3, 32) + 3 * convolution(32, 32)
    assert count("conv", (84, 84, 3), 32, True) == (blocks + 5 * (800 + 1), 800)
    widths = (784, 256, 128, 64, 64)
    layers = sum((a + 2) * b for a, b in zip(widths, widths[1:], strict=False))
    assert count("perceptron", (28, 28, 1), 0, False) == (layers + 5 * 65, 64)
    widths = (3, 64, 128, 256, 512)
    layers = sum(
        convolution(a, b) + 2 * convolution(b, b) + convolution(a, b, 1)
        for a, b in zip(widths, widths[1:], strict=False)
    )
    assert count("resnet12", (84, 84, 3), 64, True) == (layers + 5 * 513, 512)
    with pytest.raises(
        ValueError,
        match="`kind`: expected one of conv, perceptron, resnet12; received 'tea'",
    ):
        convolutions.convolutional_networks((28, 28, 1), "tea")


def classes_episode(dtype=tf.float64, ways=3, shots=2):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, ways * (shots + 2), 4)), dtype)
    y = tf.tile(tf.eye(ways, dtype=dtype)[tf.newaxis], [2, shots + 2, 1])
    k = ways * shots
    return maml.Episode(x[:, :k], y[:, :k], x[:, k:], y[:, k:])


def metric_learner(kind, **options):
    embedding = toys.perceptron(4, 6, dtype="float64")
    head = maml.CategoricalHead(3)
    return maml.LEARNERS[kind](embedding, head, dtype="float64", **options), embedding


def test_a_prototypical_network_by_numpy():
    learner, embedding = metric_learner("protonet")
    episode = classes_episode()
    answer = learner(episode).numpy()
    for task in range(2):
        shots, queries = (embedding(x[task]).numpy() for x in (episode.support_x, episode.query_x))
        prototypes = np.stack([shots[label::3].mean(axis=0) for label in range(3)])
        distance = ((queries[:, None] - prototypes) ** 2).sum(-1)
        expected = np.exp(-distance) / np.exp(-distance).sum(-1, keepdims=True)
        np.testing.assert_allclose(answer[task], expected, rtol=1e-9)


def test_a_matching_network_by_numpy():
    learner, embedding = metric_learner("matching", temperature=0.3)
    episode = classes_episode()
    answer = learner(episode).numpy()
    for task in range(2):
        shots, queries = (embedding(x[task]).numpy() for x in (episode.support_x, episode.query_x))
        unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (shots, queries)]
        weights = np.exp(unit[1] @ unit[0].T / 0.3)
        weights /= weights.sum(-1, keepdims=True)
        expected = np.stack([weights[:, label::3].sum(-1) for label in range(3)], axis=-1)
        np.testing.assert_allclose(answer[task], expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["protonet", "matching"])
def test_gradients_of_learners_that_compare_equal_finite_differences(kind):
    learner, _ = metric_learner(kind)
    episode = classes_episode()
    learner.create_weights(episode)
    variables = learner.learner_variables
    with tf.GradientTape() as tape:
        loss = learner.objective(episode, SEED, training=True)[0]
    gradients = tape.gradient(loss, variables)
    expected = toys.finite_differences(
        lambda: learner.objective(episode, SEED, training=True)[0], variables
    )
    for gradient, reference in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, reference, atol=1e-7)


@pytest.mark.parametrize("kind", ["protonet", "matching"])
def test_learners_that_compare_know_nothing_without_shots_and_refuse_numbers(kind):
    learner, embedding = metric_learner(kind)
    prior = learner.decode(learner.initial_state(2), tf.constant(np.ones((2, 5, 6)))).mean()
    np.testing.assert_allclose(prior, np.full((2, 5, 3), 1 / 3), rtol=1e-6)
    with pytest.raises(ValueError, match="compares classes"):
        maml.LEARNERS[kind](embedding, maml.NormalHead())


def test_a_class_without_shots_leaves_no_nan():
    learner, _ = metric_learner("protonet")
    episode = classes_episode()
    without = episode._replace(
        support_x=episode.support_x[:, :1], support_y=episode.support_y[:, :1]
    )
    assert np.isfinite(learner(without)).all()


def test_a_learner_tells_new_classes_apart(tmp_path):
    problem = maml.TASKS.make("omniglot", data=toys.characters(), queries=5)
    networks = problem.build_networks(filters=8)
    learner = maml.make_learner("protonet", networks, problem.head)
    learner.create_weights(problem.train.sample(2, SEED))
    learner.compile(keras.optimizers.Adam(3e-3))
    learner.fit(problem.train.dataset(4, 0), steps_per_epoch=30, verbose=0)
    accuracy = problem.evaluator(learner)(problem.test, 1, 10, 0, 20)["accuracy"]
    assert accuracy.mean() > 0.6  # Of five classes.


# -- files --------------------------------------------------------------------------------------


def test_a_file_of_images_comes_back_as_it_was(tmp_path):
    content = toys.images_of_classes(channels=3)
    content.save(tmp_path / "a.npz")
    again = ImageFile.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.images, content.images)
    assert again.names.tolist() == content.names.tolist()
    assert again.counts.tolist() == content.counts.tolist()
    assert {k: v.tolist() for k, v in again.splits.items()} == {
        k: v.tolist() for k, v in content.splits.items()
    }
    assert again.checksum() == content.checksum()


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    content = toys.images_of_classes()
    content.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="a.npz is damaged"):
        ImageFile.load(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="a.npz is damaged"):
        ImageFile.load(path)
    np.savez(path, images=np.array([{}], object))
    with pytest.raises(ValueError, match="a.npz is damaged"):
        ImageFile.load(path)
    arrays = content._arrays() | {"images": content.images[::-1]}
    np.savez(path, checksum=content.checksum(), **arrays)
    with pytest.raises(ValueError, match="not have the content of its checksum"):
        ImageFile.load(path)
    with pytest.raises(ValueError, match="no file .*nowhere.npz' of images: .* --data"):
        ImageFile.load(tmp_path / "nowhere.npz")


# -- prepare ------------------------------------------------------------------------------------


def mini(folder):
    """Six classes of three images in the layout of mini-ImageNet."""
    for table, labels in {"train": "abc", "val": "d", "test": "ef"}.items():
        names = [(f"{label}{number}.jpg", f"n{label}") for label in labels for number in range(3)]
        for index, (name, label) in enumerate(names):
            picture(folder / "images" / name, 20 * (ord(label[1]) - 96) + index % 3)
        rows = ["filename,label", *(",".join(row) for row in names)]
        (folder / f"{table}.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_mini_imagenet_is_prepared(tmp_path):
    process = run(
        "--dataset=miniimagenet", f"--source={mini(tmp_path)}", f"--output={tmp_path / 'm.npz'}"
    )
    assert process.returncode == 0, process.stderr
    assert "18 images of 6 classes, (84, 84, 3)" in process.stdout
    content = ImageFile.load(tmp_path / "m.npz")
    assert content.names.tolist() == ["na", "nb", "nc", "nd", "ne", "nf"]
    assert content.splits["classes"].tolist() == [0, 0, 0, 1, 2, 2]
    values = content.images[:, :40, :40].reshape(6, 3, -1).astype(int)
    expected = 20 * np.arange(1, 7)[:, None] + np.arange(3)
    assert np.abs(values - expected[..., None]).max() <= 3  # JPEG.


def test_any_folder_of_class_folders_is_prepared(tmp_path):
    for label in range(25):
        for number in range(2):
            picture(tmp_path / f"c{label:02d}" / f"{number}.png", label)
    content = prepare.prepare(prepare.any_folder(tmp_path), 2, verbose=False)
    assert np.bincount(content.splits["classes"]).tolist() == [16, 4, 5]
    np.testing.assert_array_equal(content.images[:, 0, 0, 0], np.repeat(np.arange(25), 2))
    for top in ("train", "val", "test"):
        picture(tmp_path / "split" / top / f"of {top}" / "0.png", 1)
    content = prepare.prepare(prepare.any_folder(tmp_path / "split"), 2, verbose=False)
    assert dict(zip(content.names, content.splits["classes"], strict=True)) == {
        "test/of test": 2, "train/of train": 0, "val/of val": 1,
    }  # fmt: skip
    # The custom of classification: images of each class for all three.
    picture(tmp_path / "split/test/of train/0.png", 1)
    with pytest.raises(ValueError, match="class of train for test and for train"):
        prepare.any_folder(tmp_path / "split")


def test_missing_truncated_and_extra_files_are_named(tmp_path):
    def fails(source, message, dataset="miniimagenet"):
        with pytest.raises(ValueError, match=message):
            prepare.prepare(prepare.SOURCES[dataset](source), 2, verbose=False)

    folder = mini(tmp_path / "mini")
    picture(folder / "images/z9.jpg", 0)
    fails(folder, "z9.jpg is in no table")
    (folder / "images/z9.jpg").unlink()
    broken = folder / "images/b1.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    fails(folder, "nb/b1.jpg is not a readable image")
    process = run("--dataset=miniimagenet", f"--source={folder}", f"--output={tmp_path / 'o.npz'}")
    assert process.returncode != 0 and not list(tmp_path.glob("*o.npz*"))
    assert (
        process.stderr.strip()
        .splitlines()[-1]
        .startswith("Error: nb/b1.jpg is not a readable image")
    )
    broken.unlink()
    fails(folder, "b1.jpg is missing, which train.csv names")
    (folder / "val.csv").write_text("name\nb.jpg\n")
    (folder / "train.csv").write_text("filename,label\n")
    fails(folder, r"val\.csv, line 1: must name the columns filename,label")
    (folder / "val.csv").unlink()
    fails(folder, "val.csv is missing")
    (tmp_path / "empty").mkdir()
    fails(tmp_path / "empty", "holds no images", "folder")
    fails(folder / "images", "is in no folder of a class", "folder")
    fails(tmp_path, "no drawing of Omniglot", "omniglot")
    (tmp_path / "empty/images_background.zip").write_bytes(b"PK no more")
    fails(tmp_path / "empty", "images_background.zip is damaged", "omniglot")


@pytest.fixture(scope="module")
def omniglot(tmp_path_factory):
    if not OMNIGLOT.exists():
        pytest.skip("Omniglot is not there: ../shared/data/omniglot.tar.xz")
    folder = tmp_path_factory.mktemp("omniglot")
    shutil.unpack_archive(OMNIGLOT, folder)
    return folder


@pytest.mark.slow
def test_the_real_omniglot_is_prepared_unpacked_zipped_or_merged(omniglot, tmp_path):
    source = prepare.omniglot(omniglot)
    assert len(source.images) == 1623
    parts = {name: np.array(list(of.values())) for name, of in source.splits.items()}
    assert {name: (of == "test").sum() for name, of in parts.items()} == {
        "characters": 423, "alphabets": 659,
    }  # fmt: skip
    assert (parts["characters"] == "validation").sum() == 100
    evaluation = {path.name for path in (omniglot / "images_evaluation").iterdir()}
    for name, split in source.splits["alphabets"].items():
        assert (split == "test") == (name.split("/")[0] in evaluation)
    alphabets = {
        split: {n.split("/")[0] for n, s in source.splits["alphabets"].items() if s == split}
        for split in prepare.SPLITS
    }
    assert [len(of) for of in alphabets.values()] == [25, 5, 20]

    # The same drawings from one archive and one merged folder, of which a few are read.
    other = tmp_path / "other"
    other.mkdir()
    with zipfile.ZipFile(other / "images_background.zip", "w") as archive:
        for path in (omniglot / "images_background").rglob("*.png"):
            archive.write(path, path.relative_to(omniglot))
    for alphabet in evaluation:
        (other / alphabet).symlink_to(omniglot / "images_evaluation" / alphabet)
    few = ("Greek/character01", "Tibetan/character42")

    def small(found):
        images = {name: found.images[name] for name in few}
        splits = {name: {k: of[k] for k in few} for name, of in found.splits.items()}
        return prepare.prepare(found._replace(images=images, splits=splits), 2, verbose=False)

    first = small(source)
    assert first.images.shape == (40, 28, 28, 1)
    # White paper, black ink.
    assert 200 < first.images.mean() < 250 and first.images.min() < 60
    assert first.checksum() == small(prepare.omniglot(other)).checksum()

    drawing = next((omniglot / "images_background/Greek/character05").iterdir())
    drawing.unlink()
    with pytest.raises(ValueError, match="19 drawings of Greek/character05"):
        prepare.omniglot(omniglot)

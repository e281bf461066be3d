"""Training, scoring and comparing on a tiny data set, in process and as a user runs it."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from hands import splits, tiny
from marks import exhaustive
from toys import trains

import maml
from maml.diagnostics.report import stated_normalization
from maml.experiments import training
from maml.experiments.results import sentence
from pose_code.data import describe, is_among
from pose_data import pickles

ROOT = pathlib.Path(__file__).parent.parent
METHODS = {
    "none": {},
    "normal head": {"head": "normal", "regularizer": "prediction_mi"},
    "Label-MI by MINE": {"regularizer": "label_mi", "label_mi.bound": "mine"},
    "together": {
        "regularizer": "mr_w,mr_a,weight_decay,label_augmentation,label_mi",
        "label_augmentation.probability": 0.5, "network.precision": "mixed_bfloat16",
    },
    "shared tower": {
        "regularizer": "mr_w,label_mi", "network.shared_tower": True, "mr_w.layers": ("tower",),
    },
    "normalized": {
        "network.embedding_normalization": "layer", "regularizer": "prediction_mi",
    },
    "changed images": {
        "task.image_augmentation": ("all",), "head": "von_mises", "head.harmonics": 2,
    },
    "by step": {"network.normalization": "step"},
    "frozen": {
        "network.normalization": "frozen", "learner.inner_optimizer": "adam",
        "learner.inner_clip": 1.0,
    },
}  # fmt: skip
CASES = [
    ("cnp", "normal head"),
    ("cnp", "together"),
    ("relative", "changed images"),
    ("maml", "shared tower"),
]
MORE_CASES = [
    ("maml++", "by step"),
    ("cnp", "Label-MI by MINE"),
    ("acnp", "normalized"),
    ("tnp", "none"),
    ("reptile", "frozen"),
    ("imaml", "none"),
]
"""Left out by default: test_every_combination.py trains these learners, on classes."""
DRAWN = ("shared tower", "normal head")
"""Methods whose pictures are drawn too."""
# FOMAML, ANIL and Meta-SGD differ from MAML in what adapts, not in what they are given; latent
# neural processes and Bayesian learners differ from the others in what they predict. Those that
# know the tasks' distribution know none of images.
LEARNERS = {name for name in maml.LEARNERS if not maml.LEARNERS[name].classification_only}
LEARNERS = set(filter(trains, LEARNERS)) - {"fomaml", "anil", "metasgd", "latent_np"}
LEARNERS -= {"attentive_latent_np", "platipus", "bmaml", "abml"}


def test_no_learner_or_regularizer_is_left_out():
    cases = CASES + MORE_CASES
    assert {learner for learner, _ in cases} == LEARNERS
    assert {method for _, method in cases} == set(METHODS)
    named = ",".join(of.get("regularizer", "none") for of in METHODS.values()).split(",")
    elsewhere = {"action_mi", "metamix", "mlti"}  # See test_rl.py and test_interpolation.py.
    assert set(named) - {"none"} == set(maml.REGULARIZERS) - elsewhere


def test_validation_objects_are_neither_trained_on_nor_tested(data_dir):
    chosen = {"task.num_validation": 3}
    families = tiny(data_dir, **chosen).make_problem().families
    again = tiny(data_dir, **chosen, seed=5).make_problem().families
    assert {name: family.names for name, family in families.items()} == {
        name: family.names for name, family in again.items()
    }
    train, validation, test = (families[name] for name in ("train", "validation", "test"))
    assert len(train.names) == 5
    assert sorted(train.names + validation.names) == [f"hand/train{i}" for i in range(8)]
    assert test.names == [f"hand/val{i}" for i in range(8)]
    everything = tiny(data_dir).make_problem().families
    assert list(everything) == ["train", "test"]
    whole = everything["train"]
    for family in (train, validation):
        for index, name in enumerate(family.names):
            there = whole.names.index(name)
            np.testing.assert_array_equal(family.images[index], whole.images[there])
            np.testing.assert_array_equal(family.angles[index], whole.angles[there])


def test_objects_of_another_folder_are_trained_on_as_well(data_dir):
    own = splits(data_dir, num_validation=2)
    both = splits(data_dir, num_validation=2, extra_data_dir=str(data_dir))
    # Those that are kept back here are not trained on by that way, either.
    assert both["train"].names == own["train"].names * 2
    assert both["train"].num_tasks == 12 and both["test"].names == own["test"].names
    np.testing.assert_array_equal(both["train"].images[:6], own["train"].images)
    assert both["train"].checksums == own["train"].checksums * 2


def test_without_names_nothing_tells_which_extra_objects_are_held_out(data_dir, tmp_path):
    """The pickles of the original project come without a split.json."""
    shutil.copytree(data_dir, tmp_path / "unnamed")
    (tmp_path / "unnamed/split.json").unlink()
    assert splits(tmp_path / "unnamed")["train"].num_tasks == 8
    for own, extra in ((data_dir, tmp_path / "unnamed"), (tmp_path / "unnamed", data_dir)):
        with pytest.raises(ValueError, match=r"unnamed/split\.json is missing.*extra objects"):
            splits(own, num_validation=2, extra_data_dir=str(extra))


@pytest.mark.parametrize(
    ("name", "mesh", "there", "expected"),
    [
        ("car/1", "a", "a", True),
        ("car/1", "a", "b", False),
        ("car/1", None, "b", True),
        ("car/1", "a", None, True),
        ("car/2", "a", "a", True),
        ("car/2", None, "a", False),
        ("car/1~3", "c", "a", True),
    ],
)
def test_an_object_is_known_by_its_shape_or_else_by_its_name(name, mesh, there, expected):
    held_out = {"car/1": there, "car/9": "z"}
    assert is_among(name, {name: mesh}, held_out) == expected
    assert not is_among("boat/1", {"boat/1": "y"}, held_out)
    # A variant is as good as what it is one of, by whatever name; so is a variant of a variant.
    for variant in ("boat/1~2", "boat/1~2~1"):
        assert is_among(variant, {variant: "x", "boat/1": "z"}, held_out)
    assert is_among("car/1~3~1", {}, held_out)


def test_a_set_is_known_by_its_images_whatever_is_made_of_them(data_dir, tmp_path):
    """Images in other orientations have the same angles."""

    def described(folder, **given):
        return describe(splits(folder, num_validation=2, **given))

    own = described(data_dir)
    assert described(data_dir, image_size=5, cropped=True) == own
    shutil.copytree(data_dir, tmp_path / "turned")
    images, labels = pickles.load(data_dir / "val_data.pkl")
    images[1][3] = images[1][3].T
    pickles.dump([images, labels], tmp_path / "turned/val_data.pkl")
    turned = described(tmp_path / "turned")
    assert {name for name in own if own[name] != turned[name]} == {"test_images"}


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("{", r"split\.json: expected .*data_gen\.py"),
        ('{"train": ["a"]}', r"split\.json: expected .*data_gen\.py"),
        ('{"train": ["a"], "val": 3}', r"split\.json: expected .*data_gen\.py"),
        ('{"train": ["a", 3], "val": ["b"]}', r"split\.json: expected .*data_gen\.py"),
        (
            '{"train": ["a"], "val": ["b"]}',
            "expected a name for each object of train_data.pkl, which holds 8 .*; received 1 name",
        ),
    ],
)
def test_names_that_do_not_fit_are_refused(data_dir, tmp_path, split, message):
    shutil.copytree(data_dir, tmp_path / "other")
    (tmp_path / "other/split.json").write_text(split)
    with pytest.raises(ValueError, match=message):
        splits(tmp_path / "other")


def test_a_single_test_object_is_refused(data_dir, tmp_path):
    images, labels = pickles.load(data_dir / "val_data.pkl")
    pickles.dump([images[:1], labels[:1]], tmp_path / "val_data.pkl")
    shutil.copy(data_dir / "train_data.pkl", tmp_path)
    with pytest.raises(ValueError, match="one test object, too few"):
        splits(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_validation": 7}, "leave two or more of 8 objects to train on; received 7"),
        ({"num_validation": 1}, "too few"),
        ({"other_shots": "5,a"}, "`other_shots`: expected a sequence of int, received '5,a'"),
        ({"image_augmentation": "rain"}, "expected some of shift.* received 'rain'"),
        ({"image_augmentation": "none,shift"}, "expected some of shift.* received 'none'"),
    ],
)
def test_objects_and_images_that_cannot_be_are_refused(data_dir, given, message):
    with pytest.raises(ValueError, match=message):
        tiny(data_dir, **{f"task.{name}": value for name, value in given.items()}).make_problem()


def test_objects_are_named_where_some_of_them_are_scored(data_dir):
    problem = tiny(data_dir).make_problem()
    names = ("mse", "angle", "no_support_angle", "mismatched_support_mse")
    scores = {name: np.arange(4.0).reshape(4, 1, 1) for name in names}
    found = problem.summarize(scores, problem.test)["objects"]
    assert found == {f"hand/val{2 * i}": {"mse": i, "angle": i} for i in range(4)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learner", "method"),
    CASES + exhaustive(*MORE_CASES),
)
def test_every_method_trains_and_is_scored(learner, method, data_dir, tmp_path):
    drawn = method in DRAWN
    settings = tiny(data_dir, learner=learner, **METHODS[method])
    result = training.run(settings, tmp_path, verbose=0, pictures=drawn)
    assert json.loads((tmp_path / "results.json").read_text())["method"] == result["method"]
    for split in ("train", "test"):
        scores = result["scores"][split]
        for score in ("mse", "no_support_mse", "swap_gap", "angle", "label_information_lower"):
            assert np.isfinite(scores[score]["mean"])
            assert scores[score]["ci95"] > 0
    report = maml.MemorizationReport(**result["diagnosis"])
    right = report.splits["held_out"]["scores"]["right"]
    assert right["mean"] == pytest.approx(scores["mse"]["mean"])
    assert report.normalization == result["normalization"]
    assert result["cost"]["steps"] == 4 and result["cost"]["skipped_steps"] == 0
    assert set(result["scores"]["test"]["objects"]) == {f"hand/val{i}" for i in range(8)}
    assert {"tensorflow", "keras"} <= set(result["provenance"]["versions"])
    said = sentence(result)
    assert f"; {report.verdict}; {stated_normalization(report.normalization)}" in said
    assert f"mse {scores['mse']['mean']:.4g}" in said
    for name in ("curves.png", "predictions.png", "diagnosis.png") if drawn else ():
        assert (tmp_path / name).read_bytes()[1:4] == b"PNG"
    assert list(tmp_path.glob("tensorboard/train/events*"))
    assert type(maml.load(tmp_path / "learner.keras")) is maml.LEARNERS[learner]

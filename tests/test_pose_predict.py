"""Answers of a trained learner about images of one's own."""

import csv
import json
import os
import shutil

import commands
import hands
import numpy as np
import pytest
from hands import tiny
from PIL import Image

import maml
from maml.experiments import training
from pose_code import predict


@pytest.fixture(scope="module")
def asked(data_dir, tmp_path_factory):
    """A trained learner, and folders of a support set and of queries."""
    folder = tmp_path_factory.mktemp("asked")
    settings = tiny(data_dir, **{"task.image_augmentation": ("shift",)})
    training.run(settings, folder / "run", verbose=0)
    images, angles = hands.hands(1, 8, 5)
    for name in ("support", "query"):
        (folder / name).mkdir()
    rows = ["image,degrees"]
    for index, (image, angle) in enumerate(zip(images[0], angles[0], strict=True)):
        of = "support" if index < 5 else "query"
        # Ever so large, in colour: the command makes images what the learner knows.
        large = Image.fromarray(image).resize((256, 256), Image.Resampling.BOX)
        large.convert("RGB").save(folder / of / f"{index}.png")
        if of == "support":
            rows.append(f"{index}.png,{angle * 360 - 720:.3f}")
    (folder / "support" / "angles.csv").write_text("\n".join(rows) + "\n")
    return folder


def ask(folder, *more):
    flags = {"model": "run/learner.keras", "support": "support", "query": "query", "output": "out"}
    flags |= dict(flag.removeprefix("--").split("=") for flag in more)
    given = [f"--{name}={folder / value}" for name, value in flags.items()]
    return commands.run("pose_code.predict", *given)


@pytest.mark.slow
def test_predict_answers_what_the_learner_does(asked):
    process = ask(asked)
    assert process.returncode == 0, process.stderr
    with (asked / "out/predictions.csv").open() as file:
        found = {row["image"]: float(row["degrees"]) for row in csv.DictReader(file)}
    assert list(found) == ["5.png", "6.png", "7.png"]
    assert (asked / "out/predictions.png").stat().st_size > 1000
    learner = maml.load(asked / "run/learner.keras")
    images, angles = hands.hands(1, 8, 5)
    # 16 pixels to 256 to 128 to 16 again: blocks of one value, and Lanczos rings at their edges.
    x, y = images[..., None].astype(np.float32) / 255, (angles[..., None] * 10).astype(np.float32)
    state = learner.encode(learner.features(x[:, :5]), y[:, :5])
    expected = learner.decode(state, learner.features(x[:, 5:])).mode().numpy()[0, :, 0] * 36
    apart = (np.array(list(found.values())) - expected + 180) % 360 - 180
    assert np.abs(apart).max() < 10


@pytest.mark.parametrize("side", [16, 41, 80])
@pytest.mark.parametrize("cropped", [False, True])
@pytest.mark.parametrize("shrunk", [False, True])
def test_predict_makes_images_what_a_learner_of_any_size_knows(asked, side, cropped, shrunk):
    options = {"cropped": cropped, "image_size": side if shrunk else 0}
    images = predict.read_images([asked / "query/5.png"], options, side)
    assert images.shape == (1, side, side, 1) and 0 <= images.min() < images.max() <= 1


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--support=query", "angles.csv is missing: write a table of two columns"),
        ("--query=run/tensorboard", "holds no images"),
        ("--query=nowhere", "no folder"),
        ("--model=query/5.png", "config.json is missing"),
        ("--model=query/none.keras", "There is no file"),
    ],
)
def test_predict_says_what_is_missing(asked, flag, message):
    process = ask(asked, flag)
    assert process.returncode == 1 and message in process.stderr
    assert process.stderr.count("Error:") == 1 and "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image,degrees\n0.png,ten\n", "line 2: needs a name and a number"),
        ("image,degrees\n0.png,nan\n", "line 2: nan is no angle"),
        ("image,degrees\n0.png\n", "line 2: needs a name and a number"),
        ("image,degrees\n,3\n", "line 2: needs a name and a number"),
        ("degrees,image\n3\n", "line 2: needs a name and a number"),
        ("image,degrees\n0.png,3\n0.png,4\n", "line 3: 0.png has an angle already"),
        ("name,degrees\n0.png,3\n", "line 1: must name the columns image,degrees"),
        ("image;degrees\n0.png;3\n", "line 1: must name the columns image,degrees"),
        ("", "line 1: must name the columns image,degrees"),
        ("image,degrees\n", "has no lines"),
        ("image,degrees\n9.png,3\n", "9.png is missing, but angles.csv names it"),
    ],
)
def test_predict_refuses_tables_that_say_nothing(asked, tmp_path, table, message):
    shutil.copytree(asked / "support", tmp_path / "support")
    (tmp_path / "support/angles.csv").write_text(table)
    with pytest.raises(ValueError, match=message):
        predict.predict_angles(asked / "run/learner.keras", tmp_path / "support", asked / "query")


def test_predict_reads_tables_as_spreadsheets_save_them(tmp_path):
    table = tmp_path / "angles.csv"
    table.write_text("image,degrees\r\nü.png,-30.5\r\n", encoding="utf-8-sig", newline="")
    assert predict.read_angles(tmp_path) == {"ü.png": -30.5}
    table.write_text("image,degrees\nü.png,3\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"angles\.csv is no UTF-8"):
        predict.read_angles(tmp_path)


def test_predict_knows_learners_of_before_an_option_was_there(asked, tmp_path):
    shutil.copytree(asked / "run", tmp_path / "run")
    content = json.loads((tmp_path / "run/config.json").read_text())
    del content["config"]["num_relabelings"]
    for name in ("cropped", "other_shots"):
        del content["config"]["task_options"][name]
    (tmp_path / "run/config.json").write_text(json.dumps(content))
    folders = asked / "support", asked / "query"
    _, found = predict.predict_angles(tmp_path / "run/learner.keras", *folders)
    _, expected = predict.predict_angles(asked / "run/learner.keras", *folders)
    assert {name: of[1] for name, of in found.items()} == {
        name: of[1] for name, of in expected.items()
    }


def spoil_queries(asked, folder):
    """Queries of which one can be used, with many that cannot, or are no images."""
    query = shutil.copytree(asked / "query", folder / "query")
    whole = (query / "6.png").read_bytes()
    (query / "6.png").write_bytes(whole[: len(whole) // 2])
    Image.new("L", (40, 40), 9).save(query / "7.png")
    Image.new("L", (40, 20)).save(query / "8.png")
    os.mkfifo(query / "9.png")
    (query / "._5.png").write_bytes(whole)
    shutil.copy(query / "5.png", query / os.fsdecode(b"\xff.png"))  # No UTF-8.
    (query / "notes.txt").write_text("text")
    (query / "folder.png").mkdir()
    return query


@pytest.mark.slow
def test_predict_answers_what_it_can_and_names_the_rest(asked, tmp_path):
    spoil_queries(asked, tmp_path)
    process = ask(asked, f"--query={tmp_path / 'query'}", f"--output={tmp_path / 'out'}")
    assert process.returncode == 1 and "Traceback" not in process.stderr
    with (tmp_path / "out/predictions.csv").open() as file:
        assert [row["image"] for row in csv.DictReader(file)] == ["5.png", r"\udcff.png"]
    for named in (
        "6.png is not a readable image", "7.png has no contrast", "8.png is 40 x 20 pixels",
        "9.png is not a regular file", "._5.png", "notes.txt", "folder.png",
        "Error: 4 images without an answer",
    ):  # fmt: skip
        assert named in process.stderr, named


def test_predict_sees_photos_upright_and_on_white(asked, tmp_path):
    options, plain = {"cropped": False, "image_size": 0}, Image.open(asked / "query/5.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    plain.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    ink = 255 - np.asarray(plain.convert("L"))
    black = Image.fromarray(np.stack([0 * ink, ink], axis=-1), "LA")
    black.save(tmp_path / "clear.png")
    deep = np.asarray(plain.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    expected = predict.read_images([asked / "query/5.png"], options, 16)
    for name in ("turned", "clear", "deep"):
        found = predict.read_images([tmp_path / f"{name}.png"], options, 16)
        np.testing.assert_allclose(found, expected, atol=1.01 / 255)


def test_predict_does_not_squeeze_an_image_into_a_square(asked, tmp_path):
    shutil.copytree(asked / "query", tmp_path / "query")
    Image.new("L", (40, 20)).save(tmp_path / "query/6.png")
    with pytest.raises(ValueError, match=r"6\.png is 40 x 20 pixels, not a square"):
        predict.predict_angles(asked / "run/learner.keras", asked / "support", tmp_path / "query")


def test_predict_names_an_image_that_is_cut_short(asked, tmp_path):
    shutil.copytree(asked / "query", tmp_path / "query")
    whole = (asked / "query/6.png").read_bytes()
    (tmp_path / "query/6.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"6\.png is not a readable image"):
        predict.predict_angles(asked / "run/learner.keras", asked / "support", tmp_path / "query")

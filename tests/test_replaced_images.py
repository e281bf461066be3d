"""Images of a rendered object that are not those that were rendered are noticed."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mine import reporting
from mine.reporting.inputs import image_origin
from pose_data import data_gen, records, resize_images


@pytest.fixture
def folder(tmp_path):
    """An object as the renderer leaves it: images of noise, labels, checksums in the manifest."""
    folder = tmp_path / "in/chair/01"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (12, 12), np.uint8)).save(folder / f"{i}.png")
    checksums = [reporting.file_sha256(folder / f"{i}.png") for i in range(4)]
    (folder / records.MANIFEST).write_text(json.dumps({records.IMAGE_SHA256: checksums}))
    return folder


def check(folder):
    records.check_images(records.image_files(folder))


def resized(folder, *sizes):
    paths = records.image_files(folder)
    for size in sizes:
        assert [failure for _, _, failure in resize_images.resize_all(paths, size, 1)] == [None] * 4


def swapped(folder):
    shutil.move(folder / "1.png", folder / "other")
    shutil.move(folder / "2.png", folder / "1.png")
    shutil.move(folder / "other", folder / "2.png")


def drawn_on(folder):
    """As an editor of images does that keeps what it does not know."""
    with Image.open(folder / "1.png") as image:
        pixels, info = np.array(image), PngInfo()
        for name, text in image.text.items():
            info.add_text(name, text)
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(folder / "1.png", pnginfo=info)


def replaced(folder):
    Image.new("L", (8, 8), 7).save(folder / "1.png")


@pytest.mark.parametrize("sizes", [(), (12,), (8,), (10, 8)])
@pytest.mark.parametrize("change", [swapped, drawn_on, replaced])
def test_an_image_that_was_put_in_place_of_another_is_named(folder, change, sizes):
    resized(folder, *sizes)
    check(folder)
    change(folder)
    with pytest.raises(records.RecordError, match=r"1\.png: expected the one whose checksum"):
        check(folder)


def test_an_image_that_was_replaced_before_it_was_made_small_is_named(folder):
    replaced(folder)
    resized(folder, 6)
    with pytest.raises(records.RecordError, match=r"1\.png: expected the one whose"):
        check(folder)


def test_of_two_label_files_none_is_chosen(folder):
    for name in ("label_chair01", "label_old"):
        (folder / name).write_bytes(b"")
    with pytest.raises(records.RecordError, match="received label_chair01 and label_old; remove"):
        records.read_labels(folder)


def test_an_image_more_or_less_is_noticed(folder):
    (folder / "3.png").unlink()
    with pytest.raises(records.RecordError, match="expected 4 images, whose checksums"):
        check(folder)


def test_data_gen_refuses_it_and_a_render_is_made_anew(folder):
    (folder / "label_chair01").write_bytes(b"")
    replaced(folder)
    with pytest.raises(records.RecordError, match=r"1\.png: expected the one whose"):
        data_gen.read_object(folder)
    manifest = {"num_images": 4}
    checksums = records.read_manifest(folder)[records.IMAGE_SHA256]
    whole = manifest | {records.IMAGE_SHA256: checksums}
    (folder / records.MANIFEST).write_text(json.dumps(whole))
    assert not records.is_complete(folder, manifest)
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(folder / "1.png")
    checksums[1] = reporting.file_sha256(folder / "1.png")
    (folder / records.MANIFEST).write_text(json.dumps(whole))
    assert records.is_complete(folder, manifest)


def test_images_without_checksums_and_damaged_lists(folder):
    (folder / records.MANIFEST).write_text("{}")
    replaced(folder)
    check(folder)
    for odd in (3, "text", [1, 2], [None] * 4):
        (folder / records.MANIFEST).write_text(json.dumps({records.IMAGE_SHA256: odd}))
        with pytest.raises(records.RecordError, match="checksum"):
            check(folder)


@pytest.mark.parametrize(
    "content",
    ["", "[1]", "{", '{"mesh_sha256": 3}', '{"canonical_yaw": "x"}', '{"canonical": null}'],
)
def test_a_damaged_manifest_is_not_taken_for_none(folder, content):
    (folder / records.MANIFEST).write_text(content)
    with pytest.raises(records.RecordError, match=r"manifest\.json: expected what mujoco_render"):
        check(folder)
    (folder / records.MANIFEST).unlink()
    check(folder)


def test_an_origin_of_what_is_no_image_is_its_own(tmp_path):
    path = pathlib.Path(tmp_path / "a.png")
    path.write_text("text")
    assert image_origin.origin(path) == reporting.file_sha256(path)

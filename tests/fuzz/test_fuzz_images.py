"""Damaged image files: whatever the bytes, only errors of our own come out.

FUZZ_SECONDS in the environment is about how long they take; 5 without it.
"""

import functools
import io
import os
import zipfile

import numpy as np
import pytest
import toys
from budget import fuzzed
from damage import damaged, npy, saved, with_checksums
from hypothesis import strategies as st
from PIL import Image

from maml.tasks import prepare
from maml.tasks.image_file import ImageFile
from mine.reporting.inputs.arrays import read_npz
from mine.reporting.inputs.image_reader import ImageError, read_image
from mine.reporting.inputs.skipped import Skipped


@functools.cache
def images():
    """An image in each format and many modes."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 4), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    made = {
        "RGBA": Image.fromarray(pixels),
        "RGB": Image.fromarray(pixels[..., :3]),
        "L": Image.fromarray(pixels[..., 0]),
        "1": Image.fromarray(pixels[..., 0] > 99),
        "LA": Image.fromarray(pixels[..., :2], "LA"),
        "P": Image.fromarray(pixels[..., :3]).quantize(16),
        "16": Image.fromarray(pixels[..., :2].copy().view(np.uint16)[..., 0]),
        "CMYK": Image.fromarray(pixels, "CMYK"),
    }
    kinds = {
        "PNG": ["RGBA", "RGB", "L", "1", "LA", "P", "16"],
        "TIFF": ["RGBA", "L", "1", "P", "16", "CMYK"],
        "JPEG": ["RGB", "L", "CMYK"],
        "WEBP": ["RGBA", "RGB"],
        "GIF": ["P"],
        "BMP": ["RGB", "P"],
        "PPM": ["RGB", "1", "16"],
    }
    wholes = []
    for kind, modes in kinds.items():
        for mode in modes:
            content = io.BytesIO()
            turned = {"exif": exif} if kind in ("PNG", "TIFF", "JPEG", "WEBP") else {}
            made[mode].save(content, kind, **turned)
            wholes.append(content.getvalue())
    return wholes


@functools.cache
def archives(suffix):
    """Two classes of two images in a zip, or as a file of images."""
    if suffix == "npz":
        found = toys.images_of_classes(2, 2, 8)
        arrays = {"checksum": found.checksum()} | found._arrays()
        return [saved(save, **arrays) for save in (np.savez, np.savez_compressed)]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"class{number % 2}/{number}.png", images()[number])
    return [content.getvalue()]


@pytest.mark.filterwarnings("ignore")  # Pillow tells of what it mends.
@fuzzed(40, st.one_of(damaged(images()), damaged(images()[:7], 2).map(with_checksums)))
def test_damaged_images_are_refused_or_seen(content):
    try:
        seen = read_image(lambda: io.BytesIO(content))
    except ImageError as error:
        assert str(error)
    else:
        assert seen.mode in ("L", "RGB") and np.asarray(seen).size


@fuzzed(25, damaged(archives("npz")))
def test_damaged_files_of_images_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.npz"
    path.write_bytes(content)
    try:
        found = ImageFile.load(path)
    except ValueError as error:
        assert str(path) in str(error) and "prepare it anew" in str(error)
    else:
        assert found.checksum() == toys.images_of_classes(2, 2, 8).checksum()


def members():
    found = toys.images_of_classes(2, 2, 8)
    arrays = {"checksum": found.checksum()} | found._arrays()
    return {name: saved(np.save, array) for name, array in arrays.items()}


MEMBERS = members()


@pytest.mark.filterwarnings("ignore")  # NumPy tells of headers of Python 2.
@fuzzed(15, st.sampled_from(sorted(MEMBERS)), st.data())
def test_damaged_arrays_in_whole_archives_are_refused(tmp_path_factory, name, data):
    path = tmp_path_factory.getbasetemp() / "member.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for other, content in MEMBERS.items():
            if other == name:
                content = data.draw(st.one_of(damaged([content]), npy()))
            archive.writestr(f"{other}.npy", content)
    for read in (ImageFile.load, read_npz):
        try:
            read(path)
        except ValueError as error:
            assert str(error)


@pytest.mark.filterwarnings("ignore")
@fuzzed(10, damaged(archives("zip")))
def test_damaged_zips_lose_no_more_than_what_is_damaged(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "zips"
    os.makedirs(folder / "whole", exist_ok=True)
    (folder / "whole/0.png").write_bytes(images()[0])
    (folder / "fuzz.zip").write_bytes(content)
    skipped = Skipped()
    try:
        source = prepare.any_folder(folder, skipped)
    except ValueError as error:
        assert "is in no folder of a class" in str(error) or "none of the folders" in str(error)
        return
    found = prepare.prepare(source, 1, verbose=False)
    assert "whole" in found.names
    assert len(found.images) + skipped.num_damaged() >= 1

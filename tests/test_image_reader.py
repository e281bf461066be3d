"""Images are read as a viewer shows them, whatever their kind; the others are refused by reason."""

import math
import os
import pathlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mine.reporting.inputs.image_reader import ImageError, check_contrast, read_image

CASES = pathlib.Path(__file__).parent.parent.parent / "shared/cases/images"
INK = np.zeros((12, 10), bool)
INK[2:5, 1:8] = True
GREY = np.where(INK, 30, 220).astype(np.uint8)


def png(bits, colour, rows, transparent=b"", size=(4, 1), interlaced=0):
    """A PNG from its raw rows, of kinds that Pillow does not write."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    content = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, interlaced)
    )
    if transparent:
        content += chunk(b"tRNS", transparent)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    return content + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def grey_of(path):
    return np.asarray(read_image(path).convert("L")).astype(int)


def ink_on_nothing(mode):
    """Black ink on transparent paper, all of whose colours are black."""
    alpha = np.where(INK, 255, 0).astype(np.uint8)
    black = np.zeros_like(alpha)
    return Image.fromarray(np.stack([black] * (len(mode) - 1) + [alpha], axis=-1), mode)


def palette(transparent):
    image = Image.fromarray(np.where(INK, 1, 0).astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 0, 0, 0] if transparent else [220] * 3 + [30] * 3)
    return image, {"transparency": 0} if transparent else {}


KINDS = {
    "grey": ((30, 220), lambda: (Image.fromarray(GREY), {})),
    "one bit": ((0, 255), lambda: (Image.fromarray(~INK), {})),
    "colour": ((30, 220), lambda: (Image.fromarray(np.stack([GREY] * 3, -1)), {})),
    "palette": ((30, 220), lambda: palette(False)),
    "transparent palette": ((0, 255), lambda: palette(True)),
    "LA": ((0, 255), lambda: (ink_on_nothing("LA"), {})),
    "RGBA": ((0, 255), lambda: (ink_on_nothing("RGBA"), {})),
    "16 bits": ((30, 220), lambda: (Image.fromarray(GREY.astype(np.uint16) * 257), {})),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_each_kind_of_image_looks_as_in_a_viewer(tmp_path, kind, ending):
    (ink, paper), made = KINDS[kind]
    if (kind, ending) == ("transparent palette", "tif"):
        pytest.skip("TIFF has none")
    image, options = made()
    path = tmp_path / f"a.{ending}"
    image.save(path, **options)
    np.testing.assert_array_equal(grey_of(path), np.where(INK, ink, paper))


def test_half_transparent_ink_is_half_as_dark(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, :, 3] = 128
    Image.fromarray(pixels).save(tmp_path / "a.webp", lossless=True, exact=True)
    assert np.abs(grey_of(tmp_path / "a.webp") - [[127, 127], [255, 255]]).max() <= 1


def test_cmyk_is_ink_of_four_colours(tmp_path):
    cmyk = np.zeros((16, 16, 4), np.uint8)
    cmyk[:8, :, 3] = 255  # Black above, paper below.
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.jpg", quality=95)
    found = grey_of(tmp_path / "a.jpg")
    assert found[:8].max() <= 5 and found[8:].min() >= 250


@pytest.mark.parametrize(
    ("bits", "colour", "row", "transparent", "expected"),
    [
        (1, 0, b"\x50", 1, [0, 255, 0, 255]),
        (2, 0, b"\x1b", 0, [255, 85, 170, 255]),
        (4, 0, b"\x03\x9f", 3, [0, 255, 153, 255]),
        (8, 0, b"\x00\x07\x09\xff", 7, [0, 255, 9, 255]),
        (16, 0, struct.pack(">4H", 0, 700, 0x3000, 0xFFFF), 700, [0, 255, 0x30, 255]),
    ],
)
def test_a_transparent_shade_of_grey_is_white_in_any_depth(
    tmp_path, bits, colour, row, transparent, expected
):
    path = tmp_path / "a.png"
    path.write_bytes(png(bits, colour, [row], struct.pack(">H", transparent)))
    assert grey_of(path).tolist() == [expected]


def test_a_transparent_colour_of_16_bits_is_white(tmp_path):
    row = struct.pack(">6H", 0x1200, 0x3400, 0x5600, 0x7800, 0x7800, 0x7800)
    content = png(16, 2, [row], struct.pack(">3H", 0x1200, 0x3400, 0x5600), (2, 1))
    (tmp_path / "a.png").write_bytes(content)
    assert np.asarray(read_image(tmp_path / "a.png")).tolist() == [[[255] * 3, [0x78] * 3]]


def by_passes(pixels):
    """The rows of an interlaced PNG file (Adam7)."""
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    parts = [pixels[y::dy, x::dx] for y, x, dy, dx in [*starts, (1, 0, 2, 1)]]
    return [bytes(row) for part in parts for row in part if len(row)]


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("width", [1, 3, 10])
def test_a_png_that_lacks_rows_is_refused_and_not_black_below(tmp_path, interlaced, width):
    """Its checksums are right: the program that wrote it stopped."""
    pixels, path = GREY[:, :width], tmp_path / "a.png"
    rows = by_passes(pixels) if interlaced else [bytes(row) for row in pixels]
    path.write_bytes(png(8, 0, rows, b"", (width, 12), interlaced))
    np.testing.assert_array_equal(grey_of(path), pixels)
    # One bit, grey, colour of 16 bits, colour with transparency.
    for bits, colour, size in ((1, 0, 1 / 8), (8, 0, 1), (16, 2, 6), (8, 6, 4)):
        black = [bytes(math.ceil(len(row) * size)) for row in rows]
        path.write_bytes(png(bits, colour, black, b"", (width, 12), interlaced))
        assert grey_of(path).shape == (12, width)
        for kept in (2, len(rows) - 1):
            path.write_bytes(png(bits, colour, black[:kept], b"", (width, 12), interlaced))
            refused(path, "it ends before its last row")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_damaged_exif_data_do_not_hide_the_image(tmp_path, ending):
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 6, 72.0
    whole = exif.tobytes()
    damaged = [b"Exif\0\0rubbish", whole[:8], whole[:20], b"x"]
    damaged += [whole[:at] + b"\xff" + whole[at + 1 :] for at in range(6, len(whole), 3)]
    upright = np.kron(GREY, np.ones((8, 8), np.uint8))
    for exif in damaged:
        Image.fromarray(upright).save(tmp_path / f"a.{ending}", exif=exif)
        found = grey_of(tmp_path / f"a.{ending}")
        turned = upright if found.shape == upright.shape else np.rot90(upright, -1)
        assert min(np.abs(found - of).mean() for of in (turned, turned[::-1])) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_photos_are_turned_as_their_exif_data_say(tmp_path, orientation, ending):
    upright = Image.fromarray(np.kron(GREY, np.ones((8, 8), np.uint8)))
    # How a camera stores it: the inverse of what each number asks of a viewer.
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    image = upright.transpose(stored[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"a.{ending}", exif=exif)
    found = grey_of(tmp_path / f"a.{ending}")
    assert found.shape == (96, 80)
    assert np.abs(found - np.asarray(upright)).mean() < 4  # JPEG and WebP blur edges.


def test_tiff_of_16_bits_with_white_as_zero_is_not_a_negative(tmp_path):
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "a.tif", tiffinfo=tags)
    content = (tmp_path / "a.tif").read_bytes()
    # The entry of the tag 262, a short: from 1, black is zero, to 0.
    entry = struct.pack("<HHIH", 262, 3, 1, 1)
    assert content.count(entry) == 1
    (tmp_path / "b.tif").write_bytes(content.replace(entry, struct.pack("<HHIH", 262, 3, 1, 0)))
    np.testing.assert_array_equal(grey_of(tmp_path / "b.tif"), 255 - GREY.astype(int))


def test_of_several_frames_the_first_is_read(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(grey_of(tmp_path / "a.gif"), GREY)


# -- what is refused ----------------------------------------------------------------------------


def refused(path, reason):
    with pytest.raises(ImageError, match=reason):
        read_image(path)


def test_images_of_one_colour_are_refused_where_contrast_is_needed(tmp_path):
    alpha = np.where(INK, 255, 0).astype(np.uint8)
    white = np.full_like(alpha, 255)
    blank = {
        "grey": Image.new("L", (9, 9), 70),
        "colour": Image.new("RGB", (9, 9), (1, 2, 3)),
        # White ink on what is read as white paper, and shades that 8 bits do not tell apart.
        "white": Image.fromarray(np.stack([white, alpha], -1), "LA"),
        "dark": Image.fromarray(np.arange(0x3000, 0x3064, dtype=np.uint16).reshape(10, 10)),
    }
    for name, image in blank.items():
        image.save(tmp_path / f"{name}.png")
        assert len(set(grey_of(tmp_path / f"{name}.png").ravel())) == 1
        with pytest.raises(ImageError, match="no contrast"):
            check_contrast(read_image(tmp_path / f"{name}.png"))
    Image.fromarray(np.diag([0, 0, 1]).astype(np.uint8)).save(tmp_path / "faint.png")
    check_contrast(read_image(tmp_path / "faint.png"))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_huge_images_are_refused_before_they_are_unpacked(tmp_path):
    for size in [(40_000, 40_000), (10_000, 10_000), (1, 80_000)]:
        content = png(8, 0, [b"\0"], size=size)
        (tmp_path / "a.png").write_bytes(content)
        refused(tmp_path / "a.png", "pixels")
    (tmp_path / "a.png").write_bytes(png(8, 0, [b"\0"], size=(0, 5)))
    refused(tmp_path / "a.png", "not a readable image|pixels")


@pytest.mark.parametrize("mode", ["F", "I"])
def test_numbers_without_a_known_range_are_refused(tmp_path, mode):
    Image.fromarray(GREY).convert(mode).save(tmp_path / "a.tif")
    refused(tmp_path / "a.tif", "unknown range as pixels: save it in 8 or 16 bits")


def test_damaged_files_and_others_are_refused_by_reason(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    whole = path.read_bytes()
    for content in (whole[:60], b"", b"text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        path.write_bytes(content)
        refused(path, "not a readable image")
    refused(tmp_path / "none.png", "not a readable image .No such file")
    refused(tmp_path, "not a regular file")
    os.mkfifo(tmp_path / "pipe.png")
    refused(tmp_path / "pipe.png", "not a regular file")


def test_an_error_of_the_file_is_the_reason(tmp_path):
    def opened():
        raise NotImplementedError("That compression method is not supported")

    refused(opened, "compression method")


@pytest.mark.skipif(not CASES.exists(), reason="no images that failed: ../shared/cases/images")
def test_images_that_failed_are_read():
    ink = grey_of(CASES / "transparent.png")
    assert ink.min() == 0 and ink.max() == 255 and ink.mean() > 100
    deep = grey_of(CASES / "sixteen_bit.png")
    assert (deep.min(), deep.max()) == (2000 >> 8, 32600 >> 8)
    turned, upright = (grey_of(CASES / f"exif_{name}.jpg") for name in ("turned", "upright"))
    assert np.abs(turned - upright).mean() < 4

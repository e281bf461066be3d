"""Images of 16 bits of which the values use fewer: they are seen, and what was done is said."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mine.reporting.inputs.image_reader import ImageError, read_image

RAMP = np.linspace(0, 1, 64).reshape(8, 8)


def png(values, colour=0, chunks=()):
    """A PNG file of 16 bits, of values [h, w] or [h, w, channels], with further chunks."""
    values = np.asarray(values, ">u2")
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize(("bits", "used"), [(8, 8), (12, 12), (10, 12)])
def test_values_in_the_lowest_bits_are_seen_and_a_warning_says_so(tmp_path, ending, bits, used):
    values = np.round(RAMP * (2**bits - 1)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{ending}")
    with pytest.warns(UserWarning, match=f"16 bits is read as one of {used}, since all of its"):
        found = np.asarray(read_image(tmp_path / f"a.{ending}"))
    np.testing.assert_array_equal(found, values >> (used - 8))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("most", [4096, 16_383, 65_535])
def test_values_of_more_bits_are_read_as_before(tmp_path, most):
    values = np.round(RAMP * most).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(png(values))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), values >> 8)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bits", [4, 10, 12, 14])
def test_bits_that_a_file_declares_decide(tmp_path, bits):
    low = np.round(RAMP * (2**bits - 1)).astype(np.uint16)
    spread = np.round(RAMP * 65_535).astype(np.uint16)  # As the standard has it.
    for values in (low, spread):
        (tmp_path / "a.png").write_bytes(png(values, chunks=[(b"sBIT", bytes([bits]))]))
        found = np.asarray(read_image(tmp_path / "a.png"))
        assert np.abs(found / 255 - RAMP).max() < 1 / 15 if bits == 4 else 1 / 200


def test_a_transparent_value_does_not_decide(tmp_path):
    values = np.round(RAMP * 4095).astype(np.uint16)
    values[0, 0] = 65_535
    (tmp_path / "a.png").write_bytes(png(values, chunks=[(b"tRNS", struct.pack(">H", 65_535))]))
    with pytest.warns(UserWarning, match="read as one of 12"):
        found = np.asarray(read_image(tmp_path / "a.png"))
    assert found[0, 0] == 255
    np.testing.assert_array_equal(found.ravel()[1:], values.ravel()[1:] >> 4)


@pytest.mark.parametrize("colour", [2, 6])
def test_colours_in_the_lowest_bits_are_refused(tmp_path, colour):
    values = np.stack([np.round(RAMP * 4095)] * 3 + [np.full_like(RAMP, 65_535)] * (colour == 6), 2)
    (tmp_path / "a.png").write_bytes(png(values, colour))
    with pytest.raises(ImageError, match="almost black: save it in 8 bits"):
        read_image(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(png(np.minimum(values * 16, 65_535), colour))
    assert np.asarray(read_image(tmp_path / "a.png")).max() == 255

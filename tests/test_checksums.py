"""Checksums: each bit that changes is noticed."""

import hashlib
import math

import pytest

from mine import reporting

CONTENT = bytes(range(256)) * 9


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(reporting.sealed(CONTENT))
    return path


def test_a_sealed_file_begins_with_its_content_and_ends_in_its_checksum(sealed):
    assert sealed.read_bytes() == CONTENT + b"\nsha256:" + hashlib.sha256(
        CONTENT
    ).hexdigest().encode("ascii")
    reporting.check_seal(sealed)
    reporting.check_seal(sealed, required=True)


def test_each_bit_of_a_sealed_file_counts(sealed):
    whole = sealed.read_bytes()
    for bit in range(0, 8 * len(whole), 7):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        sealed.write_bytes(changed)
        with pytest.raises(ValueError, match="checksum"):
            reporting.check_seal(sealed, required=True)
    for size in (0, 1, 71, 72, 73, len(whole) - 1):
        sealed.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="does not end in its checksum"):
            reporting.check_seal(sealed, required=True)


@pytest.mark.parametrize("content", [b"", b"short", CONTENT])
def test_a_file_without_a_checksum_is_taken_where_none_is_required(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    reporting.check_seal(tmp_path / "file")
    (tmp_path / "file").write_bytes(reporting.sealed(content))
    reporting.check_seal(tmp_path / "file", required=True)
    assert reporting.file_sha256(tmp_path / "file") != hashlib.sha256(content).hexdigest()


def test_the_checksum_of_json_is_that_of_its_content(tmp_path):
    content = {"b": [1, 2.5, "ü"], "a": {"c": None, "d": True}}
    checksum = reporting.json_sha256(content)
    reporting.write_json(content, tmp_path / "a.json")
    assert reporting.json_sha256(reporting.read_json(tmp_path / "a.json")) == checksum
    assert reporting.json_sha256(dict(reversed(content.items()))) == checksum
    assert reporting.json_sha256(content | {"e": math.pi}) != checksum

"""Numbers of things in messages: one thing is no plural."""

import ast
import pathlib
import re

import pytest

from mine import reporting

ROOT = pathlib.Path(__file__).parents[1]

PLURAL = re.compile(r" (?:[a-z]+ )?[a-z]{2,}s\b")
"""What follows a number: perhaps an adjective, and a noun in the plural."""

NEVER_ONE = ("faces, more", "corners, more", "bytes")
"""What follows numbers that are above a limit."""


@pytest.mark.parametrize(
    ("number", "noun", "phrase"),
    [
        (1, "file", "1 file"),
        (0, "file", "0 files"),
        (4000, "image", "4,000 images"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (3, "entry", "3 entries"),
        (2, "day", "2 days"),
        (2, "inner step", "2 inner steps"),
    ],
)
def test_a_count_agrees_with_its_noun(number, noun, phrase):
    assert reporting.counted(number, noun) == phrase


@pytest.mark.parametrize("package", ["mine", "maml", "pose_data", "pose_code"])
def test_no_message_writes_a_length_before_a_plural(package):
    found = []
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = node.values if isinstance(node, ast.JoinedStr) else []
            for value, text in zip(parts, parts[1:], strict=False):
                if not (isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant)):
                    continue
                after = text.value
                counts = ast.unparse(value.value).startswith("len(") and PLURAL.match(after)
                if counts and not after.strip().startswith(NEVER_ONE):
                    found.append(f"{path.name}: {ast.unparse(value.value)}{after}")
    assert not found, f"use reporting.counted: {found}"

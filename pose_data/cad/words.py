"""The words of text files, and the numbers they stand for."""

import codecs
import re
import warnings

import numpy as np

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Of a number that is none, as the C library of Windows writes it.
_NOT_A_NUMBER = re.compile(rb"[+-]?(nan\(\w+\)|1\.#(qnan|snan|ind|inf)\d*)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(rb"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def plain(content: bytes) -> bytes:
    """Returns a text without its encoding's mark, UTF-16 as UTF-8, with lines that end in LF."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            content = content.decode(encoding, "replace").lstrip("\ufeff").encode()
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\0\x1a \t\n")


def lines(content: bytes) -> tuple[list[bytes], np.ndarray]:
    r"""Splits a text into words, less comments after ``#``; ``\`` joins a line to the next.

    Returns:
        All words, and how many each line has, int `[L]`, less lines without words. A list for each
        line would take several times as long.
    """
    text = plain(content)
    if b"#" in text or b"\\" in text:
        text = re.sub(rb"(?<!1\.)#[^\n]*|\\[ \t]*\n", b" ", text)  # But 1.#IND is no comment.
    lengths = np.fromiter((len(line.split()) for line in text.split(b"\n")), np.int64)
    return text.split(), lengths[lengths > 0]


def ranges(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Returns `starts[0], starts[0] + 1, ...`, `sizes[0]` of them, then those of the next start."""
    return np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())


def numbers(words: list[bytes]) -> np.ndarray:
    """Returns the numbers that words stand for, float64 `[len(words)]`.

    A decimal comma, which some programs write by the user's language, is one.

    Raises:
        ValueError: a word is no number; the message names it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # What older versions of NumPy raise.
        try:
            found = np.fromstring(b" ".join(words), sep=" ")
            if len(found) == len(words):
                return found
        except (ValueError, DeprecationWarning):
            pass  # One by one, then.
    return np.array([_number(word) for word in words], dtype=np.float64)


def _number(word: bytes) -> float:
    if _NUMBER.fullmatch(word):
        return float(word)
    if _DECIMAL_COMMA.fullmatch(word):
        return float(word.replace(b",", b"."))
    if _NOT_A_NUMBER.fullmatch(word) or word.strip(b"+-").lower() in (b"nan", b"inf", b"infinity"):
        return np.nan
    raise ValueError(f"it has {shown(word)} in place of a number")


def count(word: bytes, of: str) -> int:
    """Returns the whole number that a word stands for.

    Args:
        word: the word.
        of: what is counted, in the plural.

    Raises:
        ValueError: the word is no number of things.
    """
    if not re.fullmatch(rb"\+?\d{1,18}", word):
        raise ValueError(f"it has {shown(word)} in place of its number of {of}")
    return int(word)


def shown(word: bytes) -> str:
    """Returns a word as a message shows it: quoted, printable, and not too long."""
    text = word.decode("ascii", "backslashreplace")
    return repr(text if len(text) <= 30 else f"{text[:30]}...")

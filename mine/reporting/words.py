"""Names and reasons as parts of a sentence: one line, whatever stands in a file."""

import difflib
from collections.abc import Iterable, Sequence


def printable(name: str) -> str:
    """A name with what cannot be printed, such as bytes that are no UTF-8, as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)


def reason(error: BaseException | str, most: int = 200) -> str:
    """What an error says, as a part of a sentence.

    Errors of other libraries hold names and bytes of the file that was read, on any number of
    lines.

    Args:
        error: of any kind, or its text.
        most: characters.

    Returns:
        One line of printable characters without a full stop at its end; the kind of the error where
        it says nothing.
    """
    text = printable(" ".join(str(error).split())).rstrip(".")
    if len(text) > most:
        text = f"{text[: most - 4].rstrip()} ..."
    return text or type(error).__name__


def guess(word: str, names: Iterable[str]) -> str:
    """The end of a sentence that lists names: ``; did you mean X?`` where a word is like some."""
    near = difflib.get_close_matches(word, list(names), 2)
    return f"; {did_you_mean(near)}" if near else "."


def did_you_mean(names: Sequence[str]) -> str:
    """A question of the names that were perhaps meant; empty without any."""
    return f"did you mean {' or '.join(names)}?" if names else ""

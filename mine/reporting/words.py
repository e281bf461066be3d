"""Names and reasons as parts of a sentence: one line, whatever stands in a file."""


def printable(name: str) -> str:
    """A name with what cannot be printed, such as bytes that are no UTF-8, as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)


def reason(error: BaseException, most: int = 200) -> str:
    """What an error says, as a part of a sentence.

    Errors of other libraries hold names and bytes of the file that was read, on any number of
    lines.

    Args:
        error: of any kind.
        most: characters.

    Returns:
        One line of printable characters without a full stop at its end; the kind of the error where
        it says nothing.
    """
    text = printable(" ".join(str(error).split())).rstrip(".")
    if len(text) > most:
        text = f"{text[: most - 4].rstrip()} ..."
    return text or type(error).__name__

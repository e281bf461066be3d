"""Names of the variants of an object: "chair/01~2" is one of "chair/01" (see `vary_cad`)."""

_MARK = "~"


def variant(name: str, number: int) -> str:
    """What a variant of an object is called."""
    return f"{name}{_MARK}{number}"


def original(name: str) -> str | None:
    """The object that is varied under this name, or None if it is no variant's."""
    source, mark, _ = name.rpartition(_MARK)
    return source if mark else None

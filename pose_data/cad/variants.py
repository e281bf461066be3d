"""Names of variants: "chair/01~2" is a variant of "chair/01" (see `pose_data.vary_cad`)."""

_MARK = "~"


def variant(name: str, number: int) -> str:
    """What a variant of an object is called."""
    return f"{name}{_MARK}{number}"


def sources(name: str) -> list[str]:
    """What an object is a variant of, from the first model on, and the object itself.

    "chair/01~2~1" is a variant of "chair/01~2", which is one of "chair/01".
    """
    parts = name.split(_MARK)
    return [_MARK.join(parts[:number]) for number in range(1, len(parts) + 1)]

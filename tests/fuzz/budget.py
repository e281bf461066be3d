"""How long a fuzzer runs."""

import os


def seconds() -> int:
    """Seconds for each fuzzer: FUZZ_SECONDS of the environment, 5 without it."""
    return int(os.environ.get("FUZZ_SECONDS", 5))

"""How long a fuzzer runs."""

import os

from hypothesis import HealthCheck, given, settings


def seconds() -> int:
    """Seconds for each fuzzer: FUZZ_SECONDS of the environment, 5 without it."""
    return int(os.environ.get("FUZZ_SECONDS", 5))


def fuzzed(per_second, *strategies, **named):
    """A test of as many examples as fit into the budget, always the same ones."""
    return lambda test: settings(
        max_examples=max(1, per_second * seconds()),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(given(*strategies, **named)(test))

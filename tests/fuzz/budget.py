"""How long a fuzzer runs, and what chooses its examples.

FUZZ_SECONDS of the environment is about how many seconds each takes; 5 without it. With
FUZZ_GUIDED, examples are chosen by which code they reach: see `benchmarks/fuzz.py`.
"""

import functools
import inspect
import os

from hypothesis import HealthCheck, given, settings


def seconds() -> int:
    """Seconds for each fuzzer."""
    return int(os.environ.get("FUZZ_SECONDS", 5))


def fuzzed(per_second, *strategies, **named):
    """A test of as many examples as fit into the budget, always the same ones."""

    def decorate(test):
        options = {"deadline": None, "suppress_health_check": list(HealthCheck)}
        options |= {"derandomize": True, "database": None}
        number = max(1, per_second * seconds())
        whole = settings(max_examples=number, **options)(given(*strategies, **named)(test))
        if "FUZZ_GUIDED" not in os.environ:
            return whole

        names = list(inspect.signature(test).parameters)
        drawn = dict(zip(names[len(names) - len(strategies) :], strategies, strict=True)) | named

        @functools.wraps(whole)
        def guided(**fixtures):
            @settings(**options)
            @given(**drawn)
            def example(**values):
                try:
                    test(**fixtures, **values)
                except Exception:
                    print(f"FAILED with {values!r}", flush=True)
                    raise

            _guide(example.hypothesis.fuzz_one_input)

        return guided

    return decorate


def _guide(run) -> None:
    """Runs bytes through a function, preferring those that reach new code; ends the process."""
    import atheris  # Of the extra [bench].

    atheris.Setup(["fuzz", *os.environ["FUZZ_GUIDED"].split()], lambda content: run(content))
    atheris.Fuzz()

"""Which cases of a parametrized test are left out by default."""

import pytest


def exhaustive(*cases):
    """Cases that run with ``--exhaustive`` only: each is one more of what others show."""
    each = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*case, marks=pytest.mark.exhaustive) for case in each]

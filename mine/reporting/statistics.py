"""Means with their uncertainty."""

import numpy as np
from scipy import special  # scipy.stats takes a second to import.


def mean_interval(values) -> dict[str, float]:
    """Mean and 95 % confidence interval by Student's t.

    Args:
        values: independent values, [n]: seeds, or tasks. Not queries of one task: they share it.

    Returns:
        ``mean``, and ``ci95``: half the width of the interval (NaN for a single value).
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    if n < 2:
        return {"mean": float(values.mean()), "ci95": float("nan")}
    error = values.std(ddof=1) / np.sqrt(n)
    return {"mean": float(values.mean()), "ci95": float(special.stdtrit(n - 1, 0.975) * error)}


def rank(value: float | None) -> float:
    """A key to sort errors by: ``value``; None, NaN and infinity come last."""
    return value if value is not None and np.isfinite(value) else np.inf


def format_interval(interval: dict, digits: int) -> str:
    """``mean ± ci95`` with ``digits`` decimals; the mean alone where the interval is unknown."""
    mean, half = interval["mean"], interval["ci95"]
    known = half is not None and np.isfinite(half)
    return f"{mean:.{digits}f}" + (f" ± {half:.{digits}f}" if known else "")

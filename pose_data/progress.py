"""A progress bar over files that are changed, left as they are, or fail with a reason."""

import sys
from collections.abc import Iterable

from mine.reporting.progress import ProgressBar


def tally(results: Iterable[tuple], total: int, unit: str) -> tuple[int, int]:
    """Counts results under a progress bar, and prints each failure on standard error.

    Args:
        results: `(path, changed, failure)` of each file; `failure` is the reason or None.
        total: their number.
        unit: what they are, for the bar.

    Returns:
        Number of changed files, and of failures.
    """
    changed = failed = 0
    with ProgressBar(results, total=total, unit=f" {unit}") as bar:
        for path, written, failure in bar:
            changed += written
            failed += failure is not None
            if failure:
                bar.write(f"{path} {failure}", file=sys.stderr)
    return changed, failed

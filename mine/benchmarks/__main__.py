"""``python -m mine.benchmarks``: see :mod:`mine.benchmarks.runner`."""

from mine.benchmarks import runner

__doc__ = runner.__doc__  # What ``--help`` shows.
runner.cli()

"""``python -m mine.benchmarks``: see :mod:`mine.benchmarks.runner`."""

from mine.benchmarks import runner

runner.cli()

"""``python -m mine.benchmarks``: see :mod:`mine.benchmarks.runner`."""

from mine.benchmarks import runner
from mine.reporting import commands

runner.define_flags()
commands.run(runner.main)

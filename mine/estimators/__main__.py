"""``python -m mine.estimators``: see :mod:`mine.estimators.command`."""

from mine.estimators import command
from mine.reporting import commands

command.define_flags()
commands.run(command.main)

"""``python -m mine.estimators``: see :mod:`mine.estimators.command`."""

from mine.estimators import command

command.cli()

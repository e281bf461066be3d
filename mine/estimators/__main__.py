"""``python -m mine.estimators``: see :mod:`mine.estimators.command`."""

from mine.estimators import command

__doc__ = command.__doc__  # What ``--help`` shows.
command.cli()

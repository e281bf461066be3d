"""``python -m maml.experiments.report``: see :mod:`maml.experiments.report.command`."""

from maml.experiments.report import command

__doc__ = command.__doc__  # What ``--help`` shows.
command.cli()

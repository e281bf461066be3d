"""``python -m maml.experiments.report``: see :mod:`maml.experiments.report.command`."""

from maml.experiments.report import command

command.cli()

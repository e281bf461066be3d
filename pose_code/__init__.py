"""The pose experiment: learners of yaw angles, trained, scored, compared and used."""

from mine.reporting import extras, imports, quiet_tensorflow
from mine.reporting.processes import stopping

extras.install()
imports.install()
quiet_tensorflow.install()
stopping.install()

"""The pose experiment: learners of yaw angles, trained, scored, compared, and asked."""

from mine.reporting import extras, quiet_tensorflow, stopping

extras.install()
quiet_tensorflow.install()
stopping.install()

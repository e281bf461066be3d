"""The pose experiment: learners of yaw angles, trained, scored, compared, and asked."""

from mine.reporting import extras, quiet_tensorflow

extras.install()
quiet_tensorflow.install()

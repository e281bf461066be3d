"""The pose experiment: learners of yaw angles, trained, scored, compared, and asked."""

from mine.reporting import quiet_tensorflow

quiet_tensorflow.install()

"""The pose experiment: learners of yaw angles, trained, scored, compared, and asked."""

"""Learners whose task state is drawn from a distribution over tasks: several samples, mixed."""

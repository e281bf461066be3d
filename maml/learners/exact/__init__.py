"""Learners without weights: the best predictions of tasks whose distribution is known."""

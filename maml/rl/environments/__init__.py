"""Environments, each registered as a task."""

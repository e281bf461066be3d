"""These tests draw, so they have a process without TensorFlow."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def graphs_as_they_are_traced():
    """There are no graphs here."""

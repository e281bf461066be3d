"""Fixtures of several test files."""

import sys

import pytest

from pose_data import gl_backend


@pytest.fixture(scope="session", autouse=True)
def no_graph_optimizer():
    """Leaves graphs as they are traced, in this process.

    Most are run once or twice, and to optimise one takes a second. Commands, which have processes
    of their own, run as they do for users.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow:  # A process that draws must not have it.
        tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(scope="session")
def backend():
    """The value of MUJOCO_GL to draw with; skips where there is no OpenGL, with the reason."""
    try:
        return gl_backend.choose()
    except gl_backend.GlError as error:
        pytest.skip(str(error))

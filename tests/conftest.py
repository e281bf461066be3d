"""Fixtures of several test files."""

import pytest

from pose_data import gl_backend


@pytest.fixture(scope="session")
def backend():
    """The value of MUJOCO_GL to draw with; skips where there is no OpenGL, with the reason."""
    try:
        return gl_backend.choose()
    except gl_backend.GlError as error:
        pytest.skip(str(error))

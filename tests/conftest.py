"""Fixtures of several test files."""

import contextlib
from unittest import mock

import commands
import pytest

from pose_data import gl_backend


def pytest_addoption(parser):
    told = "run the tests that are marked as exhaustive, too"
    parser.addoption("--exhaustive", action="store_true", help=told)


def pytest_collection_modifyitems(config, items):
    """Leaves out what is marked as exhaustive, unless it is asked for."""
    left = [item for item in items if "exhaustive" in item.keywords]
    if left and not config.getoption("exhaustive"):
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session", autouse=True)
def graphs_as_they_are_traced():
    """Leaves out XLA and TensorFlow's rewriting of graphs, as the commands do that tests start."""
    commands.use_xla(False)
    commands.rewrite_graphs(False)


@pytest.fixture
def xla():
    """XLA is used where it is by default."""
    commands.use_xla(True)
    yield
    commands.use_xla(False)


@pytest.fixture(scope="session")
def backend():
    """The value of MUJOCO_GL to draw with; skips where there is no OpenGL, with the reason."""
    try:
        return gl_backend.choose()
    except gl_backend.GlError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """The files of a pose data set that takes no renderer."""
    import hands

    folder = tmp_path_factory.mktemp("data")
    hands.write(folder)
    return folder


@pytest.fixture
def in_process(monkeypatch):
    """Jobs of studies run one after the other in this process."""
    import toys

    toys.run_in_process(monkeypatch)


@pytest.fixture
def registries():
    """What a test enters into the registries is gone after it: others go through all entries."""
    import maml

    kept = (maml.LEARNERS, maml.REGULARIZERS, maml.TASKS)
    with contextlib.ExitStack() as stack:
        for registry in kept:
            stack.enter_context(mock.patch.dict(registry._entries))
        yield

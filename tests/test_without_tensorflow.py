"""What needs no TensorFlow works where it cannot be imported."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parent.parent

BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def blocked(tmp_path_factory):
    """Runs Python where TensorFlow and Keras cannot be imported, also in child processes."""
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "sitecustomize.py").write_text(BLOCK)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}

    def run(*arguments):
        command = [sys.executable, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with pytest.raises(AssertionError, match="tensorflow is not installed"):
        run("-c", "import tensorflow")
    return run


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A file of correlated samples."""
    path = tmp_path_factory.mktemp("samples") / "samples.npz"
    x, noise, z = np.random.default_rng(0).standard_normal((3, 500))
    np.savez(path, x=x + z, y=0.8 * x + 0.6 * noise + z, z=z)
    return path


@pytest.mark.parametrize("bound", ["ksg", "gaussian"])
def test_classical_estimates_are_those_of_mine_estimate(blocked, samples, bound):
    import mine

    code = "import mine, numpy, sys; arrays = dict(numpy.load(sys.argv[1]));"
    code += f"print(repr(mine.estimate(**arrays, bound={bound!r}).nats))"
    expected = mine.estimate(**dict(np.load(samples)), bound=bound).nats
    assert float(blocked("-c", code, samples)) == expected
    found = json.loads(
        blocked("-m", "mine.estimators", f"--data={samples}", f"--bound={bound}", "--json")
    )
    assert found["nats"] == expected


def test_benchmarks_of_classical_estimators(blocked, tmp_path):
    flags = ["--estimators=ksg", "--tasks=normal-1x1,spiral-sparse-3x3", "--samples=200"]
    table = blocked("-m", "mine.benchmarks", *flags, "--seeds=1", f"--output={tmp_path}")
    assert "normal-1x1" in table and (tmp_path / "estimates.png").exists()


def test_cad_models_are_made_varied_and_converted(blocked, tmp_path):
    cad, varied = tmp_path / "CAD", tmp_path / "varied"
    blocked("-m", "pose_data.make_cad", f"--CAD_dir={cad}", "--num_per_class=1", "--classes=bed")
    blocked("-m", "pose_data.convert_cad", f"--CAD_dir={cad}")
    blocked("-m", "pose_data.vary_cad", f"--CAD_dir={cad}", f"--output_dir={varied}")
    assert (cad / "bed/01.stl").exists() and (varied / "bed/01~8.stl").exists()


@pytest.mark.parametrize("package", ["mine.reporting", "mine.benchmarks", "pose_data"])
def test_every_module_is_imported(blocked, package):
    code = (
        f"import importlib, pkgutil, {package} as package\n"
        f"for found in pkgutil.walk_packages(package.__path__, {package!r} + '.'):\n"
        "    if found.name not in ('pose_data.tasks', 'mine.benchmarks.__main__'):\n"
        "        importlib.import_module(found.name)\n"
    )
    blocked("-c", code)


def test_runs_are_compared(blocked):
    """The reading of finished runs; that of scores is in :mod:`maml.diagnostics`."""
    blocked("-c", "import maml.compare, maml.experiments.aggregation")

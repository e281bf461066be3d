"""What an installed wheel gives: commands, types, a version, and parts that need no extra."""

import ast
import configparser
import importlib
import os
import pathlib
import re
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser

import numpy as np
import pytest

import maml
import mine

ROOT = pathlib.Path(__file__).parent.parent

# Only what extras install; pillow comes with Matplotlib too, TensorBoard with TensorFlow.
EXTRAS = ("mujoco", "trimesh", "mapbox_earcut", "pandas")

BLOCK = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {EXTRAS}:
            raise ImportError(f"{{name}} is not installed")

sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    built = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def without_extras(wheel, tmp_path_factory):
    """Runs Python, or an installed command, where the wheel is and no extra."""
    folder = tmp_path_factory.mktemp("base")
    venv.create(folder / "env")
    binaries = folder / "env/bin"
    pip = [sys.executable, "-m", "pip", "--python", binaries / "python"]
    install = [*pip, "install", "--quiet", "--no-deps", wheel]
    # Without the checkout on the path, which pip would take for an installed copy.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(install, check=True, cwd=folder, env=environment)
    # Other packages come from the environment of the tests: a path in a .pth file is searched last.
    site = next(path for path in sys.path if path.endswith("site-packages"))
    (inside,) = (folder / "env").glob("lib/python*/site-packages")
    (inside / "others.pth").write_text(site + "\n")
    (inside / "sitecustomize.py").write_text(BLOCK)

    def run(command, *arguments):
        done = subprocess.run(
            [binaries / command, *arguments],
            capture_output=True, text=True, cwd=folder, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_wheel_names_its_extras_and_marks_its_types(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (path,) = [name for name in names if name.endswith("/METADATA")]
        metadata = Parser().parsestr(archive.read(path).decode())
    expected = {"pose", "experiments", "rl", "scale", "gpu", "dev", "docs", "bench", "notebooks"}
    assert set(metadata.get_all("Provides-Extra")) == expected
    base = [of for of in metadata.get_all("Requires-Dist") if "extra ==" not in of]
    assert not any(re.match(rf"{extra}\b", of) for extra in EXTRAS for of in base)
    for package in ("maml", "mine", "pose_code", "pose_data"):
        assert f"{package}/py.typed" in names
        for path in (ROOT / package).rglob("*.py"):
            assert str(path.relative_to(ROOT)) in names
    assert {"pose_code/run.sh", "maml/tasks/omniglot.csv"} <= set(names)
    assert {f"maml/rl/simulation/{name}.xml" for name in ("ant", "half_cheetah")} <= set(names)
    assert {f"maml/experiments/report/template/page.{of}" for of in ("html", "css", "js")} <= set(
        names
    )
    assert metadata["Version"] == mine.__version__ == maml.__version__


def test_every_console_command_has_its_function(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in archive.namelist() if name.endswith("/entry_points.txt")]
        groups = configparser.ConfigParser(delimiters="=")
        groups.read_string(archive.read(path).decode())
    commands = groups["console_scripts"]
    assert {"mine-estimate", "maml-train", "maml-evaluate", "pose-predict"} <= commands.keys()
    assert dict(groups["maml.tasks"]) == {"pose": "pose_code.problem"}
    for target in commands.values():
        module, function = target.split(":")
        assert callable(getattr(importlib.import_module(module), function)), target


@pytest.mark.slow
def test_mine_and_maml_need_no_extra(without_extras, tmp_path):
    x, noise = np.random.default_rng(0).standard_normal((2, 300))
    np.savez(tmp_path / "samples.npz", x=x, y=0.8 * x + 0.6 * noise)
    assert " nats" in without_extras(
        "mine-estimate", f"--data={tmp_path / 'samples.npz'}", "--bound=gaussian"
    )
    printed = without_extras(
        "python",
        "-c",
        "import pkgutil, importlib, maml, mine\n"
        "for package in ('mine', 'maml.core', 'maml.distributions', 'maml.nn', 'maml.learners',\n"
        "                'maml.regularizers', 'maml.diagnostics', 'maml.tasks'):\n"
        "    path = importlib.import_module(package).__path__\n"
        "    for module in pkgutil.walk_packages(path, package + '.'):\n"
        "        if not module.name.endswith('__main__'):\n"
        "            importlib.import_module(module.name)\n"
        "print(maml.__file__, mine.__version__, maml.TASKS.make('sinusoid').description)\n",
    )
    assert "env" in printed and mine.__version__ in printed


def test_requirements_cover_the_imports():
    """Each package that is imported at the top of a module is required by setup.py."""
    required = (ROOT / "setup.py").read_text(encoding="utf-8").lower()
    names = {
        "PIL": "pillow",
        "absl": "absl-py",
        "lazy_loader": "lazy-loader",
        "markdown_it": "markdown-it-py",
    }
    ours = {"maml", "mine", "pose_code", "pose_data"}
    for package in ours:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                found += [node.module] if isinstance(node, ast.ImportFrom) else []
                for name in {of.split(".")[0] for of in found} - ours - sys.stdlib_module_names:
                    assert f'"{names.get(name, name)}' in required, f"{path} imports {name}"

"""Without the packages of an extra commands end in one sentence, and what needs none works."""

import os
import pathlib
import subprocess
import sys

import pytest

from mine.reporting import extras

ROOT = pathlib.Path(__file__).parent.parent

BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pandas", "mujoco", "trimesh", "mapbox_earcut"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """Runs Python where no package of an extra can be imported."""
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "sitecustomize.py").write_text(BLOCK)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}

    def run(*arguments):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=folder, check=False
        )

    return run


@pytest.mark.parametrize(
    ("module", "flags", "package", "extra"),
    [
        ("maml.compare", ["--runs=x"], "pandas", "experiments"),
        ("pose_data.make_cad", ["--CAD_dir=x"], "trimesh", "pose"),
    ],
)
def test_commands_end_in_a_sentence(without, module, flags, package, extra):
    done = without("-m", module, *flags)
    told = f"pip install 'exact-meta-information[{extra}]'."
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"Error: The package {package} is missing: {told}\n"


def test_the_package_that_cuts_faces_is_known():
    told = extras.sentence(ModuleNotFoundError(name="mapbox_earcut"))
    assert told.startswith("The package mapbox_earcut is missing") and "[pose]" in told


def test_a_script_of_ones_own_keeps_its_traceback(without):
    done = without("-c", "import maml; import pandas")
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_records_are_read_and_tables_say_what_they_need(without):
    code = (
        "from maml.experiments import read_config, read_history, read_results, Config\n"
        "try:\n    from maml.experiments import load_runs\n"
        "except ImportError as error:\n    print(error)"
    )
    done = without("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The package pandas is missing: pip install 'exact-meta-")

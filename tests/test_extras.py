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
        blocked = ("pandas", "mujoco", "trimesh", "mapbox_earcut", "gymnasium")
        if name.split(".")[0] in blocked:
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


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "from maml.rl.environments.ant import AntDir; AntDir()",
            "Simulated environments need the package mujoco, 4.0 or later (Python 3.11 or later)",
        ),
        (
            "from maml.rl.gym.tasks import GymnasiumTasks\n"
            "GymnasiumTasks('CartPole-v1', None, None, 5, 0.0)",
            "Environments of Gymnasium need the package gymnasium, 1.1 or later",
        ),
    ],
)
def test_environments_say_what_they_need(without, code, words):
    done = without("-c", code)
    assert done.returncode == 1
    told = f"{words}: pip install 'exact-meta-information[rl]'."
    assert done.stderr == f"Error: {told}\n"


def test_other_environments_need_none(without):
    code = (
        "from maml.core.registry import TASKS\n"
        "print(TASKS['navigation'](test_tasks=2).test.num_tasks, 'ant_dir' in TASKS)"
    )
    done = without("-c", code)
    assert (done.returncode, done.stdout) == (0, "2 True\n"), done.stderr

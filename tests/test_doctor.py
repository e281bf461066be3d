"""python -m maml.doctor as a user runs it, where all is well and where packages are broken."""

import importlib.metadata
import os
import pathlib
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from maml import doctor

ROOT = pathlib.Path(__file__).parent.parent

BROKEN = """
import os, sys

class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            raise ImportError("libnothing.so.1: cannot open shared object file")
        if name == "mujoco":
            os.abort()

sys.meta_path.insert(0, Broken())
"""


def examined(*flags, cwd, first=None, **variables):
    """The doctor's process; ``first`` is a folder whose sitecustomize.py every Python runs."""
    paths = [str(ROOT)] if first is None else [str(first), str(ROOT)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | variables
    command = [sys.executable, "-m", "maml.doctor", *flags]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def line(done, what):
    """The line of the report on something."""
    (found,) = (of for of in done.stdout.splitlines() if of[6:].startswith(f"{what} "))
    return found


def test_broken_packages_are_lines_of_the_report_with_the_command_that_mends_them(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    done = examined("--data_dir=a b", cwd=tmp_path, first=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "cannot be imported: ImportError: libnothing.so.1" in line(done, "tensorflow")
    assert line(done, "mujoco").startswith("FAULT") and "signal" in line(done, "mujoco")
    assert line(done, "OpenGL").startswith("FAULT")
    assert line(done, "numpy").startswith("ok")
    assert "missing" in line(done, "a b/train_data.pkl")
    mend = done.stdout.splitlines()[-1]
    assert mend.startswith("To mend it: ") and "pip install --force-reinstall" in mend
    assert "'tensorflow" in mend and "'mujoco" in mend and "apt-get" not in mend
    assert mend.endswith(" && ./run.sh data --data_dir='a b'")


@pytest.mark.slow
def test_the_main_job_can_run_where_the_tests_run(tmp_path, backend):
    done = examined(cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "The main job can run: ./run.sh"
    assert importlib.metadata.version("tensorflow") in line(done, "tensorflow")
    assert "CPU" in line(done, "devices") and f"{backend} works" in " ".join(done.stdout.split())


@pytest.mark.slow
def test_a_back_end_that_does_not_work_is_named(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    (found,) = doctor.opengl()
    assert found.what == "OpenGL nonsense" and found.needed
    assert doctor.mending([found]) == "unset MUJOCO_GL"


def test_one_back_end_that_works_is_enough(monkeypatch):
    outputs = {
        doctor.MUJOCO: "",
        doctor.OPENGL: '{"egl": null, "osmesa": "AttributeError: glGetError"}',
    }
    monkeypatch.setattr(doctor, "attempt", lambda code: (outputs[code], ""))
    works, spare = doctor.opengl()
    assert works.state == "works" and not spare.needed
    assert spare.state == "not needed, and does not work: AttributeError: glGetError"


def test_each_package_is_named_once():
    """Two extras may need the same."""
    names = [requirement.name for requirement in doctor.requirements()]
    assert len(set(names)) == len(names)


def test_a_word_that_is_no_flag_is_refused(tmp_path):
    done = examined("seeds=3", cwd=tmp_path)
    assert done.returncode == 2 and "seeds=3" in done.stderr and done.stdout == ""


def test_data_that_is_named_and_is_not_there_is_a_fault(monkeypatch, tmp_path, capsys):
    """Absent, a file, an empty folder, a name that no file has; one without a name is refused."""
    monkeypatch.chdir(tmp_path)
    rest = [doctor.Finding("python", "3.11")]
    monkeypatch.setattr(doctor, "examine", lambda name: rest + (doctor.data(name) if name else []))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"0")
    for name in ("nope", "file", "empty", "n" * 300, "a b"):
        assert doctor.main(["--data_dir", name]) == 1
        *_, wrong, mend = capsys.readouterr().out.splitlines()
        made = "'a b'" if name == "a b" else name
        assert wrong.startswith("To be mended: ") and f"{name}" in wrong
        assert mend == f"To mend it: ./run.sh data --data_dir={made}"
    for name in ("train_data.pkl", "val_data.pkl"):
        (tmp_path / "empty" / name).write_bytes(b"0")
    assert doctor.main(["--data_dir=empty"]) == 0 == doctor.main([])
    for words in (["--data_dir="], ["--data_dir", " "]):
        with pytest.raises(SystemExit) as ended:
            doctor.main(words)
        assert ended.value.code == 2 and "expected a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("requirement", "state"),
    [("numpy>=999", "; expected >=999"), ("no-such-package>=1", "missing; expected >=1")],
)
def test_a_package_out_of_range_or_missing_is_installed_anew(requirement, state):
    found = doctor.package(Requirement(requirement))
    assert found.needed and found.state.endswith(state)
    command = doctor.mending([found])
    assert command == f"{sys.executable} -m pip install '{requirement}'"


def test_what_gives_no_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "SECONDS", 0.5)
    assert doctor.attempt("import time; time.sleep(60)") == ("", "no answer in 0.5 s")


def test_an_installation_that_is_not_there_is_one_command(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", absent)
    (found,) = doctor.packages(None, None)
    assert doctor.mending([found]).endswith(f"-m pip install '{ROOT}[pose,experiments]'")


def test_too_little_disk_or_memory_is_a_fault(monkeypatch, tmp_path):
    for limit in ("DISK", "MEMORY"):
        monkeypatch.setattr(doctor, limit, 1e9)
    assert doctor.disk(tmp_path).needed and doctor.memory().needed

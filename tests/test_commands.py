"""What all commands refuse before they do anything, and what they say of it."""

import os
import pathlib
import re
import subprocess
import sys

import commands
import pytest

import maml
from maml.experiments import determinism
from mine import reporting

FOLDERS = {
    "maml.compare": ["output"],
    "mine.benchmarks": ["output"],
    "maml.studies.ambiguity": ["logdir", "output"],
    "maml.studies.fewshot": ["logdir", "output"],
    "maml.studies.image_threshold": ["logdir", "output"],
    "maml.studies.memorization": ["logdir", "output"],
    "maml.studies.robustness": ["logdir", "output"],
    "maml.train": ["logdir"],
    "pose_code.baselines": ["logdir"],
    "pose_code.predict": ["output"],
    "pose_code.render": ["data_dir"],
    "pose_code.study": ["logdir", "output"],
    "pose_code.train": ["logdir"],
}
"""Commands -> flags of the folders that they write to."""

OTHERS = ["mine.estimators", "maml.components", "maml.evaluate", "maml.tasks.prepare"]

REQUIRED = {
    "maml.compare": ["--runs=x"],
    "maml.evaluate": ["--model_save_filename=x.keras"],
    "maml.tasks.prepare": ["--dataset=folder", "--source=x", "--output=x.npz"],
    "pose_code.predict": ["--model=x", "--support=x", "--query=x"],
    "pose_code.render": ["--CAD_dir=x"],
    "pose_code.study": ["--data_dir=x"],
}


def refused(module, *arguments, cwd):
    """The one sentence with which a command ends, which leaves nothing behind."""
    before = sorted(cwd.rglob("*"))
    process = commands.run(module, *REQUIRED.get(module, []), *arguments, cwd=cwd)
    assert process.returncode == 1 and process.stdout == ""
    assert "Traceback" not in process.stderr and process.stderr.count("Error: ") == 1
    assert sorted(cwd.rglob("*")) == before
    return process.stderr


@pytest.mark.slow
@pytest.mark.parametrize("module", [*FOLDERS, *OTHERS])
def test_a_word_that_is_no_flag_is_refused(module, tmp_path):
    folders = [f"--{name}={name}" for name in FOLDERS.get(module, [])]
    assert "received 'seeds=3'" in refused(module, *folders, "seeds=3", cwd=tmp_path)


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in FOLDERS for name in FOLDERS[module]]
)
def test_a_folder_that_is_a_file_is_refused_before_any_work(module, name, tmp_path):
    (tmp_path / "file").write_text("mine")
    folders = [f"--{of}={'file/in' if of == name else of}" for of in FOLDERS[module]]
    assert f"--{name}: expected a folder; received file/in" in refused(
        module, *folders, cwd=tmp_path
    )


@pytest.mark.parametrize(
    ("folder", "told"),
    [("a" * 300, "File name too long"), ("~/runs", "the shell has not replaced ~; write .HOME")],
)
@pytest.mark.parametrize("module", ["maml.train", "maml.compare"])
def test_a_folder_that_cannot_be_made_is_refused_in_a_sentence(module, folder, told, tmp_path):
    (name,) = FOLDERS[module]
    assert re.search(told, refused(module, f"--{name}={folder}", cwd=tmp_path))


@pytest.mark.parametrize("module", ["maml.train", "maml.compare"])
def test_a_folder_without_a_name_is_not_the_current_one(module, tmp_path):
    (name,) = FOLDERS[module]
    assert f"--{name}: expected a folder; received none" in refused(
        module, f"--{name}=", cwd=tmp_path
    )


@pytest.mark.parametrize(
    ("path", "told"),
    [("folder.keras", "received the folder folder.keras"), ("file/x.keras", "file")],
)
def test_a_learner_that_cannot_be_saved_is_not_trained(path, told, tmp_path):
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "file").write_text("mine")
    flags = ["--dataset=sinusoid", f"--model_save_filename={path}"]
    assert told in refused("maml.train", *flags, cwd=tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = (", r"own\.py cannot be imported: SyntaxError: .*line 1"),
        ("import os\n\n1 / 0\n", r"own\.py, line 3 cannot be imported: ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", r"own\.py, line 2 cannot be imported: SystemExit: 3"),
        ("import sys\nsys.exit()\n", r"own\.py, line 2 cannot be imported: SystemExit"),
        ("import nonesuch\n", r"own\.py, line 1 cannot be imported: .*'nonesuch'"),
    ],
)
def test_a_file_that_fails_to_be_imported_is_told_where(tmp_path, text, told):
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        maml.import_files([str(path)])


@pytest.mark.parametrize(
    ("returned", "kind"), [("None", "NoneType"), ("{}", "dict"), ("maml.Problem", "type")]
)
def test_a_task_that_is_no_problem_is_told_in_a_sentence(tmp_path, returned, kind):
    (tmp_path / "own_task.py").write_text(
        f"import maml\n@maml.TASKS.register('own')\ndef own():\n    return {returned}\n"
    )
    said = refused("maml.train", "--import=own_task.py", "--task=own", "--logdir=run", cwd=tmp_path)
    told = "expected a function that returns a maml.Problem; received one that returns a value of"
    assert f"{told} type {kind}." in said


STUDIES_AND_TRAININGS = [
    *("maml.train", "pose_code.train"),
    *(name for name, of in FOLDERS.items() if set(of) == {"logdir", "output"}),
]
CLAIMED = {
    **{name: of for name, of in FOLDERS.items() if name not in STUDIES_AND_TRAININGS},
    "maml.diagnostics.known_models": ["output"],
    "pose_data.convert_cad": ["CAD_dir"],
    "pose_data.data_gen": ["output_dir"],
    "pose_data.make_cad": ["CAD_dir"],
    "pose_data.make_data": ["data_dir"],
    "pose_data.mujoco_render": ["data_dir"],
    "pose_data.resize_images": ["data_dir"],
    "pose_data.vary_cad": ["output_dir"],
}
"""Commands -> flags of folders in which no other process may work.

Trainings see to that later, and studies share their runs: see test_executors.py.
"""

OF_DATA = {
    "pose_data.data_gen": ["--data_dir=x"],
    "pose_data.mujoco_render": ["--CAD_dir=x"],
    "pose_data.vary_cad": ["--CAD_dir=x"],
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in CLAIMED for name in CLAIMED[module]]
)
def test_a_folder_in_which_another_process_works_is_left_to_it(module, name, tmp_path):
    folders = [f"--{of}={of}" for of in CLAIMED[module]]
    with reporting.claim(tmp_path / name):
        (tmp_path / name / "theirs").touch()
        said = refused(module, *OF_DATA.get(module, []), *folders, cwd=tmp_path)
    assert f"Another process works in {name} (process {os.getpid()}): wait until" in said


def test_a_file_that_another_process_writes_is_left_to_it(tmp_path):
    (tmp_path / "x").mkdir()
    with reporting.claim(tmp_path, "x.npz"):
        said = refused("maml.tasks.prepare", cwd=tmp_path)
    assert f"Another process works in x.npz (process {os.getpid()}): wait until" in said


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_another_engine_of_keras_is_refused_in_a_sentence(tmp_path, engine):
    """Whether its packages are there or not; what needs no Keras does not care."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True, text=True, check=False, cwd=pathlib.Path(__file__).parents[1],
            env=os.environ | {"KERAS_BACKEND": engine},
        )  # fmt: skip

    done = run("-m", "maml.train", f"--logdir={tmp_path / 'run'}")
    assert done.returncode == 1 and not (tmp_path / "run").exists()
    told = f"expected tensorflow, in which this library computes; received {engine}; set"
    assert done.stderr.startswith("Error: ") and told in done.stderr
    assert "Traceback" not in done.stderr
    assert run("-c", "import maml, pose_data.make_cad").returncode == 0


@pytest.mark.slow
def test_an_operation_has_one_core_so_that_numbers_do_not_depend_on_how_many_there_are():
    code = (
        "from maml.experiments import determinism; import tensorflow as tf;"
        "determinism.share_cores(3);"
        "read = tf.config.threading;"
        "print(read.get_intra_op_parallelism_threads(), read.get_inter_op_parallelism_threads());"
        "tf.zeros(1); determinism.share_cores(2)"  # Too late, and no error.
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.split() == ["1", "3"]


@pytest.mark.parametrize(("given", "expected"), [(None, "true"), ("false", "false")])
def test_memory_of_a_graphics_processor_is_taken_as_needed_unless_users_say_otherwise(
    monkeypatch, given, expected
):
    monkeypatch.setenv(determinism.GROWTH, "")  # Is put back after the test.
    monkeypatch.delenv(determinism.GROWTH)
    if given:
        monkeypatch.setenv(determinism.GROWTH, given)
    determinism.share_cores()
    assert os.environ[determinism.GROWTH] == expected


@pytest.mark.parametrize("name", ["mine", "random", "this", "toys"])
def test_a_file_does_not_take_the_place_of_another_module(tmp_path, name):
    """Loaded or not: something imports it later."""
    there = sys.modules.get(name)
    (tmp_path / f"{name}.py").write_text("")
    with pytest.raises(ValueError, match=f"another module '{name}': give .* another name"):
        maml.import_files([str(tmp_path / f"{name}.py")])
    assert sys.modules.get(name) is there


def test_a_file_is_imported_again_as_it_is_now(tmp_path):
    path = tmp_path / "own_terms.py"
    for number in range(2):
        path.write_text(f"number = {number}  # {'x' * number}\n")
        maml.import_files([str(path)])
        assert sys.modules["own_terms"].number == number
    path.write_text("number = 1 / 0  # It fails after it worked.\n")
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        maml.import_files([str(path)])
    assert sys.modules["own_terms"].number == 1
    del sys.modules["own_terms"]


def test_help_whose_reader_has_ended_is_one_sentence():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "mine.benchmarks", "--help"]
    process = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert process.returncode == 1
    assert process.stderr == "Error: Cannot write standard output: its reader has ended.\n"

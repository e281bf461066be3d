"""TensorFlow's start-up messages: none of a command reach the user, all that matter do."""

import os
import subprocess
import sys

import pytest

MESSAGES = ("oneDNN", "cuda", "absl::InitializeLog", "XLA", "tensorflow/", "I0000")


def run(arguments, **environment):
    """Runs Python as a user does whose environment does not mention TensorFlow."""
    env = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=env | environment
    )


@pytest.mark.slow
def test_a_training_command_prints_no_line_of_tensorflow_under_xla(tmp_path):
    done = run(
        ["-m", "maml.train", "--dataset=sinusoid", "--metamodel=maml", "--steps=2"]
        + [f"--model_save_filename={tmp_path / 'model.keras'}"]
    )
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if any(of in line for of in MESSAGES)]


@pytest.mark.slow
def test_the_real_tensorflow_is_silent():
    done = run(["-c", "import maml, tensorflow as tf; tf.zeros(1) + 1"])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_user_who_sets_the_level_reads_the_messages():
    # By default oneDNN, which is one of the messages, is off on processors without AVX-512.
    levels = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_ENABLE_ONEDNN_OPTS": "1"}
    done = run(["-c", "import mine, tensorflow"], **levels)
    assert "oneDNN" in done.stderr


@pytest.fixture
def fake(tmp_path):
    """Runs a package named tensorflow that holds the given code."""

    def run_with(code, package="mine"):
        (tmp_path / "tensorflow.py").write_text(f"import os, sys, warnings\n{code}\n")
        script = f"import {package}, tensorflow; print(tensorflow.__spec__.loader, file=sys.stderr)"
        return run(["-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {script}"])

    return run_with


LOG = "os.write(2, b'I0000 00:00:1795844115.010315    8409 port.cc:153] oneDNN is on.\\n')"


@pytest.mark.parametrize("package", ["maml", "mine", "pose_code", "pose_data"])
def test_each_package_that_is_imported_first_leaves_the_other_lines_of_standard_error(
    fake, package
):
    done = fake(f"{LOG}\nwarnings.warn('old NumPy')", package)
    assert "old NumPy" in done.stderr
    assert "oneDNN" not in done.stderr
    assert "SourceFileLoader" in done.stderr  # The module is as Python makes it.


def test_all_lines_are_shown_if_the_import_fails(fake):
    done = fake(f"{LOG}\nraise ImportError('no such library')")
    assert done.returncode == 1
    assert "oneDNN is on." in done.stderr
    assert "no such library" in done.stderr

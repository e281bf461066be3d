"""Learners of other versions and damaged ones: loaded, or refused with what is true."""

import json
import pathlib
import subprocess
import sys
import zipfile

import pytest
import tensorflow as tf
import toys

import maml

CASES = pathlib.Path(__file__).parents[2] / "shared" / "cases" / "faults"


@pytest.fixture(scope="module")
def learner():
    learner = toys.learner("maml", maml.NormalHead(), 9)
    learner.create_weights(toys.Lines().sample(2, tf.constant([1, 2])))
    return learner


def rewritten(learner, path, change):
    """The learner's file, whose configuration ``change`` alters; its checksums hold."""
    maml.save(learner, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def moved(config):
    config["module"] = "maml.gradient_based"
    config["config"]["head"]["module"] = "maml.likelihoods"


def test_a_learner_whose_modules_have_moved_is_loaded(learner, tmp_path):
    path = rewritten(learner, tmp_path / "a.keras", moved)
    load = f"import maml; print(maml.load({str(path)!r}).count_params())"
    done = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True)
    assert done.stdout.split() == [str(learner.count_params())], done.stderr[-500:]


def gone(config):
    config["config"]["head"] |= {"class_name": "Gone", "registered_name": "maml>Gone"}


def foreign(config):
    config["config"]["head"] |= {"class_name": "Own", "registered_name": "own>Own", "module": "own"}


def no_module(config):
    config["config"]["network"]["module"] = float("nan")


def no_layer(config):
    config["config"]["network"] = {"class_name": "Lambda"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (gone, "another version of maml wrote it, with maml>Gone, which this one lacks; load it"),
        (foreign, "own>Own is not defined here; import or define the class before"),
        (no_module, "as if it were damaged .* restore the file from a copy, or train"),
        (no_layer, "as if it were damaged .* restore the file from a copy, or train"),
    ],
)
def test_the_remedy_is_that_of_the_fault(learner, tmp_path, change, told):
    path = rewritten(learner, tmp_path / "a.keras", change)
    with pytest.raises(ValueError, match=told) as refused:
        maml.load(path)
    assert ("import" in str(refused.value)) == (change is foreign)


@pytest.mark.skipif(not CASES.exists(), reason="the files that failed are not there")
@pytest.mark.parametrize("name", ["load_keras_100.keras", "load_keras_206.keras"])
def test_files_that_failed_are_told_damaged(name):
    with pytest.raises(ValueError, match="restore the file from a copy, or train the learner"):
        maml.load(CASES / name)

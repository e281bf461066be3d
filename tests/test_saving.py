"""Learners as files: the same predictions in another process, and clear refusals."""

import os
import pathlib
import subprocess
import sys
import zipfile

import commands
import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import UNREGISTERED, Lines, learner

import maml
from maml.core.options import parameters

SEED = tf.constant([1, 2])
EPISODE = Lines().sample(3, SEED)
ROOT = pathlib.Path(__file__).parent.parent

OTHER_PROCESS = """
import sys
import numpy as np
import maml

parts = np.load(sys.argv[1])
episode = maml.Episode(*(parts[name] for name in maml.Episode._fields))
for path in sys.argv[2:]:
    np.save(path + ".npy", maml.load(path)(episode))
"""


def trained(kind):
    term = maml.LabelMI(maml.LabelScale(), "mine", hidden=(5,))
    model = learner(kind, maml.NormalHead(bounds=(-20, 20)), 9, [term])
    model.create_weights(EPISODE)
    for variable in model.trainable_variables:  # As if trained: no weight as it was made.
        variable.assign(
            variable
            + 0.1 * np.cos(np.arange(variable.shape.num_elements() or 1)).reshape(variable.shape)
        )
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *((kind, ".keras") for kind in (*UNREGISTERED, "maml++", "cnp")),
        *(("maml", ".h5"), ("cnp", ".h5")),
    ],
)
def test_what_is_loaded_predicts_the_same(kind, suffix, tmp_path):
    model = trained(kind)
    maml.save(model, tmp_path / f"learner{suffix}")
    loaded = maml.load(tmp_path / f"learner{suffix}")
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded(EPISODE), model(EPISODE))
    ours, theirs = model.objective(EPISODE, SEED), loaded.objective(EPISODE, SEED)
    assert float(ours[0]) == float(theirs[0])  # Regularizers, critics included, are the same too.
    assert os.listdir(tmp_path) == [f"learner{suffix}"]


def test_counts_that_take_no_bytes_may_be_more_than_the_file_has(tmp_path):
    term = maml.LabelMI(maml.LabelScale(), warmup_nats=0.0, warmup=500_000)
    model = learner("cnp", maml.NormalHead(), 9, [term])
    model.create_weights(EPISODE)
    maml.save(model, tmp_path / "learner.keras")
    assert (tmp_path / "learner.keras").stat().st_size < 500_000
    assert maml.load(tmp_path / "learner.keras").regularizers[0].warmup == 500_000


@pytest.mark.slow
def test_another_process_loads_it(tmp_path):
    np.savez(tmp_path / "episode.npz", **EPISODE._asdict())
    model = trained("maml++")
    paths = [str(tmp_path / f"learner{suffix}") for suffix in (".keras", ".h5")]
    for path in paths:
        maml.save(model, path)
    command = [sys.executable, "-c", OTHER_PROCESS, str(tmp_path / "episode.npz"), *paths]
    subprocess.run(command, check=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    for path in paths:
        np.testing.assert_allclose(np.load(path + ".npy"), model(EPISODE), rtol=1e-6)


def test_a_learner_that_predicted_before_it_was_trained_is_saved(tmp_path):
    model = learner("cnp", maml.NormalHead(), 9)
    before = model(EPISODE)
    assert len(model.learner_variables) > 0
    model.compile("adam", jit_compile=False)
    maml.save(model, tmp_path / "learner.keras")
    np.testing.assert_array_equal(maml.load(tmp_path / "learner.keras")(EPISODE), before)
    model.fit(EPISODE, verbose=0)
    assert np.abs(model(EPISODE) - before).max() > 0


def test_episodes_of_float32_are_refused_by_a_learner_of_float64():
    model = learner("cnp", maml.NormalHead(), 9, dtype="float64")
    with pytest.raises(ValueError, match="learner of float64: expected inputs and labels of float"):
        model.create_weights(EPISODE)


@pytest.mark.parametrize("kind", ["cnp", "maml"])
def test_keras_loads_and_clones_learners_to_compile_anew(kind, tmp_path):
    model = learner(kind, maml.NormalHead(), 9)
    model.compile("adam", jit_compile=False)
    model.fit(EPISODE, verbose=0)
    model.save(tmp_path / "learner.keras")
    loaded = keras.models.load_model(tmp_path / "learner.keras")
    clone = keras.models.clone_model(model)
    np.testing.assert_allclose(loaded.predict(EPISODE, verbose=0), model(EPISODE), rtol=1e-5)
    assert clone.predict(EPISODE, verbose=0).shape == (3, 3, 1)
    for other in (loaded, clone):
        for method in (other.fit, other.evaluate):
            with pytest.raises(ValueError, match="expects a compiled learner: call compile"):
                method(EPISODE, verbose=0)
        other.compile("adam", jit_compile=False)
        assert np.isfinite(other.fit(EPISODE, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("name", ["learner.h5", "learner.hdf5"])
def test_a_file_that_keras_could_not_read_is_refused(name, tmp_path):
    model = learner("cnp", maml.NormalHead(), 9)
    model.create_weights(EPISODE)
    with pytest.raises(ValueError, match=r"`filepath`: expected .*\.keras.*Use maml.save"):
        model.save(tmp_path / name)


@pytest.mark.slow
def test_a_loaded_learner_trains_on(tmp_path):
    maml.save(trained("maml"), tmp_path / "learner.keras")
    loaded = maml.load(tmp_path / "learner.keras")
    loaded.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    before = [v.numpy() for v in loaded.learner_variables]
    history = loaded.fit(
        Lines().dataset(3, seed=0), steps_per_epoch=2, verbose=0, shuffle=False
    ).history
    assert np.isfinite(history["loss"]).all()
    assert any(np.any(v != b) for v, b in zip(loaded.learner_variables, before, strict=True))


def optimizers_in(path, folder):
    """Names in a learner's file that are of optimizers; and how many there are in all."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            path = archive.extract("model.weights.h5", folder)
    names = []
    with h5py.File(path) as file:
        file.visit(names.append)
    return [name for name in names if "optimizer" in name], len(names)


def test_members_of_an_ensemble_are_saved_without_optimizers_too(tmp_path):
    head = maml.CircularHead(10.0, 4)
    members = [learner("cnp", head, 9) for _ in range(2)]
    for member in members:
        member.create_weights(EPISODE)
        member.compile(keras.optimizers.Adam())
    maml.save(maml.Ensemble(members), tmp_path / "ensemble.h5")
    found, number = optimizers_in(tmp_path / "ensemble.h5", tmp_path)
    assert number > 9 and not found
    assert all(isinstance(member.optimizer, keras.optimizers.Adam) for member in members)


@pytest.mark.slow
def test_files_hold_no_optimizers_and_training_goes_on_with_them(tmp_path):
    paths = [tmp_path / f"learner{suffix}" for suffix in (".keras", ".h5")]

    def weights(saved_to):
        model = trained("cnp")
        optimizers = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02)
        model.compile(optimizers[0], critic_optimizer=optimizers[1], jit_compile=False)
        for start in (0, 2):
            batches = Lines().dataset(3, seed=0, start=start)
            model.fit(batches, steps_per_epoch=2, verbose=0)
            for path in saved_to:
                maml.save(model, path)
        return [variable.numpy() for variable in model.trainable_variables]

    for saved, whole in zip(weights(paths), weights([]), strict=True):
        np.testing.assert_array_equal(saved, whole)
    for path in paths:
        found, number = optimizers_in(path, tmp_path)
        assert number > 9 and not found


def test_files_hold_no_pickles(tmp_path):
    maml.save(trained("maml"), tmp_path / "learner.keras")
    with zipfile.ZipFile(tmp_path / "learner.keras") as archive:
        names = {pathlib.Path(name).suffix for name in archive.namelist()}
    assert names == {".json", ".h5"}


def test_lambdas_are_not_run(tmp_path):
    """A file from somebody else must not bring code of its own."""
    network = keras.Sequential(
        [keras.Input((9,)), keras.layers.Dense(3), keras.layers.Lambda(lambda x: x[:, :1])]
    )
    model = maml.MAML(network, maml.NormalHead())
    model.create_weights(EPISODE)
    maml.save(model, tmp_path / "learner.keras")
    with pytest.raises(ValueError, match="Cannot load a learner from"):
        maml.load(tmp_path / "learner.keras")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("damage", ["empty", "cut", "other"])
def test_damaged_files_are_refused_in_one_sentence(suffix, damage, tmp_path):
    path = tmp_path / f"learner{suffix}"
    maml.save(trained("cnp"), path)
    content = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "cut": content[: len(content) // 2], "other": b"abc" * 99}[damage]
    )
    with pytest.raises(ValueError, match=f"Cannot load a learner from .*learner{suffix}"):
        maml.load(path)


def test_what_cannot_be_saved_or_loaded_is_said(tmp_path):
    model = learner("maml", maml.NormalHead(), 9)
    with pytest.raises(ValueError, match="expects a learner with weights"):
        maml.save(model, tmp_path / "learner.keras")
    with pytest.raises(ValueError, match="expected a file ending in .keras or .h5"):
        maml.load(tmp_path / "learner.pkl")
    with pytest.raises(ValueError, match="expected an existing file"):
        maml.load(tmp_path / "learner.keras")
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network.save(tmp_path / "network.keras")
    with pytest.raises(ValueError, match="received a Sequential"):
        maml.load(tmp_path / "network.keras")
    assert os.listdir(tmp_path) == ["network.keras"]


def test_arguments_are_found_through_keyword_arguments():
    names = parameters(maml.MetaSGD)
    assert {"network", "head", "inner_lr", "adapt_only", "regularizers", "seed"} <= set(names)
    assert "kwargs" not in names and "name" not in names


NOTEBOOK = """
import sys
import keras
import tensorflow as tf
import maml
{definition}
{body}
"""

DEFINITION = """
class Slope(maml.MetaLearner):
    network_kind = "embedding"

    def __init__(self, embedding, head, ridge=1.0, **kwargs):
        super().__init__(head, **kwargs)
        self.embedding, self.ridge = embedding, ridge

    def embed(self, x):
        return maml.per_input(self.embedding, x)

    def encode(self, x, y, training=False):
        return tf.reduce_sum(x * y, 1) / (self.ridge + tf.reduce_sum(x * x, 1))

    def decode(self, state, x):
        return self.head(x * state[:, tf.newaxis])

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1])
"""

SAVE = """
network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
learner = Slope(network, maml.NormalHead(), ridge=2.0)
rng = tf.random.Generator.from_seed(1)
x, y = rng.normal([2, 3, 2]), rng.normal([2, 3, 1])
learner.create_weights(maml.Episode(x, y, x, y))
maml.save(learner, sys.argv[1])
print(learner.predict_episode(x, y, x).numpy().tolist())
"""

LOAD = """
loaded = maml.load(sys.argv[1])
rng = tf.random.Generator.from_seed(1)
x, y = rng.normal([2, 3, 2]), rng.normal([2, 3, 1])
assert type(loaded) is Slope and loaded.ridge == 2.0
print(loaded.predict_episode(x, y, x).numpy().tolist())
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("saved_by", ["a notebook", "a module"])
def test_classes_of_a_notebook_load_where_a_script_defines_them_too(suffix, saved_by, tmp_path):
    path, script = tmp_path / f"learner{suffix}", tmp_path / "script.py"
    (tmp_path / "slopes.py").write_text(NOTEBOOK.format(definition=DEFINITION, body=""))
    here, there = DEFINITION, "from slopes import Slope"
    found = []
    definitions = (here, there) if saved_by == "a notebook" else (there, here)
    for definition, body in zip((*definitions, definitions[0]), (SAVE, LOAD, LOAD), strict=True):
        script.write_text(NOTEBOOK.format(definition=definition, body=body))
        process = commands.run(str(script), path)
        assert process.returncode == 0, process.stderr[-2000:]
        found.append(process.stdout.splitlines()[-1])
    assert len(set(found)) == 1
    script.write_text(NOTEBOOK.format(definition="", body="maml.load(sys.argv[1])"))
    process = commands.run(str(script), path)
    assert "Cannot load a learner" in process.stderr and "not defined here" in " ".join(
        process.stderr.split()
    )

"""Damaged pickles, learners, files of runs and options: only errors of our own come out.

FUZZ_SECONDS in the environment is about how long they take; 5 without it.
"""

import contextlib
import functools
import json
import math
import pickle
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from budget import fuzzed
from damage import ARRAYS, ODD, changed, damaged, program
from hypothesis import strategies as st

import maml
from maml.core import options
from maml.core.registry import LEARNERS, REGULARIZERS, TASKS
from maml.experiments import Config, read_config, read_history, read_results, results
from maml.experiments.run_folder import claim_run_dir
from pose_data import pickles, records
from pose_data.tasks import PoseTasks


@contextlib.contextmanager
def refused(path=None, *kinds):
    """An error of ours, one line that names the file, is as good as none."""
    try:
        yield
    except (ValueError, *kinds) as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        assert path is None or path.name in str(error)


# -- pose data ------------------------------------------------------------------------------------

IMAGES = [[np.full((4, 4), 9 * i + j, np.uint8) for j in range(5)] for i in range(3)]
DATA = [IMAGES, [[[0.5, 0.5, j / 5] for j in range(5)] for _ in IMAGES]]
PICKLES = [pickle.dumps(DATA, protocol) for protocol in range(6)]

# What pickles are made of: instructions that push, build, name and repeat.
PIECES = st.one_of(
    st.sampled_from(
        [b"(", b")", b"]", b"}", b"N", b"\x88", b"a", b"e", b"l", b"t", b"\x85", b"\x86", b"\x87"]
        + [b"2", b"0", b"1", b"b", b"R", b"\x81", b"\x94", b"s", b"u", b"q\x00", b"h\x00", b"h\x01"]
        + [b"K\x05", b"G?\xe0" + bytes(6), b"C\x04abcd", b"X\x02\x00\x00\x00u1", b"U\x01|"]
        + [b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n", b"cos\nsystem\n"]
        + [b"cnumpy._core.multiarray\n_reconstruct\n", b"cnumpy.core.multiarray\nscalar\n"]
        + [b"cnumpy._core.numeric\n_frombuffer\n", b"\x8a\xff", b"r\xff\xff\xff\x7f"]
    ),
    st.binary(max_size=3),
)
PROGRAMS = st.lists(PIECES, max_size=40).map(lambda parts: b"\x80\x04" + b"".join(parts) + b".")


# What a pickle holds, changed: lists and arrays of other types, sizes and numbers.
CHANGED = changed(DATA, st.one_of(ODD, ARRAYS)).map(pickle.dumps)


@fuzzed(60, st.one_of(damaged(PICKLES), PROGRAMS, program(PICKLES), CHANGED))
def test_pickles(tmp_path, content):
    path = tmp_path / "train_data.pkl"
    path.write_bytes(content)
    with refused(path):
        pickles.load(path)
    with refused(), contextlib.suppress(MemoryError):
        family = PoseTasks.load(path, shots=2, queries=2)
        angles = family.angles.numpy()
        assert (angles > -0.01).all() and (angles < 1.01).all() and family.image_size > 0


SPLIT = {"train": ["a/1", "a/2"], "val": ["b/1"], "seed": 1, "num_images": 5}
SPLIT |= {"image_shape": [4, 4], "mesh_sha256": {"a/1": "x", "b/1": None}}
SEALED = records.sealed(SPLIT, {"train_data.pkl": "0" * 64})


@fuzzed(60, st.one_of(changed(SPLIT), changed(SEALED)))
def test_splits(tmp_path, content):
    path = tmp_path / "split.json"
    path.write_text(json.dumps(content))
    with refused(path):
        found = records.read_split(path)
        assert all(isinstance(name, str) for name in found["train"] + found["val"])
        assert all(
            of is None or isinstance(of, str) for of in found.get("mesh_sha256", {}).values()
        )
    path.unlink()


# -- learners -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Path of a learner, its content, its parts, and its configuration."""
    model = toys.learner("cnp", maml.NormalHead(), 9)
    model.create_weights(toys.Lines().sample(3, tf.constant([1, 2])))
    path = tmp_path_factory.mktemp("fuzz") / "learner.keras"
    maml.save(model, path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    return path, path.read_bytes(), parts, json.loads(parts["config.json"])


@fuzzed(3, st.data())
def test_configurations_of_learners(archive, data):
    path, _, parts, config = archive
    content = json.dumps(data.draw(changed(config)))
    with zipfile.ZipFile(path, "w") as file:
        for name, part in (parts | {"config.json": content.encode()}).items():
            file.writestr(name, part)
    with refused(path):
        assert isinstance(maml.load(path), maml.MetaLearner)
        keras.utils.clear_session()


@fuzzed(20, st.data())
def test_archives_of_learners(archive, data):
    path, whole, *_ = archive
    path.write_bytes(data.draw(damaged([whole])))
    with refused(path):
        maml.load(path)
        keras.utils.clear_session()  # Keras keeps what it made: 0.6 MB a learner.


# -- runs -----------------------------------------------------------------------------------------


@functools.cache
def described():
    config = toys.small({"learner": "cnp", "regularizer": "label_mi"})
    return {"config": config.describe(config.make_problem()), "data": {"train": "a"}}


@fuzzed(20, st.data())
def test_configurations_of_runs(tmp_path, data):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(data.draw(changed(described()))))
    with refused(path):
        assert isinstance(read_config(path.parent), Config)
    with (
        refused(None, FileExistsError),
        claim_run_dir(path.parent, described()["config"], True, {"train": "a"}),
    ):
        pass


ROWS = [{"epoch": str(e), "loss": str(3.5 - e), "step": str(2 * e + 2)} for e in range(4)]
TABLES = [results.history_text(ROWS).encode(), b"epoch,loss\n0,3.0\n1,NA\n1,2.0\n"]


# With the checksum of what they hold.
SEALED_TABLES = (
    changed(
        ROWS,
        st.one_of(st.sampled_from(["", "nan", "-1", "1e400", "é", ",", '"', "\0", "0x1"]), ODD),
    )
    .filter(lambda rows: isinstance(rows, list) and all(isinstance(row, dict) for row in rows))
    .map(lambda rows: results.history_text(rows).encode())
)


@fuzzed(60, st.one_of(damaged(TABLES), SEALED_TABLES))
def test_histories(tmp_path, content):
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    with refused(path):
        found = read_history(path)
        assert len({len(column) for column in found.values()}) == 1
        assert found["epoch"].tolist() == list(range(len(found["epoch"])))


@fuzzed(60, st.one_of(st.binary(max_size=40), changed({"schema": 2, "scores": {"train": {}}})))
def test_results(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with refused(path):
        read_results(path)
    path.unlink()


# -- options --------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.sampled_from(
        ["nan", "inf", "-inf", "1e400", "-1", "0", "9" * 400, "1:nan", "none", "", "é"]
    ),
    st.text(max_size=6),
    st.lists(st.floats(), max_size=3).map(lambda values: ":".join(map(str, values))),
)
PARAMETERS = [
    (f"{name}.{option}", parameter)
    for registry in (LEARNERS, REGULARIZERS, TASKS)
    for name in registry
    for option, parameter in options.options_of(registry[name]).items()
]


@fuzzed(200, st.sampled_from(PARAMETERS), TEXTS)
def test_options(option, text):
    name, parameter = option
    with refused():
        value = options.read(name, text, parameter)
        numbers = value if isinstance(value, tuple) else (value,)
        assert all(np.isfinite(of) for of in numbers if isinstance(of, float))


FIELDS = ["meta_lr", "weight_decay", "critic_lr", "steps", "patience", "seed", "meta_batch_size"]


@fuzzed(40, st.sampled_from(FIELDS), ODD)
def test_fields(name, value):
    with refused():
        assert math.isfinite(getattr(Config(**{name: value}), name))


@pytest.mark.parametrize("text", ["meta_lr=nan", ";;", "=", "a=1;a=2", "hidden=", "=1"])
def test_words_of_options(text):
    with refused():
        Config(task_options=text)

"""Learners, checkpoints and histories: what has changed since is noticed, and nothing lost."""

import json
import pathlib
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

import maml
from maml.experiments import callbacks, read_config, read_history, read_results, results, training
from maml.experiments.run_folder import claim_run_dir
from pose_data import records
from pose_data.tasks import PoseTasks

EPISODE = toys.Lines().sample(3, tf.constant([1, 2]))
ROWS = [{"epoch": str(e), "loss": str(3.5 - e), "step": str(2 * e + 2)} for e in range(3)]


def flipped(content, count, seed=0):
    """A content with one bit changed, at some places each."""
    rng = np.random.default_rng(seed)
    for bit in rng.choice(8 * len(content), min(count, 8 * len(content)), replace=False):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def made():
    model = toys.learner("cnp", maml.NormalHead(), 9)
    model.create_weights(EPISODE)
    model.compile(keras.optimizers.Adam())
    return model


def values(model):
    return [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]


def assert_same(values, others):
    for value, other in zip(values, others, strict=True):
        np.testing.assert_array_equal(value, other)


# -- learners -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_learner_of_which_a_bit_has_changed_is_itself_or_refused(tmp_path, suffix):
    model, path = made(), tmp_path / f"learner{suffix}"
    maml.save(model, path)
    expected = [variable.numpy() for variable in model.variables]
    for content in flipped(path.read_bytes(), 60):
        path.write_bytes(content)
        try:
            loaded = maml.load(path)
        except ValueError as error:
            assert f"learner{suffix}" in str(error) and "\n" not in str(error)
        else:
            assert_same([variable.numpy() for variable in loaded.variables], expected)


def test_a_learner_without_a_checksum_could_be_another(tmp_path):
    """As older versions wrote them: a bit of theirs has changed without a word."""
    maml.save(made(), tmp_path / "learner.h5")
    whole = (tmp_path / "learner.h5").read_bytes()
    (tmp_path / "learner.h5").write_bytes(whole[: whole.rindex(b"\nsha256:")])
    with pytest.raises(ValueError, match="it does not end in its checksum"):
        maml.load(tmp_path / "learner.h5")


def rewritten(path, change):
    """Changes the configuration in a learner's archive, whose checksums are right again."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    parts["config.json"] = json.dumps(change(config)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


CHANGES = [
    lambda config: None,
    lambda config: [],
    lambda config: config | {"config": None},
    lambda config: config | {"config": config["config"] | {"embedding": {"class_name": "Lambda"}}},
    lambda config: config | {"config": config["config"] | {"head": -1}},
    lambda config: config | {"config": config["config"] | {"hidden": [10**9]}},
    lambda config: config | {"config": config["config"] | {"dim_r": 10**12}},
    lambda config: config | {"build_config": {"episode": [-1]}},
    lambda config: config | {"build_config": {"episode": [[[None, 4, 10**9], "float32"]] * 4}},
    lambda config: config | {"registered_name": "maml>Other"},
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_a_learner_with_another_configuration_is_refused(tmp_path, number):
    path = tmp_path / "learner.keras"
    maml.save(made(), path)
    rewritten(path, lambda config: config)
    maml.load(path)
    rewritten(path, CHANGES[number])
    with pytest.raises(ValueError, match="Cannot load a learner from") as error:
        maml.load(path)
    assert len(str(error.value)) < 600 + len(str(path)) and "\n" not in str(error.value)


def test_a_name_on_two_lines_in_an_archive_is_shown_on_one(tmp_path):
    path = tmp_path / "learner.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta\ndata.json\x1b", b"0123456789")
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"0123456788"))
    with pytest.raises(ValueError, match=r"\(meta data.json\\x1b does not have") as refused:
        maml.load(path)
    assert str(refused.value).isprintable()


def test_an_archive_that_unfolds_is_refused(tmp_path):
    path = tmp_path / "learner.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "[" * 10**7)
    with pytest.raises(ValueError, match="not a valid .keras archive"):
        maml.load(path)


# -- checkpoints ----------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of a model that has trained for a step, and the model's values."""
    model = made()
    model.fit(EPISODE, verbose=0)
    table = callbacks.HistoryFile(tmp_path / "history.csv")
    table.rows = ROWS
    kept = callbacks.Checkpoint(tmp_path / "run.weights.h5", table)
    kept.set_model(model)
    kept.on_epoch_end(0)
    return kept, model, values(model)


def test_a_checkpoint_of_which_a_bit_has_changed_is_itself_or_refused(checkpoint):
    kept, model, expected = checkpoint
    whole = kept.path.read_bytes()
    for content in flipped(whole, 60):
        kept.path.write_bytes(content)
        try:
            kept.restore(model)
        except ValueError as error:
            assert "run.weights.h5 is damaged" in str(error)
        else:
            assert_same(values(model), expected)
    for size in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        kept.path.write_bytes(whole[:size])
        if size < len(whole) - 100:
            with pytest.raises(ValueError, match="run.weights.h5 is damaged"):
                kept.restore(model)


def test_a_checkpoint_holds_the_history_and_keras_reads_it_too(checkpoint):
    kept, model, expected = checkpoint
    assert kept.history() == results.history_text(ROWS)
    other = made()
    other.load_weights(kept.path)
    assert_same(values(other)[: len(other.variables)], expected[: len(other.variables)])


# -- histories ------------------------------------------------------------------------------------


def test_a_history_of_which_a_bit_has_changed_is_itself_or_refused(tmp_path):
    path = tmp_path / "history.csv"
    whole = results.history_text(ROWS).encode()
    path.write_bytes(whole)
    expected = {"epoch": [0, 1, 2], "loss": [3.5, 2.5, 1.5], "step": [2, 4, 6]}
    assert {name: of.tolist() for name, of in read_history(path).items()} == expected
    for content in flipped(whole, len(whole) * 8):
        path.write_bytes(content)
        try:
            found = {name: of.tolist() for name, of in read_history(path).items()}
        except ValueError as error:
            assert "history.csv is damaged" in str(error)
        else:
            assert found == expected
    lines = whole.splitlines(keepends=True)
    for cut in (lines[:-1], lines[:-2], [lines[0]], [*lines[:2], lines[3]], lines[1:]):
        path.write_bytes(b"".join(cut))
        with pytest.raises(ValueError, match="history.csv is damaged"):
            read_history(path)


def test_values_that_a_row_lacks_are_no_numbers():
    rows = [ROWS[0], ROWS[1] | {"val_loss": "2.0"}]
    found = results.columns(results.read_rows(results.history_text(rows)))
    np.testing.assert_array_equal(found["val_loss"], [np.nan, 2.0])


def test_a_table_goes_on_from_its_epochs(tmp_path):
    table = callbacks.HistoryFile(tmp_path / "history.csv")
    for epoch in range(3):
        table.on_epoch_end(epoch, {"loss": float(epoch)})
    assert read_history(table.path)["loss"].tolist() == [0, 1, 2]
    whole = table.path.read_text()
    again = callbacks.HistoryFile(tmp_path / "history.csv")
    again.restore(None, 2)  # The third was logged, and its checkpoint not written.
    assert read_history(table.path)["loss"].tolist() == [0, 1]
    again.on_epoch_end(2, {"loss": 2.0})
    assert table.path.read_text() == whole
    for damage in (whole[:-30], "", None):
        table.path.unlink() if damage is None else table.path.write_text(damage)
        with pytest.raises(ValueError, match="history.csv was expected to hold 3 epochs"):
            callbacks.HistoryFile(table.path).restore(None, 3)
        callbacks.HistoryFile(table.path).restore(whole, 3)  # A checkpoint holds it too.
        assert table.path.read_text() == whole


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A configuration, and the folder of its run that was cut before its results."""
    config = toys.small({"learner": "cnp", "patience": 1})
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.saving, "save", lambda *_: (_ for _ in ()).throw(InterruptedError))
        with pytest.raises(InterruptedError):
            training.run(config, folder / "cut", verbose=0, pictures=False)
    return config, folder / "cut"


def copied(folder, to):
    to.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (to / path.name).write_bytes(path.read_bytes())
    return to


def go_on(config, folder):
    return training.run(config, folder, resume=True, verbose=0, pictures=False)


@pytest.mark.parametrize("damage", ["torn", "missing", "changed"])
def test_a_history_that_is_damaged_is_restored_from_the_checkpoint(runs, tmp_path, damage):
    config, cut = runs
    folder = copied(cut, tmp_path / "run")
    path, whole = folder / "history.csv", (cut / "history.csv").read_text()
    if damage == "missing":
        path.unlink()
    else:
        path.write_text(whole[:-40] if damage == "torn" else whole.replace("0.", "1.", 1))
    record = go_on(config, folder)
    assert path.read_text() == whole and record["cost"]["steps"] == 4
    # And of a finished run too.
    path.unlink()
    learner = maml.load(folder / "learner.keras")
    assert go_on(config, folder) == record and path.read_text() == whole
    assert_same(learner.get_weights(), maml.load(folder / "learner.keras").get_weights())


@pytest.mark.parametrize("name", ["checkpoint.weights.h5", "best.weights.h5"])
def test_weights_that_are_damaged_are_told_before_training(runs, tmp_path, monkeypatch, name):
    config, cut = runs
    folder = copied(cut, tmp_path / "run")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    monkeypatch.setattr(maml.MetaLearner, "fit", lambda *_, **__: pytest.fail("trains"))
    with pytest.raises(ValueError, match=f"{name} is damaged.*copy of it, or remove"):
        go_on(config, folder)
    if name.startswith("best"):
        (folder / name).unlink()
        with pytest.raises(ValueError, match=f"{name} is damaged"):
            go_on(config, folder)


def test_an_older_run_without_its_history_is_told_before_training(runs, tmp_path, monkeypatch):
    config, cut = runs
    folder = copied(cut, tmp_path / "run")
    lines = (folder / "history.csv").read_text().splitlines()
    (folder / "history.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines[:-1]))
    monkeypatch.setattr(callbacks.Checkpoint, "history", lambda self: None)
    monkeypatch.setattr(maml.MetaLearner, "fit", lambda *_, **__: pytest.fail("trains"))
    with pytest.raises(ValueError, match="history.csv was expected to hold 2 epochs.*it has 1"):
        go_on(config, folder)


# -- the configuration ----------------------------------------------------------------------------

DAMAGED = [
    '{"config": NaN}', '{"config": -1}', '{"config": null}', '{"config": []}', '{"config": "a"}',
    '{"config": {}, "data": 3}', '{"config": {}, "data": [1]}', "[]", "3", "", "\xff",
    '{"config": ' + "[" * 100_000, '{"config": {"steps": ' + "9" * 5000 + "}}",
]  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_configuration_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="latin1")

    def claim(_):
        with claim_run_dir(tmp_path, {"steps": 4}, True, {"a": 1}):
            pass

    for read in (claim, read_config):
        with pytest.raises(ValueError, match=r"config\.json"):
            read(tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema": ' + "[" * 100_000, "null", "\xff"])
def test_damaged_results_are_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "results.json").write_text(text, encoding="latin1")
    with pytest.raises(ValueError, match=r"results\.json"):
        read_results(tmp_path)


# -- files that were found ------------------------------------------------------------------------

FAULTS = pathlib.Path(__file__).parents[2] / "shared/cases/faults"


@pytest.mark.parametrize(
    ("name", "read", "place"),
    [
        ("load_keras_100.keras", maml.load, "learner.keras"),
        ("load_keras_206.keras", maml.load, "learner.keras"),
        ("load_h5_131.h5", maml.load, "learner.h5"),
        ("pose_labels_17.pkl", PoseTasks.load, "train_data.pkl"),
        ("pose_billion_laughs.pkl", PoseTasks.load, "train_data.pkl"),
        ("fz4_split_206.json", records.read_split, "split.json"),
        *(
            (f"fz4_{part}.json", lambda path: read_config(path.parent), "config.json")
            for part in ("claim_134", "config_122", "config_253")
        ),
    ],
)
def test_damaged_files_that_were_found_are_refused(tmp_path, name, read, place):
    if not FAULTS.exists():
        pytest.skip("the files are not there: ../shared/cases/faults")
    path = tmp_path / place
    path.write_bytes((FAULTS / name).read_bytes())
    with pytest.raises(ValueError, match=place) as error:
        read(path)
    assert "\n" not in str(error.value)

"""Offline diagnosis: files that are damaged, do not belong together, or stand in the way."""

import json

import commands
import numpy as np
import pytest

from maml.diagnostics import offline

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 12, 2))
WEIGHTS = RNG.normal(size=(6, 2))
Y = np.einsum("tnd,td->tn", X, WEIGHTS)
NEW_Y = np.einsum("tnd,td->tn", X + 1, WEIGHTS)
TASKS = {"training_x": X, "training_y": Y, "held_out_x": X + 1, "held_out_y": NEW_Y}
SETTINGS = offline.Settings(shots=5, num_relabelings=2, num_supports=2)


def saved(path, content):
    np.savez(path, **content)
    return path


def answers(questions):
    """Those of a model that knows its tasks to be linear."""
    asked = np.load(questions)
    found = {}
    for index in range(int(asked["count"])):
        parts = [asked[f"{name}_{index}"] for name in ("support_x", "support_y", "query_x")]
        found[f"answer_{index}"] = parts[2] @ np.linalg.lstsq(*parts[:2], rcond=None)[0]
    return found


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("offline")
    offline.write_questions(saved(folder / "tasks.npz", TASKS), folder / "q.npz", SETTINGS)
    return folder / "q.npz"


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"training_y": np.where(Y > 0, np.nan, Y)}, {}, "finite support labels, received nan"),
        ({"training_y": 1e200 * Y}, {}, r"sizes up to 1e\+150, whose squares are finite"),
        ({"training_y": Y + 1j}, {}, "expected numbers, received complex128"),
        ({"training_y": Y[:, :, None, None]}, {}, "of which no size is 0; received"),
        ({"training_y": Y[:, :, None][..., :0]}, {}, "of which no size is 0; received"),
        ({"training_x": X[:, :, :0]}, {}, "of which no size is 0; received"),
        ({"held_out_x": X[:, :, :1]}, {}, "held_out tasks: expected points like those of training"),
        ({"held_out_y": np.stack([Y, Y], -1)}, {}, r"labels \[\]; received \[2\] and \[2\]"),
        ({}, {"queries": 8}, "`queries`: expected 1 to 7, the points .* that 5 shots leave"),
        ({}, {"num_relabelings": 10**9, "relabel": "scale"}, "`num_relabelings`: .* TB of memory"),
        ({}, {"output": "probs"}, "Missing value for `classes`: expected their number"),
        ({}, {"output": "probs", "classes": 10**9}, "`classes`: .* needs about .* of memory"),
    ],
)
def test_tasks_and_settings_without_a_meaning_are_refused(tmp_path, changes, settings, message):
    tasks = saved(tmp_path / "tasks.npz", TASKS | changes)
    (tmp_path / "q.npz").write_bytes(b"older")
    with pytest.raises(ValueError, match=message) as told:
        given = offline.dataclasses.replace(SETTINGS, **settings)
        offline.write_questions(tasks, tmp_path / "q.npz", given)
    assert "\n" not in str(told.value) and (tmp_path / "q.npz").read_bytes() == b"older"


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PK\3\4", b"\x80\x04}\x94."])
def test_what_numpy_did_not_save_is_refused_without_advice_to_trust_it(tmp_path, content):
    (tmp_path / "tasks.npz").write_bytes(content)
    with pytest.raises(ValueError, match="--episodes: expected an .npz file of arrays") as told:
        offline.write_questions(tmp_path / "tasks.npz", tmp_path / "q.npz", SETTINGS)
    assert "allow_pickle" not in str(told.value)


def test_answers_to_other_questions_are_refused_where_they_say_so(tmp_path, questions):
    found = answers(questions)
    plain = offline.read_answers(questions, saved(tmp_path / "a.npz", found))
    own = found | {"id": np.load(questions)["id"]}
    assert offline.read_answers(questions, saved(tmp_path / "a.npz", own)) == plain
    other = offline.dataclasses.replace(SETTINGS, seed=1)
    offline.write_questions(questions.parent / "tasks.npz", tmp_path / "q.npz", other)
    with pytest.raises(ValueError, match="received those to other questions, of id [0-9a-f]{16};"):
        offline.read_answers(tmp_path / "q.npz", tmp_path / "a.npz")


def test_answers_to_questions_that_this_version_would_not_ask_are_refused(tmp_path, monkeypatch):
    tasks = saved(tmp_path / "tasks.npz", TASKS | {"held_out_x": X, "held_out_y": Y})
    with monkeypatch.context() as older:
        older.setattr(offline.sampling, "without_shared", lambda tasks, others: tasks)
        offline.write_questions(tasks, tmp_path / "q.npz", SETTINGS)
    found = saved(tmp_path / "a.npz", answers(tmp_path / "q.npz"))
    refused = pytest.raises(ValueError, match="expected 18 questions .*received 36; write it anew")
    with pytest.warns(UserWarning, match="6 of 6 held-out tasks"), refused:
        offline.read_answers(tmp_path / "q.npz", found)


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"shots": 4}},
        {"settings": {"shots": "5"}},
        {"settings": {"num_supports": None}},
        {"settings": {"num_relabelings": 1e9}},
        {"settings": {"unknown": 1}},
        {"support_x_0": X[0, :5] + 1},
        {"tasks_training_y": Y + 1},
        {"tasks_training_y": None},
        {"id": None},
        {"count": np.array(3)},
    ],
    ids=str,
)
def test_questions_that_were_changed_are_refused(tmp_path, questions, changes):
    content = dict(np.load(questions))
    own = saved(tmp_path / "a.npz", answers(questions))
    for name, value in changes.items():
        if name == "settings":
            value = np.array(json.dumps(json.loads(str(content["settings"])) | value))
        content[name] = value
    kept = {name: value for name, value in content.items() if value is not None}
    with pytest.raises(ValueError, match="that nothing has changed; write it anew"):
        offline.read_answers(saved(tmp_path / "q.npz", kept), own)
    if "settings" in changes:  # Nor with the checksum made right, unless another option is meant.
        kept["id"] = np.array(offline._identity({k: v for k, v in kept.items() if k != "id"}))
        with pytest.raises(ValueError, match="write it anew|expected an array|received \\[7\\]"):
            offline.read_answers(saved(tmp_path / "q.npz", kept), own)


@pytest.mark.parametrize("value", [np.full(7, np.nan), np.zeros(3), np.ones(7) * 1e200])
def test_answers_without_a_meaning_are_refused(tmp_path, questions, value):
    content = answers(questions) | {"answer_3": value}
    with pytest.raises(ValueError, match="returned by `predict`"):
        offline.read_answers(questions, saved(tmp_path / "a.npz", content))


@pytest.mark.slow
def test_flags_without_effect_and_places_that_are_taken_are_refused(tmp_path, questions):
    """Whatever is refused, the files that are there stay."""
    saved(tmp_path / "tasks.npz", TASKS)
    saved(tmp_path / "answers.npz", answers(questions))
    (tmp_path / "questions.npz").write_bytes(questions.read_bytes())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write, read = ("--mode=write", "--episodes=tasks.npz", "--shots=5"), ("--mode=read",)
    for flags, told in [
        ((*write, "--questions=tasks.npz"), "--questions: expected another file than --episodes"),
        ((*write, "--questions=none/q.npz"), "--questions: expected a file in a folder that is"),
        ((*write, "--questions="), "--questions: expected a file in a folder that is there"),
        ((*write, "--json=r.json"), "--json: it has no effect with --mode=write"),
        ((*write, "--classes=3"), "--classes: it has no effect with --output=mean"),
        ((*read, "--shots=3"), "--shots: it has no effect with --mode=read"),
        ((*read, "--json=."), "--json: expected a file in a folder that is there"),
        ((*read, "--picture=answers.npz"), "--picture: expected another file than --answers"),
    ]:
        done = commands.run("maml.diagnostics.offline", *flags, cwd=tmp_path)
        assert done.returncode == 1 and told in done.stderr, done.stderr
        assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

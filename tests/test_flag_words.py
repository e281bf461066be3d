"""Refusals name the flag that the user typed, in one sentence."""

import commands
import pytest
from absl import flags

from mine.reporting import flag_words


@pytest.fixture
def known(monkeypatch):
    """Flags of a command that trains."""
    known = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", known)
    made = {"flag_values": known}
    flags.DEFINE_integer("seed", 0, "Seed.", 0, flag_words.MOST_SEED, **made)
    flags.DEFINE_integer("steps", None, "Steps.", 1, **made)
    flags.DEFINE_float("rate", 0.1, "Rate.", 0, 1, **made)
    flags.DEFINE_bool("resume", False, "Go on.", **made)
    flags.DEFINE_enum("mode", "train", ["train", "test"], "What is done.", **made)
    flags.DEFINE_string("ways", None, "Classes of a task.", **made)
    flags.DEFINE_string("x", None, "A file.", **made)
    flags.DEFINE_string("logdir", None, "Folder of the run.", **made)
    flags.DEFINE_string("saved", "saved/model.keras", "The learner's file.", **made)
    flags.DEFINE_multi_string("task_options", None, "Options of the task.", **made)
    flags.DEFINE_alias("n_way", "ways", **made)
    return known


SEED = "Invalid value for --seed: expected a whole number from 0 to 2,147,483,647; received "


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seed=1e30"], f"{SEED}'1e30'."),
        (["--seed=-3"], f"{SEED}'-3'."),
        (["--seed=2.5"], f"{SEED}'2.5'."),
        (["--seed", "x: y"], f"{SEED}'x'."),
        (["--seed=10000000000000000000"], f"{SEED}'10000000000000000000'."),
        (
            ["--steps=0"],
            "Invalid value for --steps: expected a whole number from 1 on; received '0'.",
        ),
        (["--rate=2"], "Invalid value for --rate: expected a number from 0 to 1; received '2'."),
        (["--resume=4"], "Invalid value for --resume: expected true or false; received '4'."),
        (["--mode=go"], "Invalid value for --mode: expected one of train, test; received 'go'."),
        (["--sede=3"], "Unknown flag --sede: did you mean --seed? --helpfull lists all flags."),
        (["--steps"], "Missing value for flag --steps; --helpfull lists all flags."),
    ],
)
def test_a_value_that_a_flag_does_not_take_is_one_sentence(known, words, told):
    with pytest.raises(SystemExit) as ended:
        flag_words.parse(["command", *words])
    assert ended.value.code == f"Error: {told}"


def test_a_missing_flag_is_named_with_what_it_is(known):
    flags.mark_flag_as_required("logdir", flag_values=known)
    with pytest.raises(SystemExit) as ended:
        flag_words.parse(["command"])
    assert ended.value.code == "Error: Missing flag --logdir: Folder of the run."
    with pytest.raises(SystemExit) as ended:
        flag_words.parse(["command", "--logdir="])
    assert ended.value.code.startswith("Error: Invalid value for --logdir: expected one; received")


@pytest.mark.parametrize(
    ("words", "name", "rest", "told"),
    [
        (["--ways=1"], "ways", "expected 2", "--ways"),
        (["--n_way=1"], "ways", "expected 2", "--n_way"),
        ([], "steps", "expected a multiple of 500", "--steps"),
        (["--task_options=shots=1;noise=a"], "noise", "expected 2", "noise of --task_options"),
        (["--task_options=sines.noise=a"], "noise", "expected 2", "noise of --task_options"),
        ([], "path", "expected a file; received the folder saved/model.keras.", "--saved"),
        ([], "folder", "expected a folder, received saved/model, a file.", "--saved"),
        (["--logdir=runs"], "path", "received the folder runs/learner.keras.", "--logdir"),
        (["--saved=a.txt"], "path", "expected a file ending in .keras; received a.txt", "--saved"),
        ([], "x", "received NaN", "`x`"),
        ([], "shape", "received 3", "`shape`"),
        (["--ways=40"], "size", "received 40 for images of 10 x 10", "`size`"),
    ],
)
def test_an_argument_is_named_as_the_flag_it_came_by(known, words, name, rest, told):
    known(["command", *words])
    sentence = flag_words.with_flags(f"Error: Invalid value for `{name}`: {rest}")
    assert sentence == f"Error: Invalid value for {told}: {rest}"


def test_names_after_the_colon_and_other_sentences_stay(known):
    known(["command", "--steps=3"])
    for sentence in (
        "Error: Cannot read `steps`: `seed`.",
        "Error: the option 'steps' is unknown.",
    ):
        assert flag_words.with_flags(sentence) == sentence
    text = "a.png is damaged\nError: Invalid values for `steps` and `seed`: give `steps` once."
    assert flag_words.with_flags(text).endswith("for --steps and --seed: give `steps` once.")


@pytest.mark.parametrize(
    ("module", "words", "told"),
    [
        (
            "maml.train",
            ["--model_save_filename=a.txt"],
            "for --model_save_filename: expected a file",
        ),
        ("maml.train", ["--n_way=a", "--task=clusters"], "for --n_way: expected int"),
        ("maml.train", ["--learner_options=inner_steps=x"], "for inner_steps of --learner_options"),
        ("maml.train", ["--seed=1e30"], SEED),
        ("maml.evaluate", ["--model_save_filename=a.txt"], "--model_save_filename"),
        ("mine.estimators", ["--data=a.npz", "--folds=1"], "for --folds: expected a whole number"),
    ],
)
def test_commands_name_their_flags(module, words, told, tmp_path):
    done = commands.run(module, *words, cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr and told in done.stderr
    assert not list(tmp_path.iterdir())

"""The front door as a newcomer uses it: run.sh, the commands of the README, the wheel."""

import csv
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import cad_samples
import commands
import numpy as np
import pytest

from pose_data import gl_backend

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell(*command, cwd=ROOT, **variables):
    environment = os.environ | {"VIRTUAL_ENV": sys.prefix} | variables
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


STUDIES = {
    "pose": "pose_code.study",
    "sinusoid": "maml.studies.memorization",
    "robustness": "maml.studies.robustness",
    "ambiguity": "maml.studies.ambiguity",
    "fewshot": "maml.studies.fewshot",
    "image_threshold": "maml.studies.image_threshold",
    "threshold": "maml.studies.threshold",
}
"""Commands of run.sh -> what they run with folders of its own."""

OTHERS = {"compare": "maml.compare", "data": "pose_data.make_data"}
"""Further commands of run.sh -> what they run."""


def commands_of_pages():
    """The lines of the shell blocks of README and docs, continuation lines joined."""
    pages = [
        README,
        *(page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("docs/**/*.md"))),
    ]
    blocks = re.findall(r"```sh\n(.*?)```", "\n".join(pages), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return list(dict.fromkeys(line.split("  #")[0].strip() for line in lines if line.strip()))


def test_help_names_every_command_and_unknown_ones_are_refused():
    known = shell("./run.sh", "help")
    assert known.returncode == 0
    for command in ("test", "data", "train", "compare", "baselines", "doctor", *STUDIES):
        assert f"./run.sh {command}" in known.stdout
    unknown = shell("./run.sh", "fly")
    assert unknown.returncode != 0 and "unknown command fly" in unknown.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["--data_dri=x"],
        ["--num_images=3"],
        ["loose"],
        ["--data_dir=x", "--CAD_dir=CAD", "--classes=car"],
    ],
)
def test_data_refuses_flags_it_does_not_know_and_misses_those_it_needs(flags):
    process = commands.run(OTHERS["data"], *flags)
    assert process.returncode != 0 and "Traceback" not in process.stderr
    assert "data_d" in process.stderr or "loose" in process.stderr or "--CAD_dir" in process.stderr


@pytest.mark.slow
def test_the_front_door_ends_as_its_command_does():
    process = shell("./run.sh", "data")
    assert process.returncode == 1 and "Error: Missing flag --data_dir" in process.stderr


PYTHON = """#!/bin/sh
case $1 in
  -m) shift; for word in "$@"; do printf '<%s>' "$word"; done; echo ;;
  -c) ;;
  *) exec {python} "$@" ;;
esac
"""
"""A Python that prints the words that a module is run with, in place of running it."""


@pytest.fixture
def front_door(tmp_path):
    """Runs run.sh with such a Python; gives what it prints."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text(PYTHON.format(python=sys.executable))
    (tmp_path / "bin/python").chmod(0o755)

    def run(*words, **variables):
        done = shell("./run.sh", *words, VIRTUAL_ENV=str(tmp_path), **variables)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout.splitlines()[-1]

    return run


@pytest.mark.parametrize("command", [*STUDIES, "rl"])
def test_studies_write_no_results_that_are_tracked_unless_asked_to(front_door, command):
    ran = front_door(command, "--data_dir=data/few")
    assert "<--logdir=output/" in ran and "<--output=output/results/" in ran
    assert ran.index("<--output=") < ran.index("<--data_dir=")  # What is typed comes last.


@pytest.mark.parametrize("command", [*STUDIES, *OTHERS, "rl", "train", "baselines", "doctor"])
def test_flags_reach_commands_as_they_were_typed(front_door, command):
    words = ["--data_dir", "my data/few", "--rows=none,MR-W", "--seeds", "2", "--empty="]
    typed = "".join(f"<{word}>" for word in words)
    ran = front_door(command, *words, OUTPUT="out put")
    assert ran.endswith(typed), ran
    module = (STUDIES | OTHERS | {"rl": "maml.rl.study", "doctor": "maml.doctor"}).get(command)
    assert ran.startswith(f"<{module or f'pose_code.{command}'}><")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--data_dir=data/few"], "few"),
        (["--data_dir", "data/few/"], "few"),
        (["-data_dir", "my data"], "my data"),
        (["--data_dir=a", "--tables", "maml", "--data_dir", "b"], "b"),
        (["--data_dir", str(ROOT / "docs" / ".." / "maml")], "maml"),
        (["--data_dir=."], ROOT.name),
    ],
)
def test_the_study_of_poses_has_a_folder_for_each_set_of_objects(front_door, words, name):
    ran = front_door("pose", *words, OUTPUT="out")
    folders = f"<--logdir=out/pose/{name}><--output=out/results/pose/{name}>"
    assert ran == f"<pose_code.study>{folders}{''.join(f'<{word}>' for word in words)}"


@pytest.mark.parametrize("words", [[], ["--data_dir"], ["--data_dir="], ["--no", "--help"]])
def test_the_study_of_poses_is_asked_what_is_missing(front_door, words):
    """It says so itself."""
    assert front_door("pose", *words).endswith("".join(f"<{word}>" for word in words))


@pytest.mark.slow
def test_data_takes_values_with_spaces_as_they_were_typed(tmp_path):
    """As folders of models may have; a value is one value of one flag."""
    try:
        gl_backend.choose()
    except gl_backend.GlError as error:
        pytest.skip(str(error))
    names = ["office chair/01", "office chair/02", "train/01", "sofa/01", "sofa/02", "cup/01"]
    models = cad_samples.write_cad(tmp_path / "my models", [*names, "cup/02", "car --seed=3/01"])
    folder = tmp_path / "my data --num_val=9"
    flags = ["--num_images=2", "--num_val", "2", "--image_size=20"]
    skipped = "--skip_classes=office chair,train,car --seed=3"
    process = shell(
        "./run.sh", "data", f"--CAD_dir={models}", "--data_dir", folder, *flags, skipped
    )
    assert process.returncode == 0, process.stdout + process.stderr
    split = json.loads((folder / "split.json").read_text())
    assert sorted(split["train"] + split["val"]) == ["cup/01", "cup/02", "sofa/01", "sofa/02"]
    assert split["num_val"] == 2 and split["image_shape"] == [20, 20]
    assert list(tmp_path.iterdir()) and not (tmp_path / "my").exists()


@pytest.mark.slow
def test_data_train_baselines_compare_from_the_front_door(tmp_path):
    try:
        gl_backend.choose()
    except gl_backend.GlError as error:
        pytest.skip(str(error))

    def run(*arguments):
        process = shell("./run.sh", *arguments)
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    data = f"--data_dir={tmp_path / 'data'}"
    run("data", data, "--num_per_class=2", "--classes=chair,car,bus", "--num_images=8",
        "--canonical=random", "--num_val=2")  # fmt: skip
    split = json.loads((tmp_path / "data/split.json").read_text())
    assert len(split["train"]) == 4 and len(split["val"]) == 2
    assert (tmp_path / "data/contact_sheet.png").exists()
    small = [
        "--shots=3",
        "--queries=3",
        "--meta_batch_size=2",
        "--steps=2",
        "--episodes_per_task=1",
    ]
    run("train", data, f"--logdir={tmp_path / 'runs/plain'}", *small)
    run("baselines", data, f"--logdir={tmp_path / 'runs'}", *small)
    table = run("compare", f"--runs={tmp_path / 'runs'}", f"--output={tmp_path}")
    assert "| CNP |" in table and "constant" in table


@pytest.mark.slow
@pytest.mark.parametrize("command", commands_of_pages())
def test_every_command_of_the_pages_has_flags_that_exist(command):
    """Commands of our own run as far as their flags are read; others need only exist."""
    if command.startswith(("git ", "pip ", "cd ", "cp ", "tar ", "CAD_DIR=")):
        return
    words = shlex.split(command)
    if words[0] == "./run.sh":
        assert words[0:2] in (["./run.sh"], ["./run.sh", "test"]) or f"./run.sh {words[1]}" in (
            shell("./run.sh", "help").stdout
        )
        if len(words) < 2 or words[1] in ("test", "help"):
            return
        given = ["--logdir=L", "--output=O"] if words[1] in STUDIES else []
        module = (STUDIES | OTHERS).get(words[1], f"pose_code.{words[1]}")
        words = ["python", "-m", module, *given, *words[2:]]
    assert words[0] == "python", command
    if words[1] == "-m":
        # The doctor runs where absl may be missing, so its flags are not absl's.
        check = "--help" if words[2] == "maml.doctor" else "--only_check_args"
        process = commands.run(*words[2:], check, cwd=ROOT)
    else:  # A script, run from the root or, of the original project, from inside its folder.
        folder = ROOT if (ROOT / words[1]).exists() else ROOT / "pose_data"
        process = shell(sys.executable, *words[1:], "--only_check_args", cwd=folder)
    assert process.returncode == 0, process.stderr


def flags_of(command):
    """What a command of the pages runs, and its flags by name."""
    words = shlex.split(command)
    start = 2 if words[0] == "./run.sh" else 3
    pairs = [word[2:].partition("=")[::2] for word in words[start:]]
    return words[start - 1] if len(words) >= start else "", dict(pairs)


def test_options_and_rows_in_commands_of_the_pages_exist():
    """Beyond the names of flags: options of components, and rows of studies."""
    from maml.experiments import Config, command_line
    from maml.studies import fewshot
    from pose_code import problem, tables
    from pose_code.presets import preset_options

    assert problem  # Registers the task.
    studies = {"fewshot": fewshot.TABLES, "pose": tables.TABLES}
    studies["pose"] = studies["pose"] | {"objects": tables.more_objects("MORE")}
    checked = 0
    for command in commands_of_pages():
        program, given = flags_of(command)
        if program in studies and "rows" in given:
            names = given["tables"].split(",")
            known = {row for name in names for row in studies[program][name].rows}
            assert set(next(csv.reader([given["rows"]]))) <= known, command
        elif program in ("train", "maml.train", "pose_code.train") and "import" not in given:
            names = {command_line.ALIASES.get(k, k): v for k, v in given.items()}
            options = {k: v for k, v in names.items() if k in Config.__dataclass_fields__}
            for name, (role, _) in command_line.SHORT.items():
                options |= {f"{role}.{name}": names[name]} if name in names else {}
            preset = {}
            if program != "maml.train":
                preset = preset_options(names.get("preset", "quick"), names.get("learner"))
            Config.of(options, preset)
        else:
            continue
        checked += 1
    assert checked > 20


def python_of(*pages):
    """The Python blocks of pages, in order, with few training steps."""
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in pages)
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert all(sum(bool(line.strip()) for line in block.splitlines()) < 30 for block in blocks)
    return [block.replace("=2500", "=20") for block in blocks]


@pytest.mark.slow
def test_quick_starts_of_the_readme_run(capsys):
    blocks = python_of("README.md")
    lines = [sum(bool(line.strip()) for line in block.splitlines()) for block in blocks]
    assert len(lines) == 3 and lines[0] <= 10 and lines[1] <= 8 and lines[2] <= 3
    train, own_model, information = blocks
    exec(train, {})
    assert "I(ŷ; Y' | x, X)" in capsys.readouterr().out
    exec(own_model, {})
    assert "\nadapts\n" in capsys.readouterr().out
    exec(information, {})
    printed = capsys.readouterr().out
    assert re.match(r"0\.[45]\d\d nats", printed)


@pytest.mark.slow
def test_python_of_the_page_on_saved_learners_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = python_of("docs/how_to/evaluate_learners.md")
    exec(block, {})
    assert "I(ŷ; D | x)" in capsys.readouterr().out


@pytest.mark.slow
def test_python_of_the_page_on_mutual_information_prints_what_it_says(capsys):
    page = "docs/how_to/mutual_information.md"
    (block,) = python_of(page)
    exec(block, {})
    printed = capsys.readouterr().out
    assert " nats (95 % interval " in printed and "second opinions: ksg " in printed


@pytest.mark.slow
@pytest.mark.usefixtures("registries")
def test_python_of_the_pages_on_own_tasks_and_learners_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "pages"}
    for block in python_of("docs/how_to/own_tasks.md", "docs/how_to/own_learner.md"):
        exec(block.replace("steps=1500", "steps=20"), names)
    printed = capsys.readouterr().out
    assert "I(ŷ; Y' | x, X)" in printed
    maml, problem = names["maml"], names["problem"]
    loaded = maml.load(tmp_path / "learner.keras")
    episode = problem.test.sample(2, [0, 1])
    np.testing.assert_allclose(loaded(episode), names["learner"](episode), rtol=1e-5)

    terms = maml.make_regularizers(
        "label_mi,noise", label_transform=problem.label_transform, sigma=0.2
    )
    learner = maml.make_learner(
        "neighbours", problem.networks, problem.head, regularizers=terms, seed=1
    )
    learner.create_weights(problem.train.sample(2, [0, 0]))
    learner.compile("adam")
    learner.fit(problem.train.dataset(4, seed=0), steps_per_epoch=2, verbose=0)
    assert maml.diagnose(learner, problem.train, problem.test, max_tasks=20).verdict

"""What pages of docs tell a user to write and to type runs, with few steps.

A block of Python that follows "This is `NAME.py`" is that file; other blocks of a page are run one
after the other; lines of ``bash`` blocks are commands, which are typed in the folder of the files.
"""

import pathlib
import re
import shlex

import commands
import numpy as np
import pytest

import maml
from maml.diagnostics import information

ROOT = pathlib.Path(__file__).parent.parent
FILE = r"This is `(\w+\.py)`.*?```python\n(.*?)```"

SCORED = ["--num_validation_tasks=4", "--num_test_tasks=4", "--steps_per_epoch=1"]
FEW = {
    "maml.rl.train": ["--steps=1", "--meta_batch_size=2", "--outer=adam", *SCORED],
    "maml.train": ["--steps=2", "--episodes_per_task=1", *SCORED],
    "my_study.py": ["--steps=2", "--seeds=1", "--workers=1"],
}
"""What is typed after a command's own flags, in place of some of them."""

SMALL = {
    '"steps": 2500': '"steps": 2, "num_test_tasks": 4, "num_validation_tasks": 4',
    "[0.3, 1, 3]": "[1]",
    "[1e-4, 1e-3]": "[1e-4]",
    "steps=1500": "steps=2",
    "steps=60, steps_per_epoch=20": "steps=4, steps_per_epoch=2, num_test_tasks=4",
}
"""What is replaced in Python."""


def small(text):
    """Python of a page with few steps."""
    for long, short in SMALL.items():
        text = text.replace(long, short)
    return text


def page(name, folder):
    """Writes the files of a page into a folder; gives its other blocks of Python."""
    text = (ROOT / f"docs/how_to/{name}.md").read_text(encoding="utf-8")
    for file, block in re.findall(FILE, text, flags=re.DOTALL):
        (folder / file).write_text(small(block), encoding="utf-8")
    rest = re.sub(FILE, "", text, flags=re.DOTALL)
    return [small(block) for block in re.findall(r"```python\n(.*?)```", rest, flags=re.DOTALL)]


def typed(name, folder, most=10):
    """Types the commands of a page, and gives what each printed.

    Those after the first ``most`` read their flags only.
    """
    text = (ROOT / f"docs/how_to/{name}.md").read_text(encoding="utf-8")
    blocks, printed = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL), []
    for line in filter(None, "\n".join(blocks).splitlines()):
        python, *words = shlex.split(line)
        assert python == "python"
        words = words[1:] if words[0] == "-m" else [str(folder / words[0]), *words[1:]]
        further = FEW.get(pathlib.Path(words[0]).name, [])
        further = further if len(printed) < most else [*further, "--only_check_args"]
        done = commands.run(*words, *further, cwd=folder)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        printed.append(done.stdout)
    return printed


@pytest.mark.usefixtures("registries")
def test_the_environment_of_the_page_is_one(tmp_path):
    page("own_environment", tmp_path)
    maml.import_files([tmp_path / "line.py"])
    problem = maml.TASKS["line"](horizon=5, train_tasks=2, test_tasks=2)
    episode = problem.train.sample(2, [0, 0])
    assert episode.support_x.shape == (2, 5 * 5, 1)
    # 0.95 away: steps of 0.1 leave 0.85, 0.75, 0.65, 0.55 and 0.45.
    environment = problem.train.environment
    assert environment.optimum([[0.95]])[0] == pytest.approx(-3.25)


@pytest.mark.slow
@pytest.mark.usefixtures("registries")
def test_policies_of_own_environments_train(tmp_path):
    pytest.importorskip("gymnasium")
    page("own_environment", tmp_path)
    printed = typed("own_environment", tmp_path, most=1)
    assert "I(ŷ; D | x)" in printed[0] and (tmp_path / "runs/line/learner.keras").exists()
    maml.import_files([tmp_path / "pole.py"])
    pole = maml.TASKS["pole"](horizon=4, train_tasks=2, test_tasks=2)
    assert pole.train.sample(2, [0, 0]).support_x.shape == (2, 5 * 4, 4)


@pytest.mark.slow
def test_a_study_of_ones_own_makes_a_table(tmp_path):
    page("sweeps", tmp_path)
    compared, reported, first, again, left = typed("sweeps", tmp_path)[2:]
    assert "label_mi" in compared.lower().replace("-", "_") and reported
    assert (tmp_path / "tables/report.html").exists() and (tmp_path / "page/report.html").exists()
    assert (tmp_path / "results/strengths/strengths.md").exists()
    assert "| MR-W | β = 0.0001 | 1 |" in first and "MR-W" not in again
    assert "| MR-W |" in left  # Nothing is missing, so it makes the table.


@pytest.mark.slow
def test_runs_go_on_and_are_made_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in page("resume_and_reproduce", tmp_path):
        exec(block, names)
    first, again, other = (names[name]["scores"] for name in ("first", "again", "other"))
    assert first == again == other
    assert capsys.readouterr().out.endswith("True\n")
    typed("resume_and_reproduce", tmp_path)


@pytest.mark.slow
def test_exported_learners_predict(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in page("export", tmp_path):
        exec(block, names)
    assert "(2, 5, 1) (16, 2, 5, 1)" in capsys.readouterr().out
    assert (tmp_path / "weights.npz").exists()


def test_the_report_of_classes_on_its_page_says_adapts(capsys):
    text = (ROOT / "docs/explanation/memorization_report.md").read_text(encoding="utf-8")
    _, block = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(block, {"__name__": "page"})
    assert "\nadapts\n" in capsys.readouterr().out


def test_ceilings_of_informations_are_those_of_their_page():
    """Four answers that differ: the lower bound is log 4, the upper one depends on the noise."""
    means = np.arange(4.0)[:, np.newaxis, np.newaxis] * np.ones([4, 500, 1])
    narrow, narrower = (
        information.gaussian(means, np.array(std), np.random.default_rng(0)) for std in (0.02, 0.01)
    )
    assert narrow.lower == pytest.approx(np.log(4)) and narrower.lower == pytest.approx(np.log(4))
    assert narrower.upper.mean() / narrow.upper.mean() == pytest.approx(4, rel=0.02)
    assert information.categorical(np.eye(4)).upper == pytest.approx(-np.log(1e-12), rel=0.01)

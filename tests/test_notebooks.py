"""The notebooks run, with few steps, and the site that holds them builds without a warning."""

import ast
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from marks import exhaustive

import maml

ROOT = pathlib.Path(__file__).parent.parent
FEW = {
    "memorization": {"steps=2500": "steps=20"},
    "your_own_model": {},
    "maml_from_formula_to_code": {
        "STEPS = 1000": "STEPS = 20",
        "IMAGE_STEPS = 200": "IMAGE_STEPS = 10",
        "train(200,": "train(5,",
        "max_tasks=100": "max_tasks=10",
    },
    "own_tasks": {"steps=1500": "steps=20", "relabel)": "relabel, max_tasks=10)"},
    "few_shot_images": {
        "STEPS = 200": "STEPS = 2",
        '"max_tasks": 30': '"max_tasks": 4',
        "steps_per_execution=10": "steps_per_execution=1",
    },
    "poses": {
        "num_per_class=6": "num_per_class=1",
        "num_images=20": "num_images=10",
        "num_val=24": "num_val=6",
        "range(0, 20, 4)": "range(5)",
        "fixed(1, 24, seed=3)": "fixed(1, 6, seed=3)",
        "steps=600": "steps=20",
    },
    "meta_rl": {
        "STEPS = 60": "STEPS = 2",
        '"steps_per_epoch": 10': '"steps_per_epoch": 2',
        '"outer": "trpo"': '"outer": "adam"',  # Traced in a few seconds.
    },
}
"""Notebook -> what is replaced, so that it takes seconds; the site runs them as they are."""


def cells_of(name):
    """The cells of code of a notebook."""
    notebook = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(name):
    """Runs a notebook, and returns what its cells show."""
    names, shown = {"__name__": "notebook"}, []
    texts = ["".join(cell["source"]) for cell in cells_of(name)]
    for text, few in FEW[name].items():
        assert any(text in of for of in texts)
        texts = [of.replace(text, few) for of in texts]
    for text in texts:
        tree = ast.parse(text)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), names)
        if last:
            shown.append(eval(compile(ast.Expression(last.value), name, "eval"), names))
    return [value for value in shown if isinstance(value, maml.MemorizationReport)]


@pytest.fixture(autouse=True)
def without_a_screen(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_has_one_title_and_headings_below_it(path):
    """The site's menu lists every heading of the first level."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "markdown"]
    lines = [line for cell in cells for line in "".join(cell["source"]).splitlines()]
    headings = [line for line in lines if re.match("#+ ", line)]
    assert headings and [of for of in headings if of.startswith("# ")] == headings[:1]
    assert not [line for line in headings if re.match("#+ #", line)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reports"),
    [
        ("memorization", 2),
        ("own_tasks", 3),
        ("meta_rl", 2),
        *exhaustive(("maml_from_formula_to_code", 2), ("few_shot_images", 3)),
    ],
)
def test_a_notebook_that_trains_runs(name, reports):
    assert len(run(name)) == reports


@pytest.mark.slow
def test_the_notebook_on_poses_runs(backend):
    assert len(run("poses")) == 2


def test_the_models_of_a_notebook_are_what_it_calls_them():
    pytest.importorskip("sklearn")
    verdicts = [report.verdict for report in run("your_own_model")]
    assert verdicts == ["adapts", "learner overfitting", "memorization overfitting"]


def outputs_of(name):
    """What the committed cells of a notebook show, as text."""
    outputs = [output for cell in cells_of(name) for output in cell["outputs"]]
    shown = [output.get("text", output.get("data", {}).get("text/plain", ())) for output in outputs]
    return "\n".join("".join(text) for text in shown)


@pytest.mark.parametrize(
    ("name", "verdicts"),
    [
        ("memorization", ["memorization overfitting", "adapts"]),
        ("own_tasks", ["adapts", "memorization overfitting", "adapts in part", "'adapts'"]),
        ("few_shot_images", ["adapts", "adapts", "adapts in part"]),
        ("poses", ["memorization overfitting", "adapts in part"]),
        ("meta_rl", ["adapts", "adapts in part", "'adapts'"]),
    ],
)
def test_the_outputs_of_a_notebook_are_those_of_its_text(name, verdicts):
    told = r"^(memorization overfitting|adapts in part|adapts|'adapts')"
    assert re.findall(told, outputs_of(name), flags=re.MULTILINE) == verdicts


@pytest.mark.parametrize("name", ["own_tasks", "few_shot_images", "poses", "meta_rl"])
def test_a_committed_notebook_has_pictures_and_no_errors_and_is_small(name):
    path = ROOT / f"notebooks/{name}.ipynb"
    outputs = [output for cell in cells_of(name) for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert all(output["output_type"] != "error" for output in outputs)
    assert all(output.get("name") != "stderr" for output in outputs)
    assert path.stat().st_size < 400_000 and "TODO" not in path.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("sphinx") is None,
    reason='takes five minutes, and needs pip install ".[docs]"',
)
def test_the_site_builds_without_a_warning(tmp_path):
    """Links, names of modules, and docstrings; `./run.sh docs` runs the notebooks too."""
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c", "docs"]
        + [".", str(tmp_path / "site"), "-D", "nb_execution_mode=off"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "site/docs/index.html").exists()

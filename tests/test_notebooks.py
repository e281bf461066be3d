"""The notebooks run, with few steps, and the site that holds them builds without a warning."""

import ast
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

import maml

ROOT = pathlib.Path(__file__).parent.parent
FEW = {
    "memorization": {"steps=1500": "steps=20"},
    "your_own_model": {},
    "maml_from_formula_to_code": {
        "STEPS = 1000": "STEPS = 20",
        "IMAGE_STEPS = 200": "IMAGE_STEPS = 10",
        "train(200,": "train(5,",
        "max_tasks=100": "max_tasks=10",
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reports"), [("memorization", 2), ("maml_from_formula_to_code", 2)]
)
def test_a_notebook_that_trains_runs(name, reports):
    assert len(run(name)) == reports


def test_the_models_of_a_notebook_are_what_it_calls_them():
    pytest.importorskip("sklearn")
    verdicts = [report.verdict for report in run("your_own_model")]
    assert verdicts == ["adapts", "learner overfitting", "memorization overfitting"]


def test_the_outputs_of_the_first_notebook_are_those_of_its_text():
    outputs = "".join(
        "".join(output.get("data", {}).get("text/plain", ()))
        for cell in cells_of("memorization")
        for output in cell["outputs"]
    )
    assert outputs.index("memorization overfitting") < outputs.index("adapts")


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

"""The examples of models of other libraries, as written, where TensorFlow cannot be imported.

PyTorch and JAX are in an environment of their own: set ``EXAMPLES_PYTHON`` to its Python, see
``examples/environment.sh``.
"""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
PYTHON = os.environ.get("EXAMPLES_PYTHON", sys.executable)
RUN = """
import runpy, sys
sys.modules["tensorflow"] = None
sys.path[0] = sys.argv[1]
runpy.run_path(f"{sys.argv[1]}/{sys.argv[2]}.py")
"""
MODELS = "torch_models"

NEEDS = {
    "scikit_learn": "sklearn",
    "fit_predict": "sklearn",
    "pytorch_maml": "torch",
    "pytorch_clone": "torch",
    "jax_ridge": "jax",
    "transformer": "torch",
}
"""Example -> what it needs."""

VERDICTS = {
    "scikit_learn": ["Ridge adapts", "KNeighborsRegressor adapts", "Pipeline adapts"],
    "fit_predict": ["adapts"],
    "pytorch_maml": ["adapts"],
    "pytorch_clone": ["adapts"],
    "jax_ridge": ["adapts"],
    "transformer": ["2 tasks: learner overfitting", "4096 tasks: adapts"],
}
"""What lines of its output begin with."""


def test_every_example_is_run():
    files = {path.stem for path in EXAMPLES.glob("*.py")}
    assert files - {MODELS} == set(NEEDS) == set(VERDICTS)


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_is_short(name):
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))
    code = set()
    for node in tree.body[1:]:  # Without the docstring.
        code |= set(range(node.lineno, node.end_lineno + 1))
    lines = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(lines[number - 1].strip()) for number in code) <= 15


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_an_example_gives_the_verdict_of_its_model(name):
    found = subprocess.run([PYTHON, "-c", f"import {NEEDS[name]}"], capture_output=True)
    if found.returncode:
        pytest.skip(f"{NEEDS[name]} is not installed; see examples/environment.sh")
    done = subprocess.run([PYTHON, "-c", RUN, str(EXAMPLES), name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for expected in VERDICTS[name]:
        assert any(line.startswith(expected) for line in lines), done.stdout

"""A training step as StableHLO: JAX makes the steps that TensorFlow makes."""

import importlib.util
import pathlib

import numpy as np
import pytest

PATH = pathlib.Path(__file__).parents[1] / "benchmarks" / "export.py"


@pytest.fixture(scope="module")
def script():
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("export_script", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_learner_without_weights_has_no_step_to_export(script):
    assert script.compare("ridge") == {"case": "ridge", "failure": "it has no weights to train"}


def test_a_case_without_a_module_is_a_row_with_its_reason(script):
    cells = script.cells({"case": "x", "failure": "UNIMPLEMENTED: no such operation"})
    assert cells == ["x", "", "", "", "", "UNIMPLEMENTED: no such operation"]


def test_a_case_that_is_equal_in_float64_only_says_so(script):
    row = {"case": "x", "kilobytes": 20.4, "moved": 0.123, "apart": 4e-5, "equal": False}
    cells = script.cells(row | {"apart_float64": 3e-14})
    assert cells == ["x", "20 kB", "0.12", "4e-05", "3e-14", "equal in float64 only"]
    assert script.cells(row | {"apart_float64": 0.1})[-1] == "not equal"


@pytest.mark.slow
def test_jax_makes_the_training_steps_of_an_exported_module(script, tmp_path):
    pytest.importorskip("jax", reason="jax is not installed: [bench]")
    row = script.compare("cnp", tmp_path)
    assert row["equal"] and row["apart"] < 1e-5 < 1e-2 < row["moved"]

    # What is kept is all that JAX needs.
    arrays = np.load(tmp_path / "cnp.npz")
    parts = {
        name: [arrays[f"{name}_{i}"] for i in range(sum(k.startswith(f"{name}_") for k in arrays))]
        for name in ("state", "rest", *(f"batch{step}" for step in range(script.STEPS)))
    }
    batches = [parts[f"batch{step}"] for step in range(script.STEPS)]
    code = (tmp_path / "cnp.mlirbc").read_bytes()
    ends = script.run_on_jax(script.Module(code, parts["state"], parts["rest"], batches))
    assert len(ends) == row["variables"]
    assert script.largest(parts["state"], ends) == pytest.approx(row["moved"], rel=1e-3)

"""benchmarks/mine_robustness.py: whatever is given, the estimate is a number or a reason."""

import importlib.util
import pathlib

import numpy as np
import pytest

PATH = pathlib.Path(__file__).parents[1] / "benchmarks" / "mine_robustness.py"


def load_script():
    spec = importlib.util.spec_from_file_location("mine_robustness_script", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load_script()


@pytest.mark.slow
@pytest.mark.parametrize("case", range(20))
def test_odd_samples_end_in_a_finite_estimate_or_a_reason(case):
    x, y, options = script.draw_case(np.random.default_rng([0, case]))
    kind, reason = script.outcome(x, y, options)
    assert kind in ("finite", "refused"), reason


def test_cases_are_reproducible_and_differ():
    first, again, other = (script.draw_case(np.random.default_rng([0, i])) for i in (1, 1, 2))
    for a, b in zip(first[:2], again[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[2] == again[2] != other[2]


def test_failures_are_told_from_refusals(monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(2, 200))
    assert script.outcome(x, y, {"bound": "gaussian"}) == ("finite", "")
    kind, reason = script.outcome(x, y, {"bound": "tea"})
    assert kind == "refused" and "received 'tea'" in reason

    def broken(*_, **__):
        raise ValueError("not ours")

    monkeypatch.setattr(script.mine, "estimate", broken)
    assert script.outcome(x, y, {}) == ("failed", "ValueError: not ours")
    monkeypatch.undo()
    monkeypatch.setattr(script.mine, "estimate", lambda *_, **__: script.mine.Estimate(
        float("nan"), (0.0, 1.0), "dv", 200, 0.5, (0.0, 1.0)))  # fmt: skip
    assert script.outcome(x, y, {}) == ("failed", "not finite: nats")


def test_report_counts_outcomes_and_names_failures(monkeypatch):
    ends = iter([("finite", ""), ("refused", "ValueError: 3 of 5"), ("failed", "TypeError: x"),
                 ("refused", "ValueError: 4 of 5")])  # fmt: skip
    monkeypatch.setattr(script, "outcome", lambda *_: next(ends))
    report = script.run(runs=4, seed=0)
    assert report["finite"] == 1 and report["refused"] == {"ValueError: # of #": 2}
    assert [failure["case"] for failure in report["failed"]] == [2]
    text = script.markdown(report | {"command": "-", "hardware": "-", "date": "-"})
    assert "| refused: ValueError: # of # | 2 |" in text
    assert "Case 2 failed: TypeError: x" in text

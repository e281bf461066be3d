"""benchmarks/information_interval.py: its own problems have the information that they say."""

import importlib.util
import math
import pathlib

import numpy as np
import pytest

from mine.estimators import classical
from mine.estimators.preprocessing import Preprocessor

PATH = pathlib.Path(__file__).parents[1] / "benchmarks" / "information_interval.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("information_interval_script", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_truths_are_what_nearest_neighbours_find(script):
    for task in (script.circle(1.0), script.five_values(), script.gamma_exponential(1.0)):
        x, y = (Preprocessor("rank").fit(part)(part) for part in task.sample(6000, 0))
        assert classical.ksg(x, y).nats == pytest.approx(task.nats, abs=0.08), task.name
    assert script.random_normal().dimensions == "4 x 2"


def test_the_page_counts_intervals_and_those_without_an_end(script):
    common = {"suite": "tuned on", "task": "normal-1x1", "truth": 0.4, "samples": 1000, "ksg": 0.5}
    common |= {"nats": 0.41, "bound": 0.38, "cpu_seconds": 3.0}
    common |= {"bound_interval": [0.3, 0.39], "ksg_interval": [0.39, 0.6]}
    ends = [[0.35, 0.45], [0.41, None], [0.35, None], [0.3, 0.5]]
    records = [common | {"seed": seed, "interval": end} for seed, end in enumerate(ends)]
    assert [script.holds(of, "interval") for of in records] == [True, False, True, True]
    assert script.half_width(records) == pytest.approx(0.075)
    assert math.isnan(script.half_width(records[1:3]))
    text = script.page(records, {"command": "c", "hardware": "h", "date": "d"})
    assert (
        "| tuned on | 1,000 | 4 | 3 (75.0%) | 0 | 4 | 2 | 0.075 | 0.0100 | 0.0200 | 0.1000 |"
        in text
    )
    assert np.isclose(script.errors(records, "nats"), 0.01)

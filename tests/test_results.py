"""The committed results: their pages say what their JSON files hold."""

import json
import pathlib
import runpy

import pytest

from maml.diagnostics import verdict
from maml.diagnostics.known_models import runner

RESULTS = pathlib.Path(__file__).parent.parent / "results"
SCRIPT = runpy.run_path(str(RESULTS / "pages.py"))
PAGES = dict(SCRIPT["pages"]())
EXPLAINED = RESULTS.parent / "docs/explanation/memorization_report.md"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(RESULTS)))
def test_page_is_what_the_study_writes_from_its_json(path):
    assert path.read_text(encoding="utf-8") == PAGES[path], "write it by python -m results.pages"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(RESULTS)))
def test_results_have_the_keys_of_a_study(path):
    result = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert {"tables", "sweep", "provenance", "workers"} <= result.keys()
    assert {"command", "git_commit", "hardware", "versions", "date"} == result["provenance"].keys()
    for table in result["tables"].values():
        assert {"about", "base", "rows"} <= table.keys()
        for row in table["rows"]:
            assert len(row["commands"]) == len(row["folders"]) == len(row["seeds"])
            assert any(name.startswith(("scores.test.", "further.")) for name in row)


def test_every_page_of_a_study_is_checked():
    names = {path.name for path in PAGES}
    assert names == {f"{name}.md" for name in SCRIPT["STUDIES"]}
    assert {path for name in names for path in RESULTS.rglob(name)} == set(PAGES)


def test_numbers_on_known_models_are_those_of_their_json():
    path = RESULTS / "diagnosis/known_models.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    page = "\n".join(runner.page(result)) + "\n"
    assert path.with_suffix(".md").read_text(encoding="utf-8") == page
    *_, checked = result["accuracies"]
    wide = {
        count: [row[f"share_{count}"] for row in result["rows"] if row[f"share_{count}"]]
        for count in runner.COUNTS
    }
    assert not any(
        of["low"] <= verdict.LOW_SHARE and of["high"] >= verdict.HIGH_SHARE
        for shares in wide.values()
        for of in shares
    )
    widest = {count: max(of["high"] - of["low"] for of in wide[count]) for count in wide}
    told = " ".join(EXPLAINED.read_text(encoding="utf-8").split())
    for words in (
        f"for {checked['right_100']:.1%} of {checked['models']} models with 100 tasks",
        f"for {checked['right_20']:.1%} with 20",
        f"with 20 tasks of each split the widest is {widest[20]:.2f} wide, with 100 tasks "
        f"{widest[100]:.2f}.",
    ):
        assert words.replace("%", " %") in told
    readme = (RESULTS.parent / "README.md").read_text(encoding="utf-8")
    assert f"for {checked['right_100']:.0%}".replace("%", " %") in readme
    assert checked["alarms_100"] == checked["alarms_20"] == 0

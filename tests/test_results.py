"""The committed results: their pages say what their JSON files hold."""

import json
import pathlib
import runpy

import pytest

RESULTS = pathlib.Path(__file__).parent.parent / "results"
SCRIPT = runpy.run_path(str(RESULTS / "pages.py"))
PAGES = dict(SCRIPT["pages"]())


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

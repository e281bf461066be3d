"""``report.html``: valid, with the numbers of the Markdown page, safe, small, from any runs."""

import base64
import hashlib
import io
import json
import re

import commands
import html5lib
import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image
from test_compare import record, task_options

import maml
import mine.estimators
from maml.experiments import aggregation, results
from maml.experiments.report import comparison, figures, page
from mine import reporting

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "![x](http://example.org/x.png) [y](javascript:alert(1)) <http://example.org>",
    "&lt;b&gt; *a* _b_ `c` **d** \\| a|b \\",
    "</title></style></table>{{ 7 * 7 }}{% raw %}",
    "line\nbreak <!-- & -->",
]
"""Names that a file of results may hold, and that a page shows as they are."""


def report_of(reason="The support set helps."):
    """The fields of a memorization report."""
    score = {"mean": 0.5, "low": 0.4, "high": 0.6}
    split = {
        "tasks": 8,
        "scores": {"right": score},
        "skills": {"right": score},
        "informations": {},
    }
    return {
        "verdict": "adapts", "reason": reason, "advice": "", "share": None, "metric": "accuracy",
        "splits": {"training": split, "held_out": split}, "predicted_skill": None,
        "normalization": "", "calls": 0,
    }  # fmt: skip


def with_report(*arguments, **options):
    return record(*arguments, **options) | {"diagnosis": report_of()}


def put(folder, *records):
    """Writes runs to a folder each, with learning curves of three epochs."""
    for number, content in enumerate(records):
        own = folder / f"run{number}"
        own.mkdir(parents=True)
        results.write_results(content, own)
        rows = [
            {"epoch": epoch, "step": 10 * epoch, "validation_accuracy": 0.3 * epoch}
            | {"train_accuracy": 0.4 * epoch}
            for epoch in range(3)
        ]
        (own / results.HISTORY).write_text(results.history_text(rows))
    return folder


def draw(path, width=60, height=40):
    """A picture of noise, which cannot be compressed."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    Image.fromarray(pixels).save(path)


def written(folder):
    """The text of the page of all runs in a folder."""
    groups = comparison.comparable(comparison.find_records([str(folder)]))
    page.write(page.of_runs(groups, reporting.provenance("maml.experiments.report")), folder)
    return (folder / page.NAME).read_text(encoding="utf-8")


def parsed(text):
    """The tree of a page, by a parser that refuses what is no valid HTML."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def words(element):
    """What a reader sees of an element."""
    return "".join(element.itertext()).strip()


def cells(tree):
    """Texts of the tables of the results, [tables][rows][cells]."""
    return [
        [[words(cell) for cell in row if cell.tag in ("th", "td")] for row in table.iter("tr")]
        for table in tree.find(".//article").iter("table")
    ]


def asks_for_nothing(tree):
    """Fails if a page names an address, or a script beside its own."""
    for element in tree.iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on"), (element.tag, name)
            if name in ("src", "href", "action", "data", "srcset"):
                assert value.startswith(("#", "data:image/png;base64,")), value[:80]
    assert len(list(tree.iter("script"))) == 1 and not list(tree.iter("link"))
    (style,) = tree.iter("style")
    assert "url(" not in style.text and "@import" not in style.text


def test_a_page_of_runs_is_valid_and_has_the_cells_of_the_markdown_page(tmp_path):
    put(tmp_path, with_report(), with_report() | {"seed": 1}, with_report("CNP | 5 × *x*"))
    tree = parsed(written(tmp_path))
    records = comparison.find_runs([str(tmp_path)])
    rows = comparison.tabulate(records)
    expected = [list(comparison.columns(rows)), *(comparison.cells(row, rows) for row in rows)]
    assert cells(tree) == [expected]
    lines = comparison.markdown(rows, records).splitlines()
    split = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    texts = [[cell.strip().replace(r"\|", "|") for cell in row] for row in split]
    assert [texts[0], *texts[2:]] == expected
    asks_for_nothing(tree)
    assert tree.find(".").get("lang") == "en"
    assert words(tree.find(".//title")) == words(tree.find(".//h1")) == "Comparison of 3 runs"
    images = list(tree.iter("img"))
    assert images and all(image.get("alt") for image in images)
    assert any("Learning curves" in image.get("alt") for image in images)
    whole = words(tree.find("body"))
    for told in ("The support set helps.", "0.5 (0.4 to 0.6)", "8 held-out tasks", "seeds 0, 1"):
        assert told in whole
    assert "python -m maml.experiments.report" in whole and reporting.hardware() in whole
    anchors = {element.get("id") for element in tree.iter() if element.get("id")}
    assert {link.get("href")[1:] for link in tree.iter("a")} <= anchors
    headings = [element.tag for element in tree.iter() if element.tag in ("h1", "h2", "h3")]
    assert headings[0] == "h1" and headings.count("h1") == 1


def test_the_policy_of_a_page_allows_its_own_script_alone(tmp_path):
    text = written(put(tmp_path, with_report()))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text and "default-src 'none'" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_what_files_hold_is_text(name, tmp_path):
    """Wherever it stands: in names, commands, reasons, warnings, hardware, versions."""
    content = with_report(name) | {"warnings": [name], "diagnosis": report_of(name)}
    content["diagnosis"]["verdict"] = content["normalization"] = name
    content["provenance"] = {
        "command": name, "hardware": name, "git_commit": name, "versions": {name: name},
    }  # fmt: skip
    content["config"]["task"] = name
    tree = parsed(written(put(tmp_path, content)))
    asks_for_nothing(tree)
    assert not [image for image in tree.iter("img") if not image.get("src").startswith("data:")]
    one_line = " ".join(name.split())
    assert " ".join(cells(tree)[0][1][0].split()) == one_line
    for place in (tree.find(".//summary/b"), tree.find(".//details/pre/code")):
        assert " ".join(words(place).split()) == one_line
    assert " ".join(words(tree.find(".//details")).split()).count(one_line) >= 4


def test_a_page_with_huge_pictures_is_small(tmp_path):
    folder = put(tmp_path, *(with_report(f"method {number}") for number in range(3)))
    draw(folder / "run0/predictions.png", 3000, 2500)
    for number in range(3):
        draw(folder / f"run{number}/curves.png", 1500, 1500)
    draw(folder / "run1/paths.png")
    text = written(folder)
    assert len(text.encode()) < 3_000_000
    tree = parsed(text)
    shown = list(tree.iter("img"))
    assert len(shown) == 6
    own = {words(of.find("summary/b")): of for of in tree.iter("details")}
    alts = {name: {image.get("alt") for image in of.iter("img")} for name, of in own.items()}
    others = {"Predictions", "Paths of policies before and after adaptation"}
    assert {name: of & others for name, of in alts.items()} == {
        "method 0": {"Predictions"},
        "method 1": {"Paths of policies before and after adaptation"},
        "method 2": set(),
    }
    for image in shown:
        content = base64.b64decode(image.get("src").partition(",")[2])
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.size == (int(image.get("width")), int(image.get("height")))
            assert picture.width <= figures.WIDTHS[0]


def test_pictures_without_room_and_damaged_ones_are_named(tmp_path):
    draw(tmp_path / "a.png", 400, 400)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:1000])
    (tmp_path / "c.png").write_text("<svg onload=alert(1)>")
    pictures = [figures.Picture(name, tmp_path / f"{name}.png") for name in "abca"]
    found = figures.embed(pictures, 250_000)
    assert found[0].uri.startswith("data:image/png;base64,") and not found[0].problem
    assert [bool(figure.uri) for figure in found] == [True, False, False, False]
    assert found[1].problem.startswith("b.png is not a readable image")
    assert "has no room in this page" in found[3].problem
    folder = put(tmp_path / "runs", with_report())
    (folder / "run0/predictions.png").write_bytes(b"no picture")
    tree = parsed(written(folder))
    assert "Not shown: predictions.png is not a readable image" in words(tree.find(".//details"))


@pytest.mark.parametrize("room", [0, 3000])
def test_reports_without_room_are_counted(room, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MAX_METHODS", room)
    folder = put(tmp_path, *(with_report(f"method {number}") for number in range(4)))
    tree = parsed(written(folder))
    shown = len(list(tree.iter("details")))
    assert shown < 4 and len(cells(tree)[0]) == 5
    assert f"{4 - shown} more have no room in this page" in words(tree.find("body"))


@pytest.mark.parametrize("change", [{}, {"verdict": "adapts"}, {"splits": 3}, {"reason": None}])
def test_a_report_of_other_fields_is_no_reason_to_write_no_page(change, tmp_path):
    content = record()
    if change.keys() != {"verdict"}:
        content["diagnosis"] = report_of() | change
    whole = words(parsed(written(put(tmp_path, content))).find("body"))
    assert ("Invalid memorization report: expected the fields" in whole) == bool(change)
    assert "adapts" in whole


def test_reports_come_back_from_json_and_others_are_refused():
    report = maml.MemorizationReport(**report_of())
    assert maml.MemorizationReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    with pytest.raises(ValueError, match="Invalid memorization report: expected the fields of"):
        maml.MemorizationReport.from_dict(report_of() | {"more": 1})


def test_runs_on_other_tasks_stand_in_tables_of_their_own(tmp_path):
    others = with_report("CNP", **task_options(ways=20))
    folder = put(tmp_path, with_report(), others, with_report("TNP", task="omniglot"))
    tree = parsed(written(folder))
    titles = [words(of) for of in tree.find(".//article").iter("h2")]
    assert titles == ["clusters (ways=5)", "clusters (ways=20)", "omniglot"]
    assert [table[1][0] for table in cells(tree)] == ["MAML", "CNP", "TNP"]


def test_the_best_return_is_first():
    records = []
    for name, value in (("bad", -30.0), ("good", 5.0), ("fair", -2.0)):
        scores = {"return": {"mean": value, "ci95": 1.0}}
        own = record(name) | {"metric": "return", "scores": {"train": scores, "test": scores}}
        records.append(own | {"folder": name})
    assert [row["method"] for row in comparison.tabulate(records)] == ["good", "fair", "bad"]


def test_a_page_of_a_study_has_its_text_and_its_pictures_alone(tmp_path):
    from maml.experiments import report
    from maml.experiments.study import Study

    folder = put(tmp_path, with_report(), with_report() | {"seed": 1})
    (tmp_path / "out").mkdir()
    draw(tmp_path / "out/mine.png")
    before = figures.states(tmp_path / "out")
    draw(tmp_path / "out/sweep_first.png")
    pictures = figures.drawn_since(tmp_path / "out", before)
    assert [picture.caption for picture in pictures] == ["Strengths that were tried: first"]
    runs = aggregation.as_frame(results.find_results(folder))
    rows = aggregation.aggregate(runs.assign(row="none"), ["row"], ["metric"])
    for row in rows:
        row["options"] = {}
    result = {"tables": {"first": {"about": "The first table", "rows": rows}}, "runs": runs}
    result["provenance"] = reporting.provenance("maml.studies.memorization")
    text = [*report.header(result, "A study", "What **numbers** mean: a|b.")]
    text += report.sections(result, [report.NAME, report.SEEDS, report.VERDICT], commands=True)
    study = Study("name", "A study", {}, question="Is it so?")
    page.write(page.of_study(study, result, "\n".join(text), pictures), tmp_path)
    tree = parsed((tmp_path / page.NAME).read_text(encoding="utf-8"))
    assert cells(tree) == [[["regularizer", "seeds", "verdict"], ["none", "2", "adapts"]]]
    assert words(tree.find(".//h1")) == "A study" and "Is it so?" in words(tree.find(".//header"))
    alts = [image.get("alt") for image in tree.iter("img")]
    assert alts == ["Learning curves: The first table", "Strengths that were tried: first"]
    assert words(tree.find(".//article//strong")) == "numbers"
    assert words(tree.find(".//article/pre")) == "python"


def test_the_parser_of_pages_is_that_of_markdown_but_for_what_names_may_hold():
    """What is switched off is known to the parser, so that a new version cannot ignore it."""
    from maml.experiments.report import rendering

    known = {rule for rules in MarkdownIt("commonmark").get_all_rules().values() for rule in rules}
    assert set(rendering.OFF) <= known


# -- notebooks -------------------------------------------------------------------------------------


def fragment(shown):
    """The tree of what a notebook shows of an object."""
    text = f"<!doctype html><title>x</title>{shown._repr_html_()}"
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def test_notebooks_show_a_run_with_its_scores_as_text(tmp_path):
    content = with_report(HOSTILE[0]) | {"warnings": [HOSTILE[1]]}
    tree = fragment(results.read_results(put(tmp_path, content) / "run0"))
    rows = [[words(cell) for cell in row] for row in tree.iter("tr")]
    assert rows[:2] == [["", "train", "test"], ["accuracy", "0.500 ± 0.100", "0.500 ± 0.100"]]
    assert words(tree.find(".//b")) == f"{HOSTILE[0]}: adapts; normalization: none"
    assert f"Warning: {HOSTILE[1]}" in words(tree.find("body"))
    assert not list(tree.iter("script")) and not list(tree.iter("img"))


def test_notebooks_show_an_estimate_in_the_rows_of_its_text():
    estimate = mine.estimators.Estimate(
        0.5, (0.4, float("inf")), "dv", 300, 0.45, (0.3, 0.6), None, (), {"ksg": 0.48}, ("<b>a",)
    )
    rows = [[words(cell) for cell in row] for row in fragment(estimate).iter("tr")]
    assert str(estimate).splitlines() == [
        rows[0][1], *(f"{name}: {text}" for name, text in rows[1:])
    ]  # fmt: skip
    assert rows[0] == ["information", estimate.rows()[0][1]] and rows[-1] == ["warning", "<b>a"]


# -- the command ----------------------------------------------------------------------------------


def run(*arguments, cwd):
    return commands.run("maml.experiments.report", *arguments, cwd=cwd)


def test_the_command_takes_folders_of_runs(tmp_path):
    put(tmp_path / "a", with_report())
    put(tmp_path / "b", with_report("CNP"))
    done = run("a", "--output=out/in", "--runs=b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Comparison of 2 runs: out/in/report.html\n"
    assert len(cells(parsed((tmp_path / "out/in/report.html").read_text()))[0]) == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Invalid value for --runs: expected folders of runs, received none."),
        (["none"], "none holds no finished run (results.json): train one, or name another folder."),
        (["runs", "--output=runs/file"], "expected a folder; received runs/file"),
        (["runs", "--output=full"], "full/report.html: Is a directory."),
        (["damaged"], "Cannot read damaged/results.json: expected JSON"),
    ],
)
def test_what_the_command_cannot_do_is_one_sentence(arguments, told, tmp_path):
    put(tmp_path / "runs", with_report())
    (tmp_path / "runs/file").write_text("mine")
    (tmp_path / "full/report.html").mkdir(parents=True)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/results.json").write_text("{")
    before = sorted(tmp_path.rglob("*"))
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert done.stderr.startswith("Error: ") and told in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_comparison_writes_the_page_beside_its_table(tmp_path):
    put(tmp_path / "runs", with_report())
    done = commands.run("maml.compare", "--runs=runs", "--output=out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "table.md", "table.json", "table.png", "curves.png", "report.html"
    }  # fmt: skip
    tree = parsed((tmp_path / "out/report.html").read_text())
    assert done.stdout.splitlines()[2].startswith(f"| {cells(tree)[0][1][0]} | 1 |")

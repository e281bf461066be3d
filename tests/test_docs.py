"""The pages of the repository: what they link to is there."""

import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(path for path in sorted(ROOT.glob("docs/**/*.md")) if path.parent.name != "api"),
    *sorted(ROOT.glob("results/**/*.md")),
]


def anchors(page):
    """Of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page):
    """Of a page, to what is in the repository: pairs of a file and a heading's anchor, or ''."""
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:", link):
            path, _, anchor = link.partition("#")
            yield (page.parent / path if path else page).resolve(), anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(page):
    for there, anchor in links(page):
        assert there.exists(), f"{there} is not there"
        assert not anchor or anchor in anchors(there), f"{there} has no heading {anchor}"


def test_every_page_of_results_is_reached_from_another():
    reached = {there for page in PAGES for there, _ in links(page)}
    roots = {path.resolve() for path in ROOT.glob("*.md")}
    assert {page.resolve() for page in PAGES} - reached <= roots


@pytest.mark.parametrize(("page", "most"), [("README.md", 150), ("CHANGELOG.md", 20)])
def test_first_pages_are_short(page, most):
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= most


INTERVAL = r"(-?[\d,]+(?:\.\d+)?) ± ([\d,]+(?:\.\d+)?)"
"""A mean and half its interval, as tables have them."""


def intervals_of(content):
    """Each mean and ``ci95`` in the content of a JSON file."""
    parts = content.values() if isinstance(content, dict) else content
    if isinstance(content, dict):
        for key in content:
            stem = key.removesuffix("mean")
            if key.endswith("mean") and f"{stem}ci95" in content:
                yield content[key], content[f"{stem}ci95"]
    for part in parts:
        if isinstance(part, (dict, list)):
            yield from intervals_of(part)


@pytest.fixture(scope="module")
def committed():
    """Means and intervals of all committed results, from JSON and, as texts, from pages."""
    found, texts = [], set()
    for path in ROOT.glob("results/**/*.json"):
        found += intervals_of(json.loads(path.read_text(encoding="utf-8")))
    for path in ROOT.glob("results/**/*.md"):
        texts |= set(re.findall(INTERVAL, path.read_text(encoding="utf-8")))
    return [pair for pair in found if None not in pair], texts


REPORTING = [ROOT / "README.md", *sorted(ROOT.glob("docs/results/*.md"))]


@pytest.mark.parametrize("page", REPORTING, ids=lambda page: page.name)
def test_tables_have_the_numbers_of_committed_results(page, committed):
    found, texts = committed
    lines = page.read_text(encoding="utf-8").splitlines()
    told = re.findall(INTERVAL, "\n".join(line for line in lines if line.startswith("|")))
    assert told
    for mean, width in set(told) - texts:
        digits = [len(number.partition(".")[2]) for number in (mean, width)]
        rounded = {  # Accuracies are told in per cent.
            tuple(f"{value * factor:.{d}f}" for value, d in zip(pair, digits, strict=True))
            for pair in found
            for factor in (1, 100)
        }
        assert (mean, width) in rounded, f"{mean} ± {width} is in no committed result"


def test_commands_of_results_name_no_folder_of_one_machine():
    for path in [*ROOT.glob("results/**/*.md"), *ROOT.glob("results/**/*.json")]:
        found = re.findall(r"--\w+=/\w[^\s\"]*", path.read_text(encoding="utf-8"))
        assert not found, f"{path.relative_to(ROOT)} has {found[0]}"

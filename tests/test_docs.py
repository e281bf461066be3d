"""The pages of the repository: what they link to is there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
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

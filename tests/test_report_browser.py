"""``report.html`` in a browser: no errors, columns sorted by mouse and keyboard, all widths."""

import browser
import pytest
from test_report_page import put, with_report, written

pytestmark = pytest.mark.skipif(
    not browser.executable(), reason="there is no Chromium: apt-get install -y chromium"
)

COLUMN = "[...document.querySelectorAll('article tbody tr')].map(row => row.cells[{}].innerText)"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A page of runs whose scores and steps are in no order."""
    folder = tmp_path_factory.mktemp("runs")
    records = []
    for number, (accuracy, steps) in enumerate([(0.5, 1000), (0.125, 90), (0.75, 200), (0.6, 5)]):
        content = with_report(f"method {number}: a long name <b>that</b> has to be broken")
        score = {"accuracy": {"mean": accuracy, "ci95": 0.1}}
        scores = {split: of | score for split, of in content["scores"].items()}
        cost = content["cost"] | {"steps": steps}
        records.append(content | {"scores": scores, "cost": cost})
    written(put(folder, *records))
    return folder / "report.html"


@pytest.fixture(scope="module")
def tab():
    with browser.open_tab() as opened:
        yield opened


def click(tab, column):
    tab.value(f"document.querySelectorAll('article th button')[{column}].click()")


def column(tab, number):
    return tab.value(COLUMN.format(number))


def test_columns_are_sorted_by_a_click_up_down_and_as_they_were(tab, path):
    tab.open(path, 1280)
    head = tab.value("[...document.querySelectorAll('article th')].map(th => th.innerText)")
    score, steps = head.index("test accuracy"), head.index("steps")
    before = column(tab, score)
    assert [text.split()[0] for text in before] == ["0.75", "0.60", "0.50", "0.12"]
    click(tab, score)
    assert column(tab, score) == before[::-1]
    aria = f"document.querySelectorAll('article th')[{score}].getAttribute('aria-sort')"
    assert tab.value(aria) == "ascending"
    click(tab, steps)
    assert column(tab, steps) == ["5", "90", "200", "1000"] and tab.value(aria) == "none"
    click(tab, steps)
    assert column(tab, steps) == ["1000", "200", "90", "5"]
    click(tab, steps)
    assert column(tab, score) == before


def test_columns_are_sorted_from_the_keyboard(tab, path):
    tab.open(path, 1280)
    first = column(tab, 0)
    tab.value("document.querySelectorAll('article th button')[0].focus()")
    tab.press("Enter", 13)
    assert column(tab, 0) == sorted(first) != first
    tab.press(" ", 32)
    assert column(tab, 0) == sorted(first, reverse=True)


@pytest.mark.parametrize(
    ("texts", "ordered"),
    [
        (["10", "9", "", "-1", "nan", "1e-3"], ["-1", "1e-3", "9", "10", "", "nan"]),
        (["1,200", "300", "diverged", "45°"], ["45°", "300", "1,200", "diverged"]),
        (["0.20 to 0.30", "0.05 to 9", "inf"], ["0.05 to 9", "0.20 to 0.30", "inf"]),
        (["b", "A", "", "c"], ["A", "b", "c", ""]),
    ],
)
def test_numbers_come_before_words_and_empty_cells_last(tab, path, texts, ordered):
    tab.open(path, 1280)
    tab.value(
        "{ const row = document.querySelector('article tbody tr');"
        "  document.querySelectorAll('article tbody tr').forEach(of => of.remove());"
        f" for (const text of {texts!r}) {{ const copy = row.cloneNode(true);"
        "   copy.cells[0].textContent = text;"
        "   document.querySelector('article tbody').append(copy); } }"
    )
    rows = "document.querySelector('article tbody')"
    # The script keeps the rows that it met: it is run again, as on a page with these.
    tab.value(
        "document.querySelectorAll('article th').forEach(th => th.textContent = th.innerText);"
        f"new Function(document.scripts[0].textContent)(); {rows}.rows.length"
    )
    click(tab, 0)
    assert column(tab, 0) == ordered


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_the_window_and_complains_of_nothing(tab, path, width, dark, tmp_path):
    tab.complaints.clear()
    tab.asked_for.clear()
    tab.open(path, width, dark=dark)
    tab.value("document.querySelectorAll('details').forEach(of => { of.open = true; })")
    assert tab.value("document.documentElement.scrollWidth") <= width
    wide = tab.value(
        "Math.max(...[...document.querySelectorAll('.scroll')].map(b => b.scrollWidth))"
    )
    assert wide > 390 or width > 390  # It is a box that scrolls, and not the page.
    back = tab.value("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") != dark
    assert tab.value("[...document.images].every(image => image.complete && image.naturalWidth)")
    tab.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes()[1:4] == b"PNG"
    assert tab.complaints == []
    assert [of for of in tab.asked_for if not of.startswith("data:")] == [path.as_uri()]

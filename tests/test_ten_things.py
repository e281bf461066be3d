"""The snippets of "ten things in ten lines" run, each on its own and with few steps."""

import pathlib
import re

import numpy as np
import pytest
from PIL import Image

PAGE = pathlib.Path(__file__).parent.parent / "docs/how_to/ten_things.md"
SECTIONS = re.findall(
    r"^## (\d+)\. (.*?)$.*?```python\n(.*?)```",
    PAGE.read_text(encoding="utf-8"),
    flags=re.MULTILINE | re.DOTALL,
)

PRINTS = {
    2: r"[01]\.\d",
    5: "I\\(ŷ; Y",
    6: r"0\.[123]\d\d nats",
    8: "label_mi",
    9: "tf.Tensor",
    10: "tf.Tensor",
}
"""Number of a snippet -> what it prints."""

WRITES = {7: "report.png", 8: "runs/mr_w-0/results.json", 9: "learner.keras", 10: "exported"}
"""Number of a snippet -> what it leaves in the working folder."""


@pytest.fixture
def images():
    """A folder of images of 40 classes, in the working folder."""
    rng = np.random.default_rng(0)
    for number in range(40):
        folder = pathlib.Path(f"IMAGES/class_{number:02d}")
        folder.mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(0, 255, (28, 28, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")


def short(snippet):
    """The snippet with few steps, seeds and samples."""
    snippet = re.sub(r"\bsteps=\d+", "steps=2", snippet)
    scored = '"num_test_tasks": 40, "num_validation_tasks": 40'
    snippet = snippet.replace('"steps": 2500', f'"steps": 2, {scored}')
    return snippet.replace("range(3)", "range(1)")


def test_there_are_ten_of_at_most_ten_lines():
    assert [int(number) for number, _, _ in SECTIONS] == list(range(1, 11))
    for _, title, snippet in SECTIONS:
        assert sum(bool(line.strip()) for line in snippet.splitlines()) <= 10, title


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "snippet"), [(int(number), snippet) for number, _, snippet in SECTIONS]
)
def test_snippet_runs(number, snippet, request, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    if "IMAGES" in snippet:
        request.getfixturevalue("images")
    exec(short(snippet), {"__name__": "snippet"})
    assert re.search(PRINTS.get(number, ""), capsys.readouterr().out)
    if number in WRITES:
        assert (tmp_path / WRITES[number]).exists()

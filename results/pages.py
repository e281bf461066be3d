"""Writes the pages here, and pictures that need no trained learner, from the JSON beside them.

    python -m results.pages

After a change of what a study's page says.
"""

import json
import pathlib
from collections.abc import Iterator

from maml.rl import study as rl
from maml.studies import (
    ambiguity,
    fewshot,
    image_threshold,
    memorization,
    robustness,
    robustness_plots,
    threshold,
)
from mine import reporting
from pose_code import study_report

ROOT = pathlib.Path(__file__).parent

STUDIES = {
    "memorization": memorization,
    "robustness": robustness,
    "fewshot": fewshot,
    "pose": study_report,
    "rl": rl,
    "ambiguity": ambiguity,
    "threshold": threshold,
    "image_threshold": image_threshold,
}
"""Name of a study's files -> the module that writes its page."""


def read(path: pathlib.Path) -> dict:
    """The result of a study."""
    return json.loads(path.read_text(encoding="utf-8"))


def pages() -> Iterator[tuple[pathlib.Path, str]]:
    """Each page of a study, and what it should say."""
    for name, study in STUDIES.items():
        for path in sorted(ROOT.rglob(f"{name}.json")):
            yield path.with_suffix(".md"), "\n".join(study.page(read(path))) + "\n"


def draw() -> None:
    """Draws what is a picture of a JSON file alone."""
    folder = ROOT / "memorization"
    result = read(folder / "memorization.json")
    memorization.draw_sweep(result, folder / "sweep.png")
    memorization.draw_diagnosis(result, folder / "diagnosis.png")
    folder = ROOT / "robustness"
    rows = robustness.shifted_rows(read(folder / "robustness.json"))
    robustness_plots.draw(rows, folder)
    for path in sorted((ROOT / "pose").glob("*/information.png")):
        study_report.draw_information(read(path.with_name("pose.json")), path)


if __name__ == "__main__":
    for page, text in pages():
        reporting.write(text.encode(), page)
    draw()

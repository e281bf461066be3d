"""One name for each thing, on every page, in tables and help texts; the glossary has them all."""

import dataclasses
import inspect
import json
import pathlib
import re

import pytest

import maml
from maml.experiments import Config
from maml.nn.convolutions import convolutional_networks
from maml.nn.mlp import mlp_networks
from pose_code.networks import pose_networks

ROOT = pathlib.Path(__file__).parent.parent
GLOSSARY = ROOT / "docs/reference/glossary.md"

SYNONYMS = {
    "Label-MI": [
        "information on (the )?labels",
        "labels?' information",
        "anchored",
        "--regularizer=mine --mi_target",
    ],
    "Prediction-MI": [
        "information on (the )?predictions",
        r"free( MINE)? critic",
    ],
    "MR-W": ["weights' information", "information in (the )?weights", r"--regularizer=weights\b"],
    "MR-A": [
        "activations' information",
        "information in (the )?activations",
        r"--regularizer=activations\b",
    ],
    "weight decay": [r"--regularizer=decay\b"],
    "label augmentation": [r"--regularizer=augment\b"],
    "none": ["by nothing", r"\| \**nothing", r"nothing \|", "less than nothing"],
    "Barber-Agakov bound": [r"Barber-Agakov(?! bound)"],
    "Relative CNP": ["relative learner"],
    "constant predictor": ["nothing learned", "learns? nothing", r"best constant answer"],
    "method": [r"\bmeasures? against memorization", r"\b(without|no) (a )?measures?\b"],
    "task shift": [r"\bdrift", "LabelShift"],
    "label transform": [r"\bIntervention", r"problem\.probe"],
    "num_relabelings": ["mi_draws"],
    "scores": [r"\bchance_\w+", r"\bpre_mse", r"\bswap_mse", r"\b(no_)?information_(lower|upper)"],
    "options of regularizers": [
        r"--mi_\w+",
        r"\bmi_(target|bound|warmup|cap|noise|power_penalty)\b",
        r"\b(kl|l2|bottleneck)_(weight|sigma|layers)\b",
        "augment_probability",
    ],
}
"""What a thing is called -> expressions for what it is not called any more, case ignored."""

PRIVATE_WORDS = [
    r"by heart",
    r"\bcur(e|es|ed|ing)\b",
    r"\bgamed\b",
    r"\bpaid\b",
    r"\bearns?\b",
    r"\bnames \d",
    r"is no flag",
    r"so[ -]many",
    r"There is no [^.;]*; there are",
    r"falls? off a cliff",
    r"live by it",
    r"at home\b",
    r"\bhonest\b",
    r"\bgrown-up\b",
]
"""Idioms and private words, see the style of this project: short sentences, the field's words."""


ON_PAGES = [r"\bin words\b", r"\binformations\b", r"\bprobes?\b", "relabell", r"normalis\w+"]
"""Words that sources may need for something else, and the spelling of pages."""


def text_of(path):
    """What a reader sees of a file, in one line, so that a line break hides nothing."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return re.sub(r"\s+", " ", text)


def files():
    """Pages, tables, the notebook, and the sources, whose help texts and docstrings are read."""
    patterns = ["*.md", "docs/**/*.md", "results/**/*.md", "notebooks/*.ipynb", "run.sh"]
    patterns += [f"{name}/**/*.py" for name in ("maml", "mine", "pose_code", "pose_data")]
    patterns += ["pose_code/run.sh"]
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_thing_has_one_name_and_no_private_word(path):
    text, found = text_of(path), []
    page = ON_PAGES if path.suffix in (".md", ".ipynb") else []
    for name, expressions in {**SYNONYMS, "plain English": [*PRIVATE_WORDS, *page]}.items():
        for expression in expressions:
            found += [f"{m[0]!r} ({name})" for m in re.finditer(expression, text, re.IGNORECASE)]
    assert not found, f"{path.relative_to(ROOT)}: {', '.join(sorted(set(found)))}"


def rows(text):
    """The rows of each table of a page, as lists of cells without the header."""
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()]
        yield [[cell.strip() for cell in line] for line in lines[2:]]


def test_glossary_defines_every_entry_once_in_alphabetical_order():
    for table in rows(GLOSSARY.read_text(encoding="utf-8")):
        terms = [re.sub(r"[`*./]|run\.sh", "", row[0]).strip().casefold() for row in table]
        assert terms == sorted(terms), f"not in order: {terms}"
        assert len(set(terms)) == len(terms)
        assert all(len(row) >= 2 and any(len(cell) > 10 for cell in row[1:]) for row in table)


def test_papers_that_the_glossary_cites_are_under_its_references_in_alphabetical_order():
    body, references = GLOSSARY.read_text(encoding="utf-8").split("## References")
    name = r"(?:van den )?[A-Z]\w+"
    cited = set(re.findall(rf"{name}(?: and {name}| et al\.)? (?:19|20)\d\d[a-z]?", body))
    listed = [entry.strip().split(",")[0] for entry in references.split(" ·\n")]
    assert len(cited) > 40 and not cited - set(listed)
    assert listed == sorted(listed, key=str.casefold)


def known_words():
    """What stands in code spans of the glossary, and the names before "=" or "(" in them."""
    words = set(re.findall(r"`([^`]+)`", GLOSSARY.read_text(encoding="utf-8")))
    return words | {re.split(r"[=(]", word)[0] for word in words}


REGISTRIES = [maml.HEADS, maml.LEARNERS, maml.REGULARIZERS, maml.TASKS]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_glossary_has_every_component_and_option(registry):
    words = known_words()
    for name in registry:
        assert name in words, f"the {registry.kind} {name} is not in the glossary"
        for option in registry.options(name):
            known = option in words or option.removeprefix("test_") in words
            assert known, f"option {option} of {name} is not in the glossary"


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_the_list_of_components_has_a_sentence_for_each(registry):
    first = {name: inspect.getdoc(registry[name]).splitlines()[0] for name in registry}
    assert [name for name, line in first.items() if not line.endswith(".")] == []


def test_glossary_has_every_option_of_a_run_and_of_networks():
    words = known_words()
    builders = [convolutional_networks, mlp_networks, pose_networks]
    names = {name for builder in builders for name in inspect.signature(builder).parameters}
    names -= {"shape", "inputs", "image_size", "norm_steps"}  # Given by the task and the learner.
    names |= {field.name for field in dataclasses.fields(Config)} - {"task", "learner", "head"}
    names = {f"--{name}" if name.endswith("_options") else name for name in names}
    assert names - {"regularizer"} <= words


def test_glossary_has_every_metric_of_the_regularizers():
    words = known_words()
    transform = maml.LabelScale()
    for name in maml.REGULARIZERS:
        (term,) = maml.make_regularizers(name, label_transform=transform)
        for metric in term.metric_names:
            assert metric in words, f"metric {metric} of {name} is not in the glossary"

"""Pages of the reference that are made from the code: commands with their flags, public names."""

import concurrent.futures
import html
import importlib
import inspect
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ET

from mine import reporting

ROOT = pathlib.Path(__file__).resolve().parent.parent

PACKAGES = ("maml", "mine", "pose_data", "pose_code")

COMMANDS = (
    "maml.train", "maml.evaluate", "maml.compare", "maml.components", "maml.doctor",
    "maml.experiments.report", "maml.tasks.prepare", "maml.diagnostics.offline",
    "maml.diagnostics.known_models", "maml.studies.memorization",
    "maml.studies.robustness", "maml.studies.fewshot", "maml.studies.threshold",
    "maml.studies.image_threshold",
    "maml.studies.ambiguity", "maml.rl.train", "maml.rl.evaluate", "maml.rl.study", "maml.rl.video",
    "mine.estimators", "mine.benchmarks", "pose_data.make_data",
    "pose_data.make_cad", "pose_data.vary_cad", "pose_data.convert_cad",
    "pose_data.mujoco_render", "pose_data.resize_images", "pose_data.data_gen", "pose_code.train",
    "pose_code.predict", "pose_code.baselines", "pose_code.render", "pose_code.study",
)  # fmt: skip
"""Modules that are commands, in the order in which the reference has them."""


def command_section(module: str) -> str:
    """What a command does, and its flags, as Markdown.

    Raises:
        RuntimeError: the command does not describe itself.
    """
    try:
        described = ET.fromstring(_said_by(module, "--helpxml"))
    except ET.ParseError:  # One that needs none of the installed packages has no absl flags.
        text = _said_by(module, "--help")
        if not text:
            raise RuntimeError(f"python -m {module} --help says nothing.") from None
        return f"## {module}\n\n```text\n{text}```\n"
    rows = []
    for flag in described.iter("flag"):
        text = {part.tag: part.text or "" for part in flag}
        parts = pathlib.Path(text["file"]).parts
        if any(package in parts or text["file"].startswith(package) for package in PACKAGES):
            default = f"`{text['default']}`" if text["default"] else ""
            rows.append([f"`--{text['name']}`", _one_line(text["meaning"]), default])
    table = reporting.markdown_table(["flag", "what it is", "default"], rows, left=3)
    usage = (described.findtext("usage") or "").strip()
    return "\n".join([f"## {module}", "", "```text", usage, "```", "", *table, ""])


def _said_by(module: str, flag: str) -> str:
    """The standard output of a command."""
    return subprocess.run(
        [sys.executable, "-m", module, flag],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    ).stdout


def _one_line(text: str) -> str:
    """Text of a cell, in which nothing is a tag; the writer of tables escapes the rest."""
    return html.escape(" ".join(text.split()), quote=False)


def commands_page() -> str:
    """All commands with their flags."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        sections = pool.map(command_section, COMMANDS)
        return "\n".join(
            [
                "# Commands",
                "",
                "Each is run as `python -m MODULE --flag=value`; what each says of itself by "
                "`--help`. Those of `./run.sh` are in the [glossary](../glossary.md#commands).",
                "",
                *sections,
            ]
        )


def names_page() -> str:
    """What the packages export, with the first line of its docstring and a link to the rest."""
    lines = ["# Public names", "", "What `import maml` and the other packages offer.", ""]
    for package in PACKAGES:
        module = importlib.import_module(package)
        lines += [f"## {package}", "", inspect.getdoc(module), ""]
        rows = []
        for name in sorted(getattr(module, "__all__", ())):
            value = getattr(module, name)
            if not inspect.ismodule(value):
                rows.append([_reference(name, value), _one_line(_first_line(value))])
        if rows:
            lines += [*reporting.markdown_table(["name", "what it is"], rows, left=2), ""]
    return "\n".join(lines)


def _reference(name: str, value) -> str:
    """A link to the documentation of a class or a function, or the name of a value."""
    role = {True: "class", False: "func"}.get(inspect.isclass(value))
    if role == "func" and not inspect.isfunction(value):
        return f"`{name}`"
    return f"{{py:{role}}}`{name} <{value.__module__}.{value.__qualname__}>`"


def _first_line(value) -> str:
    told = inspect.isclass(value) or inspect.isfunction(value)
    return (inspect.getdoc(value) or "").split("\n\n")[0] if told else ""


def write(folder: pathlib.Path) -> None:
    """Writes the pages, where the code is newer: describing every command takes half a minute.

    Args:
        folder: of the reference, where Sphinx writes a page of each module too.
    """
    folder.mkdir(exist_ok=True)
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    newest = max(path.stat().st_mtime for path in [pathlib.Path(__file__), *sources])
    for name, page in {"commands.md": commands_page, "names.md": names_page}.items():
        path = folder / name
        if not path.exists() or path.stat().st_mtime < newest:
            path.write_text(page(), encoding="utf-8")

"""``results.json`` and ``history.csv``: what a run says, and the one reader of both.

=================  ================================================================================
key                content
=================  ================================================================================
``schema``         version of this format
``method``         what tables call the run: learner and regularizers, with their strengths
``seed``           of the run
``config``         every option, defaults included, see :class:`maml.experiments.Config`
``data``           what identifies the data: checksums, numbers of objects
``metric``         name of the main score
``scores``         split -> score -> ``mean`` and ``ci95`` over tasks
``diagnosis``      fields of the :class:`maml.MemorizationReport` on training and test tasks
``terms``          the regularizers' own values on held-out episodes, of the last or best epoch
``further``        what the problem adds, such as scores at other numbers of shots
``cost``           steps, seconds a step and in all (since a run was last resumed), skipped steps
``normalization``  how the networks normalize, and whether evaluation is transductive
``provenance``     command, git commit, hardware, package versions, date
``warnings``       sentences, of what is wrong with the run; absent if nothing is
=================  ================================================================================

Nothing here needs TensorFlow.
"""

import csv
import html
import io
import os
import pathlib
import reprlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from maml.diagnostics.report import stated_normalization
from mine import reporting
from mine.reporting.words import reason

SCHEMA = 2
"""Version of the format. A reader takes its own version only."""

RESULTS, HISTORY = "results.json", "history.csv"

_CHECKSUM, _DIGITS = "sha256", 16
"""The last column of a history, and how many digits of the checksum it holds."""

TEXT, WHOLE, NUMBER, TABLE = "text", "a whole number", "a number", "a dictionary"

TYPES: dict[str, type | tuple[type, ...]] = {
    TEXT: str, WHOLE: int, NUMBER: (int, float), TABLE: dict
}  # fmt: skip

KINDS = {
    "method": TEXT, "seed": WHOLE, "config": TABLE, "data": TABLE, "metric": TEXT,
    "normalization": TEXT, "scores": TABLE, "scores.train": TABLE, "scores.test": TABLE,
    "diagnosis": TABLE, "diagnosis.verdict": TEXT, "cost": TABLE, "cost.steps": NUMBER,
    "cost.seconds_per_step": NUMBER, "provenance": TABLE, "provenance.command": TEXT,
    "provenance.hardware": TEXT,
}  # fmt: skip
"""What each record holds, at least, and of what kind."""


class Record(dict):
    """The record of a run; notebooks show its verdict and its scores, with intervals."""

    def _repr_html_(self) -> str:
        metric, splits = self["metric"], self["scores"]
        normalization = stated_normalization(self["normalization"])
        verdict = f"{self['method']}: {self['diagnosis']['verdict']}; {normalization}"
        names = [f"{prefix}{metric}" for prefix in ("", "no_support_", "mismatched_support_")]
        rows = [
            [name.replace("_", " ")]
            + [
                reporting.format_interval(of[name], 3) if name in of else ""
                for of in splits.values()
            ]
            for name in names
        ]
        warnings = "".join(f"<p>Warning: {html.escape(of)}</p>" for of in self.get("warnings", ()))
        table = reporting.html_table(["", *splits], rows)
        return f"<p><b>{html.escape(verdict)}</b></p>{table}{warnings}"


def write_results(record: dict, folder: os.PathLike) -> None:
    """Writes the record of a run, whole or not at all."""
    reporting.write_json({"schema": SCHEMA} | record, pathlib.Path(folder) / RESULTS)


def read_results(path: os.PathLike) -> Record:
    """The record of a run.

    Args:
        path: of the run's folder, or of its ``results.json``.

    Raises:
        ValueError: it is damaged, is no record of a run, or has another schema version.
        OSError: it cannot be read.
    """
    path = pathlib.Path(path)
    path = path / RESULTS if path.is_dir() else path
    try:
        record = reporting.read_json(path, "schema")
    except RecursionError as error:
        raise ValueError(
            f"Cannot read {path}: expected the results of a run; received brackets within brackets "
            "without end; train the run anew, in another folder."
        ) from error
    if record["schema"] != SCHEMA:
        raise ValueError(
            f"Invalid `schema` in {path}: expected {SCHEMA}, received {record['schema']!r}. Read "
            "it with the version that wrote it, or train the run anew."
        )
    _check_kinds(record, path)
    return Record(record)


def _check_kinds(record: dict, path: pathlib.Path) -> None:
    """Refuses a record of which a part is missing, or of another kind."""

    def check(name, value, kind):
        if not isinstance(value, TYPES[kind]) or isinstance(value, bool):
            raise ValueError(
                f"Invalid {name!r} in {path}: expected {kind}, received {reprlib.repr(value)}; "
                "train the run anew, in another folder."
            )

    means = {f"scores.{split}.{record.get('metric')}.mean": NUMBER for split in ("train", "test")}
    for name, kind in (KINDS | means).items():
        value: object = record
        for key in name.split("."):
            if not isinstance(value, dict) or key not in value:
                raise ValueError(f"{path} is no record of a run: it has no {name!r}.")
            value = value[key]
        check(name, value, kind)
    for part in ("scores", "cost"):
        for name, value in _leaves(record[part], part):
            if value is not None:
                check(name, value, NUMBER)


def _leaves(content: dict, name: str) -> Iterator[tuple[str, object]]:
    """Dotted names and values of all that is no dictionary."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}.{key}")
        else:
            yield f"{name}.{key}", value


def find_results(folder: os.PathLike) -> list[dict]:
    """The records of all finished runs in or below a folder, each with its ``folder``.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a record is damaged.
    """
    found = sorted(pathlib.Path(folder).rglob(RESULTS))
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no finished run ({RESULTS}): train one, or name another folder."
        )
    return [read_results(path) | {"folder": str(path.parent)} for path in found]


def history_text(rows: Sequence[Mapping[str, object]]) -> str:
    """The text of ``history.csv``.

    Its last column is, in each row, the checksum of all others: a table that was cut or changed is
    told by any of its rows.

    Args:
        rows: of each epoch, from 0 on, column -> value; NA stands where a row has none.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([str(row.get(name, "NA")) for name in names] for row in rows)]
    checksum = reporting.json_sha256(cells)[:_DIGITS]
    text = io.StringIO()
    ends = [_CHECKSUM, *[checksum] * len(rows)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([*line, end] for line, end in zip(cells, ends, strict=True))
    return text.getvalue()


def read_rows(text: str) -> list[dict[str, str]]:
    """The rows of :func:`history_text`, or of an older table without checksums, [epochs].

    Raises:
        ValueError: it is no such table, was changed, or lacks an epoch.
    """
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if not lines:
        raise ValueError("it is empty")
    names, *lines = lines
    if any(len(line) != len(names) for line in lines) or len(set(names)) < len(names):
        raise ValueError("its lines differ in length, or two columns have one name")
    if names[-1] == _CHECKSUM:
        checksum = reporting.json_sha256([line[:-1] for line in (names, *lines)])[:_DIGITS]
        if any(line[-1] != checksum for line in lines):
            raise ValueError("its content is not that of its checksum")
        names = names[:-1]
    # A run of an older version that was cut between its log and its checkpoint has logged an epoch
    # twice: the later row, of the run that went on, counts.
    rows = {line[names.index("epoch")]: dict(zip(names, line, strict=False)) for line in lines}
    if not rows or list(rows) != [str(number) for number in range(len(rows))]:
        raise ValueError("it lacks an epoch")
    return list(rows.values())


def columns(rows: Sequence[Mapping[str, str]]) -> dict[str, np.ndarray]:
    """The columns of a history, [epochs] each; NaN stands where a row has no value.

    Raises:
        ValueError: a value is no number.
    """

    def number(text):
        return float("nan") if text == "NA" else float(text)  # NA: Keras' word for no value.

    return {name: np.array([number(row[name]) for row in rows]) for name in rows[0]}


def read_history(path: os.PathLike) -> dict[str, np.ndarray]:
    """The columns of ``history.csv``, [epochs] each.

    Raises:
        ValueError: it is no such table, was changed, or lacks an epoch.
        OSError: it cannot be read.
    """
    try:
        return columns(read_rows(pathlib.Path(path).read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({reason(error)}): put back a copy of it, go on with the run by "
            "--resume, which restores it from the checkpoint, or train this run anew, in another "
            "folder."
        ) from error


def sentence(record: dict) -> str:
    """A finished run in one line: scores on test tasks, the verdict on memorization, warnings."""
    name, test = record["metric"], record["scores"]["test"]
    return (
        f"{record['method']}: {name} {test[name]['mean']:.4g} ± {test[name]['ci95']:.2g} on test "
        f"tasks, {test[f'no_support_{name}']['mean']:.4g} without the support set, swap gap "
        f"{test['swap_gap']['mean']:.4g}; {record['diagnosis']['verdict']}; "
        f"{stated_normalization(record['normalization'])}"
        + "".join(f". Warning: {warning.rstrip('.')}" for warning in record.get("warnings", ()))
    )


def cost(history: dict[str, np.ndarray], epoch_steps: int) -> dict[str, float]:
    """What a training took: steps, seconds a step and in all, and steps that were skipped.

    Where a policy collects its own data, ``sampling_seconds_per_step`` says how many of the seconds
    of a step that takes.

    Args:
        history: of the training.
        epoch_steps: training steps of an epoch.
    """
    seconds = history["seconds_per_step"]
    timed = ("seconds_per_step", "sampling_seconds_per_step")
    return {
        "steps": int(history["step"][-1]),
        # The first epoch holds the tracing of the step.
        **{
            name: float(np.median(history[name][1:] if len(seconds) > 1 else history[name]))
            for name in timed
            if name in history
        },
        "train_seconds": float(seconds.sum() * epoch_steps),
        "skipped_steps": float(history["skipped_steps"].sum()),
    }

"""A memorization report of a model that runs elsewhere, in another program or language.

    python -m maml.diagnostics.offline --mode=write --episodes=tasks.npz
    ... your program answers questions.npz by answers.npz ...
    python -m maml.diagnostics.offline --mode=read

``tasks.npz`` holds ``training_x`` [tasks, n, ...], ``training_y`` [tasks, n] or [tasks, n, dim],
and if there are held-out tasks ``held_out_x`` and ``held_out_y``. ``questions.npz`` holds for each
question i ``support_x_i``, ``support_y_i`` and ``query_x_i``, and ``count``, their number; without
``support_x_i`` the question is what is answered without a support set. ``answers.npz`` holds for
each question ``answer_i``, or for ``--output=mean_std`` ``mean_i`` and ``std_i``. If it also holds
``id``, a copy of that of the questions, answers to other questions are refused.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import sys

import numpy as np
from absl import flags

from maml.diagnostics import answers, black_box, sampling
from maml.diagnostics.report import MemorizationReport
from mine import reporting
from mine.reporting import commands
from mine.reporting.flag_words import define_seed
from mine.reporting.inputs.arrays import read_npz
from mine.reporting.tables import counted
from mine.reporting.words import reason


@dataclasses.dataclass(frozen=True)
class Settings:
    """Options of a report that are kept beside the questions, so that both steps agree.

    The fields are arguments of :func:`maml.diagnostics.memorization_report`.
    """

    output: str = "mean"
    relabel: str = ""
    no_support: bool = False
    classes: int = 0
    shots: int = 5
    queries: int = 0
    max_tasks: int = 100
    num_relabelings: int = 4
    num_supports: int = 4
    seed: int = 0

    def session(self, splits: dict[str, list[sampling.Task]]) -> black_box.Session:
        """The questions about these tasks."""
        session = black_box.Session(
            self.output,
            self.relabel or None,
            None,
            self.no_support or None,
            self.num_relabelings,
            self.num_supports,
            self.seed,
        )
        session.prepare(splits, self.classes)
        return session

    @classmethod
    def of_json(cls, text: str) -> "Settings":
        """Those that a file of questions holds.

        Raises:
            ValueError: they are not of this version, or a value is of another kind.
        """
        try:
            settings = cls(**json.loads(text))
        except TypeError as error:
            raise ValueError("other settings") from error
        defaults = dataclasses.asdict(cls())
        wrong = [n for n, of in defaults.items() if type(getattr(settings, n)) is not type(of)]
        if wrong:
            raise ValueError(f"{wrong[0]} is of another kind")
        return settings


def _read_npz(path: os.PathLike, name: str) -> dict[str, np.ndarray]:
    """The arrays of a file, without running code from it.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return read_npz(path)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"Invalid value for --{name}: expected an .npz file of arrays, received {path}: "
            f"{reason(error)}."
        ) from error


def _splits(arrays: dict[str, np.ndarray], path, settings: Settings):
    splits = {}
    for index, split in enumerate(("training", "held_out")):
        pair = arrays.get(f"{split}_x"), arrays.get(f"{split}_y")
        if all(part is None for part in pair) and split == "held_out":
            continue
        if any(part is None for part in pair):
            raise ValueError(
                f"Invalid content of {path}: expected the arrays {split}_x and {split}_y; received "
                f"{', '.join(sorted(arrays)) or 'none'}."
            )
        splits[split] = sampling.read_tasks(
            pair,
            f"{split}_x, {split}_y",
            settings.shots,
            settings.queries or None,
            settings.max_tasks,
            settings.seed + index,
        )
    return splits


def write_questions(episodes: os.PathLike, path: os.PathLike, settings: Settings) -> int:
    """Writes the questions about the tasks of a file.

    Args:
        episodes: ``.npz`` of tasks, see above.
        path: of the questions.
        settings: of the report.

    Returns:
        The number of questions.

    Raises:
        ValueError: the file or a setting has no meaning.
    """
    arrays = _read_npz(episodes, "episodes")
    requests = settings.session(_splits(arrays, episodes, settings)).requests()
    content = {"count": np.array(len(requests))}
    for index, request in enumerate(requests):
        for name in ("support_x", "support_y", "query_x"):
            if getattr(request, name) is not None:
                content[f"{name}_{index}"] = getattr(request, name)
    # Both are needed to read the answers: the tasks, and what was asked about them.
    content |= {f"tasks_{name}": array for name, array in arrays.items()}
    content["settings"] = np.array(json.dumps(dataclasses.asdict(settings)))
    content["id"] = np.array(_identity(content))
    with reporting.replacing(path, ".npz") as temporary:
        np.savez(temporary, **content)
    return len(requests)


def read_answers(questions: os.PathLike, path: os.PathLike) -> MemorizationReport:
    """The report from the answers to the questions of :func:`write_questions`.

    Raises:
        ValueError: a file is damaged, or an answer is missing or does not fit.
    """
    asked, answered = _read_npz(questions, "questions"), _read_npz(path, "answers")
    try:
        settings = Settings.of_json(str(asked["settings"]))
        identity = str(asked.pop("id"))
        if identity != _identity(asked):
            raise ValueError("another id")
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"Invalid content of {questions}: expected a file of --mode=write of this version "
            f"that nothing has changed; write it anew."
        ) from error
    if str(answered.get("id", identity)) != identity:
        raise ValueError(
            f"Invalid content of {path}: expected answers to {questions}, whose id is {identity}; "
            f"received those to other questions, of id {answered['id']!s:.40}; answer these."
        )
    arrays = {
        name.removeprefix("tasks_"): of for name, of in asked.items() if name.startswith("tasks_")
    }
    session = settings.session(_splits(arrays, questions, settings))
    names = ("mean", "std") if settings.output == "mean_std" else ("answer",)
    outputs, requests = [], session.requests()
    if int(asked["count"]) != len(requests):
        raise ValueError(
            f"Invalid content of {questions}: expected {counted(len(requests), 'question')} about "
            f"its tasks, as this version asks; received {int(asked['count'])}; write it anew, and "
            "answer these."
        )
    for index, request in enumerate(requests):
        keys = [f"{name}_{index}" for name in names]
        missing = [key for key in keys if key not in answered]
        if missing:
            raise ValueError(
                f"Invalid content of {path}: expected an array {missing[0]}, the answer to "
                f"question {index} of {len(requests)}; received none."
            )
        parts = tuple(answered[key] for key in keys)
        outputs.append(session.read(request, parts if len(parts) > 1 else parts[0]))
    return session.report(outputs)


def _identity(content: dict[str, np.ndarray]) -> str:
    """What identifies a file of questions: a checksum of all that it holds."""
    digest = hashlib.sha256()
    for name in sorted(content):
        of = np.asarray(content[name])
        digest.update(f"{name} {of.dtype.str} {of.shape}".encode() + of.tobytes())
    return digest.hexdigest()[:16]


def define_flags():
    """Defines the flags of both steps."""
    flags.DEFINE_enum("mode", None, ("write", "read"), "Questions, or answers.", required=True)
    flags.DEFINE_string("episodes", None, "The file of tasks.")
    flags.DEFINE_string("questions", "questions.npz", "The file of questions.")
    flags.DEFINE_string("answers", "answers.npz", "The file of answers.")
    flags.DEFINE_string("json", "", "A file for the report as JSON; empty: none.")
    flags.DEFINE_string("picture", "", "A file for the report as a picture (PNG); empty: none.")
    flags.DEFINE_enum("output", "mean", answers.OUTPUTS, "What the model answers.")
    flags.DEFINE_enum("relabel", "", ("", *black_box.RELABELINGS), "How tasks are relabeled.")
    flags.DEFINE_bool("no_support", False, "Whether to ask without a support set as well.")
    flags.DEFINE_integer("classes", 0, "Classes, where labels are their numbers.", 0)
    flags.DEFINE_integer("shots", Settings.shots, "Size of support sets.", 1)
    flags.DEFINE_integer("queries", 0, "Number of queries; 0: all that remain.", 0)
    flags.DEFINE_integer("max_tasks", Settings.max_tasks, "The most tasks of each split.", 2)
    flags.DEFINE_integer("num_relabelings", 4, "Relabelings of each task.", 2)
    flags.DEFINE_integer("num_supports", 4, "Support sets for each task, its own included.", 2)
    define_seed("Seed of all draws.")


def _check_flags() -> None:
    """Refuses flags that the step does not take, and places where its files cannot be written.

    Raises:
        ValueError: there is such a flag.
    """
    values, reads = flags.FLAGS, flags.FLAGS.mode == "read"
    inputs = ("questions", "answers") if reads else ("episodes",)
    outputs = ("json", "picture") if reads else ("questions",)
    settings = () if reads else tuple(field.name for field in dataclasses.fields(Settings))
    for name in ("episodes", "answers", "json", "picture", *dataclasses.asdict(Settings())):
        if values[name].present and name not in inputs + outputs + settings:
            raise ValueError(
                f"Invalid flag --{name}: it has no effect with --mode={values.mode}; received "
                f"{values[name].value}; leave it out."
            )
    for name in outputs:
        path = pathlib.Path(values[name].value)
        if reads and not values[name].value:
            continue
        if path.is_dir() or not path.parent.is_dir():
            raise ValueError(
                f"Invalid value for --{name}: expected a file in a folder that is there; received "
                f"{values[name].value!r}."
            )
        for other in inputs:
            there = values[other].value
            if there and path.exists() and os.path.exists(there) and path.samefile(there):
                raise ValueError(
                    f"Invalid value for --{name}: expected another file than --{other}, which is "
                    f"kept; received {path}."
                )


def main():
    """Writes the questions, or reads the answers."""
    values = flags.FLAGS
    try:
        _check_flags()
        if values.mode == "read":
            report = read_answers(values.questions, values.answers)
        elif values.episodes is None:
            raise ValueError("Missing value for --episodes: expected the .npz file of tasks.")
        elif values.classes and values.output != "probs":
            raise ValueError(
                f"Invalid flag --classes: it has no effect with --output={values.output}; received "
                f"{values.classes}; leave it out."
            )
        else:
            fields = [field.name for field in dataclasses.fields(Settings)]
            settings = Settings(**{name: getattr(values, name) for name in fields})
            count = write_questions(values.episodes, values.questions, settings)
            print(
                f"{counted(count, 'question')} in {values.questions}: answer them, then "
                "--mode=read."
            )
            return
    except ValueError as error:
        sys.exit(f"Error: {error}")
    print(report, flush=True)
    if values.json:
        reporting.write_json(report.to_dict(), pathlib.Path(values.json))
    if values.picture:
        report.picture(values.picture)


if __name__ == "__main__":
    define_flags()
    commands.run(main)

"""A memorization report of a model that runs elsewhere, in another program or language.

    python -m maml.diagnostics.offline --mode=write --episodes=tasks.npz
    ... your program answers questions.npz by answers.npz ...
    python -m maml.diagnostics.offline --mode=read

``tasks.npz`` holds ``training_x`` [tasks, n, ...], ``training_y`` [tasks, n] or [tasks, n, dim],
and if there are held-out tasks ``held_out_x`` and ``held_out_y``. ``questions.npz`` holds for each
question i ``support_x_i``, ``support_y_i`` and ``query_x_i``, and ``count``, their number; without
``support_x_i`` the question is what is answered without a support set. ``answers.npz`` holds for
each question ``answer_i``, or for ``--output=mean_std`` ``mean_i`` and ``std_i``.
"""

import dataclasses
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
        settings = Settings(**json.loads(str(asked["settings"])))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Invalid content of {questions}: expected a file of `offline write`; write it anew."
        ) from error
    arrays = {
        name.removeprefix("tasks_"): of for name, of in asked.items() if name.startswith("tasks_")
    }
    session = settings.session(_splits(arrays, questions, settings))
    names = ("mean", "std") if settings.output == "mean_std" else ("answer",)
    outputs, requests = [], session.requests()
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


def main():
    """Writes the questions, or reads the answers."""
    values = flags.FLAGS
    try:
        if values.mode == "read":
            report = read_answers(values.questions, values.answers)
        elif values.episodes is None:
            raise ValueError("Missing value for --episodes: expected the .npz file of tasks.")
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
    print(report)
    if values.json:
        reporting.write_json(report.to_json(), pathlib.Path(values.json))
    if values.picture:
        report.picture(values.picture)


if __name__ == "__main__":
    define_flags()
    commands.run(main)

"""Trains a learner on a registered task, tests it on tasks it has not seen, and saves it.

    python -m maml.train --dataset=sinusoid --metamodel=maml --model_save_filename=saved/model.h5

The names of flags are those of pyMeta where it has them; each is an alias of an option of
:mod:`maml.experiments.options`. Beside the model a folder of its name holds the checkpoint,
learning curves,
scores (``results.json``) and pictures: fits before and after adaptation for functions of one
variable, episodes and confusions for images.
"""

import dataclasses
import os
import pathlib
import shlex
import sys
import time

from absl import flags

import maml
from maml.core.registry import check_kinds, parse_options
from maml.experiments import determinism, options, runs
from maml.experiments.callbacks import best_epoch
from maml.experiments.options import method_name, option
from maml.tasks import function_plots, image_plots
from maml.tasks.class_sampling import LABELS
from mine import reporting
from mine.reporting import commands

RESULTS = "results.json"

ALIASES = {
    "metamodel": "learner",
    "num_output_classes": "ways",
    "num_train_samples_per_class": "shots",
    "num_test_samples_per_class": "queries",
    "n_way": "ways",
    "k_shot": "shots",
    "k_query": "queries",
    "num_inner_training_iterations": "inner_steps",
    "num_outer_metatraining_iterations": "steps",
    "imaml_lambda_reg": "regularization",
    "imaml_cg_steps": "solver_steps",
}
"""Flags of pyMeta and of MAML-Tensorflow -> fields of :class:`Config`."""

OF_TASKS = ("data", "labels", "ways", "shots", "queries", "inner_steps", "seed")
"""Options that tasks may take beside those of ``--task_options``."""

AFTER_TRAINING = {
    *("dataset", "task_options", "data", "labels", "ways", "shots", "queries", "seed"),
    *("test_inner_steps", "meta_batch_size", "num_test_tasks", "information_every"),
    *("num_validation_batches", "num_validation_tasks"),
}
"""Options of tasks and scores, which may be others when a learner is scored."""


@dataclasses.dataclass(frozen=True)
class Config(options.Options):
    """One training run. Each field is a flag of ``maml.train``."""

    dataset: str = option("sinusoid", f"The tasks: {', '.join(maml.TASKS)}, or your own.")
    task_options: str = option(
        "",
        "Options of the tasks, such as 'phase=0:6.2832;test_shape=square': numbers, ranges "
        "low:high, or words.",
    )
    data: str = option("", "File of images, of maml.tasks.prepare.")
    labels: str = option(
        "shuffled",
        "Classification: whether a class has another label in another training task, or a fixed "
        "one, which can be memorized.",
        LABELS,
    )
    learner: str = option("maml", f"The meta-learner: {', '.join(maml.LEARNERS)}, or your own.")
    ways: int = option(5, "Classes of a task of classification.", at_least=2)
    shots: int = option(10, "Support examples of a task, of each class if it has any.", at_least=1)
    queries: int = option(10, "Query examples of a task, of each class if any.", at_least=1)
    meta_batch_size: int = option(25, "Tasks of a training step.", at_least=2)
    steps: int = option(10_000, "Training steps.", at_least=1)
    steps_per_epoch: int = option(
        500, "Training steps between checkpoints and validations.", at_least=1
    )
    interaction: int = option(0, "Products of features and labels in the CNP; 0: none.")
    num_validation_batches: int = option(10, "Batches of tasks a validation.", at_least=1)
    patience: int = option(
        0,
        "Epochs without a better score on validation tasks after which training stops, with the "
        "weights of the best. 0: it does not, and has the last.",
    )
    num_test_tasks: int = option(600, "Test tasks of the final scores.", at_least=2)
    num_validation_tasks: int = option(
        600, "Validation tasks, and training tasks, of the final scores.", at_least=2
    )
    information_every: int = option(
        1,
        "Read the label information on every so-manieth batch of scores only: it takes eight more "
        "adaptations to each task.",
        at_least=1,
    )

    def problem(self, **changed) -> maml.Problem:
        """The tasks, of these sizes, and what fits them; ``changed`` options differ.

        Raises:
            ValueError: there are no such tasks, or they take no such option.
        """
        # Each task has a file of images of its own by default.
        sizes = {name: getattr(self, name) for name in OF_TASKS if name != "data" or self.data}
        own, taken = parse_options(self.task_options), maml.TASKS.options(self.dataset)
        for name in own:
            if name not in taken or name in sizes:
                there = ", ".join(option for option in taken if option not in sizes)
                raise ValueError(
                    f"The tasks {self.dataset} take no option {name!r} in --task_options; they "
                    f"take {there}."
                )
        try:
            check_kinds(own, maml.TASKS[self.dataset])
            return maml.TASKS.make(self.dataset, **(sizes | own | changed))
        except TypeError as error:
            if not own:
                raise
            raise ValueError(f"--task_options={self.task_options}: {error}.") from error


def train(
    config: Config,
    path: os.PathLike,
    resume: bool = False,
    verbose="auto",
    command: str | None = None,
    pictures: bool = True,
) -> dict:
    """Trains, saves the learner, scores it on test tasks.

    Args:
        config: all options.
        path: of the learner, ending in ``.keras`` or ``.h5``; the folder beside it has its stem
            for a name.
        resume: go on from the folder's checkpoint; a finished run is left as it is, but for a
            learner that is not there: it is written.
        verbose: of ``keras.Model.fit``.
        command: that was typed; None for one that does the same.
        pictures: whether to draw learning curves, and fits of functions or answers to images.

    Returns:
        The content of ``results.json``: scores and diagnosis by split, the regularizers' ``terms``
        on validation tasks, and what it cost; ``seconds`` are of this call, all included.

    Raises:
        ValueError: an option has no meaning.
        FileExistsError: the folder holds another run, or one that was not asked to be resumed.
        FloatingPointError: the loss became NaN or infinite.
    """
    start = time.perf_counter()
    path = pathlib.Path(path)
    folder = path.with_suffix("")
    config.epoch_steps()  # Refuses before anything is made.
    maml.learners.saving.check_path(path)
    problem = config.problem()
    learner = config.make_learner(problem.networks, problem.head, problem.label_transform)
    learner.create_weights(problem.train.sample(2, [config.seed, 5]))
    settings = runs.as_config(config)
    data = {"images": problem.checksum} if problem.checksum else None
    runs.claim_run_dir(folder, config, resume, data)
    results = folder / RESULTS
    if results.exists() and not runs.learner_is_missing(path, folder):
        return reporting.read_json(results, "diagnosis")
    evaluator = problem.evaluator(learner, config.information_every)
    families = {"train": problem.train, "validation": problem.validation}
    metric, perfect = maml.diagnostics.report.main_score(problem.metrics, problem.validation)
    history = runs.fit(
        learner,
        families,
        config,
        folder,
        evaluator,
        verbose,
        episodes=config.num_validation_batches * config.meta_batch_size,
        batch_size=config.meta_batch_size,
        best_by=(f"validation_{metric}", perfect > 0, config.patience) if config.patience else None,
    )
    maml.save(learner, path)
    if results.exists():
        return reporting.read_json(results, "diagnosis")
    method = method_name(settings | {"mi_bound": config.bound})
    record = {"method": method, "config": settings} | runs.cost(history, config)
    record |= {"normalization": learner.normalization, "diagnosis": {}}
    # Of the epoch whose weights the learner has.
    epoch = best_epoch(history[f"validation_{metric}"], perfect > 0) if config.patience else -1
    record["terms"] = {
        name: float(history[f"val_{name}"][epoch])
        for regularizer in learner.regularizers
        for name in regularizer.metric_names
        if f"val_{name}" in history
    }
    for split in ("train", "validation", "test"):
        title = f"scoring {split} tasks" if verbose else ""
        count = config.num_test_tasks if split == "test" else config.num_validation_tasks
        diagnosis = diagnose(evaluator, getattr(problem, split), problem, config, count, title)
        record["diagnosis"][split] = diagnosis.to_json()
        if verbose:
            print(f"{split} tasks: {diagnosis}")
    if pictures:
        function_plots.curves(history, next(iter(problem.metrics)), folder / "curves.png")
    if pictures and function_plots.can_draw_fits(problem):
        function_plots.fits(learner, problem.test, folder / "fits.png")
    if pictures and image_plots.can_draw(problem):
        image_plots.episodes(learner, problem.test, folder / "episodes.png")
        image_plots.confusion(learner, problem.test, folder / "confusion.png")
    seconds = time.perf_counter() - start
    record |= {"seconds": seconds, "command": command or as_command(config, path)}
    record |= {"hardware": reporting.hardware()}
    reporting.write_json(record, results)
    return record


def as_command(config: Config, path: os.PathLike) -> str:
    """The command that trains a learner with these options."""
    words = [
        f"--dataset={config.dataset}",
        *options.as_flags(config, Config(dataset=config.dataset)),
    ]
    return shlex.join(["python", "-m", "maml.train", *words, f"--model_save_filename={path}"])


def trained(path: os.PathLike, **changed) -> tuple[maml.MetaLearner, Config]:
    """A saved learner, and the options of its run.

    Args:
        path: of a learner that :func:`train`, or ``maml.save``, has saved.
        **changed: options in place of those of its run, of ``AFTER_TRAINING``.

    Raises:
        ValueError: there is no such learner, an option has no meaning, or the learner was trained
            with another.
    """
    path = pathlib.Path(path)
    file = path.with_suffix("") / runs.CONFIG
    known = runs.read_options(file.parent, Config) if file.exists() else None
    config = dataclasses.replace(known or Config(), **changed)
    learner = maml.load(path)
    if not known and "dataset" not in changed:
        raise ValueError(f"{file} is missing, so name the tasks by --dataset.")
    for name in sorted(changed.keys() - AFTER_TRAINING) if known else ():
        if changed[name] != getattr(known, name):
            raise ValueError(
                f"{path} was trained with --{name}={getattr(known, name)}, not {changed[name]}: "
                "leave it out, or train another."
            )
    if "test_inner_steps" in changed:
        if not hasattr(learner, "test_inner_steps"):
            raise ValueError(f"{path} has no inner steps: leave out --test_inner_steps.")
        steps = changed["test_inner_steps"]
        learner.test_inner_steps = None if steps < 0 else steps
    return learner, config


def diagnose(
    evaluator: maml.Evaluator,
    family: maml.TaskFamily,
    problem: maml.Problem,
    config: Config,
    count: int,
    title: str = "scoring test tasks",
) -> maml.Diagnosis:
    """Scores tasks of a family, and says whether the learner memorizes.

    Args:
        evaluator: of the learner.
        family: the tasks.
        problem: that they are of; its metrics are taken.
        config: of the run; its batches are taken.
        count: how many tasks to score.
        title: of a progress bar; without one there is none.
    """
    values = evaluator(family, 1, config.meta_batch_size, 0, count, title)
    name, perfect = maml.diagnostics.report.main_score(problem.metrics, family)
    return maml.Diagnosis.from_scores(values, evaluator.learner.normalization, name, perfect)


def define_flags():
    """Defines the flags of this command and the names that pyMeta has for them."""
    flags.DEFINE_string(
        "model_save_filename", "saved/model.keras", "The learner's file, .keras or .h5."
    )
    flags.DEFINE_enum(
        "mode",
        "train",
        ["train", "test"],
        "test: only scores the learner in the file, on the tasks that it was trained for unless "
        "flags name others.",
    )
    flags.DEFINE_bool("resume", False, "Go on from the checkpoint beside the learner's file.")
    options.define_flags(Config)
    for alias, name in ALIASES.items():
        flags.DEFINE_alias(alias, name)


def main():
    determinism.share_cores()
    try:
        given = options.given_flags(Config)
        typed = reporting.provenance("maml.train")["command"]
        path = flags.FLAGS.model_save_filename
        if flags.FLAGS.mode == "test":
            learner, config = trained(path, **given)
            problem = config.problem()
            evaluator = problem.evaluator(learner, config.information_every)
            print(diagnose(evaluator, problem.test, problem, config, config.num_test_tasks))
            return
        config = Config(**given)
        record = train(config, path, flags.FLAGS.resume, command=typed)
    except (ValueError, FileExistsError, FloatingPointError) as error:
        sys.exit(f"Error: {error}")
    test = record["diagnosis"]["test"]
    print(
        f"{record['method']}: {test['metric']} {test['after']['mean']:.4g} "
        f"± {test['after']['ci95']:.2g} on test tasks, {test['before']['mean']:.4g} before the "
        f"support set ({record['normalization']}); learner in {flags.FLAGS.model_save_filename}"
    )


if __name__ == "__main__":
    define_flags()
    commands.run(main)

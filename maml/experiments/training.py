"""The one routine that trains a learner, from its configuration to ``results.json``."""

import functools
import math
import os
import pathlib
import shlex
import time
from collections.abc import Callable, Iterable

import keras
import numpy as np

from maml.core import finite
from maml.core.registry import OUTER
from maml.diagnostics.report import MemorizationReport
from maml.diagnostics.scores import Evaluator
from maml.experiments import callbacks, plots
from maml.experiments.config import Config
from maml.experiments.results import (
    HISTORY,
    RESULTS,
    columns,
    read_history,
    read_results,
    write_results,
)
from maml.experiments.run_folder import (
    BEST,
    CHECKPOINT,
    LEARNER,
    claim_run_dir,
)
from maml.learners import saving
from maml.learners.base import MetaLearner
from maml.learners.saved_model import written_by_tensorflow
from maml.tasks.problem import Problem
from maml.tasks.sizes import check_sizes, weights_that_fit
from mine import reporting
from mine.reporting.progress import keras_verbosity
from mine.reporting.tables import counted

SKIPPED_SHARE = 0.01
"""Of training steps: a run that skipped more of them says so."""

STEPS_TOGETHER = 20
"""Training steps that Keras makes at once, unless inputs are images. On vectors a step takes a
millisecond or two, and Keras another between two of them."""


def run(
    config: Config,
    folder: os.PathLike,
    resume: bool = False,
    verbose="auto",
    learner_path: os.PathLike | None = None,
    command: str | Callable[[Config], str] | None = None,
    pictures: bool = True,
    extra_callbacks: Iterable[keras.callbacks.Callback] = (),
) -> dict:
    """Trains a learner, saves it, scores it on all splits, and writes ``results.json``.

    Args:
        config: what is trained on what.
        folder: of the run, made if absent.
        resume: go on from the folder's checkpoint. A finished run is left as it is, but a learner
            file that is missing, or a history that is damaged, is written again.
        verbose: of ``keras.Model.fit``; 0 also hides scores and progress bars.
        learner_path: the learner's file, ``.keras`` or ``.h5``; ``learner.keras`` in the folder if
            None.
        command: that was typed, or a function that gives it from the configuration, once the
            learner is made; None for one that does the same.
        pictures: whether to draw learning curves and what the problem draws.
        extra_callbacks: more Keras callbacks.

    Returns:
        The content of ``results.json``, see :mod:`maml.experiments.results`.

    Raises:
        ValueError: an option has no meaning, or data are unfit.
        FileExistsError: the folder holds another run, or one that was not asked to be resumed, or
            another process works in it.
        FloatingPointError: the loss became NaN or infinite.
    """
    start, folder = time.perf_counter(), pathlib.Path(folder)
    path = folder / LEARNER if learner_path is None else pathlib.Path(learner_path)
    config.epoch_steps(), config.method_name()  # Refuse before anything is made.
    saving.check_path(path)
    problem = config.make_problem()
    if config.patience and problem.validation is None:
        raise ValueError(
            "Invalid value for `patience`: early stopping needs validation tasks, and "
            f"{config.task} has none; use --patience=0, or task options that keep some."
        )
    numbers = {**config.task_options, **config.network_options, **config.regularizer_options}
    check_sizes(problem, vars(config) | config.learner_defaults() | numbers)
    with weights_that_fit():
        learner = config.make_learner(problem)
        learner.create_weights(problem.train.sample(2, [config.seed, 5]))
    settings, data = config.describe(problem), dict(problem.data)
    with claim_run_dir(folder, settings, resume, data, lambda c: Config(**c).describe(problem)):
        finished = (folder / RESULTS).exists()
        if finished and not _can_mend(path, folder):
            return read_results(folder)
        evaluator = problem.evaluator(learner, config.information_every, config.num_relabelings)
        with written_by_tensorflow(folder / "tensorboard"):
            history = fit(learner, problem, config, folder, evaluator, verbose, extra_callbacks)
        saving.save(learner, path)
        if finished:
            return read_results(folder)
        record: dict = {"method": config.method_name(), "seed": config.seed, "config": settings}
        record |= {"data": data} | score(evaluator, problem, config, bool(verbose))
        record["terms"] = _terms(learner, history, config, record["metric"], problem)
        record["cost"] = cost(history, config)
        if warning := skipped_warning(history, problem, config):
            record["warnings"] = [warning]
        if pictures:
            plots.draw_history(history, record["metric"], folder / "curves.png")
            MemorizationReport(**record["diagnosis"]).picture(folder / "diagnosis.png")
            problem.draw(learner, history, record, folder)
        record["cost"]["seconds"] = time.perf_counter() - start
        if callable(command):
            command = command(config)
        command = command or as_command(config, folder, learner_path)
        record["provenance"] = reporting.provenance(command=command)
        write_results(record, folder)
        return read_results(folder)


def _can_mend(learner: pathlib.Path, folder: pathlib.Path) -> bool:
    """Whether the learner or the history of a finished run can be written again, and must be."""
    if not (folder / CHECKPOINT).exists():
        return False
    try:
        read_history(folder / HISTORY)
    except (OSError, ValueError):
        return True
    return not learner.exists()


def sentence(record: dict) -> str:
    """A finished run in one line: scores on test tasks, the verdict on memorization, warnings."""
    name, test = record["metric"], record["scores"]["test"]
    return (
        f"{record['method']}: {name} {test[name]['mean']:.4g} ± {test[name]['ci95']:.2g} on test "
        f"tasks, {test[f'no_support_{name}']['mean']:.4g} without the support set, swap gap "
        f"{test['swap_gap']['mean']:.4g}; {record['diagnosis']['verdict']} "
        f"({record['normalization']})"
        + "".join(f". Warning: {warning.rstrip('.')}" for warning in record.get("warnings", ()))
    )


def as_command(
    config: Config, folder: os.PathLike, learner_path=None, module="maml.train", defaults=None
) -> str:
    """The command that makes the same run.

    Args:
        config: of the run.
        folder: of the run.
        learner_path: as of :func:`run`.
        module: the command.
        defaults: what options are without flags, as of :meth:`Config.of`.
    """
    words = config.as_flags(defaults)
    if learner_path is not None:
        words.append(f"--model_save_filename={learner_path}")
    else:
        words.append(f"--logdir={folder}")
    return shlex.join(["python", "-m", module, *words])


def compile_learner(learner: MetaLearner, config: Config, **others) -> None:
    """Gives a learner the optimizers of a configuration: Adam, and another for critics.

    ``others`` are more arguments of ``keras.Model.compile``.
    """
    decay, rate = config.weight_decay, config.meta_lr
    if config.meta_lr_decay:
        rate = keras.optimizers.schedules.CosineDecay(config.meta_lr, config.steps)
    adam = keras.optimizers.AdamW(rate, weight_decay=decay) if decay else None
    if learner.critic_variables:
        others |= {"critic_optimizer": keras.optimizers.Adam(config.critic_lr, clipnorm=1.0)}
    outer = OUTER.make(config.outer, **config.outer_options)
    learner.compile(outer or adam or keras.optimizers.Adam(rate), **others)


def fit(
    learner: MetaLearner,
    problem: Problem,
    config: Config,
    folder: pathlib.Path,
    evaluator: Evaluator,
    verbose="auto",
    extra_callbacks: Iterable[keras.callbacks.Callback] = (),
) -> dict[str, np.ndarray]:
    """Compiles and trains a learner, or goes on where the folder's checkpoint is.

    The splits that the problem monitors are scored after each epoch; the regularizers' own values
    are read on the last of them.

    Args:
        learner: with weights, not compiled.
        problem: whose meta-training tasks are trained on.
        config: of the run.
        folder: of the checkpoint, ``history.csv`` and TensorBoard's logs.
        evaluator: of the learner.
        verbose: of ``keras.Model.fit``.
        extra_callbacks: more Keras callbacks.

    Returns:
        The columns of ``history.csv``.

    Raises:
        ValueError: the checkpoint is damaged.
        FloatingPointError: the loss became NaN or infinite.
    """
    per_epoch, verbose = config.epoch_steps(), keras_verbosity(verbose)
    families = {name: problem.families[name] for name in problem.monitored}
    held_out, size = list(families.values())[-1], config.meta_batch_size
    batch = problem.train.dataset(size, config.seed).element_spec
    together = math.gcd(per_epoch, STEPS_TOGETHER) if batch.support_x.shape.rank < 4 else 1
    if problem.train.on_policy:  # A batch is drawn by the weights of the step before.
        together = 1
    compile_learner(learner, config, steps_per_execution=together)
    table = callbacks.HistoryFile(folder / HISTORY)
    checkpoint = callbacks.Checkpoint(folder / CHECKPOINT, table)
    done = checkpoint.restore(learner)
    epoch, stops = done // per_epoch, []
    if done:
        table.restore(checkpoint.history(), epoch)
    if config.patience:
        metric = problem.metrics[0]
        name = f"validation_{metric.name}"
        before = columns(table.rows)[name] if done else ()
        if done:
            callbacks.check_whole(folder / BEST)
        stops = [
            callbacks.StopEarly(
                folder / BEST, name, metric.greater_is_better, config.patience, before
            )
        ]
    over = any(stop.over for stop in stops)
    batch_size = config.eval_batch_size or size
    learner.fit(
        problem.train.dataset(size, config.seed, start=done),
        epochs=epoch if over else config.steps // per_epoch,
        initial_epoch=epoch,
        steps_per_epoch=per_epoch,
        verbose=verbose,
        # The terms' own estimates, in nats: a fixed stream of episodes.
        validation_data=held_out.dataset(size, config.seed).take(4)
        if learner.regularizers
        else None,
        callbacks=[
            # First, so that its line ends before the others speak, and without their numbers.
            *([keras.callbacks.ProgbarLogger()] if verbose else []),
            callbacks.Monitor(
                evaluator,
                families,
                per_epoch,
                batch_size,
                config.num_validation_batches * batch_size,
                report=bool(verbose),
            ),
            callbacks.StopOnDivergence(
                folder / CHECKPOINT, functools.partial(find_unfit, problem, config)
            ),
            *problem.callbacks(per_epoch),
            table,
            keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
            *stops,
            checkpoint,
            *extra_callbacks,
        ],
    )
    if config.patience:
        callbacks.load_weights(learner, folder / BEST)
    return columns(table.rows)


def find_unfit(problem: Problem, config: Config, start: int, stop: int) -> str | None:
    """What is unfit in the training episodes of some steps; None if nothing is.

    Args:
        problem: of the run.
        config: of the run.
        start: the number of steps before the first.
        stop: the last of the steps, counted from 1.
    """
    batches = problem.train.dataset(config.meta_batch_size, config.seed, start)
    return finite.first_unfit(batches.take(stop - start), start)


def skipped_warning(history: dict[str, np.ndarray], problem: Problem, config: Config) -> str | None:
    """A sentence on training steps that were skipped, if more than 1 % were."""
    skipped, per_epoch = history["skipped_steps"], config.epoch_steps()
    steps = per_epoch * len(skipped)
    if not skipped.sum() > SKIPPED_SHARE * steps:
        return None
    first = int(np.argmax(skipped > 0)) * per_epoch
    unfit = find_unfit(problem, config, first, first + per_epoch)
    reason = f"{unfit}: leave such data out" if unfit else "lower the learning rates"
    return (
        f"{skipped.sum():.0f} of {counted(steps, 'training step')} ({skipped.sum() / steps:.0%}) "
        f"were skipped, since their gradients were not finite; {reason}."
    )


def score(evaluator: Evaluator, problem: Problem, config: Config, verbose: bool = True) -> dict:
    """Scores a learner on fixed episodes of every split.

    Args:
        evaluator: of a trained learner.
        problem: that it was trained on.
        config: numbers of tasks and episodes are used.
        verbose: whether to show progress, and the memorization report.

    Returns:
        ``metric``, ``scores``, ``diagnosis``, ``further`` and ``normalization`` of a record.
    """
    normalization = evaluator.learner.normalization
    metric = problem.metrics[0]
    record = {"metric": metric.name, "normalization": normalization}
    values = {
        split: evaluate_split(evaluator, split, family, config, verbose)
        for split, family in problem.families.items()
    }
    record["scores"] = {
        split: problem.summarize(of, problem.families[split]) for split, of in values.items()
    }
    report = MemorizationReport.from_scores(values["train"], values["test"], metric, normalization)
    record["diagnosis"] = report.to_json()
    if verbose:
        print(report)
    test = functools.partial(evaluate_split, evaluator, "test", config=config, verbose=verbose)
    record["further"] = problem.further_scores(lambda family, title: test(family, title=title))
    return record


def evaluate_split(
    evaluator: Evaluator, split: str, family, config: Config, verbose: bool = True, title: str = ""
) -> dict[str, np.ndarray]:
    """Scores of a split's tasks, each [tasks, episodes, queries].

    Args:
        evaluator: of the learner.
        split: "train", "validation" or "test", which says how many tasks and episodes.
        family: the tasks.
        config: numbers of tasks and episodes, and the batch size.
        verbose: whether to show a progress bar.
        title: of the progress bar.
    """
    episodes, count = config.episodes_per_task, config.num_validation_tasks
    if split == "train":
        episodes = max(1, episodes // 10)
    elif split == "test":
        count = config.num_test_tasks
    size = config.eval_batch_size or config.meta_batch_size
    title = (title or f"scoring {split} tasks") if verbose else ""
    return evaluator(family, episodes, size, 0, count, title)


def _terms(learner, history, config, metric, problem) -> dict[str, float]:
    """The regularizers' own values in the epoch whose weights the learner has."""
    epoch = -1
    if config.patience:
        greater = problem.metrics[0].greater_is_better
        epoch = callbacks.best_epoch(history[f"validation_{metric}"], greater)
    return {
        name: float(history[f"val_{name}"][epoch])
        for regularizer in learner.regularizers
        for name in regularizer.metric_names
        if f"val_{name}" in history
    }


def cost(history: dict[str, np.ndarray], config: Config) -> dict[str, float]:
    """What a training took: steps, seconds a step and in all, and steps that were skipped.

    Where a policy collects its own data, ``sampling_seconds_per_step`` says how many of the seconds
    of a step that takes.
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
        "train_seconds": float(seconds.sum() * config.epoch_steps()),
        "skipped_steps": float(history["skipped_steps"].sum()),
    }

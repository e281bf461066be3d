"""The one routine that trains a learner, from its configuration to ``results.json``."""

import contextlib
import functools
import os
import pathlib
import shlex
import time
import zlib
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

from maml.diagnostics.report import MemorizationReport
from maml.diagnostics.scores import Evaluator
from maml.experiments import callbacks, plots
from maml.experiments.config import Config
from maml.experiments.cost.estimate import require_memory
from maml.experiments.preparing import (
    compile_learner,
    prepared,
    scored_tasks,
    steps_together,
)
from maml.experiments.results import (
    HISTORY,
    RESULTS,
    columns,
    cost,
    read_results,
    write_results,
)
from maml.experiments.run_folder import (
    BEST,
    CHECKPOINT,
    LEARNER,
    TENSORBOARD,
    can_mend,
    claim_run_dir,
)
from maml.learners import saving
from maml.learners.base import MetaLearner
from maml.learners.parallel.workers import ONE, STRATEGIES, Devices
from maml.learners.saved_model import written_by_tensorflow
from maml.tasks.problem import Problem
from mine import reporting
from mine.reporting.progress import keras_verbosity


def run(
    config: Config,
    folder: os.PathLike,
    resume: bool = False,
    verbose="auto",
    learner_path: os.PathLike | None = None,
    command: str | Callable[[Config], str] | None = None,
    pictures: bool = True,
    extra_callbacks: Iterable[keras.callbacks.Callback] = (),
    strategy: str | tf.distribute.Strategy = "none",
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
        strategy: the devices, one of ``maml.learners.parallel.workers.STRATEGIES``, or a strategy
            of TensorFlow's. The run is the same on any; with workers on several machines the
            folder is one that all of them see, and the chief writes it.

    Returns:
        The content of ``results.json``, see :mod:`maml.experiments.results`; nothing in workers
        that are not the chief.

    Raises:
        ValueError: an option has no meaning, or data are unfit.
        ConnectionError: another worker has ended.
        FileExistsError: the folder holds another run, or one that was not asked to be resumed, or
            another process works in it.
        FloatingPointError: the loss became NaN or infinite.
    """
    start, folder = time.perf_counter(), pathlib.Path(folder)
    path = folder / LEARNER if learner_path is None else pathlib.Path(learner_path)
    config.epoch_steps(), config.method_name()  # Refuse before anything is made.
    saving.check_path(path)
    devices = Devices(strategy)
    with devices.together():
        problem, learner = prepared(config, devices)
        require_memory(problem, learner, config)
        settings, data = config.describe(problem), dict(problem.data)
        digest = zlib.crc32(config.identity().encode())
        devices.check_equal(digest, "checksum of options", "Start all with the same flags.")
        claim = claim_run_dir(
            folder, settings, resume, data, lambda c: Config(**c).describe(problem)
        )
        with claim if devices.chief else contextlib.nullcontext():
            finished = (folder / RESULTS).exists()
            if not devices.of_chief(finished and not can_mend(path, folder)):
                evaluator = problem.evaluator(
                    learner, config.information_every, config.num_relabelings
                )
                with written_by_tensorflow(folder / TENSORBOARD):
                    history = fit(
                        learner,
                        problem,
                        config,
                        folder,
                        evaluator,
                        verbose,
                        extra_callbacks,
                        devices,
                    )
                if devices.chief:
                    saving.save(learner, path)
                if devices.chief and not finished:
                    record: dict = {"method": config.method_name(), "seed": config.seed}
                    record |= {"config": settings, "data": data}
                    record |= score(evaluator, problem, config, bool(verbose))
                    record |= _account(learner, problem, config, history, record["metric"])
                    if pictures:
                        _draw(learner, problem, history, record, folder)
                    record["cost"]["seconds"] = time.perf_counter() - start
                    if callable(command):
                        command = command(config)
                    command = command or as_command(
                        config, folder, learner_path, strategy=devices.name
                    )
                    record["provenance"] = reporting.provenance(command=command)
                    write_results(record, folder)
                devices.of_chief(0)  # A worker that ends before the others takes them along.
            return read_results(folder) if devices.chief else {}


def _account(learner, problem, config, history, metric: str) -> dict:
    """What a training came to: the part of its record that needs no scoring."""
    account: dict = {"terms": _terms(learner, history, config, metric, problem)}
    account["cost"] = cost(history, config.epoch_steps())
    if warning := callbacks.skipped_warning(history, problem, config):
        account["warnings"] = [warning]
    return account


def _draw(learner, problem, history, record, folder) -> None:
    plots.draw_history(history, record["metric"], folder / "curves.png")
    MemorizationReport(**record["diagnosis"]).picture(folder / "diagnosis.png")
    problem.draw(learner, history, record, folder)


def as_command(
    config: Config,
    folder: os.PathLike,
    learner_path=None,
    module="maml.train",
    defaults=None,
    strategy: str = "none",
) -> str:
    """The command that makes the same run.

    Args:
        config: of the run.
        folder: of the run.
        learner_path: as of :func:`run`.
        module: the command.
        defaults: what options are without flags, as of :meth:`Config.of`.
        strategy: of the devices; one that is not among the flag's names is left out.
    """
    words = config.as_flags(defaults)
    if strategy in STRATEGIES[1:]:
        words.append(f"--strategy={strategy}")
    if learner_path is not None:
        words.append(f"--model_save_filename={learner_path}")
    else:
        words.append(f"--logdir={folder}")
    return shlex.join(["python", "-m", module, *words])


def fit(
    learner: MetaLearner,
    problem: Problem,
    config: Config,
    folder: pathlib.Path,
    evaluator: Evaluator,
    verbose="auto",
    extra_callbacks: Iterable[keras.callbacks.Callback] = (),
    devices: Devices = ONE,
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
        devices: that the learner was made for.

    Returns:
        The columns of ``history.csv``; nothing in workers that are not the chief.

    Raises:
        ValueError: the checkpoint is damaged.
        FloatingPointError: the loss became NaN or infinite.
    """
    per_epoch, verbose = config.epoch_steps(), keras_verbosity(devices.chief and verbose)
    families = {name: problem.families[name] for name in problem.monitored}
    held_out, size = list(families.values())[-1], config.meta_batch_size
    together = steps_together(problem, config, devices)
    with devices.scope():
        compile_learner(learner, config, steps_per_execution=together)
    table = callbacks.HistoryFile(folder / HISTORY)
    checkpoint = callbacks.Checkpoint(folder / CHECKPOINT, table)
    done = checkpoint.restore(learner)
    devices.check_equal(done, "steps behind the checkpoint", f"Let all see {folder} as it is.")
    epoch, stops = done // per_epoch, []
    if done and devices.chief:
        table.restore(checkpoint.history(), epoch)
    if config.patience and devices.chief:
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
    over = devices.of_chief(any(stop.over for stop in stops))
    find = functools.partial(callbacks.find_unfit, problem, config)
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
            callbacks.StopOnDivergence(None, find),
            callbacks.StopTogether(devices),
            *extra_callbacks,
        ]
        if not devices.chief
        else [
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
            callbacks.StopOnDivergence(folder / CHECKPOINT, find),
            *problem.callbacks(per_epoch),
            table,
            keras.callbacks.TensorBoard(folder / TENSORBOARD, write_graph=False),
            *stops,
            checkpoint,
            callbacks.StopTogether(devices),
            *extra_callbacks,
        ],
    )
    if not devices.chief:
        return {}
    if config.patience:
        callbacks.load_weights(learner, folder / BEST)
    return columns(table.rows)


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
    record["diagnosis"] = report.to_dict()
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
    episodes, size, count = scored_tasks(config, split)
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

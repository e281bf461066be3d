"""Many jobs in processes side by side, with the time that is left."""

import concurrent.futures
import functools
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures.process import BrokenProcessPool

import keras
import tensorflow as tf

from maml.experiments import determinism
from mine.reporting.processes.workers import Pool
from mine.reporting.progress import ProgressBar

DIVERGED = "diverged"

CORES = len(os.sched_getaffinity(0))
"""Cores that this process may use: all of the machine's, unless ``taskset`` gave it some."""


JOBS_A_PROCESS = 25
"""After how many jobs a process is replaced: TensorFlow keeps the graphs of some learners."""


class _Pool(Pool):
    """Processes, and how many jobs they were given."""

    jobs = 0


def run(jobs: Mapping[str, Callable[[], dict]], workers: int, title: str) -> dict[str, dict]:
    """Runs jobs in worker processes, a process after the other's job is done.

    A job keeps its own result, so that a study that is cut goes on where it was.

    Args:
        jobs: name -> function that can be pickled, and returns a record.
        workers: number of processes; they share the machine's cores.
        title: of the progress bar.

    Returns:
        name -> record, in the order of the jobs. A job that raised ``FloatingPointError`` has the
        record ``{"diverged": message}``: a divergence is a result.

    Raises:
        OSError: a process was killed.
        Exception: whatever else a job raised, once those that were running are done.
        KeyboardInterrupt: as it came; the jobs that were running are ended.
    """
    names, most = list(jobs), JOBS_A_PROCESS * workers
    records: dict[str, dict] = {}
    with ProgressBar(total=len(jobs), desc=title, unit="run") as progress:
        while len(records) < len(jobs):
            pool = _pool(workers)
            part = names[len(records) :][: most - pool.jobs]
            pool.jobs += len(part)
            try:
                futures = {pool.submit(_call, jobs[name]): name for name in part}
                for future in concurrent.futures.as_completed(futures):
                    records[futures[future]] = future.result()
                    progress.update()
                    progress.set_postfix_str(futures[future])
            except BaseException as error:
                _pool.cache_clear()
                if isinstance(error, Exception):
                    pool.shutdown(cancel_futures=True)
                else:
                    pool.stop()
                if isinstance(error, BrokenProcessPool):
                    raise OSError(
                        "a process that trained was killed, perhaps for want of memory: run the "
                        "same command again, it goes on where it stopped; --workers=1 needs least "
                        "memory."
                    ) from error
                raise
            if pool.jobs >= most:
                pool.shutdown()
                _pool.cache_clear()
    return {name: records[name] for name in jobs}


@functools.cache
def _pool(workers: int) -> _Pool:
    """Processes that stay for the next jobs: to start one takes seconds."""
    cores = max(1, CORES // workers)
    return _Pool(workers, _prepare, (cores,))


def _prepare(cores: int) -> None:
    determinism.share_cores(cores)
    # A new learner is a new graph: TensorFlow's advice on retracing would drown the progress bar.
    tf.get_logger().setLevel(logging.ERROR)


def _call(job: Callable[[], dict]) -> dict:
    keras.backend.clear_session()
    try:
        return job()
    except FloatingPointError as error:
        return {DIVERGED: str(error)}

"""Processes of this machine, which share its cores and graphics processors."""

import functools
import multiprocessing
import os
import shutil
import subprocess
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

from maml.experiments import determinism
from maml.experiments.executors.base import Executor, call
from mine.reporting.processes.workers import Pool

CORES = len(os.sched_getaffinity(0))
"""Cores that this process may use: all of the machine's, unless ``taskset`` gave it some."""

JOBS_A_PROCESS = 25
"""After how many jobs a process is replaced: TensorFlow keeps the graphs of some learners."""


class Local(Executor):
    """Processes side by side. They stay for the next jobs, since to start one takes seconds.

    Each has its share of the cores, and one graphics processor where there are some.

    Args:
        workers: number of processes.
    """

    def __init__(self, workers: int):
        self.workers = workers
        self._pool: Pool | None = None
        self._jobs = 0

    def has_room(self, running):
        if self._jobs >= JOBS_A_PROCESS * self.workers:
            if running:
                return False
            self.stop(wait=True)
        return running < self.workers

    def submit(self, job) -> Future:
        if self._pool is None:
            self._pool, self._jobs = self._start(), 0
        self._jobs += 1
        return self._pool.submit(call, job)

    def _start(self) -> Pool:
        devices = graphics_processors()
        turns = multiprocessing.get_context("spawn").SimpleQueue()
        for worker in range(self.workers if devices else 0):
            turns.put(devices[worker % len(devices)])
        cores = max(1, CORES // self.workers)
        return Pool(self.workers, _prepare, (cores, turns if devices else None))

    def explain(self, error):
        if isinstance(error, BrokenProcessPool):
            return OSError(
                "a process that trained was killed, perhaps for want of memory: run the same "
                "command again, it goes on where it stopped; --workers=1 needs least memory."
            )
        return error

    def stop(self, wait):
        pool, self._pool, self._jobs = self._pool, None, 0
        if pool is None:
            return
        if wait:
            pool.shutdown(cancel_futures=True)
        else:
            pool.stop()


@functools.cache
def shared(workers: int) -> Local:
    """Processes that all studies of this process share."""
    return Local(workers)


def graphics_processors() -> list[str]:
    """Names of the machine's graphics processors, as ``CUDA_VISIBLE_DEVICES`` has them."""
    asked = os.environ.get("CUDA_VISIBLE_DEVICES")
    if asked is not None:
        return [name for name in asked.split(",") if name.strip() not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    found = subprocess.run(
        [program, "--query-gpu=uuid", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.split() if found.returncode == 0 else []


def _prepare(cores: int, turns: "multiprocessing.SimpleQueue | None") -> None:
    if turns is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = turns.get()
    determinism.share_cores(cores)

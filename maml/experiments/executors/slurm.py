"""SLURM: each training a job of the queue, by submitit."""

import os
import pathlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from maml.core import options
from maml.experiments.executors.base import Executor, call_alone
from mine.reporting.processes.claims import ClaimedError

POLL = 2.0
"""Seconds between two looks at a job."""

CLAIMED = "claimed"
"""Key of the record of a job whose folder another process works in: why it was left to it."""


class Trained:
    """A job as submitit takes it: one that the queue ends early is queued again, and goes on."""

    def __init__(self, job: Callable[[], dict]):
        self.job = job

    def __call__(self) -> dict:
        try:
            return call_alone(self.job)
        except ClaimedError as error:  # Of an error submitit keeps the text only.
            return {CLAIMED: str(error)}

    def checkpoint(self):
        """Called by submitit when the queue's time is over."""
        import submitit.helpers

        return submitit.helpers.DelayedSubmission(self)


class Slurm(Executor):
    """A SLURM queue, through submitit; without one, processes of this machine.

    Args:
        folder: of submitit's files.
        given: parameters of ``submitit.AutoExecutor``, such as ``timeout_min``, ``gpus_per_node``,
            ``slurm_partition`` and ``cluster``.

    Raises:
        ValueError: a parameter is unknown to submitit.
    """

    remote = True

    def __init__(self, folder: os.PathLike, given: Mapping[str, object]):
        import submitit

        given = dict(given)
        place = given.pop("cluster", None)
        cluster = None if place is None else str(place)
        try:
            self._executor = submitit.AutoExecutor(str(pathlib.Path(folder)), cluster=cluster)
            self._executor.update_parameters(name="study", **given)
        except (NameError, TypeError, ValueError) as error:
            raise ValueError(
                f"Invalid parameter of --executor=slurm: expected those of submitit.AutoExecutor, "
                f"such as timeout_min=600;slurm_partition=NAME; received {given}; {error}"
            ) from error
        self._jobs: list = []

    def submit(self, job) -> Future:
        queued = self._executor.submit(Trained(job))
        future: Future = Future()
        future.set_running_or_notify_cancel()
        self._jobs.append(queued)
        threading.Thread(target=_follow, args=(queued, future), daemon=True).start()
        return future

    def stop(self, wait):
        running = [job for job in self._jobs if not job.done()]
        for job in running:
            if not wait or job.state != "RUNNING":
                job.cancel()
        while wait and not all(job.done() for job in running):
            time.sleep(POLL)


def _follow(job, future: Future) -> None:
    """Gives a future the result of a job of the queue."""
    try:
        while not job.done():
            time.sleep(POLL)
        error = job.exception()
        if error is None:
            record = job.result()
            if CLAIMED in record:
                future.set_exception(ClaimedError(record[CLAIMED]))
            else:
                future.set_result(record)
        else:
            future.set_exception(
                OSError(f"job {job.job_id} of the queue failed; its log: {job.paths.stderr}")
            )
    except Exception as error:  # The thread has nobody else to tell.
        future.set_exception(error)


def parameters(text: str) -> dict[str, object]:
    """Parameters of the queue from ``name=value;name=value``; numbers where they are numbers."""
    found: dict[str, object] = {}
    for name, value in options.parse(text).items():
        found[name] = int(value) if value.lstrip("-").isdecimal() else value
    return found

"""What a study asks of the place where its trainings run."""

import abc
import functools
import logging
from collections.abc import Callable
from concurrent.futures import Future

import keras
import tensorflow as tf

from maml.experiments import determinism

DIVERGED = "diverged"


class Executor(abc.ABC):
    """Runs jobs, each once, in other processes. A context that ends them.

    Jobs are functions that can be pickled; each keeps its own result in a folder that all processes
    see, so that any of them can go on with it.
    """

    remote = False
    """Whether jobs may run on other machines, whose working folder is another."""

    @abc.abstractmethod
    def submit(self, job: Callable[[], dict]) -> Future:
        """Begins a job, or keeps it for a process that is free; the future has its record."""

    def has_room(self, running: int) -> bool:
        """Whether another job can be submitted now, with ``running`` of them not done."""
        return True

    def is_lost(self, error: BaseException) -> bool:
        """Whether a job failed since its process died, so that another may go on with it."""
        return False

    def explain(self, error: Exception) -> Exception:
        """The error that users are shown for one of the place itself."""
        return error

    @abc.abstractmethod
    def stop(self, wait: bool) -> None:
        """Ends after an error: no job is begun.

        Args:
            wait: whether jobs that are running may end by themselves.
        """

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.stop(wait=kind is None or issubclass(kind, Exception))


def call(job: Callable[[], dict]) -> dict:
    """The record of a job in this process; a divergence is a record, too."""
    _quiet()
    keras.backend.clear_session()
    try:
        return job()
    except FloatingPointError as error:
        return {DIVERGED: str(error)}


def call_alone(job: Callable[[], dict]) -> dict:
    """As :func:`call`, in a process that was started by others than :class:`Local`."""
    determinism.share_cores()
    return call(job)


@functools.cache
def _quiet() -> None:
    # A new learner is a new graph: TensorFlow's advice on retracing would drown the progress bar.
    tf.get_logger().setLevel(logging.ERROR)

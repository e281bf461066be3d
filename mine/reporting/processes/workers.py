"""Processes and threads that work for a command, and end with it."""

import collections
import concurrent.futures
import contextlib
import itertools
import multiprocessing
import multiprocessing.util
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from mine.reporting.processes import stopping

PATIENCE, MOST_PATIENCE = 5.0, 20.0
"""Seconds that a worker has to leave its files in order, once it is asked to end: of its own
processor time, and at most where other processes take the processors from it."""


class Pool(concurrent.futures.ProcessPoolExecutor):
    """A ``ProcessPoolExecutor`` whose processes end with their parent, however that ends.

    They are started anew ("spawn"), so that they share no state of TensorFlow or OpenGL with it;
    use it under ``if __name__ == "__main__":``. Ctrl-C, which reaches all processes of a terminal,
    is the parent's business. As a context, it ends the running jobs if Ctrl-C or the like leaves
    the block; after errors it lets them finish.

    Args:
        workers: number of processes.
        initializer: called in each process before its first job.
        arguments: of the initializer.
    """

    def __init__(self, workers: int, initializer: Callable | None = None, arguments: tuple = ()):
        spawned = multiprocessing.get_context("spawn")
        # The workers hold one end: the other is closed by `stop`, or by the end of this process.
        reader, self._writer = spawned.Pipe(duplex=False)
        super().__init__(workers, spawned, _begin, (reader, initializer, arguments))
        # A process that multiprocessing started waits for its own before it ends their work.
        multiprocessing.util.Finalize(self, self._writer.close, exitpriority=0)

    def submit(self, function, /, *args, **options):
        """As of the base class."""
        return super().submit(_job, function, *args, **options)

    def stop(self) -> None:
        """Ends the processes; what they write is left in order."""
        self._writer.close()
        self.shutdown(cancel_futures=True)

    def __exit__(self, kind, value, traceback):
        if kind is not None and not issubclass(kind, Exception):
            self.stop()
        self.shutdown(cancel_futures=kind is not None)
        return False


def _begin(reader, initializer: Callable | None, arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    threading.Thread(target=_end_with_parent, args=(reader,), daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _end_with_parent(reader) -> None:
    with contextlib.suppress(EOFError, OSError):
        reader.recv_bytes()  # Nothing is ever sent.
    asked, used = time.monotonic(), time.process_time()
    os.kill(os.getpid(), signal.SIGTERM)
    while not _is_late(time.monotonic() - asked, time.process_time() - used):
        time.sleep(0.2)
    os._exit(128 + signal.SIGTERM)


def _is_late(passed: float, used: float) -> bool:
    """Whether a worker has had its time, by the seconds that passed and those that it worked."""
    return passed > PATIENCE and (used > PATIENCE or passed > MOST_PATIENCE)


def _job(function: Callable, *args, **options):
    try:
        # Patient: when one worker ends, the executor sends the signal to the others once more.
        with stopping.raising(patient=True):
            return function(*args, **options)
    except stopping.Stopped as stopped:
        os._exit(stopped.code)


@contextlib.contextmanager
def threads(workers: int | None) -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    """Threads; if an error leaves the block, what they have not begun is not done."""
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def in_order(
    pool: concurrent.futures.Executor, function: Callable, items: Iterable, ahead: int
) -> Iterator:
    """As ``pool.map``, but never more than some results ahead of who takes them.

    Args:
        pool: that works.
        function: of an item.
        items: in the order of the results.
        ahead: how many results may wait, so that they do not fill the memory; 1 or more.
    """
    items = iter(items)
    waiting = collections.deque(pool.submit(function, of) for of in itertools.islice(items, ahead))
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(pool.submit(function, of) for of in itertools.islice(items, 1))
        yield result

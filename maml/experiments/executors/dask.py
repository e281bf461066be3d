"""A dask cluster: machines of a network, Kubernetes, or a queue through dask-jobqueue."""

import logging
from concurrent.futures import Future

from maml.experiments.executors.base import Executor, call_alone
from mine.reporting.tables import counted


class Dask(Executor):
    """The workers of a dask scheduler (``dask.distributed``), each with one thread.

    A job whose worker dies is given to another, which goes on from its checkpoint.

    Args:
        address: of the scheduler, such as ``tcp://10.0.0.1:8786``.
        connect: seconds to wait for it.

    Raises:
        OSError: no scheduler answers.
        ValueError: a worker has several threads, which would train in one process.
    """

    remote = True

    def __init__(self, address: str, connect: float = 10.0):
        import distributed

        logging.getLogger("distributed").setLevel(logging.ERROR)
        try:
            self._client = distributed.Client(address, timeout=connect)
        except (OSError, TimeoutError, ValueError) as error:
            raise OSError(
                f"Cannot reach a dask scheduler at {address}: start one by `dask scheduler`, and "
                f"workers by `dask worker {address} --nthreads 1` ({error})."
            ) from error
        try:
            threads = self._client.nthreads()
            if max(threads.values(), default=1) > 1:
                raise ValueError(
                    "Invalid dask worker: expected workers of one thread, since a process trains "
                    "one learner at a time; received one of "
                    f"{max(threads.values())}; start them with --nthreads 1."
                )
            workers = counted(len(threads), "worker")
            print(f"Dask: {workers}; watch them at {self._client.dashboard_link}")
        except BaseException:
            self._client.close()
            raise
        # Pure functions would be one job where two have the same arguments.
        self._executor = self._client.get_executor(pure=False)

    def submit(self, job) -> Future:
        return self._executor.submit(call_alone, job)

    def is_lost(self, error):
        # Of a worker that died several times with the job, or while it held the job's record.
        return type(error).__name__ in ("KilledWorker", "FutureCancelledError", "CancelledError")

    def stop(self, wait):
        self._executor.shutdown(wait=wait)
        self._client.close()

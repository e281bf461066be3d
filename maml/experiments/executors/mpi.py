"""MPI: the processes of one ``mpiexec``, on any number of machines."""

import signal
import sys
from concurrent.futures import Future

from maml.experiments.executors.base import Executor, call_alone
from mine.reporting.processes import stopping


class MPI(Executor):
    """The processes that ``mpiexec`` started: the first hands out jobs, the others train.

    Needs ``mpi4py``, and two processes or more. MPI ends all processes when one dies: the same
    command goes on.

    Raises:
        ValueError: it was not started by ``mpiexec`` with two processes or more.
    """

    remote = True

    def __init__(self):
        from mpi4py import MPI as mpi
        from mpi4py.futures import MPICommExecutor

        size = mpi.COMM_WORLD.Get_size()
        if size < 2:
            raise ValueError(
                f"Invalid number of MPI processes: expected two or more, since one hands out the "
                f"trainings; received {size}; start the command by `mpiexec -n 4 python -m ...`."
            )
        self._world = mpi.COMM_WORLD
        self._context = MPICommExecutor(self._world, root=0)
        # Python's handlers do not run while MPI waits: until then a signal ends the process.
        before = {of: signal.signal(of, signal.SIG_DFL) for of in stopping.SIGNALS}
        self._executor = self._context.__enter__()
        for number, handler in before.items():
            signal.signal(number, handler)
        if self._executor is None:  # A process that trained until the first one was done.
            sys.exit(0)

    def submit(self, job) -> Future:
        return self._executor.submit(call_alone, job)

    def stop(self, wait):
        if not wait:
            self._world.Abort(1)
        self._executor.shutdown(cancel_futures=True)
        self._context.__exit__(None, None, None)

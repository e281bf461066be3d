"""The executor that ``--executor`` names."""

import os
import pathlib

from maml.experiments.executors.base import Executor
from maml.experiments.executors.local import shared

KINDS = {
    "local": "processes of this machine",
    "dask:ADDRESS": "the workers of a dask scheduler",
    "mpi": "the processes of mpiexec",
    "slurm:NAME=VALUE;...": "jobs of a SLURM queue, with parameters of submitit",
}
"""What ``--executor`` takes -> where trainings run."""


def open_executor(text: str, workers: int, folder: os.PathLike) -> Executor:
    """Makes an executor.

    Args:
        text: one of :data:`KINDS`.
        workers: number of processes, for the local one.
        folder: where a queue keeps its files.

    Raises:
        ValueError: there is no such executor, or it has no such parameter.
        OSError: a scheduler cannot be reached.
        ImportError: the package that it needs is not installed.
    """
    kind, _, rest = text.partition(":")
    if kind == "local" and not rest:
        return shared(workers)
    if kind == "dask" and rest:
        from maml.experiments.executors.dask import Dask

        return Dask(rest)
    if kind == "mpi" and not rest:
        from maml.experiments.executors.mpi import MPI

        return MPI()
    if kind == "slurm":
        from maml.experiments.executors.slurm import Slurm, parameters

        return Slurm(pathlib.Path(folder) / "slurm", parameters(rest))
    raise ValueError(
        f"Invalid value for --executor: expected one of {', '.join(KINDS)}; received {text!r}."
    )

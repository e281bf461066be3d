"""Where the trainings of a study run: processes here, dask, MPI or SLURM."""

"""One training run, and many of them: options, folders, checkpoints, sweeps, tables."""

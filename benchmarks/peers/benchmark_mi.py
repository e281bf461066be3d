"""One estimate by the package benchmark-mi (Czyz et al. 2023), at its defaults: see :mod:`worker`.

Two arguments are given that a user could leave out: the seed, and ``verbose=False``, in its favour,
as drawing its progress bar at every step takes time. It estimates in single precision, on the CPU.
"""

import worker
from bmi import estimators


def mine(x, y, seed):
    """Donsker-Varadhan with the corrected gradient of the MINE paper."""
    return _estimate(estimators.MINEEstimator(seed=seed, verbose=False), x, y)


def infonce(x, y, seed):
    """InfoNCE (van den Oord et al. 2018)."""
    return _estimate(estimators.InfoNCEEstimator(seed=seed, verbose=False), x, y)


def ksg(x, y, seed):
    """Nearest neighbours (Kraskov et al. 2004, eq. 8); draws nothing, so needs no seed."""
    return _estimate(estimators.KSGEnsembleFirstEstimator(), x, y)


def _estimate(estimator, x, y):
    nats = float(estimator.estimate(x, y))
    settings = estimator.parameters().dict()
    settings.pop("seed", None)
    return nats, settings


if __name__ == "__main__":
    worker.run({"MINE": mine, "InfoNCE": infonce, "KSG": ksg}, ["benchmark-mi", "jax"])

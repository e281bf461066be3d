"""Intervals over tasks, by resampling them."""

import numpy as np
from scipy import special  # scipy.stats takes a second to import.

from mine.reporting.statistics import mean_interval


class Resampling:
    """Resamples tasks with replacement, all scores of a split alike (Efron 1979).

    Args:
        rng: of the resamples.
    """

    REPEATS = 400
    """Resamples."""

    FEWEST = 4
    """Tasks from which on resamples tell an interval of a mean; of fewer, Student's t does."""

    def __init__(self, rng: np.random.Generator):
        self._rng, self._made = rng, {}

    def _weights(self, n: int) -> np.ndarray:
        """How often each of n tasks is in each resample, over n; first in the sample itself."""
        if n not in self._made:  # Some scores are of fewer tasks than others.
            counts = self._rng.multinomial(n, np.full(n, 1 / n), size=self.REPEATS)
            self._made[n] = np.concatenate([np.ones([1, n]), counts]) / n
        return self._made[n]

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means of values [n] of the sample and of each resample, [1 + REPEATS]."""
        return self._weights(len(values)) @ values

    @staticmethod
    def percentiles(means: np.ndarray, tasks: int) -> dict[str, float]:
        """A number of the sample, with the 95 % percentile interval of its resamples.

        Resamples of few tasks vary too little: distances from the number are those of resamples
        times what an interval by Student's t has over that of a normal distribution with the
        deviation of a sample (as in the expanded percentile interval of Hesterberg 2015, arXiv
        1411.5279, which takes other quantiles instead).

        Args:
            means: of the sample and of each resample, [1 + REPEATS].
            tasks: how many there are; one alone tells no interval, and gives NaN.
        """
        known = means[1:][np.isfinite(means[1:])]
        low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
        few = np.nan if tasks < 2 else np.sqrt(tasks / (tasks - 1)) * _student(tasks) / _NORMAL
        low, high = (means[0] + few * (end - means[0]) for end in (low, high))
        return {"mean": float(means[0]), "low": float(low), "high": float(high)}

    def interval(self, values: np.ndarray) -> dict[str, float]:
        """Mean of values [n] and its 95 % interval, by the studentized bootstrap (Hall 1988).

        Errors are skewed, and over few tasks an interval by Student's t misses too often; but it
        is what there is of fewer than :attr:`FEWEST`. One alone tells none, and gives NaN.
        """
        if len(values) < self.FEWEST:
            mean, half = mean_interval(values).values()
            return {"mean": mean, "low": mean - half, "high": mean + half}
        weights = self._weights(len(values))
        means = weights @ values
        deviations = np.sqrt(np.maximum(weights @ values**2 - means**2, 0))
        known = deviations[1:] > 1e-12 * max(deviations[0], 1e-300)
        if not deviations[0] or not known.any():
            return {"mean": float(means[0]), "low": float(means[0]), "high": float(means[0])}
        t = (means[1:] - means[0])[known] / deviations[1:][known]
        low, high = np.percentile(t, [2.5, 97.5])
        return {
            "mean": float(means[0]),
            "low": float(means[0] - high * deviations[0]),
            "high": float(means[0] - low * deviations[0]),
        }


def _student(n: int) -> float:
    """The 97.5 % quantile of Student's t for the mean of n values."""
    return float(special.stdtrit(n - 1, 0.975))


_NORMAL = 1.96

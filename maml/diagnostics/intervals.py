"""Intervals over tasks, by resampling them."""

import numpy as np


class Resampling:
    """Resamples tasks with replacement, all scores of a split alike (Efron 1979).

    Args:
        rng: of the resamples.
    """

    REPEATS = 400
    """Resamples."""

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
    def percentiles(means: np.ndarray) -> dict[str, float]:
        """A number of the sample, with the 95 % percentile interval of its resamples."""
        known = means[1:][np.isfinite(means[1:])]
        low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
        return {"mean": float(means[0]), "low": float(low), "high": float(high)}

    def interval(self, values: np.ndarray) -> dict[str, float]:
        """Mean of values [n] and its 95 % interval, by the studentized bootstrap (Hall 1988).

        Errors are skewed, and over few tasks an interval by Student's t misses too often.
        """
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

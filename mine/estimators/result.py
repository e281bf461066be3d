"""The result of an estimator."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Estimate:
    """An estimate of mutual information, with its uncertainty.

    Attributes:
        nats: the estimate, on held-out samples.
        interval: 95 % interval of ``nats``: over resampled held-out pairs and derangements for a
            critic, from the spread of the samples' terms for "ksg" and "gaussian". It covers the
            variation over samples, not the gap between a bound and the truth.
        bound: how it was estimated.
        samples: number of samples.
        ceiling: the largest value of this bound, in nats; None if it has no limit.
        curves: for each fold, nats on its validation samples after each epoch of
            ``mine.estimators.options.STEPS_PER_EPOCH`` steps; empty for estimates without
            training.
        second_opinions: "ksg" and "gaussian" estimates from the same samples, in nats.
        warnings: reasons to doubt the value, each a sentence.
    """

    nats: float
    interval: tuple[float, float]
    bound: str
    samples: int
    ceiling: float | None = None
    curves: tuple[tuple[float, ...], ...] = ()
    second_opinions: dict[str, float] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        low, high = self.interval
        lines = [
            f"{self.nats:.3f} nats (95 % interval {low:.3f} to {high:.3f}), bound {self.bound}, "
            f"{self.samples} samples"
        ]
        if self.second_opinions:
            opinions = ", ".join(
                f"{name} {nats:.3f}" for name, nats in self.second_opinions.items()
            )
            lines.append(f"second opinions: {opinions}")
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])

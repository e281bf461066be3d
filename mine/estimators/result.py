"""What every estimator returns."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mutual information, and what one needs to know to believe it.

    Attributes:
        nats: the estimate, on held-out samples.
        interval: 95 % interval of ``nats``: over resampled held-out pairs and derangements for a
            critic, from the spread of the samples' terms for "ksg" and "gaussian". It tells how far
            the value would vary with other samples, not how far a bound is from the truth.
        bound: how it was estimated.
        samples: how many there were.
        ceiling: the most this bound can show, in nats; None where there is no such limit.
        curves: for each fold, nats on its validation samples after each epoch of
            ``mine.estimators.options.STEPS_PER_EPOCH`` steps; empty for estimates without
            training.
        second_opinions: "ksg" and "gaussian" estimates from the same samples, in nats.
        warnings: why not to believe the number, each a sentence; empty if nothing was found.
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
            told = ", ".join(f"{name} {nats:.3f}" for name, nats in self.second_opinions.items())
            lines.append(f"second opinions: {told}")
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])

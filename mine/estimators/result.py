"""The result of an estimator."""

import dataclasses
import math

from mine.reporting import html_table


@dataclasses.dataclass(frozen=True)
class Estimate:
    """An estimate of mutual information, with its uncertainty.

    Attributes:
        nats: the estimate of the information. Of a critic it is ``bound_nats`` and what nearest
            neighbours show it to lack (:mod:`mine.estimators.uncertainty.information`).
        interval: 95 % interval of the *information*: its sampling error and the bias of the
            estimator. Where no upper end can be given it is infinite: then the information is at
            least the lower end.
        bound: how it was estimated.
        samples: number of samples.
        bound_nats: what the estimator itself found: a critic's bound, on held-out samples, or the
            value of "ksg" or "gaussian".
        bound_interval: 95 % interval of ``bound_nats``: over resampled held-out pairs and
            derangements for a critic, from the spread of the samples' terms for "ksg" and
            "gaussian". It covers the variation over samples, not the gap between a bound and the
            information.
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
    bound_nats: float
    bound_interval: tuple[float, float]
    ceiling: float | None = None
    curves: tuple[tuple[float, ...], ...] = ()
    second_opinions: dict[str, float] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, str]]:
        """What each number is, and its text; the first is the information."""
        low, high = self.interval
        within = f"95 % interval {low:.3f} to {high:.3f}"
        if math.isinf(high):
            within = f"at least {low:.3f} at 95 %, without an upper end"
        bound_low, bound_high = self.bound_interval
        rows = [
            ("", f"{self.nats:.3f} nats ({within}), {self.samples} samples"),
            (f"bound {self.bound}", f"{self.bound_nats:.3f} ({bound_low:.3f} to {bound_high:.3f})"),
        ]
        if self.second_opinions:
            opinions = ", ".join(
                f"{name} {nats:.3f}" for name, nats in self.second_opinions.items()
            )
            rows.append(("second opinions", opinions))
        return [*rows, *(("warning", warning) for warning in self.warnings)]

    def __str__(self) -> str:
        return "\n".join(f"{name}: {text}" if name else text for name, text in self.rows())

    def _repr_html_(self) -> str:
        """The same rows as a table, for notebooks."""
        (_, information), *rows = self.rows()
        return html_table(("information", information), rows)

    def to_dict(self) -> dict:
        """The attributes by name, for JSON: an interval without an upper end ends in None."""
        low, high = self.interval
        upper = None if math.isinf(high) else high
        return dataclasses.asdict(self) | {"interval": [low, upper]}

    @classmethod
    def from_dict(cls, content: dict) -> "Estimate":
        """The estimate of which :meth:`to_dict` gave ``content``.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: it gave other content.
        """
        low, high = content["interval"]
        found = content | {"interval": (low, math.inf if high is None else high)}
        for name in ("bound_interval", "warnings"):
            found[name] = tuple(found[name])
        return cls(**found | {"curves": tuple(map(tuple, found["curves"]))})


def of_bound(
    bound: str, nats: float, interval: tuple[float, float], samples: int, **others
) -> Estimate:
    """The estimate that a lower bound alone gives: the information is at least its lower end.

    Args:
        bound: how it was estimated.
        nats: the bound's value.
        interval: 95 % interval of it, over samples.
        samples: number of samples.
        **others: further fields.
    """
    # Information is not negative, but an estimate of it may be.
    low = min(max(interval[0], 0.0), nats)
    return Estimate(nats, (low, math.inf), bound, samples, nats, interval, **others)

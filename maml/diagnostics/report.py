"""The memorization report: scores on training and held-out tasks, and the verdict from both."""

import dataclasses
import html
import os
from collections.abc import Mapping

import numpy as np

from maml.diagnostics import verdict as verdicts
from maml.diagnostics.conditions import RESPONSE, SLOPES
from maml.diagnostics.intervals import Resampling
from maml.diagnostics.verdict import Skills
from mine import reporting
from mine.reporting.pictures import current_axes, new_axes
from mine.reporting.words import reason

CONDITIONS = {
    "right": "with its support set",
    "relabeled": "of relabeled tasks",
    "no_support": "without a support set",
    "mismatched_labels": "with wrong labels",
    "mismatched_support": "with another task's support set",
    "constant": "of the best constant",
}
"""Condition -> how a report calls the score under it."""

INFORMATIONS = {
    "label_information": "I(ŷ; Y' | x, X), relabeled",
    "support_information": "I(ŷ; D | x)",
}
"""Name of an information -> how a report calls it.

The first is of relabeled tasks, the second of the tasks as they are: so neither bounds the other.
"""

LARGEST_UPPER_BOUND = 100.0
"""In nats. The upper bound of a model that is nearly exact has no limit, and says nothing."""

SPLITS = {"training": "training tasks", "held_out": "held-out tasks"}

BARS = {
    "right": ("right support set", "#4477aa"),
    "relabeled": ("relabeled", "#66ccee"),
    "no_support": ("no support set", "#bbbbbb"),
    "mismatched_labels": ("wrong labels", "#ccbb44"),
    "mismatched_support": ("another task's support set", "#ee6677"),
}
"""Condition -> what a picture calls it, and its colour."""


@dataclasses.dataclass(frozen=True, repr=False)
class MemorizationReport:
    """Whether a model memorizes, and what that rests on.

    An interval is a ``mean``, and its 95 % interval over tasks from ``low`` to ``high``.

    Attributes:
        verdict: one of :data:`maml.diagnostics.verdict.VERDICTS`.
        reason: what it rests on, a sentence.
        advice: what to try next, a sentence; empty where nothing is wrong.
        share: interval of what the support set adds on new tasks over what it adds on training
            tasks; None where it is not known.
        predicted_skill: interval of what the answers to relabeled training tasks say of the skill
            on new tasks; None without relabelings. It ranks learners, and is no estimate: of one
            that has trained little, or whose relabeled tasks are unlike new ones, it is far off.
            With a response b (the regression of changes of the answer on changes of the label)
            and answers of power P, in units of
            the labels' variance, the squared error of a model that knows nothing else about a task
            is 1 - 2 b + P; its skill in classes is b.
        metric: name of the score.
        splits: "training", and "held_out" if there are such tasks -> ``tasks``, their number;
            ``scores``, condition -> interval; ``skills``, condition -> interval (0 for the best
            constant, 1 perfect); ``informations``, name -> ``lower`` and ``upper`` -> interval, in
            nats.
        normalization: of the learner's networks, if it is one of this library.
        calls: how often the model was asked; 0 if it is one of this library.
    """

    verdict: str
    reason: str
    advice: str
    share: dict[str, float] | None
    metric: str
    splits: dict[str, dict]
    predicted_skill: dict[str, float] | None = None
    normalization: str = ""
    calls: int = 0

    @classmethod
    def from_scores(
        cls,
        training: Mapping[str, np.ndarray],
        held_out: Mapping[str, np.ndarray] | None,
        metric,
        normalization: str = "",
        calls: int = 0,
        seed: int = 0,
    ) -> "MemorizationReport":
        """Reads scores that are there already.

        Args:
            training: name of a score -> values, [tasks, ...]: of
                :func:`maml.diagnostics.conditions.score`, or of :class:`maml.Evaluator`.
            held_out: the same on held-out tasks, or None.
            metric: the :class:`maml.core.metrics.Metric` to judge by.
            normalization: of the learner's networks.
            calls: how often the model was asked.
            seed: of the resampling of tasks that intervals of skills come from.
        """
        given = {"training": training} | ({"held_out": held_out} if held_out is not None else {})
        read = {
            split: _Split(scores, metric, np.random.default_rng([seed, index]))
            for index, (split, scores) in enumerate(given.items())
        }
        training, held_out = read["training"], read.get("held_out")

        def skills(index: int) -> tuple[Skills, Skills | None]:
            return training.skills(index), held_out and held_out.skills(index)

        shares = [verdicts.share_of(*skills(index)) for index in range(1 + Resampling.REPEATS)]
        shares = np.array(shares, float)  # None becomes NaN.
        known = np.isfinite(shares)
        share = ends = None
        if known[0] and known[1:].any():
            fewest = min(of.tasks for of in read.values())
            share = Resampling.percentiles(shares, fewest)
            ends = tuple(float(np.clip(share[end], 0, 1)) for end in ("low", "high"))
            share |= dict(zip(("low", "high"), ends, strict=True))
            # One task tells no interval.
            ends = ends if np.isfinite(ends).all() else None
        words, reason, advice = verdicts.decide(*skills(0), ends)
        return cls(
            verdict=words,
            reason=reason,
            advice=advice,
            share=share,
            metric=metric.name,
            splits={split: of.to_dict() for split, of in read.items()},
            predicted_skill=training.predicted_skill(),
            normalization=normalization,
            calls=calls,
        )

    def to_dict(self) -> dict:
        """The fields as plain values, of which :meth:`from_dict` makes the report again."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping) -> "MemorizationReport":
        """The report of which :meth:`to_dict` gave ``content``.

        Raises:
            ValueError: it gave other content.
        """
        try:
            report = cls(**content)
            report._repr_html_()  # Reads every field.
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                "Invalid memorization report: expected the fields of MemorizationReport.to_dict; "
                f"received others ({reason(error)})."
            ) from error
        return report

    # -- to be read --------------------------------------------------------------------------------

    def rows(self) -> list[list[str]]:
        """Titles, then the name of each number and its value on each split, as texts."""
        rows = [["", *(f"{of['tasks']} {SPLITS[split]}" for split, of in self.splits.items())]]
        for condition, words in CONDITIONS.items():
            values = [of["scores"].get(condition) for of in self.splits.values()]
            if any(values):
                rows.append([f"{self.metric} {words}", *map(_interval, values)])
        skills = [of["skills"]["right"] for of in self.splits.values()]
        rows.append(["skill: 0 of the constant, 1 perfect", *map(_interval, skills)])
        if self.predicted_skill:
            blank = [""] * (len(self.splits) - 1)
            rows.append(["response to relabeling", _interval(self.predicted_skill), *blank])
        for name, symbol in INFORMATIONS.items():
            values = [of["informations"].get(name) for of in self.splits.values()]
            if any(values):
                rows.append([symbol, *map(_nats, values)])
        return rows

    def __repr__(self):
        table = self.rows()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            [
                f"{self.verdict}{self._share()}",
                *(
                    "  " + "  ".join(map(str.ljust, row, widths)).rstrip()
                    for row in table
                ),
                f"  {self.reason}",
                *([f"  To try: {self.advice}"] if self.advice else []),
                f"  {self._note()}",
            ]
        )  # fmt: skip

    def _note(self) -> str:
        """What holds for all numbers."""
        stated = f"; {stated_normalization(self.normalization)}" if self.normalization else ""
        return f"Means and 95 % intervals over tasks{stated}."

    def _share(self) -> str:
        if self.verdict != verdicts.IN_PART or not self.share:
            return ""
        return ", {mean:.2f} ({low:.2f} to {high:.2f})".format(**self.share)

    def _repr_html_(self) -> str:
        """The report as a table, for notebooks and pages."""
        titles, *rows = self.rows()
        to_try = f" To try: {self.advice}" if self.advice else ""
        return (
            f"<p><b>{html.escape(self.verdict + self._share())}</b>. "
            f"{html.escape(self.reason + to_try)}</p>"
            f"{reporting.html_table(titles, rows)}<p>{html.escape(self._note())}</p>"
        )

    def plot(self, ax=None, title: str = ""):
        """Draws the skills on each split as bars: 0 is the best constant, 1 a perfect answer.

        Args:
            ax: of matplotlib; pyplot's current axes if None.
            title: stands before the verdict.

        Returns:
            The axes.
        """
        ax = current_axes(ax)
        place, ticks = 0, []
        for split, of in self.splits.items():
            for condition, (words, colour) in BARS.items():
                skill = of["skills"].get(condition)
                if skill is None:
                    continue
                low, high = skill["mean"] - skill["low"], skill["high"] - skill["mean"]
                ax.barh(
                    place, skill["mean"], color=colour, xerr=[[max(low, 0)], [max(high, 0)]],
                    capsize=2,
                )  # fmt: skip
                ticks.append((place, f"{SPLITS[split]}: {words}"))
                place -= 1
            place -= 0.7
        ax.set_yticks(*zip(*ticks, strict=True), fontsize=7)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.axvline(1, color="black", linewidth=0.8, linestyle=":")
        ax.set_xlim(-1.3, 1.05)
        ax.set_xticks([-1, 0, 1], ["-1", "0\nconstant", "1\nperfect"])
        ax.set_xlabel(f"skill, from {self.metric}")
        ax.set_title(f"{title}{self.verdict}{self._share()}", fontsize=10)
        return ax

    def picture(self, path: os.PathLike) -> None:
        """Draws the report as a PNG."""
        figure, axes = new_axes(size=(6.4, 3.8))
        self.plot(axes[0, 0])
        reporting.picture(figure, path, bbox_inches="tight")


def stated_normalization(normalization: str) -> str:
    """How networks normalize, as it stands beside scores: "normalization: none".

    Args:
        normalization: of a learner or of the record of a run, such as "no normalization".
    """
    return f"normalization: {'none' if normalization == 'no normalization' else normalization}"


def _interval(value: Mapping[str, float] | None) -> str:
    if value is None:
        return ""
    if not np.isfinite(value["mean"]):
        return "not finite"
    if not np.isfinite([value["low"], value["high"]]).all():
        return f"{value['mean']:.3g}"
    return "{mean:.3g} ({low:.3g} to {high:.3g})".format(**value)


def _nats(bounds: Mapping[str, Mapping] | None) -> str:
    """Bounds of an information; values below zero are estimation noise."""
    if bounds is None:
        return ""
    low, high = (bounds[side]["mean"] for side in ("lower", "upper"))
    if not (np.isfinite(low) and np.isfinite(high)):
        return "not finite"
    low, high = max(low, 0.0), max(high, 0.0)
    if high > LARGEST_UPPER_BOUND:
        return f"at least {low:.2f} nats"
    return f"{low:.2f} to {high:.2f} nats"


class _Split:
    """Scores of one split, resampled over tasks: index 0 is as measured."""

    def __init__(self, scores: Mapping[str, np.ndarray], metric, rng):
        self.metric = metric
        self.per_task = {
            name: np.asarray(values, float).reshape(len(values), -1).mean(1)
            for name, values in scores.items()
        }
        self.tasks = len(self.per_task[metric.name])
        self.resampling = Resampling(rng)
        self.means = {name: self.resampling.means(of) for name, of in self.per_task.items()}
        names = {
            "right": metric.name,
            **{c: f"{c}_{metric.name}" for c in CONDITIONS if c != "right"},
        }
        self.names = {c: name for c, name in names.items() if name in self.per_task}
        constant = self.means[self.names["constant"]]
        self.skill_of = {}
        for condition, name in self.names.items():
            reference = constant
            if condition == "relabeled":
                reference = self.means[f"relabeled_constant_{metric.name}"]
            distance = metric.best - reference
            with np.errstate(divide="ignore", invalid="ignore"):
                self.skill_of[condition] = (self.means[name] - reference) / distance
        del self.skill_of["constant"]
        self.slope_of = {
            f"{prefix}slope": self.means[f"{prefix}label_covariance"]
            / np.maximum(self.means[f"{prefix}label_variance"], 1e-300)
            for prefix in SLOPES.values()
            if f"{prefix}label_covariance" in self.means
        }

    def skills(self, index: int) -> Skills:
        """Of the means over tasks, or of a resample."""
        both = self.skill_of | self.slope_of
        return Skills(**{name: float(of[index]) for name, of in both.items()})

    def predicted_skill(self) -> dict[str, float] | None:
        """The interval of :attr:`MemorizationReport.predicted_skill`."""
        if RESPONSE[0] not in self.means:
            return None
        covariance, change, power = map(self.means.get, RESPONSE)
        with np.errstate(divide="ignore", invalid="ignore"):
            skill = covariance / change
            if power is not None:
                skill = 2 * skill - power / self.means[f"{SLOPES['right']}label_variance"]
        return self.resampling.percentiles(skill, self.tasks)

    def _no_better_than_best(self, name: str) -> dict[str, float]:
        """The interval of a score; no mean is better than the best value of the metric."""
        found, best = self.resampling.interval(self.per_task[name]), self.metric.best
        if self.metric.greater_is_better:
            return found | {"high": min(found["high"], max(best, found["mean"]))}
        return found | {"low": max(found["low"], min(best, found["mean"]))}

    def to_dict(self) -> dict:
        """The numbers of a split in a report."""
        interval = self.resampling.interval
        return {
            "tasks": self.tasks,
            "scores": {c: self._no_better_than_best(name) for c, name in self.names.items()},
            "skills": {
                condition: self.resampling.percentiles(of, self.tasks)
                for condition, of in self.skill_of.items()
            },
            "informations": {
                name: {
                    side: interval(self.per_task[f"{name}_{side}"]) for side in ("lower", "upper")
                }
                for name in INFORMATIONS
                if f"{name}_lower" in self.per_task
            },
        }

"""Does a learner memorize? A verdict and the scores it rests on, in one call.

The words are those of Rajendran et al. 2020 (arXiv 2007.05549, section 3). A verdict here is of the
tasks that were scored, those of one split:

============================  =====================================================================
verdict                       what it says of a learner on these tasks
============================  =====================================================================
``memorization overfitting``  answers as well with other tasks' support sets: the query inputs alone
                              tell it these tasks
``does not adapt``            answers as badly with other tasks' support sets: a learner that is not
                              trained, or one that memorizes other tasks
``adapts in part``            its answers depend on the support set, but little, or they are no
                              better than a constant
``adapts``                    its answers depend on the support set and are better than a constant
``cannot tell``               its scores are not finite
============================  =====================================================================

Memorization overfitting shows on the meta-training tasks; on others such a learner merely fails.

Scores of any metric are read on one scale, the *skill score* (Murphy 1988): 0 for a constant
predictor, 1 for a perfect one. The swap gap on this scale is the share of a constant's error that a
wrong support set costs.

The thresholds lie between learners whose nature was known, CNPs for the pose of 40 objects. Without
a regularizer it memorized: a gap of 0.04 and 0.15 nats. With MR-W, in part: 0.31 and 0.29 nats.
With a head that is equivariant to offsets of the labels, so that it has to read them: 1.2 and 1.4
nats. Under squared error a learner that is always right has a gap of twice the share of the labels'
variance that is between tasks, so ``adapts`` needs tasks that differ enough: a fifth of it.
"""

import dataclasses
import math
import os

import numpy as np

from mine import reporting
from mine.reporting.pictures import current_axes, new_axes
from mine.reporting.statistics import mean_interval

MEMORIZES = "memorization overfitting"
DOES_NOT_ADAPT = "does not adapt"
IN_PART = "adapts in part"
ADAPTS = "adapts"
CANNOT_TELL = "cannot tell"

LOW_GAP, HIGH_GAP = 0.1, 0.4
"""Swap gaps, in skill, below which answers do not depend on the support set, and from which they
do."""

LOW_NATS, HIGH_NATS = 0.2, 0.5
"""Label information in nats: the upper bound of a learner that does not use the labels lies below
the first, the lower bound of one that does above the second."""

LEAST_SKILL = 0.1
"""Skill from which a learner is better than a constant."""

COLOURS = ("#777777", "#4477aa", "#ee6677")


def verdict(
    skill: float, gap: float, information: tuple[float, float] | None = None
) -> tuple[str, str]:
    """What these numbers say of a learner.

    It takes both criteria to find that a support set is used, or that it is not: labels may move an
    answer that the score does not notice, and a wide likelihood hides in noise what the score does
    notice.

    Args:
        skill: skill score with the support set: 0 for the best constant, 1 perfect.
        gap: skill lost with other tasks' support sets.
        information: lower and upper bound of I(y^; Y | x, X), in nats; None judges by the gap.

    Returns:
        ``(verdict, reason)``: one of the verdicts above, and what it rests on, a sentence.
    """
    lower, upper = information or (math.inf, -math.inf)
    labels = f", label information {_range(lower, upper)} nats" if information else ""
    facts = f"skill {skill:.2f}, swap gap {gap + 0.0:.2f} of skill{labels}"
    if not (math.isfinite(skill) and math.isfinite(gap)) or math.isnan(lower):
        return CANNOT_TELL, f"Its scores, or those of a constant, are not finite: {facts}."
    if gap < LOW_GAP and upper < LOW_NATS:
        if skill < LEAST_SKILL:
            return DOES_NOT_ADAPT, (
                f"It is no better than a constant and does not depend on its support set: {facts}."
            )
        return MEMORIZES, f"The query inputs alone tell it these tasks: {facts}."
    if skill < LEAST_SKILL:
        return IN_PART, f"It depends on its support set and is no better than a constant: {facts}."
    if gap < HIGH_GAP:
        return IN_PART, f"It depends on its support set in part: {facts}."
    if lower < HIGH_NATS:
        return IN_PART, f"It depends on its support set, and little on the labels in it: {facts}."
    return ADAPTS, f"It answers by its support set: {facts}."


def _range(lower, upper) -> str:
    """Bounds of an information; values below zero are estimation noise."""
    return f"{max(lower, 0.0):.2f} to {max(upper, 0.0):.2f}"


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """A verdict and what it rests on; each number a ``mean`` and ``ci95`` over tasks.

    Attributes:
        metric: name of the score.
        tasks: how many were scored.
        normalization: how the learner's networks normalize.
        score: with the right support set.
        no_support: score without any.
        mismatched_support: score with other tasks' support sets.
        constant: score of the constant predictor.
        swap_gap: by how much ``mismatched_support`` is worse than ``score``.
        support_information: ``lower`` and ``upper`` bound of I(y^; D | x), in nats.
        label_information: the same of I(y^; Y | x, X); None if no labels were transformed.
        verdict: see :mod:`maml.diagnostics.report`.
        reason: a sentence.
    """

    metric: str
    tasks: int
    normalization: str
    score: dict[str, float]
    no_support: dict[str, float]
    mismatched_support: dict[str, float]
    constant: dict[str, float]
    swap_gap: dict[str, float]
    support_information: dict[str, dict[str, float]]
    label_information: dict[str, dict[str, float]] | None
    verdict: str
    reason: str

    @classmethod
    def from_scores(
        cls,
        scores: dict[str, np.ndarray],
        normalization: str,
        metric: str = "mse",
        perfect: float = 0.0,
    ) -> "Diagnosis":
        """Reads scores that are there already.

        Args:
            scores: of :class:`maml.Evaluator`, [tasks, per_task, queries] each.
            normalization: of the learner that was scored.
            metric: name of the metric to judge by.
            perfect: its best value: 0 of an error, 1 of an accuracy.
        """
        per_task = {name: np.mean(values, axis=(1, 2)) for name, values in scores.items()}
        mean = {name: float(np.mean(values)) for name, values in per_task.items()}
        distance = perfect - mean[f"constant_{metric}"]
        lost = per_task[metric] - per_task[f"mismatched_support_{metric}"]

        def skill(value):
            return value / distance if distance else math.nan

        def information(name):
            if f"{name}_lower" not in per_task:
                return None
            return {side: mean_interval(per_task[f"{name}_{side}"]) for side in ("lower", "upper")}

        label_information = information("label_information")
        words, reason = verdict(
            skill(mean[metric] - mean[f"constant_{metric}"]),
            skill(float(lost.mean())),
            label_information and tuple(bound["mean"] for bound in label_information.values()),
        )
        return cls(
            metric=metric,
            tasks=len(lost),
            normalization=normalization,
            score=mean_interval(per_task[metric]),
            no_support=mean_interval(per_task[f"no_support_{metric}"]),
            mismatched_support=mean_interval(per_task[f"mismatched_support_{metric}"]),
            constant=mean_interval(per_task[f"constant_{metric}"]),
            swap_gap=mean_interval(np.sign(distance) * lost),
            support_information=information("support_information"),
            label_information=label_information,
            verdict=words,
            reason=reason,
        )

    def to_json(self) -> dict:
        """The fields as plain values; ``Diagnosis(**fields)`` is the diagnosis again."""
        return dataclasses.asdict(self)

    def __str__(self):
        def interval(value):
            return f"{value['mean']:.3g} ± {value['ci95']:.2g}"

        rows = [
            (f"{self.metric} with the support set", interval(self.score)),
            (f"{self.metric} without it", interval(self.no_support)),
            (f"{self.metric} with another task's", interval(self.mismatched_support)),
            (f"{self.metric} of a constant predictor", interval(self.constant)),
            ("swap gap", interval(self.swap_gap)),
        ]
        rows += [
            (name, _range(low["mean"], high["mean"]) + " nats")
            for name, low, high in self._informations()
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join(
            [
                f"{self.verdict} ({self.normalization}; mean ± 95 % over {self.tasks} tasks)",
                *(f"  {name:{width}}  {value}" for name, value in rows),
                f"  {self.reason}",
            ]
        )

    def _informations(self) -> list[tuple[str, dict, dict]]:
        """Name, lower and upper bound of each information there is."""
        named = {"I(ŷ; Y | x, X)": self.label_information, "I(ŷ; D | x)": self.support_information}
        return [(name, of["lower"], of["upper"]) for name, of in named.items() if of]

    def plot(self, ax=None, title: str = ""):
        """Draws the scores as bars, and the best constant as a line.

        Args:
            ax: of matplotlib; pyplot's current axes if None.
            title: stands before the verdict.

        Returns:
            The axes.
        """
        ax = current_axes(ax)
        bars = {
            "without": self.no_support,
            "with": self.score,
            "another\ntask's": self.mismatched_support,
        }
        ax.bar(
            bars.keys(),
            [bar["mean"] for bar in bars.values()],
            yerr=[bar["ci95"] for bar in bars.values()],
            color=COLOURS,
            capsize=3,
        )
        ax.axhline(self.constant["mean"], color="black", linewidth=0.8, label="constant predictor")
        ax.set(ylabel=self.metric, xlabel="support set", title=f"{title}{self.verdict}")
        ax.legend()
        return ax

    def plot_information(self, ax=None):
        """Draws the informations in nats, from their lower to their upper bounds.

        Args:
            ax: of matplotlib; pyplot's current axes if None.

        Returns:
            The axes.
        """
        ax = current_axes(ax)
        for name, low, high in self._informations():
            label = f"{name}\n{_range(low['mean'], high['mean'])}"
            ax.bar(label, low["mean"], color=COLOURS[1], yerr=low["ci95"], capsize=3)
            rest = high["mean"] - low["mean"]
            ax.bar(label, rest, bottom=low["mean"], color=COLOURS[1], alpha=0.3)
        # Upper bounds of sure answers are far away, and would leave no room for the lower ones.
        highest_lower = max(low["mean"] for _, low, _ in self._informations())
        ax.set(ylim=(0, max(2 * highest_lower, 2 * LOW_NATS)), title=self.normalization)
        ax.set_ylabel("nats, lower to upper bound")
        return ax

    def picture(self, path: os.PathLike):
        """Draws the diagnosis as a PNG."""
        figure, axes = new_axes(2, size=(4, 3.6))
        self.plot(axes[0, 0])
        self.plot_information(axes[0, 1])
        reporting.picture(figure, path)

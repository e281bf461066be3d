"""The verdict on memorization, from the scores on training tasks and on held-out ones.

The words are those of Rajendran et al. 2020 (arXiv 2007.05549, section 3):

============================  =====================================================================
verdict                       what it says of a model
============================  =====================================================================
``memorization overfitting``  training tasks are answered as well with wrong labels, another task's
                              support set or none: the query inputs identify the task
``learner overfitting``       the support set decides on training tasks and does not help on new
                              ones
``adapts in part``            the support set helps on new tasks, less than on training tasks
``adapts``                    the support set helps on new tasks as it does on training tasks
``untrained``                 nowhere much better than a constant
``cannot tell``               the scores do not decide, or the interval of the share holds opposite
                              verdicts; the reason says what is missing
============================  =====================================================================

All scores are read as *skill* (Murphy 1988): 0 for the best constant, 1 for a perfect answer. Two
numbers decide:

* *use*: the share of the skill on training tasks that is lost with wrong labels in the support set,
  or without one, whichever loses less;
* *share*: what the support set adds on new tasks, over what it would add if it helped there as on
  training tasks. Where no held-out tasks are given, relabeled training tasks stand for new ones:
  their inputs are known, and their labels are not. Over few tasks its 95 % interval may reach from
  shares of which the verdict is that the support set does not help to those of which it is that it
  helps fully. Such scores contradict neither, and the verdict is ``cannot tell``.

The thresholds were set on half of the families of models in
:mod:`maml.diagnostics.known_models` and checked on the other half.
"""

import dataclasses
import math

MEMORIZATION = "memorization overfitting"
LEARNER = "learner overfitting"
ADAPTS = "adapts"
IN_PART = "adapts in part"
UNTRAINED = "untrained"
CANNOT_TELL = "cannot tell"

VERDICTS = (MEMORIZATION, LEARNER, ADAPTS, IN_PART, UNTRAINED, CANNOT_TELL)
"""All verdicts."""

LEAST_SKILL = 0.1
"""Skill from which a model is better than a constant."""

LEAST_USE, MOST_USE = 0.05, 0.4
"""Shares of the skill on training tasks from which the support set matters, and decides."""

LOW_SHARE, HIGH_SHARE = 0.2, 0.8
"""Shares up to which the support set does not help on new tasks, and from which it helps fully."""

NONE, WHOLE = 0.05, 0.95
"""A share in between is a part only if its interval lies above the first, or below the second."""


@dataclasses.dataclass(frozen=True)
class Skills:
    """Skills of a model on the tasks of one split; None where it was not scored so.

    A skill that is not finite, such as of a learner that diverges under wrong labels, counts as not
    known, but for ``right``.

    Attributes:
        right: with the right support set.
        mismatched_labels: with its inputs and wrong labels.
        mismatched_support: with another task's support set.
        no_support: without a support set.
        relabeled: with the right support set of relabeled tasks.
        slope: of the regression of answers on labels, with the right support set.
        relabeled_slope: the same on relabeled tasks.
        mismatched_support_slope: the same with another task's support set.
    """

    right: float
    mismatched_labels: float | None = None
    mismatched_support: float | None = None
    no_support: float | None = None
    relabeled: float | None = None
    slope: float | None = None
    relabeled_slope: float | None = None
    mismatched_support_slope: float | None = None

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            if name != "right" and value is not None and not math.isfinite(value):
                object.__setattr__(self, name, None)

    def without(self) -> float:
        """The most skill that there is without the right support set; 0 at least."""
        others = (self.mismatched_labels, self.mismatched_support, self.no_support, 0.0)
        return max(other for other in others if other is not None)

    def use(self) -> float:
        """The share of the skill that is due to the labels of the support set, in [0, 1].

        Another task's support set does not count: a memory may recognize the task by its inputs.
        """
        if self.right <= 0:
            return 0.0
        others = (self.mismatched_labels, self.no_support, 0.0)
        without = max(other for other in others if other is not None)
        return min(max(1 - without / self.right, 0.0), 1.0)


def share_of(training: Skills, held_out: Skills | None) -> float | None:
    """What the support set adds on new tasks over what it would add if it helped there as well.

    There are two such ratios, in [0, 1]: of the skill, and of the slope in the regression of
    answers on labels. A memory that answers new tasks by the training task that resembles them most
    has a slope, but no skill: so the smaller counts where the support set decides. A mixture of a
    memory with a little of a learner has a slope, and hardly a skill, since the memory is wrong on
    new tasks: so the larger counts where it does not.

    None where neither held-out nor relabeled tasks were scored, or where training tasks are not
    answered better than new ones without a support set.
    """
    if held_out is not None:
        base, new = held_out.without(), held_out.right
        base_slope, slope = held_out.mismatched_support_slope, held_out.slope
    elif training.relabeled is not None:
        base, new = 0.0, training.relabeled
        base_slope, slope = 0.0, training.relabeled_slope
    else:
        return None
    if training.right - base < LEAST_SKILL / 2:
        return None
    share = (new - base) / (training.right - base)
    if slope is not None and training.slope is not None:
        base_slope = max(base_slope or 0.0, 0.0)
        if training.slope - base_slope > LEAST_SKILL / 2:
            by_slope = (slope - base_slope) / (training.slope - base_slope)
            share = (max if training.use() < MOST_USE else min)(share, by_slope)
    return min(max(share, 0.0), 1.0)


def decide(
    training: Skills,
    held_out: Skills | None = None,
    interval: tuple[float, float] | None = None,
) -> tuple[str, str, str]:
    """The verdict, its reason and the advice, from the skills of a model.

    Args:
        training: on meta-training tasks.
        held_out: on tasks that were not trained on; None if there are none.
        interval: 95 % interval of the share; None: it is not taken into account. One from
            :data:`LOW_SHARE` or less to :data:`HIGH_SHARE` or more decides nothing.

    Returns:
        ``(verdict, reason, advice)``: one of :data:`VERDICTS`, what it rests on and what to try
        next, a sentence each; no advice where nothing is wrong.
    """
    for split, skills in (("training", training), ("held-out", held_out)):
        if skills and not math.isfinite(skills.right):
            return (
                CANNOT_TELL,
                f"Scores on {split} tasks, or those of a constant, are not finite, or the labels "
                "are all the same.",
                "Give tasks whose labels differ, and a model whose answers are finite.",
            )
    share, use = share_of(training, held_out), training.use()
    new = held_out.right if held_out else training.relabeled
    facts = f"skill {training.right:.2f} on training tasks"
    if training.right >= LEAST_SKILL:
        facts += f" ({use:.0%} of it by the support set)"
    if held_out:
        facts += f", {held_out.right:.2f} on held-out tasks"
    elif new is not None:
        facts += f", {new:.2f} on relabeled ones"
    # A constant as well may be a little better on new tasks, by chance.
    if training.right < LEAST_SKILL and (new is None or new < 2 * LEAST_SKILL):
        return (
            UNTRAINED,
            f"It is nowhere much better than a constant: {facts}.",
            "Train it longer, or check that `predict` returns labels in their unit.",
        )
    if training.right < LEAST_SKILL:
        return (
            CANNOT_TELL,
            f"It is better on new tasks than on training tasks: {facts}.",
            "Check that the two splits are not exchanged.",
        )
    if use < LEAST_USE:
        if held_out and held_out.right >= HIGH_SHARE * training.right:
            if held_out.use() >= LEAST_USE:
                return (
                    ADAPTS,
                    f"It knows the training tasks, and adapts to new ones: {facts}.",
                    "Training tasks that it cannot recognize would train it better.",
                )
            return (
                CANNOT_TELL,
                f"New tasks, too, are answered as well without the support set: either the query "
                f"input determines the labels, or the model ignores the support set: {facts}.",
                "Compare a model that is fitted to each support set: if it does better, this one "
                "ignores the support set; if not, give tasks whose labels the query input alone "
                "does not determine.",
            )
        return _memorization("as well", facts)
    if share is None:
        if held_out is None:
            return (
                CANNOT_TELL,
                f"The support set decides on training tasks; whether it helps on new ones is "
                f"unknown: {facts}.",
                "Give held-out tasks, or a relabeling.",
            )
        return (
            CANNOT_TELL,
            f"New tasks are answered as well without the support set: {facts}.",
            "Give tasks whose labels the query input alone does not determine.",
        )
    kind = "held-out" if held_out else "relabeled training"
    low, high = interval or (share, share)
    if low <= LOW_SHARE and high >= HIGH_SHARE:
        return (
            CANNOT_TELL,
            f"On {kind} tasks the support set helps {low:.0%} to {high:.0%} as much as on training "
            f"tasks, an interval with both no help (up to {LOW_SHARE:.0%}) and full help (from "
            f"{HIGH_SHARE:.0%}): {facts}.",
            "Give more tasks, or more episodes of each.",
        )
    if share < 0.5:
        share = share if low > NONE else 0.0
    elif high >= WHOLE:
        share = 1.0
    if share <= LOW_SHARE and use < MOST_USE:
        return _memorization("for the larger part", facts)
    if share <= LOW_SHARE:
        return (
            LEARNER,
            f"The support set decides on training tasks and does not help on {kind} tasks: "
            f"{facts}.",
            "Train on more, or more varied, tasks; relabel them in training (label augmentation, "
            "Label-MI).",
        )
    if share < HIGH_SHARE:
        return (
            IN_PART,
            f"On {kind} tasks the support set helps {share:.0%} as much as on training tasks: "
            f"{facts}.",
            "Train on more, or more varied, tasks; raise the regularizer's strength.",
        )
    if not held_out:
        return (
            CANNOT_TELL,
            f"Relabeled training tasks are answered by their support sets; whether tasks with new "
            f"inputs are is unknown: {facts}.",
            "Give held-out tasks.",
        )
    return (
        ADAPTS,
        f"The support set helps on held-out tasks as on training tasks: {facts}.",
        "",
    )


def _memorization(how: str, facts: str) -> tuple[str, str, str]:
    return (
        MEMORIZATION,
        f"Training tasks are answered {how} without the labels of the support set: {facts}.",
        "Make the tasks mutually exclusive: relabel them in training (label augmentation, "
        "Label-MI), or limit the information taken from the query input (MR-A, MR-W).",
    )

"""What a model is asked about the tasks of one split, and the scores of its answers, in NumPy.

Each task is answered with its own support set, with those of other tasks, with wrong labels, with
relabeled ones, and without a support set, where the model can.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from maml.diagnostics import answers
from maml.diagnostics.relabelings import Relabeling
from maml.diagnostics.sampling import Task

RIGHT = "right"
RELABELED = "relabeled"
MISMATCHED_SUPPORT = "mismatched_support"
MISMATCHED_LABELS = "mismatched_labels"
NO_SUPPORT = "no_support"

MISMATCHED = 2
"""Other tasks whose labels a task is answered with."""

SLOPES = {RIGHT: "", RELABELED: "relabeled_", MISMATCHED_SUPPORT: "mismatched_support_"}
"""Conditions in which the slope of answers on labels is read -> prefix of its scores."""

RESPONSE = ("response_covariance", "response_variance", "answer_power")
"""How answers follow relabelings: the product of the change of the answer with that of the label,
the squared change of the label, and the squared distance of answers from the mean label. Of
classes, the answer is the most probable one, and there is no distance."""


class Request(NamedTuple):
    """One question: the queries of a task, with a support set.

    ``query_y`` are the labels that an answer is scored by, relabeled if the support set is. The
    support set is None where the question is what is answered without one. ``lender`` is the task
    that the support set, or its labels, are from; ``split`` is "training" or "held_out".
    """

    condition: str
    task: int
    support_x: np.ndarray | None
    support_y: np.ndarray | None
    query_x: np.ndarray
    query_y: np.ndarray
    lender: int | None = None
    split: str = "training"

    def not_finite(self) -> str:
        """The task whose inputs are NaN or infinite; empty if all are finite.

        Some models take such inputs, so they are no fault by themselves.
        """
        lender = self.lender if self.condition == MISMATCHED_SUPPORT else self.task
        for x, task in ((self.query_x, self.task), (self.support_x, lender)):
            if x is not None and x.dtype.kind in "fc" and not np.isfinite(x).all():
                return f"{self.split} task {task}"
        return ""


def make_requests(
    tasks: Sequence[Task],
    relabel: Relabeling | None,
    num_relabelings: int,
    num_supports: int,
    no_support: Callable | str | None,
    classes: bool,
    seed: int,
    split: str = "training",
) -> list[Request]:
    """All questions about the tasks of a split, task by task.

    Args:
        tasks: at least two.
        relabel: changes labels of support and queries alike; None: tasks are not relabeled.
        num_relabelings: relabelings of each task.
        num_supports: support sets for each task, its own included; at most as many as tasks.
        no_support: how the queries are asked without a support set: "empty" for one of no
            points, None for not at all.
        classes: whether labels are classes. Then wrong labels are relabeled ones, otherwise those
            of another task: in many sets of episodes the i-th point has the same class in all.
        seed: of relabelings.
        split: of the tasks, "training" or "held_out".
    """
    requests, count = [], min(num_supports, len(tasks))
    shifts = [index * len(tasks) // count for index in range(1, count)]
    for number, task in enumerate(tasks):
        rng = np.random.default_rng([seed, number])

        def ask(condition, support_x, support_y, query_y, lender=None, number=number, task=task):
            requests.append(
                Request(
                    condition, number, support_x, support_y, task.query_x, query_y, lender, split
                )
            )

        ask(RIGHT, task.support_x, task.support_y, task.query_y)
        others = [(number + shift) % len(tasks) for shift in shifts]
        for lender in others:
            other = tasks[lender]
            ask(MISMATCHED_SUPPORT, other.support_x, other.support_y, task.query_y, lender)
        if relabel:
            for _ in range(num_relabelings):
                ask(RELABELED, task.support_x, *relabel(task.support_y, task.query_y, rng))
        if not classes:
            for lender in others[:MISMATCHED]:
                other = tasks[lender]
                shots = min(len(task.support_y), len(other.support_y))
                y = other.support_y[:shots]
                ask(MISMATCHED_LABELS, task.support_x[:shots], y, task.query_y, lender)
        if no_support == "empty":
            ask(NO_SUPPORT, task.support_x[:0], task.support_y[:0], task.query_y)
        elif no_support:
            ask(NO_SUPPORT, None, None, task.query_y)
    return requests


def score(
    tasks: Sequence[Task],
    requests: Sequence[Request],
    outputs: Sequence,
    kind: str,
    metric: answers.Metric,
    seed: int,
) -> dict[str, np.ndarray]:
    """Scores of each task, [tasks] each.

    Args:
        tasks: of a split.
        requests: of :func:`make_requests`.
        outputs: the answer to each, of :class:`maml.diagnostics.answers.Reader`.
        kind: of the answers.
        metric: that judges them.
        seed: of draws from the answers' densities.

    Returns:
        For the metric's name ``m``: ``m``, ``mismatched_support_m``, ``mismatched_labels_m``,
        ``constant_m``, and where they were asked for ``relabeled_m``, ``relabeled_constant_m`` and
        ``no_support_m``; in nats ``support_information_lower`` and ``_upper``, and of relabelings
        ``label_information_lower`` and ``_upper``. By the metric of its kind also the products of
        :data:`SLOPES` and :data:`RESPONSE`.
    """
    asked: dict[str, list[list[int]]] = {}
    for index, request in enumerate(requests):
        rows = asked.setdefault(request.condition, [[] for _ in tasks])
        rows[request.task].append(index)

    def judge(output, y) -> float:
        return float(np.mean(metric.fn(output, y)))

    def mean_of(condition: str, labels: Callable[[int], np.ndarray]) -> np.ndarray:
        return np.array(
            [np.mean([judge(outputs[i], labels(i)) for i in row]) for row in asked[condition]]
        )

    def own(i: int) -> np.ndarray:
        return requests[i].query_y

    def lent(condition: str) -> np.ndarray:
        """Scores with what other tasks lend, by task and by lender: both vary with the tasks.

        Their mean is that of all answers, and their spread that of its two parts (Hoeffding 1948).
        """
        by_task, by_lender = np.zeros([2, len(tasks)])
        for row in asked[condition]:
            for i in row:
                value = judge(outputs[i], own(i)) / len(row)
                by_task[requests[i].task] += value
                by_lender[requests[i].lender] += value
        return by_task + by_lender - by_task.mean()

    def original(i: int) -> np.ndarray:
        return tasks[requests[i].task].query_y

    name = metric.name
    scores = {
        name: mean_of(RIGHT, own),
        f"mismatched_support_{name}": lent(MISMATCHED_SUPPORT),
        f"constant_{name}": _best_constant([[task.query_y] for task in tasks], kind, metric, judge),
    }
    if RELABELED in asked:
        scores[f"relabeled_{name}"] = mean_of(RELABELED, own)
        labels = [[requests[i].query_y for i in row] for row in asked[RELABELED]]
        scores[f"relabeled_constant_{name}"] = _best_constant(labels, kind, metric, judge)
    scores[f"mismatched_labels_{name}"] = (
        lent(MISMATCHED_LABELS) if MISMATCHED_LABELS in asked else mean_of(RELABELED, original)
    )
    if NO_SUPPORT in asked:
        scores[f"no_support_{name}"] = mean_of(NO_SUPPORT, own)
    if metric is answers.DEFAULTS[kind]:
        if RELABELED in asked:
            scores |= _response(tasks, asked, requests, outputs, kind)
        for condition, prefix in SLOPES.items():
            if condition in asked:
                covariance, variance = _follow(asked[condition], requests, outputs, kind)
                scores[f"{prefix}label_covariance"] = covariance
                scores[f"{prefix}label_variance"] = variance
    rng, noise = np.random.default_rng([seed, len(tasks)]), _noise(tasks, asked, outputs, kind)
    supports = [
        right + others
        for right, others in zip(asked[RIGHT], asked[MISMATCHED_SUPPORT], strict=True)
    ]
    for information, rows in (
        ("support_information", supports),
        ("label_information", asked.get(RELABELED, [])),
    ):
        if not rows or len(rows[0]) < 2:
            continue
        both = [
            [of.mean() for of in answers.bounds(kind, [outputs[i] for i in row], noise, rng)]
            for row in rows
        ]
        scores[f"{information}_lower"], scores[f"{information}_upper"] = np.array(both).T
    return scores


def _best_constant(labels, kind: str, metric: answers.Metric, judge) -> np.ndarray:
    """Scores [tasks] of the best of the constants, for several labelings of each task."""
    every = np.concatenate([y for row in labels for y in row])
    candidates = []
    for constant in answers.constants(kind, every):
        candidates.append(
            np.array(
                [
                    np.mean([judge(answers.repeated(kind, constant, len(y)), y) for y in row])
                    for row in labels
                ]
            )
        )
    sign = -1 if metric.greater_is_better else 1
    return min(candidates, key=lambda values: sign * values.mean())


def _follow(rows, requests, outputs, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Covariance [tasks] of expected and true labels, and variance [tasks] of the true ones."""
    center = np.mean(np.concatenate([requests[i].query_y for row in rows for i in row]), axis=0)

    def mean_product(row, expected):
        return np.mean(
            [np.mean((expected(i) - center) * (requests[i].query_y - center)) for i in row]
        )

    def answered(i):
        return answers.expected(outputs[i], kind)

    covariance = [mean_product(row, answered) for row in rows]
    return np.array(covariance), np.array(
        [mean_product(row, lambda i: requests[i].query_y) for row in rows]
    )


def _response(tasks, asked, requests, outputs, kind: str) -> dict[str, np.ndarray]:
    """The products of :data:`RESPONSE`, [tasks] each."""
    center = np.mean(np.concatenate([task.query_y for task in tasks]), axis=0)
    rows, classes = [], kind == "probs"

    def answered(i):
        answer = answers.expected(outputs[i], kind)
        return np.eye(answer.shape[-1])[answer.argmax(-1)] if classes else answer

    for task, (right,), relabeled in zip(tasks, asked[RIGHT], asked[RELABELED], strict=True):
        answer = answered(right)
        changes = [(answered(i) - answer, requests[i].query_y - task.query_y) for i in relabeled]
        covariance = np.mean([np.mean(of_answer * of_label) for of_answer, of_label in changes])
        variance = np.mean([np.mean(of_label**2) for _, of_label in changes])
        rows.append((covariance, variance, np.mean((answer - center) ** 2)))
    return dict(zip(RESPONSE[:2] if classes else RESPONSE, np.array(rows).T, strict=False))


def _noise(tasks, asked, outputs, kind: str) -> np.ndarray | None:
    """Deviation of residuals of a mean [dim], or the least deviation of a density."""
    if kind == "probs":
        return None
    labels = np.concatenate([task.query_y for task in tasks])
    least = answers.SMALLEST_STD * labels.std(0)
    least = np.where(least > 0, least, 1.0)
    if kind != "mean":
        return least
    residuals = np.concatenate(
        [outputs[row[0]] - tasks[number].query_y for number, row in enumerate(asked[RIGHT])]
    )
    return np.maximum(np.sqrt(np.mean(residuals**2, axis=0)), least)

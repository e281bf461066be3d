"""Scores that show whether a learner memorizes, on fixed episodes, and the diagnosis from them.

* The score with the right support set, with another task's, without any, and of a constant
  predictor. The swap gap is the difference of the first two; it is 0 where the support set is
  ignored.
* Label information I(y^; Y | x, X): how much relabeling the support set changes the prediction.
* Support information I(y^; D | x): how much exchanging the whole support set changes it. The inputs
  X alone tell many tasks apart, so a learner that memorizes tasks by their inputs scores high here
  and zero above.

Both stand between a lower and an upper bound, in nats. :mod:`maml.diagnostics.report` reads them.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

import mine
from maml.core.episodes import Episode, TaskFamily, concatenated, fold_in
from maml.core.label_transforms import LabelTransform
from maml.core.seeds import Stream, stream
from maml.diagnostics.metrics import METRICS
from maml.diagnostics.report import Diagnosis
from maml.distributions.base import Distribution, log_prob_under_each, split_conditions
from maml.distributions.categorical import Categorical
from maml.distributions.normal import Normal
from mine.reporting.progress import ProgressBar


def score_episodes(
    learner,
    episode: Episode,
    seed,
    label_transform: LabelTransform | None = None,
    num_relabelings: int = 8,
    metrics: dict[str, Callable] = METRICS,
) -> dict[str, tf.Tensor]:
    """Scores of one batch of episodes, each [tasks, queries].

    Args:
        learner: a :class:`maml.MetaLearner`.
        episode: at least two different tasks; each is also scored with the support sets of others.
        seed: stateless seed [2].
        label_transform: draws the relabelings for the label information; None leaves it out.
        num_relabelings: number N of relabelings, and the most support sets for each task, the
            right one included. Lower bounds cannot exceed log N.
        metrics: name -> function(distribution, y) -> [tasks, queries].

    Returns:
        For each metric ``m``: ``m`` with the support set, ``no_support_m`` without it,
        ``mismatched_support_m`` with another task's (mean over those tried). In nats:
        ``support_information_lower`` and ``_upper``, and with a label transform
        ``label_information_lower`` and ``_upper``.
    """
    embedded = episode._replace(
        support_x=learner.features(episode.support_x), query_x=learner.features(episode.query_x)
    )
    predicted, supports = predict_with_mismatched_supports(learner, embedded, num_relabelings)
    before = learner.decode(learner.initial_state(tf.shape(embedded.query_x)[0]), embedded.query_x)
    y = tf.tile(episode.query_y, [supports, 1, 1])
    result = {}
    for name, metric in metrics.items():
        result["no_support_" + name] = metric(before, episode.query_y)
        values = split_conditions(metric(predicted, y), supports)
        result[name], result["mismatched_support_" + name] = (
            values[0],
            tf.reduce_mean(values[1:], axis=0),
        )
    informations = {
        "support_information": sandwich(predicted, supports, fold_in(seed, 2 * num_relabelings))
    }
    if label_transform is not None:
        informations["label_information"] = label_information(
            learner, embedded, label_transform, num_relabelings, seed
        )
    for name, bounds in informations.items():
        result |= {name + "_lower": bounds.lower, name + "_upper": bounds.upper}
    return result


def predict_with_mismatched_supports(
    learner, embedded: Episode, num_relabelings: int
) -> tuple[Distribution, int]:
    """Predictions with the right support set, then with those of other tasks of the batch.

    Every support set is encoded once. The other tasks are evenly spaced in the batch, since
    neighbours may be alike.

    Args:
        learner: a :class:`maml.MetaLearner`.
        embedded: episodes whose inputs went through ``learner.features``, of a known number of
            tasks.
        num_relabelings: the most support sets for each task, its own included.

    Returns:
        A distribution with batch axes [supports * tasks, queries], first those of all tasks with
        their own support sets, and the number of supports.
    """
    tasks = embedded.query_y.shape[0]
    count = min(num_relabelings, tasks)
    shifts = [index * tasks // count for index in range(count)]
    state = tf.nest.map_structure(
        lambda part: tf.concat([tf.roll(part, shift, axis=0) for shift in shifts], axis=0),
        learner.encode_episode(embedded),
    )
    return learner.decode(state, tf.concat([embedded.query_x] * count, axis=0)), count


def label_information(
    learner, embedded: Episode, label_transform: LabelTransform, num_relabelings: int, seed
) -> mine.Sandwich:
    """I(y^; Y' | x*, X) of the learner's predictions under ``num_relabelings`` relabelings.

    Args:
        learner: a :class:`maml.MetaLearner`.
        embedded: episodes whose inputs went through ``learner.features``.
        label_transform: draws the relabelings.
        num_relabelings: number of relabelings.
        seed: stateless seed [2].

    Returns:
        As :func:`sandwich`.
    """
    relabeled = concatenated(
        label_transform(embedded, fold_in(seed, 2 * index)) for index in range(num_relabelings)
    )
    state = learner.encode_episode(relabeled)
    return sandwich(learner.decode(state, relabeled.query_x), num_relabelings, fold_in(seed, 1))


def sandwich(prediction: Distribution, conditions: int, seed) -> mine.Sandwich:
    """What a prediction tells about which of several equally likely conditions it was made under.

    Args:
        prediction: under all conditions of the same queries, batch axes [conditions * tasks,
            queries]. Its ``log_prob`` is asked for labels [conditions, conditions * tasks, queries,
            dim].
        conditions: their number.
        seed: stateless seed [2] of a sample of each.

    Returns:
        :func:`mine.plug_in` at each query, [tasks, queries], in nats; of classes in closed form,
        :func:`mine.plug_in_categories`.
    """
    if isinstance(prediction, Categorical):
        return mine.plug_in_categories(split_conditions(prediction.log_probabilities, conditions))
    return mine.plug_in(log_prob_under_each(prediction, prediction.sample(seed), conditions))


def constant_scores(y, metrics: dict[str, Callable] = METRICS) -> dict[str, tf.Tensor]:
    """Scores of the constant predictor: the mean label.

    It has the least squared error. The mean of one-hot labels is the frequency of each class, and
    its largest the class that is right most often.

    Args:
        y: query labels of all episodes, [episodes, queries, dim].
        metrics: as of :func:`score_episodes`.

    Returns:
        ``constant_m`` for each metric ``m``, [episodes, queries].
    """
    constant = Normal(tf.broadcast_to(tf.reduce_mean(y, axis=(0, 1)), tf.shape(y)), 1.0)
    return {f"constant_{name}": metric(constant, y) for name, metric in metrics.items()}


class Evaluator:
    """Scores a learner on fixed episodes; compiled once, used as often as one likes.

    Args:
        learner: a :class:`maml.MetaLearner`.
        metrics: name -> function(distribution, y) -> [tasks, queries].
        label_transform: draws the relabelings for the label information; None leaves it out.
        information_every: the label information, which adapts ``num_relabelings`` times to each
            task, is read
            on every k-th batch only.
        **options: more of :func:`score_episodes`.
    """

    def __init__(
        self,
        learner,
        metrics: dict[str, Callable] = METRICS,
        label_transform: LabelTransform | None = None,
        information_every: int = 1,
        **options,
    ):
        self.learner, self.metrics = learner, metrics
        self.information_every = information_every
        # Traced for each size of a batch, of which a family has two at most.
        self._with_information, self._without = (
            tf.function(
                functools.partial(
                    score_episodes, learner, label_transform=relabeling, metrics=metrics, **options
                ),
                autograph=False,
            )
            for relabeling in (label_transform, None)
        )

    def __call__(
        self,
        family: TaskFamily,
        per_task: int,
        batch_size: int,
        seed: int,
        num_tasks: int | None = None,
        title: str = "",
    ) -> dict[str, np.ndarray]:
        """Scores ``per_task`` episodes of each task.

        Args:
            family: the tasks.
            per_task: episodes of each task.
            batch_size: tasks a batch, see :meth:`TaskFamily.fixed`.
            seed: of the episodes; the same seed gives every learner the same episodes.
            num_tasks: how many tasks are scored, evenly spaced; all by default.
            title: of a progress bar; without one there is none.

        Returns:
            Each score of :func:`score_episodes` and :func:`constant_scores`, [tasks, per_task,
            queries]; the label information of some tasks only, if it is not read on every batch.

        Raises:
            ValueError: fewer than two tasks, so that there is no other task's support set.
        """
        count = min(num_tasks or family.num_tasks, family.num_tasks)
        if count < 2 or batch_size < 2:
            raise ValueError("A support-swap gap needs at least two tasks, and two in a batch.")
        base = stream(seed, Stream.SCORES)
        rows, labels = [], []
        in_pass = max(1, count // batch_size)
        batches = ProgressBar(
            family.fixed(per_task, batch_size, seed, count),
            title,
            total=per_task * in_pass,
            disable=not title,
        )
        for index, episode in enumerate(batches):
            informed = index % in_pass % self.information_every == 0
            step = self._with_information if informed else self._without
            rows.append(step(episode, fold_in(base, index)))
            labels.append(episode.query_y)
        columns = {
            name: np.concatenate([row[name] for row in rows if name in row]) for name in rows[0]
        }
        columns |= {
            k: v.numpy() for k, v in constant_scores(tf.concat(labels, 0), self.metrics).items()
        }
        return {
            name: column.reshape(per_task, -1, column.shape[-1]).swapaxes(0, 1)
            for name, column in columns.items()
        }


def diagnose(
    learner,
    tasks: TaskFamily,
    label_transform: LabelTransform | None = None,
    metrics: dict[str, Callable] = METRICS,
    per_task: int = 10,
    batch_size: int = 16,
    seed: int = 0,
    num_relabelings: int = 8,
) -> Diagnosis:
    """Scores a learner on fixed episodes of each task, and tells whether it memorizes.

    Args:
        learner: a :class:`maml.MetaLearner`.
        tasks: those of meta-training show a memorizer, held-out ones what its memory is worth.
        label_transform: draws relabelings for the label information, such as
            :class:`maml.LabelOffset` for angles; None leaves it out.
        metrics: name -> function(distribution, y) -> [tasks, queries]; the first is judged by.
        per_task: episodes of each task.
        batch_size: tasks a batch; each is also scored with the support sets of others.
        seed: of episodes and draws.
        num_relabelings: relabelings, and the most support sets for each task, behind the
            informations:
            their lower bounds cannot exceed log ``num_relabelings``.

    Raises:
        ValueError: fewer than two tasks.
    """
    evaluator = Evaluator(learner, metrics, label_transform, num_relabelings=num_relabelings)
    values = evaluator(tasks, per_task, batch_size, seed)
    name, perfect = main_score(metrics, tasks)
    return Diagnosis.from_scores(values, learner.normalization, name, perfect)


def main_score(metrics: dict[str, Callable], tasks: TaskFamily) -> tuple[str, float]:
    """Name and best value of the first of some metrics: 0 of an error, 1 of an accuracy."""
    name, metric = next(iter(metrics.items()))
    y = next(tasks.fixed(1, 2, 0, 2)).query_y
    return name, float(tf.reduce_mean(metric(Normal(y, 1.0), y)))

"""Scores of a learner under changed support sets, on fixed episodes, and the report from them.

* The score with the right support set, with another task's, with wrong labels, without any, under
  relabeled tasks, and of a constant predictor. The swap gap is the difference of the first two.
* Label information I(y^; Y | x, X): how much relabeling the support set changes the prediction.
* Support information I(y^; D | x): how much exchanging the whole support set changes it. The inputs
  X alone tell many tasks apart, so a learner that memorizes tasks by their inputs scores high here
  and zero above.

Both stand between a lower and an upper bound, in nats. :mod:`maml.diagnostics.report` reads them.
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

import mine
from maml.core.episodes import Episode, TaskFamily, concatenated, fold_in
from maml.core.label_transforms import (
    LabelPermutation,
    LabelTransform,
    with_support_labels_of,
)
from maml.core.metrics import Metric
from maml.core.seeds import Stream, stream
from maml.diagnostics.calibration import density_scores
from maml.diagnostics.conditions import MISMATCHED, RESPONSE, SLOPES
from maml.diagnostics.report import MemorizationReport
from maml.distributions.base import Distribution, log_prob_under_each, split_conditions
from maml.distributions.categorical import Categorical
from maml.distributions.metrics import MSE
from maml.distributions.normal import Normal
from maml.learners.prediction import encode_each, predict_with_mismatched_supports
from mine.reporting.progress import ProgressBar


def score_episodes(
    learner,
    episode: Episode,
    seed,
    label_transform: LabelTransform | None = None,
    num_relabelings: int = 8,
    metrics: Sequence[Metric] = (MSE,),
) -> dict[str, tf.Tensor]:
    """Scores of one batch of episodes, each [tasks, queries].

    Args:
        learner: a :class:`maml.MetaLearner`.
        episode: at least two different tasks; each is also scored with the support sets of others.
        seed: stateless seed [2].
        label_transform: draws the relabelings; None leaves out what needs them.
        num_relabelings: number N of relabelings, and the most support sets for each task, the
            right one included. Lower bounds cannot exceed log N.
        metrics: at least one.

    Returns:
        For each metric ``m``: ``m`` with the support set, ``no_support_m`` without it,
        ``mismatched_support_m`` with another task's (mean over those tried), and
        ``mismatched_labels_m`` with its inputs and wrong labels: another task's, or of classes
        relabeled ones. Of the right support set also :func:`density_scores`, ``nll`` among them.
        In nats: ``support_information_lower`` and ``_upper``. With a label
        transform ``label_information_lower`` and ``_upper``, and if it relabels queries
        ``relabeled_m`` and ``relabeled_constant_m``. For the slope of answers on labels
        ``label_covariance`` and ``label_variance``, and the same of other conditions, see
        :data:`maml.diagnostics.conditions.SLOPES`; of relabelings also the products of
        :data:`maml.diagnostics.conditions.RESPONSE`.
    """
    embedded = episode._replace(
        support_x=learner.features(episode.support_x), query_x=learner.features(episode.query_x)
    )
    before = learner.decode(learner.initial_state(tf.shape(embedded.query_x)[0]), embedded.query_x)
    classes = isinstance(before, Categorical)
    wrong, count = mismatched_labels(embedded, classes, fold_in(seed, 2 * num_relabelings + 1))
    batches = [embedded, wrong]
    if label_transform is not None:
        batches.append(relabel(embedded, label_transform, num_relabelings, seed))
    state, wrong_state, *relabeled_states = encode_each(learner, batches)
    predicted, supports = predict_with_mismatched_supports(
        learner, embedded, num_relabelings, state
    )
    y = tf.tile(episode.query_y, [supports, 1, 1])
    result = {}
    for metric in metrics:
        result[f"no_support_{metric.name}"] = metric.fn(before, episode.query_y)
        values = split_conditions(metric.fn(predicted, y), supports)
        result[metric.name] = values[0]
        result[f"mismatched_support_{metric.name}"] = tf.reduce_mean(values[1:], axis=0)
    for name, values in density_scores(predicted, y).items():
        result[name] = split_conditions(values, supports)[0]
    products = _label_products(predicted, y, supports)
    result |= _named(SLOPES["right"], [product[0] for product in products])
    others = [tf.reduce_mean(product[1:], axis=0) for product in products]
    result |= _named(SLOPES["mismatched_support"], others)
    result |= _bounds(
        "support_information", sandwich(predicted, supports, fold_in(seed, 2 * num_relabelings))
    )
    if label_transform is not None:
        relabeled = batches[-1]
        prediction = learner.decode(relabeled_states[0], relabeled.query_x)
        result |= _bounds(
            "label_information", sandwich(prediction, num_relabelings, fold_in(seed, 1))
        )
        if label_transform.relabels_queries:
            result |= _relabeled_scores(prediction, relabeled.query_y, num_relabelings, metrics)
            result |= _response(
                split_conditions(_answer(predicted), supports)[0],
                split_conditions(_answer(prediction), num_relabelings),
                episode.query_y,
                split_conditions(relabeled.query_y, num_relabelings),
                classes,
            )
    prediction = learner.decode(wrong_state, wrong.query_x)
    for metric in metrics:
        values = metric.fn(prediction, tf.tile(episode.query_y, [count, 1, 1]))
        name = f"mismatched_labels_{metric.name}"
        result[name] = tf.reduce_mean(split_conditions(values, count), axis=0)
    return result


def _bounds(name: str, bounds: mine.Sandwich) -> dict[str, tf.Tensor]:
    return {f"{name}_lower": bounds.lower, f"{name}_upper": bounds.upper}


def _named(prefix: str, products) -> dict[str, tf.Tensor]:
    covariance, variance = products
    return {f"{prefix}label_covariance": covariance, f"{prefix}label_variance": variance}


def _label_products(prediction: Distribution, y, conditions: int) -> list[tf.Tensor]:
    """Products of expected and true labels, and of true ones, around their mean.

    Each is [conditions, tasks, queries].
    """
    center = tf.reduce_mean(y, axis=(0, 1))
    answered, true = prediction.mean() - center, y - center
    return [
        split_conditions(tf.reduce_mean(product, axis=-1), conditions)
        for product in (answered * true, true**2)
    ]


def _relabeled_scores(prediction, y, conditions: int, metrics) -> dict[str, tf.Tensor]:
    """Scores on relabeled tasks, of the learner and of a constant, [tasks, queries]."""

    def over(values):
        return tf.reduce_mean(split_conditions(values, conditions), axis=0)

    constants = constant_scores(y, metrics)
    products = [tf.reduce_mean(of, axis=0) for of in _label_products(prediction, y, conditions)]
    result = _named(SLOPES["relabeled"], products)
    for metric in metrics:
        result[f"relabeled_{metric.name}"] = over(metric.fn(prediction, y))
        result[f"relabeled_constant_{metric.name}"] = over(constants[f"constant_{metric.name}"])
    return result


def _answer(prediction: Distribution) -> tf.Tensor:
    """The expected labels, or the most probable class, one-hot."""
    mean = prediction.mean()
    if isinstance(prediction, Categorical):
        return tf.one_hot(tf.argmax(mean, axis=-1), mean.shape[-1], dtype=mean.dtype)
    return mean


def _response(answer, relabeled, y, relabeled_y, classes: bool) -> dict[str, tf.Tensor]:
    """How answers [tasks, queries, dim] follow relabelings: products [tasks, queries]."""
    of_answer, of_label = relabeled - answer, relabeled_y - y
    products = [
        tf.reduce_mean(product, axis=(0, -1)) for product in (of_answer * of_label, of_label**2)
    ]
    if not classes:
        center = tf.reduce_mean(y, axis=(0, 1))
        products.append(tf.reduce_mean((answer - center) ** 2, axis=-1))
    return dict(zip(RESPONSE, products, strict=False))


def mismatched_labels(embedded: Episode, classes: bool, seed) -> tuple[Episode, int]:
    """Episodes whose support sets have their inputs and wrong labels, the queries as they are.

    Args:
        embedded: episodes of a known number of tasks.
        classes: whether labels are classes: then they are permuted. Otherwise they are those of
            other tasks of the batch; in many sets of episodes the i-th point of each task has the
            same class.
        seed: stateless seed [2].

    Returns:
        The episodes, [wrong labelings * tasks, ...], and the number of wrong labelings.
    """
    tasks = embedded.query_y.shape[0]
    if classes:
        permute = LabelPermutation(embedded.support_y.shape[-1])
        wrong = [permute(embedded, fold_in(seed, index)) for index in range(MISMATCHED)]
        return concatenated(of._replace(query_y=embedded.query_y) for of in wrong), MISMATCHED
    count = min(MISMATCHED, tasks - 1)
    parts = []
    for index in range(1, count + 1):
        shift = index * tasks // (count + 1)
        parts.append(with_support_labels_of(embedded, (np.arange(tasks) - shift) % tasks))
    return concatenated(parts), count


def relabel(
    embedded: Episode, label_transform: LabelTransform, num_relabelings: int, seed
) -> Episode:
    """``num_relabelings`` relabelings of each task.

    Args:
        embedded: episodes whose inputs went through ``learner.features``.
        label_transform: draws the relabelings.
        num_relabelings: number of relabelings.
        seed: stateless seed [2].

    Returns:
        Episodes, [num_relabelings * tasks, ...].
    """
    return concatenated(
        label_transform(embedded, fold_in(seed, 2 * index)) for index in range(num_relabelings)
    )


def sandwich(prediction: Distribution, conditions: int, seed) -> mine.Sandwich:
    """Information of a prediction about which of several equally likely conditions it is of.

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


def constant_scores(y, metrics: Sequence[Metric] = (MSE,)) -> dict[str, tf.Tensor]:
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
    return {f"constant_{metric.name}": metric.fn(constant, y) for metric in metrics}


class Evaluator:
    """Scores a learner on fixed episodes; compiled once, used as often as one likes.

    Args:
        learner: a :class:`maml.MetaLearner`.
        metrics: at least one; the first is the main score.
        label_transform: draws the relabelings; None leaves out what needs them.
        information_every: what needs relabelings, to ``num_relabelings`` of which each task is
            adapted, is read on every k-th batch only.
        **options: more of :func:`score_episodes`.
    """

    def __init__(
        self,
        learner,
        metrics: Sequence[Metric] = (MSE,),
        label_transform: LabelTransform | None = None,
        information_every: int = 1,
        **options,
    ):
        self.learner, self.metrics = learner, metrics
        self.information_every = information_every
        # Traced for each size of a batch, of which a family has two at most.
        self.with_information, self._without = (
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
            step = self.with_information if informed else self._without
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
    held_out: TaskFamily | None = None,
    label_transform: LabelTransform | None = None,
    metrics: Sequence[Metric] = (MSE,),
    per_task: int = 2,
    max_tasks: int = 200,
    batch_size: int = 16,
    seed: int = 0,
    num_relabelings: int = 8,
    verbose: bool = False,
) -> MemorizationReport:
    """Reports whether a learner of this library memorizes its training tasks.

    The report is that of :func:`maml.diagnostics.memorization_report`, which takes any model; here
    many tasks are scored at once, and informations come from the learner's own densities.

    Args:
        learner: a :class:`maml.MetaLearner`, trained.
        tasks: those of meta-training.
        held_out: tasks that were not trained on. None: the report does not say whether the learner
            adapts to new ones.
        label_transform: draws relabelings, such as :class:`maml.LabelOffset` for angles; None
            leaves out the label information and the scores of relabeled tasks.
        metrics: the first is judged by.
        per_task: episodes of each task.
        max_tasks: the most tasks of each split, evenly spaced.
        batch_size: tasks a batch; each is also scored with the support sets of others.
        seed: of episodes and draws.
        num_relabelings: relabelings, and the most support sets for each task, behind the
            informations: their lower bounds cannot exceed log ``num_relabelings``.
        verbose: whether to show progress.

    Raises:
        ValueError: fewer than two tasks.
    """
    evaluator = Evaluator(learner, metrics, label_transform, num_relabelings=num_relabelings)

    def scores(family, title):
        if family is None:
            return None
        title = f"scoring {title} tasks" if verbose else ""
        return evaluator(family, per_task, batch_size, seed, max_tasks, title)

    return MemorizationReport.from_scores(
        scores(tasks, "training"),
        scores(held_out, "held-out"),
        metrics[0],
        learner.normalization,
        seed=seed,
    )

"""Is a learner memorizing? Scores on fixed episodes that tell.

* before and after: the error without a support set, and with it;
* support-swap gap: how much the error grows with another task's support set (0: it is not read);
* I(y^; Y | x, X): what relabelling the support does to the prediction, in nats, between a lower and
  an upper bound (0: nothing).
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

import mine
from maml.episodes import Episode, TaskFamily, fold_in
from maml.interventions import Intervention


def squared_error(prediction, y) -> tf.Tensor:
    """Squared error of the expected label, mean over coordinates, [tasks, queries]."""
    return tf.reduce_mean((prediction.mean() - y) ** 2, axis=-1)


def scores(
    learner,
    episode: Episode,
    seed,
    intervention: Intervention | None = None,
    draws: int = 8,
    metrics: dict[str, Callable] | None = None,
) -> dict[str, tf.Tensor]:
    """Scores of one batch of episodes, each [tasks] (mean over queries).

    Args:
        learner: a :class:`maml.MetaLearner`.
        episode: at least two different tasks; neighbours lend each other their support sets.
        seed: stateless seed [2].
        intervention: draws the relabellings for the information; None leaves it out.
        draws: number of relabellings, N: the lower bound cannot exceed log N.
        metrics: name -> function(distribution, y) -> [tasks, queries]; squared error by default.

    Returns:
        For each metric ``m``: ``m`` (after the support set), ``pre_m`` (before it), ``swap_m``
        (after another task's); and ``information_lower``, ``information_upper`` in nats.
    """
    metrics = metrics or {"mse": squared_error}
    support_x, query_x = learner.embed(episode.support_x), learner.embed(episode.query_x)
    d = learner.encode(support_x, episode.support_y)
    swapped = tf.nest.map_structure(lambda part: tf.roll(part, 1, axis=0), d)
    states = {"": d, "pre_": learner.prior(tf.shape(query_x)[0]), "swap_": swapped}
    result = {}
    for prefix, state in states.items():
        prediction = learner.predict(state, query_x)
        for name, metric in metrics.items():
            result[prefix + name] = tf.reduce_mean(metric(prediction, episode.query_y), axis=1)
    if intervention is not None:
        embedded = episode._replace(support_x=support_x, query_x=query_x)
        sandwich = label_information(learner, embedded, intervention, draws, seed)
        result["information_lower"] = tf.reduce_mean(sandwich.lower, axis=1)
        result["information_upper"] = tf.reduce_mean(sandwich.upper, axis=1)
    return result


def label_information(
    learner, embedded: Episode, intervention: Intervention, draws: int, seed
) -> mine.Sandwich:
    """I(y^; Y' | x*, X) of the learner's predictions under ``draws`` relabellings.

    Args:
        learner: a :class:`maml.MetaLearner`.
        embedded: episodes whose inputs went through ``learner.embed``.
        intervention: draws the relabellings.
        draws: number of relabellings.
        seed: stateless seed [2].

    Returns:
        :func:`mine.plug_in` at each query, [tasks, queries], in nats.
    """
    predictions, samples = [], []
    for index in range(draws):
        draw = intervention(embedded, fold_in(seed, 2 * index))
        prediction = learner.predict(learner.encode(draw.support_x, draw.support_y), draw.query_x)
        predictions.append(prediction)
        samples.append(prediction.sample(fold_in(seed, 2 * index + 1)))
    log_prob = [tf.stack([p.log_prob(sample) for p in predictions]) for sample in samples]
    return mine.plug_in(tf.stack(log_prob))


class Evaluator:
    """Scores a learner on fixed episodes; compiled once, used as often as one likes.

    Args:
        learner: a :class:`maml.MetaLearner`.
        **options: of :func:`scores`.
    """

    def __init__(self, learner, **options):
        self._step = tf.function(
            lambda episode, seed: scores(learner, episode, seed, **options),
            reduce_retracing=True,
            autograph=False,
        )

    def __call__(
        self,
        family: TaskFamily,
        per_task: int,
        batch_size: int,
        seed: int,
        num_tasks: int | None = None,
        on_batch: Callable[[], None] = lambda: None,
    ) -> dict[str, np.ndarray]:
        """Scores ``per_task`` episodes of each task.

        Args:
            family: the tasks.
            per_task: episodes of each task.
            batch_size: tasks a batch, see :meth:`TaskFamily.fixed`.
            seed: of the episodes; the same seed gives every learner the same episodes.
            num_tasks: score only so many tasks, evenly spaced; all by default.
            on_batch: called after each batch, for progress.

        Returns:
            Each score as [tasks, per_task].

        Raises:
            ValueError: fewer than two tasks, so that none could lend another its support set.
        """
        count = min(num_tasks or family.num_tasks, family.num_tasks)
        if count < 2 or batch_size < 2:
            raise ValueError("A support-swap gap needs at least two tasks, and two in a batch.")
        base = tf.constant([seed, 4], tf.int32)
        rows = []
        for index, episode in enumerate(family.fixed(per_task, batch_size, seed, count)):
            rows.append(self._step(episode, fold_in(base, index)))
            on_batch()
        columns = {name: np.concatenate([row[name].numpy() for row in rows]) for name in rows[0]}
        return {name: c.reshape(per_task, count).T for name, c in columns.items()}
